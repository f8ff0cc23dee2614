package cgibin

import (
	"net/http"
	"os"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"toaster.do/lib/image/imagetest"
)

// named is a site with a job whose Dockerfile names an image of a registry, as it was stored before that was looked up.
func named(t *testing.T, host string) (s *site, program *client, id string) {
	s = newSite(t, "[registry]\ninsecure = [\""+host+"\"]\nconnect_timeout = \"500ms\"\nlookup_timeout = \"2s\"")
	program = s.program(s.token(ada, "write"))
	id = program.addJob()
	s.sql("UPDATE revision SET dockerfile = ?", []byte("FROM "+host+"/dyne/base:1\nRUN true\n"))
	return s, program, id
}

func TestTheImagesOfAJobAreLookedUpAgain(t *testing.T) {
	host, requests := imagetest.Count(t)
	first := imagetest.Push(t, host+"/dyne/base:1", imagetest.Image(t, "linux/amd64", v1.Config{User: "me"}, "one"))
	s, program, id := named(t, host)
	browser := s.browser(ada)
	if page := browser.get("/jobs/" + id); page.status != 200 || strings.Contains(page.body, "Look up again") {
		t.Error(page.status, "an image that was never looked up is on the page")
	}
	a := browser.post("/jobs/" + id + "/lock")
	if a.status != http.StatusSeeOther || !strings.Contains(a.header.Get("Location"), "note=locked") {
		t.Fatal(a.status, a.body, a.log)
	}
	page := browser.get("/jobs/" + id + "?note=locked").body
	for _, want := range []string{"The images have changed.", `<code>` + host + `/dyne/base:1</code>`, "linux/amd64",
		first, ">" + first[:19] + "<",
		"30 bytes", "/jobs/" + id + `/lock"`, "Look up again", "Revision 2"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not on the page: %s", want, page)
		}
	}
	if a = browser.post("/jobs/" + id + "/lock"); a.status != http.StatusSeeOther ||
		!strings.Contains(a.header.Get("Location"), "note=same") {
		t.Error(a.status, a.header)
	}
	// The tag moves. Nothing but the button asks about it.
	second := imagetest.Push(t, host+"/dyne/base:1", imagetest.Image(t, "linux/amd64", v1.Config{}, "another"))
	before := requests.Load()
	for _, path := range []string{"", "/update", "/copy", "/dockerfile"} {
		if a := browser.get("/jobs/" + id + path); a.status != 200 {
			t.Error(path, a.status, a.body)
		}
	}
	job := program.get("/jobs/" + id).json(t)
	if n := requests.Load() - before; n != 0 {
		t.Errorf("the pages made %d requests to the registry", n)
	}
	one := job["images"].([]any)[0].(map[string]any)
	if one["reference"] != host+"/dyne/base:1" || one["digest"] != first || one["platform"] != "linux/amd64" ||
		one["size"] != 30.0 || one["looked_up_at"] == nil || one["problem"] != nil {
		t.Error(job["images"])
	}
	job = program.post("/jobs/" + id + "/lock").json(t)
	if one := job["images"].([]any)[0].(map[string]any); one["digest"] != second || job["revision"] != 3.0 {
		t.Error(job)
	}
	describe(t).holds("POST /jobs/{id}/lock", map[string]string{"id": id}, program.post("/jobs/"+id+"/lock"))
	if a := s.program(s.token(ada, "read")).post("/jobs/" + id + "/lock"); a.status != http.StatusForbidden {
		t.Error(a.status)
	}
}

func TestARegistryThatIsAwayIsOnTheJobsPage(t *testing.T) {
	const gone = "127.0.0.1:1"
	s, program, id := named(t, gone)
	a := program.post("/jobs/" + id + "/lock")
	one := a.json(t)["images"].([]any)[0].(map[string]any)
	if problem, _ := one["problem"].(map[string]any); a.status != 200 || one["digest"] != nil ||
		problem["code"] != "registry_unavailable" || problem["advice"] == "" {
		t.Error(one)
	}
	describe(t).holds("POST /jobs/{id}/lock", map[string]string{"id": id}, a)
	if !strings.Contains(a.log, "connection refused") {
		t.Errorf("the log does not say why: %s", a.log)
	}
	page := s.browser(ada).get("/jobs/" + id).body
	for _, want := range []string{"Some images could not be looked up.",
		gone + " did not answer in time, or can&#39;t be reached.", "not found yet", "Look up again"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not on the page: %s", want, page)
		}
	}
	if page := s.browser(ada).with("Accept-Language", "de").get("/jobs/" + id).body; !strings.Contains(page,
		"noch nicht gefunden") ||
		!strings.Contains(page, gone+" hat nicht rechtzeitig geantwortet") {
		t.Error(page)
	}
}

// TestALoginThatEverybodyCanReadIsNotUsed: the file is one of the site's secrets.
func TestALoginThatEverybodyCanReadIsNotUsed(t *testing.T) {
	host := imagetest.Serve(t)
	s, program, id := named(t, host)
	file := s.dir + "/config.json"
	s.must(os.WriteFile(file, []byte(`{"auths":{}}`), 0o600))
	s.must(os.Chmod(file, 0o644))
	conf, err := os.ReadFile(s.conf())
	s.must(err)
	s.must(os.WriteFile(s.conf(), append(conf, "auth_file = \"config.json\"\n"...), 0o600))
	a := program.post("/jobs/" + id + "/lock")
	if !strings.Contains(a.body, "registry_auth") || !strings.Contains(a.log, "is readable by everybody") {
		t.Error(a.status, a.body, a.log)
	}
}
