package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"toaster.do/lib/config"
	"toaster.do/static"
)

// address asks for the front page and for a static file at the public address.
func address(ctx context.Context, cfg *config.Config) []finding {
	const what = "the address"
	url := cfg.Site.URL
	if url == "" {
		return []finding{unknown(what, "site.url is not set."), unknown("programs", "site.url is not set."), unknown("static files", "site.url is not set.")}
	}
	header, _, err := fetch(ctx, url+"/")
	if err == nil && header.Get("X-Request-Id") == "" {
		err = errors.New("another program responds")
	}
	if err != nil {
		return []finding{sick(what+" "+url+"/", err, "Enable toaster's snippet in the web server (conf/README.md), or correct site.url. See the error log of the web server."),
			unknown("programs", "the address does not respond."), unknown("static files", "the address does not respond.")}
	}
	front := fine(what+" "+url+"/", "")
	if strings.HasPrefix(url, "http://") {
		front.Problem = "without HTTPS, passwords are sent unencrypted"
	}
	return []finding{front, answering(ctx, url), statics(ctx, url)}
}

// answering asks for a page of each of the programs. What they answer to a stranger may be the way to the log-in.
func answering(ctx context.Context, url string) finding {
	what := "programs"
	for _, page := range []string{"account/login", "admin/health", "jobs", "jobs/new"} {
		header, _, err := fetch(ctx, url+"/"+page)
		if err == nil && header.Get("X-Request-Id") == "" {
			err = fmt.Errorf("another program responds at %s/%s", url, page)
		}
		if err != nil {
			return sick(what, err, "Install all programs, executable for the user of the web server, and the newest snippet (conf/README.md). See the error log of the web server.")
		}
	}
	return fine(what, "")
}

func statics(ctx context.Context, url string) finding {
	what := "static files"
	names, err := fs.Glob(static.Files, "*")
	for _, name := range names {
		var want, got []byte
		if want, err = static.Files.ReadFile(name); err != nil {
			break
		}
		_, got, err = fetch(ctx, url+"/static/"+name)
		if err == nil && !bytes.Equal(got, want) {
			err = fmt.Errorf("%s has another version", name)
		}
		if err != nil {
			break
		}
	}
	if err != nil {
		return sick(what, err, "Install static files and programs of the same version, with make install or the package.")
	}
	return fine(what, "")
}

// fetch gets a page, or the address (303) of the one that it leads to.
func fetch(ctx context.Context, url string) (http.Header, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, nil, err
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil && resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusSeeOther {
		err = fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return resp.Header, text, err
}
