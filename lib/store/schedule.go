package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"toaster.do/lib/i18n"
)

// Every is how often a job is built by itself.
type Every string

const (
	Never      Every = ""
	EveryDay   Every = "day"
	EveryWeek  Every = "week"
	EveryMonth Every = "month"
)

// Valid tells whether there is such a choice.
func (e Every) Valid() bool { return e == Never || e == EveryDay || e == EveryWeek || e == EveryMonth }

// Schedule is when a job is built by itself.
type Schedule struct {
	Every   Every // Never: it isn't
	NextAt  time.Time
	Problem i18n.Text // why it was not built last time
}

// Schedule returns that of an owner's job.
func (db *DB) Schedule(ctx context.Context, owner int64, id string) (s Schedule, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT every, next_at, problem FROM schedule s JOIN job ON job.id = s.job_id
			WHERE job.id = ? AND job.user_id = ? AND job.removed_at IS NULL`, id, owner).Scan(&s.Every,
			(*timestamp)(&s.NextAt), &s.Problem)
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return s, err
}

func (s Schedule) put(ctx context.Context, tx *sql.Tx, id string) error {
	if s.Every == Never {
		_, err := tx.ExecContext(ctx, "DELETE FROM schedule WHERE job_id = ?", id)
		return err
	}
	// One that stays keeps its time.
	_, err := tx.ExecContext(ctx, `INSERT INTO schedule (job_id, every, next_at) VALUES (?, ?, ?)
		ON CONFLICT DO UPDATE SET next_at = iif(every = excluded.every, next_at, excluded.next_at), every = excluded.every`,
		id, s.Every, timestamp(s.NextAt))
	return err
}

// Due is a job that its schedule is to build now.
type Due struct {
	JobID    string
	Owner    int64
	Failures int // builds that the schedule queued and that failed, since one of the job succeeded
	Schedule
}

// DueSchedules returns the enabled jobs that are to be built now, the oldest first.
func (db *DB) DueSchedules(ctx context.Context, now time.Time, most int) (due []Due, err error) {
	scan := func(rs *sql.Rows) (d Due, err error) {
		return d, rs.Scan(&d.JobID, &d.Owner, &d.Every, (*timestamp)(&d.NextAt), &d.Problem, &d.Failures)
	}
	err = db.read(ctx, func(tx *sql.Tx) error {
		due, err = rows(ctx, tx, scan, `SELECT s.job_id, job.user_id, s.every, s.next_at, s.problem, (
			SELECT count(*) FROM build b WHERE b.job_id = s.job_id AND b.scheduled = 1 AND b.state IN ('failed', 'lost')
				AND b.number > (SELECT coalesce(max(number), 0) FROM build g WHERE g.job_id = s.job_id AND g.state = 'succeeded'))
			FROM schedule s JOIN job ON job.id = s.job_id JOIN user ON user.id = job.user_id
			WHERE s.next_at <= ? AND job.removed_at IS NULL AND job.enabled = 1 AND user.state = 'active'
			ORDER BY s.next_at, s.job_id LIMIT ?`, timestamp(now), most)
		return err
	})
	return due, err
}

// TakeDue moves a schedule on to another time, once, whoever else tries: taken is false for the others. It is tried again
// then, if nobody calls SettleDue before.
func (db *DB) TakeDue(ctx context.Context, d Due, again time.Time) (taken bool, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "UPDATE schedule SET next_at = ? WHERE job_id = ? AND next_at = ?",
			timestamp(again), d.JobID, timestamp(d.NextAt))
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		taken = n > 0
		return err
	})
	return taken, err
}

// SettleDue ends what TakeDue has begun: unless the owner has changed the schedule meanwhile, its next time is that one
// instead of taken, and problem why the job was not built, or none.
func (db *DB) SettleDue(ctx context.Context, id string, taken, next time.Time, problem i18n.Text) error {
	return db.exec(ctx, "UPDATE schedule SET next_at = ?, problem = ? WHERE job_id = ? AND next_at = ?", timestamp(next),
		problem, id, timestamp(taken))
}

// SetScheduled notes that a build was queued by its job's schedule.
func (db *DB) SetScheduled(ctx context.Context, b *Build) error {
	return db.exec(ctx, "UPDATE build SET scheduled = 1 WHERE job_id = ? AND number = ?", b.JobID, b.Number)
}
