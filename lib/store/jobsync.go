package store

import (
	"context"
	"database/sql"
	"time"

	"toaster.do/lib/i18n"
)

// UnfinishedJobs returns the jobs of which something has still to be told to the engine, or asked from it,
// whoever owns them.
func (db *DB) UnfinishedJobs(ctx context.Context) (jobs []*Job, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		jobs, err = rows(ctx, tx, scanJob, "SELECT "+jobColumns+", "+buildColumns+" FROM job"+withLast+` WHERE
			job.removed_at IS NOT NULL OR job.engine_revision < job.revision OR job.engine_enabled <> job.enabled
			OR EXISTS (SELECT 1 FROM build b WHERE b.job_id = job.id AND (b.finalized = 0 OR b.kept <> b.engine_kept))
			ORDER BY job.created_at`)
		return err
	})
	return jobs, err
}

// Readdress has the engine given the jobs again that have a build context, when mark, of the addresses that agents get
// those at, is another than at the last call.
func (db *DB) Readdress(ctx context.Context, mark string) error {
	const name = "contexts.addresses"
	if known, err := db.Setting(ctx, name); err != nil || known == mark {
		return err
	}
	return db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE job SET engine_revision = 0 WHERE removed_at IS NULL AND EXISTS (SELECT 1
			FROM revision r WHERE r.job_id = job.id AND r.number = job.engine_revision AND r.context <> '')`)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO setting (name, value) VALUES (?, ?) "+
			"ON CONFLICT DO UPDATE SET value = excluded.value", name, mark)
		return err
	})
}

// DeleteJob deletes a removed job for good, with its revisions and builds. What ran of it has run until now.
func (db *DB) DeleteJob(ctx context.Context, id string, now time.Time) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx,
			`UPDATE build_start SET ended_at = max(started_at, ?)
			WHERE job_id = ? AND started_at IS NOT NULL AND ended_at IS NULL`,
			timestamp(now), id)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM job WHERE id = ? AND removed_at IS NOT NULL", id)
		return err
	})
}

// SetEngineRevision notes that the engine has a revision of the job. Builds that wait will be made from it.
func (db *DB) SetEngineRevision(ctx context.Context, id string, revision int) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE job SET engine_revision = ?, engine_error = '' WHERE id = ?", revision,
			id); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "UPDATE build SET revision = ? WHERE job_id = ? AND state = 'queued'", revision, id)
		return err
	})
}

// ClearEngineRevision notes that the engine no longer has the job: it must be defined again.
func (db *DB) ClearEngineRevision(ctx context.Context, id string) error {
	return db.exec(ctx, "UPDATE job SET engine_revision = 0, engine_enabled = 1 WHERE id = ?", id)
}

// SetEngineEnabled notes what the engine was told.
func (db *DB) SetEngineEnabled(ctx context.Context, id string, enabled bool) error {
	return db.exec(ctx, "UPDATE job SET engine_enabled = ? WHERE id = ?", enabled, id)
}

// SetEngineError notes why the engine refused what was asked of it.
func (db *DB) SetEngineError(ctx context.Context, id string, message i18n.Text) error {
	return db.exec(ctx, "UPDATE job SET engine_error = ? WHERE id = ?", message, id)
}

// exec runs one statement in a transaction of its own.
func (db *DB) exec(ctx context.Context, statement string, args ...any) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, statement, args...)
		return err
	})
}
