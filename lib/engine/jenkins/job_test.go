package jenkins_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
	"toaster.do/lib/engine/jenkins"
	"toaster.do/lib/engine/jenkins/jenkinstest"
)

// admin does something on the controller by hand, and returns the answer.
func admin(t testing.TB, s *jenkinstest.Server, method, path, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("admin", "admin-token")
	req.Header.Set("Content-Type", "application/xml")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 400 {
		t.Fatalf("%s %s: %s, %v", method, path, resp.Status, err)
	}
	return string(text)
}

// asked returns what the controller was asked since it was asked last: "POST /createItem".
func asked(s *jenkinstest.Server) (all []string) {
	for _, r := range s.Requests() {
		path, _, _ := strings.Cut(r.Path, "?")
		all = append(all, r.Method+" "+path)
	}
	return all
}

func simple(name, script string) engine.Job {
	return engine.Job{Name: name, Description: "a test", Script: []byte(script + "\n"), TimeLimit: time.Minute}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const theirs = `<project><description>mine</description><builders/></project>`

func TestAStartIsOneRequest(t *testing.T) {
	s := jenkinstest.Start(t, jenkinstest.Options{})
	e := engineOn(t, s)
	must(t, e.Create(t.Context(), simple("demo", "true")))
	asked(s)
	if _, err := e.Start(t.Context(), "demo"); err != nil {
		t.Fatal(err)
	}
	if got := asked(s); !slices.Equal(got, []string{"POST /job/demo/build"}) {
		t.Errorf("it asked %q", got)
	}
}

func TestSomebodyElsesJobIsLeftAlone(t *testing.T) {
	s := jenkinstest.Start(t, jenkinstest.Options{})
	e := engineOn(t, s)
	admin(t, s, "POST", "/createItem?name=demo", theirs)
	for _, name := range []string{"demo", "DEMO"} {
		if err := e.Create(t.Context(), simple(name, "true")); apperr.KindOf(err) != apperr.AlreadyExists {
			t.Errorf("Create %s: %v", name, err)
		}
		must(t, e.Remove(t.Context(), name))
		if all, err := e.Status(t.Context(), name); err != nil || len(all) != 0 {
			t.Errorf("Status of %s: %v, %v", name, all, err)
		}
		if all, err := e.Status(t.Context(), name, "other"); err != nil || len(all) != 0 {
			t.Errorf("Status of %s and another: %v, %v", name, all, err)
		}
	}
	if text := admin(t, s, "GET", "/job/demo/api/json?tree=description", ""); !strings.Contains(text, `"mine"`) {
		t.Errorf("it is now %s", text)
	}
}

// Jenkins reaches a job also by its name in other letter case.
func TestANameInOtherCaseReachesNoJob(t *testing.T) {
	s := jenkinstest.Start(t, jenkinstest.Options{})
	e := engineOn(t, s)
	must(t, e.Create(t.Context(), simple("demo", "sleep 60")))
	_, err := e.Start(t.Context(), "demo")
	must(t, err)
	until(t, func() bool { return len(status(t, e, "demo").Builds) == 1 })
	for what, err := range map[string]error{
		"Stop": e.Stop(t.Context(), "Demo", 1), "Stop what waits": e.Stop(t.Context(), "Demo", 0),
		"SetEnabled": e.SetEnabled(t.Context(), "Demo", false),
	} {
		if apperr.KindOf(err) != apperr.NotFound {
			t.Errorf("%s: %v", what, err)
		}
	}
	must(t, e.Remove(t.Context(), "Demo"))
	if st := status(t, e, "demo"); !st.Enabled || st.Builds[0].State != engine.Running {
		t.Errorf("it has become %+v", st)
	}
	must(t, e.Remove(t.Context(), "demo"))
}

func status(t testing.TB, e *jenkins.Engine, name string) engine.Status {
	t.Helper()
	all, err := e.Status(t.Context(), name)
	must(t, err)
	st, ok := all[name]
	if !ok {
		t.Fatalf("Status knows no %s: %v", name, all)
	}
	return st
}

func until(t testing.TB, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not come")
		}
	}
}

func TestAJobWhoseDescriptionWasEditedIsStillOurs(t *testing.T) {
	s := jenkinstest.Start(t, jenkinstest.Options{})
	e := engineOn(t, s)
	must(t, e.Create(t.Context(), simple("demo", "true")))
	edited := strings.Replace(admin(t, s, "GET", "/job/demo/config.xml", ""), "(toaster job demo)</description>",
		"edited</description>", 1)
	admin(t, s, "POST", "/job/demo/config.xml", edited)
	if text := admin(t, s, "GET", "/job/demo/api/json?tree=description", ""); strings.Contains(text, "toaster job") {
		t.Fatalf("it was not edited: %s", text)
	}
	status(t, e, "demo")
	must(t, e.Create(t.Context(), simple("demo", "echo two")))
	if text := admin(t, s, "GET", "/job/demo/api/json?tree=description", ""); !strings.Contains(text,
		"(toaster job demo)") {
		t.Errorf("it is not put right: %s", text)
	}
	must(t, e.Remove(t.Context(), "demo"))
}

func TestTheViewIsMadeAndTakesJobsByPattern(t *testing.T) {
	s := jenkinstest.Start(t, jenkinstest.Options{})
	e := engineOn(t, s)
	name := "meATexample.org-vm_amd64_daedalus-1700000000"
	must(t, e.Create(t.Context(), simple(name, "true")))
	if text := admin(t, s, "GET", "/view/web-sdk-builds/api/json?tree=jobs[name]", ""); !strings.Contains(text, name) {
		t.Errorf("it shows %s", text)
	}
	asked(s)
	must(t, e.Create(t.Context(), simple("you"+name, "true")))
	if got := asked(s); !slices.Equal(got, []string{"POST /createItem", "GET /view/web-sdk-builds/config.xml"}) {
		t.Errorf("the second job took %q", got)
	}
}

func TestAViewThatListsByName(t *testing.T) {
	s := jenkinstest.Start(t, jenkinstest.Options{View: "web-sdk-builds"})
	s.RacingViews(true)
	e := engineOn(t, s)
	var wait sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		wait.Go(func() {
			if err := e.Create(t.Context(), simple(name, "true")); err != nil {
				t.Errorf("Create %s: %v", name, err)
			}
		})
	}
	wait.Wait()
	asked(s)
	if all, err := e.Status(t.Context(), "a", "b", "c", "d", "e", "f", "g", "h"); err != nil || len(all) != 8 {
		t.Errorf("%v, %v", all, err)
	}
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		wait.Go(func() {
			if err := e.Remove(t.Context(), name); err != nil {
				t.Errorf("Remove %s: %v", name, err)
			}
		})
	}
	wait.Wait()
	if text := admin(t, s, "GET", "/api/json?tree=jobs[name]", ""); strings.Contains(text, `"name"`) {
		t.Errorf("there are still %s", text)
	}
}

func TestAnAccountThatMayMakeNoViews(t *testing.T) {
	s := jenkinstest.Start(t, jenkinstest.Options{})
	s.Permit("toaster", jenkinstest.ViewCreate, false)
	e := engineOn(t, s)
	for _, name := range []string{"a", "b"} {
		must(t, e.Create(t.Context(), simple(name, "true")))
	}
	if all, err := e.Status(t.Context(), "a", "b", "c"); err != nil || len(all) != 2 {
		t.Errorf("%v, %v", all, err)
	}
}

func TestACreateWhoseAnswerProvesNothing(t *testing.T) {
	s := jenkinstest.Start(t, jenkinstest.Options{})
	e := engineOn(t, s)
	s.Once("POST", "^/createItem", func(w http.ResponseWriter, r *http.Request, act func(http.ResponseWriter)) {
		act(discard{})
		http.Error(w, "Oops!", http.StatusInternalServerError)
	})
	must(t, e.Create(t.Context(), simple("made", "true")))
	s.Answer("POST", "^/createItem", http.StatusInternalServerError, "Oops!")
	must(t, e.Create(t.Context(), simple("again", "true")))
	s.DropAnswer("POST", "^/createItem")
	if err := e.Create(t.Context(), simple("cut", "true")); apperr.KindOf(err) != apperr.Unavailable {
		t.Errorf("cut off: %v", err)
	}
	must(t, e.Create(t.Context(), simple("cut", "true")))
	if all, err := e.Status(t.Context(), "made", "again", "cut"); err != nil || len(all) != 3 {
		t.Errorf("%v, %v", all, err)
	}
}

// discard is where an answer is lost.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

func TestARemovedJobLeavesNoWorkspace(t *testing.T) {
	s := jenkinstest.Start(t, jenkinstest.Options{})
	e := engineOn(t, s)
	must(t, e.Create(t.Context(), simple("demo", "sleep 60")))
	_, err := e.Start(t.Context(), "demo")
	must(t, err)
	until(t, func() bool { return len(status(t, e, "demo").Builds) == 1 })
	_, err = e.Start(t.Context(), "demo")
	must(t, err)
	asked(s)
	must(t, e.Remove(t.Context(), "demo"))
	got := asked(s)
	for _, want := range []string{"POST /queue/cancelItem", "POST /job/demo/1/stop", "POST /job/demo/doWipeOutWorkspace",
		"POST /job/demo/doDelete"} {
		if !slices.Contains(got, want) {
			t.Errorf("it didn't ask %q, but %q", want, got)
		}
	}
}

func TestWhatBecameOfAStart(t *testing.T) {
	s := jenkinstest.Start(t, jenkinstest.Options{LeaveWindow: 300 * time.Millisecond})
	e := engineOn(t, s)
	must(t, e.Create(t.Context(), simple("demo", "sleep 60")))
	ticket, err := e.Start(t.Context(), "demo")
	must(t, err)
	// From the queue to its number: Status may show neither, Trace knows.
	until(t, func() bool {
		state, number, err := e.Trace(t.Context(), "demo", ticket)
		must(t, err)
		if state != engine.Queued && (state != engine.Running || number != 1) {
			t.Fatalf("it is %s, %d", state, number)
		}
		return state == engine.Running
	})
	second, err := e.Start(t.Context(), "demo")
	must(t, err)
	must(t, e.Stop(t.Context(), "demo", 0))
	for _, c := range []struct {
		name   string
		ticket engine.Ticket
		state  engine.State
	}{{"demo", second, engine.Aborted}, {"demo", "999", engine.Lost}, {"other", ticket, engine.Lost},
		{"demo", "../x", engine.Lost}, {"demo", "", engine.Lost}} {
		if state, _, err := e.Trace(t.Context(), c.name, c.ticket); err != nil || state != c.state {
			t.Errorf("%s, %s: %s, %v", c.name, c.ticket, state, err)
		}
	}
	must(t, e.Remove(t.Context(), "demo"))
}
