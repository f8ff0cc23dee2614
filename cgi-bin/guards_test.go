package cgibin

import (
	"net/http"
	"strings"
	"testing"
)

func TestANewPasswordLeavesTheSecondFactorOn(t *testing.T) {
	m := newMailed(t)
	m.sql("UPDATE user SET totp = x'000102030405060708090a0b0c0d0e0f10111213' WHERE email = ?", ada)
	m.anybody().post("/account/recover", "email", ada)
	path := m.link(ada, "Reset your password")
	if a := m.anybody().post("/account/reset", "link", secret(path), "password", phrase); a.status != http.StatusSeeOther {
		t.Fatal(a.status, a.body)
	}
	c := m.anybody()
	if a := c.follow(c.post("/account/login", "email", ada, "password", phrase)); a.status != 200 ||
		!strings.Contains(a.body, `name="code"`) {
		t.Error(a.status, a.body)
	}
	if a := c.get("/account"); a.status != http.StatusSeeOther {
		t.Error("the password alone logs in")
	}
}

func TestAPersonSeesWhatTheyMayHave(t *testing.T) {
	s := newSite(t, "[limits]\nartifact_bytes = \"3 GiB\"\nkeep_days = 9")
	s.program(s.token(ada, "write")).addJob("start", "1")
	s.sql("UPDATE user SET max_daily = 0 WHERE email = ?", ada)
	page := s.browser(ada).get("/account").body
	for _, want := range []string{"<dd>1 of 3</dd>", "<dd>1</dd>", "<dd>0 bytes of 3 GiB</dd>",
		"9 days, for the newest builds"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in %s", want, page)
		}
	}
}
