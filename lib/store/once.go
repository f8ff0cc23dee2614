package store

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"time"

	"toaster.do/lib/apperr"
)

// Once is a request that names itself, so that it is done once however often it is sent.
type Once struct {
	Key     []byte // 32 bytes: digest of the name and its sender
	UserID  int64  // 0: nobody is logged in
	Request []byte // 32 bytes: digest of what is asked for
	Owner   string // this sending of it, random
	At      time.Time
}

// Done is what is known of a request that was sent before.
type Done struct {
	Same     bool      // it asked for the same
	At       time.Time // when it came
	Location string    // what it made, stored together with that; empty: nothing yet
	Answer   []byte    // sealed; nil: it isn't answered yet
}

// Claim makes o the one that does what it asks for, and returns nil; or it returns what is known of the earlier one.
// One from before since, or that has done nothing since stuck, is forgotten.
func (db *DB) Claim(ctx context.Context, o Once, since, stuck time.Time) (before *Done, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx,
			`DELETE FROM once WHERE key = ? AND (at < ? OR at < ? AND location = '' AND answer IS NULL)`,
			o.Key, timestamp(since), timestamp(stuck))
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO once (key, user_id, request, owner, at) VALUES (?, ?, ?, ?, ?)`,
			o.Key, null(o.UserID), o.Request, o.Owner, timestamp(o.At))
		if unique(err) {
			before, err = done(ctx, tx, o)
		}
		return err
	})
	return before, err
}

// Done returns what is known of a request; nil: nothing.
func (db *DB) Done(ctx context.Context, o Once) (before *Done, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		before, err = done(ctx, tx, o)
		return err
	})
	return before, err
}

func done(ctx context.Context, tx *sql.Tx, o Once) (*Done, error) {
	var d Done
	var request []byte
	err := tx.QueryRowContext(ctx, `SELECT request, at, location, answer FROM once WHERE key = ?`, o.Key).
		Scan(&request, (*timestamp)(&d.At), &d.Location, &d.Answer)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	d.Same = subtle.ConstantTimeCompare(request, o.Request) == 1
	return &d, err
}

// Unclaim forgets a request that came to nothing: it may be sent again.
func (db *DB) Unclaim(ctx context.Context, o Once) error {
	return db.exec(ctx, `DELETE FROM once WHERE key = ? AND owner = ? AND answer IS NULL`, o.Key, o.Owner)
}

// Answered keeps a request's answer.
func (db *DB) Answered(ctx context.Context, o Once, answer []byte) error {
	return db.exec(ctx, `UPDATE once SET answer = ? WHERE key = ? AND owner = ?`, answer, o.Key, o.Owner)
}

// ForgetOnce removes what requests from before since did, and drafts from before then.
func (db *DB) ForgetOnce(ctx context.Context, since time.Time) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		for _, table := range []string{"once WHERE at", "draft WHERE created_at"} {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` < ?`, timestamp(since)); err != nil {
				return err
			}
		}
		return nil
	})
}

type onceKey struct{}

// WithOnce is the context of the request o: what it makes is stored together with where that is.
func WithOnce(ctx context.Context, o Once) context.Context {
	return context.WithValue(ctx, onceKey{}, o)
}

// made notes in the transaction that makes something where that is, for the request that named itself. It is a
// FailedPrecondition where another sending of the request does it by now.
func made(ctx context.Context, tx *sql.Tx, location string) error {
	o, ok := ctx.Value(onceKey{}).(Once)
	if !ok {
		return nil
	}
	r, err := tx.ExecContext(ctx, `UPDATE once SET location = ? WHERE key = ? AND owner = ?`, location, o.Key, o.Owner)
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return apperr.New(apperr.FailedPrecondition, "This request was sent twice. The other one is being processed.",
		"Check the result before you send it again.")
}
