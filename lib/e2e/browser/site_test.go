// Package browser goes through the pages as people do: in Chromium, by mouse, by keyboard, without scripts, on a
// phone's screen, under a real lighttpd; and looks at every page in every state for what makes it hard to use.
package browser

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"

	"toaster.do/lib/config"
	"toaster.do/lib/engine"
	"toaster.do/lib/engine/local"
	"toaster.do/lib/store"
)

const (
	email    = "ann@example.org"
	password = "correct horse battery staple"
	target   = "rootfs_amd64_bookworm"
	prefix   = "/toaster"
)

var programs string // the folder with the executables

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "toaster-browser-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	programs = dir
	code := 1
	if out, err := exec.Command("go", "build", "-o", dir+"/", "../../toasterctl",
		"../../../cgi-bin/...").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s%v\n", out, err)
	} else {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// site is an instance behind lighttpd, with a person.
type site struct {
	*testing.T
	dir, base string
	cfg       *config.Config
	db        *store.DB
}

// need looks for a program. Where the tests have to be whole, one that is missing is a failure.
func need(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// newSite makes a site; its configuration has each second text in the place of the first before it.
func newSite(t *testing.T, oldnew ...string) *site {
	need(t, "lighttpd")
	s := &site{T: t, dir: t.TempDir()}
	instance := filepath.Join(s.dir, "instance")
	ctl := filepath.Join(programs, "toasterctl")
	s.sh("", ctl, "init", "--dir", instance)
	conf := filepath.Join(instance, "toaster.toml")
	text, err := os.ReadFile(conf)
	s.must(err)
	changes := strings.NewReplacer(append(oldnew, "\njobs = 3\n", "\njobs = 40\n")...)
	s.must(os.WriteFile(conf, []byte(changes.Replace(string(text))), 0o644))
	s.sh(password+"\n", ctl, "user", "add", "--config", conf, "--email", email, "--name", "Ann", "--admin",
		"--password-stdin")
	s.cfg, err = config.Load(conf)
	s.must(err)
	s.db, err = store.Open(t.Context(), s.cfg.Paths.Database)
	s.must(err)
	t.Cleanup(func() { s.db.Close() })
	s.serve(conf)
	return s
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *site) sh(in, name string, args ...string) string {
	s.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(in)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// sql changes the database behind the programs' back.
func (s *site) sql(statement string, args ...any) {
	s.Helper()
	db, err := sql.Open("sqlite3", "file:"+s.cfg.Paths.Database+"?_busy_timeout=10000&_txlock=immediate")
	s.must(err)
	defer db.Close()
	_, err = db.ExecContext(s.Context(), statement, args...)
	s.must(err)
}

const lighttpd = `
server.modules = ( "mod_access" )
server.document-root = "{dir}"
server.upload-dirs = ( "{dir}" )
server.errorlog = "{dir}/lighttpd.log"
server.bind = "127.0.0.1"
server.port = {port}
mimetype.assign = ( ".css" => "text/css", ".js" => "text/javascript", ".svg" => "image/svg+xml" )
include "{dir}/snippet.conf"
setenv.add-environment = ( "TOASTER_CONF" => "{conf}" )
server.modules += ( "mod_staticfile" )
`

// serve runs lighttpd with the snippet that is installed.
func (s *site) serve(conf string) {
	s.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	address := free.Addr().String()
	free.Close()
	snippet, err := os.ReadFile("../../../conf/lighttpd/50-toaster.conf")
	s.must(err)
	static, err := filepath.Abs("../../../static")
	s.must(err)
	paths := strings.NewReplacer("/usr/lib/cgi-bin/toaster", programs, "/usr/share/toaster/static", static)
	s.must(os.WriteFile(filepath.Join(s.dir, "snippet.conf"), []byte(paths.Replace(string(snippet))), 0o644))
	_, port, _ := net.SplitHostPort(address)
	text := strings.NewReplacer("{dir}", s.dir, "{port}", port, "{conf}", conf).Replace(lighttpd)
	s.must(os.WriteFile(filepath.Join(s.dir, "lighttpd.conf"), []byte(text), 0o644))
	cmd := exec.Command("lighttpd", "-D", "-f", filepath.Join(s.dir, "lighttpd.conf"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	s.must(cmd.Start())
	s.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
	s.base = "http://" + address + prefix
	for range 100 {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	log, _ := os.ReadFile(filepath.Join(s.dir, "lighttpd.log"))
	s.Fatalf("lighttpd doesn't come up: %s%s", out.Bytes(), log)
}

// builds runs the local engine's runner until the test ends, or stop is called. Each job's script is replaced by this
// one.
func (s *site) builds(script string) (stop func()) {
	ctx, cancel := context.WithCancel(s.Context())
	ended := make(chan error, 1)
	r := local.Runner{DB: s.db, Executor: local.Executor{
		Make: func(engine.Source) (engine.Made, error) { return engine.Made{Script: []byte(script)}, nil },
		Dir:  s.cfg.Paths.Builds, WorkDir: filepath.Join(s.dir, "work"), Concurrency: 1, Log: slog.New(slog.DiscardHandler),
	}}
	go func() { ended <- r.Run(ctx) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			if err := <-ended; err != nil {
				s.Error(err)
			}
		}
	}
	s.Cleanup(stop)
	return stop
}
