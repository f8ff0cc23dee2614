package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"toaster.do/lib/config"
	"toaster.do/lib/hooks"
	"toaster.do/lib/store"
)

// Two that run at once call a hook once; a receiver that fails is no error of sync's.
func TestSyncCallsHooks(t *testing.T) {
	path := newSite(t)
	id := ctl(t, simple, "job", "add", "--config", path, "--owner", email, "--target", rootfs, "-").exits(0).word()
	var calls atomic.Int32
	agent := make(chan string, 10)
	r := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		calls.Add(1)
		agent <- q.Header.Get("User-Agent")
		w.WriteHeader(http.StatusInternalServerError)
	}))
	defer r.Close()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, after, _ := strings.Cut(string(text), "\n[hooks]\n")
	write(t, path, before+"\n[hooks]\n"+strings.Replace(after, "allow = []",
		`allow = ["`+strings.TrimPrefix(r.URL, "http://")+`"]`, 1))
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	seals, err := cfg.Seals(hooks.Seals)
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), filepath.Join(filepath.Dir(path), "toaster.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	users, err := db.AllJobs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	owner := users[0].UserID
	h := &store.Hook{JobID: id, URL: r.URL, Secret: seals.Seal([]byte(hooks.NewSecret()), hooks.Bound(id, false)),
		CreatedAt: time.Now()}
	entry := store.AuditEntry{At: time.Now()}
	if err := db.AddHook(t.Context(), owner, h, 5, entry); err != nil {
		t.Fatal(err)
	}
	if err := db.TestHook(t.Context(), owner, id, h.ID, time.Now()); err != nil {
		t.Fatal(err)
	}
	second := make(chan struct{})
	go func() {
		defer close(second)
		ctl(t, "", "sync", "--config", path).exits(0)
	}()
	ctl(t, "", "sync", "--config", path).exits(0)
	<-second
	if n := calls.Load(); n != 1 || !strings.HasPrefix(<-agent, "toaster/") {
		t.Errorf("%d calls", n)
	}
	ctl(t, "", "keys", "--config", path).exits(0).complains()
	// With keys of another site, its secret is lost.
	if err := os.Remove(filepath.Join(filepath.Dir(path), "keys")); err != nil {
		t.Fatal(err)
	}
	ctl(t, "", "init", "--dir", filepath.Dir(path)).exits(0)
	ctl(t, "", "keys", "--config", path).exits(0).complains("1 hook secret can't be decrypted", "renew the secrets")
}
