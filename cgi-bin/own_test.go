package cgibin

import (
	"archive/zip"
	"bytes"
	"database/sql"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"toaster.do/lib/mail/mailtest"
	"toaster.do/lib/store"
)

// key returns the secret that the set-up page shows, and the form's state.
func (c *client) key() (secret, state string) {
	c.t.Helper()
	a := c.get("/account/factor")
	key := regexp.MustCompile(`class="key">([A-Z2-7 ]+)<`).FindStringSubmatch(a.body)
	hidden := regexp.MustCompile(`name="state" value="([^"]+)"`).FindStringSubmatch(a.body)
	if key == nil || hidden == nil || !strings.Contains(a.body, `<path d="M`) {
		c.t.Fatal(a.status, a.body)
	}
	return strings.ReplaceAll(key[1], " ", ""), hidden[1]
}

func (s *site) code(key string, at time.Time) string {
	s.t.Helper()
	code, err := totp.GenerateCode(key, at)
	s.must(err)
	return code
}

var recoveryCode = regexp.MustCompile(`<code>([A-Z2-7]{5}-[A-Z2-7]{5}-[A-Z2-7]{5})</code>`)

func TestSecondFactor(t *testing.T) {
	m := newMailed(t)
	c := m.browser(ada)
	key, state := c.key()
	now := time.Now()
	if a := c.post("/account/factor", "state", state, "code", "000000", "confirm",
		password); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `id="code-fault"`) {
		t.Error(a.status)
	}
	if a := c.post("/account/factor", "state", state, "code", m.code(key, now), "confirm",
		"wrong"); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `id="confirm-fault"`) {
		t.Error(a.status)
	}
	if a := m.browser(bob).post("/account/factor", "state", state, "code", m.code(key, now), "confirm",
		password); a.status != http.StatusUnprocessableEntity {
		t.Error("another's set-up: ", a.status)
	}
	a := c.follow(c.post("/account/factor", "state", state, "code", m.code(key, now), "confirm", password))
	codes := recoveryCode.FindAllStringSubmatch(a.body, -1)
	if a.status != 200 || len(codes) != 10 {
		t.Fatal(a.status, a.body)
	}
	if l := m.emails(); len(l) != 1 || l[0].To != ada || !strings.Contains(l[0].Text, "Two-factor authentication") {
		t.Error(l)
	}

	half := func() (*client, string) {
		c := m.anybody()
		a := c.follow(c.post("/account/login", "email", ada, "password", password, "next", "/jobs/new"))
		hidden := regexp.MustCompile(`name="state" value="([^"]+)"`).FindStringSubmatch(a.body)
		if a.status != 200 || hidden == nil || c.get("/account").status != http.StatusSeeOther {
			t.Fatal(a.status, a.header, a.body)
		}
		return c, hidden[1]
	}
	c, state = half()
	if a := c.get("/account"); a.status != http.StatusSeeOther {
		t.Error("the password alone opens the account")
	}
	if a := c.post("/account/login/code", "state", state, "code", "123456"); a.status != http.StatusUnauthorized ||
		!strings.Contains(a.body, `id="code-fault"`) {
		t.Error(a.status, a.body)
	}
	if a := c.post("/account/login/code", "state", state, "code", m.code(key, now)); a.status != http.StatusUnauthorized {
		t.Error("the code that switched it on is taken again: ", a.status)
	}
	if a := c.post("/account/login/code", "state", state+"x", "code",
		m.code(key, now.Add(30*time.Second))); a.status != http.StatusUnauthorized {
		t.Error(a.status)
	}
	if a := c.post("/account/login/code", "state", state, "code", m.code(key, now.Add(30*time.Second)), "next",
		"/jobs/new"); a.header.Get("Location") != "/jobs/new" {
		t.Fatal(a.status, a.body)
	}
	if a := c.get("/account"); a.status != 200 || !strings.Contains(a.body, "10 recovery codes left") {
		t.Error(a.status)
	}

	second, state := half()
	if a := second.post("/account/login/code", "state", state, "code",
		strings.ToLower(strings.ReplaceAll(codes[3][1], "-", " "))); a.status != http.StatusSeeOther {
		t.Error("a recovery code: ", a.status)
	}
	third, state := half()
	if a := third.post("/account/login/code", "state", state, "code", codes[3][1]); a.status != http.StatusUnauthorized {
		t.Error("a recovery code, again: ", a.status)
	}
	if a := second.follow(second.post("/account/factor/codes", "confirm", password)); a.status != 200 ||
		len(recoveryCode.FindAllStringSubmatch(a.body, -1)) != 10 || strings.Contains(a.body, codes[0][1]) {
		t.Error(a.status)
	}
	if a := second.post("/account/factor/disable", "confirm", "wrong"); a.status != http.StatusUnprocessableEntity {
		t.Error(a.status)
	}
	if a := second.post("/account/factor/disable", "confirm", password); a.status != http.StatusSeeOther {
		t.Error(a.status, a.body)
	}
	m.browser(ada) // the password is enough again
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	s := newSite(t)
	c, elsewhere, bobs := s.browser(ada), s.anybody().with("User-Agent", "Elinks <b>"), s.browser(bob)
	elsewhere.logIn(ada)
	a := c.get("/account/sessions")
	ids := regexp.MustCompile(`/account/sessions/(\d+)/end`).FindAllStringSubmatch(a.body, -1)
	if a.status != 200 || len(ids) != 1 || !strings.Contains(a.body, "Elinks &lt;b&gt;") ||
		!strings.Contains(a.body, "192.0.2.7") {
		t.Fatal(a.status, a.body)
	}
	if a := bobs.post("/account/sessions/"+ids[0][1]+"/end", "confirm", password); a.status != http.StatusNotFound {
		t.Error("somebody else ends it: ", a.status)
	}
	if a := elsewhere.get("/account"); a.status != 200 {
		t.Error(a.status)
	}
	for _, path := range []string{"/account/sessions/" + ids[0][1] + "/end", "/account/sessions/end"} {
		if a := c.post(path, "confirm", "wrong wrong"); a.status != http.StatusUnprocessableEntity ||
			!strings.Contains(a.body, "The password is wrong.") {
			t.Error("without the password: ", a.status)
		}
	}
	if a := elsewhere.get("/account"); a.status != 200 {
		t.Error(a.status)
	}
	if a := c.post("/account/sessions/"+ids[0][1]+"/end", "confirm", password); a.status != http.StatusSeeOther {
		t.Error(a.status)
	}
	if a := elsewhere.get("/account"); a.status != http.StatusSeeOther {
		t.Error("still logged in there: ", a.status)
	}
	elsewhere.logIn(ada)
	if a := c.post("/account/sessions/end", "confirm", password); a.status != http.StatusSeeOther {
		t.Error(a.status)
	}
	if a := elsewhere.get("/account"); a.status != http.StatusSeeOther {
		t.Error("still logged in there: ", a.status)
	}
	if a := c.get("/account"); a.status != 200 {
		t.Error("logged out here, too")
	}
}

func TestPeopleKeepTheirTokens(t *testing.T) {
	s := newSite(t)
	c := s.browser(ada)
	a := c.follow(c.post("/account/tokens", "name", "nightly <b>", "scope", "read", "days", "30"))
	plain := regexp.MustCompile(`toaster_[A-Za-z0-9_-]{43}`).FindString(a.body)
	if a.status != 200 || plain == "" || a.header.Get("Cache-Control") != "no-store" {
		t.Fatal(a.status, a.body)
	}
	if a := c.get("/account/tokens"); strings.Contains(a.body, plain) || !strings.Contains(a.body, "nightly &lt;b&gt;") ||
		!strings.Contains(a.body, "never used") {
		t.Error(a.body)
	}
	if a := s.program(plain).get("/jobs"); a.status != 200 {
		t.Error(a.status)
	}
	for _, path := range []string{"/account/tokens", "/account/sessions", "/account/factor", "/account/export",
		"/account/remove", "/account/password"} {
		if a := s.program(s.token(ada, store.ScopeWrite)).get(path); a.status != http.StatusForbidden {
			t.Errorf("a token opens %s: %d", path, a.status)
		}
	}
	for _, bad := range [][]string{{"name", "", "scope", "read"}, {"name", "x", "scope", "all"},
		{"name", "x", "scope", "metrics"}, {"name", "x", "scope", "read", "days", "-1"}} {
		m := http.StatusUnprocessableEntity
		if bad[3] == "metrics" {
			m = http.StatusForbidden // for administrators only
		}
		if a := c.post("/account/tokens", bad...); a.status != m || strings.Contains(a.body, "toaster_") {
			t.Errorf("%v: %d", bad, a.status)
		}
	}
	id := regexp.MustCompile(`/account/tokens/(\d+)/remove`).FindStringSubmatch(c.get("/account/tokens").body)[1]
	if a := s.browser(bob).post("/account/tokens/" + id + "/remove"); a.status != http.StatusNotFound {
		t.Error(a.status)
	}
	if a := c.post("/account/tokens/" + id + "/remove"); a.status != http.StatusSeeOther {
		t.Error(a.status)
	}
	if a := s.program(plain).get("/jobs"); a.status != http.StatusUnauthorized {
		t.Error(a.status)
	}
}

func TestExport(t *testing.T) {
	s := newSite(t)
	id := s.program(s.token(ada, store.ScopeWrite)).addJob("name", "web", "build_args", "A=b", "root_keys", sshKey,
		"base_form", "appliance")
	other := s.program(s.token(bob, store.ScopeWrite)).addJob("name", "secret")
	a := s.browser(ada).get("/account/export")
	z, err := zip.NewReader(bytes.NewReader([]byte(a.body)), int64(len(a.body)))
	if err != nil || a.header.Get("Content-Security-Policy") != "sandbox" ||
		!strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment") {
		t.Fatal(a.status, err)
	}
	files := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		s.must(err)
		b, err := io.ReadAll(r)
		s.must(err)
		files[f.Name] = string(b)
	}
	for name, want := range map[string]string{"account.json": ada, "jobs/" + id + "/job.json": `"name": "web"`,
		"jobs/" + id + "/revision-1/Dockerfile": good,
		"jobs/" + id + "/revision-1/build-args": "A=b", "jobs/" + id + "/revision-1/root-keys": sshKey,
		"jobs/" + id + "/revision-1/base-form":   "appliance",
		"jobs/" + id + "/revision-1/context.tar": "hello.txt"} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%s: %q", name, files[name])
		}
	}
	for name, text := range files {
		if strings.Contains(name+text, other) || strings.Contains(text, "argon2") || strings.Contains(text, bob) {
			t.Errorf("%s has more than one's own: %s", name, text)
		}
	}
}

func TestRemovalOfOnesAccount(t *testing.T) {
	m := newMailed(t)
	program := m.program(m.token(ada, "write"))
	id := program.addJob("start", "1")
	c, elsewhere := m.browser(ada), m.browser(ada)
	for _, bad := range [][]string{{"confirm", "wrong", "word", "delete"}, {"confirm", password, "word", ""}} {
		if a := c.post("/account/remove", bad...); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%v: %d", bad, a.status)
		}
	}
	if a := c.post("/account/remove", "confirm", password, "word", "Delete"); a.status != http.StatusSeeOther {
		t.Fatal(a.status, a.body)
	}
	for what, status := range map[string]int{
		"here":         c.get("/account").status,
		"elsewhere":    elsewhere.get("/account").status,
		"with a token": program.get("/jobs").status,
		"the log-in":   m.anybody().post("/account/login", "email", ada, "password", password).status,
	} {
		if status != http.StatusSeeOther && status != http.StatusUnauthorized {
			t.Errorf("%s: %d", what, status)
		}
	}
	if l := m.emails(); len(l) != 1 || l[0].To != ada || !strings.Contains(l[0].Text, "no more emails") {
		t.Error(l)
	}
	// The job waits for the engine to be told; the person goes after it.
	m.must(m.accounts.Tidy(t.Context()))
	left, err := m.db.UnfinishedJobs(t.Context())
	if err != nil || len(left) != 1 || left[0].ID != id || left[0].RemovedAt.IsZero() {
		t.Fatal(left, err)
	}
	m.must(m.db.DeleteJob(t.Context(), id, time.Now()))
	time.Sleep(2 * time.Millisecond)
	m.must(m.accounts.Tidy(t.Context()))
	if n := m.count("SELECT count(*) FROM user"); n != 1 {
		t.Errorf("%d people are left", n)
	}
	// The address is free again.
	if a := m.anybody().signUp(ada, phrase); a.status != http.StatusSeeOther {
		t.Error(a.status)
	}
	if a := m.anybody().get(m.link(ada, "Activate")); a.status != 200 {
		t.Error(a.status)
	}
}

func (s *site) count(query string) (n int) {
	s.t.Helper()
	db, err := sql.Open("sqlite3", s.cfg.Paths.Database+"?_busy_timeout=5000")
	s.must(err)
	defer db.Close()
	s.must(db.QueryRow(query).Scan(&n))
	return n
}

func TestEmailsAboutBuilds(t *testing.T) {
	m := newMailed(t)
	program := m.program(m.token(ada, "write"))
	id := program.addJob("name", "web")
	c := m.browser(ada)
	m.emails() // about the token
	end := func(number int, state string) []mailtest.Mail {
		t.Helper()
		m.sql(`INSERT INTO build (job_id, number, revision, state, queued_at, started_at, ended_at, engine_number) VALUES (?, ?, 1, ?, 1000, 2000, 63000, ?)`, id, number, state, number)
		b := &store.Build{JobID: id, Number: number}
		m.must(m.db.Finalize(t.Context(), b, []store.Artifact{{Path: "dist/web.img", Size: 42,
			SHA256: strings.Repeat("ab", 32)}}))
		m.must(m.accounts.NotifyEnds(t.Context()))
		return m.emails()
	}
	if l := end(1, "failed"); len(l) != 0 {
		t.Error("nobody asked for that: ", l)
	}
	if a := c.post("/account", "name", "Ada", "notify", "failure"); a.status != http.StatusSeeOther {
		t.Fatal(a.status, a.body)
	}
	if l := end(2, "succeeded"); len(l) != 0 {
		t.Error(l)
	}
	if l := end(3, "failed"); len(l) != 1 || l[0].To != ada ||
		!strings.Contains(l[0].Text, "Subject: web: build 3 failed") ||
		!strings.Contains(l[0].Text, "/jobs/"+id+"/builds/3") {
		t.Error(l)
	}
	c.post("/account", "name", "Ada", "notify", "always")
	if l := end(4, "succeeded"); len(l) != 1 || !strings.Contains(l[0].Text, "dist/web.img") ||
		!strings.Contains(l[0].Text, "1m1s") {
		t.Error(l)
	}
	if l := end(5, "aborted"); len(l) != 0 {
		t.Error("who stopped it knows: ", l)
	}
	m.must(m.db.RemoveJob(t.Context(), m.id(ada), id, time.Now()))
	if l := end(6, "succeeded"); len(l) != 0 {
		t.Error("the job is gone: ", l)
	}
	if a := c.post("/account", "name", "Ada", "notify", "sometimes"); a.status != http.StatusUnprocessableEntity {
		t.Error(a.status)
	}
}
