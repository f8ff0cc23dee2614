package cgibin

import (
	"net/http"
	"strings"
	"testing"
)

// TestRuntimeEnvironment: the variables for the application go from the form to the job's page and its script, a
// program that says nothing of them keeps them, and a comparison tells what changed.
func TestRuntimeEnvironment(t *testing.T) {
	s := newSite(t)
	c := s.program(s.token(ada, "write"))
	const text = "FROM debian:bookworm\nCMD [\"x\"]\n"
	id := c.post("/jobs", "text", text, "target", target, "start", "1",
		"environment", "DB_HOST=10.0.0.5\r\nWORDS=it's <b> $x").json(t)["id"].(string)
	s.run(c, id, 1, image("one", "", "1.0"))
	b := s.browser(ada)
	shown := func(page, want string) {
		t.Helper()
		if a := b.get(page); !strings.Contains(a.body, want) {
			t.Errorf("%s has no %q: %s", page, want, a.body)
		}
	}
	shown("/jobs/"+id, "WORDS=it&#39;s &lt;b&gt; $x")
	shown("/jobs/"+id+"/update", "WORDS=it&#39;s &lt;b&gt; $x</textarea>")
	script := c.get("/jobs/" + id + "/script").body
	for _, want := range []string{`service_environment 'DB_HOST=10.0.0.5' $'WORDS=it\'s <b> $x'`,
		`"environment": ["DB_HOST","WORDS"]`} {
		if !strings.Contains(script, want) {
			at := strings.LastIndex(script, "service_environment ")
			t.Errorf("the script has no %s, but %q", want, script[max(0, at):min(len(script), max(0, at)+100)])
		}
	}
	if a := c.post("/jobs/"+id+"/update", "text", text+"EXPOSE 1\n"); a.status != http.StatusOK {
		t.Fatal(a.status, a.body)
	}
	shown("/jobs/"+id, "DB_HOST=10.0.0.5")
	if a := c.post("/jobs/"+id+"/update", "text", text, "environment", "DB_HOST=db", "start",
		"1"); a.status != http.StatusOK {
		t.Fatal(a.status, a.body)
	}
	s.run(c, id, 2, image("two", "", "1.0"))
	shown("/jobs/"+id+"/compare", "The runtime environment has changed.")
	if list := c.get("/jobs/" + id + "/compare").json(t)["environment"].([]any); len(list) != 2 ||
		list[0].(map[string]any)["to"] != "db" {
		t.Error(list)
	}
	a := b.post("/jobs/"+id+"/update", "text", text, "environment", "A=1\nwrong", "revision", "3")
	if a.status != http.StatusUnprocessableEntity ||
		!strings.Contains(a.body, "Line 2 of the runtime environment is not NAME=VALUE.") ||
		!strings.Contains(a.body, "A=1\nwrong</textarea>") {
		t.Error(a.status, a.body)
	}
}
