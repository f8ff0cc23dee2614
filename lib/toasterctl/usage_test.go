package main

import (
	"path/filepath"
	"testing"
)

func TestWrongUsageExits2(t *testing.T) {
	for _, args := range [][]string{
		{},
		{"bake"},
		{"lint"},
		{"lint", "--bogus", "Dockerfile"},
		{"lint", "--build-arg", "novalue", "-"},
		{"blend", "one", "two"},
		{"script", "Dockerfile"},
		{"user", "add", "--email", email},
		{"token", "add", email, "--expires", "soon"},
		{"token", "add", email, "--scope", "all"},
		{"token", "remove", email, "first"},
		{"job", "add", "Dockerfile"},
		{"job", "start"},
		{"init", "--dir", "x", "--config", "y"},
	} {
		a := ctl(t, simple, args...).exits(2).complains("toasterctl: ")
		if a.out != "" {
			t.Errorf("%v: standard output: %s", args, a.out)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	ctl(t, "", "--version").exits(0).says("toaster ")
	ctl(t, "", "--help").exits(0).says("lint", "serve", "user add", "job remove")
	ctl(t, "", "job", "add", "--help").exits(0).says("--owner", "--dry-run", "--config")
}

func TestSiteThatIsNotThere(t *testing.T) {
	none := filepath.Join(t.TempDir(), "toaster.toml")
	for _, args := range [][]string{{"user", "list"}, {"sync"}, {"serve"}, {"runner"}, {"migrate"}, {"job", "list"}} {
		ctl(t, "", append(args, "--config", none)...).exits(1).complains("not set up", "toasterctl init", none)
	}
}

func TestMistakeInTheConfiguration(t *testing.T) {
	config := write(t, filepath.Join(t.TempDir(), "toaster.toml"), "engine = \"local\"\n[local]\nslots = 0\n")
	ctl(t, "", "user", "list", "--config", config).exits(1).complains(config+":3", "local.slots")
}
