package jenkinstest

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ends starts a job and waits until its build has ended altogether.
func (c *client) ends(name string, number int) string {
	c.Helper()
	c.user, c.secret = "toaster", "toaster-token"
	if a := c.ask("POST", "/job/"+name+"/build?delay=0sec", ""); a.StatusCode != http.StatusCreated {
		c.Fatalf("build: %s\n%s", a.Status, a.body)
	}
	log := c.until(fmt.Sprintf("/job/%s/%d/consoleText", name, number), "Finished: ")
	c.until(fmt.Sprintf("/job/%s/%d/api/json?tree=executor[idle]", name, number), `"executor":null`)
	return log
}

func TestAFinishedBuild(t *testing.T) {
	c := begin(t, Options{})
	c.create("demo", "mkdir -p out/sub; echo big >out/big.bin; echo hello >'out/sub/hello world.txt'; sleep 0.1")
	log := c.ends("demo", 1)
	if want := "Started by user toaster\nRunning as SYSTEM\nBuilding in workspace " + c.Home() + "/workspace/demo\n[demo] $ /bin/sh -xe " + c.Home() + "/jenkins1.sh\n+ mkdir -p out/sub\n"; !strings.HasPrefix(log, want) {
		t.Errorf("the log is %q", log)
	}
	if !strings.HasSuffix(log, "\nArchiving artifacts\nFinished: SUCCESS\n") {
		t.Errorf("the log ends as %q", log)
	}
	c.facts(
		fact{request: "GET /job/demo/1/api/json", status: 200, has: []string{
			`"artifacts":[{"displayPath":"big.bin","fileName":"big.bin","relativePath":"out/big.bin"},{"displayPath":"hello world.txt","fileName":"hello world.txt","relativePath":"out/sub/hello world.txt"}],"building":false,`,
			`"executor":null,"fullDisplayName":"demo #1","id":"1","keepLog":false,"number":1,"queueId":1,"result":"SUCCESS","timestamp":`}},
		fact{request: "GET /queue/item/1/api/json", status: 200, has: []string{`"color":"blue"},"url":"queue/item/1/","why":null,"cancelled":false,"executable":{"_class":"hudson.model.FreeStyleBuild","number":1,`}},
		fact{request: "POST /job/demo/1/stop", status: 302, headers: []string{"Location: HERE/job/demo/1/"}},
		fact{as: reader, request: "POST /job/demo/1/stop", status: 302},
	)
	c.ask("POST", "/job/demo/build", "")
	c.user, c.secret = "toaster", "toaster-token"
	c.ends("demo", 2)
	c.check(fact{request: "GET /job/demo/api/json?tree=healthReport[*],lastBuild[number],lastSuccessfulBuild[number]", status: 200, has: []string{`"healthReport":[{"description":"Build stability: No recent builds failed.","iconClassName":"icon-health-80plus","iconUrl":"health-80plus.png","score":100}]`}})
}

func TestAResultShowsBeforeTheEnd(t *testing.T) {
	c := begin(t, Options{FinishWindow: 200 * time.Millisecond})
	c.create("demo", "true")
	c.ask("POST", "/job/demo/build", "")
	c.until("/job/demo/1/api/json?tree=building,duration,result", `"building":true,"duration":0,"result":"SUCCESS"`)
	c.until("/job/demo/1/api/json?tree=building,result", `"building":false,"result":"SUCCESS"`)
}

func TestLogs(t *testing.T) {
	c := begin(t, Options{})
	c.create("demo", "#!/bin/sh\necho first; printf half; sleep 600")
	c.ask("POST", "/job/demo/build", "")
	c.until("/job/demo/1/logText/progressiveText", "first")
	a := c.ask("GET", "/job/demo/1/logText/progressiveText?start=0", "")
	if a.Header.Get("X-More-Data") != "true" || !strings.HasPrefix(a.body, "Started by user toaster\r\nRunning as SYSTEM\r\n") {
		t.Errorf("%v %q", a.Header, a.body)
	}
	time.Sleep(50 * time.Millisecond)
	if a := c.ask("GET", "/job/demo/1/logText/progressiveText", ""); !strings.HasSuffix(a.body, "first\r\n") {
		t.Errorf("while the build runs only whole lines come: %q", a.body)
	}
	c.ask("POST", "/job/demo/1/stop", "")
	c.until("/job/demo/1/consoleText", "Finished: ABORTED\n")
	c.until("/job/demo/1/api/json?tree=executor[idle]", `"executor":null`)
	whole := c.ask("GET", "/job/demo/1/logText/progressiveText?start=0", "")
	size, err := strconv.Atoi(whole.Header.Get("X-Text-Size"))
	raw, _ := os.ReadFile(c.Home() + "/jobs/demo/builds/1/log")
	if err != nil || size != len(raw) || size <= len(whole.body) || whole.Header.Get("X-More-Data") != "" {
		t.Errorf("%v for %d bytes, the file has %d", whole.Header, len(whole.body), len(raw))
	}
	at := func(start int, want string) {
		t.Helper()
		a := c.ask("GET", fmt.Sprintf("/job/demo/1/logText/progressiveText?start=%d", start), "")
		if a.body != want || a.Header.Get("X-Text-Size") != strconv.Itoa(size) {
			t.Errorf("from %d: %q, %v", start, a.body, a.Header)
		}
	}
	at(size, "")
	at(size-10, ": ABORTED\r\n")
	at(size+1, whole.body)
	at(999999, whole.body)
	c.facts(
		fact{request: "GET /job/demo/1/logText/progressiveText?start=-1", status: 500, headers: pageO},
		fact{request: "GET /job/demo/1/logText/progressiveText?start=abc", status: 500, headers: pageO},
		fact{request: "POST /job/demo/1/logText/progressiveText", body: "start=10", status: 200, has: []string{" user toaster\r\n"}},
		fact{request: "GET /job/demo/1/consoleText", send: []string{"Range", "bytes=0-9"}, status: 200, headers: []string{"Content-Type: text/plain;charset=utf-8"}},
		fact{request: "GET /job/demo/2/logText/progressiveText", status: 404, headers: pageJ},
	)
}

func TestArtifacts(t *testing.T) {
	c := begin(t, Options{})
	c.create("odd", strings.ReplaceAll(`mkdir -p 'out/d i r'; cd out; echo 1 >'d i r/a#b%c+d&e;f.txt'; echo 2 >ünïcode-日本.bin; : >empty; ln -s empty link; ln -s /etc/passwd abslink; echo x >.dot; printf 0123456789 >ten`, "&", "&amp;"))
	c.ends("odd", 1)
	sandbox := "Content-Security-Policy: sandbox; default-src 'none'; img-src 'self'; style-src 'self';"
	ten := "/job/odd/1/artifact/out/ten"
	c.facts(
		fact{request: "GET /job/odd/1/api/json?tree=artifacts[*]", status: 200, has: []string{`"artifacts":[{"displayPath":".dot","fileName":".dot","relativePath":"out/.dot"},{"displayPath":"abslink","fileName":"abslink","relativePath":"out/abslink"},{"displayPath":"a#b%c+d&e;f.txt","fileName":"a#b%c+d&e;f.txt","relativePath":"out/d i r/a#b%c+d&e;f.txt"},{"displayPath":"empty","fileName":"empty","relativePath":"out/empty"},{"displayPath":"link","fileName":"link","relativePath":"out/link"},{"displayPath":"ten"`, `"relativePath":"out/ünïcode-日本.bin"}]`}},
		fact{request: "GET /job/odd/1/artifact/out/d%20i%20r/a%23b%25c%2Bd%26e%3Bf.txt", status: 200, headers: []string{sandbox, "Accept-Ranges: bytes", "Content-Type: text/plain", "Content-Length: 2", "X-Jenkins"}, has: []string{"1\n"}},
		fact{request: "GET /job/odd/1/artifact/out/d%20i%20r/a%23b%25c+d&e%3Bf.txt", status: 200},
		fact{request: "GET /job/odd/1/artifact/out/%C3%BCn%C3%AFcode-%E6%97%A5%E6%9C%AC.bin", status: 200, headers: []string{"Content-Type: application/octet-stream"}},
		fact{request: "GET /job/odd/1/artifact/out/empty", status: 200, headers: []string{"Content-Length: 0"}},
		fact{request: "GET /job/odd/1/artifact/out/link", status: 404, headers: pageJ},
		fact{request: "GET /job/odd/1/artifact/out/abslink", status: 404, headers: pageJ},
		fact{request: "GET /job/odd/lastSuccessfulBuild/artifact/out/empty", status: 200},
		fact{request: "HEAD " + ten, status: 200, headers: []string{sandbox, "Content-Length: 10"}},
		fact{request: "GET " + ten, send: []string{"Range", "bytes=0-3"}, status: 206, headers: []string{"Content-Range: bytes 0-3/10", "Content-Length: 4"}, has: []string{"0123"}, lacks: []string{"4"}},
		fact{request: "GET " + ten, send: []string{"Range", "bytes=8-"}, status: 206, headers: []string{"Content-Range: bytes 8-9/10"}, has: []string{"89"}},
		fact{request: "GET " + ten, send: []string{"Range", "bytes=-5"}, status: 200, headers: []string{"Content-Range", "Content-Length: 10"}, has: []string{"0123456789"}},
		fact{request: "GET " + ten, send: []string{"Range", "bytes=0-1,5-6"}, status: 200, headers: []string{"Content-Range"}, has: []string{"0123456789"}},
		fact{request: "GET " + ten, send: []string{"Range", "bytes=40-"}, status: 500, headers: []string{"Content-Range: bytes 40-9/10", jenkinsHTML}, has: []string{"Logging ID="}},
		fact{request: "GET " + ten, send: []string{"Range", "bytes=10-"}, status: 206, headers: []string{"Content-Range: bytes 10-9/10", "Content-Length: 0"}},
		fact{request: "GET /job/odd/1/artifact/out/empty", send: []string{"Range", "bytes=0-0"}, status: 206, headers: []string{"Content-Range: bytes 0--1/0", "Content-Length: 0"}},
		fact{request: "GET " + ten, send: []string{"If-Modified-Since", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}, status: 304, headers: []string{sandbox}},
		fact{request: "GET " + ten, send: []string{"Accept-Encoding", "gzip"}, status: 200, headers: []string{"Content-Encoding"}},
		fact{request: "GET /job/odd/1/artifact/out/nope", status: 404, headers: pageJ},
		fact{request: "GET /job/odd/1/artifact/../../../config.xml", status: 404, headers: pageJ},
		fact{request: "GET /job/odd/1/artifact/..%2f..%2fbuild.xml", status: 400, headers: pageJ, has: []string{"Bad Request"}},
		fact{request: "GET /job/odd/1/artifact", status: 302, headers: []string{"Location: HERE/job/odd/1/artifact/"}},
		fact{request: "GET /job/odd/1/artifact/", status: 200, headers: []string{jenkinsHTML}},
		fact{request: "GET /job/odd/1/artifact/api/json", status: 404, headers: pageJ},
		fact{as: reader, request: "GET " + ten, status: 200},
		fact{as: "-", request: "GET " + ten, status: 403},
	)
}

func TestAnArtifactOfGigabytes(t *testing.T) {
	c := begin(t, Options{})
	c.create("demo", "mkdir out; truncate -s 3G out/image; printf end &gt;&gt;out/image")
	c.ends("demo", 1)
	size := fmt.Sprint(3<<30 + 3)
	c.facts(
		fact{request: "HEAD /job/demo/1/artifact/out/image", status: 200, headers: []string{"Content-Length: " + size}},
		fact{request: "GET /job/demo/1/artifact/out/image", send: []string{"Range", "bytes=3221225470-"}, status: 206, headers: []string{"Content-Range: bytes 3221225470-3221225474/" + size}, has: []string{"\x00\x00end"}},
	)
	info, err := os.Stat(c.Home() + "/jobs/demo/builds/1/archive/out/image")
	if err != nil || info.Sys().(*syscall.Stat_t).Blocks > 4096 {
		t.Errorf("the holes of the file are on the disk: %+v, %v", info, err)
	}
}

func TestLinksToFoldersAreFollowedUnlessTheJobSaysNo(t *testing.T) {
	c := begin(t, Options{})
	c.create("demo", "mkdir -p elsewhere out; echo x >elsewhere/x; ln -s ../elsewhere out/dir")
	c.ends("demo", 1)
	c.check(fact{request: "GET /job/demo/1/artifact/out/dir/x", status: 200, has: []string{"x"}})
	c.check(fact{request: "POST /job/demo/config.xml", body: strings.NewReplacer("SCRIPT", "true", "</artifacts>", "</artifacts><followSymlinks>false</followSymlinks>").Replace(shellJob), status: 200})
	if log := c.ends("demo", 2); !strings.Contains(log, `No artifacts found that match the file pattern "out/**". Configuration error?`) {
		t.Errorf("the log is %q", log)
	}
}

func TestStopAndFailure(t *testing.T) {
	c := begin(t, Options{})
	c.create("long", "trap 'echo got-term' TERM; echo tick; sleep 600; sleep 600")
	c.ask("POST", "/job/long/build", "")
	c.until("/job/long/1/consoleText", "+ sleep")
	c.check(fact{request: "POST /job/long/1/stop", status: 302, headers: []string{"Location: HERE/job/long/1/", "Content-Length: 0"}})
	log := c.until("/job/long/1/consoleText", "Finished")
	if !strings.HasSuffix(log, "Build was aborted\nAborted by toaster\nArchiving artifacts\nFinished: ABORTED\n") {
		t.Errorf("the log is %q", log)
	}
	c.create("failing", "echo oops; exit 3")
	if log := c.ends("failing", 1); !strings.HasSuffix(log, "+ exit 3\nBuild step 'Execute shell' marked build as failure\nArchiving artifacts\nFinished: FAILURE\n") {
		t.Errorf("the log is %q", log)
	}
	c.facts(
		fact{request: "GET /job/long/1/api/json", status: 200, has: []string{`{"_class":"jenkins.model.InterruptedBuildAction"}`, `"estimatedDuration":-1,"executor":null`, `"result":"ABORTED"`}},
		fact{request: "GET /job/long/api/json?tree=color,lastBuild[number,result],lastCompletedBuild[number],lastUnsuccessfulBuild[number],lastFailedBuild[number]", status: 200, has: []string{`{"_class":"hudson.model.FreeStyleProject","color":"aborted","lastBuild":{"_class":"hudson.model.FreeStyleBuild","number":1,"result":"ABORTED"},"lastCompletedBuild":{"_class":"hudson.model.FreeStyleBuild","number":1},"lastFailedBuild":null,"lastUnsuccessfulBuild":{"_class":"hudson.model.FreeStyleBuild","number":1}}`}},
		fact{request: "POST /job/long/1/stop", status: 302},
		fact{request: "POST /job/long/77/stop", status: 404, headers: pageJ},
		fact{request: "GET /job/long/1/stop", status: 405, has: []string{"This URL requires POST"}},
		fact{request: "POST /job/long/1/term", status: 302},
		fact{request: "GET /job/failing/api/json?tree=color,healthReport[*],lastBuild[number,result],lastSuccessfulBuild[number]", status: 200, has: []string{`"color":"red","healthReport":[{"description":"Build stability: All recent builds failed.","iconClassName":"icon-health-00to19","iconUrl":"health-00to19.png","score":0}],"lastBuild":{"_class":"hudson.model.FreeStyleBuild","number":1,"result":"FAILURE"},"lastSuccessfulBuild":null}`}},
		fact{request: "GET /job/failing/lastSuccessfulBuild/api/json", status: 404, headers: pageJ},
	)
	a := c.ask("GET", "/job/failing/1/api/json?tree=duration,estimatedDuration", "")
	if d, e, _ := strings.Cut(a.body, `,"estimatedDuration":`); !strings.HasSuffix(d, ":"+strings.TrimSuffix(e, "}")) {
		t.Errorf("a build that is the only one says nothing about its length: %s", a.body)
	}
}

func TestAnUnstableBuild(t *testing.T) {
	c := begin(t, Options{})
	c.check(fact{request: "POST /createItem?name=slow", status: 200, body: strings.NewReplacer("SCRIPT", "mkdir out; echo x >out/x; exit 124", "</command>", "</command><unstableReturn>124</unstableReturn>").Replace(shellJob)})
	c.ends("slow", 1)
	c.facts(
		fact{request: "GET /job/slow/1/api/json?tree=result,artifacts[fileName]", status: 200, has: []string{`"artifacts":[{"fileName":"x"}],"result":"UNSTABLE"`}},
		fact{request: "GET /job/slow/api/json?tree=color,lastStableBuild[number],lastSuccessfulBuild[number],lastUnstableBuild[number]", status: 200, has: []string{`"color":"yellow","lastStableBuild":null,"lastSuccessfulBuild":{"_class":"hudson.model.FreeStyleBuild","number":1}`}},
	)
}

func TestExecutorsAndLabels(t *testing.T) {
	c := begin(t, Options{})
	for _, name := range []string{"e1", "e2", "e3"} {
		c.create(name, "sleep 600")
		c.ask("POST", "/job/"+name+"/build", "")
	}
	c.until("/queue/item/3/api/json", `"blocked":false,"buildable":true,"id":3,`)
	c.until("/computer/api/json?tree=busyExecutors,totalExecutors", `{"_class":"hudson.model.ComputerSet","busyExecutors":2,"totalExecutors":2}`)
	c.facts(
		fact{request: "GET /queue/item/3/api/json", status: 200, has: []string{`"_class":"hudson.model.Queue$BuildableItem"`, `"why":"Waiting for next available executor","buildableStartMilliseconds":`, `,"pending":false}`}},
		fact{request: "POST /createItem?name=nolabel", body: "<project><assignedNode>nolabel</assignedNode><canRoam>false</canRoam><builders/></project>", status: 200},
		fact{request: "POST /job/nolabel/build?delay=0sec", status: 201},
		fact{request: "GET /queue/item/4/api/json?tree=why,stuck,buildable,blocked", status: 200, has: []string{`{"_class":"hudson.model.Queue$BuildableItem","blocked":false,"buildable":true,"stuck":true,"why":"‘Jenkins’ doesn’t have label ‘nolabel’"}`}},
		fact{as: admin, request: "POST /computer/(master)/toggleOffline?offlineMessage=test", status: 302, headers: []string{"Location: HERE/computer/(master)/"}},
		fact{request: "GET /queue/item/3/api/json?tree=why,stuck,buildable,blocked", status: 200, has: []string{`"stuck":false,"why":"Waiting for next available executor"}`}},
	)
	d := begin(t, Options{Executors: -1, Agents: []Agent{{Name: "one", Labels: []string{"arm64"}}, {Name: "two", Labels: []string{"amd64", "qemu"}, Offline: true}}})
	for _, label := range []string{"arm64", "amd64", "riscv64"} {
		d.check(fact{request: "POST /createItem?name=" + label, body: "<project><assignedNode>" + label + "</assignedNode><builders><hudson.tasks.Shell><command>echo on $NODE_NAME</command></hudson.tasks.Shell></builders></project>", status: 200})
		d.check(fact{request: "POST /job/" + label + "/build?delay=0sec", status: 201})
	}
	d.until("/job/arm64/1/consoleText", "on one\nFinished: SUCCESS")
	d.check(fact{request: "GET /queue/item/2/api/json?tree=why,stuck", status: 200, has: []string{`"stuck":true,"why":"‘two’ is offline"`}})
	d.check(fact{request: "GET /queue/item/3/api/json?tree=why,stuck", status: 200, has: []string{`"stuck":true,"why":"There are no nodes with the label ‘riscv64’"`}})
	d.SetOffline("two", false)
	d.until("/job/amd64/1/api/json", `"builtOn":"two"`)
}

func TestManyBuilds(t *testing.T) {
	c := begin(t, Options{QuietPeriod: time.Millisecond, LeaveWindow: 3 * time.Millisecond, FinishWindow: time.Millisecond})
	c.create("quick", "exit 0")
	for n := range 12 {
		c.ends("quick", n+1)
	}
	c.facts(
		fact{request: "GET /job/quick/api/json?tree=builds[number,result]{0,2}", status: 200, has: []string{`"builds":[{"_class":"hudson.model.FreeStyleBuild","number":12,"result":"SUCCESS"},{"_class":"hudson.model.FreeStyleBuild","number":11,"result":"SUCCESS"}]}`}},
		fact{request: "GET /job/quick/api/json?tree=allBuilds[number]{10,13}", status: 200, has: []string{`"allBuilds":[{"_class":"hudson.model.FreeStyleBuild","number":2},{"_class":"hudson.model.FreeStyleBuild","number":1}]}`}},
		fact{request: "GET /job/quick/api/json?tree=builds[number]{500,600}", status: 200, has: []string{`{"_class":"hudson.model.FreeStyleProject","builds":[]}`}},
		fact{request: "POST /job/quick/config.xml", body: strings.NewReplacer("SCRIPT", "exit 0", "<properties/>", "<properties/><logRotator><numToKeep>2</numToKeep></logRotator>").Replace(shellJob), status: 200},
	)
	c.ends("quick", 13)
	c.facts(
		fact{request: "GET /job/quick/api/json?tree=builds[number],firstBuild[number],lastBuild[number]", status: 200, has: []string{`"builds":[{"_class":"hudson.model.FreeStyleBuild","number":13},{"_class":"hudson.model.FreeStyleBuild","number":12}],"firstBuild":{"_class":"hudson.model.FreeStyleBuild","number":12},"lastBuild":{"_class":"hudson.model.FreeStyleBuild","number":13}}`}},
		fact{request: "GET /job/quick/1/api/json", status: 404, headers: pageJ},
	)
}
