package cgibin

import (
	"net/http"
	"strings"
	"testing"
)

func TestLogInAndOut(t *testing.T) {
	s := newSite(t)
	c := s.anybody()
	if a := c.get("/jobs/new?target=" + target); a.status != http.StatusSeeOther ||
		a.header.Get("Location") != "/account/login?next=%2Fjobs%2Fnew%3Ftarget%3D"+target {
		t.Fatal(a.status, a.header)
	}
	form := c.get("/account/login?next=%2Fjobs%2Fnew")
	if form.status != 200 || !strings.Contains(form.body, `name="next" value="/jobs/new"`) {
		t.Fatal(form.body)
	}
	a := c.post("/account/login", "email", ada, "password", password, "next", "/jobs/new")
	if a.status != http.StatusSeeOther || c.get(a.header.Get("Location")).header.Get("Location") != "/jobs/new" {
		t.Fatal(a.status, a.header)
	}
	for _, path := range []string{"/account", "/jobs", "/help"} {
		if a := c.get(path); a.status != 200 || !strings.Contains(a.body, `action="/account/logout"`) {
			t.Fatal(path, a.status, a.body)
		}
	}
	old := c.cookie
	if a := c.post("/account/logout"); a.status != http.StatusSeeOther || a.header.Get("Location") != "/" {
		t.Fatal(a.status, a.header)
	}
	c.cookie = old
	if a := c.get("/account"); a.status != http.StatusSeeOther {
		t.Error("the old cookie still opens the account")
	}
}

func TestAWrongPasswordIsToldInTheForm(t *testing.T) {
	s := newSite(t)
	for _, email := range []string{ada, "nobody@example.org"} {
		a := s.anybody().post("/account/login", "email", email, "password", "wrong wrong", "next", "/jobs/new")
		if a.status != http.StatusUnauthorized || !strings.Contains(a.body, `role="alert"`) ||
			!strings.Contains(a.body, `value="`+email+`"`) ||
			!strings.Contains(a.body, `value="/jobs/new"`) || strings.Contains(a.body, "wrong wrong") ||
			a.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %s", email, a.status, a.body)
		}
	}
}

func TestTheLogInLeadsNowhereElse(t *testing.T) {
	s := newSite(t)
	for _, next := range []string{"//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"} {
		if a := s.anybody().get("/account/login?next=" + next); strings.Contains(a.body, "evil") ||
			strings.Contains(a.body, "javascript:") {
			t.Errorf("%s is in the form", next)
		}
	}
	a := s.anybody().post("/account/login", "email", ada, "password", password, "next", "//evil.example")
	if a.header.Get("Location") != "/account/cookie?next=%2Fjobs" {
		t.Error(a.header)
	}
}

func TestTokens(t *testing.T) {
	s := newSite(t)
	read, write := s.token(ada, "read"), s.token(ada, "write")
	if a := s.program(read).get("/account"); a.status != 200 || a.json(t)["email"] != ada {
		t.Error(a.status, a.body)
	}
	id := s.program(write).addJob()
	before := s.stored()
	for _, path := range []string{"/jobs", "/jobs/" + id + "/start", "/jobs/" + id + "/stop", "/jobs/" + id + "/enable",
		"/jobs/" + id + "/disable", "/jobs/" + id + "/update", "/jobs/" + id + "/remove"} {
		if a := s.program(read).post(path, "text", "FROM x"); a.status != http.StatusForbidden {
			t.Errorf("%s with a token that may only read: %d", path, a.status)
		}
	}
	if a := s.program("toaster_wrong").post("/jobs/" + id + "/start"); a.status != http.StatusUnauthorized ||
		!strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
		t.Errorf("a wrong token: %d", a.status)
	}
	if after := s.stored(); after != before {
		t.Errorf("%s became %s", before, after)
	}
	if a := s.program(read).post("/jobs/check", "text", good); a.status != 200 && a.status != 422 {
		t.Error(a.status, a.body)
	}
}

func TestWithoutALogInAProgramIsToldSo(t *testing.T) {
	s := newSite(t)
	a := s.anybody().with("Accept", "application/json").get("/jobs")
	if a.status != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") == "" || a.json(t)["status"] != 401.0 {
		t.Error(a.status, a.header, a.body)
	}
}
