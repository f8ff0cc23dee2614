package cgibin

import (
	"archive/zip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"toaster.do/lib/config"
	"toaster.do/lib/hooks"
	"toaster.do/lib/store"
)

// hookOf gives a job hook 7, with delivery 7, and no others.
func (s *site) hookOf(job string) {
	s.t.Helper()
	s.sql("DELETE FROM hook; DELETE FROM hook_message; DELETE FROM hook_delivery")
	s.sql("INSERT INTO hook (id, job_id, url, secret, created_at) VALUES (7, ?, 'https://example.org/', x'00', 1)", job)
	s.sql("INSERT INTO hook_message (id, hook_id, created_at) VALUES (7, 7, 1)")
	s.sql("INSERT INTO hook_delivery VALUES (7, 7, 7, 1, 1, 0, '', 'No.')")
}

// hooks tries what is described of hooks.
func (d *description) hooks(s *site, write *client, id string) {
	d.t.Helper()
	s.hookOf(id)
	d.holds("POST /jobs/{id}/hooks/start", map[string]string{"id": id}, write.post("/jobs/"+id+"/hooks/start"))
	one := "/jobs/" + id + "/hooks/7"
	for _, c := range []struct {
		operation, path string
		status          int
		form            []string
	}{
		{"GET /jobs/{id}/hooks", "/jobs/" + id + "/hooks", 200, nil},
		{"POST /jobs/{id}/hooks", "/jobs/" + id + "/hooks", 201, []string{"url", "https://example.org/hook"}},
		{"POST /jobs/{id}/hooks", "/jobs/" + id + "/hooks", 422, []string{"url", "http://10.0.0.1/"}},
		{"POST /jobs/{id}/hooks/start", "/jobs/" + id + "/hooks/start", 204, []string{"start", "0"}},
		{"GET /jobs/{id}/hooks/{hook}", one, 200, nil},
		{"GET /jobs/{id}/hooks/{hook}/deliveries", one + "/deliveries", 200, nil},
		{"POST /jobs/{id}/hooks/{hook}/test", one + "/test", 202, nil},
		{"POST /jobs/{id}/hooks/{hook}/deliveries/{delivery}/send", one + "/deliveries/7/send", 202, nil},
		{"POST /jobs/{id}/hooks/{hook}/update", one + "/update", 200, []string{"enabled", "0"}},
		{"POST /jobs/{id}/hooks/{hook}/test", one + "/test", 409, nil},
		{"POST /jobs/{id}/hooks/{hook}/secret", one + "/secret", 200, nil},
		{"POST /jobs/{id}/hooks/{hook}/delete", one + "/delete", 204, nil},
	} {
		a := write.get(c.path)
		if strings.HasPrefix(c.operation, "POST") {
			a = write.post(c.path, c.form...)
		}
		if a.status != c.status {
			d.t.Errorf("%s: %d, not %d: %s", c.operation, a.status, c.status, a.body)
		}
		d.holds(c.operation, map[string]string{"id": id, "hook": "7", "delivery": "7", "secret": "x"}, a)
	}
	s.hookOf(id)
	secret := write.post("/jobs/" + id + "/hooks/start").json(d.t)["secret"].(string)
	nobody := s.anybody()
	d.holds("POST /jobs/{id}/push", map[string]string{"id": id}, nobody.with("Authorization", "Bearer "+secret).
		post("/jobs/"+id+"/push"))
	d.holds("POST /jobs/{id}/push", map[string]string{"id": id}, nobody.with("Authorization", "Bearer "+secret).
		with("X-GitHub-Event", "ping").post("/jobs/"+id+"/push"))
	d.holds("POST /jobs/push/{secret}", map[string]string{"secret": "x"}, nobody.post("/jobs/push/"+id+"-"+secret))
}

// sync sends what hooks are to send, as “toasterctl sync” does.
func (s *site) sync() {
	s.t.Helper()
	cfg, err := config.Load(s.conf())
	s.must(err)
	sender := hooks.Sender{Store: s.db, Config: cfg, Agent: "toaster/test", Now: time.Now,
		Log: slog.New(slog.DiscardHandler)}
	s.must(sender.Deliver(s.t.Context()))
}

var whsec = regexp.MustCompile(`whsec_[0-9A-Za-z]{32}`)

// A person makes a hook on the page, sees its secret once, and what was sent.
func TestAHookIsMadeAndCalled(t *testing.T) {
	type call struct {
		header http.Header
		body   []byte
	}
	var mu sync.Mutex // messages are sent at the same time
	var calls []call
	status := 200
	r := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, call{q.Header, body})
		w.WriteHeader(status)
		io.WriteString(w, "<i>thanks</i>")
	}))
	defer r.Close()
	host := strings.TrimPrefix(r.URL, "http://")
	s := newSite(t, "[hooks]\nallow = [\""+host+"\"]\n[site]\nurl = \"https://toaster.example.org\"")
	c, program := s.browser(ada), s.program(s.token(ada, "write"))
	id := program.addJob()
	page := "/jobs/" + id + "/hooks"
	for wrong, want := range map[string]string{"http://10.0.0.1/x": "must begin with https://",
		"https://10.0.0.1/x": "private network", "nonsense": "not a valid address"} {
		if a := c.post(page, "url", wrong); a.status != 422 || !strings.Contains(a.body, want) ||
			!strings.Contains(a.body, `value="`+wrong+`"`) {
			t.Errorf("%s: %d %s", wrong, a.status, a.body)
		}
	}
	made := c.post(page, "url", r.URL+"/hook?key=geheim")
	shown := c.follow(made)
	secret := whsec.FindString(shown.body)
	if shown.status != 200 || secret == "" {
		t.Fatalf("%d %s", shown.status, shown.body)
	}
	at, _, _ := strings.Cut(made.header.Get("Location"), "?")
	at = strings.TrimPrefix(at, s.prefix)
	if a := c.get(strings.TrimPrefix(made.header.Get("Location"), s.prefix)); strings.Contains(a.body, secret) ||
		!strings.Contains(a.body, "was shown once") {
		t.Error("the secret is shown again")
	}
	program.post("/jobs/" + id + "/start")
	s.run(program, id, 1, "mkdir dist; echo x >dist/image.bin")
	c.post(at + "/test")
	s.sync()
	if len(calls) != 2 {
		t.Fatalf("%d calls", len(calls))
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	s.must(err)
	kinds := ""
	for _, m := range calls {
		h := hmac.New(sha256.New, key)
		fmt.Fprintf(h, "%s.%s.%s", m.header.Get("webhook-id"), m.header.Get("webhook-timestamp"), m.body)
		if m.header.Get("webhook-signature") != "v1,"+base64.StdEncoding.EncodeToString(h.Sum(nil)) {
			t.Error("a wrong signature")
		}
		kinds += regexp.MustCompile(`"type":"[^"]*"`).FindString(string(m.body))
	}
	if !strings.Contains(kinds, "build.succeeded") || !strings.Contains(kinds, "hook.test") {
		t.Error(kinds)
	}
	status = 500
	log := c.get(at)
	for _, want := range []string{"Build 1", "status 200", "&lt;i&gt;thanks&lt;/i&gt;", "Send again",
		r.URL + "/hook?key=geheim"} {
		if !strings.Contains(log.body, want) {
			t.Errorf("%q is not on the page: %s", want, log.body)
		}
	}
	list := program.get(at + "/deliveries").json(t)["deliveries"].([]any)
	send := fmt.Sprintf("%s/deliveries/%v/send", at, list[0].(map[string]any)["id"])
	c.post(send)
	s.sync()
	if a := c.get(at); len(calls) != 3 || !strings.Contains(a.body, "The receiver answered with status 500.") ||
		!strings.Contains(a.body, "1 waiting to be sent") {
		t.Errorf("%d calls: %s", len(calls), a.body)
	}
	german := c.with("Accept-Language", "de").get(at)
	if !strings.Contains(german.body, "Der Empfänger hat mit dem Status 500 geantwortet.") {
		t.Error(german.body)
	}
	renewed := whsec.FindString(c.follow(c.post(at + "/secret")).body)
	if renewed == "" || renewed == secret {
		t.Errorf("renewed: %q", renewed)
	}
	for range 4 {
		program.post(page, "url", r.URL)
	}
	if a := program.post(page, "url", r.URL); a.status != 403 || a.json(t)["code"] != "quota_hooks" {
		t.Errorf("a sixth: %d %s", a.status, a.body)
	}
	s.leavesNothing(c, id, at, secret, renewed)
}

// leavesNothing wants hooks to be in the export and the audit trail, their secrets in neither, nor in a copy of the
// database, and nothing of them to be left when their owner has gone.
func (s *site) leavesNothing(c *client, id, at, secret, renewed string) {
	t := s.t
	t.Helper()
	copied := s.dir + "/copy"
	s.must(store.Snapshot(t.Context(), s.cfg.Paths.Database, copied))
	export := unzipped(t, c.get("/account/export").body)
	entries, err := s.db.AuditEntries(t.Context(), store.AuditQuery{Action: "hook", Limit: 100})
	s.must(err)
	trail := fmt.Sprintf("%+v", entries)
	for name, text := range map[string]string{"export": export, "copy": string(read(t, copied)), "trail": trail,
		"database": string(read(t, s.cfg.Paths.Database)) + string(read(t, s.cfg.Paths.Database+"-wal"))} {
		if strings.Contains(text, secret) || strings.Contains(text, renewed) {
			t.Errorf("the %s has a secret", name)
		}
	}
	if !strings.Contains(export, "/hook?key=geheim") || !strings.Contains(trail, "hook.add") ||
		!strings.Contains(trail, "hook.secret") || strings.Contains(trail, "geheim") {
		t.Errorf("%s\n%s", export, trail)
	}
	for _, path := range []string{at, at + "/deliveries"} {
		if a := s.browser(bob).get(path); a.status != 404 {
			t.Errorf("another person's hook: %d", a.status)
		}
	}
	if c.post(at + "/delete"); c.get(at).status != 404 {
		t.Error("it is not deleted")
	}
	c.post("/jobs/"+id+"/hooks/start", "start", "1")
	if a := c.post("/account/remove", "confirm", password, "word", "delete"); a.status != 303 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	db := s.open()
	defer db.Close()
	var n int
	s.must(db.QueryRow("SELECT (SELECT count(*) FROM hook) + (SELECT count(*) FROM hook_message) + " +
		"(SELECT count(*) FROM hook_delivery) + (SELECT count(*) FROM start_hook)").Scan(&n))
	if n != 0 {
		t.Errorf("%d rows are left", n)
	}
}

// unzipped is the contents of all files of an archive.
func unzipped(t *testing.T, archive string) string {
	t.Helper()
	z, err := zip.NewReader(strings.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(&all, r)
		r.Close()
	}
	return all.String()
}

// caller is who knows a job's start hook.
type caller struct {
	*site
	id, secret string
	program    *client
}

func newCaller(t *testing.T) *caller {
	s := newSite(t, "[limits]\nbuilds_per_day = 3\nconcurrent_builds = 3")
	c := &caller{site: s, program: s.program(s.token(ada, "write"))}
	c.id = c.program.addJob()
	c.secret = c.program.post("/jobs/" + c.id + "/hooks/start").json(t)["secret"].(string)
	return c
}

// call sends a body to the job's start hook: headers are names and values in turn.
func (c *caller) call(body string, headers ...string) *answer {
	return c.callAt(c.id+"/push", body, headers...)
}

func (c *caller) callAt(path, body string, headers ...string) *answer {
	c.t.Helper()
	c.sql("DELETE FROM rate_limit_event")
	d, kind := c.anybody(), "application/json"
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Content-Type" {
			kind = headers[i+1]
			continue
		}
		d = d.with(headers[i], headers[i+1])
	}
	return d.do("POST", "/jobs/"+path, kind, []byte(body))
}

func hexMAC(key, text string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}

// standard signs a body by Standard Webhooks.
func standard(t *testing.T, secret, body string, at time.Time) []string {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	h, seconds := hmac.New(sha256.New, key), strconv.FormatInt(at.Unix(), 10)
	h.Write([]byte("msg_1." + seconds + "." + body))
	return []string{"Webhook-Id", "msg_1", "Webhook-Timestamp", seconds, "Webhook-Signature",
		"v1,AAAA v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))}
}

const pushed = `{"ref":"refs/heads/main","before":"` + "1111" + `","after":"2222","repository":{"name":"x"}}`

// Everybody who knows the secret starts a build, in their way, and nobody else.
func TestCallsStartBuilds(t *testing.T) {
	c := newCaller(t)
	form := "payload=" + strings.NewReplacer("{", "%7B", "}", "%7D", `"`, "%22", ":", "%3A").Replace(pushed)
	good := map[string]*answer{
		"GitHub": c.call(pushed, "X-GitHub-Event", "push", "X-Hub-Signature-256", "sha256="+hexMAC(c.secret, pushed)),
		"GitHub's form": c.call(form, "Content-Type", "application/x-www-form-urlencoded", "X-GitHub-Event", "push",
			"X-Hub-Signature-256", "sha256="+hexMAC(c.secret, form)),
		"Gitea":   c.call(pushed, "X-Gitea-Event", "push", "X-Gitea-Signature", hexMAC(c.secret, pushed)),
		"Forgejo": c.call(pushed, "X-GitHub-Event", "push", "X-Forgejo-Signature", hexMAC(c.secret, pushed)),
		"GitLab":  c.call(pushed, "X-Gitlab-Event", "Push Hook", "X-Gitlab-Token", c.secret),
		"Standard Webhooks": c.call(`{"type":"build.succeeded"}`,
			standard(t, c.secret, `{"type":"build.succeeded"}`, time.Now())...),
		"a script":           c.call("", "Authorization", "Bearer "+c.secret),
		"a script of text":   c.call("anything", "Authorization", "bearer "+c.secret, "Content-Type", "text/plain"),
		"a plain address":    c.callAt("push/"+c.id+"-"+c.secret, ""),
		"an address, a push": c.callAt("push/"+c.id+"-"+c.secret, pushed, "X-GitHub-Event", "push"),
	}
	started := 0
	for who, a := range good {
		// The first one waits, and takes in those that follow.
		b := a.json(t)
		if b["started"] == true {
			started++
		}
		if a.status != http.StatusAccepted || b["number"] != 1.0 || b["started"] == b["already"] ||
			b["url"] != "http://www.example.org/jobs/"+c.id+"/builds/1" ||
			a.header.Get("Location") != "/jobs/"+c.id+"/builds/1" {
			t.Errorf("%s: %d %s", who, a.status, a.body)
		}
		if strings.Contains(a.log, c.secret) {
			t.Errorf("%s: the log has the secret: %s", who, a.log)
		}
	}
	if started != 1 {
		t.Errorf("%d calls have started a build", started)
	}
	if now := c.program.get("/jobs/" + c.id + "/hooks").json(t)["start"].(map[string]any); now["used_at"] == nil {
		t.Error(now)
	}
	for why, a := range map[string]*answer{
		"a ping": c.call(`{"zen":"x"}`, "X-GitHub-Event", "ping", "Authorization", "Bearer "+c.secret),
		"issues": c.call(`{}`, "X-Gitea-Event", "issues", "Authorization", "Bearer "+c.secret),
		"a note": c.call(`{}`, "X-Gitlab-Event", "Note Hook", "X-Gitlab-Token", c.secret),
		"a deleted branch": c.call(`{"ref":"refs/heads/x","after":"0000000000000000000000000000000000000000"}`,
			"X-GitHub-Event", "push", "Authorization", "Bearer "+c.secret),
		"a failure": c.call(`{"type":"build.failed"}`, "Authorization", "Bearer "+c.secret),
		"our test": c.call(`{"type":"hook.test"}`, standard(t, c.secret, `{"type":"hook.test"}`,
			time.Now())...),
	} {
		if b := a.json(t); a.status != http.StatusOK || b["started"] != false || b["reason"] == "" {
			t.Errorf("%s: %d %s", why, a.status, a.body)
		}
	}
}

// Whoever doesn't know the secret learns nothing.
func TestStrangersStartNothing(t *testing.T) {
	c := newCaller(t)
	unknown := c.callAt("zzzzzzzzzzzz/push", "", "Authorization", "Bearer "+c.secret)
	instance := regexp.MustCompile(`"instance":"[^"]*"`)
	wrong := strings.Replace(c.secret, "whsec_", "whsec_A", 1)
	other := c.program
	for why, a := range map[string]*answer{
		"nothing":           c.call(pushed, "X-GitHub-Event", "push"),
		"a wrong secret":    c.call(pushed, "Authorization", "Bearer "+wrong),
		"an empty one":      c.call(pushed, "Authorization", "Bearer "),
		"a wrong signature": c.call(pushed, "X-Hub-Signature-256", "sha256="+hexMAC(wrong, pushed)),
		"another body's":    c.call(pushed+" ", "X-Hub-Signature-256", "sha256="+hexMAC(c.secret, pushed)),
		"an old one":        c.call(pushed, standard(t, c.secret, pushed, time.Now().Add(-6*time.Minute))...),
		"one of later":      c.call(pushed, standard(t, c.secret, pushed, time.Now().Add(6*time.Minute))...),
		"a wrong address":   c.callAt("push/"+c.id+"-"+wrong, ""),
		"half an address":   c.callAt("push/"+c.id, ""),
		"an API token":      c.call("", "Authorization", other.header.Get("Authorization")),
		"a session":         c.browser(ada).do("POST", "/jobs/"+c.id+"/push", "application/json", nil),
	} {
		if a.status != http.StatusNotFound || a.header.Get("Content-Type") != "application/problem+json" ||
			instance.ReplaceAllString(a.body, "") != instance.ReplaceAllString(unknown.body, "") {
			t.Errorf("%s: %d %s", why, a.status, a.body)
		}
	}
	if a := c.call(strings.Repeat("x", hooks.MostBody+1), "Authorization", "Bearer "+c.secret); a.status != 413 {
		t.Errorf("a large body: %d %s", a.status, a.body)
	}
	if got := c.stored(); !strings.Contains(got, " 0 builds") {
		t.Error(got)
	}
	if n := c.count("SELECT count(*) FROM rate_limit_event WHERE key LIKE 'push:address:%'"); n == 0 {
		t.Error("strangers may try as often as they like")
	}
	c.program.post("/jobs/"+c.id+"/hooks/start", "start", "0")
	if a := c.call("", "Authorization", "Bearer "+c.secret); a.status != 404 {
		t.Errorf("deleted: %d", a.status)
	}
	renewed := c.program.post("/jobs/" + c.id + "/hooks/start").json(t)["secret"].(string)
	c.sql("UPDATE user SET state = 'suspended' WHERE email = ?", ada)
	if a := c.call("", "Authorization", "Bearer "+renewed); a.status != 404 {
		t.Errorf("of somebody who is suspended: %d", a.status)
	}
}

// A hook, and a test of it, are made once however often the request is sent, also where its answer was lost.
func TestAHookIsMadeOnce(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "write"))
	page := "/jobs/" + c.addJob() + "/hooks"
	add, test := c.with("Idempotency-Key", "add"), c.with("Idempotency-Key", "test")
	var ids []any
	for range 2 {
		a := add.post(page, "url", "https://example.org/")
		ids = append(ids, a.json(t)["id"])
		one := fmt.Sprintf("%s/%v", page, ids[0])
		if b := test.post(one + "/test"); a.status != 201 || a.header.Get("Location") != one || b.status > 202 ||
			b.json(t)["waiting"] != 1.0 {
			t.Errorf("%d %s\n%d %s", a.status, a.body, b.status, b.body)
		}
		s.sql("UPDATE once SET answer = NULL, at = at - 600000")
	}
	if n := s.count("SELECT count(*) FROM hook"); n != 1 || ids[0] != ids[1] {
		t.Errorf("%d hooks, %v", n, ids)
	}
	if n := s.count("SELECT count(*) FROM hook_message"); n != 1 {
		t.Errorf("%d messages", n)
	}
}

// The owner's limits hold, and so does a disabled job.
func TestCallsKeepToTheLimits(t *testing.T) {
	c := newCaller(t)
	for n := 1; n <= 4; n++ {
		a := c.call("", "Authorization", "Bearer "+c.secret)
		if want := map[bool]int{true: 202, false: 403}[n <= 3]; a.status != want {
			t.Fatalf("call %d: %d %s", n, a.status, a.body)
		}
		c.sql("UPDATE build SET state = 'failed', finalized = 1, ended_at = queued_at")
	}
	c.program.post("/jobs/" + c.id + "/disable")
	if a := c.call("", "Authorization", "Bearer "+c.secret); a.status != 409 {
		t.Errorf("a disabled job: %d %s", a.status, a.body)
	}
	// Many who push share the network of their Git forge.
	if n := c.count("SELECT count(*) FROM rate_limit_event WHERE key LIKE 'push:address:%'"); n != 0 {
		t.Errorf("%d genuine calls are counted for their network", n)
	}
	ping := c.anybody().with("Authorization", "Bearer "+c.secret).with("X-GitHub-Event", "ping")
	for key, sender := range map[string]*client{"push:job ": ping.with("X-GitHub-Event", "push"), "push:call ": ping} {
		c.sql("DELETE FROM rate_limit_event")
		if a := ping.do("POST", "/jobs/"+c.id+"/push", "", nil); a.status != 200 {
			t.Errorf("%s: %d %s", key, a.status, a.body)
		}
		for range 120 {
			c.sql("INSERT INTO rate_limit_event VALUES (? || ?, ?)", key, c.id, time.Now().UnixMilli())
		}
		a := sender.do("POST", "/jobs/"+c.id+"/push", "", nil)
		if a.status != 429 || a.header.Get("Retry-After") == "" {
			t.Errorf("%s, too often: %d %s", key, a.status, a.body)
		}
	}
}
