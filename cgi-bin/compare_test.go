package cgibin

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// image is a script that leaves an image with packages.
func image(content, packages, version string) string {
	return fmt.Sprintf(`mkdir dist; printf '%%s' '%s' > dist/%s.tar.gz; printf '%s' > dist/packages.txt
printf '{"toaster_version": "%s", "build_number": 1, "releases": [{"codename": "bookworm", "date": "Sat"}]}' > dist/provenance.json
(cd dist && sha256sum * > /tmp/$$ && mv /tmp/$$ SHA256SUMS)`, content, target, packages, version)
}

// twice is a site with a job that was built from two revisions.
func twice(t *testing.T) (s *site, program *client, id string) {
	s = newSite(t)
	program = s.program(s.token(ada, "write"))
	id = program.addJob("start", "1", "build_args", "A=1\nB=2")
	s.run(program, id, 1, image("one", `apt\t2.6.1\tamd64\ngone\t1\tall\n`, "1.0"))
	a := program.post("/jobs/"+id+"/update", "text",
		"FROM debian:bookworm\nCOPY hello.txt /srv/\nRUN echo <hallo>\nSTOPSIGNAL 9\n", "build_args", "A=1\nB=3", "start",
		"1")
	if a.status != http.StatusOK {
		t.Fatal(a.status, a.body)
	}
	s.run(program, id, 2, image("two and more", `apt\t2.6.2\tamd64\nnew\t1\tall\n`, "1.1"))
	return s, program, id
}

func TestTwoBuildsAreCompared(t *testing.T) {
	s, c, id := twice(t)
	page := s.browser(ada).get("/jobs/" + id + "/compare").body
	for _, want := range []string{
		"Builds 1 and 2 compared", "The Dockerfile has changed.", "The build arguments have changed.", "3 packages differ.",
		"toaster has another version.",
		"<del><code>RUN echo hello</code></del>", "<ins><code>RUN echo &lt;hallo&gt;</code></ins>", "<del>2.6.1</del>",
		"<ins>2.6.2</ins>", ">removed<", ">new<", "(3 bytes)", "(12 bytes)",
		`<option value="1" selected>`, `<th scope="row">toaster_version</th>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not on the page: %s", want, page)
		}
	}
	j := c.get("/jobs/" + id + "/compare?from=1&to=2").json(t)
	if j["files_known"] != true || len(j["packages"].([]any)) != 3 || len(j["build_args"].([]any)) != 1 ||
		len(j["provenance"].([]any)) != 1 || j["context_differs"] != false ||
		j["from"].(map[string]any)["revision"] != 1.0 || j["to"].(map[string]any)["image"].(map[string]any)["size"] != 12.0 ||
		len(j["dockerfile"].([]any)) != 2 {
		t.Error(j)
	}
	history := s.browser(ada).get("/jobs/" + id).body
	for _, want := range []string{"/compare?from=1&amp;to=2", "12 bytes", "revision 2", `/compare"`} {
		if !strings.Contains(history, want) {
			t.Errorf("%q is not on the job's page: %s", want, history)
		}
	}
	if same := c.get("/jobs/" + id +
		"/compare?from=2&to=2").json(t); same["why"].([]any)[0] != "The images are identical." ||
		len(same["dockerfile"].([]any)) != 0 {
		t.Error(same)
	}
}

func TestABuildWithoutItsFilesIsComparedAllTheSame(t *testing.T) {
	s, c, id := twice(t)
	s.sql("DELETE FROM local_build WHERE number = 1")
	j := c.get("/jobs/" + id + "/compare").json(t)
	if j["files_known"] != false || len(j["dockerfile"].([]any)) != 2 ||
		j["from"].(map[string]any)["image"].(map[string]any)["size"] != 3.0 {
		t.Error(j)
	}
	b := s.browser(ada)
	if page := b.get("/jobs/" + id + "/compare").body; !strings.Contains(page,
		"The files of build 1 are no longer available.") || !strings.Contains(page, "3 bytes") {
		t.Error(page)
	}
	page := b.get("/jobs/" + id + "/builds/1")
	if page.status != 410 || !strings.Contains(page.body, "were deleted on the build service") ||
		strings.Contains(page.body, "/artifacts/") || !strings.Contains(page.body, "packages.txt") {
		t.Errorf("%d %s", page.status, page.body)
	}
}

func TestABuildThatIsTooOldSaysSo(t *testing.T) {
	s, c, id := twice(t)
	b := s.browser(ada)
	if page := b.get("/jobs/" + id); !strings.Contains(page.body, "kept until") {
		t.Error(page.body)
	}
	s.sql("UPDATE build SET expired_at = ended_at, gone_why = 'days', gone_limit = 30 WHERE number = 1")
	s.sql("DELETE FROM artifact WHERE build = 1")
	page := b.get("/jobs/" + id + "/builds/1")
	if page.status != 410 || !strings.Contains(page.body, "after 30 days") || strings.Contains(page.body, `class="log"`) {
		t.Errorf("%d %s", page.status, page.body)
	}
	if page := b.get("/jobs/" + id); strings.Count(page.body, "log and files deleted") != 1 {
		t.Error(page.body)
	}
	if j := c.get("/jobs/" + id + "/compare").json(t); j["from"].(map[string]any)["missing"] != "The files of build 1 "+
		"are no longer available." {
		t.Error(j["from"])
	}
}

func TestWhatCannotBeComparedIsSaid(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "write"))
	id := c.addJob()
	if a := c.get("/jobs/" + id + "/compare"); a.status != 404 {
		t.Error(a.status, a.body)
	}
	c.post("/jobs/" + id + "/start")
	if a := s.browser(ada).get("/jobs/" + id + "/compare"); a.status != 200 ||
		!strings.Contains(a.body, "Build 1 has not finished.") {
		t.Error(a.status, a.body)
	}
	for _, query := range []string{"?from=7", "?to=x", "?from=-1"} {
		if a := c.get("/jobs/" + id + "/compare" + query); a.status != 404 {
			t.Errorf("%s: %d", query, a.status)
		}
	}
	for _, path := range []string{"/compare", "/copy"} {
		if a := s.browser(bob).get("/jobs/" + id + path); a.status != 404 {
			t.Errorf("another person's %s: %d", path, a.status)
		}
	}
}

func TestAJobIsCopiedToAnotherTarget(t *testing.T) {
	s := newSite(t)
	id := s.program(s.token(ada, "write")).addJob("name", "mine", "build_args", "A=1")
	b := s.browser(ada)
	page := b.get("/jobs/" + id + "/copy?revision=1").body
	_, kept, _ := strings.Cut(page, `name="context_digest"`)
	_, kept, _ = strings.Cut(kept, `value="`)
	kept, _, _ = strings.Cut(kept, `"`)
	if !strings.Contains(page, "COPY hello.txt /srv/") || !strings.Contains(page, `value="mine"`) ||
		!strings.Contains(page, "A=1") || kept == "" {
		t.Fatal(page)
	}
	a := b.post("/jobs", "text", good, "target", "rootfs_amd64_daedalus", "name", "mine", "context_digest", kept)
	if a.status != http.StatusSeeOther {
		t.Fatal(a.status, a.body)
	}
	if page := b.get(a.header.Get("Location")); !strings.Contains(page.body, "Build context: ") {
		t.Error(page.body)
	}
	if a := b.get("/jobs/" + id + "/copy?revision=9"); a.status != 404 {
		t.Error(a.status)
	}
}
