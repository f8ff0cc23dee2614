package jenkinstest

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestWhoMayAsk(t *testing.T) {
	c := begin(t, Options{})
	c.create("demo", "true")
	login := []string{jenkinsHTML, xJenkins, "X-You-Are-Authenticated-As: anonymous", "X-Required-Permission: hudson.model.Hudson.Read"}
	wrong := []string{jettyHTML, `WWW-Authenticate: Basic realm="Jenkins"`, "X-Jenkins"}
	noCrumb := []string{jettyHTML, "X-Jenkins"}
	password := "toaster:toaster-password"
	c.facts(
		fact{as: "-", request: "GET /", status: 403, headers: login, has: []string{"Authentication required", "/login?from="}},
		fact{as: "-", request: "GET /job/demo/api/json", status: 403, headers: login},
		fact{as: "-", request: "GET /job/nojob/api/json", status: 403, headers: login},
		fact{as: "-", request: "GET /crumbIssuer/api/json", status: 403, headers: login},
		fact{as: "-", request: "GET /job/demo/api/json", send: []string{"Authorization", "Bearer abc"}, status: 403, headers: login},
		fact{as: "-", request: "GET /login", status: 200, headers: []string{xJenkins}},
		fact{as: "toaster:wrong", request: "GET /job/demo/api/json", status: 401, headers: wrong, has: []string{"Invalid password/token for user: toaster"}},
		fact{as: "toaster:11dddddddddddddddddddddddddddddddd", request: "GET /job/nojob/api/json", status: 401, headers: wrong},
		fact{as: "nobody:x", request: "GET /job/demo/api/json", status: 401, headers: wrong, has: []string{"Invalid password/token for user: nobody"}},
		fact{as: "toaster:", request: "GET /job/demo/api/json", status: 401, headers: wrong},
		fact{as: "-", request: "GET /job/demo/api/json", send: []string{"Authorization", "Basic %%%"}, status: 401, headers: wrong, has: []string{"Malformed HTTP basic Authorization header"}},
		fact{as: reader, request: "POST /createItem?name=byreader", body: demo, status: 403, headers: []string{"X-Required-Permission: hudson.model.Item.Create"}, has: []string{"reader is missing the Job/Create permission"}},
		fact{request: "POST /safeRestart", status: 403, headers: []string{"X-Required-Permission: hudson.model.Hudson.Administer"}, has: []string{"toaster is missing the Overall/Administer permission"}},
		fact{request: "POST /scriptText", body: "script=1", status: 403},
		fact{request: "GET /manage", status: 403},
		fact{as: password, request: "POST /job/demo/build", status: 403, headers: noCrumb, has: []string{"No valid crumb was included in the request"}},
		fact{as: password, request: "POST /createItem?name=nocrumb", body: demo, status: 403, headers: noCrumb},
		fact{as: password, request: "POST /job/demo/disable", send: []string{"Jenkins-Crumb", "0123"}, status: 403, headers: noCrumb},
		fact{as: "-", request: "POST /job/demo/build", status: 403, headers: noCrumb},
		fact{request: "POST /job/demo/enable", status: 302},
		fact{request: "POST /job/demo/enable", send: []string{"Jenkins-Crumb", "0123"}, status: 302},
		fact{as: password, request: "GET /job/demo/api/json", status: 200},
	)
}

func TestCrumbs(t *testing.T) {
	c := begin(t, Options{})
	c.create("demo", "true")
	as := "toaster:toaster-password"
	a := c.check(fact{as: as, request: "GET /crumbIssuer/api/json", status: 200, headers: []string{jsonType, xJenkins}, has: []string{`{"_class":"hudson.security.csrf.DefaultCrumbIssuer","crumb":"`, `","crumbRequestField":"Jenkins-Crumb"}`}})
	crumb := regexp.MustCompile(`[0-9a-f]{64}`).FindString(a.body)
	cookie, _, _ := strings.Cut(a.Header.Get("Set-Cookie"), ";")
	if crumb == "" || !strings.HasPrefix(cookie, "JSESSIONID.") {
		t.Fatalf("%v %s", a.Header, a.body)
	}
	good := []string{"Cookie", cookie, "Jenkins-Crumb", crumb}
	c.facts(
		fact{as: as, request: "GET /crumbIssuer/api/xml?xpath=concat(//crumbRequestField,%22:%22,//crumb)", send: []string{"Cookie", cookie}, status: 200, has: []string{"Jenkins-Crumb:" + crumb}},
		fact{as: as, request: "POST /job/demo/enable", send: []string{"Jenkins-Crumb", crumb}, status: 403, has: []string{"No valid crumb"}},
		fact{as: as, request: "POST /job/demo/enable", send: good, status: 302},
		fact{as: as, request: "POST /job/demo/enable", body: "Jenkins-Crumb=" + crumb, send: []string{"Cookie", cookie}, status: 302},
		fact{as: as, request: "POST /job/demo/enable?Jenkins-Crumb=" + crumb, send: []string{"Cookie", cookie}, status: 302},
		fact{as: "-", request: "POST /job/demo/enable", send: good, status: 403},
	)
	if err := c.Restart(); err != nil {
		t.Fatal(err)
	}
	c.check(fact{as: as, request: "POST /job/demo/enable", send: good, status: 403, has: []string{"No valid crumb"}})
}

func TestDisableUpdateDelete(t *testing.T) {
	c := begin(t, Options{QuietPeriod: time.Hour})
	c.create("failing", "exit 3")
	changed := strings.NewReplacer("SCRIPT", "echo changed", ">demo<", ">changed description<").Replace(shellJob)
	c.facts(
		fact{request: "POST /job/failing/disable", status: 302, headers: []string{"Location: HERE/job/failing/", "Content-Length: 0"}},
		fact{request: "GET /job/failing/api/json?tree=name,buildable,color,disabled", status: 200, has: []string{`{"_class":"hudson.model.FreeStyleProject","name":"failing","buildable":false,"color":"disabled","disabled":true}`}},
		fact{request: "GET /job/failing/config.xml", status: 200, has: []string{"<disabled>true</disabled>"}},
		fact{request: "POST /job/failing/build", status: 409, headers: pageO},
		fact{request: "POST /job/failing/disable", status: 302},
		fact{request: "POST /job/failing/enable", status: 302},
		fact{request: "GET /job/failing/api/json?tree=disabled", status: 200, has: []string{`"disabled":false`}},
		fact{request: "GET /job/failing/disable", status: 405},
		fact{request: "POST /job/failing/config.xml", body: changed, status: 200, headers: []string{"Content-Length: 0"}},
		fact{request: "GET /job/failing/api/json?tree=description", status: 200, has: []string{`"description":"changed description"`}},
		fact{request: "POST /job/failing/config.xml", body: changed, send: []string{"Content-Type", ""}, status: 200},
		fact{request: "POST /job/failing/config.xml", body: changed, send: []string{"Content-Type", "application/x-www-form-urlencoded"}, status: 200},
		fact{request: "POST /job/failing/config.xml", body: "<project><description>", status: 500, headers: pageO},
		fact{request: "POST /job/failing/config.xml", body: "<nonsense/>", status: 500, headers: pageO},
		fact{request: "POST /job/failing/config.xml", body: strings.Replace(changed, "<buildWrappers/>", `<buildWrappers><no.such.Wrapper plugin="nosuch@1.0"><x>1</x></no.such.Wrapper></buildWrappers>`, 1), status: 200},
		fact{request: "POST /job/failing/description", body: "description=via+POST", status: 204},
		fact{request: "PUT /job/failing/config.xml", body: changed, status: 400, headers: []string{"Content-Length: 0"}},
		fact{as: reader, request: "POST /job/failing/config.xml", body: changed, status: 403, headers: []string{"X-Required-Permission: hudson.model.Item.Configure"}},
		fact{as: reader, request: "GET /job/failing/config.xml", status: 403, has: []string{"reader is missing the Job/Configure permission"}},
		fact{request: "POST /job/nojob/config.xml", body: changed, status: 404, headers: pageJ},
		fact{request: "POST /job/failing/doRename?newName=failing-renamed", status: 302, headers: []string{"Location: HERE/job/failing-renamed"}},
		fact{request: "POST /job/failing/confirmRename?newName=x", status: 404, headers: pageJ},
		fact{as: reader, request: "POST /job/failing-renamed/doDelete", status: 403, headers: []string{"X-Required-Permission: hudson.model.Item.Delete"}},
		fact{request: "GET /job/failing-renamed/doDelete", status: 405},
		fact{request: "POST /job/FAILING-RENAMED/doDelete", status: 302, headers: []string{"Location: HERE/"}},
		fact{request: "POST /job/failing-renamed/doDelete", status: 404, headers: pageJ},
		fact{request: "POST /createItem?name=other", body: demo, status: 200},
		fact{request: "POST /job/other/build", status: 201, headers: []string{"Location: HERE/queue/item/1/"}},
		fact{request: "DELETE /job/other/", status: 204},
		fact{request: "GET /queue/item/1/api/json", status: 200, has: []string{`"why":null,"cancelled":true,"executable":null}`}},
		fact{request: "POST /createItem?name=again", body: demo, status: 200},
		fact{request: "POST /job/again/build", status: 201},
		fact{request: "POST /job/again/disable", status: 302},
		fact{request: "GET /queue/item/2/api/json", status: 200, has: []string{`"cancelled":true`}},
	)
}

func TestDeleteWhatRuns(t *testing.T) {
	c := begin(t, Options{})
	c.create("long", "echo begun; sleep 600")
	c.create("delrun", "echo begun; sleep 600")
	for _, name := range []string{"long", "delrun"} {
		c.ask("POST", "/job/"+name+"/build", "")
		c.until("/job/"+name+"/1/consoleText", "begun")
	}
	c.facts(
		fact{request: "POST /job/long/doDelete", status: 302, headers: []string{"Location: HERE/"}},
		fact{request: "GET /job/long/api/json", status: 404, headers: pageJ},
		fact{request: "GET /computer/api/json?tree=busyExecutors", status: 200, has: []string{`"busyExecutors":1`}},
		fact{request: "POST /job/delrun/1/toggleLogKeep", status: 302},
		fact{request: "POST /job/delrun/1/doDelete", status: 400, headers: []string{"X-Error: Unable to delete delrun #1: This record is explicitly marked to be kept."}},
		fact{request: "POST /job/delrun/1/toggleLogKeep", status: 302},
		fact{request: "POST /job/delrun/1/doDelete", status: 302, headers: []string{"Location: HERE/job/delrun/"}},
		fact{request: "GET /job/delrun/1/api/json", status: 404, headers: pageJ},
		fact{request: "GET /job/delrun/api/json?tree=lastBuild[number],builds[number],color,nextBuildNumber", status: 200, has: []string{`{"_class":"hudson.model.FreeStyleProject","builds":[],"color":"notbuilt","lastBuild":null,"nextBuildNumber":2}`}},
		fact{request: "GET /computer/api/json?tree=busyExecutors,computer[executors[currentExecutable[url]]]", status: 200, has: []string{`"busyExecutors":1`, `"url":"http://jenkins.example:8080/job/delrun/1/"`}},
	)
}

func TestQuietDown(t *testing.T) {
	c := begin(t, Options{})
	c.create("quick", "true")
	c.facts(
		fact{as: admin, request: "POST /quietDown", status: 302, headers: []string{"Location: HERE/"}},
		fact{request: "GET /api/json?tree=quietingDown", status: 200, has: []string{`{"_class":"hudson.model.Hudson","quietingDown":true}`}},
		fact{request: "POST /job/quick/build?delay=0sec", status: 201},
		fact{request: "GET /queue/item/1/api/json", status: 200, has: []string{`"_class":"hudson.model.Queue$BuildableItem"`, `"why":"Jenkins is about to shut down"`, `"pending":false`}},
		fact{request: "POST /createItem?name=quick2", body: demo, status: 200},
		fact{request: "POST /quietDown", status: 403},
		fact{as: admin, request: "POST /cancelQuietDown", status: 302},
	)
	c.until("/queue/item/1/api/json?tree=why,executable[number],cancelled", `{"_class":"hudson.model.Queue$LeftItem","why":null,"cancelled":false,"executable":{"_class":"hudson.model.FreeStyleBuild","number":1}}`)
}
