package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// TestTheCommandIsPortable: on no system it has anything of a site's programs in it.
func TestTheCommandIsPortable(t *testing.T) {
	for _, system := range []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64"} {
		goos, arch, _ := strings.Cut(system, "/")
		cmd := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+arch)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		for path := range strings.FieldsSeq(string(out)) {
			for _, not := range []string{"lib/store", "lib/web", "lib/view", "lib/engine", "lib/config", "sqlite", "buildkit"} {
				if strings.Contains(path, not) {
					t.Errorf("%s: %s", system, path)
				}
			}
		}
	}
}

func TestTheNameOfAFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "shop")
	if err := os.MkdirAll(filepath.Join(dir, ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	for remote, want := range map[string]string{
		"https://example.org/them/till.git": "till", "git@example.org:till": "till", "/srv/git/till.git/": "till", "": "shop",
	} {
		text := "[core]\n\turl = no\n[remote \"origin\"]\n\turl = " + remote + "\n\tfetch = x\n"
		if err := os.WriteFile(filepath.Join(dir, ".git/config"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := nameOf(dir); got != want {
			t.Errorf("%q: %q", remote, got)
		}
	}
}

// TestATerminalObeysNothingOfALog but colours.
func TestATerminalObeysNothingOfALog(t *testing.T) {
	v := &terminalView{style: true}
	for line, want := range map[string]string{
		"a \x1b[31mred\x1b[0m b":          "a \x1b[31mred\x1b[0m b\x1b[0m",
		"\x1b]0;title\x07x\x1b[2Jy\x1bcz": "xyz\x1b[0m",
		"10 %\r20 %\r30 %":                "30 %\x1b[0m",
		"tab\tbell\a\x00 \u202e \xff":     "tab\tbell  \ufffd\x1b[0m",
		"\x1b[31;1;":                      "31;1;\x1b[0m",
	} {
		if got := v.drawn(line); got != want {
			t.Errorf("%q becomes %q, not %q", line, got, want)
		}
	}
}

// TestATerminalObeysNoSite: phases, states and all else that a site says are texts.
func TestATerminalObeysNoSite(t *testing.T) {
	const evil = "\x1b[2J"
	f, err := os.Create(filepath.Join(t.TempDir(), "terminal"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v := &terminalView{to: f, begun: time.Now()}
	v.line("TOASTER-PHASE a" + evil + "b 100")
	v.line("TOASTER-STEP 1/2 3 RUN c" + evil + "d")
	v.tell()
	text, err := os.ReadFile(f.Name())
	if err != nil || strings.Contains(string(text), evil) || !strings.Contains(string(text), "=> a[2Jb\n") ||
		!strings.Contains(string(text), "=> [1/2] RUN c[2Jd\n") {
		t.Errorf("%v: %q", err, text)
	}
	var said bytes.Buffer
	w := &world{err: &said}
	if w.note("%s: %d", "e"+evil+"\nf", 1); said.String() != "e\ufffd[2J f: 1\n" {
		t.Errorf("%q", said.String())
	}
}

// TestIDsAndTargetsAreWords: folders and command lines are made of them.
func TestIDsAndTargetsAreWords(t *testing.T) {
	for text, right := range map[string]bool{vm: true, "iso_amd64_13.1-x": true, "": false, ".": false, "..": false,
		"../x": false, "/x": false, `a\b`: false, "a b": false, "a\n": false, "a\x1b[2J": false, "$(a)": false, "a;b": false} {
		for _, one := range []map[string]string{{"id": text, "target": "a", "name": "a"},
			{"id": "a", "target": text, "name": text}} {
			body, err := json.Marshal(one)
			if err != nil {
				t.Fatal(err)
			}
			jobRight, targetRight := json.Unmarshal(body, new(job)) == nil, json.Unmarshal(body, new(target)) == nil
			if jobRight != right || targetRight != (right || one["name"] == "a") {
				t.Errorf("%s: %v, %v", body, jobRight, targetRight)
			}
		}
	}
}

func FuzzDrawn(f *testing.F) {
	f.Add("a \x1b[31mred\x1b[0m b\x1b]0;title\x07x\r\x1b[2J")
	v := &terminalView{style: true}
	f.Fuzz(func(t *testing.T, line string) {
		if rest := sgr.ReplaceAllString(v.drawn(line), ""); strings.ContainsAny(rest, "\x1b\a\b\r\u009b\n") {
			t.Errorf("%q becomes %q", line, rest)
		}
	})
}

// TestATerminalShowsSteps, with how long they took.
func TestATerminalShowsSteps(t *testing.T) {
	s := newInstance(t)
	s.runner(script)
	u := s.user()
	cmd := u.command("build", "-t", vm)
	cmd.Env = append(cmd.Env, "TERM=xterm")
	f, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 120})
	s.must(err)
	defer f.Close()
	out := newOutput()
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 4096)
		for {
			n, err := f.Read(buffer)
			out.Write(buffer[:n])
			if err != nil {
				return
			}
		}
	}()
	err = cmd.Wait()
	<-done
	text := regexp.MustCompile("\x1b\\[[0-9;]*[mK]").ReplaceAllString(out.String(), "")
	for _, want := range []string{"=> [1/2] COPY . /srv/\r\n", " │ bell , red, ", "=> DONE 2.5 s\r\n",
		"=> [2/2] RUN echo hello\r\n │ end\r\n=> DONE 1.0 s\r\n", "2 files verified"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %q", want, text)
		}
	}
	if err != nil || strings.Contains(out.String(), "\a") || strings.Contains(text, "TOASTER-") {
		t.Errorf("%v: %q", err, out.String())
	}
}

// TestCompletion: the shells take what they are given, and complete commands, options, targets and jobs. The name of a
// job is a text, whatever it looks like.
func TestCompletion(t *testing.T) {
	s := newInstance(t)
	u := s.user()
	u = u.with("PATH=" + programs + ":" + os.Getenv("PATH"))
	const name = "$(echo injected >f)"
	u.toaster("build", "-t", vm, "--detach", "--name", name).exits(0)
	offered := map[string]string{"bash": `\$\(echo\ injected\ \>f\)` + "\n", "zsh": name + "\n"}
	for shell, script := range map[string]string{
		"bash": `source "$1"; try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _toaster; printf '%s\n' "${COMPREPLY[*]}"; }
try toaster bu; try toaster build --no-c; try toaster build -t rootfs_amd64_bo; try toaster logs ''`,
		"zsh": `compadd() { shift; print -r -- ${(M)@:#$words[CURRENT]*}; }; autoload -Uz compinit; source $1
try() { words=("$@"); CURRENT=$#; _toaster; }
try toaster bu; try toaster build --no-c; try toaster build -t rootfs_amd64_bo; try toaster logs ''`,
		"fish": `source $argv[1]; complete -C 'toaster bu' | string replace -r '\t.*' ''
complete -C 'toaster build --no-c' | string replace -r '\t.*' ''; complete -C 'toaster build -t rootfs_amd64_bo'
complete -C 'toaster logs ' >/dev/null`,
	} {
		file := filepath.Join(u.home, "completion."+shell)
		s.must(os.WriteFile(file, []byte(u.toaster("completion", shell).exits(0).out), 0o600))
		path, err := exec.LookPath(shell)
		if err != nil {
			if os.Getenv("CI") == "true" && shell != "fish" {
				t.Fatal(shell + " is not installed")
			}
			continue
		}
		args := []string{"-c", script, shell, file}
		if shell == "fish" {
			args = []string{"-c", script, file}
		}
		cmd := exec.Command(path, args...)
		cmd.Env, cmd.Dir = u.env, u.project
		out, err := cmd.CombinedOutput()
		if want := "build\n--no-cache\n" + vm + "\n" + offered[shell]; err != nil || string(out) != want {
			t.Errorf("%s: %v %q, not %q", shell, err, out, want)
		}
		if exists(filepath.Join(u.project, "f")) {
			t.Fatalf("%s has run the name of a job", shell)
		}
	}
}

// TestTheManualSaysWhatHelpSays, and groff has nothing to complain about.
func TestTheManualSaysWhatHelpSays(t *testing.T) {
	text, err := exec.Command(filepath.Join(programs, "toaster"), "man").Output()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("groff"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("groff is not installed")
		}
		t.Skip("groff is not installed")
	}
	cmd := exec.Command("groff", "-man", "-Tutf8", "-ww", "-rLL=100n", "-P-cbou")
	cmd.Stdin = strings.NewReader(string(text))
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), "warning") {
		t.Errorf("%v: %s", err, out)
	}
	for _, want := range []string{"toaster build", "--build-arg=NAME=VALUE", "EXIT STATUS", "TOASTER_TOKEN",
		".toaster.json"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}
