package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"strings"
	"time"

	"toaster.do/lib/apperr"
)

// Mail is an email that is to be sent.
type Mail struct {
	ID        int64
	Recipient string
	Subject   string
	Body      string // plain text
	CreatedAt time.Time
	Tries     int    // that failed
	Problem   string // why the last one failed
	Class     MailClass
}

// MailClass bounds how many emails of a kind one recipient gets: what is over is not written.
type MailClass string

const (
	TokenMail   MailClass = "link"  // a stranger can ask for it
	AccountMail MailClass = "news"  // something about the account has changed
	BuildMail   MailClass = "build" // a build has ended
)

var mailBounds = map[MailClass][]Rate{
	TokenMail:   {{3, 10 * time.Minute}, {6, time.Hour}},
	AccountMail: {{30, time.Hour}},
	BuildMail:   {{60, time.Hour}},
}

// QueueMail puts an email into the outbox. It reports whether the recipient's bound allowed that.
func (db *DB) QueueMail(ctx context.Context, now time.Time, l Mail) (posted bool, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		posted, err = queueMail(ctx, tx, now, l)
		return err
	})
	return posted, err
}

// queueMail is QueueMail in a transaction. An email without a recipient is none: mail is off.
func queueMail(ctx context.Context, tx *sql.Tx, now time.Time, l Mail) (posted bool, err error) {
	if l.Recipient == "" {
		return true, nil
	}
	d := sha256.Sum256([]byte(strings.ToLower(l.Recipient)))
	key := "mail:" + string(l.Class) + ":" + hex.EncodeToString(d[:16])
	for _, r := range mailBounds[l.Class] {
		if err := r.allows(ctx, tx, key, now); apperr.KindOf(err) == apperr.RateLimited {
			return false, nil
		} else if err != nil {
			return false, err
		}
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO rate_limit_event (key, at) VALUES (?, ?)`, key,
		timestamp(now)); err != nil {
		return false, err
	}
	_, err = tx.ExecContext(ctx,
		`INSERT INTO outbox (recipient, subject, body, created_at, next_at) VALUES (?, ?, ?, ?, ?)`,
		l.Recipient, l.Subject, l.Body, timestamp(now), timestamp(now))
	return true, err
}

// DueMails returns emails whose time has come, the oldest first.
func (db *DB) DueMails(ctx context.Context, now time.Time, most int) (found []Mail, err error) {
	scan := func(rs *sql.Rows) (l Mail, err error) {
		return l, rs.Scan(&l.ID, &l.Recipient, &l.Subject, &l.Body, (*timestamp)(&l.CreatedAt), &l.Tries, &l.Problem)
	}
	err = db.read(ctx, func(tx *sql.Tx) error {
		found, err = rows(ctx, tx, scan,
			`SELECT id, recipient, subject, body, created_at, tries, problem FROM outbox
			WHERE next_at <= ? ORDER BY next_at, id LIMIT ?`, timestamp(now), most)
		return err
	})
	return found, err
}

// ClaimMail lets one process of several send an email that is due; if it dies, the email is due again at until.
func (db *DB) ClaimMail(ctx context.Context, id int64, now, until time.Time) (mine bool, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, `UPDATE outbox SET next_at = ? WHERE id = ? AND next_at <= ?`, timestamp(until), id,
			timestamp(now))
		if err != nil {
			return err
		}
		n, err := r.RowsAffected()
		mine = n == 1
		return err
	})
	return mine, err
}

// DeferMail notes why an email could not be sent, and when to try again.
func (db *DB) DeferMail(ctx context.Context, id int64, problem string, next time.Time) error {
	return db.exec(ctx, `UPDATE outbox SET tries = tries + 1, problem = ?, next_at = ? WHERE id = ?`, problem,
		timestamp(next), id)
}

// DeleteMail removes an email that was sent, or never can be.
func (db *DB) DeleteMail(ctx context.Context, id int64) error {
	return db.exec(ctx, `DELETE FROM outbox WHERE id = ?`, id)
}

// Outbox is how mail is doing.
type Outbox struct {
	Waiting int       // emails that are still to be sent
	Oldest  time.Time // when the oldest of them was written; zero: none waits
	Failing int       // those of them that could not be sent at least once
	Problem string    // why the last try failed, of the oldest that did
}

// Outbox tells how mail is doing.
func (db *DB) Outbox(ctx context.Context) (o Outbox, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT count(*), min(created_at), count(*) FILTER (WHERE tries > 0),
			coalesce((SELECT problem FROM outbox WHERE tries > 0 ORDER BY id LIMIT 1), '') FROM outbox`).
			Scan(&o.Waiting, (*timestamp)(&o.Oldest), &o.Failing, &o.Problem)
	})
	return o, err
}
