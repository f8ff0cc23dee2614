package conf_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"toaster.do/lib/store"
)

const small = "FROM debian:bookworm\nRUN true\n"

var unlimited = []string{"\njobs = 3\n", "\njobs = 0\n", "\nrunning = 3\n", "\nrunning = 0\n", "\ndaily = 50\n", "\ndaily = 0\n", "\nqueue = 100\n", "\nqueue = 0\n"}

// Fifty clients, five to a person, hand jobs in at once while programs are killed at random: what was answered is there, once, and nothing else
// went wrong than what was killed.
func TestFiftyClientsAtOnceWhileProgramsAreKilled(t *testing.T) {
	for _, k := range kinds[1:] {
		t.Run(k.name, func(t *testing.T) {
			s := newSite(t, filepath.Join(t.TempDir(), "site"), unlimited...)
			v := s.serve(t, k, "/toaster")
			people := []*visitor{v}
			for i := range 9 {
				other := fmt.Sprintf("p%d@example.org", i)
				s.ctl(t, password+"\n", "user", "add", "--email", other, "--password-stdin")
				people = append(people, &visitor{v.base, s.ctl(t, "", "token", "add", "--name", "test", other), v.server, v.dir})
			}
			killing, stop := context.WithCancel(t.Context())
			killed := make(chan int, 1)
			go func() { killed <- s.kill(killing) }()

			var stored sync.Map
			var failed atomic.Int32
			var crowd sync.WaitGroup
			for client := range 50 {
				crowd.Go(func() {
					for n := range 3 {
						name := fmt.Sprintf("job %d of %d", n, client)
						kind, body := form(name, small)
						resp, text, err := people[client%len(people)].ask("POST", "/jobs", kind, body)
						switch {
						case err == nil && resp.StatusCode == http.StatusCreated:
							stored.Store(filepath.Base(resp.Header.Get("Location")), name)
						case err == nil && resp.StatusCode < 500:
							t.Errorf("%s: %s %s", name, resp.Status, text)
						default:
							failed.Add(1)
						}
					}
				})
			}
			crowd.Wait()
			stop()
			deaths := <-killed
			if int(failed.Load()) > deaths {
				t.Errorf("%d requests failed, but %d programs were killed", failed.Load(), deaths)
			}
			listed := map[string]bool{}
			for _, line := range strings.Split(s.ctl(t, "", "job", "list"), "\n") {
				listed[strings.Fields(line)[0]] = true
			}
			n := 0
			stored.Range(func(id, name any) bool {
				if n++; !listed[id.(string)] {
					t.Errorf("%s was answered, and is lost", name)
				}
				return true
			})
			t.Logf("%d stored, %d killed, %d failed", n, deaths, failed.Load())
			if n == 0 || deaths == 0 {
				t.Error("nothing was tried")
			}
			s.whole(t)
		})
	}
}

// kill kills a CGI program now and then, until ctx ends, and returns how many it has killed.
func (s *site) kill(ctx context.Context) (n int) {
	for ; ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		programs, _ := filepath.Glob("/proc/[0-9]*/exe")
		for _, link := range programs {
			if exe, err := os.Readlink(link); err == nil && strings.HasPrefix(exe, s.root+"/usr/lib/cgi-bin/") {
				pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(link)))
				if syscall.Kill(pid, syscall.SIGKILL) == nil {
					n++
				}
				break
			}
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
	s := newSite(t, filepath.Join(dir, "site"), append(unlimited, "\nfree_disk = \"1 GiB\"\n", "\nfree_disk = \"64 KiB\"\n")...)
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
	if resp, text := add("while it is full"); resp.StatusCode != http.StatusInsufficientStorage || !strings.Contains(string(text), "full") {
		t.Errorf("%s %s", resp.Status, text)
	}
	id := filepath.Base(first.Header.Get("Location"))
	if resp, text, err := v.ask("POST", "/jobs/"+id+"/start", "", nil); err != nil || resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(text), "no more builds start") {
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
	if _, text := v.must(t, http.StatusServiceUnavailable, "POST", "/jobs", kind, body); !strings.Contains(string(text), "nothing was stored") {
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
		"UPDATE job SET created_at = created_at + 86400000, seen_at = seen_at + 86400000", "UPDATE build SET queued_at = queued_at + 86400000, asked_at = asked_at + 86400000",
		"UPDATE local_build SET queued_at = queued_at + 86400000", "UPDATE token SET created_at = created_at + 86400000, used_at = used_at + 86400000",
		"UPDATE started SET at = at + 86400000", "UPDATE fact SET value = '2099-01-01T00:00:00Z'",
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
