package store

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"time"
)

// Stats counts what the site has.
type Stats struct {
	Users    map[UserState]int
	Jobs     int
	Builds   map[BuildState]int // those that are listed
	Day      map[BuildState]int // those that were asked for in the last 24 hours
	Sessions int                // that were used in the last hour
	Tokens   int
	Bytes    int64     // of artifacts
	Waiting  time.Time // since when the oldest queued build waits; zero: none does
}

// Stats counts what the site has.
func (db *DB) Stats(ctx context.Context, now time.Time) (c Stats, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		var errs [3]error
		c.Users, errs[0] = counts[UserState](ctx, tx, "user WHERE removed_at IS NULL")
		c.Builds, errs[1] = counts[BuildState](ctx, tx, "build")
		c.Day, errs[2] = counts[BuildState](ctx, tx, "build WHERE queued_at > ?", timestamp(now.Add(-daily)))
		if err := errors.Join(errs[:]...); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM job WHERE removed_at IS NULL),
			(SELECT count(*) FROM session WHERE ended_at IS NULL AND expires_at > ?1 AND seen_at > ?2),
			(SELECT count(*) FROM token), (SELECT coalesce(sum(size), 0) FROM artifact),
			(SELECT min(queued_at) FROM build WHERE state = 'queued')`,
			timestamp(now), timestamp(now.Add(-time.Hour))).
			Scan(&c.Jobs, &c.Sessions, &c.Tokens, &c.Bytes, (*timestamp)(&c.Waiting))
	})
	return c, err
}

// counts tells how many rows there are in each state.
func counts[S ~string](ctx context.Context, tx *sql.Tx, from string, args ...any) (map[S]int, error) {
	rs, err := tx.QueryContext(ctx, "SELECT state, count(*) FROM "+from+" GROUP BY state", args...)
	if err != nil {
		return nil, err
	}
	defer rs.Close()
	m := map[S]int{}
	for rs.Next() {
		var state S
		var n int
		if err := rs.Scan(&state, &n); err != nil {
			return nil, err
		}
		m[state] = n
	}
	return m, rs.Err()
}

// Size returns how many bytes the database takes, with what waits in its write-ahead log.
func (db *DB) Size() (n int64, err error) {
	for _, suffix := range []string{"", "-wal"} {
		fi, err := os.Stat(db.path + suffix)
		if err == nil {
			n += fi.Size()
		} else if suffix == "" || !os.IsNotExist(err) {
			return 0, err
		}
	}
	return n, nil
}

// Check reads the whole database and returns what is wrong with it; nothing: all is well (SQLite: PRAGMA quick_check).
func (db *DB) Check(ctx context.Context) (wrong []string, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		wrong, err = rows(ctx, tx, func(rs *sql.Rows) (line string, err error) { return line, rs.Scan(&line) },
			"PRAGMA quick_check(10)")
		return err
	})
	if len(wrong) == 1 && wrong[0] == "ok" {
		wrong = nil
	}
	return wrong, err
}
