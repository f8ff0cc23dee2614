package store

import (
	"context"
	"database/sql"
	"time"
)

// wanted tells of a row of build whether its job's owner wants an email about its end. What somebody stopped is no news
// to them, nor what is built again.
const wanted = `(NOT EXISTS (SELECT 1 FROM build AS r WHERE r.job_id = build.job_id AND r.repeats = build.number)
	AND coalesce((SELECT p.notify = 'always' AND build.state <> 'aborted' OR p.notify = 'failure'
	AND build.state IN ('failed', 'lost')
	FROM job j JOIN user p ON p.id = j.user_id WHERE j.id = build.job_id AND p.state = 'active'), 0))`

// Ended is a build whose owner wants an email about its end.
type Ended struct {
	Job   *Job
	Build *Build
	Owner string     // the address
	Files []Artifact // that it left, the largest first
}

// Unnotified returns builds whose owners are still to get an email, the oldest first.
func (db *DB) Unnotified(ctx context.Context, most int) (found []Ended, err error) {
	scan := func(rs *sql.Rows) (e Ended, err error) {
		e.Job, e.Build = new(Job), new(Build)
		return e, rs.Scan(append([]any{&e.Owner, &e.Job.ID, &e.Job.UserID, &e.Job.Name, &e.Job.TargetTitle}, e.Build.fields()...)...)
	}
	err = db.read(ctx, func(tx *sql.Tx) error {
		found, err = rows(ctx, tx, scan, `SELECT p.email, job.id, job.user_id, job.name, `+targetTitle+`, `+buildColumns+` FROM build
			JOIN job ON job.id = build.job_id JOIN user p ON p.id = job.user_id
			WHERE build.notified = 0 AND job.removed_at IS NULL ORDER BY build.ended_at LIMIT ?`, most)
		if err != nil {
			return err
		}
		for i, e := range found {
			if found[i].Files, err = rows(ctx, tx, scanArtifact,
				`SELECT path, size, sha256 FROM artifact WHERE job_id = ? AND build = ? ORDER BY size DESC, path LIMIT 20`,
				e.Job.ID, e.Build.Number); err != nil {
				return err
			}
		}
		return nil
	})
	return found, err
}

// Notified posts the email about a build's end, once, whoever else tries. An email without a recipient is none.
func (db *DB) Notified(ctx context.Context, b *Build, now time.Time, l Mail) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, `UPDATE build SET notified = 1 WHERE job_id = ? AND number = ? AND notified = 0`,
			b.JobID, b.Number)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return err
		}
		_, err = queueMail(ctx, tx, now, l)
		return err
	})
}

func scanArtifact(rs *sql.Rows) (a Artifact, err error) {
	return a, rs.Scan(&a.Path, &a.Size, &a.SHA256)
}
