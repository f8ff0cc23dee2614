package store

import (
	"context"
	"database/sql"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/i18n"
)

// LocalTake gives the runner the first start of the queue whose job runs no build now, with its job's definition and
// its secrets, which are nowhere else then, and makes it a build.
// Before it commits it calls prepare, which makes the build's place; if that fails, the start goes on
// waiting. ok is false when there is none.
func (db *DB) LocalTake(ctx context.Context, runner string, now time.Time,
	prepare func(LocalBuild) error) (b LocalBuild, j LocalJob, ok bool, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx,
			`SELECT ticket, (SELECT secrets FROM local_build AS b WHERE b.ticket = q.ticket)
			FROM local_queue AS q WHERE NOT blocked ORDER BY position LIMIT 1`).Scan(&b.Ticket, &b.Secrets)
		if err == sql.ErrNoRows {
			return nil
		}
		if err != nil {
			return err
		}
		err = tx.QueryRowContext(ctx, `UPDATE local_job SET last_number = last_number + 1
			WHERE name = (SELECT job FROM local_build WHERE ticket = ?)
			RETURNING name, owner, description, digest, source, time_limit, last_number`, b.Ticket).
			Scan(&j.Name, &j.Owner, &j.Description, &j.digest, &j.Source, (*milliseconds)(&j.TimeLimit), &b.Number)
		if err != nil {
			return err
		}
		err = tx.QueryRowContext(ctx, `UPDATE local_build SET state = 'running', number = ?, started_at = ?, runner = ?,
			secrets = NULL WHERE ticket = ? RETURNING `+localColumns, b.Number, timestamp(now),
			runner, b.Ticket).Scan(b.fields()...)
		if err != nil {
			return err
		}
		ok = true
		return prepare(b)
	})
	return b, j, ok && err == nil, err
}

// LocalEnd is how a build ended.
type LocalEnd struct {
	Ticket    int64
	Runner    string // who had it
	State     BuildState
	Reason    i18n.Text
	EndedAt   time.Time
	Artifacts []Artifact
}

// LocalFinish ends a build that this runner has. Before it commits it calls place, which puts the artifacts where they
// belong.
// It returns false, and doesn't call it, when the build is gone or somebody else has ended it.
func (db *DB) LocalFinish(ctx context.Context, e LocalEnd, place func() error) (found bool, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE local_build SET state = ?, reason = ?, ended_at = max(?, started_at)
			WHERE ticket = ? AND runner = ? AND state = 'running'`, e.State, e.Reason, timestamp(e.EndedAt), e.Ticket, e.Runner)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); n == 0 || err != nil {
			return err
		}
		for _, a := range e.Artifacts {
			if _, err := tx.ExecContext(ctx, "INSERT INTO local_artifact (ticket, path, size, sha256) VALUES (?, ?, ?, ?)",
				e.Ticket, a.Path, a.Size, a.SHA256); err != nil {
				return err
			}
		}
		found = true
		return place()
	})
	return found && err == nil, err
}

// LocalForget forgets a build that has ended; the runner deletes its files. One that is gone is no error; one that
// runs is a FailedPrecondition.
func (db *DB) LocalForget(ctx context.Context, name string, number int) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		var b LocalBuild
		err := tx.QueryRowContext(ctx, "SELECT "+localColumns+" FROM local_build WHERE job = ? AND number = ?", name,
			number).Scan(b.fields()...)
		if err == sql.ErrNoRows {
			return nil
		}
		if err != nil {
			return err
		}
		if b.State == Running {
			return apperr.New(apperr.FailedPrecondition, "Build %d of %s is running.", "Stop it first.", number, name)
		}
		return forgetLocal(ctx, tx, b.Ticket)
	})
}

func forgetLocal(ctx context.Context, tx *sql.Tx, ticket int64) error {
	if err := discard(ctx, tx, "ticket = ?", ticket); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM local_build WHERE ticket = ?", ticket)
	return err
}

// Discard is a build of a local job whose files are to be deleted.
type Discard struct {
	Job    string
	Number int
}

// LocalDiscards returns builds whose files are to be deleted, some at a time: ask again after LocalDiscarded.
func (db *DB) LocalDiscards(ctx context.Context) (found []Discard, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		found, err = rows(ctx, tx, func(rs *sql.Rows) (d Discard, err error) {
			return d, rs.Scan(&d.Job, &d.Number)
		}, "SELECT job, number FROM local_discard LIMIT 100")
		return err
	})
	return found, err
}

// LocalDiscarded notes that a build's files are gone.
func (db *DB) LocalDiscarded(ctx context.Context, d Discard) error {
	return db.exec(ctx, "DELETE FROM local_discard WHERE job = ? AND number = ?", d.Job, d.Number)
}
