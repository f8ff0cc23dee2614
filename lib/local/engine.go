// Package local is the engine that builds on this host: a queue in SQLite, and a Runner that takes builds
// from it. The Engine only reads and writes the queue and reads files, so a CGI program may use it; builds
// are run by the Runner, a process of its own.
package local

import (
	"context"

	"toaster.do/lib/build"
	"toaster.do/lib/fault"
	"toaster.do/lib/store"
)

// Engine is a build.Engine on this host.
type Engine struct {
	db  *store.DB
	dir string
}

// New returns the engine whose queue lies in db. Logs and artifacts are in dir, as JOB/NUMBER/log and
// JOB/NUMBER/dist/.
func New(db *store.DB, dir string) *Engine { return &Engine{db: db, dir: dir} }

var _ build.Engine = (*Engine)(nil)

var errSoon = fault.New(fault.Unavailable, "The local engine is not ready yet.", "Try again later.")

func (e *Engine) Create(ctx context.Context, job build.EngineJob) error        { return errSoon }
func (e *Engine) Remove(ctx context.Context, name string) error                { return errSoon }
func (e *Engine) SetEnabled(ctx context.Context, name string, on bool) error   { return errSoon }
func (e *Engine) Start(ctx context.Context, name string) (build.Ticket, error) { return "", errSoon }
func (e *Engine) Stop(ctx context.Context, name string, number int) error      { return errSoon }
func (e *Engine) Status(ctx context.Context, names ...string) (map[string]build.Status, error) {
	return nil, errSoon
}
func (e *Engine) Log(ctx context.Context, name string, number int, offset int64) (build.Chunk, error) {
	return build.Chunk{}, errSoon
}
func (e *Engine) Artifacts(ctx context.Context, name string, number int) ([]build.Artifact, error) {
	return nil, errSoon
}
func (e *Engine) Open(ctx context.Context, name string, number int, path string, r build.Range) (*build.Stream, error) {
	return nil, errSoon
}
func (e *Engine) Health(ctx context.Context) build.Health { return build.Health{} }
