package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"time"

	"toaster.do/lib/apperr"
)

// Link is an address in a letter that works once: who opens it has proven to read that person's mail.
type Link struct {
	Digest    []byte // of its secret
	PersonID  int64
	Kind      string // "activate", "recover", "address"
	Email     string // where it was sent to
	CreatedAt time.Time
	ExpiresAt time.Time

	Name, Password string // of "activate": what was typed where the link was asked for, the password as a PHC string
}

// NewLink returns a link for an address, and the secret that only the letter has.
func NewLink(kind, email string, now time.Time, life time.Duration) (l Link, secret string) {
	b := make([]byte, 32)
	rand.Read(b) // never fails (crypto/rand)
	secret = base64.RawURLEncoding.EncodeToString(b)
	return Link{Digest: LinkDigest(secret), Kind: kind, Email: email, CreatedAt: now, ExpiresAt: now.Add(life)}, secret
}

// LinkDigest returns the SHA-256 under which a link is stored.
func LinkDigest(secret string) []byte {
	d := sha256.Sum256([]byte(secret))
	return d[:]
}

func noLink() error {
	return apperr.New(apperr.NotFound, "This link is invalid: it was already used, has expired, or was replaced by a newer one.", "Request a new link.")
}

// FindLink returns a link that still works, and its person; NotFound otherwise.
func (db *DB) FindLink(ctx context.Context, kind, secret string, now time.Time) (*Link, *Person, error) {
	l, p := &Link{Digest: LinkDigest(secret), Kind: kind}, new(Person)
	err := db.read(ctx, func(tx *sql.Tx) error {
		to, done := p.fields()
		var created, expires sql.NullInt64
		err := tx.QueryRowContext(ctx, `SELECT `+personColumns+`,
			l.person_id, l.email, l.created_at, l.expires_at, l.name, l.password
			FROM link l JOIN person p ON p.id = l.person_id
			WHERE l.digest = ? AND l.kind = ? AND l.expires_at > ? AND p.removed_at IS NULL`, l.Digest, kind, millis(now)).
			Scan(append(to, &l.PersonID, &l.Email, &created, &expires, &l.Name, &l.Password)...)
		done()
		l.CreatedAt, l.ExpiresAt = when(created), when(expires)
		if err == sql.ErrNoRows {
			return noLink()
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return l, p, nil
}

// SendLink stores a link for a person and posts the letters: the first has the link, the others tell of it. Older
// links of its kind end, but for those to activate an account: each belongs to a password, which may be a
// stranger's. When the recipient's bound allows no letter, nothing changes: the last link still works.
func (db *DB) SendLink(ctx context.Context, person int64, l Link, letters ...Letter) error {
	return db.write(ctx, func(tx *sql.Tx) error { return sendLink(ctx, tx, person, l, letters...) })
}

func sendLink(ctx context.Context, tx *sql.Tx, person int64, l Link, letters ...Letter) error {
	for _, letter := range letters {
		if posted, err := post(ctx, tx, l.CreatedAt, letter); err != nil || !posted {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx,
		`DELETE FROM link WHERE person_id = ? AND kind = ? AND kind <> 'activate' OR expires_at <= ?`, person, l.Kind,
		millis(l.CreatedAt)); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx,
		`INSERT INTO link (digest, person_id, kind, email, name, password, created_at, expires_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		l.Digest, person, l.Kind, l.Email, l.Name, l.Password, millis(l.CreatedAt), millis(l.ExpiresAt))
	return err
}

// takeLink uses a link up.
func takeLink(ctx context.Context, tx *sql.Tx, l *Link, now time.Time) error {
	r, err := tx.ExecContext(ctx, `DELETE FROM link WHERE digest = ? AND expires_at > ?`, l.Digest, millis(now))
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return noLink()
}

// SignUp stores what somebody who says to have p's address typed: a pending person, and the link to activate it with
// p's name and password. Whoever signed up with the address before keeps their own link. Where the address has an
// account already, nothing changes, and taken is posted to it. A link without a digest is none: mail is off, nobody
// can show whose the address is, and the first who gave it stays.
func (db *DB) SignUp(ctx context.Context, p *Person, l Link, invitation, taken Letter, e Entry) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		var state string
		var verified bool
		err := tx.QueryRowContext(ctx, `SELECT id, state, verified_at IS NOT NULL OR role <> 'user' FROM person WHERE email = ?`, p.Email).Scan(&p.ID, &state, &verified)
		switch {
		case err == sql.ErrNoRows:
			err = insertPerson(ctx, tx, p)
		case err == nil && (state != "pending" || verified || l.Digest == nil):
			_, err = post(ctx, tx, p.CreatedAt, taken)
			return err
		case err == nil:
			_, err = tx.ExecContext(ctx, `UPDATE person SET created_at = ? WHERE id = ?`, millis(p.CreatedAt), p.ID)
		}
		if err != nil {
			return err
		}
		if l.Digest != nil {
			l.Name, l.Password = p.Name, p.Password
			if err := sendLink(ctx, tx, p.ID, l, invitation); err != nil {
				return err
			}
		}
		e.Object = PersonObject(p.ID)
		return audit(ctx, tx, e)
	})
}

// Activate notes that a pending person has proven the address by a link, gives them its name and password, and makes
// them state. All other links of theirs end, with what strangers had typed.
func (db *DB) Activate(ctx context.Context, l *Link, state string, now time.Time, letters []Letter, e Entry) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if err := takeLink(ctx, tx, l, now); err != nil {
			return err
		}
		r, err := tx.ExecContext(ctx, `UPDATE person SET name = ?, password = ?, verified_at = ?, state = ?
			WHERE id = ? AND state = 'pending' AND email = ? AND verified_at IS NULL`, l.Name, l.Password, millis(now),
			state, l.PersonID, l.Email)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return cmpErr(err, noLink())
		}
		if err := endWays(ctx, tx, l.PersonID, false); err != nil {
			return err
		}
		return conclude(ctx, tx, now, l.PersonID, e, letters...)
	})
}

// ResetPassword gives the person of a link a new password and ends all their sessions and links, and where tokens is set their tokens. A
// pending person has proven the address by it and becomes state; approvals are the letters to those who decide then.
func (db *DB) ResetPassword(ctx context.Context, l *Link, phc, state string, tokens bool, now time.Time, letter Letter,
	approvals []Letter, e Entry) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if err := takeLink(ctx, tx, l, now); err != nil {
			return err
		}
		var waits bool
		err := tx.QueryRowContext(ctx, `SELECT state = 'pending' AND verified_at IS NULL FROM person WHERE id = ?`,
			l.PersonID).Scan(&waits)
		if err != nil {
			return missing(err, "This account does not exist.")
		}
		r, err := tx.ExecContext(ctx, `UPDATE person SET password = ?, verified_at = coalesce(verified_at, ?), state = CASE state WHEN 'pending' THEN ? ELSE state END
			WHERE id = ? AND email = ? AND state <> 'suspended'`, phc, millis(now), state, l.PersonID, l.Email)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return cmpErr(err, noLink())
		}
		if err := endWays(ctx, tx, l.PersonID, tokens); err != nil {
			return err
		}
		if err := errors.Join(endRow(ctx, tx, l.PersonID, "login"), endSessions(ctx, tx, l.PersonID, now)); err != nil {
			return err
		}
		letters := []Letter{letter}
		if waits && state == "pending" {
			letters = append(letters, approvals...)
		}
		return conclude(ctx, tx, now, l.PersonID, e, letters...)
	})
}

// endWays ends what else opens a person's account when the password changes: links in letters, and tokens where that is wanted.
func endWays(ctx context.Context, tx *sql.Tx, person int64, tokens bool) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM link WHERE person_id = ?`, person); err != nil || !tokens {
		return err
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM token WHERE person_id = ?`, person)
	return err
}

// SetAddress gives the person of a link the address that it was sent to. One that has an account meanwhile is a Conflict; for somebody who
// is suspended the link doesn't work.
func (db *DB) SetAddress(ctx context.Context, l *Link, now time.Time, letter Letter, e Entry) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if err := takeLink(ctx, tx, l, now); err != nil {
			return err
		}
		r, err := tx.ExecContext(ctx, `UPDATE person SET email = ?, verified_at = ? WHERE id = ? AND removed_at IS NULL AND state = 'active'`, l.Email, millis(now), l.PersonID)
		if unique(err) {
			return addressTaken(err)
		}
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return cmpErr(err, noLink())
		}
		// Links that were sent to the old address end.
		if _, err := tx.ExecContext(ctx, `DELETE FROM link WHERE person_id = ?`, l.PersonID); err != nil {
			return err
		}
		return conclude(ctx, tx, now, l.PersonID, e, letter)
	})
}

// conclude posts the letters about a change and writes it into the audit trail.
func conclude(ctx context.Context, tx *sql.Tx, now time.Time, person int64, e Entry, letters ...Letter) error {
	for _, l := range letters {
		if _, err := post(ctx, tx, now, l); err != nil {
			return err
		}
	}
	if e.Object == "" {
		e.Object = PersonObject(person)
	}
	return audit(ctx, tx, e)
}

// cmpErr is the first of errors that is one.
func cmpErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
