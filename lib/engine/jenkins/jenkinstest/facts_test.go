package jenkinstest

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

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
	reader      = "reader:reader-token"
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
		if got := strings.Join(a.Header.Values(name), ", "); there && got != strings.TrimSpace(strings.ReplaceAll(value, "HERE", c.URL)) || !there && got != "" {
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
	if method != "HEAD" && a.Header.Get("Content-Type") == "application/json;charset=utf-8" && !json.Valid([]byte(a.body)) {
		c.Errorf("%s: this is no JSON: %s", f.request, a.body)
	}
	return a
}

var demo = strings.Replace(shellJob, "SCRIPT", "echo hello", 1)

func TestCreateItem(t *testing.T) {
	c := begin(t, Options{View: "web-sdk-builds"})
	c.facts(
		fact{request: "POST /createItem?name=demo", body: demo, status: 200, headers: []string{"Content-Length: 0", "X-Jenkins", "Set-Cookie"}},
		fact{request: "POST /createItem?name=demo", body: demo, status: 400, headers: []string{jenkinsHTML, xJenkins, "X-Error: A job already exists with the name  demo "}, has: []string{"A job already exists with the name ‘demo’"}},
		fact{request: "POST /createItem?name=DEMO", body: demo, status: 400, headers: []string{"X-Error: A job already exists with the name  DEMO "}},
		fact{request: "POST /createItem", body: demo, status: 400, headers: []string{"X-Error: Query parameter 'name' is required"}},
		fact{request: "POST /createItem?name=", body: demo, status: 400, headers: []string{"X-Error: No name is specified"}},
		fact{request: "POST /createItem?name=broken", body: "<project><description>", status: 500, headers: pageO, has: []string{"Oops!", "A problem occurred while processing the request.", "Logging ID="}},
		fact{request: "POST /createItem?name=unknownroot", body: "<nonsense/>", status: 500, headers: pageO},
		fact{request: "POST /createItem?name=mvn", body: "<maven2-moduleset/>", status: 500, headers: pageO},
		fact{request: "POST /createItem?name=emptybody", send: []string{"Content-Type", "application/xml"}, status: 500, headers: pageO},
		fact{request: "POST /createItem?name=ct", body: demo, send: []string{"Content-Type", "text/plain"}, status: 400, headers: []string{"X-Error: No mode given"}},
		fact{request: "POST /createItem?name=ct", body: demo, send: []string{"Content-Type", "application/x-www-form-urlencoded"}, status: 400, headers: []string{"X-Error: No mode given"}},
		fact{request: "POST /createItem?name=ct", body: demo, send: []string{"Content-Type", ""}, status: 400, headers: []string{"X-Error: No Content-Type header set"}},
		fact{request: "POST /createItem?name=ct4", body: demo, send: []string{"Content-Type", "text/xml; charset=UTF-8"}, status: 200},
		fact{request: "POST /createItem?name=minimal", body: "<project/>", status: 200},
		fact{request: "GET /job/minimal/config.xml", status: 200, has: []string{`<?xml version="1.0" encoding="UTF-8"?><project/>`}},
		fact{request: "GET /createItem?name=ct5", status: 405, headers: []string{jenkinsHTML, xJenkins}, has: []string{"This URL requires POST"}},
		fact{request: "POST /view/web-sdk-builds/createItem?name=inview", body: demo, status: 200, headers: []string{"Content-Length: 0"}},
		fact{request: "GET /view/web-sdk-builds/api/json?tree=jobs[name]", status: 200, has: []string{`{"_class":"hudson.model.ListView","jobs":[{"_class":"hudson.model.FreeStyleProject","name":"inview"}]}`}},
		fact{request: "POST /view/nope/createItem?name=inview2", body: demo, status: 404, headers: pageJ, has: []string{"URI:</th><td>/view/nope/createItem</td>", "Powered by Jetty:// 9.4.33.v20201020"}},
		fact{request: "POST /createItem?name=copied&mode=copy&from=demo", status: 302, headers: []string{"Location: HERE/job/copied/configure"}},
		fact{request: "GET /job/copied/api/json?tree=buildable,color", status: 200, has: []string{`{"_class":"hudson.model.FreeStyleProject","buildable":false,"color":"notbuilt"}`}},
		fact{request: "POST /job/copied/build?delay=0sec", status: 409, headers: pageO},
		fact{request: "POST /createItem?name=latin", body: "<?xml version='1.0' encoding='ISO-8859-1'?><project><description>caf\xe9</description></project>", status: 200},
		fact{request: "GET /job/latin/api/json?tree=description", status: 200, has: []string{`"description":"café"`}},
	)
	for _, name := range []string{"broken", "unknownroot", "emptybody", "ct", "inview2"} {
		c.check(fact{request: "GET /job/" + name + "/api/json", status: 404, headers: pageJ})
	}
}

func TestNames(t *testing.T) {
	c := begin(t, Options{})
	for _, bad := range []string{"@", "/", "?", ":", ";", "&", "%", "#", "!", "$", "*", "|", "<", ">", `\`, "[", "]", "^"} {
		c.check(fact{request: "POST /createItem?name=" + escapeQuery("a"+bad+"b"), body: demo, status: 400, headers: []string{"X-Error:  " + bad + "  is an unsafe character"}})
	}
	for name, words := range map[string]string{
		".": " .  is not an allowed name", "..": " ..  is not an allowed name", "tab\tx": `No control code is allowed: tab\u9;x`, "nl\nx": `No control code is allowed: nl\u10;x`,
	} {
		c.check(fact{request: "POST /createItem?name=" + escapeQuery(name), body: demo, status: 400, headers: []string{"X-Error: " + words}})
	}
	for _, good := range []string{"a b", "a.b", "trail.", ".hidden", "a+b", "a,b", "a'b", `a"b`, "a(b)", "a{b}", "a~b", "a`b", "a=b", "con", "ünïcödé-日本", "emoji😀", "-dash", "_u", strings.Repeat("x", 200)} {
		c.facts(
			fact{request: "POST /createItem?name=" + escapeQuery(good), body: demo, status: 200},
			fact{request: "GET /job/" + escape(good) + "/api/json?tree=name", status: 200, has: []string{`"name":` + quoted(good)}},
		)
	}
	c.facts(
		fact{request: "POST /createItem?name=%20lead", body: demo, status: 200},
		fact{request: "GET /job/lead/api/json?tree=name", status: 200},
		fact{request: "POST /createItem?name=" + strings.Repeat("y", 255), body: demo, status: 200},
		fact{request: "POST /createItem?name=" + strings.Repeat("y", 256), body: demo, status: 500, headers: pageO},
		fact{request: "GET /job/a%20b/api/json?tree=name,url", status: 200, has: []string{`"url":"http://jenkins.example:8080/job/a%20b/"`}},
	)
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func escapeQuery(s string) string { return strings.ReplaceAll(escape(s), "&", "%26") }

func TestJobWithoutBuilds(t *testing.T) {
	c := begin(t, Options{})
	c.create("demo", "true")
	c.facts(
		fact{request: "GET /job/demo/api/json", status: 200, headers: []string{jsonType, xJenkins}, has: []string{
			`"description":"demo","displayName":"demo","displayNameOrNull":null,"fullDisplayName":"demo","fullName":"demo","name":"demo","url":"http://jenkins.example:8080/job/demo/","buildable":true,"builds":[],"color":"notbuilt","firstBuild":null,"healthReport":[],"inQueue":false,"keepDependencies":false,"lastBuild":null,"lastCompletedBuild":null,"lastFailedBuild":null,"lastStableBuild":null,"lastSuccessfulBuild":null,"lastUnstableBuild":null,"lastUnsuccessfulBuild":null,"nextBuildNumber":1,"property":[],"queueItem":null,"concurrentBuild":false,"disabled":false,"downstreamProjects":[],"labelExpression":null,"scm":{"_class":"hudson.scm.NullSCM"},"upstreamProjects":[]}`}},
		fact{request: "GET /job/demo/api/json?tree=name,url,buildable,color,inQueue,lastBuild[number,url,result,building],builds[number,result]{0,5},queueItem[id]", status: 200, has: []string{
			`{"_class":"hudson.model.FreeStyleProject","name":"demo","url":"http://jenkins.example:8080/job/demo/","buildable":true,"builds":[],"color":"notbuilt","inQueue":false,"lastBuild":null,"queueItem":null}`}},
		fact{request: "GET /job/demo/api/json?tree=name,nosuch", status: 200, has: []string{`{"_class":"hudson.model.FreeStyleProject","name":"demo"}`}},
		fact{request: "GET /job/demo/api/json?tree=name[,", status: 500, headers: []string{jenkinsHTML, xJenkins}, has: []string{"Logging ID="}},
		fact{request: "HEAD /job/demo/api/json", status: 200, headers: []string{jsonType, xJenkins}},
		fact{request: "GET /job/demo/lastBuild/api/json", status: 404, headers: pageJ, has: []string{"/job/demo/lastBuild/api/json"}},
		fact{request: "GET /job/demo/1/api/json", status: 404, headers: pageJ},
		fact{request: "GET /job/demo/0/api/json", status: 404, headers: pageJ},
		fact{request: "GET /job/demo/1.0/api/json", status: 404, headers: pageJ},
		fact{request: "GET /job/demo/config.xml", status: 200, headers: []string{"Content-Type: application/xml"}, has: []string{"<?xml version=\"1.1\" encoding=\"UTF-8\"?><project>\n  <description>demo</description>"}},
		fact{request: "GET /job/demo/api/xml?tree=name,color", status: 200, headers: []string{"Content-Type: application/xml;charset=UTF-8"}, has: []string{`<freeStyleProject _class='hudson.model.FreeStyleProject'><name>demo</name><color>notbuilt</color></freeStyleProject>`}},
		fact{request: "GET /job/nojob/api/json", status: 404, headers: pageJ},
		fact{request: "GET /job/nojob/", status: 404, headers: pageJ},
		fact{request: "GET /job/DEMO/api/json?tree=name,url", status: 200, has: []string{`"name":"demo","url":"http://jenkins.example:8080/job/DEMO/"`}},
		fact{request: "GET /job/demo", status: 302, headers: []string{"Location: HERE/job/demo/"}},
		fact{request: "GET /job/demo/api/json?tree=" + strings.Repeat("name,", 1700) + "name", status: 414},
		fact{request: "TRACE /", status: 403},
		fact{request: "GET /whoAmI/api/json", status: 200, has: []string{`{"_class":"hudson.security.WhoAmI","anonymous":false,"authenticated":true,"authorities":["authenticated"],"name":"toaster"}`}},
	)
}

func TestViews(t *testing.T) {
	c := begin(t, Options{View: "web-sdk-builds"})
	c.Permit("toaster", ViewCreate, false)
	c.create("demo", "true")
	c.create("sp%20ace", "true")
	byPattern := "<hudson.model.ListView><name>v3</name><includeRegex>de.*|nothing</includeRegex></hudson.model.ListView>"
	c.facts(
		fact{request: "POST /view/web-sdk-builds/addJobToView?name=demo", status: 200, headers: []string{"Content-Length: 0"}},
		fact{request: "POST /view/web-sdk-builds/addJobToView?name=demo", status: 200, headers: []string{"Content-Length: 0"}},
		fact{request: "GET /view/web-sdk-builds/addJobToView?name=demo", status: 405},
		fact{request: "POST /view/web-sdk-builds/addJobToView?name=nojob", status: 400, headers: []string{"X-Error: Query parameter 'name' does not correspond to a known item"}},
		fact{request: "POST /view/web-sdk-builds/addJobToView", status: 400, headers: []string{"X-Error: Query parameter 'name' is required"}},
		fact{request: "POST /view/web-sdk-builds/addJobToView", body: "name=demo", status: 200},
		fact{request: "GET /view/web-sdk-builds/api/json", status: 200, has: []string{`{"_class":"hudson.model.ListView","description":null,"jobs":[{"_class":"hudson.model.FreeStyleProject","name":"demo","url":"http://jenkins.example:8080/job/demo/","color":"notbuilt"}],"name":"web-sdk-builds","property":[],"url":"http://jenkins.example:8080/view/web-sdk-builds/"}`}},
		fact{request: "GET /view/web-sdk-builds/api/json?tree=jobs[name,color,url,buildable,lastBuild[number,building,result]]", status: 200, has: []string{`{"_class":"hudson.model.ListView","jobs":[{"_class":"hudson.model.FreeStyleProject","name":"demo","url":"http://jenkins.example:8080/job/demo/","buildable":true,"color":"notbuilt","lastBuild":null}]}`}},
		fact{request: "POST /view/web-sdk-builds/removeJobFromView?name=demo", status: 200},
		fact{request: "POST /view/web-sdk-builds/removeJobFromView?name=demo", status: 200},
		fact{request: "GET /view/web-sdk-builds/api/json", status: 200, has: []string{`"jobs":[]`}},
		fact{request: "POST /view/web-sdk-builds/addJobToView?name=sp%20ace", status: 200},
		fact{request: "GET /view/nope/api/json", status: 404, headers: pageJ},
		fact{request: "POST /view/nope/addJobToView?name=demo", status: 404, headers: pageJ},
		fact{as: reader, request: "POST /view/web-sdk-builds/addJobToView?name=demo", status: 403, headers: []string{jenkinsHTML, "X-Required-Permission: hudson.model.View.Configure"}, has: []string{"reader is missing the View/Configure permission"}},
		fact{request: "POST /createView", body: "name=v2&mode=hudson.model.ListView", status: 403, headers: []string{"X-Required-Permission: hudson.model.View.Create"}, has: []string{"toaster is missing the View/Create permission"}},
		fact{as: admin, request: "POST /createView?name=v3", body: byPattern, status: 200, headers: []string{"Content-Length: 0"}},
		fact{request: "GET /view/v3/api/json?tree=jobs[name]", status: 200, has: []string{`"jobs":[{"_class":"hudson.model.FreeStyleProject","name":"demo"}]`}},
		fact{as: admin, request: "GET /view/web-sdk-builds/config.xml", status: 200, headers: []string{"Content-Type: application/xml"}, has: []string{"<name>web-sdk-builds</name>", "<string>sp ace</string>"}},
		fact{as: admin, request: "GET /view/v3/config.xml", status: 200, has: []string{"<includeRegex>de.*|nothing</includeRegex>"}},
	)
}

func TestAViewThatListsByNameFailsWhenSeveralChangeIt(t *testing.T) {
	c := begin(t, Options{View: "web-sdk-builds"})
	c.RacingViews(true)
	failed := make(chan int)
	for i := range 8 {
		go func() {
			a := c.ask("POST", "/view/web-sdk-builds/createItem?name=job"+string(rune('a'+i)), demo)
			failed <- a.StatusCode
		}()
	}
	count := map[int]int{}
	for range 8 {
		count[<-failed]++
	}
	if count[500] == 0 || count[200] == 0 {
		t.Errorf("the answers are %v", count)
	}
	if n := strings.Count(c.get("/view/web-sdk-builds/api/json?tree=jobs[name]"), `"name":"job`); n != 8 {
		t.Errorf("%d jobs are in the view", n)
	}
}

func TestBuildAndQueue(t *testing.T) {
	c := begin(t, Options{QuietPeriod: time.Second, LeaveWindow: 900 * time.Millisecond})
	c.create("demo", "echo begun; sleep 600")
	c.facts(
		fact{request: "POST /job/demo/build", status: 201, headers: []string{"Location: HERE/queue/item/1/", "Content-Length: 0"}},
		fact{request: "GET /queue/item/1/api/json", status: 200, has: []string{
			`{"_class":"hudson.model.Queue$WaitingItem","actions":[{"_class":"hudson.model.CauseAction","causes":[{"_class":"hudson.model.Cause$UserIdCause","shortDescription":"Started by user toaster","userId":"toaster","userName":"toaster"}]}],"blocked":false,"buildable":false,"id":1,"inQueueSince":`,
			`,"params":"","stuck":false,"task":{"_class":"hudson.model.FreeStyleProject","name":"demo","url":"http://jenkins.example:8080/job/demo/","color":"notbuilt"},"url":"queue/item/1/","why":"In the quiet period. Expires in `, `,"timestamp":`}},
		fact{request: "GET /job/demo/api/json?tree=name,inQueue,color,queueItem[*],lastBuild[number],nextBuildNumber", status: 200, has: []string{
			`"inQueue":true,"lastBuild":null,"nextBuildNumber":1,"queueItem":{"_class":"hudson.model.Queue$WaitingItem","actions":[{"_class":"hudson.model.CauseAction"}],`, `"task":{"_class":"hudson.model.FreeStyleProject"},`}},
		fact{request: "POST /job/demo/build", status: 201, headers: []string{"Location: HERE/queue/item/1/"}},
		fact{request: "GET /queue/api/json?tree=items[id,task[name]]", status: 200, has: []string{`{"_class":"hudson.model.Queue","items":[{"_class":"hudson.model.Queue$WaitingItem","id":1,"task":{"_class":"hudson.model.FreeStyleProject","name":"demo"}}]}`}},
	)
	c.until("/queue/item/1/api/json", `"why":null,"cancelled":false,"executable":null}`)
	c.until("/job/demo/1/api/json?tree=queueId,building", `"building":true,"queueId":-1`)
	c.until("/queue/item/1/api/json", `"cancelled":false,"executable":{"_class":"hudson.model.FreeStyleBuild","number":1,"url":"http://jenkins.example:8080/job/demo/1/"}}`)
	c.until("/job/demo/1/consoleText", "begun\n+ sleep")
	c.facts(
		fact{request: "GET /job/demo/1/api/json", status: 200, has: []string{
			`"artifacts":[],"building":true,"description":null,"displayName":"#1","duration":0,"estimatedDuration":-1,"executor":{},"fullDisplayName":"demo #1","id":"1","keepLog":false,"number":1,"queueId":1,"result":null,"timestamp":`,
			`,"url":"http://jenkins.example:8080/job/demo/1/","builtOn":"","changeSet":{"_class":"hudson.scm.EmptyChangeLogSet","items":[],"kind":null},"culprits":[]}`}},
		fact{request: "GET /job/demo/1/api/json?tree=executor[number,progress,likelyStuck,idle],number", status: 200, has: []string{`{"_class":"hudson.model.FreeStyleBuild","executor":{"idle":false,"likelyStuck":false,"number":0,"progress":-1},"number":1}`}},
		fact{request: "GET /job/demo/lastBuild/api/json?tree=number,building", status: 200, has: []string{`"building":true,"number":1`}},
		fact{request: "GET /job/demo/api/json", status: 200, has: []string{`"builds":[{"_class":"hudson.model.FreeStyleBuild","number":1,"url":"http://jenkins.example:8080/job/demo/1/"}],"color":"notbuilt_anime"`}},
		fact{request: "GET /computer/api/json?depth=1&tree=computer[displayName,offline,idle,numExecutors,executors[number,idle,progress,currentExecutable[number,url]]]", status: 200, has: []string{
			`"computer":[{"_class":"hudson.model.Hudson$MasterComputer","displayName":"master","executors":[`, `{"currentExecutable":{"_class":"hudson.model.FreeStyleBuild","number":1,"url":"http://jenkins.example:8080/job/demo/1/"},"idle":false,"number":0,"progress":-1}`, `"idle":false,"numExecutors":2,"offline":false}]}`}},
		fact{request: "POST /job/demo/build?delay=0sec", status: 201, headers: []string{"Location: HERE/queue/item/2/"}},
		fact{request: "GET /queue/item/2/api/json", status: 200, has: []string{`"_class":"hudson.model.Queue$BlockedItem"`, `"blocked":true,"buildable":false`, `"why":"Build #1 is already in progress (ETA: N/A)","buildableStartMilliseconds":`}},
		fact{request: "POST /queue/cancelItem?id=2", status: 204},
		fact{request: "GET /queue/item/2/api/json", status: 200, has: []string{`"why":null,"cancelled":true,"executable":null}`}},
		fact{request: "POST /queue/cancelItem?id=2", status: 500, headers: pageO},
		fact{request: "POST /queue/cancelItem?id=99999", status: 404, headers: pageO},
		fact{request: "GET /queue/item/99999/api/json", status: 404, headers: pageJ},
		fact{request: "GET /job/demo/build", status: 405, headers: []string{"Allow: POST", jenkinsHTML}},
		fact{request: "POST /job/demo/buildWithParameters?A=1", status: 500, headers: pageO},
		fact{request: "POST /createItem?name=params", status: 200, body: strings.Replace(demo, "<properties/>", "<properties><hudson.model.ParametersDefinitionProperty><parameterDefinitions/></hudson.model.ParametersDefinitionProperty></properties>", 1)},
		fact{request: "POST /job/params/build?delay=0sec", status: 400, headers: pageJ, has: []string{"This page expects a form submission"}},
		fact{request: "POST /job/demo/build?delay=xyz", status: 500, headers: pageO},
		fact{request: "POST /job/nojob/build", status: 404, headers: pageJ},
		fact{request: "POST /job/demo/build?delay=60sec", status: 201, headers: []string{"Location: HERE/queue/item/3/"}},
		fact{request: "POST /job/demo/build", body: "json=%7B%22parameter%22%3A+%5B%5D%7D&delay=60sec", status: 201, headers: []string{"Location: HERE/queue/item/3/"}},
		fact{as: reader, request: "POST /queue/cancelItem?id=3", status: 422, headers: pageO},
		fact{as: reader, request: "POST /job/demo/1/stop", status: 403, headers: []string{"X-Required-Permission: hudson.model.Item.Cancel"}, has: []string{"reader is missing the Job/Cancel permission"}},
		fact{as: reader, request: "POST /job/demo/build", status: 403, headers: []string{"X-Required-Permission: hudson.model.Item.Build", "X-You-Are-Authenticated-As: reader"}},
	)
}

func TestALeftItemIsForgotten(t *testing.T) {
	c := begin(t, Options{KeepLeft: 100 * time.Millisecond})
	c.create("demo", "true")
	c.ask("POST", "/job/demo/build", "")
	c.until("/queue/item/1/api/json", "LeftItem")
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if a := c.ask("GET", "/queue/item/1/api/json", ""); a.StatusCode == http.StatusNotFound {
			return
		} else if time.Now().After(end) {
			t.Fatalf("it is still there: %s", a.body)
		}
	}
}

var loggingID = regexp.MustCompile(`Logging ID=[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}<`)

func TestAnExceptionNamesItsIDOnly(t *testing.T) {
	c := begin(t, Options{})
	if a := c.ask("POST", "/createItem?name=x", "<nonsense/>"); !loggingID.MatchString(a.body) || a.Status != "500 Server Error" {
		t.Errorf("%s: %s", a.Status, a.body)
	}
}
