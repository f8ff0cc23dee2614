package conf_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// root is where "make install" has put everything, once for all tests.
var root = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "toaster-installed-")
	if err != nil {
		return "", err
	}
	installed = dir
	out, err := exec.Command("make", "-C", "..", "install", "DESTDIR="+dir, "PREFIX=/usr",
		"BUILD="+dir+"/build").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("make install: %w\n%s", err, out)
	}
	return dir, os.Chmod(dir, 0o755)
})

var installed string // removed in the end

func TestMain(m *testing.M) {
	status := m.Run()
	os.RemoveAll(installed)
	os.Exit(status)
}

const (
	email    = "ann@example.org"
	password = "correct horse battery staple"
	target   = "rootfs_amd64_bookworm"
)

// site is an instance of the installed programs that belongs to the web server's user.
type site struct {
	root, dir, config string
}

// newSite makes one in a folder, with a person; lines of its configuration are changed from old to new.
func newSite(t testing.TB, dir string, oldnew ...string) *site {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("this has to be run by root")
		}
		t.Skip("only root can run a site of another user")
	}
	root, err := root()
	if err != nil {
		t.Fatal(err)
	}
	s := &site{root, dir, filepath.Join(dir, "toaster.toml")}
	for d := filepath.Dir(dir); d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		os.Chmod(d, 0o755)
	}
	s.ctl(t, "", "init", "--dir", dir, "--owner", "nobody")
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	// Builds work in a folder of root's.
	oldnew = append(oldnew, `"/var/lib/toaster-runner"`, `"`+filepath.Join(t.TempDir(), "work")+`"`)
	write(t, dir, "toaster.toml", strings.NewReplacer(oldnew...).Replace(string(text)), 0o644)
	s.ctl(t, password+"\n", "user", "add", "--email", email, "--password-stdin")
	return s
}

// ctl runs toasterctl as the site's user, or as root what root does.
func (s *site) ctl(t testing.TB, in string, args ...string) string {
	t.Helper()
	cmd := s.command(args...)
	if args[0] != "init" {
		s.as(cmd)
	}
	cmd.Stdin = strings.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, stderr.Bytes())
	}
	return strings.TrimSpace(string(out))
}

// as makes a command the site's user's.
func (s *site) as(cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	return cmd
}

func (s *site) command(args ...string) *exec.Cmd {
	cmd := exec.Command(s.root+"/usr/bin/toasterctl", args...)
	cmd.Dir = "/"
	if args[0] != "init" {
		cmd.Env = append(os.Environ(), "TOASTER_CONF="+s.config)
	}
	return cmd
}

// serve runs a web server on the site.
func (s *site) serve(t testing.TB, k kind, prefix string) *visitor {
	t.Helper()
	return s.serveMore(t, k, prefix, "")
}

// serveMore is serve with more in the server's configuration.
func (s *site) serveMore(t testing.TB, k kind, prefix, other string) *visitor {
	t.Helper()
	dir := t.TempDir()
	more := "SetEnv TOASTER_CONF " + s.config + "\n"
	switch {
	case k.fast && k.lighttpd:
		// Programs that the server starts get its environment.
		t.Setenv("TOASTER_CONF", s.config)
		more = ""
	case k.fast:
		more, k.change = "", append([]string{" MinProcesses ", " InitialEnv TOASTER_CONF=" + s.config + " MinProcesses "},
			k.change...)
	case k.lighttpd:
		more = "setenv.add-environment = ( \"TOASTER_CONF\" => \"" + s.config + "\" )\n"
	}
	server := launch(t, k, prefix, "http", dir, s.root+"/usr/lib/cgi-bin/toaster", s.root+"/usr/share/toaster/static",
		more+other)
	return &visitor{server.base + prefix, s.ctl(t, "", "token", "add", "--name", "test", email), server.process, dir}
}

// visitor is a program that uses the site.
type visitor struct {
	base, token string
	server      *os.Process
	dir         string // the server's own
}

// ask sends a request, and returns the answer with its whole text. An answer that breaks off is an error.
func (v *visitor) ask(method, path, kind string, body io.Reader) (*http.Response, []byte, error) {
	req, err := http.NewRequest(method, v.base+path, body)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+v.token)
	req.Header.Set("Accept", "application/json")
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := patient.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp, text, err
}

// patient gives up in the end, so that an answer which never comes fails the test that waits for it.
var patient = &http.Client{Timeout: 2 * time.Minute}

func (v *visitor) must(t testing.TB, status int, method, path, kind string, body io.Reader) (*http.Response, []byte) {
	t.Helper()
	resp, text, err := v.ask(method, path, kind, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if resp.StatusCode != status {
		t.Fatalf("%s %s: %s, not %d: %s", method, path, resp.Status, status, text)
	}
	return resp, text
}

// form is what a job is made of.
func form(name, dockerfile string) (kind string, body io.Reader) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for field, value := range map[string]string{"name": name, "target": target, "text": dockerfile} {
		w.WriteField(field, value)
	}
	w.Close()
	return w.FormDataContentType(), &b
}

// The main job under each server, at the root and below a path: the command toaster sends a project, follows the build,
// and downloads. The first build makes
// the base, the others take it.
func TestTheWholeWayUnderEachServer(t *testing.T) {
	s := newSite(t, filepath.Join(t.TempDir(), "site"), "\njobs = 3\n", "\njobs = 0\n", "\nfree_disk = \"1 GiB\"\n",
		"\nfree_disk = 0\n")
	for _, tool := range []string{"mmdebstrap", "zsh"} {
		look(t, tool)
	}
	runner := s.command("runner")
	runner.Env = append(runner.Env, "TOASTER_CACHE_DIR="+filepath.Join(t.TempDir(), "cache"))
	var log bytes.Buffer
	runner.Stderr = &log
	if err := runner.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		runner.Process.Signal(syscall.SIGTERM)
		runner.Wait()
		if t.Failed() {
			t.Logf("the runner: %s", log.Bytes())
		}
	})
	for _, prefix := range []string{"", "/toaster"} {
		for _, k := range kinds[1:] {
			t.Run(k.name+prefix, func(t *testing.T) { s.goTheWholeWay(t, s.serve(t, k, prefix)) })
		}
	}
}

func (s *site) goTheWholeWay(t *testing.T, v *visitor) {
	project := filepath.Join(t.TempDir(), "greeter")
	large := make([]byte, 3<<20) // more than fits in the build script
	rand.NewChaCha8([32]byte{2}).Read(large)
	write(t, project, "files/large", string(large), 0o644)
	write(t, project, "ignored", "not sent", 0o644)
	write(t, project, ".dockerignore", "ignored\n", 0o644)
	write(t, project, "Dockerfile", "FROM debian:bookworm\nCOPY . /srv\nRUN sha256sum /srv/files/large && ! ls /srv/ignored\n"+
		"CMD [\"sleep\", \"1\"]\n", 0o644)
	toaster := func(args ...string) (stdout, stderr string) {
		t.Helper()
		cmd := exec.Command(s.root+"/usr/bin/toaster", args...)
		cmd.Dir = project
		cmd.Env = []string{"HOME=" + t.TempDir(), "TOASTER_URL=" + v.base, "TOASTER_TOKEN=" + v.token}
		var out, said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &said
		if err := cmd.Run(); err != nil {
			t.Fatalf("toaster %v: %v\n%s%s", args, err, out.Bytes(), said.Bytes())
		}
		return out.String(), said.String()
	}
	log, _ := toaster("build", "-t", target)
	if !strings.Contains(log, "TOASTER-STEP 3/4 3 RUN") || !strings.Contains(log, fmt.Sprintf("%x", sha256.Sum256(large))) {
		t.Errorf("the log lacks the step:\n%s", log)
	}
	if again, _ := toaster("logs"); again != log {
		t.Errorf("the log that was followed is %q, and the site's %q", log, again)
	}
	toaster("verify", filepath.Join("dist", target))
	write(t, project, "files/small", "new under "+t.Name(), 0o644)
	if _, said := toaster("build", "--detach"); !strings.Contains(said, "Sending 1 file, ") {
		t.Errorf("after a small change: %s", said)
	}
	toaster("stop", "greeter")
	v.must(t, http.StatusOK, "GET", "/static/toaster.css", "", nil)
}
