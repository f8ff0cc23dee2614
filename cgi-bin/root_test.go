package cgibin

import (
	"encoding/base64"
	"html"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

const (
	machine = "vm_amd64_daedalus"
	devuan  = "FROM devuan/devuan:daedalus\nRUN true\n"
	sshKey  = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
)

var passwordForm = regexp.MustCompile(`^[a-z2-9]{20}$`)

// accessOf is what a job's script gives root: the hash of a password, and keys.
func accessOf(t *testing.T, c *client, id string) (hash, keys string) {
	t.Helper()
	script := c.get("/jobs/" + id + "/script").body
	found := regexp.MustCompile(`(?m)^ROOT_KEYS='?(.*?)'?\nROOT_HASH='(.*)'$`).FindStringSubmatch(script)
	if found == nil {
		t.Fatalf("%.3000s", script)
	}
	text, err := base64.StdEncoding.DecodeString(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return found[2], string(text)
}

// A new password for root is in one answer, and nowhere else: not in the job, its script, its log, or the database.
func TestAProgramGetsRootsPasswordOnce(t *testing.T) {
	s := newSite(t)
	d, c := describe(t), s.program(s.token(ada, "write"))
	a := c.post("/jobs", "text", devuan, "target", machine, "start", "1")
	d.holds("POST /jobs", nil, a)
	j := a.json(t)
	id, password := j["id"].(string), j["root_password"].(string)
	if a.status != http.StatusCreated || !passwordForm.MatchString(password) {
		t.Fatalf("%d %s", a.status, a.body)
	}
	for _, path := range []string{"", "/script", "/blend", "/builds/1"} {
		if a := c.get("/jobs/" + id + path); a.status != 200 || strings.Contains(a.body, password) ||
			strings.Contains(a.body, "root_password") {
			t.Errorf("%s: %d %.300s", path, a.status, a.body)
		}
	}
	files, err := os.ReadDir(s.dir + "/db")
	s.must(err)
	for _, f := range files {
		text, err := os.ReadFile(s.dir + "/db/" + f.Name())
		s.must(err)
		if strings.Contains(string(text), password) {
			t.Error("the password is in " + f.Name())
		}
	}
	first, _ := accessOf(t, c, id)
	if !strings.HasPrefix(first, "$6$") {
		t.Errorf("the script has the hash %q", first)
	}
	update := func(fields ...string) (password any, hash, keys string) {
		t.Helper()
		a := c.post("/jobs/"+id+"/update", append(fields, "text", devuan)...)
		if d.holds("POST /jobs/{id}/update", map[string]string{"id": id}, a); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		hash, keys = accessOf(t, c, id)
		return a.json(t)["root_password"], hash, keys
	}
	if p, hash, _ := update(); p != nil || hash != first {
		t.Errorf("a change made another password: %v", p)
	}
	if p, hash, _ := update("new_password", "1"); p == nil || p == password || hash == first || hash == "" {
		t.Errorf("no other password: %v", p)
	}
	if p, hash, keys := update("root_keys", sshKey+" me"); p != nil || hash != "" || keys != sshKey+" me\n" {
		t.Errorf("with a key: %v %q %q", p, hash, keys)
	}
	if p, hash, keys := update(); p != nil || hash != "" || keys != sshKey+" me\n" {
		t.Errorf("nothing was said of keys, and they went: %v %q %q", p, hash, keys)
	}
	if p, hash, keys := update("root_keys", ""); p == nil || hash == "" || keys != "" {
		t.Errorf("without a key any more: %v %q %q", p, hash, keys)
	}
}

// Where the build can't begin, the password is in the answer that says so.
func TestThePasswordIsToldAlthoughNothingIsBuilt(t *testing.T) {
	s := newSite(t, "[limits]\nconcurrent_builds = 1\n")
	program := s.program(s.token(ada, "write"))
	program.addJob("start", "1")
	a := program.post("/jobs", "text", devuan, "target", machine, "start", "1")
	if p, _ := a.json(t)["root_password"].(string); a.status != http.StatusCreated || !passwordForm.MatchString(p) ||
		!strings.Contains(a.body, `"start_error":{"code":"quota"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	c := s.browser(ada)
	a = c.follow(c.post("/jobs", "text", devuan, "target", machine, "start", "1"))
	if shown(a.body) == "" || !strings.Contains(a.body, `role="alert"`) ||
		!strings.Contains(a.body, "the build did not start") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// shown is the password on a page; empty: there is none.
func shown(page string) string {
	if m := regexp.MustCompile(`<code class="key">([a-z2-9]{20})</code>`).FindStringSubmatch(page); m != nil {
		return m[1]
	}
	return ""
}

func TestAPersonSeesRootsPasswordOnce(t *testing.T) {
	s := newSite(t)
	c := s.browser(ada)
	a := c.follow(c.post("/jobs", "text", devuan, "target", machine, "start", "1", "root_keys", ""))
	link := regexp.MustCompile(`href="(/jobs/([a-z0-9]{12})/builds/1)"`).FindStringSubmatch(a.body)
	if a.status != http.StatusOK || shown(a.body) == "" || link == nil || a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	id := link[2]
	for _, path := range []string{link[1], "/jobs/" + id, "/jobs/" + id + "/update"} {
		if page := c.get(path); page.status != 200 || strings.Contains(page.body, shown(a.body)) {
			t.Errorf("%s: %d", path, page.status)
		}
	}
	// Lost: the form of a change makes another.
	if page := c.get("/jobs/" + id + "/update").body; !strings.Contains(page, `name="new_password"`) {
		t.Error(page)
	}
	again := c.follow(c.post("/jobs/"+id+"/update", "text", devuan, "revision", "1", "root_keys", "", "new_password", "1"))
	if again.status != 200 || shown(again.body) == "" || shown(again.body) == shown(a.body) ||
		!strings.Contains(again.body, `href="/jobs/`+id+`?note=updated"`) {
		t.Errorf("%d %s", again.status, again.body)
	}
	// With a key there is none to show.
	a = c.post("/jobs/"+id+"/update", "text", devuan, "revision", "2", "root_keys", sshKey+" <me>")
	if a.status != http.StatusSeeOther {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, path := range []string{"", "/update", "/copy"} {
		if page := c.get("/jobs/" + id + path).body; !strings.Contains(page, sshKey+" &lt;me&gt;") ||
			strings.Contains(page, `name="new_password"`) {
			t.Errorf("%s: %s", path, page)
		}
	}
}

// What next with an image says how root gets in.
func TestAFinishedBuildSaysHowRootLogsIn(t *testing.T) {
	s := newSite(t)
	program, c := s.program(s.token(ada, "write")), s.browser(ada)
	for name, want := range map[string]string{"": "password that was shown once", sshKey: "SSH key of the job"} {
		a := program.post("/jobs", "text", devuan, "target", machine, "start", "1", "root_keys", name)
		id := a.json(t)["id"].(string)
		s.run(program, id, 1, "mkdir dist; echo x >dist/vm_amd64_daedalus.qcow2\n")
		if page := html.UnescapeString(c.get("/jobs/" + id + "/builds/1").body); !strings.Contains(page, "Log in as root") ||
			!strings.Contains(page, want) {
			t.Errorf("%q is not on the page: %s", want, page)
		}
		if name == "" { // of a job of earlier times nothing is known
			s.sql("DELETE FROM root_access")
			if page := html.UnescapeString(c.get("/jobs/" + id + "/builds/1").body); !strings.Contains(page,
				"The root password is locked") {
				t.Error(page)
			}
		}
	}
}

func TestWhatIsNoPublicKeyIsRefused(t *testing.T) {
	s := newSite(t)
	a := s.browser(ada).post("/jobs", "text", devuan, "target", machine, "root_keys",
		"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n")
	page := html.UnescapeString(a.body)
	if a.status != http.StatusUnprocessableEntity || !strings.Contains(page, `id="root_keys-fault" class="fault"`) ||
		!strings.Contains(page, "private key") || strings.Contains(page, "b3BlbnNzaC1rZXk") {
		t.Errorf("%d %s", a.status, page)
	}
	p := s.program(s.token(ada, "write")).post("/jobs", "text", devuan, "target", machine, "root_keys",
		"ssh-ed25519 AAAA me")
	if j := p.json(t); p.status != http.StatusUnprocessableEntity || j["field"] != "root_keys" ||
		!strings.Contains(p.body, "Line 1") {
		t.Errorf("%d %s", p.status, p.body)
	}
	if s.stored() != "0 jobs, 0 revisions, 0 builds" {
		t.Error(s.stored())
	}
}
