package jenkins_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
	"toaster.do/lib/engine/jenkins"
	"toaster.do/lib/engine/jenkins/jenkinstest"
)

// sick are the ways in which a controller can be away or wrong, and the kinds of error that a call may give then.
var sick = []struct {
	name  string
	fault func(*jenkinstest.Server)
	kinds []apperr.Kind
}{
	{"down", (*jenkinstest.Server).Down, []apperr.Kind{apperr.Unavailable}},
	{"says nothing", (*jenkinstest.Server).Hang, []apperr.Kind{apperr.Unavailable}},
	{"503 of a proxy", (*jenkinstest.Server).Unavailable, []apperr.Kind{apperr.Unavailable}},
	{"is stopping", func(s *jenkinstest.Server) { s.Pause(jenkinstest.Stopping) }, []apperr.Kind{apperr.Unavailable}},
	{"is starting", func(s *jenkinstest.Server) { s.Pause(jenkinstest.Starting) }, []apperr.Kind{apperr.Unavailable}},
	{"HTML", (*jenkinstest.Server).HTML, []apperr.Kind{apperr.Internal, apperr.Unavailable}},
	{"a page to log in", (*jenkinstest.Server).LoginRedirect, []apperr.Kind{apperr.PermissionDenied}},
	{"a wrong token", func(s *jenkinstest.Server) { s.SetToken("toaster", "another") },
		[]apperr.Kind{apperr.PermissionDenied}},
}

// calls are all calls of an engine that ask the controller, on a job that is there and has one finished build.
func calls(e *jenkins.Engine, name string, queued engine.Ticket) map[string]func(context.Context) error {
	job := engine.Job{Name: name, Description: "a test", Script: []byte("true\n"), TimeLimit: time.Minute}
	return map[string]func(context.Context) error{
		"Create":          func(ctx context.Context) error { return e.Create(ctx, job) },
		"Remove":          func(ctx context.Context) error { return e.Remove(ctx, name) },
		"SetEnabled":      func(ctx context.Context) error { return e.SetEnabled(ctx, name, false) },
		"Start":           func(ctx context.Context) error { _, err := e.Start(ctx, name); return err },
		"Stop":            func(ctx context.Context) error { return e.Stop(ctx, name, 1) },
		"Stop what waits": func(ctx context.Context) error { return e.Stop(ctx, name, 0) },
		"Status":          func(ctx context.Context) error { _, err := e.Status(ctx, name); return err },
		"Status of two":   func(ctx context.Context) error { _, err := e.Status(ctx, name, name+"-2"); return err },
		"Trace":           func(ctx context.Context) error { _, _, err := e.Trace(ctx, name, queued); return err },
		"Log":             func(ctx context.Context) error { _, err := e.Log(ctx, name, 1, 0); return err },
		"Artifacts":       func(ctx context.Context) error { _, err := e.Artifacts(ctx, name, 1); return err },
		"Open": func(ctx context.Context) error {
			s, err := e.Open(ctx, name, 1, "image", engine.Range{})
			if err == nil {
				s.Close()
			}
			return err
		},
	}
}

// withBuild is an engine on a controller with a job that has one finished build.
func withBuild(t *testing.T, s *jenkinstest.Server) (*jenkins.Engine, string, engine.Ticket) {
	t.Helper()
	e, name := engineOn(t, s, patient), "job"
	job := engine.Job{Name: name, Description: "a test", Script: []byte("mkdir dist; echo image >dist/image\n"),
		TimeLimit: time.Minute}
	if err := e.Create(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	ticket, err := e.Start(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		all, err := e.Status(t.Context(), name)
		if b := all[name].Builds; err == nil && len(b) == 1 && b[0].State == engine.Succeeded {
			if err := s.Wait(t.Context()); err != nil { // it is written down only then
				t.Fatal(err)
			}
			return e, name, ticket
		}
		if time.Now().After(end) {
			t.Fatalf("%+v, %v", all, err)
		}
	}
}

func TestEveryCallSaysWhatIsWrong(t *testing.T) {
	for _, c := range sick {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := jenkinstest.Start(t, quick())
			_, name, ticket := withBuild(t, s)
			c.fault(s)
			e := engineOn(t, s, patient, hurried(c.name))
			var all sync.WaitGroup
			for what, call := range calls(e, name, ticket) {
				all.Go(func() {
					err := call(t.Context())
					var f *apperr.Error
					if !errors.As(err, &f) || !slices.Contains(c.kinds, f.Kind) || f.Message.IsZero() {
						t.Errorf("%s: %v (%s), want a fault of %q", what, err, apperr.KindOf(err), c.kinds)
					}
				})
			}
			all.Wait()
			if h := e.Health(t.Context()); h.Message.IsZero() {
				t.Errorf("Health finds nothing wrong: %+v", h)
			}
		})
	}
}

func TestACutOffAnswerIsNoAnswer(t *testing.T) {
	s := jenkinstest.Start(t, quick())
	e, name, ticket := withBuild(t, s)
	s.HalfJSON()
	for what, call := range calls(e, name, ticket) {
		switch what {
		case "Create", "Start", "Open":
			continue // their answers have no body; a file's beginning is one
		}
		if err := call(t.Context()); apperr.KindOf(err) != apperr.Unavailable || err == nil {
			t.Errorf("%s: %v (%s)", what, err, apperr.KindOf(err))
		}
	}
}

func TestAMomentOfUnauthorisedIsWaitedFor(t *testing.T) {
	for _, what := range []string{"Create", "SetEnabled", "Start", "Stop", "Status", "Status of two", "Trace", "Log",
		"Artifacts", "Open", "Remove"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := jenkinstest.Start(t, quick())
			e, name, ticket := withBuild(t, s)
			s.Unauthorised()
			timer := time.AfterFunc(60*time.Millisecond, func() { s.Well() })
			defer timer.Stop()
			if err := calls(e, name, ticket)[what](t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAMissingPageBesideA503IsNoProof(t *testing.T) {
	s := jenkinstest.Start(t, quick())
	e, name, _ := withBuild(t, s)
	// The servlet container answers 404 before Jenkins has come.
	page := "<html><head><title>Error 404 Not Found</title></head></html>"
	s.Answer("GET", "^/job/", http.StatusNotFound, page)
	s.Answer("GET", "^/api/json", http.StatusServiceUnavailable, "starting")
	if all, err := e.Status(t.Context(), name); apperr.KindOf(err) != apperr.Unavailable || err == nil {
		t.Errorf("Status: %v, %v", all, err)
	}
}

func TestWhatIsMissingSaysWhichPermission(t *testing.T) {
	s := jenkinstest.Start(t, quick())
	e, name, _ := withBuild(t, s)
	for permission, call := range map[string]func() error{
		jenkinstest.JobBuild:     func() error { _, err := e.Start(t.Context(), name); return err },
		jenkinstest.JobDelete:    func() error { return e.Remove(t.Context(), name) },
		jenkinstest.JobConfigure: func() error { return e.SetEnabled(t.Context(), name, false) },
	} {
		s.Permit("toaster", permission, false)
		if err := call(); apperr.KindOf(err) != apperr.PermissionDenied {
			t.Errorf("without %s: %v", permission, err)
		}
		s.Permit("toaster", permission, true)
	}
	s.Permit("toaster", jenkinstest.JobRead, false)
	if _, err := e.Start(t.Context(), name); err == nil {
		t.Error("without Job/Read a start went well")
	}
}

func TestTheContextEndsACall(t *testing.T) {
	s := jenkinstest.Start(t, quick())
	e, name, ticket := withBuild(t, s)
	s.Hang()
	for what, call := range calls(e, name, ticket) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if err := call(ctx); apperr.KindOf(err) != apperr.Unavailable || err == nil {
			t.Errorf("%s: %v", what, err)
		}
		cancel()
	}
}
