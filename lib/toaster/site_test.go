package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"toaster.do/conf"
	"toaster.do/lib/app"
	"toaster.do/lib/auth"
	settings "toaster.do/lib/config"
	"toaster.do/lib/engine"
	"toaster.do/lib/engine/local"
	"toaster.do/lib/store"
)

// The tests run the command as users do, against a real site: toasterctl serve, its CGI programs, and a runner.

var programs string // the folder with the executables

func TestMain(m *testing.M) {
	if programs = os.Getenv(lossy); programs != "" {
		os.Exit(m.Run())
	}
	dir, err := os.MkdirTemp("", "toaster-client-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	programs = dir
	code := 1
	build := func(env []string, args ...string) {
		if err != nil {
			return
		}
		cmd := exec.Command("go", append([]string{"build", "-o", dir + "/"}, args...)...)
		cmd.Env = append(os.Environ(), env...)
		var out []byte
		if out, err = cmd.CombinedOutput(); err != nil {
			err = fmt.Errorf("%s%w", out, err)
		}
	}
	build(nil, "toaster.do/cgi-bin/index", "toaster.do/cgi-bin/account", "toaster.do/cgi-bin/jobs",
		"toaster.do/cgi-bin/build", "toaster.do/lib/toasterctl")
	build([]string{"CGO_ENABLED=0"}, ".")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

const (
	ada    = "ada@example.org"
	vm     = "rootfs_amd64_bookworm"
	source = "FROM debian:bookworm\nCOPY . /srv/\nCMD [\"/srv/run\"]\n"
)

// instance is a site in a folder of its own, with a person who is logged in.
type instance struct {
	t      testing.TB
	dir    string
	db     *store.DB
	cfg    *settings.Config
	token  string
	server *exec.Cmd
	addr   string
}

func newInstance(t testing.TB, extra ...string) *instance {
	s := &instance{t: t, dir: t.TempDir()}
	s.must(os.Mkdir(s.dir+"/db", 0o700))
	targets, err := conf.Files.ReadFile("targets.toml")
	s.must(err)
	s.must(os.WriteFile(s.dir+"/targets.toml", targets, 0o600))
	text := "[paths]\ndatabase = \"db/toaster.db\"\nkeys = \"keys\"\ntargets = \"targets.toml\"\nbuilds = \"builds\"\n" +
		"contexts = \"contexts\"\n"
	s.must(os.WriteFile(s.conf(), []byte(text+strings.Join(extra, "\n")+"\n"), 0o600))
	s.cfg, err = settings.Load(s.conf())
	s.must(err)
	s.must(settings.NewKeys(s.cfg.Paths.Keys))
	_, _, err = store.Migrate(t.Context(), s.cfg.Paths.Database)
	s.must(err)
	s.db, err = store.Open(t.Context(), s.cfg.Paths.Database)
	s.must(err)
	t.Cleanup(func() { s.db.Close() })
	accounts := auth.New(s.cfg, s.db)
	_, err = accounts.Add(t.Context(), auth.NewUser{Email: ada, Name: "Ada", Password: "correct horse battery"})
	s.must(err)
	s.token, err = accounts.AddToken(t.Context(), ada, "test", store.ScopeWrite, 0, store.AuditEntry{})
	s.must(err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	s.addr = l.Addr().String()
	l.Close()
	s.start()
	t.Cleanup(func() { s.halt() })
	return s
}

func (s *instance) conf() string { return s.dir + "/toaster.toml" }
func (s *instance) url() string  { return "http://" + s.addr }

func (s *instance) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// start starts the web server, and waits until it answers.
func (s *instance) start() {
	s.t.Helper()
	s.server = exec.Command(filepath.Join(programs, "toasterctl"), "--config", s.conf(), "serve", "--listen",
		s.addr, "--cgi",
		programs)
	s.server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := s.server.StdoutPipe()
	s.must(err)
	var complaints bytes.Buffer
	s.server.Stderr = &complaints
	s.must(s.server.Start())
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, "running") {
		s.server.Wait()
		s.t.Fatalf("%q %v %s", line, err, complaints.String())
	}
}

// halt kills the web server.
func (s *instance) halt() {
	if s.server != nil {
		s.server.Process.Kill()
		s.server.Wait()
		s.server = nil
	}
}

// runner runs the builds, which all have this script.
func (s *instance) runner(script string) (shutDown func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan error, 1)
	r := local.Runner{DB: s.db, Open: app.SecretOpener(s.cfg), Executor: local.Executor{
		Make: func(engine.Source) (engine.Made, error) { return engine.Made{Script: []byte(script)}, nil },
		Dir:  s.cfg.Paths.Builds, Contexts: s.cfg.Paths.Contexts, WorkDir: s.dir + "/work", Concurrency: 1,
		Log: slog.New(slog.DiscardHandler),
	}}
	go func() { ended <- r.Run(ctx) }()
	down := false
	shutDown = func() {
		if cancel(); !down {
			down = true
			s.must(<-ended)
		}
	}
	s.t.Cleanup(shutDown)
	return shutDown
}

// user is somebody with a home and a project of their own.
type user struct {
	*instance
	home, project string
	env           []string
}

// user is logged in by TOASTER_TOKEN, and has a project.
func (s *instance) user() *user {
	u := &user{instance: s, home: s.t.TempDir(), project: filepath.Join(s.t.TempDir(), "shop")}
	u.env = []string{"HOME=" + u.home, "PATH=" + os.Getenv("PATH"), "TOASTER_URL=" + s.url(), "TOASTER_TOKEN=" + s.token,
		"GOCOVERDIR=" + os.Getenv("GOCOVERDIR")}
	u.write("Dockerfile", source)
	u.write("run", "#!/bin/sh\nexec sleep 9\n")
	u.write("lib/one.sh", "echo one\n")
	return u
}

func (u *user) write(name, text string) {
	u.t.Helper()
	path := filepath.Join(u.project, name)
	u.must(os.MkdirAll(filepath.Dir(path), 0o755))
	u.must(os.WriteFile(path, []byte(text), 0o644))
}

// without is u with other variables: NAME=VALUE, or NAME alone for none.
func (u *user) with(env ...string) *user {
	v := *u
	v.env = nil
	for _, old := range u.env {
		keep := true
		for _, one := range env {
			name, _, _ := strings.Cut(one, "=")
			keep = keep && !strings.HasPrefix(old, name+"=")
		}
		if keep {
			v.env = append(v.env, old)
		}
	}
	for _, one := range env {
		if strings.Contains(one, "=") {
			v.env = append(v.env, one)
		}
	}
	return &v
}

// ran is what a command has printed.
type ran struct {
	t        testing.TB
	out, err string
	exit     int
}

func (u *user) command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(programs, "toaster"), args...)
	cmd.Dir, cmd.Env = u.project, u.env
	return cmd
}

// toaster runs the command in the project.
func (u *user) toaster(args ...string) *ran { return u.typing("", args...) }

func (u *user) typing(stdin string, args ...string) *ran {
	u.t.Helper()
	cmd := u.command(args...)
	cmd.Stdin = strings.NewReader(stdin)
	return u.wait(start(u.t, cmd))
}

// process is a command that runs.
type process struct {
	*exec.Cmd
	out, err *output
	ended    chan error
}

// output can be looked at while it is written.
type output struct {
	lock sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func newOutput() *output { return &output{more: make(chan struct{}, 1)} }

func (o *output) Write(p []byte) (int, error) {
	o.lock.Lock()
	defer o.lock.Unlock()
	select {
	case o.more <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.lock.Lock()
	defer o.lock.Unlock()
	return o.text.String()
}

func start(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd, newOutput(), newOutput(), make(chan error, 1)}
	cmd.Stdout, cmd.Stderr = p.out, p.err
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- cmd.Wait() }()
	return p
}

// says waits until the output has a text.
func (p *process) says(t testing.TB, o *output, text string) {
	t.Helper()
	late := time.After(2 * time.Minute)
	for !strings.Contains(o.String(), text) {
		select {
		case <-o.more:
		case err := <-p.ended:
			p.ended <- err
			if !strings.Contains(o.String(), text) {
				t.Fatalf("it ended (%v) without %q: %s%s", err, text, p.out, p.err)
			}
		case <-late:
			p.Process.Kill()
			t.Fatalf("it does not say %q: %s%s", text, p.out, p.err)
		}
	}
}

func (u *user) wait(p *process) *ran {
	u.t.Helper()
	var err error
	select {
	case err = <-p.ended:
	case <-time.After(3 * time.Minute):
		p.Process.Kill()
		u.t.Fatalf("it does not end: %s%s", p.out, p.err)
	}
	r := &ran{t: u.t, out: p.out.String(), err: p.err.String()}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		r.exit = exit.ExitCode()
	} else {
		u.must(err)
	}
	if strings.Contains(r.out+r.err, u.token) {
		u.t.Errorf("it prints the token: %s%s", r.out, r.err)
	}
	return r
}

func (r *ran) exits(status int) *ran {
	r.t.Helper()
	if r.exit != status {
		r.t.Fatalf("exit status %d, not %d: %s%s", r.exit, status, r.out, r.err)
	}
	return r
}

func (r *ran) complains(texts ...string) *ran {
	r.t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.err, text) {
			r.t.Errorf("%q is not in %s", text, r.err)
		}
	}
	return r
}

func (r *ran) prints(texts ...string) *ran {
	r.t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.out, text) {
			r.t.Errorf("%q is not in %s", text, r.out)
		}
	}
	return r
}
