package cgibin

import (
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// With Jenkins the list of jobs is answered without it, and without the program that can ask it, unless a build is open
// whose state is old.
func TestTheListAsksJenkinsOnlyForOldStates(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var asked atomic.Int32
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			asked.Add(1)
			defer c.Close() // it never answers
		}
	}()
	s := newSite(t, `[jenkins]`, `url = "http://`+l.Addr().String()+`/"`, `user = "toaster"`, `token = "x"`)
	program := s.program(s.token(ada, "write"))
	id := program.addJob("start", "1")
	s.sql("UPDATE job SET seen_at = ?", time.Now().UnixMilli())
	s.jenkins()
	if a := program.soon("GET", "/jobs"); a.status != http.StatusOK || !strings.Contains(a.body, id) || asked.Load() != 0 {
		t.Errorf("states that are fresh: %d, Jenkins was asked %d times\n%s", a.status, asked.Load(), a.log)
	}
	s.sql("UPDATE job SET seen_at = 0")
	if a := program.soon("GET", "/jobs"); a.status != http.StatusOK || !strings.Contains(a.body, id) ||
		asked.Load() != 1 || strings.Count(a.log, "msg=request") != 1 {
		t.Errorf("states that are old: %d, Jenkins was asked %d times\n%s", a.status, asked.Load(), a.log)
	}
	for _, path := range []string{"/", "/jobs/" + id, "/jobs/" + id + "/builds/1"} {
		if a := program.soon("GET", path); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

// jenkins makes the site one whose builds run on a Jenkins.
func (s *site) jenkins() {
	s.t.Helper()
	text, err := os.ReadFile(s.conf())
	s.must(err)
	s.must(os.WriteFile(s.conf(), append([]byte("engine = \"jenkins\"\n"), text...), 0o600))
}
