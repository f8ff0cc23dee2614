package cgibin

import (
	"net/http"
	"strings"
	"testing"
)

// TestALookTranslatesNothing: what a page says of a Dockerfile was found when the job was made. The Dockerfile that
// lies in the database here, which nobody could have stored, would say something else.
func TestALookTranslatesNothing(t *testing.T) {
	s := newSite(t)
	b, program := s.browser(ada), s.program(s.token(ada, "write"))
	id := b.oneJob("web")
	s.sql("INSERT INTO build (job_id, number, revision, state, queued_at, started_at, ended_at, failure, step, steps, "+
		"step_line, finalized) VALUES (?, 1, 1, 'failed', 1900000000000, 1900000001000, 1900000002000, 'It failed.', 2, 2, "+
		"2, 1)", id)
	b.post("/jobs/"+id+"/badge", "public", "1")
	s.sql("UPDATE revision SET dockerfile = ?", []byte("FROM debian:bookworm\nRUN --network=host true\n"))
	if page := b.get("/jobs/" + id).body; !strings.Contains(page, "There is no CMD or ENTRYPOINT") ||
		strings.Contains(page, "is not allowed here") {
		t.Error("the job's page translates")
	}
	for _, path := range []string{"", "/builds/1", "/badge.svg", "/compare?from=1&to=1", "/update", "/copy", "/remove",
		"/dockerfile"} {
		if a := b.get("/jobs/" + id + path); a.status != http.StatusOK ||
			strings.Contains(a.body, "is not allowed here") {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	for _, path := range []string{"", "/" + id, "/" + id + "/builds/1"} {
		if a := program.get("/jobs" + path); a.status != http.StatusOK ||
			strings.Contains(a.body, "is not allowed here") {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := b.get("/jobs/" + id + "/blend"); a.status != http.StatusUnprocessableEntity {
		t.Error("the blend shows what is there: ", a.status)
	}
}

// TestWhatTranslatesIsCounted: each of it counts like a check, whichever way it is asked for.
func TestWhatTranslatesIsCounted(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "write"))
	id := c.addJob()
	s.sql("WITH RECURSIVE more (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM more WHERE n < 119) " +
		"INSERT INTO rate_limit_event (key, at) SELECT key, at FROM rate_limit_event, more WHERE key LIKE 'check:%'")
	text := "FROM debian:bookworm\n"
	for what, a := range map[string]*answer{
		"check": c.post("/jobs/check", "text", text), "a new job": c.post("/jobs", "text", text, "target", target),
		"a change":  c.post("/jobs/"+id+"/update", "text", text),
		"the blend": c.get("/jobs/" + id + "/blend"), "the script": c.get("/jobs/" + id + "/script"),
	} {
		if a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d", what, a.status)
		}
	}
	if a := c.get("/jobs/" + id); a.status != http.StatusOK {
		t.Error("a look: ", a.status)
	}
}

// TestAHostileDockerfileIsRefusedAtItsLine: the one of 1.4 KB that took five seconds, and its page as long again.
func TestAHostileDockerfileIsRefusedAtItsLine(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "write"))
	text := "FROM debian:bookworm\nENV A=aaaaaaaa\n" + strings.Repeat("ENV A=$A$A\n", 12) + "ENV B=*a*a*a*a\n" +
		strings.Repeat("ENV B=$B$B\n", 7) + "ENV C=${A##${B}b}\n"
	a := c.post("/jobs", "text", text, "target", target)
	if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "Line 23 can't be built") ||
		!strings.Contains(a.body, "TooComplex") || !strings.Contains(a.body, "fewer or shorter") {
		t.Errorf("%d %s", a.status, a.body)
	}
}
