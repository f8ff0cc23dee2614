package cgibin

import (
	"net/http"
	"strings"
	"testing"
)

func TestANewPasswordLeavesTheSecondFactorOn(t *testing.T) {
	m := newMailed(t)
	m.sql("UPDATE person SET totp = x'000102030405060708090a0b0c0d0e0f10111213' WHERE email = ?", ada)
	m.anybody().post("/account/recover", "email", ada)
	path := m.link(ada, "A new password")
	if a := m.anybody().post("/account/reset", "link", secret(path), "password", phrase); a.status != http.StatusSeeOther {
		t.Fatal(a.status, a.body)
	}
	c := m.anybody()
	if a := c.post("/account/login", "email", ada, "password", phrase); a.status != 200 || !strings.Contains(a.body, `name="code"`) {
		t.Error(a.status, a.body)
	}
	if a := c.get("/account"); a.status != http.StatusSeeOther {
		t.Error("the password alone logs in")
	}
}
