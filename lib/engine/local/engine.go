// Package local is the engine that builds on this host: a queue in SQLite, and a runner that takes builds
// from it. The Engine only reads and writes the queue and reads files, so a CGI program may use it.
//
// The runner has two halves. The Dispatcher works with the database, as its owner. The Executor makes and runs the
// build scripts, and keeps logs and artifacts; it knows no database, and believes nothing that the Dispatcher says.
// Where root starts the runner they are two processes, so that neither the rows of the database nor a hole in SQLite
// lead to root.
//
// A runner holds a lock on a file as long as it lives. So everybody can tell, without clocks, whether a build
// that stands as running still has somebody who runs it; one that has not is lost.
package local

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/engine"
	"toaster.do/lib/i18n"
	"toaster.do/lib/store"
)

// queueStore is what the engine needs of the database.
type queueStore interface {
	LocalCreate(ctx context.Context, j store.LocalJob) error
	LocalEnable(ctx context.Context, name string, enabled bool) error
	LocalForget(ctx context.Context, name string, number int) error
	LocalOpen(ctx context.Context) (running []store.LocalBuild, waiting int, err error)
	LocalRemove(ctx context.Context, name string) error
	LocalStart(ctx context.Context, name string, secrets []byte, now time.Time) (ticket int64, err error)
	LocalStop(ctx context.Context, name string, number int) error
	LocalBuild(ctx context.Context, name string, number int) (b store.LocalBuild, err error)
	LocalArtifacts(ctx context.Context, ticket int64) (all []store.Artifact, err error)
	LocalStatuses(ctx context.Context, names []string, recent int) (map[string]*store.LocalStatus, error)
	LocalDraining(ctx context.Context) (runners []string, err error)
}

// Engine is a engine.Engine on this host.
type Engine struct {
	db  queueStore
	dir string
}

var (
	_ engine.Engine      = (*Engine)(nil)
	_ engine.Expirer     = (*Engine)(nil)
	_ engine.SecretTaker = (*Engine)(nil)
)

// New returns the engine whose queue lies in db. Logs and artifacts are in dir, as JOB/NUMBER/log and
// JOB/NUMBER/dist/; other names in dir begin with @, which no job's name does.
func New(db queueStore, dir string) *Engine { return &Engine{db: db, dir: dir} }

// Create defines a job. See engine.Engine.
func (e *Engine) Create(ctx context.Context, job engine.Job) error {
	if !engine.ValidName(job.Name) {
		return apperr.New(apperr.InvalidArgument, "%q is not a valid job name.",
			"Use 1 to 200 letters, digits and . _ + -", job.Name)
	}
	if job.TimeLimit < 0 {
		return apperr.New(apperr.InvalidArgument, "The time limit of a job can't be negative.", "")
	}
	source, err := json.Marshal(job.Source)
	if err != nil {
		return err
	}
	return e.db.LocalCreate(ctx, store.LocalJob{
		Name: job.Name, Owner: cmp.Or(job.Owner, job.Name), Description: job.Description, Source: source,
		TimeLimit: job.TimeLimit,
	})
}

// Remove deletes a job. A build of it that runs is ended by its runner within a second, which also deletes the files.
// See engine.Engine.
func (e *Engine) Remove(ctx context.Context, name string) error { return e.db.LocalRemove(ctx, name) }

// Expire forgets a build that has ended; the runner deletes its log and artifacts. See engine.Expirer.
func (e *Engine) Expire(ctx context.Context, name string, number int) error {
	return e.db.LocalForget(ctx, name, number)
}

// Has tells whether a build's files are there.
func (e *Engine) Has(name string, number int) bool {
	_, err := os.Stat(filepath.Join(e.dir, folder(name, number)))
	return err == nil
}

// SetEnabled lets a job start builds or not; disabling forgets a waiting start. See engine.Engine.
func (e *Engine) SetEnabled(ctx context.Context, name string, enabled bool) error {
	return e.db.LocalEnable(ctx, name, enabled)
}

// Start adds a start to the queue. See engine.Engine.
func (e *Engine) Start(ctx context.Context, name string) (engine.Ticket, error) {
	return e.StartWith(ctx, name, nil)
}

// StartWith adds a start to the queue with its secrets. See engine.SecretTaker.
func (e *Engine) StartWith(ctx context.Context, name string, secrets []byte) (engine.Ticket, error) {
	ticket, err := e.db.LocalStart(ctx, name, secrets, time.Now())
	if err != nil {
		return "", err
	}
	return ticketOf(ticket), nil
}

func ticketOf(n int64) engine.Ticket { return engine.Ticket(strconv.FormatInt(n, 10)) }

// Stop asks the runner to end a build, which it does within a second, or forgets the waiting start. See engine.Engine.
func (e *Engine) Stop(ctx context.Context, name string, number int) error {
	return e.db.LocalStop(ctx, name, number)
}

// Health tells of the runners that live. See engine.Engine.
func (e *Engine) Health(ctx context.Context) engine.Health {
	running, waiting, err := e.db.LocalOpen(ctx)
	if err != nil {
		return engine.Health{Message: apperr.Of(err).Message}
	}
	slots := engine.Slots{}
	h := engine.Health{Reachable: true, Queue: waiting, Message: i18n.T(noRunner)}
	for _, r := range runners(e.dir) {
		slots.Total += r.concurrency
		if r.responsive() {
			slots.Online += r.concurrency
			h.Message = i18n.Text{}
		}
	}
	if slots.Total > 0 && slots.Online == 0 {
		h.Message = i18n.T("The runner does not respond. Check its log, and restart “toasterctl runner”.")
	}
	alive := liveRunners{dir: e.dir}
	for _, b := range running {
		if alive.has(b.Runner) {
			slots.Busy++
		}
	}
	h.Slots = []engine.Slots{slots}
	return h
}

const noRunner = "No runner is running: start “toasterctl runner”."
