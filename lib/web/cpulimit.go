package web

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/fcgi"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"toaster.do/lib/apperr"
)

// What ends a request before it is answered.
var (
	errBusy = apperr.New(apperr.Unavailable, "The request exceeded its CPU time.",
		"Request less at once, or try again later.")
	errGone = apperr.New(apperr.Unavailable, "The request was canceled.", "Try again.")
)

// cpuLimit bounds what a CGI program takes for its one request: web servers do it in part, each another.
type cpuLimit struct {
	processor uint64        // seconds: then the request ends with an answer
	more      uint64        // seconds after these: the kernel ends the process
	quiet     time.Duration // most requests end before: it watches nothing until then
	grace     time.Duration // from when nobody waits for the answer until the process ends
}

var defaultCPULimit = cpuLimit{processor: 60, more: 15, quiet: time.Second, grace: 5 * time.Second}

// serve answers the request of the environment.
func (l cpuLimit) serve(h http.Handler) error {
	var limit syscall.Rlimit
	if syscall.Getrlimit(unix.RLIMIT_CPU, &limit) == nil {
		limit.Cur, limit.Max = min(limit.Cur, l.processor), min(limit.Max, l.processor+l.more)
		_ = syscall.Setrlimit(unix.RLIMIT_CPU, &limit) // not higher than it is: it can't fail
	}
	ctx, end := context.WithCancelCause(context.Background())
	defer time.AfterFunc(l.quiet, func() { l.watch(end) }).Stop()
	return cgi.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(ctx))
	}))
}

// watch ends the request when the process has used its time, or when nobody reads its answer.
func (l cpuLimit) watch(end context.CancelCauseFunc) {
	busy := make(chan os.Signal, 1)
	signal.Notify(busy, syscall.SIGXCPU)
	go func() {
		awaitGone(1)
		end(errGone)
		time.Sleep(l.grace)
		os.Exit(1)
	}()
	<-busy
	end(errBusy)
}

// awaitGone returns when nobody can read any more what is written to a pipe or socket; never for a file.
func awaitGone(fd int32) {
	for {
		list := []unix.PollFd{{Fd: fd}}
		n, err := unix.Poll(list, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			select {}
		}
		if n > 0 {
			return
		}
	}
}

// serveConnection answers the requests of a FastCGI connection. They end when the web server closes it.
func serveConnection(c net.Conn, h http.Handler) {
	ctx, end := context.WithCancelCause(context.Background())
	watched := &watchedConn{Conn: c, end: func() { end(errGone) }}
	_ = fcgi.Serve(&single{conn: watched}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mine, done := context.WithCancelCause(r.Context())
		defer context.AfterFunc(ctx, func() { done(context.Cause(ctx)) })()
		h.ServeHTTP(w, r.WithContext(mine))
	}))
}

// watchedConn tells when the other side has gone: package fcgi reads also while a request is answered.
type watchedConn struct {
	net.Conn
	end func()
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.end()
	}
	return n, err
}

func (c *watchedConn) Close() error {
	c.end()
	return c.Conn.Close()
}

// single is a listener with one connection.
type single struct {
	mu   sync.Mutex
	conn net.Conn
}

// Accept is net.Listener's.
func (s *single) Accept() (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.conn
	if s.conn = nil; c == nil {
		return nil, io.EOF
	}
	return c, nil
}

// Close is net.Listener's.
func (s *single) Close() error { return nil }

// Addr is net.Listener's.
func (s *single) Addr() net.Addr { return nil }

// ended is why a request's context has ended, for the answer; err where it goes on.
func ended(ctx context.Context, err error) error {
	if f := (*apperr.Error)(nil); errors.As(context.Cause(ctx), &f) {
		return apperr.Wrap(f.Kind, err, "%s", "%s", f.Message, f.Advice)
	}
	return err
}
