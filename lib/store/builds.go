package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/i18n"
)

// Build is one run of a job.
type Build struct {
	JobID         string
	Number        int // ours, from 1
	Revision      int // what it is made from
	State         BuildState
	Reason        i18n.Text // for people: why it waits, failed, or was stopped, as the engine says
	Failure       i18n.Text // for people: why it failed, as the build script says
	StopRequested bool      // its owner wants it stopped
	AskedAt       time.Time // when the engine was asked to start it; zero: not yet
	Ticket        string    // the engine's answer; empty: none yet
	EngineNumber  int       // the engine's number; 0: none yet
	Position      int       // place in the engine's queue; 0: unknown
	Fetching      bool      // it waits until its repository is fetched
	Scheduled     bool      // the job's schedule queued it
	QueuedAt      time.Time
	StartedAt     time.Time
	EndedAt       time.Time
	Expected      time.Duration // how long the engine thinks it takes; 0: unknown
	Foreseen      time.Duration // how long it takes, going by its log and those of earlier builds; 0: unknown
	Step, Steps   int           // the step that the log has reached, of how many
	StepLine      int           // its line in the Dockerfile
	Phase         string        // what the log has reached: prepare, step, pack, check, end; empty: unknown
	LogOffset     int64         // the log's offset up to which steps were looked for
	Finalized     bool          // ended, and its artifacts are listed
	Repeats       int           // the lost build that this one was queued for by itself; 0: none
	RepeatedBy    int           // the build that was queued for this lost one; 0: none
	Kept          bool          // its owner wants log and artifacts kept for good
	ExpiredAt     time.Time     // when log and artifacts were removed; zero: they are there
	GoneWhy       string        // why: see Gone
	GoneLimit     int           // the limit of days or builds that it was for
}

// ExpectedEnd is when the build will probably end; zero when that is unknown, or it has ended.
func (b *Build) ExpectedEnd() time.Time {
	length := cmp.Or(b.Foreseen, b.Expected)
	if b.StartedAt.IsZero() || length == 0 || !b.EndedAt.IsZero() {
		return time.Time{}
	}
	return b.StartedAt.Add(length)
}

// Why says, for people, why the build waits, failed or was stopped; empty when there is nothing to say. What
// the engine knows comes first: a build that was ended by a limit says little itself.
func (b *Build) Why() i18n.Text {
	switch {
	case b.State != Failed || !b.Reason.IsZero():
		return b.Reason
	case !b.Failure.IsZero():
		return b.Failure
	}
	return i18n.T("The build script failed. See the last lines of the log.")
}

// Done is how many of its Work parts are done: the steps, and the packing after them.
func (b *Build) Done() int {
	if b.Phase == "pack" || b.Phase == "check" {
		return b.Steps
	}
	return max(0, b.Step-1)
}

// Work is how many parts the build has; 0: unknown.
func (b *Build) Work() int {
	if b.Steps == 0 {
		return 0
	}
	return b.Steps + 1
}

// Stopping tells whether the build is still open, and its owner wants it stopped.
func (b *Build) Stopping() bool { return b.Open() && b.StopRequested }

// Open tells whether the build is still to change: queued or running.
func (b *Build) Open() bool { return !b.State.Ended() }

// Artifact is a file that a build left.
type Artifact struct {
	Path   string
	Size   int64
	SHA256 string // lower-case hex; empty: unknown
}

const buildColumns = `build.job_id, build.number, build.revision, build.state, build.reason,
	build.stop_requested, build.asked_at, build.ticket, build.engine_number, build.position, build.queued_at,
	build.started_at, build.ended_at, build.expected_ms,
	build.failure, build.step, build.steps, build.step_line, build.log_offset, build.finalized,
	build.expired_at, build.phase, build.foreseen_ms, build.repeats,
	CASE build.state WHEN 'lost' THEN (SELECT number FROM build AS r WHERE r.job_id = build.job_id
	AND r.repeats = build.number) END,
	build.kept, build.gone_why, build.gone_limit, build.fetching, build.scheduled`

// fields are where buildColumns are scanned to. All of them are NULL where a LEFT JOIN has found no build: see orNil.
func (b *Build) fields() []any {
	return []any{orZero(&b.JobID), orZero(&b.Number), orZero(&b.Revision), orZero(&b.State), orZero(&b.Reason),
		orZero(&b.StopRequested), (*timestamp)(&b.AskedAt), orZero(&b.Ticket), orZero(&b.EngineNumber),
		orZero(&b.Position), (*timestamp)(&b.QueuedAt), (*timestamp)(&b.StartedAt), (*timestamp)(&b.EndedAt),
		(*milliseconds)(&b.Expected), orZero(&b.Failure), orZero(&b.Step), orZero(&b.Steps), orZero(&b.StepLine),
		orZero(&b.LogOffset), orZero(&b.Finalized), (*timestamp)(&b.ExpiredAt), orZero(&b.Phase),
		(*milliseconds)(&b.Foreseen), orZero(&b.Repeats), orZero(&b.RepeatedBy), orZero(&b.Kept), orZero(&b.GoneWhy),
		orZero(&b.GoneLimit), orZero(&b.Fetching), orZero(&b.Scheduled)}
}

// orNil is the build that was scanned; nil: there was none.
func (b *Build) orNil() *Build {
	if b.JobID == "" {
		return nil
	}
	return b
}

func scanBuild(rs *sql.Rows) (*Build, error) {
	b := new(Build)
	return b, rs.Scan(b.fields()...)
}

// AddBuild stores a wish to build an owner's job, and returns it. While one is queued and nobody wants it stopped, it
// returns that one, and already is true; where the job has a repository, that is fetched again for it, or, if the
// engine was asked for it, a build is queued behind it. The build waits with secrets, which are sealed (nil: none); one
// that is queued already keeps its own. A job that is switched off is a FailedPrecondition. Where the owner has
// reached one of their limits, which l has for those who have none of their own: ResourceExhausted; where too many
// builds wait: Unavailable.
func (db *DB) AddBuild(ctx context.Context, owner int64, id string, secrets []byte, l Limits,
	now time.Time) (b *Build, already bool, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		j, err := findJob(ctx, tx, owner, id)
		if err != nil {
			return err
		}
		if !j.Enabled {
			return apperr.New(apperr.FailedPrecondition, "This job is disabled.", "Enable it, then build.")
		}
		if j.Last.waits() {
			late, err := j.Last.fetchAgain(ctx, tx)
			if err != nil {
				return err
			}
			if !late {
				b, already = j.Last, true
				return made(ctx, tx, b.path())
			}
		}
		if err := l.admit(ctx, tx, owner, now); err != nil {
			return err
		}
		if b, err = enqueue(ctx, tx, j, 0, now); err != nil {
			return err
		}
		if err := count(ctx, tx, owner, b, now); err != nil {
			return err
		}
		if err := b.give(ctx, tx, secrets); err != nil {
			return err
		}
		return made(ctx, tx, b.path())
	})
	return b, already, err
}

// give stores the secrets that a build waits with; nil: none.
func (b *Build) give(ctx context.Context, tx *sql.Tx, sealed []byte) error {
	if sealed == nil {
		return nil
	}
	_, err := tx.ExecContext(ctx, "UPDATE build SET with_secrets = 1 WHERE job_id = ? AND number = ?", b.JobID, b.Number)
	if err == nil {
		_, err = tx.ExecContext(ctx, "INSERT INTO build_secret (job_id, build, sealed) VALUES (?, ?, ?)", b.JobID, b.Number,
			sealed)
	}
	return err
}

// BuildSecrets are the secrets that a build waits with, sealed; nil: it was given none. They are empty, which no key
// opens, where they were handed over or are not in a backup: no build that was given secrets begins without them.
func (db *DB) BuildSecrets(ctx context.Context, b *Build) (sealed []byte, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT coalesce(s.sealed, iif(b.with_secrets, x'', NULL))
			FROM build b LEFT JOIN build_secret s ON s.job_id = b.job_id AND s.build = b.number
			WHERE b.job_id = ? AND b.number = ?`, b.JobID, b.Number).Scan(&sealed)
	})
	return sealed, err
}

// enqueue adds a build to a job, which repeats another one, or 0.
func enqueue(ctx context.Context, tx *sql.Tx, j *Job, repeats int, now time.Time) (*Build, error) {
	b := &Build{JobID: j.ID, Number: 1, Revision: j.Revision, State: Queued, QueuedAt: now, Repeats: repeats}
	if j.Last != nil {
		b.Number = j.Last.Number + 1
	}
	if _, err := tx.ExecContext(ctx,
		"INSERT INTO build (job_id, number, revision, state, queued_at, repeats) VALUES (?, ?, ?, 'queued', ?, ?)",
		b.JobID, b.Number, b.Revision, timestamp(now), null(repeats)); err != nil {
		return b, err
	}
	return b, b.awaitFetch(ctx, tx, j.Last)
}

// waits tells whether there is such a build, which is queued and nobody wants stopped.
func (b *Build) waits() bool { return b != nil && b.State == Queued && !b.StopRequested }

func (b *Build) path() string { return fmt.Sprintf("/jobs/%s/builds/%d", b.JobID, b.Number) }

// Builds returns an owner's job's builds, newest first.
func (db *DB) Builds(ctx context.Context, owner int64, id string) (builds []*Build, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		builds, err = rows(ctx, tx, scanBuild, "SELECT "+buildColumns+` FROM build JOIN job ON job.id = build.job_id
			WHERE job.id = ? AND job.user_id = ? AND job.removed_at IS NULL ORDER BY build.number DESC`, id, owner)
		return err
	})
	return builds, err
}

// Build returns one build of an owner's job.
func (db *DB) Build(ctx context.Context, owner int64, id string, number int) (*Build, error) {
	_, b, err := db.EngineBuild(ctx, owner, id, number)
	return b, err
}

func noBuild() error {
	return apperr.New(apperr.NotFound, "This build does not exist.", "See the page of the job for its builds.")
}

// LatestBuild returns the number of the newest build of an owner's job, of those that succeeded where good is true.
func (db *DB) LatestBuild(ctx context.Context, owner int64, id string, good bool) (number int, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		if _, err := findJob(ctx, tx, owner, id); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx,
			`SELECT coalesce(max(number), 0) FROM build WHERE job_id = ? AND (state = 'succeeded' OR NOT ?)`,
			id, good).Scan(&number)
	})
	if err == nil && number == 0 {
		err = apperr.New(apperr.NotFound, "No build of this job has succeeded yet.", "Build it, and check the log.")
		if !good {
			err = apperr.New(apperr.NotFound, "This job has no builds yet.", "Build it first.")
		}
	}
	return number, err
}

// RequestStop notes that the owner wants the job's open builds stopped. One that the engine was never asked
// for is aborted at once.
func (db *DB) RequestStop(ctx context.Context, owner int64, id string, now time.Time) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if _, err := findJob(ctx, tx, owner, id); err != nil {
			return err
		}
		return giveUp(ctx, tx, id, "state IN ('queued', 'running')", "Stopped by the owner.", now)
	})
}

// giveUp asks for builds to be stopped. Who was the first to want it is the reason from now on.
func giveUp(ctx context.Context, tx *sql.Tx, id, which string, reason i18n.Key, now time.Time) error {
	if _, err := tx.ExecContext(ctx,
		"UPDATE build SET stop_requested = 1, reason = ? WHERE job_id = ? AND stop_requested = 0 AND "+which,
		i18n.T(reason), id); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE build SET state = 'aborted', ended_at = ?, finalized = 1, fetching = 0
		WHERE job_id = ? AND state = 'queued' AND asked_at IS NULL AND stop_requested = 1`, timestamp(now), id)
	return err
}

// Artifacts lists what an owner's build left, the largest, which is the image, first.
func (db *DB) Artifacts(ctx context.Context, owner int64, id string, number int) (list []Artifact, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		list, err = rows(ctx, tx, scanArtifact, `SELECT path, size, sha256 FROM artifact JOIN job ON job.id = artifact.job_id
			WHERE job.id = ? AND job.user_id = ? AND job.removed_at IS NULL AND build = ?
			ORDER BY size DESC, path`, id, owner, number)
		return err
	})
	return list, err
}
