package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// typing runs toasterctl on a terminal, where somebody answers each question; it returns what the terminal shows, and
// the status.
func typing(t *testing.T, args []string, answers ...[2]string) (shown string, status int) {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, "toasterctl"), args...)
	f, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	drawn := make(chan string)
	go func() {
		defer close(drawn)
		buf := make([]byte, 4096)
		for {
			n, err := f.Read(buf)
			if n > 0 {
				drawn <- string(buf[:n])
			}
			if err != nil {
				return
			}
		}
	}()
	late := time.After(time.Minute)
	fresh := "" // what came since the last answer
	for _, a := range answers {
		for !strings.Contains(fresh, a[0]) {
			select {
			case text, ok := <-drawn:
				if !ok {
					t.Fatalf("%v ended before it asked %q: %s", args, a[0], shown)
				}
				fresh, shown = fresh+text, shown+text
			case <-late:
				t.Fatalf("%v doesn't ask %q: %s", args, a[0], shown)
			}
		}
		fresh = ""
		if _, err := f.WriteString(a[1]); err != nil {
			t.Fatal(err)
		}
	}
	for text := range drawn {
		shown += text
	}
	cmd.Wait()
	return shown, cmd.ProcessState.ExitCode()
}

// TestATerminalIsAskedForWhatIsMissing, and shows no password.
func TestATerminalIsAskedForWhatIsMissing(t *testing.T) {
	config := newSite(t)
	const phrase = "a phrase for bob to remember"
	shown, status := typing(t, []string{"user", "add", "--config", config},
		[2]string{"Email address: ", "bob@example.org\n"},
		[2]string{"Password: ", phrase + "\n"}, [2]string{"Repeat the password: ", phrase + "\n"})
	if status != 0 || !strings.Contains(shown, "bob@example.org can log in now") || strings.Contains(shown, phrase) {
		t.Fatalf("%d: %s", status, shown)
	}
	shown, status = typing(t, []string{"user", "passwd", "--config", config},
		[2]string{"Email address: ", "bob@example.org\n"},
		[2]string{"Password: ", phrase + " 2\n"}, [2]string{"Repeat the password: ", phrase + " 2\n"})
	if status != 0 || !strings.Contains(shown, "The password is set") || strings.Contains(shown, phrase) {
		t.Errorf("%d: %s", status, shown)
	}
	shown, status = typing(t, []string{"token", "add", "--config", config},
		[2]string{"Email address: ", "bob@example.org\n"})
	if status != 0 || !strings.Contains(shown, "toaster_") {
		t.Errorf("%d: %s", status, shown)
	}
	two := [][2]string{{"Password: ", phrase + "\n"}, {"Repeat the password: ", "another\n"}}
	shown, status = typing(t, []string{"user", "add", "--config", config, "--email", "eve@example.org"}, two...)
	if status != 2 || !strings.Contains(shown, "the passwords are different") {
		t.Errorf("%d: %s", status, shown)
	}
	shown, status = typing(t, []string{"user", "add", "--config", config, "--email", "eve@example.org"},
		[2]string{"Password: ", "half\x03"})
	if status == 0 || strings.Contains(shown, "half") {
		t.Errorf("interrupted: %d: %s", status, shown)
	}
	if a := ctl(t, "", "user", "list", "--config", config).exits(0); strings.Contains(a.out, "eve@") {
		t.Error("eve was added:", a.out)
	}
}
