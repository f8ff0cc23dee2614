package main

import (
	"context"
	"errors"
	"io"
	"time"
)

// errStill is why a request is ended of which nothing comes or goes any more: the other end of a connection may be gone
// without a word, as after a laptop's sleep.
var errStill = errors.New("nothing was transferred for a minute")

// watch ends a request's context when nothing happens for stillTimeout.
type watch struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

func newWatch(ctx context.Context) *watch {
	ctx, cancel := context.WithCancelCause(ctx)
	return &watch{ctx, cancel, time.AfterFunc(stillTimeout, func() { cancel(errStill) })}
}

func (w *watch) again() { w.timer.Reset(stillTimeout) }
func (w *watch) pause() { w.timer.Stop() }

func (w *watch) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// explain says errStill where that is why a request was ended.
func (w *watch) explain(err error) error {
	if err != nil && context.Cause(w.ctx) == errStill {
		return errStill
	}
	return err
}

// reader is r, watched.
func (w *watch) reader(r io.Reader) io.Reader { return &watched{r: r, w: w} }

// body is a request's body, watched until it is sent: then the site may think for as long as it needs.
func (w *watch) body(r io.ReadCloser) io.ReadCloser {
	return &watchedBody{watched{r: r, w: w, sent: true}, r}
}

type watched struct {
	r    io.Reader
	w    *watch
	sent bool
}

func (r *watched) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if r.w.again(); err != nil && r.sent {
		r.w.pause()
	}
	return n, r.w.explain(err)
}

type watchedBody struct {
	watched
	io.Closer
}
