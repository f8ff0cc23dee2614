package conf_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"toaster.do/lib/store"
)

const small = "FROM debian:bookworm\nRUN true\n"

var unlimited = []string{"\njobs = 3\n", "\njobs = 0\n", "\nconcurrent_builds = 3\n", "\nconcurrent_builds = 0\n",
	"\nbuilds_per_day = 50\n", "\nbuilds_per_day = 0\n", "\nqueue = 100\n", "\nqueue = 0\n"}

// Fifty clients, five to a person, log in, hand jobs in, start and follow builds, stop and remove them, for a minute,
// while programs are
// killed at random: what was answered is true, and nothing else went wrong than what was killed. TOASTER_CROWD is
// another time, such as "10m"; the second server gets a quarter of it.
func TestFiftyClientsAtOnceWhileProgramsAreKilled(t *testing.T) {
	span := time.Minute
	if d, err := time.ParseDuration(os.Getenv("TOASTER_CROWD")); err == nil {
		span = d
	}
	for _, k := range []kind{kinds[2], kinds[1]} {
		t.Run(k.name, func(t *testing.T) {
			s := newSite(t, filepath.Join(t.TempDir(), "site"), unlimited...)
			s.holdsOut(t, s.serve(t, k, "/toaster"), span)
		})
		span /= 4
	}
}

// crowd is what its clients have seen.
type crowd struct {
	*testing.T
	until                       time.Time
	there, gone                 sync.Map // the ids of jobs that have to be there, and that must not
	asked, failed, busy, logins atomic.Int32
}

func (s *site) holdsOut(t *testing.T, v *visitor, span time.Duration) {
	people, emails := []*visitor{v}, []string{email}
	for i := range 9 {
		other := fmt.Sprintf("p%d@example.org", i)
		s.ctl(t, password+"\n", "user", "add", "--email", other, "--password-stdin")
		people = append(people, &visitor{v.base, s.ctl(t, "", "token", "add", "--name", "test", other), v.server, v.dir})
		emails = append(emails, other)
	}
	killing, stop := context.WithCancel(t.Context())
	killed := make(chan int, 1)
	go func() { killed <- s.kill(killing) }()
	c := &crowd{T: t, until: time.Now().Add(span)}
	var clients sync.WaitGroup
	for client := range 50 {
		clients.Go(func() {
			for n := 0; n == 0 || time.Now().Before(c.until); n++ {
				c.goesAround(people[client%10], emails[client%10], fmt.Sprintf("job %d of %d", n, client), n%3 > 0)
			}
		})
	}
	clients.Wait()
	stop()
	deaths := <-killed
	if int(c.failed.Load()) > deaths+1 { // a busy server may drop one by itself
		t.Errorf("%d requests failed, but %d programs were killed", c.failed.Load(), deaths)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(s.ctl(t, "", "job", "list")) {
		listed[strings.Fields(line)[0]] = true
	}
	there, gone := 0, 0
	c.there.Range(func(id, name any) bool {
		if there++; !listed[id.(string)] {
			t.Errorf("%s was answered, and is lost", name)
		}
		return true
	})
	c.gone.Range(func(id, name any) bool {
		if gone++; listed[id.(string)] {
			t.Errorf("%s was removed, and is there", name)
		}
		return true
	})
	t.Logf("%d requests, %d log-ins; %d programs killed, %d requests failed, %d asked again; %d jobs there, %d removed",
		c.asked.Load(), c.logins.Load(), deaths, c.failed.Load(), c.busy.Load(), there, gone)
	if there == 0 || gone == 0 || deaths == 0 || c.logins.Load() == 0 {
		t.Error("not everything was tried")
	}
	s.whole(t)
}

// goesAround takes a job from its beginning to its end, or leaves it there. It breaks off where a request is lost:
// nobody knows then what was done.
func (c *crowd) goesAround(v *visitor, email, name string, remove bool) {
	login := url.Values{"email": {email}, "password": {password}}
	switch resp := c.ask(v, "POST", "/account/login", "application/x-www-form-urlencoded",
		strings.NewReader(login.Encode()), http.StatusTooManyRequests, http.StatusServiceUnavailable); {
	case resp == nil:
		return
	case resp.StatusCode < 400:
		c.logins.Add(1)
	}
	kind, body := form(name, small)
	resp := c.ask(v, "POST", "/jobs", kind, body)
	if resp == nil {
		return
	}
	id := filepath.Base(resp.Header.Get("Location"))
	c.there.Store(id, name)
	for _, request := range [][2]string{
		{"POST", "/start"}, {"GET", "/builds/1/log?offset=0"}, {"GET", ""}, {"GET", "/../"}, {"POST", "/stop"},
	} {
		if c.ask(v, request[0], "/jobs/"+id+request[1], "", nil) == nil {
			return
		}
	}
	if remove {
		c.there.Delete(id)
		if c.ask(v, "POST", "/jobs/"+id+"/remove", "", nil) != nil {
			c.gone.Store(id, name)
		}
	}
}

// ask returns nil for a request that got no good answer. One whose program was not killed may also have one of the
// statuses too: a log-in does where many come at once. Where the site is too busy, or says to wait, nothing was done:
// it asks again.
func (c *crowd) ask(v *visitor, method, path, kind string, body io.Reader, too ...int) *http.Response {
	var sent []byte
	if body != nil {
		sent, _ = io.ReadAll(body)
	}
	resp, text, err := v.ask(method, path, kind, bytes.NewReader(sent))
	c.asked.Add(1)
	for n := 0; n < 100 && err == nil && (resp.StatusCode == http.StatusServiceUnavailable ||
		resp.StatusCode == http.StatusTooManyRequests) &&
		resp.Header.Get("X-Request-Id") != "" && !slices.Contains(too, resp.StatusCode); n++ {
		if resp.Header.Get("Retry-After") == "" || method == "GET" {
			c.Errorf("%s %s: %s %s", method, path, resp.Status, text)
			return nil
		}
		time.Sleep(time.Duration(100+rand.IntN(400)) * time.Millisecond)
		resp, text, err = v.ask(method, path, kind, bytes.NewReader(sent))
		c.busy.Add(1)
	}
	switch {
	// The web server's own page stands for a program that was killed, or the connection broke.
	case err != nil || resp.StatusCode >= 500 && resp.Header.Get("X-Request-Id") == "":
		c.failed.Add(1)
		return nil
	case resp.StatusCode >= 400 && !slices.Contains(too, resp.StatusCode):
		c.Errorf("%s %s: %s %s", method, path, resp.Status, text)
		return nil
	}
	return resp
}

// kill kills a CGI program now and then, until ctx ends, and returns how many it has killed.
func (s *site) kill(ctx context.Context) (n int) {
	for ; ctx.Err() == nil; time.Sleep(500 * time.Millisecond) {
		if pids := s.programs(); len(pids) > 0 && syscall.Kill(pids[rand.IntN(len(pids))], syscall.SIGKILL) == nil {
			n++
		}
	}
	return n
}

func (s *site) whole(t *testing.T) {
	t.Helper()
	if _, err := store.Check(t.Context(), filepath.Join(s.dir, "toaster.db")); err != nil {
		t.Error(err)
	}
}

func TestAFullDiskLosesNothingAndHealsByItself(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := syscall.Mount("toaster-test", dir, "tmpfs", 0, "size=4m"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	}
	s := newSite(t, filepath.Join(dir, "site"), append(unlimited, "\nfree_disk = \"1 GiB\"\n",
		"\nfree_disk = \"64 KiB\"\n")...)
	v := s.serve(t, kinds[2], "")
	add := func(name string) (*http.Response, []byte) {
		kind, body := form(name, small)
		resp, text, err := v.ask("POST", "/jobs", kind, body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, text
	}
	first, _ := add("before")
	if first.StatusCode != http.StatusCreated {
		t.Fatal(first.Status)
	}
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 8<<20), 0o600); err == nil {
		t.Fatal("the disk did not get full")
	}
	if resp, text := add("while it is full"); resp.StatusCode != http.StatusInsufficientStorage ||
		!strings.Contains(string(text), "full") {
		t.Errorf("%s %s", resp.Status, text)
	}
	id := filepath.Base(first.Header.Get("Location"))
	if resp, text, err := v.ask("POST", "/jobs/"+id+"/start", "", nil); err != nil ||
		resp.StatusCode != http.StatusInsufficientStorage ||
		!strings.Contains(string(text), "No more builds start") {
		t.Errorf("%v %s", err, text)
	}
	v.must(t, http.StatusOK, "GET", "/jobs", "", nil)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if resp, text := add("after"); resp.StatusCode != http.StatusCreated {
		t.Errorf("%s %s", resp.Status, text)
	}
	v.must(t, http.StatusAccepted, "POST", "/jobs/"+id+"/start", "", nil)
	s.whole(t)
}

func TestADatabaseThatIsMadeReadOnlySaysSoAndComesBack(t *testing.T) {
	s := newSite(t, filepath.Join(t.TempDir(), "site"))
	v := s.serve(t, kinds[1], "")
	path := filepath.Join(s.dir, "toaster.db")
	if err := os.Chmod(path, 0o440); err != nil {
		t.Fatal(err)
	}
	kind, body := form("greeter", small)
	if _, text := v.must(t, http.StatusServiceUnavailable, "POST", "/jobs", kind, body); !strings.Contains(string(text),
		"Nothing was saved") {
		t.Errorf("%s", text)
	}
	// What SQLite has made beside it meanwhile is read-only, too: doctor names one file after the other.
	for range 3 {
		told, _ := s.as(s.command("doctor")).Output()
		_, after, wrong := strings.Cut(string(told), "chmod u+w ")
		if !wrong {
			break
		}
		if err := os.Chmod(strings.Fields(after)[0], 0o640); err != nil {
			t.Fatal(err)
		}
	}
	kind, body = form("greeter", small)
	v.must(t, http.StatusCreated, "POST", "/jobs", kind, body)
}

// A clock that was set back by a day leaves times of tomorrow in the database.
func TestAClockThatWasSetBackIsHarmless(t *testing.T) {
	s := newSite(t, filepath.Join(t.TempDir(), "site"), unlimited...)
	v := s.serve(t, kinds[2], "")
	kind, body := form("greeter", small)
	resp, _ := v.must(t, http.StatusCreated, "POST", "/jobs", kind, body)
	path := resp.Header.Get("Location")
	v.must(t, http.StatusAccepted, "POST", path+"/start", "", nil)
	db, err := sql.Open("sqlite3", filepath.Join(s.dir, "toaster.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []string{
		"UPDATE job SET created_at = created_at + 86400000, seen_at = seen_at + 86400000",
		"UPDATE build SET queued_at = queued_at + 86400000, asked_at = asked_at + 86400000",
		"UPDATE local_build SET queued_at = queued_at + 86400000",
		"UPDATE token SET created_at = created_at + 86400000, used_at = used_at + 86400000",
		"UPDATE build_start SET queued_at = queued_at + 86400000", "UPDATE setting SET value = '2099-01-01T00:00:00Z'",
	} {
		if _, err := db.Exec(change); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s.ctl(t, "", "sync")
	for _, page := range []string{"/", "/jobs", path, path + "/builds/1"} {
		v.must(t, http.StatusOK, "GET", page, "", nil)
	}
	kind, body = form("another", small)
	v.must(t, http.StatusCreated, "POST", "/jobs", kind, body)
	v.must(t, http.StatusAccepted, "POST", path+"/stop", "", nil)
}
