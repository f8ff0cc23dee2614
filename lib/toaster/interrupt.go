package main

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// secondInterrupt is how long a second Ctrl-C is waited for.
const secondInterrupt = 3 * time.Second

// interrupts makes the first SIGINT or SIGTERM end the context. A further one ends the program, but where a build is
// followed: there leave looks at it.
func (w *world) interrupts() (stop func()) {
	ctx, cancel := context.WithCancel(w.ctx)
	w.ctx, w.again = ctx, make(chan os.Signal, 4)
	signals, done := make(chan os.Signal, 4), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case w.first = <-signals:
			cancel()
		case <-done:
			return
		}
		for {
			select {
			case s := <-signals:
				if !w.follows.Load() {
					os.Exit(exitInterrupted)
				}
				w.again <- s
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}

// leave says how to come back to a build that goes on, and stops it when Ctrl-C is pressed again.
func (w *world) leave(c *client, o *order) error {
	w.follows.Store(true)
	w.event("interrupted", map[string]any{"job": o.job, "number": o.number})
	w.note("\n%s goes on.\n  toaster logs -f %s    to see how it does\n  toaster stop %s    to stop it", o.title(),
		o.ref(), o.job)
	interrupted := failed(exitInterrupted, "", "")
	if w.first != os.Interrupt {
		return interrupted
	}
	w.note("Press Ctrl-C again within %d seconds to stop it.", secondInterrupt/time.Second)
	select {
	case <-w.again:
		w.follows.Store(false)
	case <-time.After(secondInterrupt):
		return interrupted
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), 30*time.Second)
	defer cancel()
	if err := c.stop(ctx, o.job); err != nil {
		return w.comeBack(o, err)
	}
	w.event("stopping", map[string]any{"job": o.job, "number": o.number})
	w.note("%s is being stopped.", o.title())
	return interrupted
}

func (c *client) stop(ctx context.Context, job string) error {
	_, err := c.do(ctx, call{method: http.MethodPost, path: "/jobs/" + url.PathEscape(job) + "/stop"})
	return err
}
