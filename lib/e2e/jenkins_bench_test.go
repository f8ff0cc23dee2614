package e2e

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/engine/jenkins/jenkinstest"
)

// BenchmarkStartOnJenkins measures what it takes to start a build through the CGI program: against curl, which posts
// the same to the same controller. The runs take turns. It prints medians, the ratio, and what the controller was
// asked.
func BenchmarkStartOnJenkins(b *testing.B) {
	s := jenkinstest.Start(b, jenkinstest.Options{View: "web-sdk-builds", QuietPeriod: time.Millisecond})
	dir := b.TempDir()
	token, config, id := onJenkins(b, dir, s)
	job := trivial(b, s)
	begin := &subject{name: "start, CGI program", argv: []string{dir + "/cgi-bin/build"}, env: []string{
		"TOASTER_CONF=" + config, "GOMAXPROCS=1", "REQUEST_METHOD=POST", "SERVER_PROTOCOL=HTTP/1.1", "SERVER_NAME=localhost",
		"REMOTE_ADDR=127.0.0.1",
		"SCRIPT_NAME=/jobs", "PATH_INFO=/" + id + "/start", "REQUEST_URI=/jobs/" + id + "/start", "CONTENT_LENGTH=0",
		"HTTP_HOST=localhost", "HTTP_ACCEPT=application/json", "HTTP_AUTHORIZATION=Bearer " + token,
	}}
	post := &subject{name: "start, curl", argv: []string{"curl", "-sS", "-o", "/dev/null", "-u", "toaster:toaster-token",
		"-X", "POST", s.URL + job + "/build?delay=0sec"}}
	var asked []jenkinstest.Request
	for b.Loop() {
		s.Requests()
		if out := begin.run(b); !bytes.Contains(out, []byte("202 Accepted")) {
			b.Fatalf("the program answers:\n%.400s", out)
		}
		asked = s.Requests()
		settle(b, s, dir, config)
		post.run(b)
		settle(b, s, dir, config)
	}
	for _, p := range []*subject{begin, post} {
		fmt.Printf("%-26s %8.2f ms  %5.2f ×\n", p.name, float64(p.median().Microseconds())/1000,
			float64(p.median())/float64(post.median()))
	}
	for _, r := range asked {
		fmt.Printf("%-26s %s %s\n", "asked for a start:", r.Method, r.Path)
	}
}

// onJenkins makes an instance with one job, on a controller.
func onJenkins(b *testing.B, dir string, s *jenkinstest.Server) (token, config, id string) {
	sh(b, nil, "make", "-C", "../..", "build", "BUILD="+dir)
	ctl := dir + "/toasterctl"
	sh(b, nil, ctl, "init", "--dir", dir+"/instance")
	config = dir + "/instance/toaster.toml"
	for path, text := range map[string]string{
		dir + "/instance/token": "toaster-token\n",
		config: "engine = \"jenkins\"\n[paths]\ndatabase = \"toaster.db\"\nkeys = \"keys\"\ntargets = " +
			"\"targets.toml\"\nbuilds = \"builds\"\ncontexts = \"contexts\"\n" +
			"[limits]\nconcurrent_builds = 0\nbuilds_per_day = 0\n[jenkins]\nurl = \"" + s.URL +
			"\"\nuser = \"toaster\"\ntoken_file = \"token\"\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
			b.Fatal(err)
		}
	}
	sh(b, strings.NewReader(password+"\n"), ctl, "user", "add", "--config", config, "--email", email, "--password-stdin")
	token = sh(b, nil, ctl, "token", "add", "--config", config, "--name", "bench", email)
	id = sh(b, strings.NewReader("FROM debian:bookworm\nCMD [\"true\"]\n"), ctl, "job", "add", "--config", config,
		"--owner", email, "--target", target, "-")
	return lastLine(token), config, lastLine(id)
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

// trivial gives the one job on the controller a script that does nothing, and returns its address.
func trivial(b *testing.B, s *jenkinstest.Server) string {
	requests := s.Requests()
	i := slices.IndexFunc(requests, func(r jenkinstest.Request) bool {
		return strings.HasPrefix(r.Path,
			"/createItem?name=")
	})
	if i < 0 {
		b.Fatalf("no job was made: %v", requests)
	}
	name := strings.TrimPrefix(requests[i].Path, "/createItem?name=")
	const script = "<project><description>(toaster job " +
		"%s)</description><builders><hudson.tasks.Shell><command>true</command></hudson.tasks.Shell></builders></project>"
	sh(b, strings.NewReader(fmt.Sprintf(script, name)), "curl", "-sS", "-f", "-u", "admin:admin-token", "-H",
		"Content-Type: application/xml", "--data-binary", "@-", s.URL+"/job/"+name+"/config.xml")
	return "/job/" + name
}

// settle waits until nothing runs, and lets toaster know.
func settle(b *testing.B, s *jenkinstest.Server, dir, config string) {
	if err := s.Wait(b.Context()); err != nil {
		b.Fatal(err)
	}
	sh(b, nil, dir+"/toasterctl", "sync", "--config", config)
}
