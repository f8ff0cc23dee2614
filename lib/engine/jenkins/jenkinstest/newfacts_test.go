package jenkinstest

import (
	"strings"
	"testing"
)

// What follows was seen on a Jenkins 2.452.4 with agents, or read in its source where it says so.

// TestALongLogIsSpooled: progressiveText reads all that follows its start before it answers; the page of a log, and
// consoleText, don't. The page says how much is before what it shows: hudson/model/Run/console.jelly.
func TestALongLogIsSpooled(t *testing.T) {
	c := begin(t, Options{Spool: 1e6})
	c.create("demo", "#!/bin/sh\nyes 0123456789 | head -c 22000000; printf 'no \\377 UTF-8\\r\\n'")
	c.ends("demo", 1)
	c.facts(
		fact{request: "GET /job/demo/1/console", status: 200, has: []string{"Skipping 21,334 KB.. <a href=\"consoleFull\">Full Log</a>", "Finished: SUCCESS"}},
		fact{request: "GET /job/demo/1/consoleText", status: 200, has: []string{"no \xff UTF-8\r\n"}},
	)
	if n := c.Spooled(); n != 0 {
		t.Errorf("%d bytes were read before", n)
	}
	c.check(fact{request: "GET /job/demo/1/logText/progressiveText?start=21845000", status: 200, has: []string{"no \uFFFD UTF-8\r\n"}})
	if n := c.Spooled(); n < 100_000 || n > 200_000 {
		t.Errorf("%d bytes were read before", n)
	}
	c.check(fact{request: "GET /job/demo/1/logText/progressiveText?start=99999999", status: 200, has: []string{"Started by user"}})
	if n := c.Spooled(); n < 22_000_000 {
		t.Errorf("%d bytes were read before", n)
	}
}

// TestFingerprintsFollowLinks: followSymlinks=false holds for the archive alone.
func TestFingerprintsFollowLinks(t *testing.T) {
	for _, fingerprint := range []string{"false", "true"} {
		c := begin(t, Options{})
		c.ask("POST", "/createItem?name=demo", "<project><builders><hudson.tasks.Shell><command>mkdir dist; echo x >dist/image; ln -sf nothing dist/dangling</command></hudson.tasks.Shell></builders>"+
			"<publishers><hudson.tasks.ArtifactArchiver><artifacts>dist/**</artifacts><followSymlinks>false</followSymlinks><fingerprint>"+fingerprint+"</fingerprint></hudson.tasks.ArtifactArchiver></publishers></project>")
		log := c.ends("demo", 1)
		if failed := strings.Contains(log, "ERROR: Failed to record fingerprints"); failed != (fingerprint == "true") || failed != strings.HasSuffix(log, "Finished: FAILURE\n") {
			t.Errorf("with fingerprint=%s: %s", fingerprint, log)
		}
	}
}

// TestALostAgent fails its builds, with lines of Jenkins's own, and goes on with their processes.
func TestALostAgent(t *testing.T) {
	c := begin(t, Options{Executors: -1, Agents: []Agent{{Name: "a1", Labels: []string{"amd64"}, Exclusive: true}}})
	c.create("free", "true")
	c.ask("POST", "/createItem?name=demo", "<project><assignedNode>amd64</assignedNode><builders><hudson.tasks.Shell><command>#!/bin/sh\necho begun; sleep 600</command></hudson.tasks.Shell></builders></project>")
	c.ask("POST", "/job/demo/build?delay=0sec", "")
	c.until("/job/demo/1/consoleText", "begun")
	c.LoseAgent("a1")
	log := c.until("/job/demo/1/consoleText", "Finished: FAILURE")
	for _, want := range []string{"begun\nFATAL: command execution failed\nhudson.remoting.ChannelClosedException: ", "Agent went offline during the build\n"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q: %s", want, log)
		}
	}
	c.SetOffline("a1", false)
	// A node's own name is a label, and the only place that tells its mode: hudson.model.Label and Node.
	c.facts(
		fact{request: "GET /label/a1/api/json?tree=nodes[nodeName,mode]", status: 200, has: []string{`"nodes":[{"_class":"hudson.slaves.DumbSlave","mode":"EXCLUSIVE","nodeName":"a1"}]`}},
		fact{request: "POST /job/free/build?delay=0sec", status: 201},
	)
	c.check(fact{request: "GET /job/free/api/json?tree=inQueue,lastBuild[number]", status: 200, has: []string{`"inQueue":true,"lastBuild":null`}})
}
