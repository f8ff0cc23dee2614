package jenkins

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
)

// serve returns an engine on a controller that answers by h.
func serve(t testing.TB, h http.HandlerFunc, change ...func(*Options)) *Engine {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	o := Options{URL: s.URL, User: "toaster", Token: "secret", Call: 5 * time.Second,
		Logger: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&o)
	}
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// page answers with a status and a page, as Jenkins's error pages are.
func page(status int, text string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == alivePath {
			w.Header().Set("Content-Type", "application/json;charset=utf-8")
			io.WriteString(w, `{"_class":"hudson.model.Hudson"}`)
			return
		}
		w.Header().Set("Content-Type", "text/html;charset=utf-8")
		for i := 0; i < len(header); i += 2 {
			w.Header().Add(header[i], header[i+1])
		}
		w.WriteHeader(status)
		fmt.Fprintf(w, "<html><head><title>x</title><script>var y = 1</script></head><body><h1>%s</h1></body></html>", text)
	}
}

func TestWhatJenkinsSaysHasAKindAndASentence(t *testing.T) {
	for name, c := range map[string]struct {
		answer  http.HandlerFunc
		kind    apperr.Kind
		message string // for the person
		log     string // for the administrator
	}{
		"J, unknown job": {page(404, "HTTP ERROR 404 Not Found"), apperr.NotFound, "has no such job", ""},
		"E, name taken": {page(400, "Error", "X-Error", "A job already exists with the name  demo "),
			apperr.AlreadyExists, "another job with this name", "already exists"},
		"E, anything else": {page(400, "Error", "X-Error", "No mode given"), apperr.Internal, "failed",
			"No mode given"},
		"O": {page(500, "Oops! A problem occurred. Logging ID=f8add986"), apperr.Internal, "failed",
			"Logging ID=f8add986"},
		"O, disabled": {page(409, "Oops!"), apperr.FailedPrecondition, "disabled", "409"},
		"D": {page(403, "Access Denied toaster is missing the Job/Build permission",
			"X-Required-Permission", "hudson.model.Item.Build"), apperr.PermissionDenied, "doesn't allow",
			"missing the Job/Build permission"},
		"J, no crumb": {page(403, "No valid crumb was included in the request"), apperr.PermissionDenied,
			"doesn't allow", "No valid crumb"},
		"anonymous": {page(403, "Authentication required", "X-You-Are-Authenticated-As", "anonymous"),
			apperr.PermissionDenied, "doesn't allow", "Authentication required"},
		"a wrong token": {page(401, "Invalid password/token for user: toaster"), apperr.PermissionDenied,
			"doesn't accept this site's account", "Invalid password/token"},
		"cancel without Cancel": {page(422, "Oops!"), apperr.PermissionDenied, "doesn't allow", "422"},
		"restarting": {page(503, "Please wait while Jenkins is restarting"), apperr.Unavailable, "is restarting",
			"503"},
		"starting": {page(503, "Please wait while Jenkins is getting ready to work"), apperr.Unavailable,
			"is starting", "503"},
		"a proxy without Jenkins": {page(502, "Bad Gateway"), apperr.Unavailable, "unavailable", "502"},
		"a proxy that lost it":    {page(504, "Gateway Time-out"), apperr.Unavailable, "unavailable", "504"},
		"a page to log in": {page(302, "", "Location", "https://sso.example/login?from=%2Fjob%2Fdemo"),
			apperr.PermissionDenied, "requires this site to log in", "sso.example"},
		"to another address": {page(301, "", "Location", "https://jenkins.example/"), apperr.Internal,
			"to another address", "https://jenkins.example/"},
		"a page instead of JSON": {page(200, "Welcome to nginx!"), apperr.Internal, "page instead of data",
			"Welcome to nginx!"},
		"half a JSON": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json;charset=utf-8")
			io.WriteString(w, `{"name":"demo","builds":[{"numb`)
		}, apperr.Unavailable, "incomplete", "/job/demo/api/json"},
		"a long address": {page(414, "URI Too Long"), apperr.Internal, "failed", "414"},
		"a connection cut": {func(w http.ResponseWriter, r *http.Request) {
			panic(http.ErrAbortHandler)
		}, apperr.Unavailable, "can't be reached", "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			e := serve(t, c.answer)
			_, err := e.findJob(t.Context(), "demo", "disabled")
			f := apperr.Of(err)
			if f.Kind != c.kind || !strings.Contains(f.Message.String(), c.message) ||
				!strings.Contains(err.Error(), c.log) {
				t.Errorf("%s: %v", f.Kind, err)
			}
			for _, secret := range []string{"Logging", "token for", "sso.", "nginx", "127.0.0.1", "script", "var y"} {
				if strings.Contains(f.Message.String()+f.Advice.String(), secret) ||
					strings.Contains(err.Error(), "var y") {
					t.Errorf("the person reads %q %q", f.Message, f.Advice)
				}
			}
		})
	}
}

func TestJenkinsThatIsDownOrSilent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(Options{URL: "http://" + l.Addr().String(), User: "u", Token: "t", Call: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	// It accepts and says nothing.
	if _, err := e.Start(t.Context(), "demo"); apperr.KindOf(err) != apperr.Unavailable ||
		!strings.Contains(err.Error(), "in time") {
		t.Errorf("silent: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Status(ctx, "demo"); apperr.KindOf(err) != apperr.Unavailable || !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	l.Close()
	if _, err := e.Start(t.Context(), "demo"); apperr.KindOf(err) != apperr.Unavailable ||
		!strings.Contains(err.Error(), "can't be reached") {
		t.Errorf("down: %v", err)
	}
	if h := e.Health(t.Context()); h.Reachable || h.Message.IsZero() {
		t.Errorf("down: %+v", h)
	}
}

// A restarting Jenkins refuses a right token for a moment. It has done nothing then, so a POST is safe to repeat, too.
func TestAMomentOf401IsWaitedOut(t *testing.T) {
	var asked atomic.Int32
	e := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) < 3 {
			page(401, "Invalid password/token")(w, r)
			return
		}
		w.Header().Set("Location", "http://jenkins.example/queue/item/7/")
		w.WriteHeader(201)
	})
	if ticket, err := e.Start(t.Context(), "demo"); err != nil || ticket != "7" {
		t.Errorf("%q, %v", ticket, err)
	}
	if asked.Load() != 3 {
		t.Errorf("it was asked %d times", asked.Load())
	}
}

func TestA404WhileJenkinsIsNotUpIsNoProof(t *testing.T) {
	e := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == alivePath {
			page(503, "Please wait while Jenkins is getting ready to work")(w, &http.Request{URL: &url.URL{}})
			return
		}
		page(404, "Not Found")(w, r)
	})
	if err := e.Remove(t.Context(), "demo"); apperr.KindOf(err) != apperr.Unavailable {
		t.Errorf("Remove: %v", err)
	}
	if _, err := e.Status(t.Context(), "demo"); apperr.KindOf(err) != apperr.Unavailable {
		t.Errorf("Status: %v", err)
	}
}

func TestAPasswordTakesACrumbAndItsSession(t *testing.T) {
	var issued, posts int
	session := ""
	h := func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "toaster" || password != "word" {
			page(401, "Invalid")(w, r)
			return
		}
		switch r.URL.Path {
		case "/crumbIssuer/api/json":
			issued++
			session = fmt.Sprintf("JSESSIONID.x=node%d", issued)
			w.Header().Set("Set-Cookie", session+"; Path=/; HttpOnly")
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"crumb":"crumb%d","crumbRequestField":"Jenkins-Crumb"}`, issued)
		case "/job/demo/build":
			posts++
			if r.Header.Get("Jenkins-Crumb") != fmt.Sprintf("crumb%d", issued) || r.Header.Get("Cookie") != session {
				page(403, "No valid crumb was included in the request")(w, r)
				return
			}
			w.Header().Set("Location", fmt.Sprintf("/queue/item/%d/", posts))
			w.WriteHeader(201)
		}
	}
	e := serve(t, h, func(o *Options) { o.Token, o.Password = "", "word" })
	for range 2 {
		if _, err := e.Start(t.Context(), "demo"); err != nil {
			t.Fatal(err)
		}
	}
	if issued != 1 || posts != 2 {
		t.Errorf("%d crumbs for %d posts", issued, posts)
	}
	session = "JSESSIONID.x=another" // Jenkins was restarted
	if ticket, err := e.Start(t.Context(), "demo"); err != nil || ticket != "4" || issued != 2 {
		t.Errorf("after a restart: %q, %v, %d crumbs", ticket, err, issued)
	}
}

func TestATokenTakesNoCrumb(t *testing.T) {
	e := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "crumb") || r.Header.Get("Cookie") != "" {
			t.Errorf("asked for %s with cookie %q", r.URL, r.Header.Get("Cookie"))
		}
		w.Header().Set("Location", "/queue/item/1/")
		w.WriteHeader(201)
	})
	if _, err := e.Start(t.Context(), "demo"); err != nil {
		t.Error(err)
	}
}

func TestCrumbsSwitchedOff(t *testing.T) {
	e := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.Header().Set("Location", "/queue/item/1/")
			w.WriteHeader(201)
			return
		}
		page(404, "Not Found")(w, r)
	}, func(o *Options) { o.Token, o.Password = "", "word" })
	if _, err := e.Start(t.Context(), "demo"); err != nil {
		t.Error(err)
	}
}

// In a CGI program standard output is the response.
func TestNothingGoesToStandardOutput(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = w
	e := serve(t, page(500, "Oops!"))
	e.Create(t.Context(), engine.Job{Name: "demo"})
	e.Start(t.Context(), "demo")
	e.Stop(t.Context(), "demo", 1)
	e.SetEnabled(t.Context(), "demo", true)
	e.Remove(t.Context(), "demo")
	e.Health(t.Context())
	e.Doctor(t.Context(), []string{"x"})
	os.Stdout = stdout
	w.Close()
	if said, _ := io.ReadAll(r); len(said) > 0 {
		t.Errorf("it said %q", said)
	}
}

// HTTP_PROXY is a header of the request in a CGI program (CVE-2016-5385).
func TestNoProxyIsAsked(t *testing.T) {
	e := serve(t, page(404, ""))
	if e.requester.client.Transport.(*http.Transport).Proxy != nil {
		t.Error("it would ask a proxy")
	}
}

func TestOwnAuthority(t *testing.T) {
	s := httptest.NewTLSServer(page(404, ""))
	defer s.Close()
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o644); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]apperr.Kind{ca: apperr.NotFound, "": apperr.Internal} {
		e, err := New(Options{URL: s.URL, User: "u", Token: "t", CA: file})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Start(t.Context(), "demo"); apperr.KindOf(err) != want {
			t.Errorf("with %q: %v", file, err)
		}
	}
	for _, o := range []Options{
		{URL: "jenkins", User: "u", Token: "t"}, {URL: "https://u:p@jenkins/", User: "u", Token: "t"},
		{URL: "https://jenkins", User: "u"},
		{URL: "https://jenkins", Token: "t"}, {URL: "https://jenkins", User: "u", Token: "t", CA: "none.pem"},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("New took %+v", o)
		}
	}
}

func TestAnEndlessAnswerIsGivenUp(t *testing.T) {
	e := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"jobs":[`)
		chunk := []byte(strings.Repeat(`{"name":"x"},`, 5000))
		for sent := 0; sent < 2*maxAnswer; sent += len(chunk) {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}, func(o *Options) { o.Call = time.Minute })
	if _, err := e.Status(t.Context(), "a", "b"); apperr.KindOf(err) != apperr.Internal ||
		!strings.Contains(err.Error(), "too long") {
		t.Error(err)
	}
}

func TestNamesThatReachSomethingElseAreRefused(t *testing.T) {
	e := serve(t, func(w http.ResponseWriter, r *http.Request) { t.Errorf("asked for %s", r.URL) })
	for _, endpoint := range []string{"/job/a?b", "/job/a#b", "/job/../x", "/job/./x", "x", "@evil.example/", "//evil/..",
		"/job/%zz"} {
		if _, err := e.requester.Get(t.Context(), endpoint, nil, nil); apperr.KindOf(err) != apperr.InvalidArgument {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
	for _, name := range []string{"", ".", "..", "a/b", "a?b", "a b", strings.Repeat("x", 201), "ä"} {
		if err := e.Create(t.Context(), engine.Job{Name: name}); apperr.KindOf(err) != apperr.InvalidArgument {
			t.Errorf("Create %q: %v", name, err)
		}
		if _, err := e.Start(t.Context(), name); apperr.KindOf(err) != apperr.NotFound {
			t.Errorf("Start %q: %v", name, err)
		}
		if err := e.Remove(t.Context(), name); err != nil {
			t.Errorf("Remove %q: %v", name, err)
		}
	}
}

// Whatever a segment holds, it arrives as that one segment, or is not sent.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"a b", "100%", "a?b#c", `back\slash`, "ünï", "a;b", "..", "", "a/b", "\x00", "%2e%2e"} {
		f.Add(s, "x")
	}
	r := &requester{base: &url.URL{Scheme: "http", Host: "jenkins.example:8080", Path: "/prefix"}}
	f.Fuzz(func(t *testing.T, a, b string) {
		u, err := r.target(call{path: path("job", a, b)})
		if err != nil {
			if a != "." && a != ".." && b != "." && b != ".." {
				t.Errorf("%q %q is refused: %v", a, b, err)
			}
			return
		}
		parts := strings.Split(u.EscapedPath(), "/")
		if u.Host != "jenkins.example:8080" || u.RawQuery != "" || u.Fragment != "" || len(parts) != 5 {
			t.Fatalf("%q %q becomes %s", a, b, u)
		}
		for i, want := range []string{"", "prefix", "job", a, b} {
			if got, err := url.PathUnescape(parts[i]); err != nil || got != want {
				t.Errorf("%q %q becomes %s", a, b, u)
			}
		}
	})
}
