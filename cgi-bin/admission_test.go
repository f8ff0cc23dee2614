package cgibin

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAdministratorsMayNeedASecondFactor(t *testing.T) {
	s := newSite(t, "[admin]\nsecond_factor = true")
	if a := s.admin().get("/admin/people"); a.status != http.StatusForbidden ||
		!strings.Contains(a.body, "two-factor authentication") {
		t.Error(a.status, a.body)
	}
}

func TestEverybodyMayNeedASecondFactor(t *testing.T) {
	s := newSite(t, "[session]\nsecond_factor = true")
	c, program := s.anybody(), s.program(s.token(ada, "write"))
	if a := c.post("/account/login", "email", ada, "password", password); a.status != http.StatusSeeOther ||
		a.header.Get("Location") != "/account/cookie?next=%2Faccount%2Ffactor" {
		t.Error("the log-in leads to ", a.header.Get("Location"))
	}
	for _, path := range []string{"/jobs", "/jobs/new", "/account/tokens"} {
		if a := c.get(path); a.status != http.StatusForbidden || !strings.Contains(a.body, "two-factor authentication") {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	if a := program.get("/jobs"); a.status != http.StatusForbidden {
		t.Error("a token: ", a.status)
	}
	if a := c.get("/account"); a.status != http.StatusOK ||
		!strings.Contains(a.body, "requires two-factor authentication") {
		t.Error(a.status)
	}
	key, state := c.key()
	if a := c.post("/account/factor", "state", state, "code", s.code(key, time.Now()), "confirm",
		password); a.status != http.StatusSeeOther {
		t.Fatal(a.status, a.body)
	}
	if a := c.get("/jobs"); a.status != http.StatusOK {
		t.Error(a.status)
	}
	if a := program.get("/jobs"); a.status != http.StatusOK {
		t.Error("a token: ", a.status)
	}
	if a := c.post("/account/factor/disable", "confirm", password); a.status != http.StatusForbidden {
		t.Error("it can be switched off: ", a.status)
	}
}

func TestWhoeverIsToWaitIsToldHowLong(t *testing.T) {
	s := newSite(t, "[limits]\nconcurrent_builds = 1\n[local]\nkeep = 1")
	c := s.program(s.token(ada, "write"))
	c.addJob("start", "1")
	second := c.addJob()
	a := c.post("/jobs/" + second + "/start")
	if a.status != http.StatusForbidden || a.header.Get("Retry-After") != "" || a.json(t)["advice"] == nil ||
		a.json(t)["code"] != "quota" {
		t.Error(a.status, a.header, a.body)
	}
	for range 5 {
		s.program("toaster_wrong").get("/jobs")
	}
	a = s.program("toaster_wrong").get("/jobs")
	if wait := a.header.Get("Retry-After"); a.status != http.StatusTooManyRequests || wait == "" || len(wait) > 2 {
		t.Error(a.status, a.header)
	}
	b := s.browser(ada)
	if a := b.post("/jobs/" + second + "/start"); a.status != http.StatusForbidden ||
		a.header.Get("Retry-After") != "" || !strings.Contains(a.body, "Your limit is 1") {
		t.Error(a.status, a.header, a.body)
	}
}

func TestWhoChecksMoreThanOneCanTypeHasToWait(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "read"))
	check := func(c *client) *answer { t.Helper(); return c.post("/jobs/check", "text", "FROM debian:bookworm\n") }
	check(c)
	s.sql("WITH RECURSIVE more (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM more WHERE n < 118) INSERT INTO " +
		"rate_limit_event (key, at) SELECT key, at FROM rate_limit_event, more WHERE key LIKE 'check:%'")
	if a := check(c); a.status != http.StatusOK {
		t.Error("the 120th within a minute: ", a.status)
	}
	if a := check(c); a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" {
		t.Error("one more: ", a.status, a.header)
	}
	if a := check(s.browser(ada)); a.status != http.StatusTooManyRequests ||
		!strings.Contains(a.body, "FROM debian:bookworm") {
		t.Error("a browser, which keeps what was typed: ", a.status)
	}
	if a := check(s.program(s.token(bob, "read"))); a.status != http.StatusOK {
		t.Error("somebody else: ", a.status)
	}
}

func TestAGuesserMakesNobodyWaitWhoHasLoggedInBefore(t *testing.T) {
	s := newSite(t)
	hers := s.browser(ada)
	hers.post("/account/logout")
	for range 6 {
		s.anybody().post("/account/login", "email", ada, "password", "wrong wrong")
	}
	if a := s.anybody().post("/account/login", "email", ada, "password",
		password); a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" {
		t.Fatal("guesses are not limited: ", a.status, a.header)
	}
	hers.logIn(ada)
}

func TestAnAdministratorSwitchesALostSecondFactorOff(t *testing.T) {
	s := newSite(t)
	c := s.admin()
	path := fmt.Sprintf("/admin/people/%d", s.id(ada))
	if a := c.get(path); strings.Contains(a.body, path+"/factor") {
		t.Error("there is a button, but no factor")
	}
	s.sql("UPDATE user SET totp = x'00' WHERE email = ?", ada)
	if a := c.get(path); !strings.Contains(a.body, path+"/factor") {
		t.Error("there is no button")
	}
	c.done(c.post(path+"/factor"), "Two-factor authentication is disabled")
	if p, err := s.db.UserByEmail(t.Context(), ada); err != nil || p.HasFactor() {
		t.Error(p, err)
	}
	s.browser(ada)
}
