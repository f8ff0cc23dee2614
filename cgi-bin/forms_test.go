package cgibin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const simple = "FROM debian:bookworm\nRUN true\n"

var onceField = regexp.MustCompile(`name="once" value="([^"]+)"`)

// once is the once value of the form on a page that is sent to an address.
func (c *client) once(page, action string) string {
	c.t.Helper()
	body := c.get(page).body
	for _, form := range strings.Split(body, "<form ")[1:] {
		tag, rest, _ := strings.Cut(form, ">")
		if found := onceField.FindStringSubmatch(rest); strings.Contains(tag, `action="`+c.prefix+action+`"`) &&
			found != nil {
			return html.UnescapeString(found[1])
		}
	}
	c.t.Fatalf("%s has no form for %s with a once value:\n%s", page, action, body)
	return ""
}

// A double click sends the same form twice, also at the same moment: one job, one build, and the same answer.
func TestAFormIsDoneOnce(t *testing.T) {
	s := newSite(t)
	c := s.browser(ada)
	once := c.once("/jobs/new", "/jobs")
	fields := []string{"once", once, "text", devuan, "target", machine, "start", "1", "context:", ""}
	const clicks = 4
	answers := make([]*answer, clicks)
	var all sync.WaitGroup
	for i := range clicks {
		all.Go(func() {
			mine := *c
			answers[i] = mine.post("/jobs", fields...)
		})
	}
	all.Wait()
	if got := s.stored(); got != "1 jobs, 1 revisions, 1 builds" {
		t.Error(got)
	}
	for _, a := range answers {
		if a.status != http.StatusSeeOther || a.header.Get("Location") != answers[0].header.Get("Location") {
			t.Fatalf("%d %v, the first %v", a.status, a.header, answers[0].header)
		}
	}
	last := *c
	last.keepCookie(answers[clicks-1])
	if page := last.follow(answers[clicks-1]); shown(page.body) == "" {
		t.Error("the last click's browser doesn't see the password: ", page.body)
	}
	// Who goes back and changes something wants something else.
	if a := c.post("/jobs", append(slices.Clone(fields), "name", "another")...); a.status != http.StatusSeeOther ||
		s.stored() != "2 jobs, 2 revisions, 2 builds" {
		t.Errorf("%d, %s", a.status, s.stored())
	}
	id := strings.Split(answers[0].header.Get("Location"), "/")[2]
	once = c.once("/jobs/"+id+"/update", "/jobs/"+id+"/update")
	for range 2 {
		if a := c.post("/jobs/"+id+"/update", "once", once, "text", devuan+"RUN x\n", "revision", "1", "root_keys",
			""); a.status != http.StatusSeeOther {
			t.Errorf("a change, twice: %d %s", a.status, a.body)
		}
	}
	once = c.once("/account/tokens", "/account/tokens")
	one, two := c.post("/account/tokens", "once", once, "name", "n", "scope", "read"),
		c.post("/account/tokens", "once", once, "name", "n", "scope", "read")
	if a, b := c.follow(one), one.header.Get("Location"); two.header.Get("Location") != b ||
		!strings.Contains(a.body, "toaster_") || strings.Count(a.body, "/account/tokens/") != 1 {
		t.Errorf("%v and %v: %s", one.header, two.header, a.body)
	}
	once = c.once("/jobs/"+id+"/remove", "/jobs/"+id+"/remove")
	for range 2 {
		if a := c.post("/jobs/"+id+"/remove", "once", once); a.header.Get("Location") != "/jobs?note=removed" {
			t.Errorf("a double click on “remove”: %d %v", a.status, a.header)
		}
	}
}

// A form's value is of no use to another person, and a copy of it does nothing for nobody.
func TestAOnceValueIsOnesOwn(t *testing.T) {
	s := newSite(t)
	a, b := s.browser(ada), s.browser(bob)
	once := a.once("/jobs/new", "/jobs")
	first := a.post("/jobs", "once", once, "text", simple, "target", target)
	second := b.post("/jobs", "once", once, "text", simple, "target", target)
	if first.header.Get("Location") == second.header.Get("Location") || s.stored() != "2 jobs, 2 revisions, 0 builds" {
		t.Errorf("%v, %v, %s", first.header, second.header, s.stored())
	}
}

// A program that got no answer sends the same again, with the same key.
func TestAnIdempotencyKeyIsHonoured(t *testing.T) {
	s := newSite(t, "[limits]\njobs = 0\nconcurrent_builds = 0")
	plain := s.token(ada, "write")
	program := s.program(plain)
	keyed := program.with("Idempotency-Key", "5f0c")
	fields := []string{"text", devuan, "target", machine, "start", "1"}
	first := keyed.post("/jobs", fields...)
	again := keyed.post("/jobs", fields...)
	if first.status != 201 || again.status != 201 || again.body != first.body ||
		again.header.Get("Location") != first.header.Get("Location") {
		t.Fatalf("%d %s\n%d %s", first.status, first.body, again.status, again.body)
	}
	if s.stored() != "1 jobs, 1 revisions, 1 builds" {
		t.Error(s.stored())
	}
	// In another encoding it is still the same.
	text, _ := json.Marshal(map[string]any{"text": devuan, "target": machine, "start": true})
	if a := keyed.do("POST", "/jobs", "application/json", text); a.body != first.body {
		t.Errorf("as JSON: %d %s", a.status, a.body)
	}
	for name, a := range map[string]*answer{
		"another body": keyed.post("/jobs", "text", simple, "target", target),
		"another path": keyed.post(first.header.Get("Location") + "/start"),
		"a long key":   program.with("Idempotency-Key", strings.Repeat("x", 256)).post("/jobs", fields...),
	} {
		if code := fmt.Sprint(a.json(t)["code"]); a.status != 422 || !strings.HasPrefix(code, "idempotency_key") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := s.program(s.token(bob, "write")).with("Idempotency-Key", "5f0c").post("/jobs", fields...); a.status != 201 ||
		a.body == first.body {
		t.Errorf("another person's key: %d %s", a.status, a.body)
	}
	// What came to nothing may be sent again, also changed.
	other := program.with("Idempotency-Key", "other")
	if a := other.post("/jobs", "text", "FRUM x", "target", target); a.status != 422 {
		t.Error(a.status, a.body)
	}
	if a := other.post("/jobs", "text", simple, "target", target); a.status != 201 {
		t.Error(a.status, a.body)
	}
	id := first.json(t)["id"].(string)
	s.sql("UPDATE build SET state = 'failed', finalized = 1, ended_at = queued_at")
	start := program.with("Idempotency-Key", "start")
	one, two := start.post("/jobs/"+id+"/start"), start.post("/jobs/"+id+"/start")
	if one.status != 202 || two.status != 202 || one.body != two.body || one.json(t)["number"] != 2.0 {
		t.Errorf("%d %s\n%d %s", one.status, one.body, two.status, two.body)
	}
	// What was answered is sealed in the database; after a day it is gone, by sync, and the key is free.
	password := first.json(t)["root_password"].(string)
	for _, file := range []string{"toaster.db", "toaster.db-wal"} {
		if bytes.Contains(read(t, s.dir+"/db/"+file), []byte(password)) {
			t.Error("the password is in " + file)
		}
	}
	s.sql("UPDATE once SET at = at - ?", 25*time.Hour.Milliseconds())
	s.must(s.accounts.Tidy(t.Context()))
	if n := s.count("SELECT count(*) FROM once"); n != 0 {
		t.Errorf("%d answers are kept", n)
	}
	if a := keyed.post("/jobs", fields...); a.status != 201 || a.body == first.body {
		t.Errorf("after a day: %d", a.status)
	}
}

// A process that is ended after it has stored the job leaves it to the next sending of the request to say where it is.
func TestWhatWasMadeIsFoundThoughItsAnswerIsLost(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "write")).with("Idempotency-Key", "k")
	first := c.post("/jobs", "text", simple, "target", target)
	s.sql("UPDATE once SET answer = NULL, at = at - 600000")
	again := c.post("/jobs", "text", simple, "target", target)
	if again.status != 201 || again.json(t)["id"] != first.json(t)["id"] ||
		again.header.Get("Location") != first.header.Get("Location") {
		t.Errorf("%d %v %s", again.status, again.header, again.body)
	}
	// One that had stored nothing is done again.
	s.sql("UPDATE once SET answer = NULL, location = ''")
	s.sql("UPDATE job SET removed_at = 1")
	if a := c.post("/jobs", "text", simple, "target", target); a.status != 201 || a.json(t)["id"] == first.json(t)["id"] {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// A full queue, a limit: the job is stored, and the answer says where, so that no client sends it again.
func TestAFullQueueDoesNotLoseTheJob(t *testing.T) {
	s := newSite(t, "[limits]\nqueue = 1")
	program, browser := s.program(s.token(ada, "write")), s.browser(ada)
	first := program.addJob("start", "1")
	a := program.post("/jobs", "text", simple, "target", target, "start", "1")
	j := a.json(t)
	why, _ := j["start_error"].(map[string]any)
	if a.status != 201 || a.header.Get("Location") != "/jobs/"+fmt.Sprint(j["id"]) ||
		a.header.Get("Retry-After") != "" || why["code"] != "unavailable" || why["advice"] == "" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	describe(t).holds("POST /jobs", nil, a)
	page := browser.follow(browser.post("/jobs", "text", simple, "target", target, "start", "1"))
	if page.status != 200 || !strings.Contains(page.body, "the build did not start") ||
		!strings.Contains(page.body, "1 builds are queued") {
		t.Errorf("%d %s", page.status, page.body)
	}
	// A start alone has stored nothing: waiting helps.
	if a := program.post("/jobs/" + fmt.Sprint(j["id"]) + "/start"); a.status != 503 ||
		a.header.Get("Retry-After") != "300" {
		t.Errorf("%d %v", a.status, a.header)
	}
	if a := program.post("/jobs/"+first+"/update", "text", simple+"RUN y\n", "start", "1"); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestUpsert(t *testing.T) {
	s := newSite(t, "[limits]\njobs = 9")
	c := s.program(s.token(ada, "write"))
	fields := []string{"text", simple, "target", target, "name", "web", "upsert", "1"}
	a := c.post("/jobs", fields...)
	b := c.post("/jobs", fields...)
	if a.status != 201 || b.status != 200 || a.json(t)["id"] != b.json(t)["id"] || b.json(t)["revision"] != 2.0 ||
		b.header.Get("Location") != a.header.Get("Location") {
		t.Errorf("%d %s\n%d %s", a.status, a.body, b.status, b.body)
	}
	if b := c.post("/jobs?upsert=1", "text", simple, "target", target, "name", "web"); b.status != 200 ||
		b.json(t)["revision"] != 3.0 {
		t.Errorf("%d %s", b.status, b.body)
	}
	if b := c.post("/jobs", "text", simple, "target", target, "name", "web"); b.status != 201 {
		t.Errorf("without upsert: %d", b.status)
	}
	for i, status := range []int{201, 200} { // a job without a name is found again
		b := c.post("/jobs", "text", good, "context:shop.tgz", archive(t, "hello.txt", "hi"), "target", target, "upsert", "1")
		if j := b.json(t); b.status != status || j["name"] != "shop" || j["revision"] != float64(i+1) {
			t.Errorf("without a name: %d %s", b.status, b.body)
		}
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if a := c.post("/jobs", "text", simple, "target", target, "name", "at once", "upsert", "1"); a.status > 201 {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	all.Wait()
	if got := s.stored(); !strings.HasPrefix(got, "4 jobs") {
		t.Error(got)
	}
}

// secretPosts are forms whose answer has a secret; it is shown once, on the page that follows.
func TestASecretIsShownOnce(t *testing.T) {
	m := newMailed(t)
	c := m.browser(ada)
	key, state := c.key()
	codes := func(page string) string { return fmt.Sprint(recoveryCode.FindAllString(page, -1)) }
	token := func(page string) string { return regexp.MustCompile(`toaster_[A-Za-z0-9_-]{43}`).FindString(page) }
	for _, do := range []struct {
		name   string
		post   func() *answer
		secret func(page string) string
	}{
		{"a token", func() *answer { return c.post("/account/tokens", "name", "x", "scope", "read") }, token},
		{"root's password", func() *answer { return c.post("/jobs", "text", devuan, "target", machine) }, shown},
		{"recovery codes", func() *answer {
			return c.post("/account/factor", "state", state, "code", m.code(key, time.Now()), "confirm", password)
		}, codes},
		{"new recovery codes", func() *answer { return c.post("/account/factor/codes", "confirm", password) }, codes},
	} {
		a := do.post()
		to := a.header.Get("Location")
		if a.status != http.StatusSeeOther || a.body != "" && do.secret(a.body) != "" && do.secret(a.body) != "[]" {
			t.Fatalf("%s: %d %s", do.name, a.status, a.body)
		}
		stolen := m.browser(bob)
		stolen.cookie += "; " + c.cookie[strings.LastIndex(c.cookie, "; ")+2:]
		if p := stolen.get(to); do.secret(p.body) != "" && do.secret(p.body) != "[]" {
			t.Errorf("%s: another person sees it", do.name)
		}
		if p := c.with("Sec-Purpose", "prefetch;prerender").get(to); p.status == 200 ||
			p.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s, prefetched: %d", do.name, p.status)
		}
		if p := c.do("HEAD", to, "", nil); p.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: HEAD uses it up", do.name)
		}
		page := c.get(to)
		if secret := do.secret(page.body); page.status != 200 || secret == "" || secret == "[]" ||
			page.header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%s: %d %v %s", do.name, page.status, page.header, page.body)
		}
		again := c.get(to)
		if secret := do.secret(again.body); again.status != 200 || secret != "" && secret != "[]" ||
			!strings.Contains(again.body, "shown once") {
			t.Errorf("%s, loaded again: %d %s", do.name, again.status, again.body)
		}
	}
	if n := m.count("SELECT count(*) FROM token"); n != 1 {
		t.Errorf("%d tokens", n)
	}
}

// answered is what a browser's POST has to send for each route so that it succeeds: every success is a redirect.
func TestEverySuccessfulPostRedirects(t *testing.T) {
	// The check stores nothing, and shows what it found; files of a build context are sent by programs alone.
	shows := map[string]bool{"POST /jobs/check": true, "POST /jobs/blobs": true}
	s := newTown(t)
	for _, route := range routes(t) {
		if !strings.HasPrefix(route, "POST ") {
			continue
		}
		for who := range s.clients {
			a := s.ask(who, route)
			c := s.clients[who]
			if c.header.Get("Authorization") == "" && a.status < 300 && !shows[route] {
				t.Errorf("%s as %s: %d", route, who, a.status)
			}
		}
	}
	// Those that need a form.
	c := s.browser(bob)
	key, state := c.key()
	id := strings.Split(c.post("/jobs", "text", simple, "target", target).header.Get("Location"), "/")[2]
	id, _, _ = strings.Cut(id, "?")
	for _, form := range [][]string{
		{"/jobs", "text", devuan, "target", machine, "start", "1"},
		{"/jobs/" + id + "/update", "text", simple, "revision", "1"},
		{"/jobs/" + id + "/start"}, {"/account/tokens", "name", "x", "scope", "read"}, {"/account", "name", "Bob"},
		{"/account/recover", "email", bob}, {"/account/resend", "email", bob},
		{"/account/address", "email", "b@example.org", "confirm", password},
		{"/account/sessions/end", "confirm", password},
		{"/account/factor", "state", state, "code", s.code(key, time.Now()), "confirm", password},
		{"/account/factor/codes", "confirm", password}, {"/account/login", "email", bob, "password", password},
		{"/account/factor/disable", "confirm", password}, {"/account/password", "old", password, "password", phrase},
		{"/account/signup", "name", "New", "email", "new@example.org", "password", phrase},
	} {
		if a := c.post(form[0], form[1:]...); a.status != http.StatusSeeOther {
			t.Errorf("%s: %d %s", form[0], a.status, a.body)
		}
	}
}

// Whatever ended the session, what was typed is there again after the log-in, and nothing is done by itself.
func TestWhatWasTypedSurvivesTheEndOfTheSession(t *testing.T) {
	for name, end := range map[string]func(*site, *client){
		"it ran out":          func(s *site, _ *client) { s.sql("UPDATE session SET expires_at = 1") },
		"revoked elsewhere":   func(s *site, _ *client) { s.sql("UPDATE session SET ended_at = 1") },
		"logged out in a tab": func(_ *site, c *client) { c.post("/account/logout") },
		"the cookie is lost":  func(_ *site, c *client) { c.cookie = "" },
		"another password": func(s *site, c *client) {
			d := s.browser(ada)
			d.post("/account/password", "old", password, "password", phrase)
		},
		"the browser was closed": func(_ *site, c *client) { c.cookie = "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.sql("UPDATE user SET notify = 'always' WHERE email = ?", ada)
			c := s.browser(ada)
			once := c.once("/jobs/new", "/jobs")
			end(s, c)
			typed := []string{"once", once, "text", good, "target", target, "name", "kept <name>", "build_args", "A=b",
				"context:files.tgz", archive(t, "hello.txt", "hi"), "start", "1"}
			a := c.post("/jobs", typed...)
			login := a.header.Get("Location")
			if a.status != http.StatusSeeOther || !strings.HasPrefix(login, "/account/login?next=") {
				t.Fatal(a.status, a.body)
			}
			page := c.get(login)
			next := html.UnescapeString(regexp.MustCompile(`name="next" value="([^"]+)"`).FindStringSubmatch(page.body)[1])
			if !strings.Contains(page.body, "is kept") {
				t.Error(page.body)
			}
			stranger := s.browser(bob)
			if p := stranger.get(next); strings.Contains(p.body, "kept &lt;name") ||
				!strings.Contains(p.body, "another account") {
				t.Error("somebody else sees the form, or isn't told")
			}
			word := password
			if name == "another password" {
				word = phrase
			}
			a = c.post("/account/login", "email", ada, "password", word, "next", next)
			for range 2 { // the page may be loaded again
				page = c.follow(a)
				for _, want := range []string{"COPY hello.txt /srv/", "kept &lt;name&gt;", "A=b", "files.tgz",
					"it was not processed"} {
					if !strings.Contains(page.body, want) {
						t.Fatalf("no %q in %s", want, page.body)
					}
				}
			}
			if s.stored() != "0 jobs, 0 revisions, 0 builds" {
				t.Error("it was done by itself: ", s.stored())
			}
			kept := regexp.MustCompile(`name="context_digest" value="([^"]+)"`).FindStringSubmatch(page.body)[1]
			if a := c.post("/jobs", "text", good, "target", target, "context_digest", kept, "start",
				"1"); a.status != http.StatusSeeOther || s.stored() != "1 jobs, 1 revisions, 1 builds" {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}

// Of a sender of whom nothing is known the text is kept, in that browser alone; its files are named, to be chosen
// again.
func TestAFormOfNobodyIsKeptInTheirBrowser(t *testing.T) {
	s := newSite(t)
	c := s.anybody()
	a := c.post("/jobs", "dockerfile:Dockerfile", good, "name", "mine", "context:files.tgz", archive(t, "hello.txt", "hi"))
	next := html.UnescapeString(regexp.MustCompile(`name="next" value="([^"]+)"`).FindStringSubmatch(c.get(a.header.Get("Location")).body)[1])
	if p := s.browser(bob).get(next); strings.Contains(p.body, "mine") {
		t.Error("another browser has it")
	}
	page := c.follow(c.post("/account/login", "email", ada, "password", password, "next", next))
	for _, want := range []string{"COPY hello.txt", "mine", "files.tgz (", "Choose this file again"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("no %q in %s", want, page.body)
		}
	}
}

// Other forms come back, too, without their passwords.
func TestOtherFormsOutliveTheirSession(t *testing.T) {
	m := newMailed(t)
	for _, form := range []struct {
		path, page, want string
		fields           []string
	}{
		{"/account/tokens", "/account/tokens", `value="nightly"`,
			[]string{"name", "nightly", "scope", "write", "days", "365"}},
		{"/account", "/account", `value="Ada L."`, []string{"name", "Ada L.", "notify", "always"}},
		{"/account/address", "/account/address", `value="new@example.org"`,
			[]string{"email", "new@example.org", "confirm", password}},
	} {
		c := m.browser(ada)
		m.sql("UPDATE session SET ended_at = 1")
		a := c.post(form.path, form.fields...)
		next := html.UnescapeString(regexp.MustCompile(`name="next" value="([^"]+)"`).FindStringSubmatch(c.get(a.header.Get("Location")).body)[1])
		page := c.follow(c.post("/account/login", "email", ada, "password", password, "next", next))
		if !strings.Contains(page.body, form.want) || strings.Contains(page.body, password) {
			t.Errorf("%s: %s", form.path, page.body)
		}
	}
	// In base64.
	if n := m.count("SELECT count(*) FROM draft WHERE instr(form, 'Y29ycmVjdCBob3JzZSBiYXR0ZXJ5') > 0"); n != 0 {
		t.Error("a password is kept")
	}
}

// A context that is too large, whatever its size: the form comes back with all else that was typed, also what stands
// behind it.
func TestATooLargeContextLeavesTheForm(t *testing.T) {
	s := newSite(t, smallContexts)
	c := s.browser(ada)
	for _, size := range []int{1<<20 + 1, 24 << 20} {
		a := c.post("/jobs", "text", simple, "context:big.tgz", strings.Repeat("x", size), "name", "behind it", "target",
			target, "build_args", "A=b")
		for _, want := range []string{"RUN true", `value="behind it"`, "A=b", `id="context-fault" class="fault"`,
			"big.tgz (", " selected>"} {
			if a.status != http.StatusRequestEntityTooLarge || !strings.Contains(a.body, want) {
				t.Errorf("%d bytes: %d, no %q in %.3000s", size, a.status, want, a.body)
			}
		}
	}
}

// All that is wrong is said at once, each at its field.
func TestAllFaultsAreToldAtOnce(t *testing.T) {
	m := newMailed(t)
	c := m.browser(ada)
	for _, form := range []struct {
		path, faults string
		fields       []string
	}{
		{"/jobs", "text name build_args root_keys target context",
			[]string{"text", "FROM debian:bookworm\nRUNN x\n", "name", strings.Repeat("n", 101), "build_args", "x", "root_keys",
				"y", "target", "none", "context:c.tgz", "z"}},
		{"/account/signup", "email name password", []string{"email", "x", "name", "\x07", "password", "short"}},
		{"/account/tokens", "name scope days", []string{"name", "", "scope", "all", "days", "-1"}},
		{"/account", "name notify", []string{"name", "\x07", "notify", "sometimes"}},
		{"/account/password", "old password", []string{"old", "wrong", "password", "short"}},
		{"/account/address", "email confirm", []string{"email", "x", "confirm", "wrong"}},
		{"/account/remove", "word confirm", []string{"word", "x", "confirm", "wrong"}},
	} {
		sender := c
		if form.path == "/account/signup" {
			sender = m.anybody()
		}
		a := sender.post(form.path, form.fields...)
		for field := range strings.FieldsSeq(form.faults) {
			if !strings.Contains(a.body, `id="`+field+`-fault" class="fault"`) {
				t.Errorf("%s doesn't say what is wrong with %s: %d %s", form.path, field, a.status, a.body)
			}
			if !regexp.MustCompile(`aria-describedby="[^"]*\b` + field + `-fault`).MatchString(a.body) {
				t.Errorf("%s: %s isn't described by its fault", form.path, field)
			}
		}
	}
	a := m.program(m.token(ada, "write")).post("/jobs", "text", "FRUM x\n", "name", strings.Repeat("n", 101),
		"build_args", "x", "target", target)
	list, _ := a.json(t)["errors"].([]any)
	var fields []string
	for _, e := range list {
		fields = append(fields, e.(map[string]any)["field"].(string))
	}
	slices.Sort(fields)
	if fmt.Sprint(fields) != "[build_args dockerfile name]" {
		t.Errorf("%s", a.body)
	}
	describe(t).holds("POST /jobs", nil, a)
}

// A field that is not there is refused, with what was meant.
func TestUnknownFieldsAreRefused(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "write"))
	id := c.addJob()
	before := s.stored()
	object := func(path, text string) *answer { return c.do("POST", path, "application/json", []byte(text)) }
	for name, a := range map[string]*answer{
		"a file":         c.post("/jobs", "dockerfle:Dockerfile", simple, "target", target),
		"a field":        c.post("/jobs", "text", simple, "traget", target),
		"a member":       object("/jobs", `{"txt":"FROM x","target":"`+target+`"}`),
		"of no form":     c.post("/jobs/"+id+"/start", "strat", "1"),
		"to check":       c.post("/jobs/check", "text", simple, "buildargs", "A=b"),
		"an update":      c.post("/jobs/"+id+"/update", "text", simple, "revison", "1"),
		"in the address": c.post("/jobs?start=1", "text", simple, "target", target),
		"far off":        c.post("/jobs", "text", simple, "target", target, "colour", "red"),
	} {
		p := a.json(t)
		if code := fmt.Sprint(p["code"]); a.status != 422 || !strings.HasPrefix(code, "unknown_") || p["advice"] == "" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		meant := map[string]string{"a file": "dockerfile", "a field": "target", "a member": "text",
			"to check": "build_args"}[name]
		if meant != "" && !strings.Contains(fmt.Sprint(p["advice"]), "“"+meant+"”") {
			t.Errorf("%s: %s", name, a.body)
		}
	}
	if a := s.browser(ada).post("/jobs", "text", simple, "traget", target); a.status != 422 ||
		!strings.Contains(a.body, "“traget”") || !strings.Contains(a.body, "RUN true") {
		t.Errorf("a browser: %d %s", a.status, a.body)
	}
	if s.stored() != before {
		t.Error(s.stored())
	}
}

// A blank line, of whatever, is no item.
func TestBlankLinesAreNoItems(t *testing.T) {
	s := newSite(t, "[limits]\njobs = 0")
	c := s.program(s.token(ada, "write"))
	for _, lines := range []string{"A=1\n\nB=2\n", "\r\nA=1\r\n \r\nB=2\r\n\r\n", "A=1\rB=2\r\r",
		"\t\n  A=1\n\u00a0\n\u3000\nB=2", "\ufeffA=1\n\u200b\nB=2\n", "\n\n\nA=1\nB=2"} {
		a := c.post("/jobs", "text", "FROM debian:bookworm\nARG A\nARG B\nRUN echo $A$B\n", "target", target, "build_args",
			lines)
		if a.status != 201 {
			t.Errorf("%q: %d %s", lines, a.status, a.body)
			continue
		}
		page := s.browser(ada).get(a.header.Get("Location")).body
		if n := strings.Count(html.UnescapeString(page), "--build-arg"); n != 2 {
			t.Errorf("%q: docker build has %d arguments", lines, n)
		}
	}
	for _, lines := range []string{"\n" + sshKey + " me\n\n", " \r\n" + sshKey + " me\r\n\u00a0\r\n",
		"\ufeff" + sshKey + " me\n\u200b\n"} {
		a := c.post("/jobs", "text", devuan, "target", machine, "root_keys", lines)
		if a.status != 201 {
			t.Errorf("%q: %d %s", lines, a.status, a.body)
			continue
		}
		if _, keys := accessOf(t, c, a.json(t)["id"].(string)); keys != sshKey+" me\n" {
			t.Errorf("%q: %q", lines, keys)
		}
	}
}

// The check says that it can be built exactly where the same form is taken.
func TestTheCheckKeepsItsWord(t *testing.T) {
	s := newSite(t, smallContexts+"\njobs = 2")
	c := s.program(s.token(ada, "write"))
	page := s.browser(ada)
	check := func(name string, fields []string) {
		t.Helper()
		checked := c.post("/jobs/check", fields...)
		said := checked.status == 200 && checked.json(t)["ok"] == true
		shown := page.post("/jobs/check", fields...)
		if can := strings.Contains(shown.body, "can be built, in"); can != said {
			t.Errorf("%s: the page says %v, the API %v: %s", name, can, said, checked.body)
		}
		if a := c.post("/jobs", fields...); (a.status == 201) != said {
			t.Errorf("%s: checked %d %s\nsent %d %s", name, checked.status, checked.body, a.status, a.body)
		} else if a.status == 201 {
			s.sql("UPDATE job SET removed_at = 1")
		}
	}
	for name, r := range rejected(t) {
		check(name, r.fields)
	}
	many := []string{}
	for i := range 10001 {
		many = append(many, fmt.Sprintf("f%d", i), "")
	}
	for name, fields := range map[string][]string{
		"good":             {"text", good, "target", target, "context:c.tgz", archive(t, "hello.txt", "hi")},
		"too many entries": {"text", simple, "target", target, "context:c.tgz", archive(t, many...)},
		"too large inside": {"text", simple, "target", target, "context:c.tgz",
			archive(t, "zeros", strings.Repeat("\x00", 65<<20))},
		"keys":            {"text", devuan, "target", machine, "root_keys", "none"},
		"another release": {"text", "FROM debian:bookworm\n", "target", "rootfs_amd64_daedalus"},
		"no target known": {"text", "FROM alpine\n"},
	} {
		check(name, fields)
	}
	c.addJob()
	c.addJob()
	for _, fields := range [][]string{{"text", simple, "target", target}} {
		a := c.post("/jobs/check", fields...)
		if a.status != 200 || a.json(t)["ok"] != false || !strings.Contains(a.body, "Your limit is 2") {
			t.Errorf("all jobs are taken: %d %s", a.status, a.body)
		}
		describe(t).holds("POST /jobs/check", nil, a)
	}
}

// An error's page that can't show the form again has what was typed.
func TestAnErrorsPageHasWhatWasTyped(t *testing.T) {
	s := newSite(t)
	c := s.browser(ada)
	s.sql("CREATE TRIGGER broken BEFORE INSERT ON job BEGIN SELECT raise(ABORT, 'no'); END")
	a := c.post("/jobs", "text", simple+"# typed <here>\n", "target", target)
	if a.status != 500 || !strings.Contains(a.body, "# typed &lt;here&gt;") {
		t.Errorf("%d %s", a.status, a.body)
	}
	s.sql("DROP TRIGGER broken")
	id := c.oneJob("gone")
	c.post("/jobs/" + id + "/remove")
	a = c.post("/jobs/"+id+"/update", "text", simple+"# typed\n", "revision", "1")
	if a.status != 404 || !strings.Contains(a.body, "# typed") || !strings.Contains(a.body, `action="/jobs"`) {
		t.Errorf("a change of a job that is gone: %d %s", a.status, a.body)
	}
}
