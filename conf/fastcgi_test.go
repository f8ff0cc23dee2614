package conf_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Programs that stay answer as those that are run for each request, at the root and below a path, and notice by
// themselves what is changed below them.
func TestFastCGI(t *testing.T) {
	for _, k := range fastKinds {
		for _, prefix := range []string{"", "/toaster"} {
			t.Run(k.name+prefix, func(t *testing.T) {
				s := newSite(t, filepath.Join(t.TempDir(), "site"), unlimited...)
				v := s.serve(t, k, prefix)
				v.usesTheSite(t, prefix)
				v.getsURLsRight(t)
				s.isChangedUnder(t, v)
				if prefix != "" {
					s.doesNotGrow(t, v)
					v.isReloaded(t, k.lighttpd)
				}
			})
		}
	}
}

func (v *visitor) usesTheSite(t *testing.T, prefix string) {
	for range 3 {
		for _, page := range []string{"/", "/help", "/static/toaster.css", "/account", "/jobs", "/jobs/new"} {
			v.must(t, http.StatusOK, "GET", page, "", nil)
		}
	}
	kind, body := form("greeter", small)
	resp, _ := v.must(t, http.StatusCreated, "POST", "/jobs", kind, body)
	path, ours := strings.CutPrefix(resp.Header.Get("Location"), prefix)
	if !ours {
		t.Errorf("the job is at %q", resp.Header.Get("Location"))
	}
	v.must(t, http.StatusAccepted, "POST", path+"/start", "", nil)
	resp, _ = v.must(t, http.StatusOK, "GET", path+"/builds/1/log?offset=0", "", nil)
	if resp.Header.Get("X-Next-Offset") != "0" || resp.Header.Get("X-More") != "true" {
		t.Errorf("the log of a build that waits: %v", resp.Header)
	}
	v.must(t, http.StatusNotFound, "GET", "/admin/none", "", nil)
	if resp, _, _ := (&visitor{base: v.base}).ask("GET", "/jobs", "", nil); resp == nil ||
		resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token: %v", resp)
	}

	browser := v.logIn(t)
	base, _ := url.Parse(v.base)
	for _, c := range browser.Jar.Cookies(base.JoinPath("account")) {
		if !strings.HasPrefix(c.Name, "toaster") {
			t.Errorf("a cookie %q", c.Name)
		}
	}
	if base.Path != "" && len(browser.Jar.Cookies(&url.URL{Scheme: "http", Host: base.Host, Path: "/other"})) > 0 {
		t.Error("the cookie goes to other paths of the host")
	}
	// 64 MiB are the server's limit, which comes before toaster's own.
	v.tooLarge(t, 4<<20)
	v.tooLarge(t, 17<<20)
	v.tooLarge(t, 65<<20)
}

func (v *visitor) tooLarge(t *testing.T, size int64) {
	t.Helper()
	req, _ := http.NewRequest("POST", v.base+"/jobs", io.LimitReader(zeros{}, size))
	req.ContentLength = size
	req.Header.Set("Authorization", "Bearer "+v.token)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if resp, err := http.DefaultClient.Do(req); err == nil && resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("%d bytes: %s %s", size, resp.Status, shown(resp))
	}
}

// logIn returns a browser that a person has logged in with.
func (v *visitor) logIn(t testing.TB) *http.Client {
	t.Helper()
	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Jar: jar}
	resp, err := browser.PostForm(v.base+"/account/login", url.Values{"email": {email}, "password": {password}})
	if err != nil {
		t.Fatal(err)
	}
	if shown(resp); !v.knows(t, browser) {
		t.Fatalf("the log-in: %s", resp.Status)
	}
	return browser
}

// knows tells whether the site takes a browser for a person's.
func (v *visitor) knows(t testing.TB, browser *http.Client) bool {
	t.Helper()
	resp, err := browser.Get(v.base + "/account")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(shown(resp), email)
}

func shown(resp *http.Response) string {
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return string(text)
}

// What web servers leave in URLs for FastCGI programs is passed over as in those of CGI programs.
func (v *visitor) getsURLsRight(t *testing.T) {
	for path, want := range map[string]int{
		"/jobs//new": http.StatusOK, "/jobs/./new": http.StatusOK, "/jobs/../account": http.StatusOK,
		"/static/../help":          http.StatusOK,
		"/jobs/x/../../admin/none": http.StatusNotFound, "/jobsy": http.StatusNotFound, "/account/jobs": http.StatusNotFound,
	} {
		v.must(t, want, "GET", path, "", nil)
	}
}

// isChangedUnder changes what the programs have read, one after the other.
func (s *site) isChangedUnder(t *testing.T, v *visitor) {
	front := func() string {
		_, text := v.must(t, http.StatusOK, "GET", "/help", "", nil)
		return string(text)
	}
	if strings.Contains(front(), "Renamed") {
		t.Fatal("the name is there too early")
	}
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, s.dir, "toaster.toml", strings.Replace(string(text), `name = "toaster"`, `name = "Renamed"`, 1), 0o644)
	if !strings.Contains(front(), "Renamed") {
		t.Error("toaster.toml was changed, and the programs did not notice")
	}

	browser := v.logIn(t)
	keys := filepath.Join(s.dir, "keys")
	if err := os.Remove(keys); err != nil {
		t.Fatal(err)
	}
	s.ctl(t, "", "init", "--dir", s.dir)
	if v.knows(t, browser) {
		t.Error("the keys were replaced, and a cookie of the old ones is good")
	}

	backup := filepath.Join(s.dir, "backup.tar")
	s.ctl(t, "", "backup", backup)
	kind, body := form("after the backup", small)
	v.must(t, http.StatusCreated, "POST", "/jobs", kind, body)
	s.ctl(t, "", "restore", "--force", backup)
	if _, after := v.must(t, http.StatusOK, "GET", "/jobs", "", nil); !strings.Contains(string(after), `"found":1,`) ||
		!strings.Contains(string(after), "greeter") {
		t.Errorf("the backup was restored, and the jobs are %s", after)
	}

	// Another file in the database's place: the old one has no name any more.
	path := filepath.Join(s.dir, "toaster.db")
	for _, end := range []string{"", "-wal", "-shm"} {
		os.Remove(path + end)
	}
	s.ctl(t, "", "init", "--dir", s.dir)
	if resp, text, err := v.ask("GET", "/jobs", "", nil); err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a new database knows the old token: %v %s", err, text)
	}
	s.ctl(t, "", "restore", "--force", backup)
	v.must(t, http.StatusOK, "GET", "/jobs", "", nil)
}

// doesNotGrow asks two thousand times: the programs stay as large as they were after the first five hundred.
func (s *site) doesNotGrow(t *testing.T, v *visitor) {
	sizes := [2]int{}
	for n := range 2000 {
		v.must(t, http.StatusOK, "GET", []string{"/jobs", "/account", "/", "/jobs/new"}[n%4], "", nil)
		if n == 499 || n == 1999 {
			sizes[n/1000] = s.resident()
		}
	}
	t.Logf("all programs together: %d MiB after 500 requests, %d MiB after 2000", sizes[0], sizes[1])
	if sizes[0] == 0 || sizes[1] > sizes[0]+sizes[0]/4+4 {
		t.Errorf("the programs grow from %d MiB to %d MiB", sizes[0], sizes[1])
	}
}

// programs are the running ones, by their process's number.
func (s *site) programs() (pids []int) {
	links, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, link := range links {
		if exe, err := os.Readlink(link); err == nil && strings.HasPrefix(exe, s.root+"/usr/lib/cgi-bin/") {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(link)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// resident is the memory of the running programs, MiB.
func (s *site) resident() (sum int) {
	for _, pid := range s.programs() {
		sum += status(pid, "VmRSS") >> 10
	}
	return sum
}

// status is a number in a process's /proc/PID/status; 0: there is none.
func status(pid int, name string) (n int) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, after, _ := strings.Cut(string(text), "\n"+name+":")
	fmt.Sscan(after, &n)
	return n
}

// isReloaded sends requests all the time while the server is told to read its configuration again. lighttpd answers
// each; mod_fcgid may leave one without an answer for which it is about to start a program, and answers those that come
// after it.
func (v *visitor) isReloaded(t *testing.T, lossless bool) {
	var asked, failed atomic.Int32
	stop := make(chan struct{})
	var clients sync.WaitGroup
	defer func(d time.Duration) { patient.Timeout = d }(patient.Timeout)
	if !lossless {
		patient.Timeout = 10 * time.Second
	}
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				resp, text, err := v.ask("GET", "/jobs", "", nil)
				if asked.Add(1); err != nil || resp.StatusCode != http.StatusOK {
					failed.Add(1)
					t.Logf("request %d: %v %v %.300s", asked.Load(), resp, err, text)
				}
			}
		})
	}
	until := func(n int32) {
		for end := asked.Load() + n; asked.Load() < end; time.Sleep(time.Millisecond) {
		}
	}
	until(20)
	if err := v.server.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	until(200)
	close(stop)
	clients.Wait()
	t.Logf("%d requests during a reload, %d failed", asked.Load(), failed.Load())
	if failed.Load() > 0 && (lossless || failed.Load() > 4) {
		t.Error("requests were lost")
	}
}
