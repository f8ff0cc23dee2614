package jenkins

import (
	"bytes"
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"toaster.do/lib/engine"
)

// read decodes a config.xml.
func read(t testing.TB, text string) (p project) {
	t.Helper()
	if err := xml.Unmarshal([]byte(text), &p); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return p
}

func TestTheJob(t *testing.T) {
	job := engine.Job{
		Name: "meATexample.org-vm_amd64_daedalus-1700000000", Description: "web (vm_amd64_daedalus), job k3", Label: "amd64",
		Script: []byte("echo hello\n"), TimeLimit: 2 * time.Hour,
	}
	p := read(t, config(job, false))
	if p.Label != "amd64" || p.CanRoam || p.Disabled || p.Concurrent {
		t.Errorf("%+v", p)
	}
	if p.Description != "web (vm_amd64_daedalus), job k3\n(toaster job meATexample.org-vm_amd64_daedalus-1700000000)" ||
		!isMarked(p.Description, job.Name) {
		t.Errorf("its description is %q", p.Description)
	}
	want := archiver{Artifacts: "dist/**", AllowEmpty: true, OnlySuccessful: true, CaseSensitive: true}
	if p.Archiver != want {
		t.Errorf("it archives %+v", p.Archiver)
	}
	if !strings.HasPrefix(p.Shell.Command, "#!/bin/sh\n") || !strings.Contains(p.Shell.Command, "\necho hello\n") ||
		!strings.Contains(p.Shell.Command, "timeout -k 30 7200 ") {
		t.Errorf("it runs\n%s", p.Shell.Command)
	}
	job.Label = ""
	if p := read(t, config(job, true)); !p.CanRoam || !p.Disabled || strings.Contains(config(job, true), "assignedNode") {
		t.Errorf("without a label: %+v", p)
	}
	if isMarked(p.Description, "meATexample.org-vm_amd64_daedalus-170000000") {
		t.Error("the mark is another job's as well")
	}
}

// run runs a job's shell step as Jenkins does, on an agent of our own, and returns its output and exit status.
func runStep(t testing.TB, step, workspace string) (string, int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "jenkins1.sh")
	if err := os.WriteFile(file, []byte(step), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", file)
	cmd.Dir, cmd.Env = workspace, append(os.Environ(), "WORKSPACE="+workspace, "BUILD_NUMBER=1", "TMPDIR="+t.TempDir())
	out, _ := cmd.CombinedOutput()
	return string(out), cmd.ProcessState.ExitCode()
}

func step(script string, limit time.Duration) string {
	return string(shellStep(engine.Job{Name: "demo", Script: []byte(script), TimeLimit: limit}))
}

func TestTheStepLeavesDistAlone(t *testing.T) {
	ws := t.TempDir()
	os.MkdirAll(filepath.Join(ws, "old", ".git"), 0o755)
	out, status := runStep(t, step("ls -A; mkdir dist; echo image >dist/image; echo x >other; cat\n", time.Minute), ws)
	if status != 0 || out != "" {
		t.Errorf("it ended with %d and said %q", status, out)
	}
	left, _ := filepath.Glob(ws + "/*")
	if len(left) != 1 || filepath.Base(left[0]) != "dist" {
		t.Errorf("it left %v", left)
	}
	out, status = runStep(t, step("mkdir dist; exit 3\n", time.Minute), ws)
	if left, _ := filepath.Glob(ws + "/*"); status != failedStatus || len(left) != 0 {
		t.Errorf("a failed build ended with %d, said %q and left %v", status, out, left)
	}
	if _, err := os.Stat(ws + "@toaster"); err == nil {
		t.Error("its note of the running script stays")
	}
}

// What the step ends with tells Jenkins whether the build has failed by itself, or was ended from outside.
func TestTheStepsStatusTellsWhoEndedTheBuild(t *testing.T) {
	const timedOut = "TOASTER-WHY timed out after %s.\t5s\ntoaster: failed: timed out after 5s.\n"
	for _, c := range []struct {
		script string
		want   int
		says   string
	}{
		{"echo hello", 0, "hello\n"},
		{"echo x; exit 7", failedStatus, "x\n"},
		{"echo x; exit 124", failedStatus, "x\n"},
		{"echo begun; sleep 60", failedStatus, "begun\n" + timedOut},
		{"trap 'echo late; exit 143' TERM; echo begun; sleep 60 & wait", failedStatus,
			"begun\nlate\n" + timedOut},
		{"kill -9 $$", 1, "toaster: this build was ended from outside (exit code 137).\n"},
		{"kill -9 $PPID", 1, "toaster: this build was ended from outside (exit code 137).\n"},
		{"exit 143", 1, "toaster: this build was ended from outside (exit code 143).\n"},
	} {
		t.Run(c.script, func(t *testing.T) {
			t.Parallel()
			out, status := runStep(t, step(c.script+"\n", 5*time.Second), t.TempDir())
			if status != c.want || !strings.HasSuffix(out, c.says) {
				t.Errorf("%d, %q", status, out)
			}
		})
	}
}

func TestTheStepEndsABuildThatPrintsTooMuch(t *testing.T) {
	ws := t.TempDir()
	job := engine.Job{Name: "demo", Script: []byte("trap 'exit 0' TERM; echo begun; mkdir dist; yes; echo more\n"),
		TimeLimit: time.Minute, OutputLimit: 5 << 20}
	out, status := runStep(t, string(shellStep(job)), ws)
	const last = "\nTOASTER-WHY stopped: the log exceeded %s.\t5 MiB\ntoaster: failed: stopped: the log exceeded 5 MiB.\n"
	if status != failedStatus || !strings.HasPrefix(out, "begun\ny\n") || !strings.HasSuffix(out, last) ||
		len(out) != 5<<20+len(last) {
		t.Errorf("it ended with %d and said %d bytes, %q", status, len(out), out[max(0, len(out)-200):])
	}
	if left, _ := filepath.Glob(ws + "/*"); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
	job.OutputLimit = 0
	job.Script = []byte("yes | head -c 10000000\n")
	if out, status := runStep(t, string(shellStep(job)), ws); status != 0 || len(out) != 10_000_000 {
		t.Errorf("without a limit it ended with %d and said %d bytes", status, len(out))
	}
}

// A controller that was killed leaves the processes of its builds.
func TestABuildThatWasLeftRunningIsEnded(t *testing.T) {
	ws, tmp := t.TempDir(), t.TempDir()
	file := filepath.Join(t.TempDir(), "jenkins1.sh")
	if err := os.WriteFile(file, []byte(step("echo begun; while :; do echo orphan >late; sleep 0.1; done\n", time.Minute)),
		0o600); err != nil {
		t.Fatal(err)
	}
	orphan := exec.Command("/bin/sh", file)
	orphan.Dir, orphan.Env = ws, append(os.Environ(), "WORKSPACE="+ws, "TMPDIR="+tmp)
	out, err := orphan.StdoutPipe()
	if err == nil {
		err = orphan.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	out.Read(make([]byte, 5))
	orphan.Process.Kill()
	said, status := runStep(t, step("sleep 0.5; ls -A\n", time.Minute), ws)
	if status != 0 || said != "toaster: ends a build that was left running here.\n" {
		t.Errorf("the next build ended with %d and said %q", status, said)
	}
	orphan.Wait()
	if left, _ := filepath.Glob(tmp + "/*"); len(left) > 0 {
		t.Errorf("there is left %v", left)
	}
}

// Any script reaches the agent's shell byte for byte, and any description is that text and nothing else.
func FuzzConfig(f *testing.F) {
	f.Add([]byte("echo hello\n"), "plain")
	f.Add([]byte("a\r\nb"), "</description><builders><x/></builders>")
	f.Add([]byte("\x00\xff]]>&lt;"), "<b>&amp;\x00\x0b\r\n")
	f.Add([]byte("TOASTER-END-OF-SCRIPT\n"), "ünï \u2028 \ufffe")
	f.Add([]byte("$(rm -rf /) `x` \\\n"), "")
	f.Fuzz(func(t *testing.T, script []byte, about string) {
		job := engine.Job{Name: "demo", Description: about, Script: script, TimeLimit: time.Hour}
		text := config(job, false)
		if i := strings.IndexFunc(text, func(r rune) bool { return r > '~' || r < ' ' && r != '\n' }); i >= 0 {
			t.Fatalf("it holds %q", text[i:i+1])
		}
		p := read(t, text)
		if p.Shell.Command != string(shellStep(job)) {
			t.Fatalf("the step is %q", p.Shell.Command)
		}
		if strings.Contains(p.Shell.Command, "\r") {
			t.Fatal("Jenkins would change the step's line ends")
		}
		if strings.ContainsAny(strings.Split(p.Description, "\n(toaster job")[0], "<>\"") {
			t.Fatalf("its description is HTML: %q", p.Description)
		}
		out, err := exec.Command("/bin/sh", "-c", string(embedScript(script))).Output()
		if err != nil || !bytes.Equal(out, script) {
			t.Fatalf("the shell gets %q, %v", out, err)
		}
	})
}
