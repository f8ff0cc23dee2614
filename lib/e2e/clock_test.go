package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/store"
)

// stepFile is compiled into package time: how many seconds the clock of this program was set forward, or back, is what
// the symbolic link "clock" beside it says. The clock that measures time stays as it is, as it does in the kernel.
const stepFile = `package time

import (
	"syscall"
	"unsafe"
)

var clockLink = func() *byte {
	buf := make([]byte, 4096)
	n, _ := syscall.Readlink("/proc/self/exe", buf)
	for n > 0 && buf[n-1] != '/' {
		n--
	}
	return &append(buf[:n], "clock\x00"...)[0]
}()

// clockStep has to do without the scheduler: timers ask for the time on its own stack.
func clockStep() (step int64) {
	var buf [32]byte
	n, _, errno := syscall.RawSyscall6(syscall.SYS_READLINKAT, ^uintptr(99) /* AT_FDCWD */, uintptr(unsafe.Pointer(clockLink)), uintptr(unsafe.Pointer(&buf)), uintptr(len(buf)), 0, 0)
	if errno != 0 {
		return 0
	}
	sign := int64(1)
	for _, c := range buf[:n] {
		if c == '-' {
			sign = -1
		} else {
			step = step*10 + int64(c-'0')
		}
	}
	return sign * step
}
`

// withClock makes what is built from now on have a clock that can be set.
func withClock(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	folder := filepath.Join(strings.TrimSpace(sh(t, nil, "go", "env", "GOROOT")), "src", "time")
	source, err := os.ReadFile(folder + "/time.go")
	if err != nil {
		t.Fatal(err)
	}
	const now = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	if strings.Count(string(source), now) != 1 {
		t.Fatal("package time is another one by now: time.Now has to be looked at")
	}
	overlay, _ := json.Marshal(map[string]any{"Replace": map[string]string{folder + "/time.go": dir + "/time.go",
		folder + "/step.go": dir + "/step.go"}})
	for name, text := range map[string]string{"time.go": strings.Replace(string(source), now, now+"\tsec += clockStep()\n",
		1), "step.go": stepFile, "overlay.json": string(overlay)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GOFLAGS", os.Getenv("GOFLAGS")+" -overlay="+dir+"/overlay.json")
}

// set sets the clock of all programs.
func (s *toaster) set(step time.Duration) {
	s.Helper()
	for _, dir := range []string{s.bin, s.bin + "/cgi-bin"} {
		if err := os.Symlink(fmt.Sprint(int64(step.Seconds())), dir+"/clock.new"); err != nil {
			s.Fatal(err)
		}
		if err := os.Rename(dir+"/clock.new", dir+"/clock"); err != nil {
			s.Fatal(err)
		}
	}
}

// The clock is set three hours forward, which is longer than a build may take, and six back, while an image is made: it
// is made all the same, in the time that it took.
func TestTheClockIsSetWhileABuildRuns(t *testing.T) {
	withClock(t)
	t.Setenv("TOASTER_CACHE_DIR", "") // a build that lasts
	s := start(t)
	config := s.dir + "/toaster.toml"
	s.logIn()
	job := s.addJob()
	begun := time.Now()
	s.status(s.post(job+"/start", nil), http.StatusAccepted)

	var j struct {
		State  string
		Builds []struct {
			State     string
			StartedAt *time.Time `json:"started_at"`
			EndedAt   *time.Time `json:"ended_at"`
			Reason    string
		}
	}
	running := func() bool {
		s.json(job, &j)
		if j.State != "queued" && j.State != "running" {
			t.Fatalf("the build has %s: %+v", j.State, j.Builds)
		}
		return j.State == "running"
	}
	s.wait("the build's begin", running)
	for _, step := range []time.Duration{3 * time.Hour, -3 * time.Hour} {
		s.set(step)
		if got := strings.TrimSpace(sh(t, nil, s.bin+"/toasterctl", "metrics", "--config", config)); got == "" {
			t.Error("no metrics")
		}
		sh(t, nil, s.bin+"/toasterctl", "sync", "--config", config)
		// The runner's next sign of life, and its next look at what dead ones left, come within five seconds.
		s.wait("the runner", func() bool {
			running()
			page := s.get(job)
			s.status(page, http.StatusOK)
			out, _ := exec.Command(s.bin+"/toasterctl", "doctor", "--quick", "--config", config).Output()
			return strings.Contains(string(out), "ok      runner of the local engine") &&
				strings.Contains(string(out), "ok      cron")
		})
	}
	log := s.follow(job + "/builds/1/log")
	s.wait("the build's end", func() bool {
		s.json(job, &j)
		return j.State != "queued" && j.State != "running"
	})
	took := time.Since(begun)
	b := j.Builds[0]
	if j.State != "succeeded" || !strings.Contains(log, " 8 RUN chmod") {
		t.Fatalf("the build has %s, %s; its log:\n%s", j.State, b.Reason, log)
	}
	if d := b.EndedAt.Sub(*b.StartedAt); d <= 0 || d > took {
		t.Errorf("it took %s at most, and is said to have taken %s", took, d)
	}

	// The clock stays hours behind what was written until now: people and programs are let in, and more builds start.
	s.logIn()
	sh(t, nil, s.bin+"/toasterctl", "sync", "--config", config)
	s.status(s.post(job+"/start", nil), http.StatusAccepted)
	s.wait("the second build", running)
	s.status(s.post(job+"/stop", nil), http.StatusAccepted)
	s.wait("its end", func() bool {
		s.json(job, &j)
		return j.State == "aborted"
	})
	if n, err := store.Check(t.Context(), s.dir+"/toaster.db"); err != nil {
		t.Errorf("%d, %v", n, err)
	}
}
