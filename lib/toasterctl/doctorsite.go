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
	"os"
	"path/filepath"
	"strings"
	"time"

	"toaster.do/lib/account"
	"toaster.do/lib/config"
	"toaster.do/lib/fault"
	"toaster.do/lib/jenkins"
	"toaster.do/lib/site"
	"toaster.do/lib/store"
	"toaster.do/static"
)

// finding is what doctor says of one thing.
type finding = jenkins.Finding

func fine(what, note string) finding { return finding{What: what, OK: true, Problem: note} }

func sick(what string, err error, advice string) finding {
	message, own := explain(err)
	if own != "" {
		advice = own
	}
	return finding{What: what, Problem: message, Advice: advice}
}

// examineSite looks at all but the engine. It runs as the owner of the database, who the web server should be.
func (w *world) examineSite(cfg *config.Config) []finding {
	all := []finding{database(w.ctx, cfg), rights(cfg), keysFinding(w.ctx, cfg), room(cfg)}
	if all[0].OK {
		all = append(all, cron(w.ctx, cfg))
	}
	if cfg.Signup.Breached != "" {
		all = append(all, breachedFinding(cfg))
	}
	return append(append(all, mailFinding(w.ctx, cfg)), address(w.ctx, cfg)...)
}

// database looks at the schema, and whether the file is whole.
func database(ctx context.Context, cfg *config.Config) finding {
	const what = "the database"
	path := cfg.Paths.Database
	have, want, err := store.Schema(ctx, path)
	switch {
	case err != nil:
		return sick(what, err, "")
	case have < want:
		return finding{What: what, Problem: fmt.Sprintf("has schema version %d, this toaster works with %d.", have, want), Advice: "toasterctl migrate"}
	}
	if _, err := store.Check(ctx, path); err != nil {
		return sick(what, err, "toasterctl restore --force FILE, with a backup")
	}
	return fine(what, fmt.Sprintf("schema version %d, whole, of user %s", have, userName(os.Geteuid())))
}

// rights looks for what is not the owner's beside the database, and for what others could read there.
func rights(cfg *config.Config) finding {
	const what = "rights of the database"
	folder := filepath.Dir(cfg.Paths.Database)
	files, _ := filepath.Glob(cfg.Paths.Database + "*")
	for _, path := range append([]string{folder, cfg.Paths.Builds}, files...) {
		fi, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return sick(what, err, "")
		case owner(fi) != os.Geteuid():
			return finding{What: what, Problem: fmt.Sprintf("%s belongs to %s.", path, userName(owner(fi))), Advice: fmt.Sprintf("chown %s: %s", shellWord(userName(os.Geteuid())), shellWord(path))}
		case fi.Mode().Perm()&0o200 == 0:
			// SQLite gives the files beside the database the rights that it had when they were made.
			return finding{What: what, Problem: path + " can't be written by its owner.", Advice: "chmod u+w " + shellWord(path)}
		case fi.Mode().Perm()&0o007 != 0 && path != cfg.Paths.Builds:
			return finding{What: what, Problem: fmt.Sprintf("%s is open to everybody (%v).", path, fi.Mode().Perm()), Advice: "chmod o= " + shellWord(path)}
		}
	}
	return fine(what, "")
}

func keysFinding(ctx context.Context, cfg *config.Config) finding {
	const what = "keys"
	if _, err := cfg.KeyPairs(); err != nil {
		advice := "chmod 0640 " + shellWord(cfg.Paths.Keys)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			advice = "toasterctl init"
		case errors.Is(err, fs.ErrPermission):
			advice = fmt.Sprintf("chgrp $(id -g %s) %s && chmod 0640 %[2]s", shellWord(userName(os.Geteuid())), shellWord(cfg.Paths.Keys))
		}
		return finding{What: what, Problem: errors.Unwrap(fault.Of(err)).Error(), Advice: advice}
	}
	db, err := store.Open(ctx, cfg.Paths.Database)
	if err != nil {
		return fine(what, "") // the database has a line of its own
	}
	defer db.Close()
	n, err := account.New(cfg, db).Sealing(ctx)
	switch {
	case err != nil:
		return sick(what, err, "")
	case n.Lost > 0:
		return finding{What: what, Problem: count(n.Lost, "second factor") + " can't be opened with them.",
			Advice: "Restore the right ones from a backup, or: toasterctl user factor --off EMAIL"}
	case n.Stale > 0:
		return finding{What: what, Problem: count(n.Stale, "second factor") + " not sealed with the newest of them.", Advice: "toasterctl migrate"}
	}
	return fine(what, "")
}

func breachedFinding(cfg *config.Config) finding {
	const what = "breached passwords"
	if err := account.New(cfg, nil).CheckBreached(); err != nil {
		return sick(what, err, "Put the list there, readable by "+userName(os.Geteuid())+", or empty signup.breached_passwords: nobody can choose a password until then.")
	}
	return fine(what, cfg.Signup.Breached)
}

func room(cfg *config.Config) finding {
	if err := site.Room(cfg); err != nil {
		return sick("room on the disk", err, "Free some space, or lower limits.free_disk.")
	}
	return fine("room on the disk", "")
}

// late is how long cron's sync, which runs every minute, may stay away.
const late = 5 * time.Minute

func cron(ctx context.Context, cfg *config.Config) finding {
	const what = "cron"
	f := finding{What: what, Advice: "Let cron run it as " + userName(os.Geteuid()) + ": * * * * * toasterctl sync >/dev/null"}
	db, err := store.Open(ctx, cfg.Paths.Database)
	if err != nil {
		return sick(what, err, "")
	}
	defer db.Close()
	text, err := db.Fact(ctx, "sync")
	if err != nil {
		return sick(what, err, "")
	}
	last, err := time.Parse(time.RFC3339, text)
	ago := time.Since(last).Round(time.Second)
	switch {
	case err != nil:
		f.Problem = "“toasterctl sync” has never run."
	case ago > late:
		f.Problem = fmt.Sprintf("“toasterctl sync” ran last at %s.", last.Local().Format(time.DateTime))
	default:
		return fine(what, fmt.Sprintf("“toasterctl sync” ran %s ago", max(ago, 0)))
	}
	return f
}

// address asks for the front page and for a static file at the public address.
func address(ctx context.Context, cfg *config.Config) []finding {
	const what = "the address"
	url := cfg.Site.URL
	if url == "" {
		return []finding{fine(what, "site.url is not set, so it was not tried")}
	}
	header, _, err := fetch(ctx, url+"/")
	if err == nil && header.Get("X-Request-Id") == "" {
		err = errors.New("something else than toaster answers")
	}
	if err != nil {
		return []finding{sick(what+" "+url+"/", err, "Enable toaster's snippet at the web server (conf/README.md), or correct site.url; the web server's error log says more.")}
	}
	front := fine(what+" "+url+"/", "")
	if strings.HasPrefix(url, "http://") {
		front.Problem = "without HTTPS, passwords can be read on the way"
	}
	return []finding{front, style(ctx, url)}
}

func style(ctx context.Context, url string) finding {
	const name = "toaster.css"
	what := "static files"
	want, err := static.Files.ReadFile(name)
	if err != nil {
		return sick(what, err, "")
	}
	_, got, err := fetch(ctx, url+"/static/"+name)
	if err == nil && !bytes.Equal(got, want) {
		err = errors.New("they are of another version")
	}
	if err != nil {
		return sick(what, err, "Install static files and programs of one version: make install")
	}
	return fine(what, "")
}

// fetch gets a page.
func fetch(ctx context.Context, url string) (http.Header, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, nil, err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return resp.Header, text, err
}
