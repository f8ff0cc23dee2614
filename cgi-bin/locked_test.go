package cgibin

import (
	"context"
	"database/sql"
	"net/http"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/auth/session"
)

// hung is far more than the two seconds that a page may take, on a machine that has other things to do.
const hung = 15 * time.Second

// lock holds the database's write lock, as a long transaction or "BEGIN EXCLUSIVE" of the sqlite3 shell does.
func (s *site) lock(begin string) (release func()) {
	s.t.Helper()
	db, err := sql.Open("sqlite3", s.cfg.Paths.Database+"?_busy_timeout=60000")
	s.must(err)
	c, err := db.Conn(context.Background())
	s.must(err)
	_, err = c.ExecContext(context.Background(), begin)
	s.must(err)
	return func() {
		_, err := c.ExecContext(context.Background(), "ROLLBACK")
		s.must(err)
		c.Close()
		db.Close()
	}
}

// soon answers a request that must not wait for whoever holds the lock.
func (c *client) soon(method, path string, fields ...string) *answer {
	c.t.Helper()
	begin := time.Now()
	var a *answer
	if method == "GET" {
		a = c.get(path)
	} else {
		a = c.post(path, fields...)
	}
	if took := time.Since(begin); took > hung {
		c.t.Errorf("%s %s took %s", method, path, took)
	}
	return a
}

func TestPagesAnswerWhileTheDatabaseIsLocked(t *testing.T) {
	s := newSite(t)
	s.sql("UPDATE user SET role = 'admin' WHERE email = ?", ada)
	c, program := s.browser(ada), s.program(s.token(ada, "write"))
	id := program.addJob()
	job := "/jobs/" + id
	if a := c.post(job + "/start"); a.status != http.StatusSeeOther {
		t.Fatal(a.status, a.body)
	}
	m, err := session.New(s.cfg, s.db)
	s.must(err)
	person, err := s.db.UserByEmail(t.Context(), ada)
	s.must(err)
	draft, err := m.SaveDraft(t.Context(), person.ID, map[string][]byte{"name": []byte("typed before")})
	s.must(err)
	ago := time.Now().Add(-10 * time.Minute).UnixMilli()
	// Everything that a look at a page would write is due.
	s.sql("UPDATE session SET seen_at = ?", ago)
	s.sql("UPDATE token SET used_at = ?", ago)
	s.sql("UPDATE job SET seen_at = 0")
	s.sql("INSERT INTO setting (name, value) VALUES ('proxy', '2001-01-01T00:00:00Z') ON CONFLICT DO UPDATE SET value = " +
		"excluded.value")

	for _, begin := range []string{"BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"} {
		release := s.lock(begin)
		proxied := *c
		proxied.header, proxied.from = http.Header{"X-Forwarded-For": {"198.51.100.1"}}, "127.0.0.1"
		for _, path := range []string{
			"/", "/help", "/jobs", "/jobs?q=x", "/jobs/new", "/jobs/new?draft=" + draft, "/jobs/feed", job, job + "/update",
			job + "/remove", job + "/copy",
			job + "/dockerfile", job + "/blend", job + "/script", job + "/builds/1", job + "/builds/1/log?offset=0",
			"/account", "/account/password", "/account/address", "/account/sessions", "/account/factor", "/account/tokens",
			"/account/export", "/account/remove",
			"/admin/people", "/admin/people/1", "/admin/jobs", "/admin/jobs/" + id, "/admin/health", "/admin/audit",
			"/admin/metrics",
		} {
			if a := proxied.soon("GET", path); a.status != http.StatusOK {
				t.Errorf("%s: GET %s: %d\n%s%s", begin, path, a.status, a.body, a.log)
			}
		}
		for _, path := range []string{"/jobs", job, job + "/builds/1", job + "/builds/1/log?offset=0", "/account"} {
			if a := program.soon("GET", path); a.status != http.StatusOK {
				t.Errorf("%s: a program's GET %s: %d\n%s", begin, path, a.status, a.body)
			}
		}
		if a := s.program("toaster_"+strings.Repeat("A", 43)).soon("GET", "/jobs"); a.status != http.StatusUnauthorized {
			t.Errorf("a wrong token: %d\n%s", a.status, a.body)
		}
		if a := s.anybody().soon("GET", "/account/activate?link=x"); a.status != http.StatusNotFound {
			t.Errorf("a link: %d", a.status)
		}
		release()
	}
}

func TestWhatMustBeWrittenIsRefusedSoonWhileTheDatabaseIsLocked(t *testing.T) {
	s := newSite(t, "[site]", `url = "https://www.example.org"`, "[mail]", `from = "toaster@example.org"`,
		`sendmail = "/bin/false"`)
	s.sql("UPDATE user SET role = 'admin' WHERE email = ?", ada)
	c, program := s.browser(ada), s.program(s.token(ada, "write"))
	id := program.addJob()
	job := "/jobs/" + id
	s.sql("UPDATE session SET seen_at = ?", time.Now().Add(-10*time.Minute).UnixMilli())
	before := s.stored()
	release := s.lock("BEGIN IMMEDIATE")
	for _, x := range []struct {
		path, kept string
		fields     []string
	}{
		{"/account/login", "typed@example.org", []string{"email", "typed@example.org", "password", "typed password"}},
		{"/account/signup", "typed@example.org", []string{"email", "typed@example.org", "password", "typed password", "name",
			"Too many wrong codes"}},
		{"/account/recover", "typed@example.org", []string{"email", "typed@example.org"}},
		{"/account/recover", ada, []string{"email", ada}},
		{"/account", "typed name", []string{"name", "typed name", "notify", "never"}},
		{"/account/address", "typed@example.org", []string{"email", "typed@example.org", "confirm", password}},
		{"/account/tokens", "typed name", []string{"name", "typed name", "scope", "read", "days", "7"}},
		{"/jobs", "RUN echo typed", []string{"text", "FROM debian:bookworm\nRUN echo typed\n", "name", "Too many wrong codes",
			"target", target}},
		{"/jobs", "RUN echo typed", []string{"text", "FROM debian:bookworm\nRUN echo typed\n", "target", target,
			"context:c.tar.gz", archive(t, "a", "b")}},
		{"/jobs/check", "RUN echo typed", []string{"text", "FROM debian:bookworm\nRUN echo typed\n", "target", target}},
		{job + "/update", "RUN echo typed", []string{"revision", "1", "text", "FROM debian:bookworm\nRUN echo typed\n"}},
		{"/admin/people/2/limits", `value="77"`, []string{"jobs", "77"}},
		{job + "/start", "", nil},
		{job + "/disable", "", nil},
		{job + "/remove", "", nil},
		{"/account/sessions/end", "", []string{"confirm", password}},
		{"/admin/people/2/suspend", "", nil},
	} {
		a := c.soon("POST", x.path, x.fields...)
		if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" ||
			!strings.Contains(a.body, "very busy") || !strings.Contains(a.body, x.kept) {
			t.Errorf("POST %s: %d, Retry-After %q, %q kept: %v\n%s%s", x.path, a.status, a.header.Get("Retry-After"), x.kept,
				strings.Contains(a.body, x.kept), a.body, a.log)
		}
	}
	for path, fields := range map[string][]string{
		"/jobs": {"text", "FROM debian:bookworm\nRUN true\n", "target", target}, job + "/start": nil, job + "/remove": nil,
	} {
		a := program.soon("POST", path, fields...)
		if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" ||
			a.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("a program's POST %s: %d %v\n%s", path, a.status, a.header, a.body)
		}
	}
	release()
	if now := s.stored(); now != before {
		t.Errorf("%s became %s", before, now)
	}
	if a := c.post(job + "/start"); a.status != http.StatusSeeOther {
		t.Errorf("afterwards: %d %s", a.status, a.body)
	}
}

func TestADatabaseThatIsLockedAgainstReadersTooIsSaidToBeBusy(t *testing.T) {
	s := newSite(t)
	c := s.browser(ada)
	s.must(s.db.Close())
	db, err := sql.Open("sqlite3", s.cfg.Paths.Database+"?_locking_mode=EXCLUSIVE&_busy_timeout=60000")
	s.must(err)
	db.SetMaxOpenConns(1)
	_, err = db.Exec("UPDATE user SET name = name")
	s.must(err)
	if a := c.soon("GET", "/jobs"); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" ||
		!strings.Contains(a.body, "very busy") {
		t.Errorf("%d %s%s", a.status, a.body, a.log)
	}
	s.must(db.Close())
	if a := c.get("/jobs"); a.status != http.StatusOK {
		t.Errorf("afterwards: %d %s", a.status, a.body)
	}
}
