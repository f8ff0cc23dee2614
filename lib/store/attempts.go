package store

import (
	"context"
	"database/sql"
	"fmt"
	"net/netip"
	"time"

	"toaster.do/lib/fault"
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
}

// Guesses are the rates for what somebody could find by trying: a person who mistypes doesn't meet them, and who
// goes on is slowed.
var Guesses = []Rate{{5, 10 * time.Second}, {15, 5 * time.Minute}, {60, time.Hour}}

// Letters are the rates for what sends somebody a mail whenever it is asked for.
var Letters = []Rate{{2, time.Minute}, {5, time.Hour}}

// Checks are the rates for what is asked for while one types, each time that one pauses for longer than half a second.
var Checks = []Rate{{120, time.Minute}}

// counted is how long a try is kept: no rate spans more.
const counted = time.Hour

// Try counts one try for each limit, if all of them still allow it, and returns the tries' ids. Otherwise nothing is
// counted, and the error is Limited; its advice says how long to wait.
func (db *DB) Try(ctx context.Context, now time.Time, limits ...Limit) (ids []int64, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		for _, l := range limits {
			for _, r := range l.Rates {
				if err := r.allows(ctx, tx, l.Key, now); err != nil {
					return err
				}
			}
		}
		for _, l := range limits {
			result, err := tx.ExecContext(ctx, `INSERT INTO attempt (key, at) VALUES (?, ?)`, l.Key, millis(now))
			if err != nil {
				return err
			}
			id, err := result.LastInsertId()
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return forget(ctx, tx, now)
	})
	return ids, err
}

// Tries tells how many tries of what key names count at present, up to most.
func (db *DB) Tries(ctx context.Context, now time.Time, key string, most int) (n int, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM attempt WHERE key = ? AND at > ? LIMIT ?)`,
			key, millis(now.Add(-counted)), most).Scan(&n)
	})
	return n, err
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
// Tries that lie further ahead than the span are of a clock that was set back.
func (r Rate) allows(ctx context.Context, tx *sql.Tx, key string, now time.Time) error {
	var at int64
	err := tx.QueryRowContext(ctx, `SELECT at FROM attempt WHERE key = ? AND at > ? AND at < ? ORDER BY at DESC LIMIT 1 OFFSET ?`,
		key, millis(now.Add(-r.Within)), millis(now.Add(r.Within)), r.Count-1).Scan(&at)
	if err == sql.ErrNoRows {
		return nil
	}
	if err != nil {
		return err
	}
	wait := time.UnixMilli(at).Add(r.Within).Sub(now)
	return fault.New(fault.Limited, "Too many tries.", fmt.Sprintf("Wait %d seconds, then try again.", (wait+time.Second-1)/time.Second)).In(wait)
}

// forget removes some tries that no longer count: a few more than a Try adds.
func forget(ctx context.Context, tx *sql.Tx, now time.Time) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM attempt WHERE rowid IN (SELECT rowid FROM attempt WHERE at <= ? ORDER BY at LIMIT 20)`, millis(now.Add(-counted)))
	return err
}

// Network returns the part of a network address that tells one subscriber from another: an IPv6 subscriber has at
// least a /64 to choose addresses from (RFC 6177).
func Network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if a = a.Unmap().WithZone(""); a.Is4() {
		return a.String()
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}
