package main

import (
	"os"
	"strings"
	"testing"
)

func TestDoctorSaysWhoMaySignUp(t *testing.T) {
	config := newSite(t)
	if text, err := os.ReadFile(config); err != nil {
		t.Fatal(err)
	} else if want := "\nmode = \"approval\"\n"; !strings.Contains(string(text), want) {
		t.Error("init does not write it into toaster.toml")
	}
	doctor := func() answer { t.Helper(); return ctl(t, "", "doctor", "--quick", "--config", config) }
	doctor().says("ok      sign-up: requires approval")
	adjusted(t, config, `mode = "approval"`, `mode = "open"`)
	doctor().says("warning sign-up: open", "run programs in builds on this host")
}

func TestDoctorFindsAProxyThatHidesBrowsers(t *testing.T) {
	config := newSite(t)
	s := newServer(t, "--config", config)
	doctor := func() answer { t.Helper(); return ctl(t, "", "doctor", "--quick", "--config", config) }
	doctor().says("ok      client addresses")
	s.get("/account/login")
	doctor().says("ok      client addresses")
	s.get("/account/login", "X-Forwarded-For", "203.0.113.5")
	doctor().exits(1).says("problem client addresses: A proxy hides", "a2enmod remoteip", "mod_extforward")
}
