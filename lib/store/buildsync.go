package store

import (
	"context"
	"database/sql"
	"time"
)

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

// UnfinalizedBuilds returns the builds of a job that are not finalized, oldest first.
func (db *DB) UnfinalizedBuilds(ctx context.Context, id string) (builds []*Build, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		builds, err = rows(ctx, tx, scanBuild,
			"SELECT "+buildColumns+" FROM build WHERE job_id = ? AND finalized = 0 ORDER BY number", id)
		return err
	})
	return builds, err
}

// ClaimStart lets one process, of several that may try at once, ask the engine to start a build: the others
// get false. AskedAt tells a claim from a later one. A claim that led to no ticket can be taken over after the
// patience has passed, or when it is of the future: the clock was set back.
func (db *DB) ClaimStart(ctx context.Context, b *Build, now time.Time, patience time.Duration) (bool, error) {
	var mine bool
	err := db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE build SET asked_at = ?
			WHERE job_id = ? AND number = ? AND state = 'queued' AND stop_requested = 0
			AND fetching = 0 AND ticket IS NULL AND (asked_at IS NULL OR asked_at <= ? OR asked_at > ?)`,
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

// HighestEngineNumber is the highest number that the engine is known to have given a build of a job; 0: none.
func (db *DB) HighestEngineNumber(ctx context.Context, id string) (n int, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, "SELECT coalesce(max(engine_number), 0) FROM build WHERE job_id = ?", id).Scan(&n)
	})
	return n, err
}
