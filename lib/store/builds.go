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
	build.kept, build.gone_why, build.gone_limit`

// fields are where buildColumns are scanned to. All of them are NULL where a LEFT JOIN has found no build: see orNil.
func (b *Build) fields() []any {
	return []any{orZero(&b.JobID), orZero(&b.Number), orZero(&b.Revision), orZero(&b.State), orZero(&b.Reason),
		orZero(&b.StopRequested), (*timestamp)(&b.AskedAt), orZero(&b.Ticket), orZero(&b.EngineNumber),
		orZero(&b.Position), (*timestamp)(&b.QueuedAt), (*timestamp)(&b.StartedAt), (*timestamp)(&b.EndedAt),
		(*milliseconds)(&b.Expected), orZero(&b.Failure), orZero(&b.Step), orZero(&b.Steps), orZero(&b.StepLine),
		orZero(&b.LogOffset), orZero(&b.Finalized), (*timestamp)(&b.ExpiredAt), orZero(&b.Phase),
		(*milliseconds)(&b.Foreseen), orZero(&b.Repeats), orZero(&b.RepeatedBy), orZero(&b.Kept), orZero(&b.GoneWhy),
		orZero(&b.GoneLimit)}
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
// returns that one, and already is true. A job that is switched off is a FailedPrecondition. Where the owner has
// reached one of their limits, which l has for those who have none of their own: ResourceExhausted; where too many
// builds wait: Unavailable.
func (db *DB) AddBuild(ctx context.Context, owner int64, id string, l Limits,
	now time.Time) (b *Build, already bool, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		j, err := findJob(ctx, tx, owner, id)
		if err != nil {
			return err
		}
		if !j.Enabled {
			return apperr.New(apperr.FailedPrecondition, "This job is disabled.", "Enable it, then build.")
		}
		if j.Last != nil && j.Last.State == Queued && !j.Last.StopRequested {
			b, already = j.Last, true
			return made(ctx, tx, b.path())
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
		return made(ctx, tx, b.path())
	})
	return b, already, err
}

// enqueue adds a build to a job, which repeats another one, or 0.
func enqueue(ctx context.Context, tx *sql.Tx, j *Job, repeats int, now time.Time) (*Build, error) {
	b := &Build{JobID: j.ID, Number: 1, Revision: j.Revision, State: Queued, QueuedAt: now, Repeats: repeats}
	if j.Last != nil {
		b.Number = j.Last.Number + 1
	}
	_, err := tx.ExecContext(ctx,
		"INSERT INTO build (job_id, number, revision, state, queued_at, repeats) VALUES (?, ?, ?, 'queued', ?, ?)",
		b.JobID, b.Number, b.Revision, timestamp(now), null(repeats))
	return b, err
}

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

// EngineBuild returns one build of an owner's job, and the job's name in the engine.
func (db *DB) EngineBuild(ctx context.Context, owner int64, id string, number int) (name string, b *Build, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		b = new(Build)
		return tx.QueryRowContext(ctx, "SELECT job.engine_name, "+buildColumns+` FROM build JOIN job ON job.id = build.job_id
			WHERE job.id = ? AND job.user_id = ? AND job.removed_at IS NULL
			AND build.number = ?`, id, owner, number).Scan(append([]any{&name}, b.fields()...)...)
	})
	if err != nil {
		return "", nil, orGone(err, noBuild())
	}
	return name, b, nil
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

// UnfinalizedBuilds returns the builds of a job that are not finalized, oldest first.
func (db *DB) UnfinalizedBuilds(ctx context.Context, id string) (builds []*Build, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		builds, err = rows(ctx, tx, scanBuild,
			"SELECT "+buildColumns+" FROM build WHERE job_id = ? AND finalized = 0 ORDER BY number", id)
		return err
	})
	return builds, err
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
	_, err := tx.ExecContext(ctx, `UPDATE build SET state = 'aborted', ended_at = ?, finalized = 1
		WHERE job_id = ? AND state = 'queued' AND asked_at IS NULL AND stop_requested = 1`, timestamp(now), id)
	return err
}

// ClaimStart lets one process, of several that may try at once, ask the engine to start a build: the others
// get false. AskedAt tells a claim from a later one. A claim that led to no ticket can be taken over after the
// patience has passed, or when it is of the future: the clock was set back.
func (db *DB) ClaimStart(ctx context.Context, b *Build, now time.Time, patience time.Duration) (bool, error) {
	var mine bool
	err := db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE build SET asked_at = ?
			WHERE job_id = ? AND number = ? AND state = 'queued' AND stop_requested = 0
			AND ticket IS NULL AND (asked_at IS NULL OR asked_at <= ? OR asked_at > ?)`,
			timestamp(now), b.JobID, b.Number, timestamp(now.Add(-patience)), timestamp(now.Add(patience)))
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		mine = n == 1
		return err
	})
	if mine {
		b.AskedAt = now
	}
	return mine, err
}

// UnclaimStart gives a claim back: the engine has certainly not started anything.
func (db *DB) UnclaimStart(ctx context.Context, b *Build) error {
	return db.exec(ctx, `UPDATE build SET asked_at = NULL, ticket = NULL
		WHERE job_id = ? AND number = ? AND state = 'queued' AND asked_at = ?`, b.JobID, b.Number, timestamp(b.AskedAt))
}

// SetTicket stores the engine's answer to a start, unless it comes so late that another process has asked again.
func (db *DB) SetTicket(ctx context.Context, b *Build, ticket string) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE build SET ticket = ? WHERE job_id = ? AND number = ? AND asked_at = ?",
			ticket, b.JobID, b.Number, timestamp(b.AskedAt)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "UPDATE job SET engine_error = '' WHERE id = ?", b.JobID)
		return err
	})
}

// Observation is a build as the engine described it.
type Observation struct {
	*Build
	Ticket  string    // as it was read before the engine was asked
	AskedAt time.Time // likewise: an engine that crashed may give a ticket again
	Removed bool      // the engine no longer has the job: somebody removed it there
}

// Observe stores what the engine said of a job's builds: ticket, number, state, reason, position, times, expected
// length. A build that has ended stays as it is; so does one that another process has started or given another ticket
// since it was read. A build that runs never waits again; one that somebody stops keeps who that was as its reason,
// unless it ends by itself before. One that is lost is aborted where somebody wanted it stopped, else it is queued
// again, once.
func (db *DB) Observe(ctx context.Context, id string, seen time.Time, builds []Observation) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE job SET seen_at = ? WHERE id = ?", timestamp(seen), id); err != nil {
			return err
		}
		for _, o := range builds {
			b := o.Build
			res, err := tx.ExecContext(ctx,
				`UPDATE build SET ticket = ?, asked_at = ?, engine_number = ?,
				state = iif(stop_requested = 1 AND ?4 = 'lost', 'aborted', ?4), position = ?,
				reason = CASE WHEN stop_requested = 1 AND ? IN ('queued', 'running', 'aborted', 'lost')
					THEN reason ELSE ? END, started_at = ?, ended_at = ?, expected_ms = ?
				WHERE job_id = ? AND number = ? AND state IN ('queued', 'running') AND ticket IS ? AND asked_at IS ?
				AND NOT (state = 'running' AND ? = 'queued')`,
				null(b.Ticket), timestamp(b.AskedAt), null(b.EngineNumber), b.State, b.Position, b.State, b.Reason,
				timestamp(b.StartedAt), timestamp(b.EndedAt), milliseconds(b.Expected), b.JobID, b.Number,
				null(o.Ticket), timestamp(o.AskedAt), b.State)
			if err != nil {
				return err
			}
			n, err := res.RowsAffected()
			if err == nil && n > 0 {
				err = ran(ctx, tx, b)
			}
			if err == nil && n > 0 && b.State == Lost && !o.Removed {
				err = repeat(ctx, tx, b, seen)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Finalize stores the artifacts of a build that has ended; it will not change any more.
func (db *DB) Finalize(ctx context.Context, b *Build, artifacts []Artifact) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		for _, a := range artifacts {
			if _, err := tx.ExecContext(ctx, `INSERT INTO artifact (job_id, build, path, size, sha256) VALUES (?, ?, ?, ?, ?)
				ON CONFLICT DO UPDATE SET size = excluded.size, sha256 = excluded.sha256`,
				b.JobID, b.Number, a.Path, a.Size, a.SHA256); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `UPDATE build SET finalized = 1, notified = NOT `+wanted+`
			WHERE job_id = ? AND number = ? AND finalized = 0 AND state NOT IN ('queued', 'running')`, b.JobID, b.Number)
		return err
	})
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

// HighestEngineNumber is the highest number that the engine is known to have given a build of a job; 0: none.
func (db *DB) HighestEngineNumber(ctx context.Context, id string) (n int, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, "SELECT coalesce(max(engine_number), 0) FROM build WHERE job_id = ?", id).Scan(&n)
	})
	return n, err
}
