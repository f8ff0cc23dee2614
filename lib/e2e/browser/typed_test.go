package browser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cdp "github.com/chromedp/chromedp"
)

const typed = "FROM debian:bookworm\n# typed with care\nRUN true\n"

func (w *tab) value(selector string) string {
	w.Helper()
	return get(w, cdp.Value(cdp.CSS(selector)))
}

// back goes back in the window's history, to a page whose path begins so. Nothing may come from the server for that.
func (w *tab) back(to string) {
	w.Helper()
	w.do(cdp.Evaluate[cdp.Void]("history.back()"))
	w.until("the page is there again", func() bool {
		return get(w, cdp.Evaluate[bool]("location.pathname.endsWith('"+to+"') && document.readyState == 'complete'"))
	})
}

// TestWhatIsTypedStays: a look at the help and back, loading the page again, a fault and back, and a log-out elsewhere
// leave what was typed where it was.
func TestWhatIsTypedStays(t *testing.T) {
	s := newSite(t)
	for _, scripts := range []bool{true, false} {
		name := map[bool]string{true: "with scripts", false: "without"}[scripts]
		t.Run(name, func(t *testing.T) {
			w := s.open(t, screens[0])
			if !scripts {
				w.withoutScripts()
			}
			w.logIn()
			w.visit("/jobs/new?target=" + target)
			w.do(keys("#text", typed), keys("#name", "mine"), keys("#build_args", "A=b"))
			stays := func(after string) {
				t.Helper()
				w.until("the form is there after "+after, func() bool {
					return get(w, cdp.Evaluate[bool]("!!document.querySelector('#text') && document.readyState == 'complete'"))
				})
				w.until("the text is there after "+after, func() bool { return w.value("#text") == typed })
				if w.value("#name") != "mine" || w.value("#build_args") != "A=b" {
					t.Errorf("after %s: %q, %q", after, w.value("#name"), w.value("#build_args"))
				}
			}
			w.follow(click("nav a[href$='/help']"))
			w.back("/jobs/new")
			stays("help and back")
			if scripts { // without, Chromium empties it, other browsers don't
				w.follow(cdp.Evaluate[cdp.Void]("location.reload()"))
				stays("loading it again")
			}
			w.do(keys("#build_args", "\nnone"))
			w.follow(click("form.form div.actions button"))
			w.says("Correct one field")
			w.back("/jobs/new")
			w.until("the form is back", func() bool { return strings.Contains(w.value("#build_args"), "none") })
			w.do(empty("#build_args"), keys("#build_args", "A=b"))
			stays("a fault and back")

			s.sql("UPDATE session SET ended_at = 1")
			w.follow(click("form.form div.actions button"))
			w.says("is kept")
			w.do(keys("#email", email), keys("#password", password))
			w.follow(click("main button[type=submit]"))
			stays("a log-out elsewhere")
			w.says("it was not processed")
			w.follow(click("form.form div.actions button"))
			w.says("mine")
		})
	}
}

// TestTheFormIsGoneAfterTheLogOut: who comes after somebody at the same browser doesn't get it by going back.
func TestTheFormIsGoneAfterTheLogOut(t *testing.T) {
	s := newSite(t)
	w := s.open(t, screens[0])
	w.logIn()
	w.visit("/jobs/new")
	w.do(keys("#text", typed))
	w.follow(click("form.out button"))
	w.back("/account/login")
	w.until("the log-in page is there", func() bool { return strings.Contains(w.text("main"), "Password") })
}

// TestADoubleClickMakesOneJob by a person who presses twice, and one who goes back and presses again.
func TestADoubleClickMakesOneJob(t *testing.T) {
	s := newSite(t)
	w := s.open(t, screens[0])
	w.logIn()
	w.visit("/jobs/new?target=" + target)
	w.do(keys("#text", simple))
	w.follow(cdp.Evaluate[cdp.Void]("{const b = document.querySelector('form.form div.actions button'); b.click(); " +
		"b.click()}"))
	w.says("Build 1")
	w.visit("/jobs")
	if n := get(w,
		cdp.Evaluate[int]("document.querySelectorAll(\"main a[href*='/jobs/'][href$='/builds/1']\").length")); n > 1 {
		t.Errorf("%d jobs: %s", n, w.text("main"))
	}
	if page, err := s.db.Usage(t.Context(), 1, time.Now()); err != nil || page.Jobs != 1 {
		t.Errorf("%+v, %v", page, err)
	}
}

// TestATooLargeContextIsToldBeforeItIsSent, and the form stays when it is sent all the same.
func TestATooLargeContextIsToldBeforeItIsSent(t *testing.T) {
	s := newSite(t, `context = "1 GiB"`, `context = "1 MiB"`)
	big := filepath.Join(s.dir, "big.tar")
	s.must(os.WriteFile(big, make([]byte, 20<<20), 0o644))
	w := s.open(t, screens[0])
	w.logIn()
	w.visit("/jobs/new?target=" + target)
	w.do(keys("#text", typed), cdp.SetUploadFiles(cdp.CSS("#context"), []string{big}))
	w.says("big.tar is too large for a build context")
	w.follow(click("form.form div.actions button"))
	w.says("At most 1 MiB")
	if got := w.value("#text"); got != typed {
		t.Errorf("%q", got)
	}
}
