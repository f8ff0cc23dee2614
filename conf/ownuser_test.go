package conf_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// ownUser is who toaster runs as in these tests, and nobody else.
const ownUser = "daemon"

// A site whose programs run as a user of their own: by a second lighttpd behind either server, and by Apache alone
// with mpm-itk. What the web server in front runs as can't read the database.
func TestToasterAsAUserOfItsOwn(t *testing.T) {
	s := newSite(t, filepath.Join(t.TempDir(), "unused"))
	s.dir = filepath.Join(t.TempDir(), "site")
	s.config = filepath.Join(s.dir, "toaster.toml")
	if err := os.Chmod(filepath.Dir(s.dir), 0o755); err != nil {
		t.Fatal(err)
	}
	asOwner := func(in string, args ...string) string {
		t.Helper()
		cmd := s.command(args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1, Gid: 1}}
		cmd.Stdin = strings.NewReader(in)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	s.ctl(t, "", "init", "--dir", s.dir, "--owner", ownUser)
	if err := os.Chmod(s.dir, 0o750); err != nil {
		t.Fatal(err)
	}
	asOwner(password+"\n", "user", "add", "--email", email, "--password-stdin")
	token := asOwner("", "token", "add", "--name", "test", email)

	for name, front := range map[string]func(*testing.T) string{
		"lighttpd before a second one": func(t *testing.T) string {
			return s.behind(t, kinds[2], "lighttpd/50-toaster-proxy.conf", "")
		},
		"Apache before a second lighttpd": func(t *testing.T) string {
			return s.behind(t, kinds[1], "apache/toaster-proxy.conf",
				"LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so\n"+
					"LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so\n")
		},
		"Apache with mpm-itk": s.itk,
	} {
		t.Run(name, func(t *testing.T) {
			v := &visitor{base: front(t) + "/toaster", token: token}
			kind, body := form("greeter", "FROM debian:bookworm\nRUN true\n")
			v.must(t, http.StatusCreated, "POST", "/jobs", kind, body)
			if _, text := v.must(t, http.StatusOK, "GET", "/jobs", "", nil); !bytes.Contains(text, []byte("greeter")) {
				t.Errorf("the job is not there: %s", text)
			}
			v.must(t, http.StatusOK, "GET", "/static/toaster.css", "", nil)
		})
	}
	read := s.as(exec.Command("cat", s.dir+"/toaster.db"))
	if out, err := read.CombinedOutput(); err == nil || !bytes.Contains(out, []byte("Permission denied")) {
		t.Errorf("the web server's user reads the database: %v, %.100q", err, out)
	}
	names, err := filepath.Glob(s.dir + "/toaster.db*")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		if fi, err := os.Stat(name); err != nil || fi.Sys().(*syscall.Stat_t).Uid != 1 {
			t.Errorf("%s belongs to another: %v, %v", name, fi, err)
		}
	}
}

// filled is an installed file with this test's names and paths; each of them has to be in it.
func (s *site) filled(t *testing.T, path string, oldnew ...string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(text, oldnew[i]) {
			t.Fatalf("%s has no %q", path, oldnew[i])
		}
		text = strings.ReplaceAll(text, oldnew[i], oldnew[i+1])
	}
	return text
}

// behind runs the second lighttpd, and a server of nobody's before it.
func (s *site) behind(t *testing.T, k kind, proxy, modules string) (base string) {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	write(t, dir, "50-toaster.conf",
		s.filled(t, "lighttpd/50-toaster.conf", "/usr/lib/cgi-bin/toaster", s.root+"/usr/lib/cgi-bin/toaster",
			"/usr/share/toaster/static", s.root+"/usr/share/toaster/static"), 0o644)
	write(t, dir, "second.conf",
		s.filled(t, "lighttpd/toaster-own-user.conf", `"toaster-web"`, `"`+ownUser+`"`, "8087", port,
			`"/usr/share/toaster/static"`, `"`+s.root+`/usr/share/toaster/static"`,
			"/usr/share/toaster/conf/lighttpd/50-toaster.conf", dir+"/50-toaster.conf")+
			"\nsetenv.add-environment = ( \"TOASTER_CONF\" => \""+s.config+"\" )\n", 0o644)
	s.asRoot(t, port, look(t, "lighttpd"), "-D", "-f", dir+"/second.conf")

	// The front's own snippet is the proxy's.
	k.config = strings.Replace(k.config, "{dir}/snippet.conf", dir+"/proxy.conf", 1)
	write(t, dir, "proxy.conf", modules+s.filled(t, proxy, "8087", port), 0o644)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return launch(t, k, "", "http", t.TempDir(), s.root+"/usr/lib/cgi-bin/toaster",
		s.root+"/usr/share/toaster/static", "").base
}

// itk runs an Apache of root's, whose host for toaster belongs to the user.
func (s *site) itk(t *testing.T) (base string) {
	t.Helper()
	look(t, "/usr/lib/apache2/modules/mpm_itk.so")
	dir, port := t.TempDir(), freePort(t)
	write(t, dir, "toaster.conf",
		s.filled(t, "apache/toaster.conf", "/usr/lib/cgi-bin/toaster", s.root+"/usr/lib/cgi-bin/toaster",
			"/usr/share/toaster/static", s.root+"/usr/share/toaster/static"), 0o644)
	write(t, dir, "snippet.conf",
		"LoadModule mpm_itk_module /usr/lib/apache2/modules/mpm_itk.so\nUser nobody\nGroup nogroup\n"+
			"SetEnv TOASTER_CONF "+s.config+"\n"+
			s.filled(t, "apache/toaster-own-user.conf", "AssignUserID toaster-web toaster-web",
				"AssignUserID "+ownUser+" "+ownUser,
				"/usr/share/toaster/conf/apache/toaster.conf", dir+"/toaster.conf", "*:80>", "*:"+port+">"), 0o644)
	write(t, dir, "config", strings.NewReplacer("{dir}", dir, "{lib}", "/usr/lib/apache2/modules", "{port}",
		port).Replace(kinds[0].config), 0o644)
	write(t, dir, "root/index.html", "not toaster\n", 0o644)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s.asRoot(t, port, look(t, "apache2"), "-D", "FOREGROUND", "-f", dir+"/config")
	return fmt.Sprintf("http://127.0.0.1:%s", port)
}

// asRoot runs a server that root starts, until the test ends.
func (s *site) asRoot(t *testing.T, port, program string, args ...string) {
	t.Helper()
	var said bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		<-ended
		if t.Failed() {
			t.Logf("%s: %s", program, said.Bytes())
		}
	})
	await(t, port, ended)
}
