package doctor

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

	"toaster.do/lib/doctor/check"
	"toaster.do/static"
)

// address asks for the front page and for a static file at the public address.
func (s Site) address(ctx context.Context) []check.Result {
	const what = "the address"
	url := s.Site.URL
	if url == "" {
		const why = "site.url is not set."
		return []check.Result{check.Skip(what, why), check.Skip("programs", why), check.Skip("static files", why)}
	}
	header, _, err := fetch(ctx, url+"/")
	if err == nil && header.Get("X-Request-Id") == "" {
		err = errors.New("another program responds")
	}
	if err != nil {
		const why = "the address does not respond."
		return []check.Result{failed(what+" "+url+"/", err, "Enable toaster's snippet in the web server (conf/README.md), "+
			"or correct site.url. See the error log of the web server."),
			check.Skip("programs", why), check.Skip("static files", why)}
	}
	front := check.OK(what+" "+url+"/", "")
	if strings.HasPrefix(url, "http://") {
		front = check.Warn(front.Name, "without HTTPS, passwords are sent unencrypted.", "")
	}
	return []check.Result{front, answering(ctx, url), statics(ctx, url)}
}

// answering asks for a page of each of the programs. What they answer to a stranger may be the way to the log-in.
func answering(ctx context.Context, url string) check.Result {
	what := "programs"
	for _, page := range []string{"account/login", "admin/health", "jobs", "jobs/new"} {
		header, _, err := fetch(ctx, url+"/"+page)
		if err == nil && header.Get("X-Request-Id") == "" {
			err = fmt.Errorf("another program responds at %s/%s", url, page)
		}
		if err != nil {
			return failed(what, err, "Install all programs, executable for the user of the web server, "+
				"and the newest snippet (conf/README.md). See the error log of the web server.")
		}
	}
	return check.OK(what, "")
}

func statics(ctx context.Context, url string) check.Result {
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
		return failed(what, err, "Install static files and programs of the same version, with make install or the package.")
	}
	return check.OK(what, "")
}

// fetch gets a page, or the address (303) of the one that it leads to.
func fetch(ctx context.Context, url string) (http.Header, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, nil, err
	}
	client := http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}},
	}
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
