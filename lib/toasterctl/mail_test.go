package main

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/auth"
	"toaster.do/lib/config"
	"toaster.do/lib/mail/mailtest"
	"toaster.do/lib/store"
)

// changeSite changes a site's database behind everybody's back.
func changeSite(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(filepath.Dir(path), "toaster.db")+"?_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

func TestSyncSendsMailAlsoWhenTheServerWasAway(t *testing.T) {
	path := newSite(t)
	server := mailtest.New(t)
	server.Start()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, strings.NewReplacer(`url = ""`, `url = "https://www.example.org"`, `from = ""`,
		`from = "toaster@example.org"`, `host = ""`, `host = "127.0.0.1"`,
		"port = 587", fmt.Sprint("port = ", server.Port()), `tls = "starttls"`, `tls = "none"`).Replace(string(text)))
	ctl(t, "", "doctor", "--quick", "--config", path).
		says("ok      email by 127.0.0.1: sender toaster@example.org")
	signUp(t, path, "eve@example.org")
	server.Stop()
	ctl(t, "", "doctor", "--quick", "--config", path).exits(1).says("problem email by 127.0.0.1",
		"connection refused", "[mail]")
	ctl(t, "", "sync", "--config", path).exits(1).complains("An email could not be sent", "connection refused",
		"tries again")

	server.Start()
	changeSite(t, path, "UPDATE outbox SET next_at = 0")
	ctl(t, "", "sync", "--config", path).exits(0)
	emails := server.Mails()
	if len(emails) != 1 || emails[0].To != "eve@example.org" ||
		!strings.Contains(emails[0].Text, "https://www.example.org/account/activate?link=3D") {
		t.Fatal(emails)
	}
	if quiet := ctl(t, "", "sync", "--config", path).exits(0); quiet.out+quiet.err != "" || len(server.Mails()) != 0 {
		t.Errorf("again: %s%s", quiet.out, quiet.err)
	}
}

func TestSyncForgetsWhoNeverWentOn(t *testing.T) {
	path := newSite(t)
	signUp(t, path, "eve@example.org")
	ctl(t, "", "sync", "--config", path).exits(0)
	ctl(t, "", "user", "list", "--config", path).exits(0).says("eve@example.org", "pending")
	changeSite(t, path, "UPDATE user SET created_at = 1 WHERE email = 'eve@example.org' OR email = '"+email+"'")
	ctl(t, "", "sync", "--config", path).exits(0)
	if list := ctl(t, "", "user", "list", "--config", path).exits(0).says(email); strings.Contains(list.out, "eve@") {
		t.Error(list.out)
	}
}

// signUp does what the page does.
func signUp(t *testing.T, path, address string) {
	t.Helper()
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), filepath.Join(filepath.Dir(path), "toaster.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	entry := store.AuditEntry{At: time.Now(), Means: "web", Action: "signup"}
	if err := auth.New(cfg, db).SignUp(t.Context(), auth.NewUser{Email: address, Password: secret}, entry); err != nil {
		t.Fatal(err)
	}
}
