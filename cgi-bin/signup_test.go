package cgibin

import (
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/mail"
	"toaster.do/lib/mail/mailtest"
)

// mailed is a site whose emails go to a server of the test.
type mailed struct {
	*site
	server *mailtest.Server
}

func newMailed(t *testing.T, settings ...string) *mailed {
	server := mailtest.New(t)
	server.Start()
	if !strings.Contains(strings.Join(settings, "\n"), "[signup]") {
		settings = append(settings, "[signup]\nmode = \"open\"")
	}
	settings = append(settings, "[site]\nurl = \"https://www.example.org\"\n[mail]\nfrom = "+
		"\"toaster@example.org\"\nhost = \"127.0.0.1\"\ntls = \"none\"")
	m := &mailed{newSite(t, settings...), server}
	m.cfg.Mail.Port = server.Port()
	return m
}

// emails sends what the outbox has, as sync does, and returns what arrived.
func (m *mailed) emails() []mailtest.Mail {
	m.t.Helper()
	_, err := mail.Deliver(m.t.Context(), m.cfg, m.db, time.Now, slog.New(slog.DiscardHandler))
	m.must(err)
	return m.server.Mails()
}

var linkInEmail = regexp.MustCompile(`https://www\.example\.org(/account/[a-z]+\?link=[A-Za-z0-9_-]{43})`)

// link returns the path that the only email to somebody leads to.
func (m *mailed) link(to, subject string) string {
	m.t.Helper()
	var found []string
	for _, l := range m.emails() {
		text := strings.ReplaceAll(strings.ReplaceAll(l.Text, "=\n", ""), "=3D", "=")
		if l.To != to || !strings.Contains(text, "Subject: "+subject) {
			continue
		}
		if path := linkInEmail.FindStringSubmatch(text); path != nil {
			found = append(found, path[1])
		}
	}
	if len(found) != 1 {
		m.t.Fatalf("%d emails with a link to %s", len(found), to)
	}
	return found[0]
}

func secret(path string) string {
	u, _ := url.Parse(path)
	return u.Query().Get("link")
}

const carl, phrase = "carl@example.org", "marble otter sings quietly"

func (c *client) signUp(email, password string) *answer {
	return c.post("/account/signup", "name", "Carl", "email", email, "password", password)
}

func TestSignUp(t *testing.T) {
	m := newMailed(t)
	c := m.anybody()
	if a := c.get("/account/signup"); a.status != 200 || !strings.Contains(a.body, `autocomplete="new-password"`) {
		t.Fatal(a.status, a.body)
	}
	if a := c.signUp(carl, phrase); a.status != http.StatusSeeOther ||
		a.header.Get("Location") != "/account/sent?for=signup" {
		t.Fatal(a.status, a.header, a.body)
	}
	if a := c.get("/account/sent?for=signup"); a.status != 200 || !strings.Contains(a.body, "Check your email") {
		t.Error(a.body)
	}
	if a := c.post("/account/login", "email", carl, "password", phrase); a.status != http.StatusForbidden ||
		!strings.Contains(a.body, "not active yet") {
		t.Error("before the activation: ", a.status)
	}
	path := m.link(carl, "Activate your account")
	// Programs that look through mail follow links: that changes nothing.
	for range 2 {
		if a := m.anybody().get(path); a.status != 200 || !strings.Contains(a.body, carl) ||
			a.header.Get("Set-Cookie") != "" {
			t.Fatal(a.status, a.body)
		}
	}
	if a := m.anybody().post("/account/activate", "link", secret(path), "password",
		"not the password"); a.status != http.StatusUnauthorized {
		t.Fatal("a stranger who has the link: ", a.status)
	}
	if a := c.post("/account/activate", "link", secret(path), "password", phrase); a.status != http.StatusSeeOther ||
		a.header.Get("Location") != "/account/cookie?next=%2Fjobs" {
		t.Fatal(a.status, a.body)
	}
	if a := c.get("/account"); a.status != 200 || !strings.Contains(a.body, carl) {
		t.Error("not logged in after the activation: ", a.status)
	}
	if a := m.anybody().post("/account/activate", "link", secret(path), "password",
		phrase); a.status != http.StatusNotFound {
		t.Error("the link works twice: ", a.status)
	}
	c = m.anybody()
	if a := c.post("/account/login", "email", carl, "password", phrase); a.status != http.StatusSeeOther {
		t.Error(a.status, a.body)
	}
}

func TestNothingTellsWhetherAnAddressHasAnAccount(t *testing.T) {
	m := newMailed(t)
	id := regexp.MustCompile(`<code>[0-9a-f]{16}</code>`)
	for _, path := range []string{"/account/signup", "/account/recover", "/account/resend"} {
		var answers []string
		for _, email := range []string{ada, "nobody@example.org"} {
			c := m.anybody()
			fields := []string{"email", email, "name", "x", "password", phrase}
			if path != "/account/signup" {
				fields = fields[:2]
			}
			a := c.post(path, fields...)
			if a.status != http.StatusSeeOther {
				t.Fatalf("%s: %d %s", path, a.status, a.body)
			}
			next := c.get(a.header.Get("Location"))
			a.header.Del("X-Request-Id")
			answers = append(answers, a.header.Get("Location")+a.header.Get("Set-Cookie")+a.body+id.ReplaceAllString(next.body,
				""))
		}
		if answers[0] != answers[1] {
			t.Errorf("%s:\n%s\n%s", path, answers[0], answers[1])
		}
	}
	// The email tells who reads it.
	got := map[string]int{}
	for _, l := range m.emails() {
		got[l.To]++
	}
	if got[ada] != 2 || got["nobody@example.org"] != 3 { // who has signed up gets the other two as well
		t.Error(got)
	}
}

// Each link opens the account with the password that was typed where it was asked for, and with no other.
func TestAStrangersPasswordNeverOpensAnAccountThatItsOwnerActivates(t *testing.T) {
	const known, later = "the stranger knows this one", "the stranger knows this too"
	m := newMailed(t)
	m.anybody().signUp(carl, known)
	first := secret(m.link(carl, "Activate"))
	m.anybody().signUp(carl, phrase)
	own := secret(m.link(carl, "Activate"))
	m.anybody().signUp(carl, later)
	last := secret(m.link(carl, "Activate"))
	for _, link := range []string{first, last} {
		if a := m.anybody().post("/account/activate", "link", link, "password",
			phrase); a.status != http.StatusUnauthorized {
			t.Error("a stranger's link takes another password: ", a.status)
		}
	}
	c := m.anybody()
	if a := c.post("/account/activate", "link", own, "password", phrase); a.status != http.StatusSeeOther {
		t.Fatal("a stranger's sign-up has replaced the owner's: ", a.status)
	}
	for link, typed := range map[string]string{first: known, last: later} {
		if a := m.anybody().post("/account/activate", "link", link, "password",
			typed); a.status != http.StatusNotFound {
			t.Error("a stranger's link works after the activation: ", a.status)
		}
		if a := m.anybody().post("/account/login", "email", carl, "password",
			typed); a.status != http.StatusUnauthorized {
			t.Error("a stranger's password logs in: ", a.status)
		}
	}
	if a := m.anybody().post("/account/login", "email", carl, "password", phrase); a.status != http.StatusSeeOther {
		t.Error("the owner's password: ", a.status)
	}
}

// Nobody knows who asks for another link: it stands for no password that somebody has typed.
func TestAnotherLinkLetsItsReaderChooseThePassword(t *testing.T) {
	m := newMailed(t)
	m.anybody().signUp(carl, "the stranger knows this one")
	m.emails()
	m.anybody().post("/account/resend", "email", carl)
	path := m.link(carl, "Activate")
	if a := m.anybody().get(path); a.status != 200 || !strings.Contains(a.body, `autocomplete="new-password"`) {
		t.Fatal(path, a.status, a.body)
	}
	if a := m.anybody().post("/account/reset", "link", secret(path), "password",
		phrase); a.status != http.StatusSeeOther {
		t.Fatal(a.status, a.body)
	}
	for typed, want := range map[string]int{"the stranger knows this one": http.StatusUnauthorized,
		phrase: http.StatusSeeOther} {
		if a := m.anybody().post("/account/login", "email", carl, "password", typed); a.status != want {
			t.Errorf("%q: %d", typed, a.status)
		}
	}
}

func TestEasyPasswordsAreRefused(t *testing.T) {
	m := newMailed(t)
	for _, password := range []string{"password1", "qwertyuiop", "carl@example.org", "Carl1234", "aaaaaaaaaaaaaaaa",
		"toaster2026", "short"} {
		m.sql("DELETE FROM rate_limit_event")
		a := m.anybody().signUp(carl, password)
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `id="password-fault"`) ||
			!strings.Contains(a.body, `value="Carl"`) || strings.Contains(a.body, `value="`+password+`"`) && password != carl {
			t.Errorf("%q: %d", password, a.status)
		}
	}
	// the longest that is taken
	if a := m.anybody().signUp(carl, strings.Repeat("abcd", 64)); a.status != http.StatusUnprocessableEntity {
		t.Error(a.status)
	}
	if _, err := m.db.UserByEmail(t.Context(), carl); err == nil {
		t.Error("there is an account all the same")
	}
}

func TestWhoMaySignUp(t *testing.T) {
	closed := newMailed(t, "[signup]\nmode = \"closed\"")
	if a := closed.anybody().signUp(carl, phrase); a.status != http.StatusForbidden {
		t.Error(a.status)
	}
	if a := closed.anybody().get("/account/login"); strings.Contains(a.body, "/account/signup") {
		t.Error("the log-in page leads to sign-up")
	}
	domains := newMailed(t, "[signup]\nmode = \"open\"\ndomains = [\"example.org\"]")
	if a := domains.anybody().signUp("carl@example.com", phrase); a.status != http.StatusUnprocessableEntity ||
		!strings.Contains(a.body, "need an address of example.org") {
		t.Error(a.status, a.body)
	}
	if a := domains.anybody().signUp("carl@EXAMPLE.org", phrase); a.status != http.StatusSeeOther {
		t.Error(a.status, a.body)
	}
	byHand := newMailed(t, "[signup]\nmode = \"approval\"")
	byHand.sql("UPDATE user SET role = 'admin' WHERE email = ?", bob)
	byHand.anybody().signUp(carl, phrase)
	path := byHand.link(carl, "Activate")
	c := byHand.anybody()
	if a := c.post("/account/activate", "link", secret(path), "password",
		phrase); a.header.Get("Location") != "/account/sent?for=approval" || c.cookie != "" {
		t.Error(a.status, a.header)
	}
	if l := byHand.emails(); len(l) != 1 || l[0].To != bob || !strings.Contains(l[0].Text, carl) {
		t.Error("the administrator was not told: ", l)
	}
	if a := c.post("/account/login", "email", carl, "password", phrase); a.status != http.StatusForbidden ||
		!strings.Contains(a.body, "administrator has to activate") {
		t.Error(a.status)
	}
}

func TestWithoutMailThePagesSaySo(t *testing.T) {
	s := newSite(t)
	c := s.anybody()
	if a := c.get("/account/signup"); !strings.Contains(a.body, "An administrator has to activate new accounts") {
		t.Error(a.body)
	}
	if a := c.signUp(carl, phrase); a.status != http.StatusSeeOther {
		t.Error(a.status, a.body)
	}
	if a := c.get("/account/sent?for=signup"); !strings.Contains(a.body,
		"when an administrator has activated your account") {
		t.Error(a.body)
	}
	// Nobody can show whose an address is: who comes later with the same one chooses no password for it.
	const later = "another phrase of somebody else"
	if a := s.anybody().signUp(carl, later); a.status != http.StatusSeeOther {
		t.Error(a.status, a.body)
	}
	if a := s.anybody().post("/account/login", "email", carl, "password", later); a.status != http.StatusUnauthorized {
		t.Error(a.status)
	}
	for _, path := range []string{"/account/recover", "/account/resend"} {
		if a := c.get(path); !strings.Contains(a.body, "sends no emails") {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	if o, err := s.db.Outbox(t.Context()); err != nil || o.Waiting != 0 {
		t.Error(o, err)
	}
	if a := c.post("/account/login", "email", carl, "password", phrase); a.status != http.StatusForbidden ||
		!strings.Contains(a.body, "administrator has to activate") {
		t.Error(a.status)
	}
}

func TestSignUpIsSlowed(t *testing.T) {
	m := newMailed(t)
	var statuses []int
	for range 7 {
		statuses = append(statuses, m.anybody().post("/account/recover", "email", ada).status)
	}
	if statuses[4] != http.StatusSeeOther || statuses[6] != http.StatusTooManyRequests {
		t.Error(statuses)
	}
	if o, err := m.db.Outbox(t.Context()); err != nil || o.Waiting != 3 {
		t.Errorf("%d emails to one address, %v", o.Waiting, err)
	}
}
