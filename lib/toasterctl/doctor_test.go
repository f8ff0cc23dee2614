package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"toaster.do/lib/jenkins/standin"
)

func TestDoctorOfTheLocalEngine(t *testing.T) {
	config := newSite(t)
	ctl(t, "", "doctor", "--config", config).exits(1).says("change  the local engine's runner", "start “toasterctl runner”", "change  cron: “toasterctl sync” has never run").complains("2 things to change")
	ctl(t, "", "sync", "--config", config).exits(0)
	runUntilReady(t, config)
	ctl(t, "", "doctor", "--config", config).exits(0).says("ok      the local engine's runner: 1 build at once")
}

func TestDoctorOfJenkins(t *testing.T) {
	s := standin.Start(t, standin.Options{View: "web-sdk-builds"})
	config := newSite(t)
	ctl(t, "", "sync", "--config", config).exits(0)
	token := write(t, filepath.Join(filepath.Dir(config), "jenkins-token"), "toaster-token\n")
	if err := os.Chmod(token, 0o640); err != nil {
		t.Fatal(err)
	}
	write(t, config, "engine = \"jenkins\"\n"+
		"[paths]\ndatabase = \"toaster.db\"\nkeys = \"keys\"\ntargets = \"targets.toml\"\nbuilds = \"builds\"\n"+
		"[jenkins]\nurl = \""+s.URL+"\"\nuser = \"toaster\"\ntoken_file = \"jenkins-token\"\n")
	ctl(t, "", "doctor", "--config", config).exits(0).says("ok      Jenkins at "+s.URL+": answers user toaster", "ok      permission to start a build")
	s.Permit("toaster", standin.JobBuild, false)
	ctl(t, "", "doctor", "--config", config).exits(1).says("change  permission to start a build", "Give it the permission Job/Build.").complains("1 thing to change")
	if err := os.Chmod(token, 0o644); err != nil {
		t.Fatal(err)
	}
	ctl(t, "", "doctor", "--config", config).exits(1).says("jenkins-token is open to everybody", "chmod 0640")
}

func TestDoctorOfTheSite(t *testing.T) {
	config := newSite(t)
	dir := filepath.Dir(config)
	doctor := func() answer { t.Helper(); return ctl(t, "", "doctor", "--config", config) }

	s := newServer(t, "--config", config)
	adjusted(t, config, `url = ""`, `url = "`+s.url+`"`)
	runUntilReady(t, config)
	ctl(t, "", "sync", "--config", config).exits(0)
	doctor().exits(0).says("ok      the database: schema version", "ok      the address "+s.url+"/: without HTTPS", "ok      static files", "ok      cron: “toasterctl sync” ran ")

	adjusted(t, config, `breached_passwords = ""`, `breached_passwords = "breached"`)
	doctor().exits(1).says("change  breached passwords", "breached: no such file")
	write(t, filepath.Join(dir, "breached"), strings.Repeat("0", 40)+":1\n")
	doctor().exits(0).says("ok      breached passwords")

	adjusted(t, config, `free_disk = "1 GiB"`, `free_disk = "4000000 GiB"`, `url = "`+s.url+`"`, `url = "`+s.url+`/elsewhere"`)
	os.Chmod(filepath.Join(dir, "toaster.db"), 0o644)
	doctor().exits(1).says("change  room on the disk", "Free some space", "answers 404", "chmod o= "+dir+"/toaster.db").complains("3 things to change")
	os.Chmod(filepath.Join(dir, "keys"), 0o644)
	doctor().exits(1).says("chmod 0640 "+dir+"/keys", "answers 503")
	os.Remove(filepath.Join(dir, "keys"))
	doctor().exits(1).says("change  keys", "toasterctl init")

	os.Chmod(filepath.Join(dir, "toaster.db"), 0o640)
	s.end(os.Interrupt)
	doctor().exits(1).says("connection refused", "conf/README.md")
}

func TestDoctorFindsFilesOfAnotherUser(t *testing.T) {
	config := foreignSite(t)
	path := write(t, filepath.Join(filepath.Dir(config), "toaster.db-wal"), "")
	ctl(t, "", "doctor", "--config", config).exits(1).says("toaster.db-wal belongs to root.", "chown nobody: "+path)
}
