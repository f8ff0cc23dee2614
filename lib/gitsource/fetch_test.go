package gitsource

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/apperr"
)

// loopback is how the sandbox knows this host's.
const loopback = "10.0.2.2"

// options are those of a test, whose servers are on ports of this host.
func options(t *testing.T, url string, ports ...int) Options {
	t.Helper()
	for _, tool := range []string{"git", "slirp4netns", "crun", "ip"} {
		needs(t, tool)
	}
	dir := t.TempDir()
	for at := dir; at != "/" && at != os.TempDir(); at = filepath.Dir(at) {
		if err := os.Chmod(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	o := Options{URL: url, Dir: dir, TimeLimit: time.Minute, MaxBytes: 1 << 20, MaxEntries: 200}
	for _, port := range ports {
		o.Allow = append(o.Allow, fmt.Sprintf("%s:%d", loopback, port))
	}
	return o
}

// fetched is what a fetch gives: names with their contents.
func fetched(t *testing.T, o Options) (*Result, map[string]string, Archive) {
	t.Helper()
	r, err := Fetch(t.Context(), o)
	if err != nil {
		t.Fatalf("%s: %v", o.URL, err)
	}
	t.Cleanup(func() { r.Close() })
	var b bytes.Buffer
	a, err := r.Archive(&b, o.Folder, o.MaxBytes, o.MaxEntries)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for archive := tar.NewReader(z); ; {
		h, err := archive.Next()
		if err == io.EOF {
			return r, files, a
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = fmt.Sprintf("%o %s%s", h.Mode, h.Linkname, text)
	}
}

// refuses checks that nothing is fetched, for a reason that has no secret, and that nothing is left.
func refuses(t *testing.T, o Options, kind apperr.Kind, message string) {
	t.Helper()
	r, err := Fetch(t.Context(), o)
	if err == nil {
		r.Close()
		t.Errorf("%s %s was fetched", o.URL, o.Ref)
		return
	}
	e := apperr.Of(err)
	if e.Kind != kind || !strings.Contains(e.Message.String(), message) || e.Advice.IsZero() {
		t.Errorf("%s %s: %s: %v: %s", o.URL, o.Ref, e.Kind, err, e.Advice)
	}
	if o.Secret != "" && strings.Contains(err.Error(), strings.TrimSpace(o.Secret)) {
		t.Errorf("the secret is in %v", err)
	}
	if left, _ := filepath.Glob(o.Dir + "/*"); len(left) > 0 {
		t.Errorf("it leaves %v", left)
	}
}

// TestFetch: branches, tags, commits, folders and submodules, over git's own protocol and over HTTP.
func TestFetch(t *testing.T) {
	dir := repositories(t)
	gitPort, httpPort := daemon(t, dir), smart(t, dir)
	commit := func(name string) string {
		return sh(t, dir+"/main.git", `git -c safe.directory='*' rev-parse "$1^{commit}"`, name)
	}
	for _, url := range []string{fmt.Sprintf("git://%s:%d/main.git", loopback, gitPort),
		fmt.Sprintf("http://%s:%d/public/main.git", loopback, httpPort)} {
		for _, c := range []struct {
			ref, folder, commit string
			submodules          bool
			have                map[string]string
		}{
			{"", "", commit("main"), false, map[string]string{"file": "644 one\n", "program": "755 run\n",
				"outside": "777 /etc/passwd", "folder/Dockerfile": "644 FROM debian\n", "module/": "755 "}},
			{"", "", commit("main"), true, map[string]string{"module/s": "644 sub\n"}},
			{"dev", "", commit("dev"), false, map[string]string{"file": "644 dev\n"}},
			{"light", "folder", commit("light"), false, map[string]string{"Dockerfile": "644 FROM debian\n", "deep/": ""}},
			{commit("light"), "", commit("light"), false, map[string]string{"file": "644 one\n"}},
		} {
			o := options(t, url, gitPort, httpPort)
			o.Ref, o.Folder, o.Submodules = c.ref, c.folder, c.submodules
			r, files, _ := fetched(t, o)
			if r.Commit != c.commit {
				t.Errorf("%s %s: %s, not %s", url, c.ref, r.Commit, c.commit)
			}
			for name, want := range c.have {
				if want != "" && files[name] != want {
					t.Errorf("%s %s: %s is %q", url, c.ref, name, files[name])
				}
			}
			for name := range files {
				if strings.Contains(name, ".git/") || strings.HasSuffix(name, ".git") {
					t.Errorf("%s: the archive has %s", url, name)
				}
			}
		}
	}
	o := options(t, fmt.Sprintf("git://%s:%d/main.git", loopback, gitPort), gitPort)
	refuse := func(change func(*Options), kind apperr.Kind, message string) {
		t.Helper()
		other := o
		change(&other)
		refuses(t, other, kind, message)
	}
	refuse(func(o *Options) { o.Ref = "none" }, apperr.NotFound, "no branch, tag or commit none")
	refuse(func(o *Options) { o.Ref = strings.Repeat("0", 40) }, apperr.NotFound, "no branch, tag or commit 000")
	refuse(func(o *Options) { o.Folder = "none" }, apperr.NotFound, "no folder none")
	refuse(func(o *Options) { o.Folder = "link" }, apperr.NotFound, "no folder link")
	refuse(func(o *Options) { o.URL = strings.Replace(o.URL, "main", "nothing", 1) }, apperr.NotFound, "no repository")
	refuse(func(o *Options) { o.URL = strings.Replace(o.URL, "main", "empty", 1) }, apperr.NotFound, "is empty")
}

// TestPrivateOverHTTP: a web server that wants a password.
func TestPrivateOverHTTP(t *testing.T) {
	port := smart(t, repositories(t))
	o := options(t, fmt.Sprintf("http://%s:%d/private/main.git", loopback, port), port)
	refuses(t, o, apperr.PermissionDenied, "denied access")
	o.Secret = "ada:wrong-secret"
	refuses(t, o, apperr.PermissionDenied, "denied access")
	o.Secret = "ada:correct horse"
	if _, files, _ := fetched(t, o); files["file"] != "644 one\n" {
		t.Errorf("%v", files)
	}
	o.URL, o.Secret = strings.Replace(o.URL, "http://", "http://ada@", 1), "correct horse"
	fetched(t, o)

	// A redirect doesn't get the password, and leads to no private address.
	var asked []string
	away := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Authorization"))
		http.Error(w, "no", http.StatusUnauthorized)
	}))
	defer away.Close()
	_, awayPort, _ := strings.Cut(away.Listener.Addr().String(), ":")
	for _, to := range []string{"http://" + loopback + ":" + awayPort + "/main.git/info/refs?service=git-upload-pack",
		"http://169.254.169.254/main.git/info/refs?service=git-upload-pack"} {
		redirect := httptest.NewServer(http.RedirectHandler(to, http.StatusFound))
		defer redirect.Close()
		_, from, _ := strings.Cut(redirect.Listener.Addr().String(), ":")
		o := options(t, "http://"+loopback+":"+from+"/main.git")
		o.Allow = []string{loopback + ":" + from, loopback + ":" + awayPort}
		o.Secret = "ada:correct horse"
		refuses(t, o, apperr.InvalidArgument, "redirects")
		if o.Secret = ""; strings.Contains(to, "169.254") {
			refuses(t, o, apperr.Unavailable, "can't be reached")
		}
	}
	for _, secret := range asked {
		if secret != "" {
			t.Errorf("the other server was told %q", secret)
		}
	}
}

// TestSSH: a deploy key, and the server's key as it was first seen.
func TestSSH(t *testing.T) {
	dir := repositories(t)
	port, key, etc := secure(t)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	o := options(t, fmt.Sprintf("ssh://%s@%s:%d%s/main.git", me.Username, loopback, port, dir), port)
	refuses(t, o, apperr.PermissionDenied, "denied access")
	o.Secret = key
	sh(t, dir, "chown -R $(id -u) .")
	r, files, _ := fetched(t, o)
	host, err := os.ReadFile(etc + "/host.pub")
	if err != nil {
		t.Fatal(err)
	}
	if files["file"] != "644 one\n" || !strings.Contains(r.HostKeys, strings.Fields(string(host))[1]) {
		t.Errorf("%q, %v", r.HostKeys, files)
	}
	o.HostKeys = r.HostKeys
	again, _, _ := fetched(t, o)
	if again.HostKeys != r.HostKeys {
		t.Errorf("the host keys became %q", again.HostKeys)
	}
	// Another server at its place.
	other := sh(t, t.TempDir(), "ssh-keygen -q -t ed25519 -N '' -f k; cut -d' ' -f1,2 k.pub")
	place := strings.Fields(r.HostKeys)[0]
	o.HostKeys = place + " " + other + "\n"
	o.Dir = options(t, o.URL).Dir
	refuses(t, o, apperr.PermissionDenied, "host key")
	o.HostKeys, o.SiteKeys = "", place+" "+other+"\n"
	refuses(t, o, apperr.PermissionDenied, "host key")
	_, wrong, _ := secure(t)
	o.SiteKeys, o.Secret = "", wrong
	refuses(t, o, apperr.PermissionDenied, "denied access")
}

// TestHostileRepositories: what a repository can have does nothing to the host, nor to the sandbox.
func TestHostileRepositories(t *testing.T) {
	dir := repositories(t)
	port := daemon(t, dir)
	at := func(name string) Options {
		return options(t, fmt.Sprintf("git://%s:%d/%s.git", loopback, port, name), port)
	}
	evil := at("evil")
	fetched(t, evil)
	evil = at("evil")
	evil.Submodules = true
	refuses(t, evil, apperr.InvalidArgument, "transport")
	dots := at("dots")
	dots.Submodules = true
	if r, err := Fetch(t.Context(), dots); err == nil { // git leaves the submodule out
		defer r.Close()
	}
	if _, err := os.Stat(filepath.Join(dots.Dir, "x")); err == nil {
		t.Error("a submodule is outside of the repository")
	}
	filters := at("filters")
	r, files, _ := fetched(t, filters)
	if _, err := os.Stat(filepath.Join(r.place.dir, "git", "pwned")); err == nil || files["hooks/post-checkout"] == "" {
		t.Errorf("a hook ran, or %v", files)
	}
	if _, _, a := fetched(t, at("lfs")); len(a.LFS) != 1 || a.LFS[0] != "a.big" {
		t.Errorf("pointers of Git LFS: %v", a.LFS)
	}
	refuses(t, at("large"), apperr.TooLarge, "too large")
	many := at("many")
	r, err := Fetch(t.Context(), many)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Archive(io.Discard, "", many.MaxBytes, many.MaxEntries); apperr.KindOf(err) != apperr.TooLarge {
		t.Errorf("300 files: %v", err)
	}
}

// TestNotReachable: what is closed, and what doesn't answer.
func TestNotReachable(t *testing.T) {
	port := daemon(t, repositories(t))
	for _, address := range []string{"git://10.0.2.2:%d/main.git", "git://127.0.0.1:%d/main.git",
		"http://example.org:%d/main.git",
		"https://localhost:%d/main.git", "git://169.254.169.254:%d/main.git"} {
		refuses(t, options(t, fmt.Sprintf(address, port)), apperr.InvalidArgument, "This site ")
	}
	// A name that leads to a private address is closed by the network itself.
	o := options(t, fmt.Sprintf("git://10.0.2.2:%d/main.git", port), port)
	o.Allow = []string{fmt.Sprintf("10.0.2.2:%d", port), "10.255.255.1:9418"}
	if rules, err := networkRules(o, Address{}); err != nil || !strings.Contains(rules, "to 10.0.0.0/8 prohibit") ||
		!strings.Contains(rules, "pref 20 to 10.255.255.1 ipproto tcp dport 9418") {
		t.Errorf("%v: %s", err, rules)
	}
	refuses(t, options(t, "git://10.0.2.2:1/main.git", 1), apperr.Unavailable, "can't be reached")
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer slow.Close()
	defer slow.CloseClientConnections()
	_, slowPort, _ := strings.Cut(slow.Listener.Addr().String(), ":")
	o = options(t, "http://"+loopback+":"+slowPort+"/main.git")
	o.Allow, o.TimeLimit = []string{loopback + ":" + slowPort}, 2*time.Second
	refuses(t, o, apperr.Unavailable, "longer than 2s")
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	time.AfterFunc(500*time.Millisecond, func() { cancel(stopped) })
	o.TimeLimit = time.Minute
	if _, err := Fetch(ctx, o); !errors.Is(err, stopped) {
		t.Errorf("a fetch that is stopped: %v", err)
	}
}
