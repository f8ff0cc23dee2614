package jenkinstest

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// faults are the ways in which the controller fails at the moment.
type faults struct {
	mu      sync.Mutex
	now     http.HandlerFunc // instead of the answer
	wait    time.Duration    // before each answer
	release chan struct{}    // closed when nothing hangs any more
	once    []*once
	before  func(*http.Request)
	racing  bool
}

// once is what happens to the next request that matches.
type once struct {
	method string
	path   *regexp.Regexp
	after  int // so many requests that match are answered as usual before
	do     func(w http.ResponseWriter, r *http.Request, act func(http.ResponseWriter))
}

// Request is one that the controller got.
type Request struct {
	Method, Path string // the path with its query, as it was sent
}

func (r Request) String() string { return r.Method + " " + r.Path }

type requests struct {
	mu  sync.Mutex
	all []Request
}

// Requests returns what was asked since the last time.
func (s *Server) Requests() []Request {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	all := s.log.all
	s.log.all = nil
	return all
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.log.mu.Lock()
	s.log.all = append(s.log.all, Request{r.Method, r.RequestURI})
	s.log.mu.Unlock()
	f, era := &s.fault, s.era.Load()
	f.mu.Lock()
	now, wait, before := f.now, f.wait, f.before
	hit := f.match(r)
	f.mu.Unlock()
	if before != nil {
		before(r)
	}
	if wait > 0 {
		select {
		case <-time.After(wait):
		case <-r.Context().Done():
			return
		}
	}
	switch {
	case now != nil:
		now(w, r)
	case hit != nil:
		hit.do(w, r, func(w http.ResponseWriter) { s.answer(w, r, era) })
	default:
		s.answer(w, r, era)
	}
}

func (f *faults) match(r *http.Request) *once {
	for i, o := range f.once {
		if o.method != "" && o.method != r.Method || !o.path.MatchString(r.URL.Path) {
			continue
		}
		if o.after--; o.after < 0 {
			f.once = append(f.once[:i:i], f.once[i+1:]...)
			return o
		}
	}
	return nil
}

func (f *faults) set(now http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.release != nil {
		close(f.release)
		f.release = nil
	}
	f.now = now
}

func (f *faults) clear() {
	f.set(nil)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wait, f.once, f.before, f.racing = 0, nil, nil, false
}

func (f *faults) racingViews() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.racing
}

// Well ends every fault, also Down.
func (s *Server) Well() error {
	s.fault.clear()
	return s.front.up()
}

// Down refuses connections, and cuts those that are open.
func (s *Server) Down() { s.front.down() }

// Hang accepts requests and says nothing.
func (s *Server) Hang() {
	release := make(chan struct{})
	s.fault.set(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-release:
		}
		panic(http.ErrAbortHandler)
	})
	s.fault.mu.Lock()
	s.fault.release = release
	s.fault.mu.Unlock()
}

// Slow answers everything so much later.
func (s *Server) Slow(by time.Duration) {
	s.fault.mu.Lock()
	defer s.fault.mu.Unlock()
	s.fault.wait = by
}

// Unavailable answers 503 to everything, as a proxy in front of a controller that is away does.
func (s *Server) Unavailable() {
	s.fault.set(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, "<html><head><title>503 Service Temporarily Unavailable</title></head><body>503 Service Temporarily Unavailable</body></html>\n")
	})
}

// HTML answers everything with 200 and a page that is not Jenkins's.
func (s *Server) HTML() {
	s.fault.set(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html;charset=utf-8")
		io.WriteString(w, "<!DOCTYPE html><html><head><title>Welcome</title></head><body><p>This is another server.</p></body></html>\n")
	})
}

// HalfJSON cuts every answer in the middle: the connection ends before its length is reached.
func (s *Server) HalfJSON() {
	s.fault.set(func(w http.ResponseWriter, r *http.Request) {
		whole := httptest.NewRecorder()
		s.answer(whole, r, s.era.Load())
		maps.Copy(w.Header(), whole.Header())
		w.Header().Set("Content-Length", strconv.Itoa(whole.Body.Len()))
		w.WriteHeader(whole.Code)
		w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
}

// Unauthorised answers 401 to everything, as a controller does for a moment while it restarts.
func (s *Server) Unauthorised() { s.fault.set(unauthorised) }

func unauthorised(w http.ResponseWriter, r *http.Request) {
	user, _, _ := r.BasicAuth()
	(&call{w: w, r: r}).unauthorised("Invalid password/token for user: " + user)
}

// LoginRedirect sends everybody to a log-in page, as a single sign-on in front of a controller does.
func (s *Server) LoginRedirect() {
	s.fault.set(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/securityRealm/commenceLogin" {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "<html><body><form method=post>Log in</form></body></html>")
			return
		}
		http.Redirect(w, r, "/securityRealm/commenceLogin?from=%2F", http.StatusFound)
	})
}

// Before calls f with each request, before it is answered; nil ends that.
func (s *Server) Before(f func(*http.Request)) {
	s.fault.mu.Lock()
	defer s.fault.mu.Unlock()
	s.fault.before = f
}

// Once hands the next request of a method, whose path matches the pattern, to do. act answers it as usual.
func (s *Server) Once(method, pattern string, do func(w http.ResponseWriter, r *http.Request, act func(http.ResponseWriter))) {
	s.fault.add(&once{method, regexp.MustCompile(pattern), 0, do})
}

// Nth hands the n-th request from now on to do, as Once does; 1 is the next.
func (s *Server) Nth(n int, do func(w http.ResponseWriter, r *http.Request, act func(http.ResponseWriter))) {
	s.fault.add(&once{"", regexp.MustCompile(""), n - 1, do})
}

func (f *faults) add(o *once) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.once = append(f.once, o)
}

// DropAnswer does what the next matching request asks for, and cuts the connection instead of answering.
func (s *Server) DropAnswer(method, pattern string) {
	s.Once(method, pattern, func(_ http.ResponseWriter, _ *http.Request, act func(http.ResponseWriter)) {
		act(httptest.NewRecorder())
		panic(http.ErrAbortHandler)
	})
}

// DropRequest cuts the connection of the next matching request before anything is done.
func (s *Server) DropRequest(method, pattern string) {
	s.Once(method, pattern, func(http.ResponseWriter, *http.Request, func(http.ResponseWriter)) { panic(http.ErrAbortHandler) })
}

// Answer gives the next matching request this status and HTML page, without doing anything.
func (s *Server) Answer(method, pattern string, status int, page string) {
	s.Once(method, pattern, func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) {
		w.Header().Set("Content-Type", htmlUTF8)
		w.WriteHeader(status)
		io.WriteString(w, page)
	})
}

// Fail does what the next matching request asks for, and answers 500.
func (s *Server) Fail(method, pattern string) {
	s.Once(method, pattern, func(w http.ResponseWriter, _ *http.Request, act func(http.ResponseWriter)) {
		act(httptest.NewRecorder())
		w.Header().Set("Content-Type", htmlUTF8)
		w.WriteHeader(http.StatusInternalServerError)
		io.WriteString(w, "<html><body><h1>Oops!</h1></body></html>")
	})
}

// RacingViews lets several changes at once of a view that lists by name fail with 500, though they are made.
func (s *Server) RacingViews(yes bool) {
	s.fault.mu.Lock()
	defer s.fault.mu.Unlock()
	s.fault.racing = yes
}
