package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"toaster.do/lib/store"
)

func TestSync(t *testing.T) {
	config := newSite(t)
	if quiet := ctl(t, "", "sync", "--config", config).exits(0); quiet.out+quiet.err != "" {
		t.Errorf("cron would send mail: %s%s", quiet.out, quiet.err)
	}
	id := ctl(t, simple, "job", "add", "--config", config, "--owner", email, "--target", rootfs, "-").exits(0).word()
	forget(t, config, id)
	ctl(t, "", "sync", "--config", config).exits(0).says("1 job")

	forget(t, config, id)
	targets := filepath.Join(filepath.Dir(config), "targets.toml")
	text, err := os.ReadFile(targets)
	if err != nil {
		t.Fatal(err)
	}
	write(t, targets, strings.ReplaceAll(string(text), "on = true", "on = false"))
	ctl(t, "", "sync", "--config", config).exits(1).complains("job="+id, rootfs+" is disabled", "tries again")
}

// forget makes a job one of which the engine knows nothing.
func forget(t *testing.T, config, id string) {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(filepath.Dir(config), "toaster.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.ClearEngineRevision(t.Context(), id); err != nil {
		t.Fatal(err)
	}
}
