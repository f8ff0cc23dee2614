package store

import (
	"context"
	"database/sql"
	"time"

	"toaster.do/lib/apperr"
)

// Rate allows Count tries within a span of time.
type Rate struct {
	Count  int
	Within time.Duration
}

// Limit is the rates for tries of what Key names.
type Limit struct {
	Key   string
	Rates []Rate

	// InARow is how many tries may fail one after the other, however slowly; 0: any number. They count for a
	// user's log-in, say, until that succeeds: see Succeeded.
	InARow int
	UserID int64 // whose tries in a row they are; 0: nobody's, who are forgotten in the end
	What   string
}

// Guesses are the rates for what somebody could find by trying: a user who mistypes doesn't meet them, and who
// goes on is slowed.
var Guesses = []Rate{{5, 10 * time.Second}, {15, 5 * time.Minute}, {60, time.Hour}}

// MailRates are the rates for what sends somebody an email whenever it is asked for.
var MailRates = []Rate{{2, time.Minute}, {5, time.Hour}}

// Checks are the rates for what is asked for while one types, each time that one pauses for longer than half a second.
var Checks = []Rate{{120, time.Minute}}

// LookUps are the rates for what asks registries, whose addresses a user types.
var LookUps = []Rate{{30, time.Minute}, {300, time.Hour}}

// counted is how long a try is kept: no rate spans more.
const counted = time.Hour

// Tried is what Try has counted.
type Tried struct {
	ids    []int64
	inARow []string
}

// Try counts one try for each limit, if all of them still allow it. Otherwise nothing is counted, and the error is
// RateLimited, with advice that says how long to wait; or PermissionDenied, where too many have failed in a row, which
// no waiting changes.
func (db *DB) Try(ctx context.Context, now time.Time, limits ...Limit) (t Tried, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		for _, l := range limits {
			for _, r := range l.Rates {
				if err := r.allows(ctx, tx, l.Key, now); err != nil {
					return err
				}
			}
		}
		for _, l := range limits {
			if err := t.count(ctx, tx, l, now); err != nil {
				return err
			}
		}
		return forget(ctx, tx, now)
	})
	return t, err
}

func (t *Tried) count(ctx context.Context, tx *sql.Tx, l Limit, now time.Time) error {
	if l.InARow > 0 {
		t.inARow = append(t.inARow, l.Key)
		r, err := tx.ExecContext(ctx,
			`INSERT INTO failure (key, user_id, what, count, at) VALUES (?, ?, ?, 1, ?)
			ON CONFLICT DO UPDATE SET count = count + 1, at = excluded.at WHERE count < ?`, l.Key, null(l.UserID), l.What,
			timestamp(now), l.InARow)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 1 {
			return err
		}
		return apperr.New(apperr.PermissionDenied, "Too many failed attempts.", "Ask the administrator.")
	}
	r, err := tx.ExecContext(ctx, `INSERT INTO rate_limit_event (key, at) VALUES (?, ?)`, l.Key, timestamp(now))
	if err != nil {
		return err
	}
	id, err := r.LastInsertId()
	t.ids = append(t.ids, id)
	return err
}

// Tries tells how many tries of what key names count at present, up to most.
func (db *DB) Tries(ctx context.Context, now time.Time, key string, most int) (n int, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx,
			`SELECT count(*) FROM (SELECT 1 FROM rate_limit_event WHERE key = ? AND at > ? LIMIT ?)`,
			key, timestamp(now.Add(-counted)), most).Scan(&n)
	})
	return n, err
}

// Forgive takes back a try that was not wrong.
func (db *DB) Forgive(ctx context.Context, t Tried) error {
	return db.write(ctx, func(tx *sql.Tx) error { return t.forgive(ctx, tx) })
}

// Succeeded is Forgive for what a user does who knows the right password or code: none has failed in a row any
// more.
func (db *DB) Succeeded(ctx context.Context, user int64, what string, t Tried) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if err := t.forgive(ctx, tx); err != nil {
			return err
		}
		return endRow(ctx, tx, user, what)
	})
}

func (t Tried) forgive(ctx context.Context, tx *sql.Tx) error {
	for _, id := range t.ids {
		if _, err := tx.ExecContext(ctx, `DELETE FROM rate_limit_event WHERE rowid = ?`, id); err != nil {
			return err
		}
	}
	for _, key := range t.inARow {
		if _, err := tx.ExecContext(ctx, `UPDATE failure SET count = count - 1 WHERE key = ? AND count > 0`,
			key); err != nil {
			return err
		}
	}
	return nil
}

func endRow(ctx context.Context, tx *sql.Tx, user int64, what string) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM failure WHERE user_id = ? AND what = ?`, user, what)
	return err
}

// allows looks at the Count-th newest try: once it is older than the span, there is room for another.
// Tries that lie further ahead than the span are of a clock that was set back.
func (r Rate) allows(ctx context.Context, tx *sql.Tx, key string, now time.Time) error {
	var at time.Time
	err := tx.QueryRowContext(ctx,
		`SELECT at FROM rate_limit_event WHERE key = ? AND at > ? AND at < ? ORDER BY at DESC LIMIT 1 OFFSET ?`,
		key, timestamp(now.Add(-r.Within)), timestamp(now.Add(r.Within)), r.Count-1).Scan((*timestamp)(&at))
	if err == sql.ErrNoRows {
		return nil
	}
	if err != nil {
		return err
	}
	wait := at.Add(r.Within).Sub(now)
	return apperr.New(apperr.RateLimited, "Too many attempts.",
		"Wait %d seconds, then try again.", (wait+time.Second-1)/time.Second).In(wait)
}

// forget removes some tries that no longer count: a few more than a Try adds.
func forget(ctx context.Context, tx *sql.Tx, now time.Time) error {
	_, err := tx.ExecContext(ctx,
		`DELETE FROM rate_limit_event WHERE rowid IN
			(SELECT rowid FROM rate_limit_event WHERE at <= ? ORDER BY at LIMIT 20)`, timestamp(now.Add(-counted)))
	return err
}
