package store

import (
	"context"
	"database/sql"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/i18n"
)

// Log and artifacts of a build go when its job has as many newer builds like it as are kept (those that succeeded are
// counted apart from the others), or after some days. The days of the newest that succeeded count from the job's
// last build, so that no failures let it go. What its owner keeps stays.

// ExpiredBuild is a build whose log and artifacts are kept no longer.
type ExpiredBuild struct {
	JobID, EngineName    string
	Number, EngineNumber int
	Why                  string // days or count
	Limit                int    // the number of either
}

// newerAlike counts the builds of b's job that push b out.
const newerAlike = `(SELECT count(*) FROM build n WHERE n.job_id = b.job_id AND n.finalized = 1 AND n.expired_at IS NULL
	AND n.engine_number > b.engine_number AND (n.state = 'succeeded') = (b.state = 'succeeded'))`

// inUse tells whether the lock of one of the owner's jobs has an image of the build b, as image.Locked.Archive says it.
const inUse = `EXISTS (SELECT 1 FROM job u JOIN image_lock l ON l.job_id = u.id AND l.revision = u.revision
	WHERE u.user_id = b.user_id AND u.removed_at IS NULL
	AND instr(CAST(l.images AS TEXT), '"archive": "' || b.engine_name || '/' || b.engine_number || '/') > 0)`

// ExpiredBuilds returns builds that are kept no longer, where keep of each kind are, and those whose removal was begun.
// It returns some of them; ask again after MarkExpired.
func (db *DB) ExpiredBuilds(ctx context.Context, l Limits, keep int, now time.Time) (found []ExpiredBuild, err error) {
	scan := func(rs *sql.Rows) (a ExpiredBuild, err error) {
		return a, rs.Scan(&a.JobID, &a.EngineName, &a.Number, &a.EngineNumber, &a.Why, &a.Limit)
	}
	err = db.read(ctx, func(tx *sql.Tx) error {
		found, err = rows(ctx, tx, scan, `SELECT job_id, engine_name, number, engine_number,
				iif(newer >= ?3, 'count', 'days'), iif(newer >= ?3, ?3, days)
			FROM (SELECT b.*, job.engine_name, job.user_id, coalesce(p.keep_days, ?1) AS days, `+newerAlike+` AS newer
				FROM build b JOIN job ON job.id = b.job_id JOIN user p ON p.id = job.user_id
				WHERE b.finalized = 1 AND b.expired_at IS NULL AND b.engine_number > 0 AND b.kept = 0
				AND job.removed_at IS NULL) AS b
			WHERE expiring = 1 OR (newer >= ?3 OR days > 0 AND ?2 - days * 86400000 > iif(state = 'succeeded' AND newer = 0,
				(SELECT max(coalesce(ended_at, queued_at)) FROM build n WHERE n.job_id = b.job_id), ended_at))
				AND NOT (state = 'succeeded' AND `+inUse+`)
			ORDER BY ended_at LIMIT 100`, l.KeepDays, timestamp(now), keep)
		return err
	})
	return found, err
}

// ClaimExpired claims a build that is to be removed: from now on nobody is told that it is kept. It reports false where
// its owner was faster.
func (db *DB) ClaimExpired(ctx context.Context, a ExpiredBuild) (claimed bool, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE build SET expiring = 1
			WHERE job_id = ? AND number = ? AND kept = 0 AND expired_at IS NULL`, a.JobID, a.Number)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		claimed = n == 1
		return err
	})
	return claimed, err
}

// MarkExpired notes that a build's log and artifacts are gone.
func (db *DB) MarkExpired(ctx context.Context, a ExpiredBuild, now time.Time) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM artifact WHERE job_id = ? AND build = ?`, a.JobID, a.Number)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE build SET expired_at = ?, gone_why = ?, gone_limit = ?,
			expiring = 0, kept = 0, engine_kept = 0
			WHERE job_id = ? AND number = ? AND expired_at IS NULL`, timestamp(now), a.Why, a.Limit, a.JobID, a.Number)
		return err
	})
}

// UnclaimExpired gives a claim back: the build is still there. Kept says that somebody has the engine keep it.
func (db *DB) UnclaimExpired(ctx context.Context, a ExpiredBuild, kept bool) error {
	return db.exec(ctx, `UPDATE build SET expiring = 0, kept = ?1, engine_kept = ?1 WHERE job_id = ?2 AND number = ?3`,
		kept, a.JobID, a.Number)
}

// Kept returns all builds whose log and artifacts should be there.
func (db *DB) Kept(ctx context.Context) (found []ExpiredBuild, err error) {
	scan := func(rs *sql.Rows) (a ExpiredBuild, err error) {
		return a, rs.Scan(&a.JobID, &a.EngineName, &a.Number, &a.EngineNumber)
	}
	err = db.read(ctx, func(tx *sql.Tx) error {
		found, err = rows(ctx, tx, scan, `SELECT b.job_id, job.engine_name, b.number, b.engine_number
			FROM build b JOIN job ON job.id = b.job_id
			WHERE b.finalized = 1 AND b.expired_at IS NULL AND b.engine_number > 0 AND job.removed_at IS NULL`)
		return err
	})
	return found, err
}

// SetKept notes whether an owner's build is to be kept for good. One that is gone, or just goes, is Gone. Told says
// that the engine needs not know.
func (db *DB) SetKept(ctx context.Context, owner int64, id string, number int, kept, synced bool) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		var b Build
		var expiring bool
		err := tx.QueryRowContext(ctx, "SELECT build.expiring, "+buildColumns+` FROM build JOIN job ON job.id = build.job_id
			WHERE job.id = ? AND job.user_id = ? AND job.removed_at IS NULL AND build.number = ?`, id, owner, number).
			Scan(append([]any{&expiring}, b.fields()...)...)
		if err != nil {
			return orGone(err, noBuild())
		}
		if gone := b.Gone(); gone != nil {
			return gone
		}
		if kept && expiring {
			return apperr.New(apperr.Gone, "The log and the files of this build are being deleted.",
				"Build again to create new ones.")
		}
		_, err = tx.ExecContext(ctx, `UPDATE build SET kept = ?1, engine_kept = iif(?2, ?1, engine_kept)
			WHERE job_id = ?3 AND number = ?4`, kept, synced, id, number)
		return err
	})
}

// KeptOutOfSync returns the builds of a job of which the engine knows something else than their owner wants: whether
// they are kept.
func (db *DB) KeptOutOfSync(ctx context.Context, id string) (builds []*Build, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		builds, err = rows(ctx, tx, scanBuild, "SELECT "+buildColumns+` FROM build
			WHERE job_id = ? AND kept <> engine_kept AND engine_number > 0 ORDER BY number`, id)
		return err
	})
	return builds, err
}

// SetEngineKept notes what the engine was told of a build.
func (db *DB) SetEngineKept(ctx context.Context, b *Build) error {
	return db.exec(ctx, "UPDATE build SET engine_kept = ? WHERE job_id = ? AND number = ?", b.Kept, b.JobID, b.Number)
}

// Gone is an error that says why log and artifacts of a build are gone; nil: they are not.
func (b *Build) Gone() error {
	if b.ExpiredAt.IsZero() {
		return nil
	}
	const again i18n.Key = "Build again to create new ones."
	on := i18n.Time{At: b.ExpiredAt, Layout: "2 Jan 2006"}
	switch b.GoneWhy {
	case "days":
		return apperr.New(apperr.Gone, "The log and the files of this build were deleted on %s, after %d days.", again,
			on, b.GoneLimit)
	case "backup":
		return apperr.New(apperr.Gone,
			"The log and the files of this build are not in the backup that this site was restored from on %s.",
			again, on)
	case "count":
		return apperr.New(apperr.Gone, "The log and the files of this build were deleted on %s: for each job, the newest "+
			"%d successful builds and the newest %d other builds are kept.",
			again, on, b.GoneLimit, b.GoneLimit)
	}
	return apperr.New(apperr.Gone, "The log and the files of this build were deleted on %s.", again, on)
}

// Stay is how long log and artifacts of a build stay.
type Stay struct {
	Newer  int       // until so many newer builds like it have ended; 0: until it is let go
	Until  time.Time // and no longer than this; zero: that is not limited
	Newest bool      // the newest that succeeded: the job's next build, whatever comes of it, moves Until
}

// Stays tells of each of a job's builds, newest first, whose log and artifacts are there, how long they stay.
func Stays(builds []*Build, keep, days int) map[int]Stay {
	stays := map[int]Stay{}
	newer := map[bool]int{}
	var last time.Time
	for _, b := range builds {
		for _, t := range []time.Time{b.EndedAt, b.QueuedAt} {
			if t.After(last) {
				last = t
			}
		}
	}
	for _, b := range builds {
		if !b.Finalized || !b.ExpiredAt.IsZero() || b.EngineNumber == 0 {
			continue
		}
		good := b.State == Succeeded
		s := Stay{Newer: keep - newer[good]}
		if days > 0 {
			s.Until = b.EndedAt.AddDate(0, 0, days)
			if s.Newest = good && newer[good] == 0; s.Newest {
				s.Until = last.AddDate(0, 0, days)
			}
		}
		if b.Kept {
			s = Stay{}
		}
		stays[b.Number] = s
		newer[good]++
	}
	return stays
}
