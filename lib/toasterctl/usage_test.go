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
		{"blend", "--env", "novalue", "-"},
		{"blend", "one", "two"},
		{"script", "Dockerfile"},
		{"user", "add", "--email", email},
		{"token", "add", email, "--expires", "soon"},
		{"token", "add", email, "--scope", "all"},
		{"token", "remove", email, "first"},
		{"job", "add", "Dockerfile"},
		{"job", "start"},
		{"init", "--dir", "x", "--config", "y"},
		{"help", "bake"},
		{"help", "user", "bake"},
		{"user", "add"},
		{"user", "passwd"},
		{"user", "suspend"},
		{"user", "limit"},
		{"token", "add"},
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

// TestHelpInAnyWay: however somebody asks, the answer is the usage, on standard output.
func TestHelpInAnyWay(t *testing.T) {
	for _, args := range [][]string{{"help"}, {"-h"}, {"--help"}} {
		ctl(t, "", args...).exits(0).says("lint", "serve", "user add", "help       Show")
	}
	for _, args := range [][]string{{"help", "user"}, {"user", "help"}, {"user", "-h"}, {"user", "--help"}} {
		ctl(t, "", args...).exits(0).says("user add", "user limit")
	}
	for _, args := range [][]string{{"help", "user", "add"}, {"user", "add", "-h"}, {"user", "add", "--help"},
		{"user", "add", "--email", email, "--help"}} {
		ctl(t, "", args...).exits(0).says("--password-stdin", "--admin", "terminal")
	}
	for _, command := range []string{"lint", "blend", "script", "init", "migrate", "keys", "backup", "restore", "serve",
		"runner", "sync", "metrics", "doctor", "token", "job"} {
		for _, args := range [][]string{{command, "-h"}, {command, "--help"}, {"help", command}} {
			if a := ctl(t, "", args...).exits(0).says("Usage: toasterctl " + command); a.err != "" {
				t.Errorf("%v: %s", args, a.err)
			}
		}
	}
}

func TestAMistypedCommandIsGuessed(t *testing.T) {
	for typed, meant := range map[string]string{"docter": "doctor", "usr": "user", "backp": "backup", "helpp": "help"} {
		ctl(t, "", typed).exits(2).complains("unexpected argument "+typed, `did you mean "`+meant+`"`)
	}
	ctl(t, "", "user", "ad").exits(2).complains(`did you mean "add"`)
	ctl(t, "", "user", "add", "--emial", email).exits(2).complains("--email")
}

func TestSiteThatIsNotThere(t *testing.T) {
	none := filepath.Join(t.TempDir(), "toaster.toml")
	for _, args := range [][]string{{"user", "list"}, {"sync"}, {"serve"}, {"runner"}, {"migrate"}, {"job", "list"}} {
		ctl(t, "", append(args, "--config", none)...).exits(1).complains("not set up", "toasterctl init", none)
	}
}

func TestMistakeInTheConfiguration(t *testing.T) {
	config := write(t, filepath.Join(t.TempDir(), "toaster.toml"), "engine = \"local\"\n[local]\nconcurrency = 0\n")
	ctl(t, "", "user", "list", "--config", config).exits(1).complains(config+":3", "local.concurrency")
}
