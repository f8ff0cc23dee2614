package jenkinstest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const shellJob = `<?xml version='1.1' encoding='UTF-8'?>
<project>
  <description>demo</description>
  <keepDependencies>false</keepDependencies>
  <properties/>
  <scm class="hudson.scm.NullSCM"/>
  <canRoam>true</canRoam>
  <disabled>false</disabled>
  <concurrentBuild>false</concurrentBuild>
  <builders><hudson.tasks.Shell><command>SCRIPT</command></hudson.tasks.Shell></builders>
  <publishers><hudson.tasks.ArtifactArchiver><artifacts>out/**</artifacts><allowEmptyArchive>true</allowEmptyArchive></hudson.tasks.ArtifactArchiver></publishers>
  <buildWrappers/>
</project>`

// client is one who asks the controller.
type client struct {
	*testing.T
	*Server
	user, secret string
}

func begin(t *testing.T, opt Options) *client {
	t.Helper()
	return &client{t, Start(t, opt), "toaster", "toaster-token"}
}

type answer struct {
	*http.Response
	body string
}

// ask sends a request; the body is XML where it begins with "<", and a form otherwise.
func (c *client) ask(method, path, body string, headers ...string) answer {
	c.Helper()
	r, err := http.NewRequestWithContext(c.Context(), method, c.URL+path, strings.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	if c.user != "" {
		r.SetBasicAuth(c.user, c.secret)
	}
	if strings.HasPrefix(body, "<") {
		r.Header.Set("Content-Type", "application/xml")
	} else if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i+1] == "" {
			r.Header.Del(headers[i])
		}
	}
	answer := answer{}
	if answer.Response, err = http.DefaultTransport.RoundTrip(r); err != nil {
		c.Fatalf("%s %s: %v", method, path, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		c.Fatalf("%s %s: %v", method, path, err)
	}
	answer.body = string(text)
	return answer
}

func (c *client) get(path string) string {
	c.Helper()
	a := c.ask("GET", path, "")
	if a.StatusCode != 200 {
		c.Fatalf("GET %s: %s\n%s", path, a.Status, a.body)
	}
	return a.body
}

func (c *client) create(name, script string) {
	c.Helper()
	if a := c.ask("POST", "/createItem?name="+name, strings.Replace(shellJob, "SCRIPT", script, 1)); a.StatusCode != 200 {
		c.Fatalf("createItem %s: %s\n%s", name, a.Status, a.body)
	}
}

func (c *client) until(path, wanted string) string {
	c.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		a := c.ask("GET", path, "")
		if strings.Contains(a.body, wanted) {
			return a.body
		}
		if time.Now().After(end) {
			c.Fatalf("GET %s lacks %q: %s", path, wanted, a.body)
		}
	}
}

// fact is one exchange with a real controller of this version. The body is XML where it begins with "<", a form
// otherwise. Headers are "Name: value" with the name alone for one that must not be there.
type fact struct {
	as, request, body string // as: "user:secret", "-" for nobody, default toaster with its token
	send              []string
	status            int
	headers           []string
	has, lacks        []string // in the answer's body
}

const (
	jettyHTML   = "Content-Type: text/html;charset=iso-8859-1"
	jenkinsHTML = "Content-Type: text/html;charset=utf-8"
	jsonType    = "Content-Type: application/json;charset=utf-8"
	xJenkins    = "X-Jenkins: 2.263.4"
	admin       = "admin:admin-token"
)

var (
	pageJ = []string{jettyHTML, "X-Jenkins"}
	pageO = []string{jenkinsHTML, xJenkins, "X-Error"}
)

func (c *client) facts(facts ...fact) {
	c.Helper()
	for _, f := range facts {
		c.check(f)
	}
}

func (c *client) check(f fact) answer {
	c.Helper()
	switch {
	case f.as == "-":
		c.user = ""
	case f.as != "":
		c.user, c.secret, _ = strings.Cut(f.as, ":")
	default:
		c.user, c.secret = "toaster", "toaster-token"
	}
	method, path, _ := strings.Cut(f.request, " ")
	a := c.ask(method, path, f.body, f.send...)
	if a.StatusCode != f.status {
		c.Errorf("%s: %s, want %d\n%s", f.request, a.Status, f.status, a.body)
	}
	for _, h := range f.headers {
		name, value, there := strings.Cut(h, ": ")
		if got := strings.Join(a.Header.Values(name), ", "); there &&
			got != strings.TrimSpace(strings.ReplaceAll(value, "HERE", c.URL)) || !there && got != "" {
			c.Errorf("%s: header %s is %q, want %q", f.request, name, got, value)
		}
	}
	for _, text := range f.has {
		if !strings.Contains(a.body, text) {
			c.Errorf("%s: the answer lacks %q: %s", f.request, text, a.body)
		}
	}
	for _, text := range f.lacks {
		if strings.Contains(a.body, text) {
			c.Errorf("%s: the answer has %q: %s", f.request, text, a.body)
		}
	}
	if method != "HEAD" && a.Header.Get("Content-Type") == "application/json;charset=utf-8" &&
		!json.Valid([]byte(a.body)) {
		c.Errorf("%s: this is no JSON: %s", f.request, a.body)
	}
	return a
}

var demo = strings.Replace(shellJob, "SCRIPT", "echo hello", 1)

// ends starts a job and waits until its build has ended altogether.
func (c *client) ends(name string, number int) string {
	c.Helper()
	c.user, c.secret = "toaster", "toaster-token"
	if a := c.ask("POST", "/job/"+name+"/build?delay=0sec", ""); a.StatusCode != http.StatusCreated {
		c.Fatalf("build: %s\n%s", a.Status, a.body)
	}
	log := c.until(fmt.Sprintf("/job/%s/%d/consoleText", name, number), "Finished: ")
	c.until("/computer/api/json?tree=busyExecutors", `"busyExecutors":0`)
	return log
}

func TestABuildFromCreateToDelete(t *testing.T) {
	c := begin(t, Options{})
	c.create("demo", "mkdir -p out; echo hello >out/a.txt; echo line; sleep 0.2")
	a := c.ask("POST", "/job/demo/build", "")
	if a.StatusCode != 201 || a.Header.Get("Location") != c.URL+"/queue/item/1/" {
		t.Fatalf("%s %v", a.Status, a.Header)
	}
	c.until("/queue/item/1/api/json?tree=executable[number]", `"executable":{"_class":"hudson.model.FreeStyleBuild"`)
	c.until("/job/demo/1/api/json", `"building":true`)
	c.until("/job/demo/1/api/json", `"result":"SUCCESS"`)
	c.until("/job/demo/1/api/json", `"building":false`)
	c.until("/job/demo/1/consoleText", "Finished: SUCCESS")
	if text := c.get("/job/demo/1/artifact/out/a.txt"); text != "hello\n" {
		t.Errorf("the artifact is %q", text)
	}
	if a := c.ask("POST", "/job/demo/doDelete", ""); a.StatusCode != 302 {
		t.Errorf("doDelete: %s", a.Status)
	}
	if a := c.ask("GET", "/job/demo/api/json", ""); a.StatusCode != 404 {
		t.Errorf("afterwards: %s", a.Status)
	}
}
