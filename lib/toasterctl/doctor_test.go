package main

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"toaster.do/lib/engine/jenkins/jenkinstest"
)

func TestDoctorOfTheLocalEngine(t *testing.T) {
	config := newSite(t)
	ctl(t, "", "doctor", "--quick", "--config", config).exits(1).says("problem runner of the local engine",
		"start “toasterctl runner”", bin+"/toasterctl runner --config "+config,
		"problem cron: “toasterctl sync” has never run", "crontab -u").complains("2 problems, 4 checks skipped")
	ctl(t, "", "sync", "--config", config).exits(0)
	runUntilReady(t, config)
	// Nothing is to change, but not all was looked at.
	ctl(t, "", "doctor", "--quick", "--config", config).exits(3).
		says("ok      runner of the local engine: 1 build at once", "unknown isolation: not checked: --quick",
			"unknown the address: not checked: site.url is not set",
			"unknown static files: not checked", "ok      queued emails: 0").complains("4 checks skipped")
	changeSite(t, config, "INSERT INTO outbox (recipient, subject, body, created_at, next_at) VALUES "+
		"('eve@example.org', 's', 'b', 1, 1)")
	ctl(t, "", "doctor", "--quick", "--config", config).exits(1).says("problem queued emails: Emails are not sent: 1 " +
		"are queued, the oldest since 1 Jan 1970")
}

func TestDoctorOfJenkins(t *testing.T) {
	s := jenkinstest.Start(t, jenkinstest.Options{View: "web-sdk-builds"})
	config := newSite(t)
	ctl(t, "", "sync", "--config", config).exits(0)
	token := write(t, filepath.Join(filepath.Dir(config), "jenkins-token"), "toaster-token\n")
	if err := os.Chmod(token, 0o640); err != nil {
		t.Fatal(err)
	}
	write(t, config, "engine = \"jenkins\"\n"+
		"[paths]\ndatabase = \"toaster.db\"\nkeys = \"keys\"\ntargets = \"targets.toml\"\nbuilds = \"builds\"\ncontexts = \"contexts\"\n"+
		"[jenkins]\nurl = \""+s.URL+"\"\nuser = \"toaster\"\ntoken_file = \"jenkins-token\"\n")
	ctl(t, "", "doctor", "--quick", "--config", config).exits(3).says("ok      Jenkins at "+s.URL+
		": answers user toaster", "ok      permission to start a build",
		"warning build contexts on Jenkins: site.url is not set")
	s.Permit("toaster", jenkinstest.JobBuild, false)
	ctl(t, "", "doctor", "--quick", "--config", config).exits(1).says("problem permission to start a build",
		"Give it the permission Job/Build.").complains("1 problem, 3 checks skipped")
	if err := os.Chmod(token, 0o644); err != nil {
		t.Fatal(err)
	}
	ctl(t, "", "doctor", "--quick", "--config", config).exits(1).
		says("jenkins-token is readable by everybody", "chmod 0640")
}

func TestDoctorOfTheSite(t *testing.T) {
	config := newSite(t)
	dir := filepath.Dir(config)
	doctor := func() answer { t.Helper(); return ctl(t, "", "doctor", "--quick", "--config", config) }

	s := newServer(t, "--config", config)
	adjusted(t, config, `url = ""`, `url = "`+s.url+`"`)
	runUntilReady(t, config)
	ctl(t, "", "sync", "--config", config).exits(0)
	doctor().exits(3).says("ok      the database: schema version", "warning the address "+s.url+"/: without HTTPS",
		"ok      static files", "ok      cron: “toasterctl sync” ran ")

	adjusted(t, config, `breached_passwords = ""`, `breached_passwords = "breached"`)
	doctor().exits(1).says("problem breached passwords", "breached: no such file")
	write(t, filepath.Join(dir, "breached"), strings.Repeat("0", 40)+":1\n")
	doctor().exits(3).says("ok      breached passwords")

	adjusted(t, config, `auth_file = ""`, `auth_file = "logins.json"`)
	logins := write(t, filepath.Join(dir, "logins.json"), `{"auths": {"ghcr.io": {}}, "credsStore": "pass"}`)
	doctor().exits(1).says("problem registry logins", "logins.json is readable by everybody", "chmod 0640 "+logins)
	os.Chmod(logins, 0o640)
	doctor().exits(1).says("problem registry logins", "contains no logins", "podman login --authfile "+logins)
	write(t, logins, `{"auths": {"ghcr.io": {"auth": "YTpi"}}}`)
	doctor().exits(3).says("ok      registry logins: 1 login")

	adjusted(t, config, `free_disk = "1 GiB"`, `free_disk = "4000000 GiB"`, `url = "`+s.url+`"`,
		`url = "`+s.url+`/elsewhere"`)
	os.Chmod(filepath.Join(dir, "toaster.db"), 0o644)
	doctor().exits(1).says("problem disk space", "Free some space", "answers 404",
		"chmod o= "+dir+"/toaster.db").complains("3 problems")
	os.Chmod(filepath.Join(dir, "keys"), 0o644)
	doctor().exits(1).says("chmod 0640 "+dir+"/keys", "answers 503")
	write(t, filepath.Join(dir, "keys"), "cut off\n")
	os.Chmod(filepath.Join(dir, "keys"), 0o640)
	doctor().exits(1).says("keys:1: key 1 is not 64 bytes", "mv "+dir+"/keys "+dir+"/keys.bad && toasterctl init")
	os.Remove(filepath.Join(dir, "keys"))
	doctor().exits(1).says("problem keys", "toasterctl init")
	os.Remove(filepath.Join(dir, "targets.toml"))
	doctor().exits(1).says("problem targets", "toasterctl init")

	os.Chmod(filepath.Join(dir, "toaster.db"), 0o640)
	s.end(os.Interrupt)
	doctor().exits(1).says("connection refused", "conf/README.md",
		"unknown programs: not checked: the address does not respond", "unknown static files: not checked")
}

func TestDoctorFindsFilesOfAnotherUser(t *testing.T) {
	config := foreignSite(t)
	path := write(t, filepath.Join(filepath.Dir(config), "toaster.db-wal"), "")
	ctl(t, "", "doctor", "--quick", "--config", config).exits(1).says("toaster.db-wal belongs to root.",
		"chown nobody: "+path)
}

// Root's mistakes, and the words that mend them, typed as they stand there.
func TestDoctorsCommandsMend(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"the database belongs to root": func(dir string) error { return os.Chown(filepath.Join(dir, "toaster.db"), 0, 0) },
		"the folder is root's":         func(dir string) error { return os.Chown(dir, 0, 0) },
		"the database can be read":     func(dir string) error { return os.Chmod(filepath.Join(dir, "toaster.db"), 0o644) },
		"the database is read-only":    func(dir string) error { return os.Chmod(filepath.Join(dir, "toaster.db"), 0o440) },
		"the keys are root's":          func(dir string) error { return os.Chown(filepath.Join(dir, "keys"), 0, 0) },
		"the keys can be read":         func(dir string) error { return os.Chmod(filepath.Join(dir, "keys"), 0o644) },
		"the targets can't be read":    func(dir string) error { return os.Chmod(filepath.Join(dir, "targets.toml"), 0o600) },
		"a folder can't be entered":    func(dir string) error { return os.Chmod(filepath.Dir(dir), 0o700) },
		"the keys have become random": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "keys"), []byte{0xff},
				0o640)
		},
	} {
		t.Run(name, func(t *testing.T) {
			config := foreignSite(t)
			// The runner and cron's sync are others' tests.
			ctl(t, "", "doctor", "--quick", "--config", config).exits(1).complains("2 problems")
			if err := spoil(filepath.Dir(config)); err != nil {
				t.Fatal(err)
			}
			sick := ctl(t, "", "doctor", "--quick", "--config", config).exits(1)
			command := regexp.MustCompile(`(?m)(?:^        |As root: |new ones: )((?:chown|chmod|chgrp|mv) .*)$`).FindStringSubmatch(sick.out + sick.err)
			if command == nil {
				t.Fatalf("%s\n%s", sick.out, sick.err)
			}
			mend := strings.Replace(command[1], "toasterctl init",
				filepath.Join(bin, "toasterctl")+" init --dir "+filepath.Dir(config), 1)
			ended(t, "", exec.Command("sh", "-c", mend)).exits(0)
			ctl(t, "", "doctor", "--quick", "--config", config).exits(1).complains("2 problems")
		})
	}
}

func TestDoctorOfADamagedDatabase(t *testing.T) {
	config := newSite(t)
	write(t, filepath.Join(filepath.Dir(config), "toaster.db"),
		"this is no database, but it has more than a hundred bytes, which is where SQLite begins to look closer\n")
	ctl(t, "", "doctor", "--quick", "--config", config).exits(1).says("problem the database: ",
		"toasterctl restore --force FILE")
}

// What answers below the address has to be all of toaster.
func TestDoctorOfWhatAnswers(t *testing.T) {
	config := newSite(t)
	var lacking atomic.Pointer[string]
	lacking.Store(new(string))
	s := newServer(t, "--config", config)
	to, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == *lacking.Load() {
			http.Error(w, "Forbidden", http.StatusForbidden)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	defer front.Close()
	adjusted(t, config, `url = ""`, `url = "`+front.URL+`"`)
	ctl(t, "", "doctor", "--quick", "--config", config).exits(1).says("ok      programs", "ok      static files")
	for path, what := range map[string]string{"/jobs/new": "programs", "/account/login": "programs",
		"/admin/health": "programs", "/static/logo.svg": "static files"} {
		lacking.Store(&path)
		ctl(t, "", "doctor", "--quick", "--config",
			config).exits(1).says("problem " + what + ": " + front.URL + path + " answers 403 Forbidden")
	}
}
