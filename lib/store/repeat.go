package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// repeat queues a build again that was lost, in the transaction that says so. Nobody asked for its end, it is no
// repetition itself, it was given no secrets, which it has read,
// it was asked for since the database was restored, its job may start builds, and has none that
// waits already.
func repeat(ctx context.Context, tx *sql.Tx, lost *Build, now time.Time) error {
	var owner int64
	err := tx.QueryRowContext(ctx, `SELECT user_id FROM job JOIN build ON build.job_id = job.id
		WHERE job.id = ? AND build.number = ? AND build.state = 'lost' AND build.repeats IS NULL
		AND build.with_secrets = 0
		AND job.enabled = 1 AND job.removed_at IS NULL
		AND build.queued_at >= coalesce((SELECT CAST(value AS INTEGER) FROM setting WHERE name = '`+restoredSetting+`'), 0)
		AND NOT EXISTS (SELECT 1 FROM build AS w WHERE w.job_id = job.id AND w.state = 'queued' AND w.stop_requested = 0)`,
		lost.JobID, lost.Number).Scan(&owner)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	j, err := findJob(ctx, tx, owner, lost.JobID)
	if err != nil {
		return err
	}
	b, err := enqueue(ctx, tx, j, lost.Number, now)
	if err != nil {
		return err
	}
	// It takes the place of the lost one also in what its owner has used of their limits.
	res, err := tx.ExecContext(ctx,
		"UPDATE build_start SET build = ?, started_at = NULL, ended_at = NULL WHERE job_id = ? AND build = ?",
		b.Number, lost.JobID, lost.Number)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); n > 0 || err != nil {
		return err
	}
	return count(ctx, tx, owner, b, now)
}
