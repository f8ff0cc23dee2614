package browser

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	cdp "github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// quick stands for a build: two steps with some colour, and what a build leaves.
const quick = `echo 'TOASTER-STEP 1/2 1 FROM debian:bookworm'
echo 'made the base'
sleep 3
echo 'TOASTER-STEP 2/2 2 RUN echo hello'
printf '\033[32mhello\033[0m & <b>welcome</b>\n'
mkdir dist
echo image > dist/image.tar.gz
printf 'busybox\t1.35\tamd64\n' > dist/packages.txt
(cd dist && sha256sum image.tar.gz packages.txt > SHA256SUMS)
`

const simple = "FROM debian:bookworm\nRUN echo hello\nCMD [\"/bin/true\"]\n"

// TestAJobByMouse is the main job: from the front page to the image.
func TestAJobByMouse(t *testing.T) {
	s := newSite(t)
	for _, on := range screens {
		t.Run(on.name, func(t *testing.T) {
			w := s.open(t, on)
			w.visit("/")
			w.follow(click(".hero .button"))
			w.do(keys("#email", email), keys("#password", password))
			w.follow(click("main button"))
			w.do(keys("#text", "FROM debian:bookworm\nRUNN x\n"))
			w.says("unknown instruction")
			w.do(empty("#text"), keys("#text", simple))
			w.says("can be built")
			if chosen := get(w, cdp.Value(cdp.CSS("#target"))); chosen != target {
				t.Errorf("FROM chose the target %q", chosen)
			}
			w.do(keys("#name", "by mouse on a "+on.name))
			w.follow(click("form.form button[type=submit]"))
			w.says("Build 1")
			stop := s.builds(quick)
			w.says("succeeded")
			w.says("image.tar.gz")
			stop()
			if log := get(w, cdp.TextContent(cdp.CSS("#log"))); !strings.Contains(log, "hello & <b>welcome</b>") {
				t.Errorf("the log is %q", log)
			}
			w.calm()
		})
	}
}

// TestAJobByKeyboard does the same with the Tab and Enter keys alone.
func TestAJobByKeyboard(t *testing.T) {
	s := newSite(t)
	w := s.open(t, screens[0])
	w.visit("/")
	w.tabTo(".hero .button")
	w.enter()
	w.tabTo("#email")
	w.do(cdp.KeyEvent(email))
	w.tabTo("#password")
	w.do(cdp.KeyEvent(password))
	w.enter()
	w.tabTo("#text")
	w.do(cdp.KeyEvent(strings.ReplaceAll(simple, "\n", kb.Enter)))
	w.tabTo("#target")
	w.do(cdp.KeyEvent("Root filesystem (tar) · Debian 12 bookworm · amd64"))
	w.tabTo("form.form button[type=submit]")
	w.enter()
	w.says("Build 1")
	w.tabTo("form[action$='/stop'] button")
	w.enter()
	w.says("aborted")
}

// TestAJobWithoutScripts does the same in a browser that runs none.
func TestAJobWithoutScripts(t *testing.T) {
	s := newSite(t)
	w := s.open(t, screens[1])
	w.withoutScripts()
	w.logIn()
	w.visit("/jobs/new")
	w.do(keys("#text", "FROM debian:bookworm\nRUNN x\n"),
		keys("#target", "Root filesystem (tar) · Debian 12 bookworm · amd64"))
	w.follow(click("form.form button[type=submit]"))
	w.says("unknown instruction")
	w.do(empty("#text"), keys("#text", simple))
	w.follow(keys("#name", "by Enter"+kb.Enter)) // the first button: it builds
	w.says("Build 1")
	stop := s.builds(quick)
	w.until("the build has ended", func() bool {
		w.follow(cdp.Reload())
		return strings.Contains(w.text("main"), "succeeded")
	})
	stop()
	w.says("image.tar.gz")
	if log := get(w, cdp.TextContent(cdp.CSS("#log"))); !strings.Contains(log, "welcome") {
		t.Errorf("the log is %q", log)
	}
}

// TestTheListFollowsABuild without anybody loading it again.
func TestTheListFollowsABuild(t *testing.T) {
	s := newSite(t)
	w := s.open(t, screens[0])
	w.logIn()
	w.visit("/jobs/new?target=" + target)
	w.do(keys("#text", simple))
	w.follow(click("form.form button[type=submit]"))
	w.visit("/jobs")
	w.says("queued")
	stop := s.builds("sleep 12\n" + quick)
	w.says("running")
	w.says("succeeded")
	stop()
	w.calm()
}

// TestTheListSaysThatSomebodyIsLoggedOut and where to log in; it comes back by itself when the server was away.
func TestTheListSaysThatSomebodyIsLoggedOut(t *testing.T) {
	s := newSite(t)
	w := s.open(t, screens[0])
	w.logIn()
	w.visit("/jobs/new?target=" + target)
	w.do(keys("#text", simple))
	w.follow(click("form.form button[type=submit]"))
	w.visit("/jobs")
	w.says("queued")
	s.sql("UPDATE session SET ended_at = 1")
	w.until("the list says so", func() bool { return strings.Contains(w.text("#updating"), "logged out") })
	if strings.Contains(w.text("#updating"), "reached") {
		t.Error(w.text("#updating"))
	}
	w.follow(click("#updating a"))
	w.says("Password")
	w.do(keys("#email", email), keys("#password", password))
	w.follow(click("main form button[type=submit]"))
	w.says("Your jobs")
}

// TestAPictureInPlaceOfADockerfileIsNamed, and nothing of it lands in the text.
func TestAPictureInPlaceOfADockerfileIsNamed(t *testing.T) {
	s := newSite(t)
	w := s.open(t, screens[0])
	w.logIn()
	w.visit("/jobs/new")
	picture := filepath.Join(t.TempDir(), "shot.png")
	s.must(os.WriteFile(picture, append([]byte("\x89PNG\r\n\x1a\n"), bytes.Repeat([]byte{0, 255, 7}, 200<<10)...), 0o644))
	w.do(cdp.SetUploadFiles(cdp.CSS("#dockerfile"), []string{picture}))
	w.until("it is named", func() bool {
		return strings.Contains(w.text("#live-says"),
			"a picture (PNG), not a Dockerfile")
	})
	if got := get(w, cdp.Value(cdp.CSS("#text"))); got != "" {
		t.Errorf("the text is %.60q", got)
	}
}
