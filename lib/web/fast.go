package web

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/fcgi"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"toaster.do/lib/config"
)

// mounted is what a web server's snippet sets for FastCGI: the path under which the site is mounted, with or without a
// slash at its end. (net/http/fcgi keeps SCRIPT_NAME and PATH_INFO to itself.)
const mounted = "TOASTER_PREFIX"

// patience is how long a FastCGI program that is told to end waits for the requests that it has begun.
const patience = 30 * time.Second

// serve answers FastCGI requests from the socket at standard input until it is told to end. What it has begun it
// finishes.
func (a *App) serve() error {
	socket, err := net.FileListener(os.Stdin)
	if err != nil {
		return err
	}
	a.fast = true
	debug.SetGCPercent(400) // a request leaves little behind: a few megabytes more, for far fewer collections
	l := &listener{Listener: socket}
	terminated, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1)
	defer stop()
	context.AfterFunc(terminated, l.last)
	for err == nil {
		var c net.Conn
		if c, err = l.Accept(); err == nil {
			go serveConnection(c, a)
		}
	}
	if terminated.Err() == nil {
		return err
	}
	socket.Close()
	done := make(chan struct{})
	go func() { l.open.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(patience):
		a.logger().Warn("requests were interrupted: the program was terminated", slog.String("program", a.Program))
	}
	return nil
}

// listener knows when all of its connections are closed.
type listener struct {
	net.Listener
	open sync.WaitGroup
}

// last takes those that wait already, and nobody after them.
func (l *listener) last() {
	if d, ok := l.Listener.(interface{ SetDeadline(time.Time) error }); !ok ||
		d.SetDeadline(time.Now().Add(100*time.Millisecond)) != nil {
		l.Close()
	}
}

// Accept is net.Listener's.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.open.Add(1)
	return &connection{Conn: c, closed: sync.OnceFunc(l.open.Done)}, nil
}

type connection struct {
	net.Conn
	closed func()
}

// Close is net.Conn's.
func (c *connection) Close() error {
	defer c.closed()
	return c.Conn.Close()
}

// fcgiPlace is place for a FastCGI request: where the snippet says so, the site is mounted there.
func (a *App) fcgiPlace(r *http.Request, configured string) (prefix, path string) {
	if mount, ok := fcgi.ProcessEnv(r)[mounted]; ok {
		return placeBelow(a.Program, strings.TrimRight(mount, "/"), r.URL.Path)
	}
	return placeByURL(a.Program, configured, r.URL.Path)
}

// state is what a file is at a moment; the zero state: it can't be looked at.
type state struct {
	device, inode uint64
	size, changed int64
}

// look returns the state of the files that a site was made of. The database is written all the time: another file in
// its place counts.
func look(c *config.Config) map[string]state {
	states := map[string]state{}
	for _, path := range append(c.Files(), c.Paths.Database) {
		var st syscall.Stat_t
		if path == "" || syscall.Stat(path, &st) != nil {
			continue
		}
		s := state{device: uint64(st.Dev), inode: st.Ino, size: st.Size, changed: st.Ctim.Nano()}
		if path == c.Paths.Database {
			s.size, s.changed = 0, 0
		}
		states[path] = s
	}
	return states
}

// renew makes the next site from the files as they are now. The present one is closed by the last request that uses it.
func (a *App) renew() {
	if a.site.users == 0 {
		a.site.DB.Close()
	}
	a.site, a.cfg = nil, nil
}

// leave ends a request's use of a site; nil: it got none.
func (a *App) leave(s *Site) {
	if s == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if s.users--; s.users == 0 && s != a.site {
		s.DB.Close()
	}
}
