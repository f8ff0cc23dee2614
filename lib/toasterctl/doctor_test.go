package main

import (
	"os"
	"path/filepath"
	"testing"

	"toaster.do/lib/jenkins/standin"
)

func TestDoctorOfTheLocalEngine(t *testing.T) {
	config := newSite(t)
	ctl(t, "", "doctor", "--config", config).exits(1).says("change  the local engine's runner", "start “toasterctl runner”").complains("1 thing to change")
	runUntilReady(t, config)
	ctl(t, "", "doctor", "--config", config).exits(0).says("ok      the local engine's runner: 1 build at once")
}

func TestDoctorOfJenkins(t *testing.T) {
	s := standin.Start(t, standin.Options{View: "web-sdk-builds"})
	config := newSite(t)
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
	ctl(t, "", "doctor", "--config", config).exits(1).complains("jenkins-token is open to everybody", "chmod 0640")
}
