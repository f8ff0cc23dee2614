package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// bin holds the programs as "make build" lays them: toasterctl, and beside it cgi-bin.
var bin string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "toasterctl-test-")
	if err == nil {
		err = os.Chmod(dir, 0o755) // other users run the programs too
	}
	bin = dir
	for program, source := range map[string]string{
		"toasterctl": ".", "cgi-bin/index": "../../cgi-bin/index", "cgi-bin/account": "../../cgi-bin/account",
		"cgi-bin/admin": "../../cgi-bin/admin", "cgi-bin/jobs": "../../cgi-bin/jobs", "cgi-bin/build": "../../cgi-bin/build",
		"cgi-bin/strength": "../../cgi-bin/strength",
	} {
		if err == nil {
			var out []byte
			if out, err = exec.Command("go", "build", "-o", filepath.Join(dir, program), source).CombinedOutput(); err != nil {
				err = fmt.Errorf("%s: %w\n%s", program, err, out)
			}
		}
	}
	os.Unsetenv("TOASTER_CONF")
	status := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		status = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(status)
}

// answer is what a run of toasterctl left.
type answer struct {
	*testing.T
	command  string
	out, err string
	status   int
}

// ctl runs toasterctl with a text on its standard input.
func ctl(t *testing.T, stdin string, args ...string) answer {
	t.Helper()
	return ended(t, stdin, exec.Command(filepath.Join(bin, "toasterctl"), args...))
}

func ended(t *testing.T, stdin string, cmd *exec.Cmd) answer {
	t.Helper()
	var out, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return answer{t, strings.Join(cmd.Args, " "), out.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// exits checks the exit status.
func (a answer) exits(status int) answer {
	a.Helper()
	if a.status != status {
		a.Fatalf("%s: exit status %d, not %d\nstdout: %s\nstderr: %s", a.command, a.status, status, a.out, a.err)
	}
	return a
}

// says checks that standard output has each of the texts.
func (a answer) says(texts ...string) answer {
	a.Helper()
	a.has("stdout", a.out, texts)
	return a
}

// complains checks that standard error has each of the texts, in a few plain lines.
func (a answer) complains(texts ...string) answer {
	a.Helper()
	a.has("stderr", a.err, texts)
	if strings.Contains(a.err, "goroutine") || strings.Count(a.err, "\n") > 3 {
		a.Errorf("%s: this is no plain message:\n%s", a.command, a.err)
	}
	return a
}

func (a answer) has(where, text string, wanted []string) {
	a.Helper()
	for _, want := range wanted {
		if !strings.Contains(text, want) {
			a.Errorf("%s: %q is not in %s:\n%s", a.command, want, where, text)
		}
	}
}

// word returns standard output, which is to be a single word on a line.
func (a answer) word() string {
	a.Helper()
	word := strings.TrimSuffix(a.out, "\n")
	if word == "" || strings.ContainsAny(word, " \n") {
		a.Fatalf("%s: standard output is no single word: %q", a.command, a.out)
	}
	return word
}

const (
	email  = "ann@example.org"
	secret = "correct horse battery staple"
	rootfs = "rootfs_amd64_bookworm"
	simple = "FROM debian:bookworm\nARG WHO=world\nRUN echo \"hello $WHO\" > /hello\nCMD [\"sleep\", \"60\"]\n"
)

// newSite makes a site with a person, and returns its configuration file.
func newSite(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "site")
	ctl(t, "", "init", "--dir", dir).exits(0)
	config := filepath.Join(dir, "toaster.toml")
	ctl(t, secret+"\n", "user", "add", "--config", config, "--email", email, "--name", "Ann", "--password-stdin").exits(0)
	return config
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
