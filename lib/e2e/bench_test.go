package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkRequest measures what one request costs from the start of its process to its end, side by side:
// an empty program of C and one of Go that is a CGI program and no more, against our pages. The runs take
// turns, so that a noisy machine is noisy for all of them. It prints medians, and ratios to the empty Go
// program.
func BenchmarkRequest(b *testing.B) {
	dir := b.TempDir()
	programs := []*subject{
		{name: "C, empty", argv: []string{compileC(b, dir)}},
		{name: "Go, net/http/cgi, empty", argv: []string{compileGo(b, dir)}},
	}
	token, config := instance(b, dir)
	for _, p := range []struct{ program, path, token string }{
		{"index", "/", ""}, {"account", "/login", ""}, {"jobs", "", token}, {"jobs", "/new", token},
	} {
		name := p.program + p.path
		if p.program == "jobs" && p.path == "" {
			name = "jobs, a page of 25"
		}
		programs = append(programs, &subject{name: name, argv: []string{dir + "/cgi-bin/" + p.program}, env: []string{
			"TOASTER_CONF=" + config, "GOMAXPROCS=1", "REQUEST_METHOD=GET", "SERVER_PROTOCOL=HTTP/1.1", "SERVER_NAME=localhost",
			"REMOTE_ADDR=127.0.0.1",
			"SCRIPT_NAME=/" + p.program, "PATH_INFO=" + p.path, "REQUEST_URI=/" + p.program + p.path,
			"HTTP_HOST=localhost", "HTTP_ACCEPT=text/html", "HTTP_AUTHORIZATION=Bearer " + p.token,
		}})
		if p.token == "" {
			last := programs[len(programs)-1]
			last.env = last.env[:len(last.env)-1]
		}
	}
	for _, p := range programs[2:] {
		if out := p.run(b); !bytes.Contains(out, []byte("<html")) {
			b.Fatalf("%s answers:\n%.400s", p.name, out)
		}
		p.took = nil
	}
	for b.Loop() {
		for _, p := range programs {
			p.run(b)
		}
	}
	empty := programs[1].median()
	for _, p := range programs {
		fmt.Printf("%-26s %8.2f ms  %5.2f ×\n", p.name, float64(p.median().Microseconds())/1000,
			float64(p.median())/float64(empty))
	}
}

type subject struct {
	name      string
	argv, env []string
	took      []time.Duration
}

func (s *subject) run(b *testing.B) []byte {
	cmd := exec.Command(s.argv[0], s.argv[1:]...)
	cmd.Env = s.env
	start := time.Now()
	out, err := cmd.Output()
	s.took = append(s.took, time.Since(start))
	if err != nil {
		b.Fatalf("%s: %v", s.name, err)
	}
	return out
}

func (s *subject) median() time.Duration {
	slices.Sort(s.took)
	return s.took[len(s.took)/2]
}

func compileC(b *testing.B, dir string) string {
	source := filepath.Join(dir, "empty.c")
	if err := os.WriteFile(source, []byte("#include <stdio.h>\nint main(void) { puts(\"Content-Type: "+
		"text/plain\\r\\n\\r\"); return 0; }\n"), 0o644); err != nil {
		b.Fatal(err)
	}
	sh(b, nil, "gcc", "-O2", "-static", "-o", dir+"/empty-c", source)
	return dir + "/empty-c"
}

func compileGo(b *testing.B, dir string) string {
	const program = `package main

import ("net/http"; "net/http/cgi"; "os")

func main() {
	if os.Getenv("REQUEST_METHOD") == "" { return }
	cgi.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
}
`
	if err := os.WriteFile(dir+"/empty.go", []byte(program), 0o644); err != nil {
		b.Fatal(err)
	}
	sh(b, nil, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", dir+"/empty-go", dir+"/empty.go")
	return dir + "/empty-go"
}

// instance makes an instance whose person has 25 jobs, and returns the person's token and the configuration.
func instance(b *testing.B, dir string) (token, config string) {
	sh(b, nil, "make", "-C", "../..", "build", "BUILD="+dir)
	ctl := dir + "/toasterctl"
	sh(b, nil, ctl, "init", "--dir", dir+"/instance")
	config = dir + "/instance/toaster.toml"
	text, err := os.ReadFile(config)
	if err == nil {
		err = os.WriteFile(config, bytes.ReplaceAll(text, []byte("\njobs = 3\n"), []byte("\njobs = 25\n")), 0o644)
	}
	if err != nil {
		b.Fatal(err)
	}
	sh(b, strings.NewReader(password+"\n"), ctl, "user", "add", "--config", config, "--email", email, "--password-stdin")
	for i := range 25 {
		sh(b, strings.NewReader("FROM debian:bookworm\n"), ctl, "job", "add", "--config", config, "--owner", email,
			"--target", target, "--name", fmt.Sprint("job ", i), "-")
	}
	return strings.TrimSpace(sh(b, nil, ctl, "token", "add", "--config", config, "--name", "bench", email)), config
}
