package browser

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	cdp "github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
)

// tab is a window of Chromium.
type tab struct {
	*site
	ctx context.Context

	mu         sync.Mutex
	complaints []string // of the page's console
}

// screen is what somebody looks at.
type screen struct {
	name          string
	width, height int64
	scheme        string
}

var screens = []screen{{"desk", 1280, 800, "light"}, {"phone", 390, 844, "dark"}}

type step = cdp.Action[cdp.Void]

// open opens a window on the site.
func (s *site) open(t *testing.T, on screen) *tab {
	t.Helper()
	need(t, "chromium")
	options := append(cdp.DefaultExecAllocatorOptions[:], cdp.ExecPath("chromium"), cdp.DisableGPU,
		cdp.UserDataDir(t.TempDir()),
		cdp.Flag("disable-quic", true), cdp.Flag("disable-component-update", true), cdp.Flag("lang", "en"),
		// Who goes back has the page loaded again: it keeps less than one that the browser has kept whole, which chromedp
		// can't follow.
		cdp.Flag("disable-features", "site-per-process,Translate,BlinkGenPropertyTrees,BackForwardCache"))
	if os.Geteuid() == 0 {
		options = append(options, cdp.NoSandbox)
	}
	alloc, cancel := cdp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel := cdp.NewContext(alloc)
	t.Cleanup(cancel)
	mine := *s
	mine.T = t
	w := &tab{site: &mine, ctx: ctx}
	s.must(cdp.Listen(ctx, w.hear))
	w.do(cdp.EmulateViewport(on.width, on.height), cdp.Func(func(ctx context.Context, _ *cdp.Target) error {
		features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: on.scheme}}
		_, err := cdp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
		return err
	}))
	return w
}

func (w *tab) hear(event any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		w.complaints = append(w.complaints, fmt.Sprint(e.ExceptionDetails.Text, " at line ", e.ExceptionDetails.LineNumber,
			" of ", e.ExceptionDetails.URL))
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			w.complaints = append(w.complaints, e.Entry.Text+" "+e.Entry.URL)
		}
	}
}

// calm checks that the console has nothing to complain of.
func (w *tab) calm() {
	w.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.complaints {
		w.Errorf("the console says: %s", c)
	}
}

func (w *tab) withoutScripts() {
	w.Helper()
	w.do(cdp.Func(func(ctx context.Context, _ *cdp.Target) error {
		_, err := cdp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}))
}

// patience is how long a page may take for anything.
const patience = 90 * time.Second

// get asks the window for something.
func get[T any](w *tab, action cdp.Action[T]) T {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	v, err := cdp.Run(ctx, action)
	if err != nil {
		w.stuck(err)
	}
	return v
}

// do does things in the window, one after the other.
func (w *tab) do(steps ...step) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	if w.ctx.Value(begun{}) == nil {
		ctx = w.ctx // the first call's context is the browser's
		w.ctx = context.WithValue(w.ctx, begun{}, true)
	}
	defer cancel()
	if err := cdp.Do(ctx, steps...); err != nil {
		w.stuck(err)
	}
}

type begun struct{}

// follow does something that leads to another page, and waits until that is there.
func (w *tab) follow(steps ...step) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	if _, err := cdp.RunResponse(ctx, steps...); err != nil {
		w.stuck(err)
	}
}

func (w *tab) stuck(err error) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, 5*time.Second)
	defer cancel()
	where, _ := cdp.Run(ctx, cdp.Location())
	text, _ := cdp.Run(ctx, cdp.Text(cdp.CSS("body")))
	w.Fatalf("%v at %s, which says:\n%s", err, where, text)
}

func (w *tab) visit(path string) { w.Helper(); w.follow(cdp.Navigate(w.base + path)) }

func (w *tab) text(selector string) string {
	w.Helper()
	return get(w, cdp.Text(cdp.CSS(selector)))
}

// says waits until the page says something.
func (w *tab) says(text string) {
	w.Helper()
	w.until("the page says "+text, func() bool { return strings.Contains(w.text("main"), text) })
}

func (w *tab) until(what string, done func() bool) {
	w.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if done() {
			return
		}
	}
	w.Fatalf("waited for nothing: %s; it says\n%s", what, w.text("main"))
}

func keys(selector, text string) step { return cdp.SendKeys(cdp.CSS(selector), text) }
func click(selector string) step      { return cdp.Click(cdp.CSS(selector)) }
func empty(selector string) step {
	return cdp.Evaluate[cdp.Void]("document.querySelector(`" + selector + "`).value = ''")
}

func (w *tab) logIn() {
	w.Helper()
	w.visit("/account/login")
	w.do(keys("#email", email), keys("#password", password))
	w.follow(click("main button[type=submit]"))
}

// tabTo presses Tab until what has the focus matches: there is no other way with a keyboard.
func (w *tab) tabTo(selector string) {
	w.Helper()
	for range 80 {
		w.do(cdp.KeyEvent(kb.Tab))
		if !get(w, cdp.Evaluate[bool]("document.activeElement.matches(`"+selector+"`)")) {
			continue
		}
		if !get(w, cdp.Evaluate[bool]("getComputedStyle(document.activeElement).outlineStyle !== 'none'")) {
			w.Errorf("%s has the focus, and nobody can see it", selector)
		}
		return
	}
	w.Fatalf("the keyboard does not reach %s", selector)
}

// enter presses Enter on what has the focus, and waits for the next page.
func (w *tab) enter() { w.Helper(); w.follow(cdp.KeyEvent(kb.Enter)) }
