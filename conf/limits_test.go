package conf_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// limited says what it may take.
const limited = `#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\ncpu=%s\nmemory=%s\n' "$(ulimit -t)" "$(ulimit -v)"
`

// Programs of Go have to begin below the limit: TestTheWholeWayUnderEachServer sees that they do.
func TestApacheLimitsWhatAProgramTakes(t *testing.T) {
	for _, kind := range kinds[:2] {
		t.Run(kind.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "programs/index", limited, 0o755)
			write(t, dir, "static/toaster.css", "", 0o644)
			s := launch(t, kind, "", "http", dir, dir+"/programs", dir+"/static", "")
			if answer := s.get(t, "/"); answer["body"] != "cpu=300\nmemory=2097152\n" {
				t.Errorf("%v", answer)
			}
		})
	}
}

// hanging says who it is to a file, and nothing to the server.
const hanging = `#!/bin/sh
echo $$ >"${0%/programs/*}/pid"
exec sleep 1000
`

func TestAProgramThatHangsIsEnded(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "programs/index", hanging, 0o755)
			write(t, dir, "static/toaster.css", "", 0o644)
			kind.change = append(kind.change, `"read-timeout" => 300`, `"read-timeout" => 1`)
			// Apache has a time limit of its own: Debian's is 300 seconds.
			more := "Timeout 1\n"
			if kind.lighttpd {
				more = ""
			}
			s := launch(t, kind, "", "http", dir, dir+"/programs", dir+"/static", more)
			resp, err := http.Get(s.base + "/")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode < 500 {
				t.Error(resp.Status)
			}
			text, err := os.ReadFile(filepath.Join(dir, "pid"))
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(time.Minute); syscall.Kill(pid,
				0) != syscall.ESRCH; time.Sleep(50 * time.Millisecond) {
				if time.Now().After(deadline) {
					syscall.Kill(pid, syscall.SIGKILL)
					t.Fatal("it goes on")
				}
			}
		})
	}
}
