package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"toaster.do/lib/config"
	"toaster.do/lib/engine"
)

func configured(t *testing.T, text string) *config.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "toaster.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestBuildsAreToldTheirLimits(t *testing.T) {
	cfg := configured(t, `[sandbox]
allow = ["10.1.2.3:3128", "10.9.9.9:80"]
memory = "2 GiB"
processes = 500
cpus = 1.5
open_files = 1024
disk = "10 GiB"
[limits]
free_disk = "3 MiB"
[registry]
mirrors = { "docker.io" = ["mirror.example.org/hub", "10.1.2.3:5000"] }
insecure = ["10.1.2.3:5000", "localhost:5000"]
`)
	want := []string{
		"TOASTER_SANDBOX_ALLOW=10.1.2.3:3128 10.9.9.9:80", "TOASTER_MEMORY=2147483648", "TOASTER_PIDS=500",
		"TOASTER_CPUS=1.5",
		"TOASTER_FILES=1024", "TOASTER_DISK=10737418240", "TOASTER_FREE_DISK=3145728",
		"TOASTER_REGISTRIES=docker.io=mirror.example.org/hub docker.io=http://10.1.2.3:5000 " +
			"10.1.2.3:5000=http://10.1.2.3:5000 localhost:5000=http://10.0.2.2:5000", "TOASTER_REGISTRY_AUTH=",
	}
	if got := Executor(cfg, []int{100000}, slog.Default()).Env; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	want = []string{"TOASTER_SANDBOX_ALLOW=", "TOASTER_MEMORY=0", "TOASTER_PIDS=4096", "TOASTER_CPUS=0",
		"TOASTER_FILES=65536", "TOASTER_DISK=0", "TOASTER_FREE_DISK=1073741824",
		"TOASTER_REGISTRIES=", "TOASTER_REGISTRY_AUTH="}
	if got := Executor(configured(t, ""), nil, slog.Default()).Env; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// The runner makes scripts as the pages do, by the targets of that moment, and refuses what they would.
func TestTheRunnerMakesItsScripts(t *testing.T) {
	cfg := configured(t, "[paths]\ntargets = \"targets.toml\"\n[limits]\ndockerfile = 100\n")
	targets, err := os.ReadFile("../../conf/targets.toml")
	if err == nil {
		err = os.WriteFile(cfg.Paths.Targets, targets, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	make := Maker(cfg)
	good := engine.Source{Target: "rootfs_amd64_bookworm",
		Dockerfile: []byte("FROM debian:bookworm\nRUN echo \"$A\"\n"), BuildArgs: "A=b"}
	first, err := make(good)
	again, err2 := make(good)
	if err != nil || err2 != nil || !strings.HasPrefix(string(first.Script), "#!/bin/sh\n") || string(first.Script) != string(again.Script) {
		t.Fatalf("%v, %v, %.100q", err, err2, first.Script)
	}
	for what, change := range map[string]func(*engine.Source){
		"no such target": func(s *engine.Source) { s.Target = "../../etc/passwd" },
		"a Dockerfile too long": func(s *engine.Source) {
			s.Dockerfile = []byte("FROM debian:bookworm\n" + strings.Repeat("#", 100))
		},
		"no Dockerfile": func(s *engine.Source) { s.Dockerfile = nil },
		"a line that is refused": func(s *engine.Source) {
			s.Dockerfile = []byte("FROM debian:bookworm\nNONSENSE\n")
		},
		"a context that is none":   func(s *engine.Source) { s.Context = "../../etc/passwd" },
		"arguments that are none":  func(s *engine.Source) { s.BuildArgs = "; rm -rf /" },
		"keys that are none":       func(s *engine.Source) { s.RootKeys = "$(id)" },
		"a hash that is none":      func(s *engine.Source) { s.RootHash = "'; id; '" },
		"a hash that is a program": func(s *engine.Source) { s.RootHash = "$6$`id`$x" },
	} {
		src := good
		change(&src)
		if script, err := make(src); err == nil {
			t.Errorf("%s: %.100q", what, script.Script)
		}
	}
	if err := os.WriteFile(cfg.Paths.Targets, append(targets, "\n# changed\nnonsense = 1\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := make(good); err == nil {
		t.Error("the targets are read once only")
	}
}
