package cgibin

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"toaster.do/static"
)

var jobAddress = regexp.MustCompile(`/jobs/[a-z0-9]{12}`)

var jobName = regexp.MustCompile(`(?s)<div class="what">\s*<a [^>]*>([^<]*)</a>`)

// names lists the jobs on a page of the list, in order.
func names(a *answer) (list []string) {
	for _, m := range jobName.FindAllStringSubmatch(a.body, -1) {
		list = append(list, strings.TrimSpace(m[1]))
	}
	return list
}

func TestTheListIsSearchedAndSorted(t *testing.T) {
	s := newSite(t, "[limits]\njobs = 40")
	c := s.browser(ada)
	for i, name := range []string{"web", "mail", "Web two", "dns", "100% _x_", "proxy"} {
		c.post("/jobs", "text", "FROM debian:bookworm\nRUN true\n", "target", target, "name", name)
		s.sql("UPDATE job SET created_at = ? WHERE name = ?", 1_800_000_000_000+i*1000, name)
	}
	s.sql("INSERT INTO build (job_id, number, revision, state, queued_at, started_at, ended_at, finalized) SELECT id, " +
		"1, 1, 'failed', 1900000000000, 1900000000000, 1900000000000, 1 FROM job WHERE name = 'mail'")
	for query, want := range map[string][]string{
		"":                      {"proxy", "100% _x_", "dns", "Web two", "mail", "web"},
		"?sort=name":            {"100% _x_", "dns", "mail", "proxy", "web", "Web two"},
		"?sort=activity":        {"mail", "proxy", "100% _x_", "dns", "Web two", "web"},
		"?q=web":                {"Web two", "web"},
		"?q=BOOKWORM":           {"proxy", "100% _x_", "dns", "Web two", "mail", "web"},
		"?q=%25":                {"100% _x_"},
		"?q=_x":                 {"100% _x_"},
		"?state=failed":         {"mail"},
		"?state=new&q=web":      {"Web two", "web"},
		"?state=nonsense":       {"proxy", "100% _x_", "dns", "Web two", "mail", "web"},
		"?state=running":        nil,
		"?q='+OR+1=1--":         nil,
		"?sort=name;DROP+TABLE": {"proxy", "100% _x_", "dns", "Web two", "mail", "web"},
	} {
		if got := names(c.get("/jobs" + query)); !slices.Equal(got, want) {
			t.Errorf("%q lists %q, want %q", query, got, want)
		}
	}
	if a := c.get("/jobs?state=running"); !strings.Contains(a.body, "None of your 6 jobs") {
		t.Error(a.body)
	}
}

func TestAFilterStaysOnTheNextPage(t *testing.T) {
	s := newSite(t, "[limits]\njobs = 40")
	c := s.browser(ada)
	for i := range 28 {
		c.post("/jobs", "text", "FROM debian:bookworm\nRUN true\n", "target", target, "name", fmt.Sprint("one ", i))
	}
	a := c.get("/jobs?q=one&sort=name")
	if !strings.Contains(a.body, `href="/jobs?page=2&amp;q=one&amp;sort=name"`) ||
		!strings.Contains(a.body, "1 to 25 of 28 jobs") {
		t.Error(a.body)
	}
	if got := names(c.get("/jobs?page=2&q=one&sort=name")); len(got) != 3 {
		t.Errorf("the second page lists %q", got)
	}
}

// TestAListThatStandsStillHasNoScript: only what runs is asked for again.
func TestAListThatStandsStillHasNoScript(t *testing.T) {
	s := newSite(t)
	c := s.browser(ada)
	c.post("/jobs", "text", "FROM debian:bookworm\nRUN true\n", "target", target)
	id := path.Base(jobAddress.FindString(c.get("/jobs").body))
	if a := c.get("/jobs"); strings.Contains(a.body, "list.js") {
		t.Error(a.body)
	}
	c.post("/jobs/" + id + "/start")
	if a := c.get("/jobs"); !strings.Contains(a.body, "list.js") || !strings.Contains(a.body, `data-live="true"`) {
		t.Error(a.body)
	}
}

// TestTheFormShowsTheCommandThatTestsTheSameFile in a container, also for a program.
func TestTheFormShowsTheCommandThatTestsTheSameFile(t *testing.T) {
	s := newSite(t)
	c := s.browser(ada)
	if a := c.get("/jobs/new?target=" + target); !strings.Contains(a.body,
		"docker build --platform linux/amd64 - &lt; Dockerfile") {
		t.Error(a.body)
	}
	a := c.post("/jobs/check", "text", "FROM debian:bookworm\nRUN true\n", "build_args", "A=it's", "target", target)
	if !strings.Contains(a.body, `--build-arg &#39;A=it&#39;\&#39;&#39;s&#39; - &lt; Dockerfile`) {
		t.Error(a.body)
	}
	p := s.program(s.token(ada, "read"))
	if a := p.post("/jobs/check", "text", "FROM debian:bookworm\nRUN true\n"); !strings.Contains(a.body,
		`"docker_build":"docker build --platform linux/amd64 -`) {
		t.Error(a.body)
	}
}

// TestTheListIsSmall: a page of 25 jobs, with its style and its scripts, packed as a web server sends them.
func TestTheListIsSmall(t *testing.T) {
	s := newSite(t, "[limits]\njobs = 40")
	c := s.browser(ada)
	for i := range 25 {
		c.post("/jobs", "text", "FROM debian:bookworm\nRUN true\n", "target", target, "name",
			fmt.Sprint("a job of the name ", i))
	}
	c.post(strings.Split(jobAddress.FindString(c.get("/jobs").body), "?")[0] + "/start")
	total := packed(t, []byte(c.get("/jobs").body))
	for _, name := range []string{"toaster.css", "time.js", "list.js", "logo.svg"} {
		text, err := static.Files.ReadFile(name)
		s.must(err)
		total += packed(t, text)
	}
	if total > 20<<10 {
		t.Errorf("the list of jobs takes %d bytes", total)
	}
}

func packed(t *testing.T, text []byte) int {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(text); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	return b.Len()
}
