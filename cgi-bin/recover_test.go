package cgibin

import (
	"net/http"
	"strings"
	"testing"
)

func TestRecovery(t *testing.T) {
	m := newMailed(t)
	elsewhere := m.browser(ada)
	m.anybody().post("/account/recover", "email", ada)
	path := m.link(ada, "Reset your password")
	if a := m.anybody().get(path); a.status != 200 || !strings.Contains(a.body, ada) {
		t.Fatal(a.status, a.body)
	}
	if a := m.anybody().post("/account/reset", "link", secret(path), "password",
		"password1"); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `id="password-fault"`) {
		t.Error(a.status)
	}
	if a := m.anybody().post("/account/reset", "link", secret(path), "password",
		phrase); a.header.Get("Location") != "/account/login?note=reset" {
		t.Fatal(a.status, a.body)
	}
	if a := elsewhere.get("/account"); a.status != http.StatusSeeOther {
		t.Error("the old session is still good: ", a.status)
	}
	if a := m.anybody().post("/account/reset", "link", secret(path), "password", phrase); a.status != http.StatusNotFound {
		t.Error("the link works twice: ", a.status)
	}
	if a := m.anybody().post("/account/login", "email", ada, "password", phrase); a.status != http.StatusSeeOther {
		t.Error(a.status)
	}
	if l := m.emails(); len(l) != 1 || l[0].To != ada || !strings.Contains(l[0].Text, "New password") {
		t.Error(l)
	}
	m.anybody().post("/account/recover", "email", bob)
	path = m.link(bob, "Reset your password")
	m.sql("UPDATE email_token SET expires_at = 0")
	if a := m.anybody().get(path); a.status != http.StatusNotFound || !strings.Contains(a.body, "/account/recover") {
		t.Error("a link of long ago: ", a.status)
	}
	m.sql("UPDATE user SET state = 'suspended' WHERE email = ?", bob)
	m.anybody().post("/account/recover", "email", bob)
	if l := m.emails(); len(l) != 0 {
		t.Error("a suspended person gets a link: ", l)
	}
}

func TestChangeOfPassword(t *testing.T) {
	m := newMailed(t)
	c, elsewhere, program := m.browser(ada), m.browser(ada), m.program(m.token(ada, "read"))
	if a := c.post("/account/password", "old", "wrong", "password", phrase); a.status != http.StatusUnprocessableEntity ||
		!strings.Contains(a.body, `id="old-fault"`) {
		t.Error(a.status, a.body)
	}
	if a := c.post("/account/password", "old", password, "password", phrase); a.status != http.StatusSeeOther {
		t.Fatal(a.status, a.body)
	}
	if a := c.get("/account?note=password"); a.status != 200 || !strings.Contains(a.body, "new password is saved") {
		t.Error(a.status)
	}
	if a := elsewhere.get("/account"); a.status != http.StatusSeeOther {
		t.Error(a.status)
	}
	if a := program.get("/jobs"); a.status != 200 {
		t.Error("the token: ", a.status)
	}
	if a := c.post("/account/password", "old", phrase, "password", password, "tokens",
		"1"); a.status != http.StatusSeeOther {
		t.Fatal(a.status, a.body)
	}
	if a := program.get("/jobs"); a.status != http.StatusUnauthorized {
		t.Error("the token that should be gone: ", a.status)
	}
}

func TestChangeOfAddress(t *testing.T) {
	m := newMailed(t)
	c := m.browser(ada)
	const next = "ada@example.net"
	if a := c.post("/account/address", "email", next, "confirm", "wrong"); a.status != http.StatusUnprocessableEntity ||
		!strings.Contains(a.body, `id="confirm-fault"`) {
		t.Error(a.status)
	}
	if a := c.post("/account/address", "email", next, "confirm",
		password); a.header.Get("Location") != "/account/sent?for=address" {
		t.Fatal(a.status, a.body)
	}
	emails := m.emails()
	if len(emails) != 2 || emails[0].To != next || emails[1].To != ada {
		t.Fatal(emails)
	}
	if a := m.anybody().post("/account/login", "email", next, "password", password); a.status != http.StatusUnauthorized {
		t.Error("before it is proven: ", a.status)
	}
	path := linkInEmail.FindStringSubmatch(strings.ReplaceAll(strings.ReplaceAll(emails[0].Text, "=\n", ""), "=3D",
		"="))[1]
	if a := m.anybody().get(path); a.status != 200 || !strings.Contains(a.body, next) {
		t.Fatal(a.status, a.body)
	}
	if a := m.anybody().post("/account/address/confirm", "link", secret(path)); a.status != http.StatusSeeOther {
		t.Fatal(a.status, a.body)
	}
	if a := m.anybody().post("/account/login", "email", next, "password", password); a.status != http.StatusSeeOther {
		t.Error(a.status)
	}
	// An address that has an account gets an email, and the form says nothing of it.
	if a := c.post("/account/address", "email", bob, "confirm",
		password); a.header.Get("Location") != "/account/sent?for=address" {
		t.Error(a.status, a.body)
	}
	if l := m.emails(); len(l) != 2 || l[1].To != bob || linkInEmail.MatchString(l[1].Text) {
		t.Error(l)
	}
}
