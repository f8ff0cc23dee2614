package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"toaster.do/lib/fault"
)

// Rate allows Count tries within a span of time.
type Rate struct {
	Count  int
	Within time.Duration
}

// Try counts one try of what key names, if every rate still allows it, and returns the try's id. Otherwise
// nothing is counted, and the error is Limited; its advice says how many seconds to wait.
func (db *DB) Try(ctx context.Context, key string, now time.Time, rates ...Rate) (id int64, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		for _, r := range rates {
			if err := r.allows(ctx, tx, key, now); err != nil {
				return err
			}
		}
		if err := forget(ctx, tx, now); err != nil {
			return err
		}
		result, err := tx.ExecContext(ctx, `INSERT INTO attempt (key, at) VALUES (?, ?)`, key, millis(now))
		if err != nil {
			return err
		}
		id, err = result.LastInsertId()
		return err
	})
	return id, err
}

// Forgive takes back a try that turned out to be right.
func (db *DB) Forgive(ctx context.Context, ids ...int64) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		for _, id := range ids {
			if _, err := tx.ExecContext(ctx, `DELETE FROM attempt WHERE rowid = ?`, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// allows looks at the Count-th newest try: once it is older than the span, there is room for another.
func (r Rate) allows(ctx context.Context, tx *sql.Tx, key string, now time.Time) error {
	var at int64
	err := tx.QueryRowContext(ctx, `SELECT at FROM attempt WHERE key = ? AND at > ? ORDER BY at DESC LIMIT 1 OFFSET ?`,
		key, millis(now.Add(-r.Within)), r.Count-1).Scan(&at)
	if err == sql.ErrNoRows {
		return nil
	}
	if err != nil {
		return err
	}
	wait := time.UnixMilli(at).Add(r.Within).Sub(now)
	return fault.New(fault.Limited, "Too many tries.", fmt.Sprintf("Wait %d seconds, then try again.", (wait+time.Second-1)/time.Second))
}

// counted is how long a try is kept: no rate spans more.
const counted = 24 * time.Hour

// forget removes some tries that no longer count, a bounded number at a time.
func forget(ctx context.Context, tx *sql.Tx, now time.Time) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM attempt WHERE rowid IN (SELECT rowid FROM attempt WHERE at < ? ORDER BY at LIMIT 20)`, millis(now.Add(-counted)))
	return err
}
