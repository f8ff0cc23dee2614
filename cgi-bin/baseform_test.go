package cgibin

import (
	"net/http"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"toaster.do/lib/image/imagetest"
)

// TestTheFormOfABase: what becomes of the image that the last stage stands on is said before the build, can be chosen
// in the form and by programs, and stays until something else is said.
func TestTheFormOfABase(t *testing.T) {
	host := imagetest.Serve(t)
	img := imagetest.Image(t, "linux/amd64", v1.Config{}, "one")
	file, err := img.ConfigFile()
	if err == nil {
		file.History = []v1.History{{CreatedBy: "# debian.sh --arch 'amd64' out/ 'bookworm' '@1732406400'"}}
		img, err = mutate.ConfigFile(img, file)
	}
	if err != nil {
		t.Fatal(err)
	}
	imagetest.Push(t, host+"/python:3", img)
	s := newSite(t, "[registry]\ninsecure = [\""+host+"\"]")
	c, b := s.program(s.token(ada, "write")), s.browser(ada)
	text := "FROM " + host + "/python:3\nCMD [\"x\"]\n"
	id := c.post("/jobs", "text", text, "target", target, "name", "p").json(t)["id"].(string)
	shows := func(page string, wants ...string) {
		t.Helper()
		body := b.get(page).body
		for _, want := range wants {
			if !strings.Contains(body, want) {
				t.Errorf("%s has no %q: %s", page, want, body)
			}
		}
	}
	shows("/jobs/"+id, "is made of Debian bookworm. Its files become the target&#39;s system")
	shows("/jobs/"+id+"/update", `<option value="">Automatic</option>`)
	if script := c.get("/jobs/" + id + "/script").body; !strings.Contains(script, "\nleave_base\n") ||
		!strings.Contains(script, `"base_form": "grown"`) {
		t.Error("the script does not grow the image")
	}
	if a := b.post("/jobs/"+id+"/update", "text", text, "base_form", "appliance",
		"revision", "1"); a.status != http.StatusSeeOther {
		t.Fatal(a.status, a.body)
	}
	if a := c.post("/jobs/"+id+"/update", "text", text+"EXPOSE 1\n"); a.status != http.StatusOK {
		t.Fatal(a.status, a.body)
	}
	shows("/jobs/"+id, "Form: appliance", "does not become the target&#39;s system, as the job says")
	shows("/jobs/"+id+"/update", `<option value="appliance" selected>`)
	if a := c.post("/jobs", "text", text+"EXPOSE 2\n", "target", target, "name", "p",
		"upsert", "1"); a.status != http.StatusOK {
		t.Fatal(a.status, a.body)
	}
	if script := c.get("/jobs/" + id + "/script").body; !strings.Contains(script, `"base_form": "appliance"`) {
		t.Error("a program that says nothing of it has changed it")
	}
	for form, want := range map[string]string{"jelly": `There is no form &#34;jelly&#34; of a base image.`,
		"grown'; x": "There is no form"} {
		a := b.post("/jobs/"+id+"/update", "text", text, "base_form", form, "revision", "3")
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, want) {
			t.Error(a.status, a.body)
		}
	}
	a := c.post("/jobs/check", "text", "FROM scratch\n", "target", target, "base_form", "grown")
	if got := a.json(t); got["ok"] != false || !strings.Contains(a.body, "FormImpossible") {
		t.Error(a.body)
	}
}
