package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/mattn/go-sqlite3"
)

// How long writes wait for the lock: in programs that stay and for cron, where nobody has said how long; in a request;
// and in a request as long as others get the lock and give it back, as in a crowd.
const (
	longPatience    = 2 * time.Minute
	requestPatience = 1500 * time.Millisecond
	crowdPatience   = 6 * time.Second
)

// How long a read waits: only for a database that is being recovered, or locked against readers, too.
const (
	readPatience     = time.Second // in a request
	longReadPatience = 10 * time.Second
)

const firstPause, longestPause = time.Millisecond, 100 * time.Millisecond // between two tries

type patienceKey struct{}

// patience is how long writes may still wait, nanoseconds.
type patience struct{ left atomic.Int64 }

// Patience returns a context in which all writes together wait for the lock at most d; with 0 they are tried once. What
// can't be written in time is an error of kind Unavailable.
func Patience(ctx context.Context, d time.Duration) context.Context {
	p := new(patience)
	p.left.Store(int64(d))
	return context.WithValue(ctx, patienceKey{}, p)
}

// ForRequest is Patience for an HTTP request: nobody waits for what a mere look at a page would write.
func ForRequest(ctx context.Context, reads bool) context.Context {
	if reads {
		return Patience(ctx, 0)
	}
	return Patience(ctx, requestPatience)
}

func readWait(ctx context.Context) string {
	d := longReadPatience
	if ctx.Value(patienceKey{}) != nil {
		d = readPatience
	}
	return fmt.Sprintf("_busy_timeout=%d&", d.Milliseconds())
}

// begin waits for its turn to write. It doesn't leave that to SQLite, whose turns are by chance, too, and which knows
// neither how long a request may take nor whether the lock is one process's all the time.
func (db *DB) begin(ctx context.Context) (tx *sql.Tx, err error) {
	db.wrote.Store(true)
	if tx, err = db.w.BeginTx(ctx, nil); !busy(err) {
		return tx, err
	}
	begun := time.Now()
	until, before := begun.Add(longPatience), int64(0)
	if p, ok := ctx.Value(patienceKey{}).(*patience); ok {
		left := time.Duration(p.left.Load())
		if left <= 0 {
			return nil, err
		}
		until, before = begun.Add(left), db.commits(ctx)
		defer func() { p.left.Add(-int64(time.Since(begun))) }()
	}
	for pause := firstPause; busy(err); pause = min(2*pause, longestPause) {
		if now := time.Now(); !now.Before(until) {
			commits := db.commits(ctx)
			if now.Sub(begun) >= crowdPatience || commits == before {
				break
			}
			until, before = now.Add(requestPatience), commits
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause/2 + rand.N(pause)):
		}
		tx, err = db.w.BeginTx(ctx, nil)
	}
	return tx, err
}

// commits is another number whenever another process has committed something.
func (db *DB) commits(ctx context.Context) (n int64) {
	_ = db.w.QueryRowContext(ctx, "PRAGMA data_version").Scan(&n) // 0: nothing can be told
	return n
}

func busy(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && e.Code == sqlite3.ErrBusy
}
