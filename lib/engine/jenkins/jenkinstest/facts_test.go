package jenkinstest

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What a real controller answered to what toaster asks.

func TestCreateItem(t *testing.T) {
	c := begin(t, Options{})
	c.facts(
		fact{request: "POST /createItem?name=demo", body: demo, status: 200,
			headers: []string{"Content-Length: 0", "X-Jenkins", "Set-Cookie"}},
		fact{request: "POST /createItem?name=demo", body: demo, status: 400,
			headers: []string{jenkinsHTML, xJenkins, "X-Error: A job already exists with the name  demo "},
			has:     []string{"A job already exists with the name ‘demo’"}},
		fact{request: "POST /createItem?name=DEMO", body: demo, status: 400,
			headers: []string{"X-Error: A job already exists with the name  DEMO "}},
		fact{request: "POST /createItem?name=broken", body: "<project><description>", status: 500, headers: pageO,
			has: []string{"Oops!", "A problem occurred while processing the request.", "Logging ID="}},
		fact{request: "POST /createItem?name=unknownroot", body: "<nonsense/>", status: 500, headers: pageO},
		fact{request: "POST /createItem?name=emptybody", send: []string{"Content-Type", "application/xml"}, status: 500,
			headers: pageO},
		fact{request: "POST /createItem?name=ct", body: demo, send: []string{"Content-Type", "text/plain"}, status: 400,
			headers: []string{"X-Error: No mode given"}},
		fact{request: "POST /createItem?name=minimal", body: "<project/>", status: 200},
		fact{request: "GET /createItem?name=ct5", status: 405, headers: []string{jenkinsHTML, xJenkins},
			has: []string{"This URL requires POST"}},
	)
	for _, name := range []string{"broken", "unknownroot", "emptybody", "ct"} {
		c.check(fact{request: "GET /job/" + name + "/api/json", status: 404, headers: pageJ})
	}
}

func TestJobWithoutBuilds(t *testing.T) {
	c := begin(t, Options{})
	c.create("demo", "true")
	c.facts(
		fact{request: "GET /job/demo/api/json?tree=name,fullName,description,disabled,labelExpression,nextBuildNumber,lastBuild[number],builds[number,result]{0,5},queueItem[id]", status: 200, headers: []string{jsonType, xJenkins}, has: []string{
			`{"_class":"hudson.model.FreeStyleProject","builds":[],"description":"demo","disabled":false,"fullName":"demo","labelExpression":"","lastBuild":null,"name":"demo","nextBuildNumber":1,"queueItem":null}`}},
		fact{request: "GET /job/demo/api/json?tree=name,nosuch", status: 200,
			has: []string{`{"_class":"hudson.model.FreeStyleProject","name":"demo"}`}},
		fact{request: "GET /job/demo/api/json?tree=name]", status: 500, headers: pageO},
		fact{request: "GET /job/demo/1/api/json", status: 404, headers: pageJ},
		fact{request: "GET /job/demo/config.xml", status: 200, headers: []string{"Content-Type: application/xml"},
			has: []string{"<description>demo</description>"}},
		fact{request: "GET /job/nojob/api/json", status: 404, headers: pageJ,
			has: []string{"URI:</th><td>/job/nojob/api/json</td>", "Powered by Jetty:// 9.4.33.v20201020"}},
		fact{request: "GET /job/DEMO/api/json?tree=name", status: 200, has: []string{`"name":"demo"`}},
		fact{request: "GET /whoAmI/api/json", status: 200,
			has: []string{`{"_class":"hudson.security.WhoAmI","anonymous":false,"name":"toaster"}`}},
	)
}

func TestViews(t *testing.T) {
	c := begin(t, Options{View: "by-name"})
	c.create("demo", "true")
	byPattern := "<hudson.model.ListView><name>v3</name><includeRegex>de.*|nothing</includeRegex></hudson.model.ListView>"
	c.facts(
		fact{request: "POST /view/by-name/addJobToView?name=demo", status: 200, headers: []string{"Content-Length: 0"}},
		fact{request: "POST /view/by-name/addJobToView?name=demo", status: 200, headers: []string{"Content-Length: 0"}},
		fact{request: "GET /view/by-name/addJobToView?name=demo", status: 405},
		fact{request: "POST /view/by-name/addJobToView?name=nojob", status: 400,
			headers: []string{"X-Error: Query parameter 'name' does not correspond to a known item"}},
		fact{request: "GET /view/by-name/api/json?tree=jobs[name]", status: 200,
			has: []string{`{"_class":"hudson.model.ListView","jobs":[{"_class":"hudson.model.FreeStyleProject","name":"demo"}]}`}},
		fact{request: "GET /view/nope/api/json", status: 404, headers: pageJ},
		fact{request: "POST /view/nope/addJobToView?name=demo", status: 404, headers: pageJ},
		fact{request: "POST /createView?name=v3", body: byPattern, status: 200, headers: []string{"Content-Length: 0"}},
		fact{request: "POST /createView?name=v3", body: byPattern, status: 400,
			headers: []string{"X-Error: A view already exists with the name  v3 "}},
		fact{request: "POST /createView?name=v4", body: "<nonsense/>", status: 500, headers: pageO},
		fact{request: "GET /view/v3/api/json?tree=jobs[name]", status: 200, has: []string{`"name":"demo"`}},
		fact{request: "GET /view/by-name/config.xml", status: 200, headers: []string{"Content-Type: application/xml"},
			has: []string{`<?xml version="1.1"`, "<string>demo</string>"}},
		fact{request: "GET /view/v3/config.xml", status: 200, has: []string{"<includeRegex>de.*|nothing</includeRegex>"}},
	)
	c.Permit("toaster", ViewConfigure, false)
	c.Permit("toaster", ViewCreate, false)
	c.facts(
		fact{request: "POST /view/by-name/addJobToView?name=demo", status: 403,
			headers: []string{jenkinsHTML, "X-Required-Permission: hudson.model.View.Configure"},
			has:     []string{"toaster is missing the View/Configure permission"}},
		fact{request: "POST /createView?name=v5", body: byPattern, status: 403,
			headers: []string{"X-Required-Permission: hudson.model.View.Create"}},
	)
}

func TestAViewThatListsByNameFailsWhenSeveralChangeIt(t *testing.T) {
	c := begin(t, Options{View: "by-name"})
	c.RacingViews(true)
	failed := make(chan int)
	for i := range 8 {
		c.create(fmt.Sprintf("job%d", i), "true")
	}
	for i := range 8 {
		go func() {
			failed <- c.ask("POST", fmt.Sprintf("/view/by-name/addJobToView?name=job%d", i), "").StatusCode
		}()
	}
	count := map[int]int{}
	for range 8 {
		count[<-failed]++
	}
	if count[500] == 0 || count[200] == 0 {
		t.Errorf("the answers are %v", count)
	}
	if n := strings.Count(c.get("/view/by-name/api/json?tree=jobs[name]"), `"name":"job`); n != 8 {
		t.Errorf("%d jobs are in the view", n)
	}
}

func TestBuildAndQueue(t *testing.T) {
	c := begin(t, Options{QuietPeriod: time.Second, LeaveWindow: 900 * time.Millisecond})
	c.create("demo", "echo begun; sleep 600")
	item := "/api/json?tree=id,why,blocked,cancelled,task[name],executable[number]"
	c.facts(
		fact{request: "POST /job/demo/build", status: 201,
			headers: []string{"Location: HERE/queue/item/1/", "Content-Length: 0"}},
		fact{request: "GET /queue/item/1" + item, status: 200, has: []string{
			`{"_class":"hudson.model.Queue$WaitingItem","blocked":false,"id":1,"task":{"_class":"hudson.model.FreeStyleProject","name":"demo"},"why":"In the quiet period. Expires in `}},
		fact{request: "POST /job/demo/build", status: 201, headers: []string{"Location: HERE/queue/item/1/"}},
		fact{request: "GET /queue/api/json?tree=items[id]", status: 200,
			has: []string{`{"_class":"hudson.model.Queue","items":[{"_class":"hudson.model.Queue$WaitingItem","id":1}]}`}},
		fact{request: "GET /job/demo/api/json?tree=queueItem[id],lastBuild[number]", status: 200,
			has: []string{`"lastBuild":null,"queueItem":{"_class":"hudson.model.Queue$WaitingItem","id":1}`}},
	)
	c.until("/queue/item/1"+item, `"cancelled":false,"executable":null,`)
	c.until("/job/demo/1/api/json?tree=queueId,building", `"building":true,"queueId":-1`)
	c.until("/queue/item/1"+item, `"executable":{"_class":"hudson.model.FreeStyleBuild","number":1}`)
	c.until("/job/demo/1/consoleText", "begun\n+ sleep")
	c.facts(
		fact{request: "GET /job/demo/1/api/json?tree=building,duration,estimatedDuration,keepLog,number,queueId,result",
			status: 200, has: []string{
				`"building":true,"duration":0,"estimatedDuration":-1,"keepLog":false,"number":1,"queueId":1,"result":""`}},
		fact{request: "GET /computer/api/json?tree=computer[displayName,offline,numExecutors,executors[idle],assignedLabels[name]]", status: 200, has: []string{
			`{"_class":"hudson.model.Hudson$MasterComputer","assignedLabels":[{"name":"master"}],"displayName":"master","executors":[{"idle":false},{"idle":true}],"numExecutors":2,"offline":false}`}},
		fact{request: "POST /job/demo/build?delay=0sec", status: 201, headers: []string{"Location: HERE/queue/item/2/"}},
		fact{request: "GET /queue/item/2" + item, status: 200,
			has: []string{`"_class":"hudson.model.Queue$BlockedItem"`, `"blocked":true`,
				`"why":"Build #1 is already in progress (ETA: N/A)"`}},
		fact{request: "POST /queue/cancelItem?id=2", status: 204},
		fact{request: "GET /queue/item/2" + item, status: 200, has: []string{`"cancelled":true,"executable":null`}},
		fact{request: "POST /queue/cancelItem?id=2", status: 500, headers: pageO},
		fact{request: "POST /queue/cancelItem?id=99999", status: 404, headers: []string{jenkinsHTML, xJenkins}},
		fact{request: "GET /queue/item/99999/api/json", status: 404, headers: pageJ},
		fact{request: "GET /job/demo/build", status: 405},
		fact{request: "POST /createItem?name=params", status: 200,
			body: strings.Replace(demo, "<properties/>",
				"<properties><hudson.model.ParametersDefinitionProperty><parameterDefinitions/></hudson.model.ParametersDefinitionProperty></properties>", 1)},
		fact{request: "POST /job/params/build?delay=0sec", status: 400, headers: pageJ,
			has: []string{"This page expects a form submission"}},
		fact{request: "POST /job/demo/build?delay=xyz", status: 500, headers: pageO},
		fact{request: "POST /job/nojob/build", status: 404, headers: pageJ},
		fact{request: "POST /job/demo/build?delay=60sec", status: 201, headers: []string{"Location: HERE/queue/item/3/"}},
	)
	c.Permit("toaster", JobCancel, false)
	c.Permit("toaster", JobBuild, false)
	c.facts(
		fact{request: "POST /queue/cancelItem?id=3", status: 422, headers: pageO},
		fact{request: "POST /job/demo/1/stop", status: 403,
			headers: []string{"X-Required-Permission: hudson.model.Item.Cancel"},
			has:     []string{"toaster is missing the Job/Cancel permission"}},
		fact{request: "POST /job/demo/build", status: 403,
			headers: []string{"X-Required-Permission: hudson.model.Item.Build", "X-You-Are-Authenticated-As: toaster"}},
	)
}

func TestALeftItemIsForgotten(t *testing.T) {
	c := begin(t, Options{KeepLeft: 100 * time.Millisecond})
	c.create("demo", "true")
	c.ask("POST", "/job/demo/build", "")
	c.until("/queue/item/1/api/json", "LeftItem")
	c.until("/queue/item/1/api/json", "Not Found")
}

func TestAFinishedBuild(t *testing.T) {
	c := begin(t, Options{FinishWindow: 200 * time.Millisecond})
	c.create("demo", "mkdir -p out/sub; echo big >out/big.bin; echo hello >'out/sub/hello world.txt'")
	c.ask("POST", "/job/demo/build", "")
	c.until("/job/demo/1/api/json?tree=building,duration,result", `"building":true,"duration":0,"result":"SUCCESS"`)
	c.until("/job/demo/1/api/json?tree=building,result", `"building":false,"result":"SUCCESS"`)
	log := c.until("/job/demo/1/consoleText", "Finished")
	begin := regexp.MustCompile(`^Started by user toaster\nRunning as SYSTEM\nBuilding in workspace .*/workspace/demo\n\[demo\] \$ /bin/sh -xe .*\.sh\n\+ mkdir -p out/sub\n`)
	if !begin.MatchString(log) || !strings.HasSuffix(log, "\nArchiving artifacts\nFinished: SUCCESS\n") {
		t.Errorf("the log is %q", log)
	}
	c.facts(
		fact{request: "GET /job/demo/1/api/json?tree=artifacts[relativePath]", status: 200,
			has: []string{`"artifacts":[{"relativePath":"out/big.bin"},{"relativePath":"out/sub/hello world.txt"}]`}},
		fact{request: "POST /job/demo/1/stop", status: 302, headers: []string{"Location: HERE/job/demo/1/"}},
	)
	c.Permit("toaster", JobCancel, false)
	c.until("/computer/api/json?tree=busyExecutors", `"busyExecutors":0`) // its slot is free a moment later
	c.check(fact{request: "POST /job/demo/1/stop", status: 302})
}

func TestLogs(t *testing.T) {
	c := begin(t, Options{})
	c.create("demo", "#!/bin/sh\necho first; printf half; sleep 600")
	c.ask("POST", "/job/demo/build", "")
	first := "/job/demo/1/logText/progressiveText?start=0"
	c.until(first, "first")
	a := c.ask("GET", first, "")
	if a.Header.Get("X-More-Data") != "true" || !strings.HasPrefix(a.body,
		"Started by user toaster\r\nRunning as SYSTEM\r\n") {
		t.Errorf("%v %q", a.Header, a.body)
	}
	time.Sleep(50 * time.Millisecond)
	if a := c.ask("GET", first, ""); !strings.HasSuffix(a.body, "first\r\n") {
		t.Errorf("while the build runs only whole lines come: %q", a.body)
	}
	c.ask("POST", "/job/demo/1/stop", "")
	c.until("/job/demo/1/consoleText", "Finished: ABORTED\n")
	c.until("/computer/api/json?tree=busyExecutors", `"busyExecutors":0`)
	whole := c.ask("GET", first, "")
	size, err := strconv.Atoi(whole.Header.Get("X-Text-Size"))
	raw, _ := os.ReadFile(c.home + "/jobs/demo/builds/1/log")
	if err != nil || size != len(raw) || size <= len(whole.body) || whole.Header.Get("X-More-Data") != "" {
		t.Errorf("%v for %d bytes, the file has %d", whole.Header, len(whole.body), len(raw))
	}
	for start, want := range map[int]string{size: "", size - 10: ": ABORTED\r\n", size + 1: whole.body,
		999999: whole.body} {
		a := c.ask("GET", fmt.Sprintf("/job/demo/1/logText/progressiveText?start=%d", start), "")
		if a.body != want || a.Header.Get("X-Text-Size") != strconv.Itoa(size) {
			t.Errorf("from %d: %q, %v", start, a.body, a.Header)
		}
	}
	c.facts(
		fact{request: "GET /job/demo/1/logText/progressiveText?start=-1", status: 500, headers: pageO},
		fact{request: "GET /job/demo/1/logText/progressiveText?start=abc", status: 500, headers: pageO},
		fact{request: "GET /job/demo/1/consoleText", status: 200,
			headers: []string{"Content-Type: text/plain;charset=utf-8"}},
		fact{request: "GET /job/demo/2/logText/progressiveText", status: 404, headers: pageJ},
	)
}

// TestALongLogIsSpooled: progressiveText reads all that follows its start before it answers; the page of a log, and
// consoleText, don't. The page says how much is before what it shows: hudson/model/Run/console.jelly.
func TestALongLogIsSpooled(t *testing.T) {
	c := begin(t, Options{Spool: 1e6})
	c.create("demo", "#!/bin/sh\nyes 0123456789 | head -c 22000000; printf 'no \\377 UTF-8\\r\\n'")
	c.ends("demo", 1)
	c.facts(
		fact{request: "GET /job/demo/1/console", status: 200,
			has: []string{"Skipping 21,334 KB.. <a href=\"consoleFull\">Full Log</a>", "Finished: SUCCESS"}},
		fact{request: "GET /job/demo/1/consoleText", status: 200, has: []string{"no \xff UTF-8\r\n"}},
	)
	if n := c.Spooled(); n != 0 {
		t.Errorf("%d bytes were read before", n)
	}
	c.check(fact{request: "GET /job/demo/1/logText/progressiveText?start=21845000", status: 200,
		has: []string{"no \uFFFD UTF-8\r\n"}})
	if n := c.Spooled(); n < 100_000 || n > 200_000 {
		t.Errorf("%d bytes were read before", n)
	}
	c.check(fact{request: "GET /job/demo/1/logText/progressiveText?start=99999999", status: 200,
		has: []string{"Started by user"}})
	if n := c.Spooled(); n < 22_000_000 {
		t.Errorf("%d bytes were read before", n)
	}
}

func TestArtifacts(t *testing.T) {
	c := begin(t, Options{})
	c.create("odd",
		strings.ReplaceAll(`mkdir -p 'out/d i r'; cd out; echo 1 >'d i r/a#b%c+d&e;f.txt'; echo 2 >ünïcode-日本.bin; : >empty; ln -s empty link; echo x >.dot; printf 0123456789 >ten`, "&", "&amp;"))
	c.ends("odd", 1)
	ten := "/job/odd/1/artifact/out/ten"
	c.facts(
		fact{request: "GET /job/odd/1/api/json?tree=artifacts[relativePath]", status: 200,
			has: []string{`[{"relativePath":"out/.dot"},{"relativePath":"out/d i r/a#b%c+d\u0026e;f.txt"},{"relativePath":"out/empty"},{"relativePath":"out/link"},{"relativePath":"out/ten"},{"relativePath":"out/ünïcode-日本.bin"}]`}},
		fact{request: "GET /job/odd/1/artifact/out/d%20i%20r/a%23b%25c%2Bd%26e%3Bf.txt", status: 200,
			headers: []string{"Accept-Ranges: bytes", "Content-Length: 2", "X-Jenkins"}, has: []string{"1\n"}},
		fact{request: "GET /job/odd/1/artifact/out/%C3%BCn%C3%AFcode-%E6%97%A5%E6%9C%AC.bin", status: 200},
		fact{request: "GET /job/odd/1/artifact/out/empty", status: 200, headers: []string{"Content-Length: 0"}},
		fact{request: "GET /job/odd/1/artifact/out/link", status: 404, headers: pageJ},
		fact{request: "GET " + ten, send: []string{"Range", "bytes=0-3"}, status: 206,
			headers: []string{"Content-Range: bytes 0-3/10", "Content-Length: 4"}, has: []string{"0123"}, lacks: []string{"4"}},
		fact{request: "GET " + ten, send: []string{"Range", "bytes=8-"}, status: 206,
			headers: []string{"Content-Range: bytes 8-9/10"}, has: []string{"89"}},
		fact{request: "GET " + ten, send: []string{"Range", "bytes=-5"}, status: 200,
			headers: []string{"Content-Range", "Content-Length: 10"}, has: []string{"0123456789"}},
		fact{request: "GET " + ten, send: []string{"Range", "bytes=0-1,5-6"}, status: 200, headers: []string{"Content-Range"},
			has: []string{"0123456789"}},
		fact{request: "GET " + ten, send: []string{"Range", "bytes=40-"}, status: 500,
			headers: []string{"Content-Range: bytes 40-9/10", jenkinsHTML}, has: []string{"Logging ID="}},
		fact{request: "GET " + ten, send: []string{"Range", "bytes=10-"}, status: 206,
			headers: []string{"Content-Range: bytes 10-9/10", "Content-Length: 0"}},
		fact{request: "GET /job/odd/1/artifact/out/empty", send: []string{"Range", "bytes=0-0"}, status: 206,
			headers: []string{"Content-Range: bytes 0--1/0", "Content-Length: 0"}},
		fact{request: "GET /job/odd/1/artifact/out/nope", status: 404, headers: pageJ},
		fact{request: "GET /job/odd/1/artifact/..%2f..%2fbuild.xml", status: 404, headers: pageJ},
	)
}

// TestFingerprintsFollowLinks, seen on 2.452.4: followSymlinks=false holds for the archive alone.
func TestFingerprintsFollowLinks(t *testing.T) {
	for _, fingerprint := range []string{"false", "true"} {
		c := begin(t, Options{})
		c.ask("POST", "/createItem?name=demo", "<project><builders><hudson.tasks.Shell><command>mkdir dist; echo x "+
			">dist/image; ln -sf nothing dist/dangling</command></hudson.tasks.Shell></builders>"+
			"<publishers><hudson.tasks.ArtifactArchiver><artifacts>dist/**</artifacts><followSymlinks>false</followSymlinks><fingerprint>"+fingerprint+"</fingerprint></hudson.tasks.ArtifactArchiver></publishers></project>")
		log := c.ends("demo", 1)
		if failed := strings.Contains(log, "ERROR: Failed to record fingerprints"); failed != (fingerprint == "true") ||
			failed != strings.HasSuffix(log, "Finished: FAILURE\n") {
			t.Errorf("with fingerprint=%s: %s", fingerprint, log)
		}
	}
}

func TestStopFailureAndUnstable(t *testing.T) {
	c := begin(t, Options{})
	c.create("long", "trap 'echo got-term' TERM; echo tick; sleep 600; sleep 600")
	c.ask("POST", "/job/long/build", "")
	c.until("/job/long/1/consoleText", "+ sleep")
	c.check(fact{request: "POST /job/long/1/stop", status: 302,
		headers: []string{"Location: HERE/job/long/1/", "Content-Length: 0"}})
	if log := c.until("/job/long/1/consoleText", "Finished"); !strings.HasSuffix(log,
		"Build was aborted\nAborted by toaster\nArchiving artifacts\nFinished: ABORTED\n") {
		t.Errorf("the log is %q", log)
	}
	c.create("failing", "echo oops; exit 3")
	if log := c.ends("failing", 1); !strings.HasSuffix(log,
		"+ exit 3\nBuild step 'Execute shell' marked build as failure\nArchiving artifacts\nFinished: FAILURE\n") {
		t.Errorf("the log is %q", log)
	}
	unstable := strings.NewReplacer("SCRIPT", "mkdir out; echo x >out/x; exit 99", "</command>",
		"</command><unstableReturn>99</unstableReturn>").Replace(shellJob)
	c.check(fact{request: "POST /createItem?name=unstable", status: 200, body: unstable})
	c.ends("unstable", 1)
	c.facts(
		fact{request: "GET /job/long/1/api/json?tree=result,estimatedDuration,actions[causes[shortDescription]]", status: 200,
			has: []string{`{"_class":"jenkins.model.InterruptedBuildAction","causes":[{"_class":"jenkins.model.CauseOfInterruption$UserInterruption","shortDescription":"Aborted by toaster"}]}`, `"estimatedDuration":-1,"result":"ABORTED"`}},
		fact{request: "POST /job/long/1/stop", status: 302},
		fact{request: "POST /job/long/77/stop", status: 404, headers: pageJ},
		fact{request: "GET /job/long/1/toggleLogKeep", status: 405, has: []string{"This URL requires POST"}},
		fact{request: "GET /job/unstable/1/api/json?tree=result,artifacts[relativePath]", status: 200,
			has: []string{`[{"relativePath":"out/x"}],"result":"UNSTABLE"`}},
	)
}

func TestExecutorsAndLabels(t *testing.T) {
	c := begin(t, Options{Executors: 1})
	c.create("e1", "sleep 600")
	c.create("e2", "true")
	c.ask("POST", "/job/e1/build", "")
	c.until("/job/e1/1/consoleText", "+ sleep")
	c.facts(
		fact{request: "POST /job/e2/build?delay=0sec", status: 201},
		fact{request: "GET /queue/item/2/api/json?tree=blocked,why", status: 200,
			has: []string{`{"_class":"hudson.model.Queue$BuildableItem","blocked":false,"why":"Waiting for next available executor"}`}},
		fact{request: "POST /createItem?name=nolabel", body: "<project><assignedNode>nolabel</assignedNode></project>",
			status: 200},
		fact{request: "POST /job/nolabel/build?delay=0sec", status: 201},
		fact{request: "GET /queue/item/3/api/json?tree=why", status: 200,
			has: []string{"‘Jenkins’ doesn’t have label ‘nolabel’"}},
		fact{request: "GET /queue/api/json?tree=items[id]", status: 200,
			has: []string{`"id":3},{"_class":"hudson.model.Queue$BuildableItem","id":2}`}}, // the newest first
	)
}

// TestALostAgent, seen on 2.452.4, fails its builds, with lines of Jenkins's own, and goes on with their processes.
func TestALostAgent(t *testing.T) {
	c := begin(t, Options{Executors: -1, Agents: []Agent{{Name: "a1", Labels: []string{"amd64"}, Exclusive: true}}})
	c.create("free", "true")
	c.ask("POST", "/createItem?name=demo",
		"<project><assignedNode>amd64</assignedNode><builders><hudson.tasks.Shell><command>#!/bin/sh\necho begun; sleep "+
			"600</command></hudson.tasks.Shell></builders></project>")
	c.ask("POST", "/job/demo/build?delay=0sec", "")
	c.until("/job/demo/1/consoleText", "begun")
	c.LoseAgent("a1")
	log := c.until("/job/demo/1/consoleText", "Finished: FAILURE")
	for _, want := range []string{"begun\nFATAL: command execution failed\nhudson.remoting.ChannelClosedException: ",
		"Agent went offline during the build\n"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q: %s", want, log)
		}
	}
	c.ask("POST", "/job/demo/build?delay=0sec", "")
	c.check(fact{request: "GET /queue/item/2/api/json?tree=why", status: 200, has: []string{"‘a1’ is offline"}})
	c.SetOffline("a1", false)
	// A node's own name is a label, and the only place that tells its mode: hudson.model.Label and Node.
	c.facts(
		fact{request: "GET /label/a1/api/json?tree=nodes[mode]", status: 200,
			has: []string{`"nodes":[{"mode":"EXCLUSIVE"}]`}},
		fact{request: "POST /job/free/build?delay=0sec", status: 201},
		fact{request: "GET /job/free/api/json?tree=queueItem[id],lastBuild[number]", status: 200,
			has: []string{`"lastBuild":null,"queueItem":{`}},
	)
}

func TestPermissions(t *testing.T) {
	c := begin(t, Options{})
	c.create("demo", "true")
	password := "toaster:toaster-password"
	noCrumb := []string{jettyHTML, "X-Jenkins"}
	c.facts(
		fact{as: "toaster:wrong", request: "GET /job/demo/api/json", status: 401,
			headers: []string{jettyHTML, `WWW-Authenticate: Basic realm="Jenkins"`, "X-Jenkins"},
			has:     []string{"Invalid password/token for user: toaster"}},
		fact{as: "nobody:x", request: "GET /api/json", status: 401},
		fact{request: "POST /quietDown", status: 403,
			headers: []string{"X-Required-Permission: hudson.model.Hudson.Administer"},
			has:     []string{"toaster is missing the Overall/Administer permission"}},
		fact{as: password, request: "POST /job/demo/build", status: 403, headers: noCrumb,
			has: []string{"No valid crumb was included in the request"}},
		fact{as: password, request: "POST /job/demo/disable", send: []string{"Jenkins-Crumb", "0123"}, status: 403,
			headers: noCrumb},
		fact{request: "POST /job/demo/enable", send: []string{"Jenkins-Crumb", "0123"}, status: 302},
		fact{as: password, request: "GET /job/demo/api/json", status: 200},
	)
	c.Permit("toaster", JobRead, false)
	c.check(fact{request: "GET /job/demo/api/json", status: 404, headers: pageJ})
	c.Permit("toaster", Read, false)
	c.check(fact{request: "GET /api/json", status: 403,
		headers: []string{"X-Required-Permission: hudson.model.Hudson.Read"}})
	c.SetToken("toaster", "other")
	c.check(fact{request: "GET /api/json", status: 401})
}

func TestCrumbs(t *testing.T) {
	c := begin(t, Options{})
	c.create("demo", "true")
	as := "toaster:toaster-password"
	a := c.check(fact{as: as, request: "GET /crumbIssuer/api/json", status: 200, headers: []string{jsonType, xJenkins},
		has: []string{`{"crumb":"`, `","crumbRequestField":"Jenkins-Crumb"}`}})
	crumb := regexp.MustCompile(`[0-9a-f]{64}`).FindString(a.body)
	cookie, _, _ := strings.Cut(a.Header.Get("Set-Cookie"), ";")
	if crumb == "" || !strings.HasPrefix(cookie, "JSESSIONID.") {
		t.Fatalf("%v %s", a.Header, a.body)
	}
	good := []string{"Cookie", cookie, "Jenkins-Crumb", crumb}
	c.facts(
		fact{as: as, request: "GET /crumbIssuer/api/json", send: good, status: 200, has: []string{crumb}},
		fact{as: as, request: "POST /job/demo/enable", send: []string{"Jenkins-Crumb", crumb}, status: 403,
			has: []string{"No valid crumb"}},
		fact{as: as, request: "POST /job/demo/enable", send: good, status: 302},
		fact{as: "admin:admin-password", request: "POST /job/demo/enable", send: good, status: 403},
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
		fact{request: "POST /job/failing/build", status: 201, headers: []string{"Location: HERE/queue/item/1/"}},
		fact{request: "POST /job/failing/disable", status: 302,
			headers: []string{"Location: HERE/job/failing/", "Content-Length: 0"}},
		fact{request: "GET /queue/item/1/api/json?tree=cancelled", status: 200, has: []string{`"cancelled":true`}},
		fact{request: "GET /job/failing/api/json?tree=disabled", status: 200, has: []string{`"disabled":true`}},
		fact{request: "GET /job/failing/config.xml", status: 200, has: []string{"<disabled>true</disabled>"}},
		fact{request: "POST /job/failing/build", status: 409, headers: pageO},
		fact{request: "POST /job/failing/disable", status: 302},
		fact{request: "POST /job/failing/enable", status: 302},
		fact{request: "GET /job/failing/disable", status: 405},
		fact{request: "POST /job/failing/config.xml", body: changed, status: 200, headers: []string{"Content-Length: 0"}},
		fact{request: "GET /job/failing/api/json?tree=description", status: 200,
			has: []string{`"description":"changed description"`}},
		fact{request: "POST /job/failing/config.xml", body: "<project><description>", status: 500, headers: pageO},
		fact{request: "POST /job/nojob/config.xml", body: changed, status: 404, headers: pageJ},
		fact{request: "POST /job/failing/doRename?newName=renamed", status: 302},
		fact{request: "GET /job/failing/api/json", status: 404, headers: pageJ},
		fact{request: "GET /job/renamed/doDelete", status: 405},
		fact{request: "POST /job/RENAMED/doDelete", status: 302, headers: []string{"Location: HERE/"}},
		fact{request: "POST /job/renamed/doDelete", status: 404, headers: pageJ},
		fact{request: "POST /createItem?name=other", body: demo, status: 200},
		fact{request: "POST /job/other/build", status: 201},
		fact{request: "POST /job/other/doDelete", status: 302},
		fact{request: "GET /queue/item/2/api/json?tree=cancelled,executable[number]", status: 200,
			has: []string{`"cancelled":true,"executable":null`}},
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
		fact{request: "POST /job/delrun/1/doDelete", status: 400,
			headers: []string{"X-Error: Unable to delete delrun #1: This record is explicitly marked to be kept."}},
		fact{request: "POST /job/delrun/1/toggleLogKeep", status: 302},
		fact{request: "POST /job/delrun/1/doDelete", status: 302, headers: []string{"Location: HERE/job/delrun/"}},
		fact{request: "GET /job/delrun/1/api/json", status: 404, headers: pageJ},
		fact{request: "GET /job/delrun/api/json?tree=lastBuild[number],builds[number],nextBuildNumber", status: 200,
			has: []string{`"builds":[],"lastBuild":null,"nextBuildNumber":2`}},
		fact{request: "GET /computer/api/json?tree=busyExecutors", status: 200, has: []string{`"busyExecutors":1`}},
	)
}

func TestQuietDown(t *testing.T) {
	c := begin(t, Options{})
	c.create("quick", "true")
	c.facts(
		fact{as: admin, request: "POST /quietDown", status: 302, headers: []string{"Location: HERE/"}},
		fact{request: "GET /api/json?tree=quietingDown", status: 200,
			has: []string{`{"_class":"hudson.model.Hudson","quietingDown":true}`}},
		fact{request: "POST /job/quick/build?delay=0sec", status: http.StatusCreated},
		fact{request: "GET /queue/item/1/api/json?tree=why", status: 200,
			has: []string{`"why":"Jenkins is about to shut down"`}},
	)
}
