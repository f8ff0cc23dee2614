package cgibin

import (
	"context"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/oasdiff/yaml"

	"toaster.do/lib/engine"
	"toaster.do/lib/engine/local"
)

// web runs the programs behind a web server, which has the command toaster, too, if it was built, and is wrapped.
func (s *site) web(wraps ...func(http.Handler) http.Handler) (address string) {
	s.t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/static/client/", http.StripPrefix("/static/client/", http.FileServer(http.Dir(s.dir+"/client"))))
	for _, name := range []string{"index", "account", "jobs"} {
		root := map[string]string{"index": "/"}[name]
		h := &cgi.Handler{Path: filepath.Join(programs, name), Root: "/" + name, Env: []string{"TOASTER_CONF=" + s.conf()},
			Stderr: io.Discard}
		if name == "index" {
			h.Root = ""
		} else {
			mux.Handle("/"+name, h)
			root = "/" + name + "/"
		}
		mux.Handle(root, h)
	}
	var all http.Handler = mux
	for _, wrap := range wraps {
		all = wrap(all)
	}
	server := httptest.NewServer(all)
	s.t.Cleanup(server.Close)
	return server.URL
}

// builds runs the local engine until the test ends, with a script of the test's.
func (s *site) builds(script string) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan error)
	r := local.Runner{DB: s.db, Executor: local.Executor{
		Make: func(engine.Source) (engine.Made, error) { return engine.Made{Script: []byte(script)}, nil },
		Dir:  s.cfg.Paths.Builds, WorkDir: s.dir + "/work", Concurrency: 1, Log: slog.New(slog.DiscardHandler),
	}}
	go func() { ended <- r.Run(ctx) }()
	s.t.Cleanup(func() {
		cancel()
		<-ended
	})
}

var ciExample = regexp.MustCompile(`(?s)<h3 id="ci-(\w+)">[^<]*</h3>\s*<pre tabindex="0">(.*?)</pre>`)

// examples are those of the help page, as people copy them.
func (s *site) examples(address string) map[string]string {
	s.t.Helper()
	resp, err := http.Get(address + "/help")
	s.must(err)
	defer resp.Body.Close()
	var page strings.Builder
	s.must(resp.Write(&page))
	list := map[string]string{}
	for _, m := range ciExample.FindAllStringSubmatch(page.String(), -1) {
		list[m[1]] = strings.TrimLeft(html.UnescapeString(m[2]), "\n")
	}
	return list
}

// needs wants programs to be there.
func needs(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
}

// shell runs a script in a folder, as a CI system does, and returns its output and exit status.
func (s *site) shell(dir, script string, env ...string) (out string, status int) {
	s.t.Helper()
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir, cmd.Env = dir, append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, env...)
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		s.t.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

// texts are all strings of a document of YAML, in the order of its lists, under a key.
func texts(v any, key string) (list []string) {
	switch v := v.(type) {
	case map[string]any:
		for k, w := range v {
			if k != key {
				list = append(list, texts(w, key)...)
			} else if lines, ok := w.([]any); ok {
				for _, l := range lines {
					list = append(list, fmt.Sprint(l))
				}
			} else {
				list = append(list, fmt.Sprint(w))
			}
		}
	case []any:
		for _, w := range v {
			list = append(list, texts(w, key)...)
		}
	}
	return list
}

// lines are the shell lines of an example, as its system reads them.
func lines(t *testing.T, name, text string) string {
	t.Helper()
	key := map[string]string{"github": "run", "gitlab": "script", "woodpecker": "commands"}[name]
	if key == "" {
		m := regexp.MustCompile(`(?s)\bsh '''\n(.*?)'''`).FindStringSubmatch(text)
		if m == nil || strings.Count(text, "{") != strings.Count(text, "}") || strings.Count(text, "'")%2 != 0 {
			t.Fatalf("%s: %s", name, text)
		}
		return m[1]
	}
	var document map[string]any
	if _, err := yaml.Unmarshal([]byte(text), &document, yaml.DecodeOpts{}); err != nil {
		t.Fatalf("%s: %v in %s", name, err, text)
	}
	return strings.Join(texts(document, key), "\n")
}

// TestTheExamplesForCI: those of systems that aren't here are what their parsers take, with lines that a shell takes.
func TestTheExamplesForCI(t *testing.T) {
	s := newSite(t)
	address := s.web()
	list := s.examples(address)
	for _, name := range []string{"github", "gitlab", "woodpecker", "jenkins"} {
		text := list[name]
		lines := lines(t, name, text)
		if out, status := s.shell(s.dir, "set -n\n"+lines); status != 0 || !strings.Contains(lines, "build -t "+first(s)+
			" -o image .") || !strings.Contains(lines, address+"/static/") || !strings.Contains(text, "TOASTER_TOKEN") {
			t.Errorf("%s: %d %s in %s", name, status, out, lines)
		}
	}
	if len(list) != 6 {
		t.Errorf("%d examples", len(list))
	}
}

// first is the name of the first target that is offered.
func first(s *site) string {
	targets := s.program(s.token(ada, "read")).get("/targets").json(s.t)["targets"].([]any)
	return targets[0].(map[string]any)["name"].(string)
}

// TestTheScriptOfTheHelpBuilds runs it, as it stands there, with curl and jq.
func TestTheScriptOfTheHelpBuilds(t *testing.T) {
	needs(t, "curl", "jq", "sha256sum")
	s := newSite(t)
	address := s.web()
	script, token := s.examples(address)["script"], s.token(ada, "write")
	project := t.TempDir()
	s.must(os.WriteFile(project+"/Dockerfile", []byte("FROM debian:bookworm\nRUN true\n"), 0o600))
	s.must(os.WriteFile(s.dir+"/fail", nil, 0o600))
	s.builds(`echo 'made by hand'; if [ -e ` + s.dir + `/fail ]; then echo it fails; exit 3; fi
		mkdir -p dist/more; echo x >dist/image.bin; echo y >'dist/more/a b.txt'
		cd dist && sha256sum image.bin 'more/a b.txt' >/tmp/$$ && mv /tmp/$$ SHA256SUMS`)
	for run, want := range []int{1, 0, 0} {
		out, status := s.shell(project, script, "TOASTER_TOKEN="+token, "TARGET="+target)
		if status != want || (want == 1) != strings.Contains(out, "it fails") {
			t.Fatalf("run %d: %d %s", run, status, out)
		}
		os.Remove(s.dir + "/fail")
	}
	if got := string(read(t, project+"/image/image.bin")); got != "x\n" {
		t.Errorf("%q", got)
	}
	read(t, project+"/image/more/a b.txt")
	if got := s.stored(); got != "1 jobs, 3 revisions, 3 builds" {
		t.Error(got)
	}
	if out, status := s.shell(project, script, "TOASTER_TOKEN=toaster_wrong", "TARGET="+target); status == 0 {
		t.Errorf("with a wrong token: %s", out)
	}
}

// busy refuses the first request of a token to each address, with an answer that has more than an error's.
func busy(refused *atomic.Int32) func(http.Handler) http.Handler {
	var seen sync.Map
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, again := seen.LoadOrStore(r.Method+r.URL.Path, true)
			if again || r.Header.Get("Authorization") == "" {
				next.ServeHTTP(w, r)
				return
			}
			w.Header().Set("Retry-After", "1")
			w.WriteHeader([]int{http.StatusTooManyRequests, http.StatusServiceUnavailable}[refused.Add(1)%2])
			io.WriteString(w, `{"state":"lost","builds":[{"url":"http://localhost:1/"}],"title":"busy"}`+"\n")
		})
	}
}

// TestTheScriptOfTheHelpWaitsForABusySite: what it is told while the site is busy is no part of the answer.
func TestTheScriptOfTheHelpWaitsForABusySite(t *testing.T) {
	needs(t, "curl", "jq", "sha256sum")
	s := newSite(t)
	var refused atomic.Int32
	script, token := s.examples(s.web(busy(&refused)))["script"], s.token(ada, "write")
	project := t.TempDir()
	s.must(os.WriteFile(project+"/Dockerfile", []byte("FROM debian:bookworm\nRUN true\n"), 0o600))
	s.builds(`mkdir dist; echo x >dist/image.bin; cd dist && sha256sum image.bin >/tmp/$$ && mv /tmp/$$ SHA256SUMS`)
	out, status := s.shell(project, script, "TOASTER_TOKEN="+token, "TARGET="+target)
	if status != 0 || s.stored() != "1 jobs, 1 revisions, 1 builds" || refused.Load() < 4 {
		t.Fatalf("%d, %s, refused %d times: %s", status, s.stored(), refused.Load(), out)
	}
	if got := string(read(t, project+"/image/image.bin")); got != "x\n" {
		t.Errorf("%q", got)
	}
}

// TestTheCrontabOfTheHelpBuilds runs the command of its line.
func TestTheCrontabOfTheHelpBuilds(t *testing.T) {
	needs(t, "curl")
	c := newCaller(t)
	text := strings.NewReplacer("SECRET'", c.secret+"'", "/ID/", "/"+c.id+"/").Replace(c.examples(c.web())["cron"])
	_, line, _ := strings.Cut(text, "\n")
	command := regexp.MustCompile(`^[0-9]+ [0-9]+ \* \* [0-9]  (.*)\n`).FindStringSubmatch(line)
	if command == nil {
		t.Fatal(text)
	}
	if out, status := c.shell(c.dir, command[1]); status != 0 || out != "" || !strings.Contains(c.stored(), " 1 builds") {
		t.Errorf("%d %s: %s", status, out, c.stored())
	}
	if out, status := c.shell(c.dir, strings.Replace(command[1], c.secret, "whsec_no", 1)); status == 0 {
		t.Errorf("with a wrong secret: %s", out)
	}
}

// TestTheExamplesOfTheHelpBuild runs their lines, but those that install curl, with the real command.
func TestTheExamplesOfTheHelpBuild(t *testing.T) {
	needs(t, "curl")
	s := newSite(t, "[limits]\njobs = 0\nconcurrent_builds = 0\nbuilds_per_day = 0")
	build := exec.Command("go", "build", "-o", s.dir+"/client/toaster-linux-amd64", "../lib/toaster")
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v\n%s", err, out)
		}
		t.Skipf("%v\n%s", err, out)
	}
	address := s.web()
	list, token := s.examples(address), s.token(ada, "write")
	s.builds(`if [ -e ` + s.dir + `/fail ]; then exit 3; fi
		mkdir dist; echo x >dist/image.bin; cd dist && sha256sum image.bin >/tmp/$$ && mv /tmp/$$ SHA256SUMS`)
	for _, name := range []string{"github", "gitlab", "woodpecker", "jenkins"} {
		script := "set -e\n" + strings.NewReplacer("apk add --no-cache curl\n", "", "-t "+first(s)+" ", "-t "+target+" ",
			"/tmp/toaster", `"$WORKSPACE_TMP/toaster"`).Replace(lines(t, name, list[name]))
		for run, want := range []int{0, 1} {
			project := filepath.Join(t.TempDir(), name)
			s.must(os.Mkdir(project, 0o700))
			s.must(os.WriteFile(project+"/Dockerfile", []byte("FROM debian:bookworm\nRUN true\n"), 0o600))
			if want != 0 {
				s.must(os.WriteFile(s.dir+"/fail", nil, 0o600))
			}
			out, status := s.shell(project, script, "TOASTER_URL="+address, "TOASTER_TOKEN="+token,
				"WORKSPACE_TMP="+t.TempDir())
			if _, err := os.Stat(project + "/image/image.bin"); status != want || (err == nil) != (want == 0) {
				t.Errorf("%s, run %d: %d, %v: %s", name, run, status, err, out)
			}
		}
		s.must(os.Remove(s.dir + "/fail"))
	}
}
