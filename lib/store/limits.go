package store

import (
	"context"
	"database/sql"
	"fmt"
	"sort"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/i18n"
)

// Limits are what a user's builds may take, where nothing else is set for the user, and what may wait. 0: no limit.
type Limits struct {
	Running  int   // builds queued or running at once
	Daily    int   // builds started in 24 hours
	Minutes  int   // of building in 24 hours, checked before a build starts
	Bytes    int64 // of artifacts that are kept
	KeepDays int   // how long log and artifacts are kept
	Queue    int   // builds of all users that wait
}

// For returns the limits that hold for a user.
func (l Limits) For(p *User) Limits {
	if p.MaxRunning >= 0 {
		l.Running = p.MaxRunning
	}
	if p.MaxDaily >= 0 {
		l.Daily = p.MaxDaily
	}
	if p.MaxMinutes >= 0 {
		l.Minutes = p.MaxMinutes
	}
	if p.MaxBytes >= 0 {
		l.Bytes = p.MaxBytes
	}
	if p.KeepDays >= 0 {
		l.KeepDays = p.KeepDays
	}
	return l
}

// Usage is how much of their limits a user has taken.
type Usage struct {
	Jobs, Running, Daily int
	Minutes              int // of building in 24 hours
	Bytes                int64
}

const daily = 24 * time.Hour

// Usage tells what a user has.
func (db *DB) Usage(ctx context.Context, user int64, now time.Time) (u Usage, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		ran, err := built(ctx, tx, user, now)
		if err != nil {
			return err
		}
		u.Minutes = int(ran.since(now.Add(-daily)) / time.Minute)
		return tx.QueryRowContext(ctx, `SELECT
			(SELECT count(*) FROM job WHERE user_id = ?1 AND removed_at IS NULL), (`+running+`),
			(SELECT count(*) FROM build_start WHERE user_id = ?1 AND queued_at > ?2), (`+taken+`)`,
			user, timestamp(now.Add(-daily))).Scan(&u.Jobs, &u.Running, &u.Daily, &u.Bytes)
	})
	return u, err
}

// Builds of a job that was removed count as long as they run.
const (
	running = `SELECT count(*) FROM build JOIN job ON job.id = build.job_id
		WHERE build.state IN ('queued', 'running') AND job.user_id = ?1`
	taken = `SELECT coalesce(sum(size), 0) FROM artifact JOIN job ON job.id = artifact.job_id
		WHERE job.user_id = ?1 AND job.removed_at IS NULL`
)

// admit tells whether a user may start one more build.
func (l Limits) admit(ctx context.Context, tx *sql.Tx, user int64, now time.Time) error {
	var p User
	if err := tx.QueryRowContext(ctx, "SELECT "+userColumns+" FROM user p WHERE p.id = ?",
		user).Scan(p.fields()...); err != nil {
		return missing(err, "This account does not exist.")
	}
	l = l.For(&p)
	for _, check := range []func(context.Context, *sql.Tx, int64, time.Time) error{l.atOnce, l.aDay, l.minutes,
		l.space, l.queue} {
		if err := check(ctx, tx, user, now); err != nil {
			return err
		}
	}
	return nil
}

// count notes that a build was asked for, and forgets those that no longer count.
func count(ctx context.Context, tx *sql.Tx, user int64, b *Build, now time.Time) error {
	if _, err := tx.ExecContext(ctx,
		`DELETE FROM build_start AS s WHERE user_id = ?1 AND queued_at <= ?2 AND coalesce(ended_at, queued_at) <= ?2
		AND (started_at IS NULL OR ended_at IS NOT NULL)
		AND NOT EXISTS (SELECT 1 FROM build WHERE build.job_id = s.job_id AND number = s.build
			AND state IN ('queued', 'running'))`, user, timestamp(now.Add(-daily))); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO build_start (user_id, queued_at, job_id, build) VALUES (?, ?, ?, ?)`, user,
		timestamp(now), b.JobID, b.Number)
	return err
}

// ran counts a build's time, as far as the engine has told it.
func ran(ctx context.Context, tx *sql.Tx, b *Build) error {
	if b.StartedAt.IsZero() {
		return nil
	}
	_, err := tx.ExecContext(ctx, `UPDATE build_start SET started_at = ?, ended_at = ? WHERE job_id = ? AND build = ?`,
		timestamp(b.StartedAt), timestamp(b.EndedAt), b.JobID, b.Number)
	return err
}

func (l Limits) atOnce(ctx context.Context, tx *sql.Tx, user int64, _ time.Time) error {
	var n int
	if err := tx.QueryRowContext(ctx, running, user).Scan(&n); err != nil || l.Running == 0 || n < l.Running {
		return err
	}
	return apperr.New(apperr.ResourceExhausted,
		"You have %d builds queued or running. Your limit is %d.",
		"Wait until one has finished, or stop one.", n, l.Running)
}

func (l Limits) aDay(ctx context.Context, tx *sql.Tx, user int64, now time.Time) error {
	if l.Daily == 0 {
		return nil
	}
	var at time.Time
	err := tx.QueryRowContext(ctx, `SELECT queued_at FROM build_start
		WHERE user_id = ? AND queued_at > ? AND queued_at < ? ORDER BY queued_at DESC LIMIT 1 OFFSET ?`,
		user, timestamp(now.Add(-daily)), timestamp(now.Add(daily)), l.Daily-1).Scan((*timestamp)(&at))
	if err == sql.ErrNoRows {
		return nil
	}
	if err != nil {
		return err
	}
	free := at.Add(daily)
	return apperr.New(apperr.ResourceExhausted,
		"You have started %d builds in the last 24 hours, which is your limit.",
		"You can start the next one on %s.", l.Daily, i18n.Time{At: free,
			Layout: "2 Jan 2006, 15:04:05 UTC"}).In(free.Sub(now))
}

func (l Limits) space(ctx context.Context, tx *sql.Tx, user int64, _ time.Time) error {
	var n int64
	if err := tx.QueryRowContext(ctx, taken, user).Scan(&n); err != nil || l.Bytes == 0 || n < l.Bytes {
		return err
	}
	var name string
	var most int64
	err := tx.QueryRowContext(ctx, `SELECT job.name, sum(size) AS bytes FROM artifact JOIN job ON job.id = artifact.job_id
		WHERE job.user_id = ? AND job.removed_at IS NULL GROUP BY job.id ORDER BY bytes DESC
		LIMIT 1`, user).Scan(&name, &most)
	if err != nil && err != sql.ErrNoRows {
		return err
	}
	advice := i18n.T("Delete a job that you no longer need: “%s” uses %s.", name, size(most))
	if l.KeepDays > 0 {
		advice = i18n.T("%s Files are deleted automatically after %d days.", advice, l.KeepDays)
	}
	return apperr.New(apperr.ResourceExhausted,
		"The files of your builds take %s. Your limit is %s.", "%s", size(n), size(l.Bytes), advice)
}

func (l Limits) minutes(ctx context.Context, tx *sql.Tx, user int64, now time.Time) error {
	if l.Minutes == 0 {
		return nil
	}
	ran, err := built(ctx, tx, user, now)
	most := time.Duration(l.Minutes) * time.Minute
	if err != nil || ran.since(now.Add(-daily)) < most {
		return err
	}
	free := ran.below(most, now).Add(daily)
	return apperr.New(apperr.ResourceExhausted,
		"Your builds took %d minutes in the last 24 hours, which is your limit.",
		"You can start the next one on %s.", l.Minutes, i18n.Time{At: free,
			Layout: "2 Jan 2006, 15:04:05 UTC"}).In(free.Sub(now))
}

// spans are times in which builds ran.
type spans [][2]time.Time

// built returns when a user's builds ran that count today. Those that run still end now.
func built(ctx context.Context, tx *sql.Tx, user int64, now time.Time) (spans, error) {
	return rows(ctx, tx, func(rs *sql.Rows) (s [2]time.Time, err error) {
		return s, rs.Scan((*timestamp)(&s[0]), (*timestamp)(&s[1]))
	}, `SELECT started_at, min(coalesce(ended_at, ?2), ?2) FROM build_start
		WHERE user_id = ?1 AND started_at IS NOT NULL AND coalesce(ended_at, ?2) > ?3`,
		user, timestamp(now), timestamp(now.Add(-daily)))
}

// since is how long builds ran after a time.
func (s spans) since(t time.Time) (sum time.Duration) {
	for _, span := range s {
		if span[0].Before(t) {
			span[0] = t
		}
		sum += max(0, span[1].Sub(span[0]))
	}
	return sum
}

// below is the first time after which builds ran for less than most.
func (s spans) below(most time.Duration, now time.Time) time.Time {
	n := sort.Search(int(daily/time.Second), func(i int) bool {
		return s.since(now.Add(-daily).Add(time.Duration(i)*time.Second)) < most
	})
	return now.Add(-daily).Add(time.Duration(n) * time.Second)
}

// checkSourceQuota is ResourceExhausted where the sources of a user's jobs, what was just stored among them, take more
// than most bytes.
func checkSourceQuota(ctx context.Context, tx *sql.Tx, user, most int64) error {
	var n int64
	const bytes = `sum(length(r.dockerfile) + coalesce(length(l.images), 0))`
	const sources = ` FROM revision r JOIN job ON job.id = r.job_id LEFT JOIN image_lock l ON l.job_id = r.job_id
		AND l.revision = r.number WHERE job.user_id = ? AND job.removed_at IS NULL`
	err := tx.QueryRowContext(ctx, `SELECT coalesce(`+bytes+`, 0)`+sources, user).Scan(&n)
	if err != nil || most == 0 || n <= most {
		return err
	}
	var name string
	var largest int64
	err = tx.QueryRowContext(ctx, `SELECT job.name, `+bytes+` AS bytes`+sources+`
		GROUP BY job.id ORDER BY bytes DESC LIMIT 1`, user).Scan(&name, &largest)
	if err != nil {
		return err
	}
	return apperr.New(apperr.ResourceExhausted,
		"The Dockerfiles of all built revisions of your jobs would take %s. Your limit is %s.",
		"Delete a job that you no longer need, or create it again: “%s” uses %s.", size(n), size(most), name, size(largest))
}

func (l Limits) queue(ctx context.Context, tx *sql.Tx, _ int64, _ time.Time) error {
	var n int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM build WHERE state = 'queued'`).Scan(&n)
	if err != nil || l.Queue == 0 || n < l.Queue {
		return err
	}
	return apperr.New(apperr.Unavailable,
		"%d builds are queued, and this site takes no more at the moment.",
		"Try again in a few minutes. Your job is saved.", n).In(5 * time.Minute)
}

// size writes a number of bytes for people.
func size(n int64) string {
	switch {
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}
