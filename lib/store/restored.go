package store

import (
	"context"
	"database/sql"
	"time"

	"toaster.do/lib/i18n"
)

// Held is a job whose builds were under way when a backup was made.
type Held struct {
	Job   *Job
	Owner string // the address
}

// restoredSetting is when the database was restored, Unix milliseconds.
const restoredSetting = "restored"

// Hold has nothing that was under way in a restored database begin again by itself, as the site that the backup was
// made of may still do it: builds that waited are lost, those that ran, too, unless the engine is elsewhere and may
// still know them; emails and the messages of hooks are not sent. It returns the jobs that have such builds, and the number of emails.
func (db *DB) Hold(ctx context.Context, elsewhere bool, now time.Time) (held []Held, emails int, err error) {
	scan := func(rs *sql.Rows) (h Held, err error) {
		h.Job = new(Job)
		return h, rs.Scan(&h.Job.ID, &h.Job.Name, &h.Owner)
	}
	const (
		waited i18n.Key = "This site was restored from a backup while the build was queued. The build was not started again."
		ran    i18n.Key = "This site was restored from a backup while the build was running. The build was not started again."
	)
	err = db.write(ctx, func(tx *sql.Tx) error {
		var err error
		if held, err = rows(ctx, tx, scan, `SELECT DISTINCT job.id, job.name, p.email
			FROM job JOIN build b ON b.job_id = job.id JOIN user p ON p.id = job.user_id
			WHERE job.removed_at IS NULL AND b.state IN ('queued', 'running')
			AND NOT (?1 AND b.state = 'running' AND b.engine_number > 0)
			ORDER BY p.email, job.name, job.id`, elsewhere); err != nil {
			return err
		}
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM outbox").Scan(&emails); err != nil {
			return err
		}
		for _, statement := range []string{
			`UPDATE build_start AS s SET ended_at = max(coalesce(started_at, ?1), ?1)
				WHERE ended_at IS NULL AND EXISTS (SELECT 1 FROM build b WHERE b.job_id = s.job_id AND b.number = s.build
				AND b.state IN ('queued', 'running')
				AND NOT (?2 AND b.state = 'running' AND b.engine_number > 0))`,
			`UPDATE build SET reason = iif(state = 'queued', ?3, ?4), state = 'lost', finalized = 1, position = 0, fetching = 0,
				ended_at = max(coalesce(started_at, queued_at), ?1)
				WHERE state IN ('queued', 'running') AND NOT (?2 AND state = 'running' AND engine_number > 0)`,
			`DELETE FROM local_build WHERE state = 'queued'`,
			`UPDATE local_build SET state = 'lost', reason = ?4, ended_at = max(started_at, ?1) WHERE state = 'running'`,
			`UPDATE build SET notified = 1 WHERE notified = 0`,
			`DELETE FROM outbox`,
			`UPDATE hook_message SET next_at = NULL`,
		} {
			if _, err := tx.ExecContext(ctx, statement, timestamp(now), elsewhere, i18n.T(waited),
				i18n.T(ran)); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO setting (name, value) VALUES (?, ?)
			ON CONFLICT DO UPDATE SET value = excluded.value`,
			restoredSetting, timestamp(now))
		return err
	})
	return held, emails, err
}
