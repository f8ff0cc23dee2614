package difftest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// supervised is an application under the supervisor of an image, in a folder instead of a system.
type supervised struct {
	*testing.T
	dir, program string
	env          []string
}

// supervise prepares one. run is the application in sh, and health its check, if any. A file "lock" is locked as long
// as any process of the application is there.
func supervise(t *testing.T, settings, run, health string) *supervised {
	for _, tool := range []string{"perl", "unshare", "nsenter", "flock"} {
		if _, err := exec.LookPath(tool); err != nil {
			lack(t, tool+" is not installed")
		}
	}
	s := &supervised{t, t.TempDir(), "", os.Environ()}
	s.program = filepath.Join(s.dir, "supervise")
	text, err := os.ReadFile("../service/supervise")
	if err != nil {
		t.Fatal(err)
	}
	s.write("supervise", strings.NewReplacer("/usr/lib/toaster", s.dir, "/var/log/", s.dir+"/", "/run/toaster-app",
		s.dir+"/state",
		"/etc/toaster/service", s.dir+"/settings", "tar -C / ", "tar -C "+s.dir+"/system ",
		"/usr/sbin/logrotate", s.dir+"/logrotate").Replace(string(text)))
	s.write("settings", settings)
	s.write("run", "#!/bin/sh\ncd "+s.dir+"; exec 9>>lock; flock 9\n"+run)
	if health != "" {
		s.write("health", "#!/bin/sh\ncd "+s.dir+"\n"+health)
	}
	t.Cleanup(func() { s.do("stop") })
	return s
}

func (s *supervised) write(name, text string) {
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o755); err != nil {
		s.Fatal(err)
	}
}

func (s *supervised) do(command string) (said string, code int) {
	cmd := exec.Command("perl", s.program, command)
	cmd.Env = s.env
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.Fatal(err)
	}
	return strings.TrimSpace(string(out)), cmd.ProcessState.ExitCode()
}

func (s *supervised) start() {
	s.Helper()
	if said, code := s.do("start"); code != 0 {
		s.Fatalf("start: exit status %d: %s\n%s", code, said, s.log())
	}
}

func (s *supervised) log() string {
	text, _ := os.ReadFile(filepath.Join(s.dir, "toaster-app.log"))
	return string(text)
}

// until polls: a minute is a hang.
func (s *supervised) until(what string, true func() bool) {
	s.Helper()
	for end := time.Now().Add(time.Minute); !true(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			said, code := s.do("status")
			s.Fatalf("%s: not within a minute; status %d %s\n%s", what, code, said, s.log())
		}
	}
}

func (s *supervised) logs(text string) {
	s.Helper()
	s.until("the log has "+text, func() bool { return strings.Contains(s.log(), text) })
}

// status waits until it begins with that.
func (s *supervised) status(code int, begins string) {
	s.Helper()
	s.until(fmt.Sprintf("status is %d %s", code, begins), func() bool {
		said, is := s.do("status")
		return is == code && strings.HasPrefix(said, "toaster-app "+begins)
	})
}

// gone: no process of the application is left.
func (s *supervised) gone() bool {
	f, err := os.Open(filepath.Join(s.dir, "lock"))
	if err != nil {
		return true
	}
	defer f.Close()
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

const waits = "trap 'echo told; exit 0' TERM; echo up; while :; do sleep 0.1; done\n"

// TestStopTakesAll: the application is process 1, and what it has left in the background ends with it.
func TestStopTakesAll(t *testing.T) {
	t.Parallel()
	s := supervise(t, "", "echo me $$; setsid sleep 100000 & (setsid sleep 100000 &)\n"+waits, "")
	s.start()
	s.logs("up\n")
	s.status(0, "is running")
	if said, code := s.do("start"); code != 0 || said != "toaster-app is running already" {
		t.Errorf("a second start: %d %s", code, said)
	}
	if s.gone() {
		t.Error("the lock tells nothing")
	}
	if said, code := s.do("stop"); code != 0 {
		t.Error(said)
	}
	s.status(3, "is not running")
	s.until("all is gone", s.gone)
	if want := "me 1\nup\ntold\ntoaster-app: stopped, exit code 0\n"; s.log() != want {
		t.Errorf("the log is %q, want %q", s.log(), want)
	}
}

// TestEnds: what ends well is not started again, nor what goes to the background; and nothing of it stays.
func TestEnds(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]string{"well": "echo once\n",
		"into the background": "setsid sleep 100000 &\necho once\n"} {
		s := supervise(t, "", run, "")
		s.start()
		s.status(3, "has ended, exit code 0; see ")
		s.until("all is gone", s.gone)
		if want := "once\ntoaster-app: ended, exit code 0: it is not started again\n"; s.log() != want {
			t.Errorf("%s: the log is %q, want %q", name, s.log(), want)
		}
	}
}

// TestStopSignal: the image's own signal ends it, and KILL after its time.
func TestStopSignal(t *testing.T) {
	t.Parallel()
	s := supervise(t, "signal=QUIT\n", strings.Replace(waits, "TERM", "QUIT", 1), "")
	s.start()
	s.logs("up\n")
	s.do("stop")
	s.logs("told\ntoaster-app: stopped, exit code 0\n")
	s = supervise(t, "signal=QUIT\nstop_timeout=1\n", "trap '' QUIT; echo up; while :; do sleep 0.1; done\n", "")
	s.start()
	s.logs("up\n")
	s.do("stop")
	s.logs("toaster-app: it did not end within 1 s of the signal QUIT, and is killed\ntoaster-app: stopped, killed by " +
		"signal 9\n")
	s.until("all is gone", s.gone)
}

// TestCrashLoop: status tells one; between its starts, and also while it happens to run.
func TestCrashLoop(t *testing.T) {
	t.Parallel()
	s := supervise(t, "", "echo again; exit 7\n", "")
	s.start()
	s.status(1, "does not stay up: restarted 1 time in the last minute, last exit code 7; see "+s.dir+"/toaster-app.log")
	s.logs("again\ntoaster-app: ended, exit code 7: it starts again in 2 s\nagain\ntoaster-app: ended, exit code 7: it " +
		"starts again in 4 s\n")
	s.status(1, "does not stay up: restarted 2 times in the last minute")
	s.do("stop")
	s.status(3, "is not running")
	s = supervise(t, "", "[ -e crashed ] || { : >crashed; kill -9 $$; exit 1; }\n"+waits, "")
	s.start()
	s.logs("up\n")
	s.status(0, "is running, process ")
	if said, _ := s.do("status"); !strings.Contains(said,
		"; restarted 1 time in the last minute, last exit code 1; see ") {
		t.Error(said)
	}
}

// TestOutput: any user can open the output, nothing truncates the log, and no line is lost.
func TestOutput(t *testing.T) {
	t.Parallel()
	drop := "setpriv --reuid 1000 --regid 1000 --clear-groups "
	if os.Geteuid() != 0 {
		drop = ""
	}
	s := supervise(t, "", "cat; readlink /proc/self/fd/0; [ -p /dev/fd/1 ] && [ -p /dev/fd/2 ] && echo pipes\n"+
		drop+"sh -c 'echo one >/dev/stdout; echo two >/dev/stderr; echo three >/proc/self/fd/1; echo four >>/dev/fd/2'\n"+
		"i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); echo line $i; done; exit 5\n", "")
	s.start()
	s.logs("starts again")
	head, rest, _ := strings.Cut(s.log(), "line 1\n")
	if head != "/dev/null\npipes\none\ntwo\nthree\nfour\n" || strings.Count(rest, "line ") != 19999 ||
		!strings.Contains(rest, "line 20000\ntoaster-app: ended, exit code 5: it starts again in 2 s\n") {
		t.Errorf("the log begins with %q and ends with %q", head, rest[max(0, len(rest)-100):])
	}
	s = supervise(t, "", "n=0; while :; do n=$((n + 1)); echo $n; sleep 0.01; done\n", "")
	s.start()
	s.logs("3\n")
	if err := os.Rename(filepath.Join(s.dir, "toaster-app.log"), filepath.Join(s.dir, "old")); err != nil {
		t.Fatal(err)
	}
	s.logs("9\n")
	old, _ := os.ReadFile(filepath.Join(s.dir, "old"))
	both := string(old) + s.log()
	for n := 1; n < strings.Count(both, "\n"); n++ {
		if !strings.Contains("\n"+both, fmt.Sprintf("\n%d\n", n)) {
			t.Errorf("line %d is lost by the rotation", n)
		}
	}
}

// TestSupervisorIsKilled: then the application is, too, with all that it had said in the log; and it can start anew.
func TestSupervisorIsKilled(t *testing.T) {
	t.Parallel()
	s := supervise(t, "", "setsid sleep 100000 &\n"+waits, "")
	s.start()
	s.logs("up\n")
	pid, _ := os.ReadFile(filepath.Join(s.dir, "state.pid"))
	var supervisor int
	fmt.Sscan(string(pid), &supervisor)
	if err := syscall.Kill(supervisor, syscall.SIGKILL); err != nil {
		t.Fatal(supervisor, err)
	}
	s.until("all is gone", s.gone)
	s.status(1, "is dead: its supervisor was killed; see ")
	s.start()
	s.status(0, "is running")
}

// TestHealth: as Docker has it, a check within the start period does not count, three failures make it unhealthy, one
// success healthy, and nothing is restarted for it.
func TestHealth(t *testing.T) {
	t.Parallel()
	s := supervise(t, "health_interval=1\nhealth_timeout=1\nhealth_retries=2\nhealth_start_period=100000\n"+
		"health_start_interval=1\n", waits,
		"[ ! -e slow ] || sleep 100000\necho $$ >>checks; [ -e good ] || { echo 'not yet'; exit 3; }\n")
	s.start()
	s.until("three checks", func() bool {
		n, _ := os.ReadFile(filepath.Join(s.dir, "checks"))
		return strings.Count(string(n), "\n") >= 3
	})
	said, code := s.do("status")
	if code != 0 || !strings.HasSuffix(said, ", starting") {
		t.Error(code, said)
	}
	s.write("good", "")
	s.logs("toaster-app: health: healthy\n")
	os.Remove(filepath.Join(s.dir, "good"))
	s.logs("toaster-app: health check: exit code 3: not yet\ntoaster-app: health: unhealthy\n")
	s.status(150, "is running, process ")
	s.write("good", "")
	s.until("healthy again", func() bool { return strings.Count(s.log(), "toaster-app: health: healthy\n") == 2 })
	said, code = s.do("status")
	if code != 0 || !strings.HasSuffix(said, ", healthy") {
		t.Error(code, said)
	}
	s.write("slow", "")
	s.logs("toaster-app: health check: timed out after 1 s\ntoaster-app: health: unhealthy\n")
	if strings.Count(s.log(), "up\n") != 1 {
		t.Errorf("it was restarted:\n%s", s.log())
	}
}

// TestWithoutNamespaces: where there are none it runs all the same, and the log says what that means.
func TestWithoutNamespaces(t *testing.T) {
	t.Parallel()
	s := supervise(t, "", "sleep 100000 &\n"+waits, "")
	os.Mkdir(filepath.Join(s.dir, "bin"), 0o755)
	s.write("bin/unshare", "#!/bin/sh\nexit 1\n")
	s.env = append(s.env, "PATH="+s.dir+"/bin:"+os.Getenv("PATH"))
	s.start()
	s.logs("up\n")
	if !strings.HasPrefix(s.log(), "toaster-app: this kernel, or container, gives no process namespace: ") {
		t.Error(s.log())
	}
	s.status(0, "is running")
	s.do("stop")
	s.logs("told\n")
	s.until("all is gone", s.gone)
}

// TestMadeAgain: what the Dockerfile put into /run is put back once after a boot, and what is there stays as it is.
func TestMadeAgain(t *testing.T) {
	t.Parallel()
	s := supervise(t, "", waits, "")
	for _, command := range []string{"mkdir -p volatile/run/app system/run/there && echo x >volatile/run/app/f && chmod " +
		"640 volatile/run/app/f",
		"mkdir volatile/run/there && echo new >volatile/run/there/f && echo old >system/run/there/f && chmod 700 " +
			"system/run/there && ln -s f volatile/run/app/l"} {
		run(t, "sh", "-c", "cd "+s.dir+" && "+command)
	}
	s.start()
	s.logs("up\n")
	out, _ := exec.Command("sh", "-c",
		"cd "+s.dir+"/system/run && cat app/l there/f && stat -c %a app/f there").CombinedOutput()
	if string(out) != "x\nold\n640\n700\n" {
		t.Errorf("%s", out)
	}
	os.Remove(filepath.Join(s.dir, "system/run/app/f"))
	s.do("stop")
	s.start()
	if _, err := os.Stat(filepath.Join(s.dir, "system/run/app/f")); err == nil {
		t.Error("a restart puts back what the application has removed")
	}
}
