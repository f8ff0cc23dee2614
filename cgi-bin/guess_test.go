package cgibin

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// later lets the hour pass for which tries are counted.
func (s *site) later() { s.sql("DELETE FROM rate_limit_event") }

func (c *client) tryPassword(email, password string) int {
	c.t.Helper()
	return c.post("/account/login", "email", email, "password", password).status
}

// Whoever has a /48 has 65536 networks to guess from.
func TestOneProvidersNetworksAreCountedTogether(t *testing.T) {
	s := newSite(t)
	refused := 0
	for i := range 60 {
		if s.at(fmt.Sprintf("2001:db8:7:%x00::1", i)).tryPassword(fmt.Sprintf("p%d@example.org", i),
			"guess") == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused == 0 {
		t.Error("60 wrong passwords from 60 networks of one /48")
	}
	if status := s.at("198.51.100.1").tryPassword(ada, password); status != http.StatusSeeOther {
		t.Error("somebody elsewhere: ", status)
	}
	for _, what := range []struct{ name, path, field, value string }{{"links", "/account/reset", "link", "guess"},
		{"tokens", "/jobs", "", ""}} {
		refused = 0
		for i := range 60 {
			c := s.at(fmt.Sprintf("2001:db8:8:%x00::1", i))
			var a *answer
			if what.field == "" {
				a = c.with("Authorization", "Bearer toaster_guess").get(what.path)
			} else {
				a = c.post(what.path, what.field, what.value, "password", phrase)
			}
			if a.status == http.StatusTooManyRequests {
				refused++
			}
		}
		if refused == 0 {
			t.Errorf("60 guesses of %s from 60 networks of one /48", what.name)
		}
	}
}

// However slowly, and from wherever, strangers try: it ends below 100 in a row, and the owner has three ways in.
func TestStrangersTriesEndAndTheOwnerStillLogsIn(t *testing.T) {
	m := newMailed(t)
	own := m.browser(ada)
	own.post("/account/logout")
	looked := 0
	for i := range 65 {
		if m.at(fmt.Sprintf("198.%d.100.1", i)).tryPassword(ada, "guess") == http.StatusUnauthorized {
			looked++
		}
		if i%10 == 0 {
			m.later()
		}
	}
	m.later()
	a := m.at("203.0.113.1").post("/account/login", "email", ada, "password", password)
	if a.status != http.StatusForbidden || looked > 60 || !strings.Contains(a.body, "reset your password with") {
		t.Fatalf("%d wrong passwords were looked at; the right one then: %d", looked, a.status)
	}
	m.anybody().post("/account/recover", "email", ada)
	link := secret(m.link(ada, "Reset your password"))
	own.from = "203.0.113.2"
	if status := own.tryPassword(ada, password); status != http.StatusSeeOther {
		t.Error("the owner's browser, elsewhere: ", status)
	}
	for i := range 65 {
		m.at(fmt.Sprintf("198.%d.100.1", i)).tryPassword(ada, "guess")
		if i%10 == 0 {
			m.later()
		}
	}
	fresh := m.at("203.0.113.3")
	if a := fresh.post("/account/reset", "link", link, "password", phrase); a.status != http.StatusSeeOther {
		t.Fatal(a.status)
	}
	for i := range 65 { // the strangers go on before the owner gets to the log-in
		m.at(fmt.Sprintf("198.%d.100.1", i)).tryPassword(ada, "guess")
		if i%10 == 0 {
			m.later()
		}
	}
	if status := fresh.tryPassword(ada, phrase); status != http.StatusSeeOther {
		t.Error("the owner with the link of an email: ", status)
	}
}

// A cookie that keeps somebody from being taken for a stranger ends with the password, and with a log-out everywhere.
func TestABrowserIsKnownNoMoreAfterANewPassword(t *testing.T) {
	for name, end := range map[string]func(*mailed, *client){
		"changed": func(m *mailed, c *client) {
			c.post("/account/password", "old", password, "password", phrase)
		},
		"reset": func(m *mailed, c *client) {
			c.post("/account/recover", "email", ada)
			c.post("/account/reset", "link", secret(m.link(ada, "Reset your password")), "password", phrase)
		},
		"logged out": func(m *mailed, c *client) { c.post("/account/sessions/end", "confirm", password) },
		"by an administrator": func(m *mailed, c *client) {
			p, err := m.db.UserByEmail(m.t.Context(), ada)
			m.must(err)
			root := m.browser(bob)
			root.post("/admin/people/" + fmt.Sprint(p.ID) + "/signout")
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMailed(t)
			m.sql("UPDATE user SET role = 'admin' WHERE email = ?", bob)
			stolen, c := m.browser(ada), m.browser(ada)
			stolen.from = "198.51.100.9"
			end(m, c)
			for range 5 { // its network has used up what it may try
				m.at(stolen.from).tryPassword("nobody@example.org", "guess")
			}
			if status := stolen.tryPassword(ada, "guess"); status != http.StatusTooManyRequests {
				t.Error("the stolen cookie is still known: ", status)
			}
		})
	}
}

// A proxy that nobody has told the web server of makes everybody 127.0.0.1.
func TestAProxyThatHidesItsClientsIsNoticed(t *testing.T) {
	for _, header := range [][2]string{{"X-Forwarded-For", "203.0.113.66"},
		{"X-Forwarded-For", "10.9.9.9, 203.0.113.66"},
		{"Forwarded", `for=10.0.0.1, for="[2001:db8::66]:4711";proto=https`}} {
		s := newSite(t)
		guesser, other := s.at("127.0.0.1").with(header[0], header[1]),
			s.at("127.0.0.1").with(header[0], strings.Replace(header[1], "66", "67", 1))
		said := 0
		for range 20 {
			a := guesser.post("/account/login", "email", "nobody@example.org", "password", "guess")
			said += strings.Count(a.log, "a proxy hides who sends requests")
		}
		if said != 1 {
			t.Errorf("%v: the log says it %d times", header, said)
		}
		if status := guesser.tryPassword(ada, password); status != http.StatusTooManyRequests {
			t.Errorf("%v: whoever guesses: %d", header, status)
		}
		if header[0] == "X-Forwarded-For" {
			if status := other.tryPassword(ada, password); status != http.StatusSeeOther {
				t.Errorf("%v: somebody else: %d", header, status)
			}
		}
	}
	s := newSite(t)
	for _, c := range []*client{s.at("203.0.113.1").with("X-Forwarded-For", "192.0.2.9"),
		s.at("10.0.0.9").with("X-Forwarded-For", "10.0.0.9"), s.at("127.0.0.1")} {
		if a := c.get("/account/login"); strings.Contains(a.log, "a proxy hides") {
			t.Error("there is no proxy that hides anything: ", a.log)
		}
	}
}

func TestNoSecretOfAnAddressIsInTheLog(t *testing.T) {
	m := newMailed(t)
	c := m.browser(ada)
	c.post("/jobs/feed", "feed", "1")
	feed := regexp.MustCompile(`/jobs/feed/1-([\w-]{24})\.atom`).FindStringSubmatch(c.get("/jobs/feed").body)
	c.post("/account/recover", "email", ada)
	link := m.link(ada, "Reset your password")
	for _, path := range []string{feed[0], feed[0] + "/", feed[0] + "/more",
		"/jobs/" + strings.TrimPrefix(feed[0], "/jobs"), link, link + "&x"} {
		for _, method := range []string{"GET", "HEAD", "POST", "TRACE"} {
			a := c.do(method, path, "", nil)
			if strings.Contains(a.log, feed[1]) || strings.Contains(a.log, secret(link)) ||
				!strings.Contains(a.log, "status=") {
				t.Errorf("%s %s: %s", method, path, a.log)
			}
		}
	}
	m.must(m.db.Close())
	m.sql("PRAGMA user_version = 99") // the site can't be opened
	if a := c.get(feed[0]); a.status != http.StatusServiceUnavailable || strings.Contains(a.log, feed[1]) {
		t.Errorf("%d %s", a.status, a.log)
	}
}

func TestATokenThatMayReadGetsNoSecret(t *testing.T) {
	s := newSite(t)
	writer, reader := s.program(s.token(ada, "write")), s.program(s.token(ada, "read"))
	made := writer.post("/jobs", "text", devuan, "target", machine)
	id := made.json(t)["id"].(string)
	if hash, _ := accessOf(t, writer, id); !strings.HasPrefix(hash, "$6$") {
		t.Fatal(hash)
	}
	a := reader.get("/jobs/" + id + "/script")
	if a.status != http.StatusForbidden || strings.Contains(a.body, "$6$") ||
		!strings.Contains(a.body, "hash of the root password") {
		t.Errorf("the script: %d %.200s", a.status, a.body)
	}
	s.browser(ada).post("/jobs/feed", "feed", "1")
	if a := reader.get("/jobs/feed"); a.status != http.StatusForbidden || strings.Contains(a.body, ".atom") {
		t.Errorf("the feed's address: %d %.200s", a.status, a.body)
	}
	for _, path := range []string{"/jobs", "/jobs/" + id, "/jobs/" + id + "/blend", "/jobs/" + id + "/update",
		"/jobs/" + id + "/copy", "/jobs/" + id + "/compare", "/account"} {
		for _, accept := range []string{"text/html", "application/json"} {
			if a := reader.with("Accept", accept).get(path); strings.Contains(a.body, "$6$") ||
				strings.Contains(a.body, ".atom") {
				t.Errorf("%s as %s has a secret", path, accept)
			}
		}
	}
	plain := writer.post("/jobs", "text", "FROM debian:bookworm\nRUN true\n", "target", target).json(t)["id"].(string)
	if a := reader.get("/jobs/" + plain + "/script"); a.status != http.StatusOK {
		t.Error("a script without a secret: ", a.status)
	}
}

// When one of its writes fails, nothing of a change is left.
func TestWhatFailsHalfwayLeavesNothing(t *testing.T) {
	for _, table := range []string{"outbox", "audit"} {
		m := newMailed(t)
		c := m.browser(ada)
		m.sql("CREATE TRIGGER full BEFORE INSERT ON " + table + " BEGIN SELECT raise(ABORT, 'no'); END")
		if a := c.post("/account/tokens", "name", "nightly", "scope",
			"write"); a.status != http.StatusInternalServerError || strings.Contains(a.body, "toaster_") {
			t.Errorf("%s: %d", table, a.status)
		}
		if n := m.count("SELECT count(*) FROM token"); n != 0 {
			t.Errorf("%s: %d tokens live that nobody has seen", table, n)
		}
	}
	m := newMailed(t)
	m.token(ada, "read")
	c := m.browser(ada)
	id := c.oneJob("web")
	m.sql("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT raise(ABORT, 'no'); END")
	sessions := m.count("SELECT count(*) FROM session WHERE ended_at IS NULL")
	for _, path := range []string{"/account/tokens/1/remove", "/jobs/" + id + "/remove", "/account/logout"} {
		if a := c.post(path); a.status != http.StatusInternalServerError {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	m.anybody().tryPassword(ada, password)
	if stored := m.stored(); !strings.HasPrefix(stored, "1 jobs") {
		t.Error(stored)
	}
	if tokens, now := m.count("SELECT count(*) FROM token"),
		m.count("SELECT count(*) FROM session WHERE ended_at IS NULL"); tokens != 1 || now != sessions {
		t.Errorf("%d tokens, %d sessions of %d", tokens, now, sessions)
	}
}
