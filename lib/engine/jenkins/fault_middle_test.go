package jenkins_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
	"toaster.do/lib/engine/jenkins"
	"toaster.do/lib/engine/jenkins/jenkinstest"
)

// whole are calls of an engine whose answers are complete where there is no error, on a job with one finished build
// that left one file.
func whole(e *jenkins.Engine, name string, ticket engine.Ticket) map[string]func(context.Context) error {
	all := calls(e, name, ticket)
	lacks := func(ok bool, err error, what string, got any) error {
		if err == nil && !ok {
			return fmt.Errorf("no error, but %s: %+v", what, got)
		}
		return err
	}
	all["Status"] = func(ctx context.Context) error {
		got, err := e.Status(ctx, name)
		return lacks(len(got[name].Builds) > 0, err, "the job or its build is missing", got)
	}
	all["Status of two"] = func(ctx context.Context) error {
		got, err := e.Status(ctx, name, name+"-2")
		return lacks(len(got[name].Builds) > 0, err, "the job or its build is missing", got)
	}
	all["Artifacts"] = func(ctx context.Context) error {
		got, err := e.Artifacts(ctx, name, 1)
		return lacks(len(got) == 1, err, "the file is missing", got)
	}
	all["Log"] = func(ctx context.Context) error {
		got, err := e.Log(ctx, name, 1, 0)
		return lacks(len(got.Text) > 0 && !got.More, err, "the log is not all there", got)
	}
	return all
}

// A call in whose middle the controller goes away says so, and works again when the controller is back. What is there
// is never said to be missing.
func TestTheControllerGoesAwayInTheMiddleOfACall(t *testing.T) {
	back := func(s *jenkinstest.Server) func() { return func() { s.StartAgain() } }
	interruptions := map[string]func(*jenkinstest.Server) func(){
		"cut":     func(*jenkinstest.Server) func() { return func() {} },
		"stopped": func(s *jenkinstest.Server) func() { s.StopGracefully(); return back(s) },
		"killed":  func(s *jenkinstest.Server) func() { s.Kill(); return back(s) },
		"503":     func(s *jenkinstest.Server) func() { s.Pause(jenkinstest.Starting); return func() { s.Well() } },
	}
	for what := range whole(nil, "", "") {
		for how, interrupt := range interruptions {
			t.Run(what+" "+how, func(t *testing.T) {
				t.Parallel()
				for n, more := 1, true; more; n++ {
					for _, obeyed := range []bool{false, true} {
						more = interruptedAt(t, what, n, obeyed, interrupt)
					}
				}
			})
		}
	}
}

// interruptedAt interrupts the n-th request of a call, before or after it was obeyed. It reports whether there was one.
func interruptedAt(t *testing.T, what string, n int, obeyed bool, interrupt func(*jenkinstest.Server) func()) bool {
	s := jenkinstest.Start(t, quick())
	defer s.Close()
	e, name, ticket := withBuild(t, s)
	var hit atomic.Bool
	end := make(chan func(), 1)
	s.Nth(n, func(_ http.ResponseWriter, _ *http.Request, act func(http.ResponseWriter)) {
		hit.Store(true)
		if obeyed {
			act(httptest.NewRecorder())
		}
		end <- interrupt(s)
		panic(http.ErrAbortHandler)
	})
	err := whole(e, name, ticket)[what](t.Context())
	if err != nil && apperr.KindOf(err) != apperr.Unavailable {
		t.Errorf("interrupted at request %d (obeyed: %v): %v (%s)", n, obeyed, err, apperr.KindOf(err))
	}
	if hit.Load() {
		(<-end)()
	}
	s.Well()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := whole(e, name, ticket)[what](ctx); err != nil {
		t.Errorf("after request %d (obeyed: %v) was interrupted: %v", n, obeyed, err)
	}
	return hit.Load()
}
