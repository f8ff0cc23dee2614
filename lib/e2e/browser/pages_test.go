package browser

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	cdp "github.com/chromedp/chromedp"
)

// npm installs what looks the pages over, below the user's cache: neither is part of toaster.
func npm(t *testing.T) (dir string) {
	t.Helper()
	need(t, "npm")
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	const axe, validator = "axe-core@4.11.0", "html-validate@9.7.1"
	dir = filepath.Join(cache, "toaster-test", strings.NewReplacer("@", "-").Replace(axe+"-"+validator))
	if _, err := os.Stat(filepath.Join(dir, "done")); err == nil {
		return dir
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--prefix",
		dir, axe, validator)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm: %v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "done"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// rules of the validator that are matters of taste, or that ace decides.
const validation = `{"extends": ["html-validate:recommended"], "rules": {
	"attr-quotes": "off", "attribute-empty-style": "off", "attribute-boolean-style": "off", "doctype-style": "off", "no-trailing-whitespace": "off",
	"void-style": "off", "no-inline-style": "error", "long-title": "off", "prefer-native-element": "off", "tel-non-breaking": "off", "no-raw-characters": "off",
	"require-sri": "off", "no-redundant-for": "off", "wcag/h30": "off", "no-implicit-button-type": "error"
}}`

// TestEveryPage looks at every page in every state: axe-core finds nothing that makes it hard to use, the HTML is
// valid, nothing is wider than the screen, and the console is calm. With SCREENSHOTS=FOLDER it leaves pictures there.
func TestEveryPage(t *testing.T) {
	tools := npm(t)
	axe, err := os.ReadFile(filepath.Join(tools, "node_modules/axe-core/axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t)
	html := filepath.Join(s.dir, "html")
	s.must(os.MkdirAll(html, 0o755))
	first := true
	for _, on := range append(screens, screen{"small", 320, 640, "light"}, screen{"night", 1280, 800, "dark"}) {
		w := s.open(t, on)
		for name, path := range map[string]string{
			"log in": "/account/login", "sign up": "/account/signup", "recover": "/account/recover", "front": "/",
			"help": "/help",
		} {
			w.page(on, name, path, string(axe), html)
		}
		w.logIn()
		if first {
			w.page(on, "no jobs yet", "/jobs", string(axe), html)
			s.states(w)
			first = false
		}
		for name, path := range s.pages() {
			w.page(on, name, path, string(axe), html)
		}
		w.calm()
		w.page(on, "not there", "/nothing", string(axe), html)
	}
	config := filepath.Join(s.dir, ".htmlvalidate.json")
	s.must(os.WriteFile(config, []byte(validation), 0o644))
	out, err := exec.Command(filepath.Join(tools, "node_modules/.bin/html-validate"), "--config", config, "--formatter",
		"text", html+"/*.html").CombinedOutput()
	if err != nil {
		t.Errorf("html-validate: %v\n%s", err, strings.ReplaceAll(string(out), html+"/", ""))
	}
}

// jobs are the names of jobs in each state.
var jobs = map[string]string{"new": "plan", "queued": "turn", "running": "work", "succeeded": "bread",
	"failed": "crumb", "aborted": "half", "lost": "ghost"}

// states makes a job in each state that a job can be in, by hand.
func (s *site) states(w *tab) {
	s.Helper()
	for _, name := range jobs {
		w.visit("/jobs/new?target=" + target)
		w.do(keys("#text", simple), keys("#name", name+" <job>"))
		w.follow(click("form.form button[type=submit]:not([name])"))
	}
	w.visit("/jobs/" + s.id("succeeded"))
	w.follow(click("form[action$='/start'] button"))
	stop := s.builds(quick)
	w.says("succeeded")
	w.follow(click("form[action$='/start'] button"))
	w.says("succeeded")
	w.visit("/jobs/" + s.id("failed"))
	stop()
	stop = s.builds("echo 'TOASTER-STEP 1/2 1 FROM debian:bookworm'\necho 'TOASTER-STEP 2/2 2 RUN echo hello'\n" +
		"echo 'E: Unable to locate package nonsense'\necho 'TOASTER-FAILED 2/2 2 exit 100'\nexit 6\n")
	w.follow(click("form[action$='/start'] button"))
	w.says("failed")
	stop()
	for _, state := range []string{"queued", "running", "aborted", "lost"} {
		s.sql("INSERT INTO build (job_id, number, revision, state, reason, queued_at, started_at, ended_at, step, steps, "+
			"step_line, finalized) SELECT id, 1, 1, ?, ?, 1900000000000, "+
			"CASE ? WHEN 'queued' THEN NULL ELSE 1900000001000 END, CASE WHEN ? IN ('queued', 'running') THEN NULL ELSE "+
			"1900000002000 END, 1, 2, 1, 1 FROM job WHERE name = ?",
			state, "waits for a runner", state, state, jobs[state]+" <job>")
	}
	s.sql("INSERT INTO hook (id, job_id, url, secret, created_at, gone_at) VALUES (1, ?, ?, x'00', 1900000000000, "+
		"1900000000000)", s.id("new"), "https://ci.example.org/"+strings.Repeat("hook", 40))
	for n, text := range []string{"", "The receiver answered with status 500.", "The name of the host does not exist."} {
		s.sql("INSERT INTO hook_message (id, hook_id, build, created_at, next_at) VALUES (?, 1, nullif(?, 2), 1900000000000, "+
			"1900000000000)", n+1, n)
		s.sql("INSERT INTO hook_delivery (hook_id, message_id, at, took_ms, status, answer, error) VALUES (1, ?, "+
			"1900000000000, 12, ?, ?, ?)", n+1, []int{200, 500, 0}[n], strings.Repeat("answer", 100), text)
	}
}

// id is the job of that state.
func (s *site) id(state string) (id string) {
	s.Helper()
	page, err := s.db.AllJobs(s.Context())
	s.must(err)
	for _, j := range page {
		if j.Name == jobs[state]+" <job>" {
			return j.ID
		}
	}
	s.Fatalf("there is no job %q", state)
	return ""
}

// pages are the pages of somebody who is logged in.
func (s *site) pages() map[string]string {
	list := map[string]string{
		"jobs": "/jobs", "no such jobs": "/jobs?q=nothing", "new job": "/jobs/new", "feed": "/jobs/feed",
		"account": "/account",
		"remove":  "/jobs/" + s.id("new") + "/remove", "change": "/jobs/" + s.id("new") + "/update",
		"compare": "/jobs/" + s.id("succeeded") + "/compare",
		"hooks":   "/jobs/" + s.id("new") + "/hooks", "hook": "/jobs/" + s.id("new") + "/hooks/1",
	}
	for _, name := range []string{"password", "address", "sessions", "factor", "tokens", "remove"} {
		list["account "+name] = "/account/" + name
	}
	for _, name := range []string{"people", "people/1", "people/1/remove", "jobs", "jobs/" + s.id("running"), "health",
		"audit"} {
		list["admin "+strings.ReplaceAll(name, "/", " ")] = "/admin/" + name
	}
	for state := range jobs {
		list["job "+state] = "/jobs/" + s.id(state)
		if state != "new" {
			list["build "+state] = "/jobs/" + s.id(state) + "/builds/1"
		}
	}
	return list
}

// page looks a page over.
func (w *tab) page(on screen, name, path, axe, html string) {
	w.Helper()
	w.visit(path)
	where := fmt.Sprintf("%s (%s) on a %s", name, path, on.name)
	file := strings.ReplaceAll(name, " ", "-") + "-" + on.name
	if pictures := os.Getenv("SCREENSHOTS"); pictures != "" {
		w.must(os.MkdirAll(pictures, 0o755))
		w.must(os.WriteFile(filepath.Join(pictures, file+".png"), get(w, cdp.FullScreenshot(90)), 0o644))
	}
	if wide := get(w, cdp.Evaluate[int]("document.documentElement.scrollWidth - innerWidth")); wide > 0 {
		w.Errorf("%s is %d pixels wider than the screen", where, wide)
	}
	if on.name == "desk" {
		source := get(w, cdp.Evaluate[string]("fetch(location.href).then((a) => a.text())", cdp.EvalAwaitPromise))
		w.must(os.WriteFile(filepath.Join(html, file+".html"), []byte(source), 0o644))
	}
	if on.name == "small" || on.name == "night" {
		return // the other two have the same colours
	}
	w.do(cdp.Evaluate[cdp.Void](axe))
	result := get(w, cdp.Evaluate[string]("axe.run(document, {resultTypes: ['violations']}).then((r) => "+
		"JSON.stringify(r.violations))", cdp.EvalAwaitPromise))
	var violations []struct {
		ID, Help string
		Nodes    []struct{ HTML, FailureSummary string }
	}
	w.must(json.Unmarshal([]byte(result), &violations))
	for _, v := range violations {
		w.Errorf("%s: %s: %s\n%s\n%s", where, v.ID, v.Help, v.Nodes[0].HTML, v.Nodes[0].FailureSummary)
	}
}
