package jenkinstest

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
)

// faults are the ways in which the controller fails at the moment.
type faults struct {
	mu      sync.Mutex
	asked   []Request
	now     http.HandlerFunc // instead of the answer
	release chan struct{}    // closed when that is over; may be nil
	once    []*once
	racing  atomic.Bool
}

// once is what happens to the next request that matches.
type once struct {
	method string
	path   *regexp.Regexp
	after  int // so many requests that match are answered as usual before
	do     Hook
}

// Hook answers a request; act answers it as usual, to any writer.
type Hook func(w http.ResponseWriter, r *http.Request, act func(http.ResponseWriter))

// Request is one that the controller got.
type Request struct {
	Method, Path string // the path with its query, as it was sent
}

func (r Request) String() string { return r.Method + " " + r.Path }

// Requests returns what was asked since the last time.
func (s *Server) Requests() []Request {
	s.fault.mu.Lock()
	defer s.fault.mu.Unlock()
	asked := s.fault.asked
	s.fault.asked = nil
	return asked
}

// ServeHTTP answers as the controller does, faults included.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, era := &s.fault, s.era.Load()
	f.mu.Lock()
	f.asked = append(f.asked, Request{r.Method, r.RequestURI})
	now, hit := f.now, f.match(r)
	f.mu.Unlock()
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

func (f *faults) set(now http.HandlerFunc, release chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.release != nil {
		close(f.release)
	}
	f.now, f.release = now, release
}

func (f *faults) clear() {
	f.set(nil, nil)
	f.racing.Store(false)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.once = nil
}

// Well ends every fault, also Down.
func (s *Server) Well() error {
	s.fault.clear()
	return s.listen()
}

// Hang accepts requests and says nothing.
func (s *Server) Hang() {
	release := make(chan struct{})
	s.fault.set(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-release:
		}
		panic(http.ErrAbortHandler)
	}, release)
}

// Unavailable answers 503 to everything, as a proxy in front of a controller that is unavailable does.
func (s *Server) Unavailable() {
	s.fault.set(static(http.StatusServiceUnavailable, "<html><body>Service Temporarily Unavailable</body></html>"), nil)
}

// HTML answers everything with 200 and a page that is not Jenkins's.
func (s *Server) HTML() {
	s.fault.set(static(http.StatusOK, "<!DOCTYPE html><html><body><p>This is another server.</p></body></html>"), nil)
}

// static always answers with the same page.
func static(status int, page string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", htmlUTF8)
		w.WriteHeader(status)
		io.WriteString(w, page)
	}
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
	}, nil)
}

// Unauthorised answers 401 to everything, as a controller does for a moment while it restarts.
func (s *Server) Unauthorised() { s.fault.set(unauthorized, nil) }

func unauthorized(w http.ResponseWriter, r *http.Request) {
	user, _, _ := r.BasicAuth()
	(&call{w: w, r: r}).unauthorized(user)
}

// LoginRedirect sends everybody to a log-in page, as a single sign-on in front of a controller does.
func (s *Server) LoginRedirect() {
	s.fault.set(http.RedirectHandler("/securityRealm/commenceLogin?from=%2F", http.StatusFound).ServeHTTP, nil)
}

// Once hands the next request of a method, whose path matches the pattern, to do.
func (s *Server) Once(method, pattern string, do Hook) {
	s.fault.add(&once{method, regexp.MustCompile(pattern), 0, do})
}

// Nth hands the n-th request from now on to do; 1 is the next.
func (s *Server) Nth(n int, do Hook) { s.fault.add(&once{"", regexp.MustCompile(""), n - 1, do}) }

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
	s.Once(method, pattern, func(http.ResponseWriter, *http.Request, func(http.ResponseWriter)) {
		panic(http.ErrAbortHandler)
	})
}

// Answer gives the next matching request this status and HTML page, without doing anything.
func (s *Server) Answer(method, pattern string, status int, page string) {
	s.Once(method, pattern, func(w http.ResponseWriter, r *http.Request, _ func(http.ResponseWriter)) {
		static(status, page)(w, r)
	})
}

// Fail does what the next matching request asks for, and answers 500.
func (s *Server) Fail(method, pattern string) {
	s.Once(method, pattern, func(w http.ResponseWriter, r *http.Request, act func(http.ResponseWriter)) {
		act(httptest.NewRecorder())
		static(http.StatusInternalServerError, "<html><body><h1>Oops!</h1></body></html>")(w, r)
	})
}

// RacingViews lets several changes at once of a view that lists by name fail with 500, though they are made.
func (s *Server) RacingViews(yes bool) { s.fault.racing.Store(yes) }
