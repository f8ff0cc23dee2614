package store

import (
	"context"
	"database/sql"
	"errors"
)

// What a user shows to programs that can't log in: a feed of their builds, and badges of single jobs.

// Feed returns which secret address a user's feed has; 0: it is off, or there is no such active user.
func (db *DB) Feed(ctx context.Context, user int64) (n int64, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, "SELECT feed FROM user WHERE id = ? AND state = 'active'", user).Scan(&n)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n, err
}

// SetFeed gives a user's feed an address that it never had, or takes it away.
func (db *DB) SetFeed(ctx context.Context, user int64, on bool) error {
	// Addresses are counted on while the feed is off, too: the sign says whether it is on.
	statement := "UPDATE user SET feed = -abs(feed) WHERE id = ?"
	if on {
		statement = "UPDATE user SET feed = abs(feed) + 1 WHERE id = ?"
	}
	return db.exec(ctx, statement, user)
}

// FeedItem is a build of a feed.
type FeedItem struct {
	Job   *Job // without its newest build
	Build *Build
}

// RecentBuilds returns the newest builds of all of a user's jobs, newest first.
func (db *DB) RecentBuilds(ctx context.Context, user int64, limit int) (items []FeedItem, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		items, err = rows(ctx, tx, func(rs *sql.Rows) (FeedItem, error) {
			j, err := scanJob(rs)
			if err != nil {
				return FeedItem{}, err
			}
			item := FeedItem{Job: j, Build: j.Last}
			j.Last = nil
			return item, nil
		}, "SELECT "+jobColumns+", "+buildColumns+` FROM job JOIN build ON build.job_id = job.id
			WHERE job.user_id = ? AND job.removed_at IS NULL ORDER BY
			coalesce(build.ended_at, build.queued_at) DESC, build.number DESC LIMIT ?`, user, limit)
		return err
	})
	return items, err
}

// Badge returns the state of a job's newest build that has ended, NeverBuilt before the first. A job whose badge is not
// public, or whose owner is suspended, is NotFound, like one that is not there.
func (db *DB) Badge(ctx context.Context, id string) (state BuildState, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT coalesce((SELECT state FROM build WHERE job_id = job.id
			AND state NOT IN ('queued', 'running') ORDER BY number DESC LIMIT 1), 'new')
			FROM job WHERE id = ? AND badge = 1 AND removed_at IS NULL AND (SELECT state FROM user
			WHERE id = job.user_id) = 'active'`, id).Scan(&state)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return "", noJob()
	}
	return state, err
}

// SetBadge makes the badge of an owner's job public, or not.
func (db *DB) SetBadge(ctx context.Context, owner int64, id string, public bool) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if _, err := findJob(ctx, tx, owner, id); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "UPDATE job SET badge = ? WHERE id = ? AND user_id = ?", public, id, owner)
		return err
	})
}

// OpenRevisions returns a job's owner, and the revisions of which an engine may be making its queued or running builds:
// their own, what the engine has, and the newest, which it may just be given. None: no build is open, or the job is not
// there.
func (db *DB) OpenRevisions(ctx context.Context, id string) (owner int64, revisions []int, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `WITH open AS (SELECT revision FROM build WHERE job_id = ?1
			AND state IN ('queued', 'running'))
			SELECT user_id, o.revision FROM job, (SELECT revision FROM open UNION SELECT engine_revision FROM job WHERE id = ?1
			UNION SELECT revision FROM job WHERE id = ?1) AS o
			WHERE id = ?1 AND removed_at IS NULL AND o.revision > 0 AND EXISTS (SELECT 1 FROM open) ORDER BY o.revision`, id)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var n int
			if err := rows.Scan(&owner, &n); err != nil {
				return err
			}
			revisions = append(revisions, n)
		}
		return rows.Err()
	})
	return owner, revisions, err
}
