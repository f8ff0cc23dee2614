package browser

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
)

// terminal is w3m on a terminal: keys go in, and what it has drawn comes out.
type terminal struct {
	*site
	pty *os.File

	mu    sync.Mutex
	drawn []byte
}

// TestAJobInATextBrowser is the main job in w3m, which knows no scripts and no style.
func TestAJobInATextBrowser(t *testing.T) {
	need(t, "w3m")
	s := newSite(t)
	// w3m hands a text area to an editor.
	editor := filepath.Join(s.dir, "editor")
	s.must(os.WriteFile(filepath.Join(s.dir, "text"), []byte(simple), 0o644))
	s.must(os.WriteFile(editor, []byte("#!/bin/sh\nexec cp "+s.dir+"/text \"$1\"\n"), 0o755))

	w := s.w3m(editor)
	w.sees("Build a Devuan image from your Dockerfile")
	w.goTo("Log in", "\r")
	w.sees("Email address")
	w.goTo("Email address", "\t\r")
	w.asks("TEXT:")
	w.types(email + "\r")
	w.types("\t\r")
	w.asks("Password:")
	w.types(password + "\r")
	w.types("\t\r") // the button
	w.sees("Your jobs")
	w.goTo("New job", "\r")
	w.sees("At most 64 KiB")
	w.goTo("Start with a sample", "\t\r")
	w.sees("[RUN echo hello")
	w.goTo("Choose a target", "\r")
	w.choose("Debian 12 bookworm")
	w.goTo("Build image", "\r")
	w.sees("Build 1")
	stop := s.builds(quick)
	for range 60 {
		w.types("R") // load it again
		if w.showsWithin("image.tar.gz", 2*time.Second) {
			stop()
			return
		}
	}
	t.Fatalf("the build leaves no image that w3m shows; it has drawn\n%s", w.screen())
}

func (s *site) w3m(editor string) *terminal {
	s.Helper()
	cmd := exec.Command("w3m", "-cookie", "-no-mouse", "-o", "editor="+editor, "-o", "display_charset=UTF-8", "-o",
		"confirm_qq=0", s.base+"/")
	cmd.Env = append(os.Environ(), "HOME="+s.dir, "TERM=linux", "LC_ALL=C.UTF-8")
	f, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 60, Cols: 120})
	s.must(err)
	w := &terminal{site: s, pty: f}
	s.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		f.Close()
	})
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := f.Read(buf)
			w.mu.Lock()
			w.drawn = append(w.drawn, buf[:n]...)
			w.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return w
}

func (w *terminal) types(keys string) {
	w.Helper()
	w.mu.Lock()
	w.drawn = nil
	w.mu.Unlock()
	_, err := w.pty.WriteString(keys)
	w.must(err)
	// w3m takes what comes while it loads a page for keys to that page: it has to have drawn something, and to have come
	// to rest.
	for last, calm, waited := 0, 0, 0; calm < 3 && waited < 50; waited++ {
		time.Sleep(100 * time.Millisecond)
		w.mu.Lock()
		if calm++; len(w.drawn) != last || last == 0 {
			last, calm = len(w.drawn), 0
		}
		w.mu.Unlock()
	}
}

// goTo searches for a text from the page's top, and presses keys there.
func (w *terminal) goTo(text, keys string) {
	w.Helper()
	w.types("g/" + text + "\r")
	w.types(keys)
}

// choose picks an entry of a menu that is open, by searching in it.
func (w *terminal) choose(text string) {
	w.Helper()
	w.types("/" + text + "\r")
	w.types("\r")
}

var (
	gap     = regexp.MustCompile(`\x1b\[C`)
	drawing = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]|\x1b[()].`)
)

// screen is what w3m has drawn since the last key, roughly: where it skips a space, one stands there.
func (w *terminal) screen() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := drawing.ReplaceAllString(gap.ReplaceAllString(string(w.drawn), " "), "")
	return strings.Join(strings.Fields(strings.ReplaceAll(text, "\x00", "")), " ")
}

// showsWithin looks for a text on the page. It is drawn anew for that: w3m leaves standing what has not changed.
func (w *terminal) showsWithin(text string, limit time.Duration) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); {
		w.types("\x0c")
		for range 10 {
			if strings.Contains(w.screen(), text) {
				return true
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	return false
}

// asks waits until w3m asks for something, in its last line.
func (w *terminal) asks(what string) {
	w.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if strings.Contains(w.screen(), what) {
			return
		}
	}
	w.Fatalf("w3m doesn't ask for %q; it has drawn\n%s", what, w.screen())
}

func (w *terminal) sees(text string) {
	w.Helper()
	if !w.showsWithin(text, patience) {
		w.Fatalf("w3m doesn't show %q; it has drawn\n%s", text, w.screen())
	}
}
