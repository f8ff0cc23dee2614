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

// EmailToken is a secret in the link of an email, good once: who has it has proven to read that user's mail.
type EmailToken struct {
	Digest    []byte // of its secret
	UserID    int64
	Kind      EmailTokenKind
	Email     string // where it was sent to
	CreatedAt time.Time
	ExpiresAt time.Time

	Name, Password string // of KindActivate: what was typed where the link was requested, the password as a PHC string
}

// NewEmailToken returns a token for an address, and its secret, which only the email has.
func NewEmailToken(kind EmailTokenKind, email string, now time.Time, life time.Duration) (l EmailToken, secret string) {
	b := make([]byte, 32)
	rand.Read(b) // never fails (crypto/rand)
	secret = base64.RawURLEncoding.EncodeToString(b)
	return EmailToken{Digest: EmailTokenDigest(secret), Kind: kind, Email: email, CreatedAt: now,
		ExpiresAt: now.Add(life)}, secret
}

// EmailTokenDigest returns the SHA-256 under which a token is stored.
func EmailTokenDigest(secret string) []byte {
	d := sha256.Sum256([]byte(secret))
	return d[:]
}

func noEmailToken() error {
	return apperr.New(apperr.NotFound,
		"This link is invalid: it was already used, has expired, or was replaced by a newer one.", "Request a new link.")
}

// FindEmailToken returns a token that still works, and its user; NotFound otherwise.
func (db *DB) FindEmailToken(ctx context.Context, kind EmailTokenKind, secret string, now time.Time) (*EmailToken,
	*User, error) {
	l, p := &EmailToken{Digest: EmailTokenDigest(secret), Kind: kind}, new(User)
	err := db.read(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT `+userColumns+`,
			l.user_id, l.email, l.created_at, l.expires_at, l.name, l.password
			FROM email_token l JOIN user p ON p.id = l.user_id
			WHERE l.digest = ? AND l.kind = ? AND l.expires_at > ? AND p.removed_at IS NULL`, l.Digest, kind, timestamp(now)).
			Scan(append(p.fields(), &l.UserID, &l.Email, (*timestamp)(&l.CreatedAt), (*timestamp)(&l.ExpiresAt), &l.Name,
				&l.Password)...)
		if err == sql.ErrNoRows {
			return noEmailToken()
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return l, p, nil
}

// SendEmailToken stores a token for a user and queues the emails: the first has its link, the others tell of it. Older
// tokens of its kind end, but for those to activate an account: each belongs to a password, which may be a
// stranger's. When the recipient's bound allows no email, nothing changes: the last token still works.
func (db *DB) SendEmailToken(ctx context.Context, user int64, l EmailToken, mails ...Mail) error {
	return db.write(ctx, func(tx *sql.Tx) error { return sendEmailToken(ctx, tx, user, l, mails...) })
}

func sendEmailToken(ctx context.Context, tx *sql.Tx, user int64, l EmailToken, mails ...Mail) error {
	for _, mail := range mails {
		if posted, err := queueMail(ctx, tx, l.CreatedAt, mail); err != nil || !posted {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx,
		`DELETE FROM email_token WHERE user_id = ? AND kind = ? AND kind <> 'activate' OR expires_at <= ?`, user, l.Kind,
		timestamp(l.CreatedAt)); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx,
		`INSERT INTO email_token (digest, user_id, kind, email, name, password, created_at, expires_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		l.Digest, user, l.Kind, l.Email, l.Name, l.Password, timestamp(l.CreatedAt), timestamp(l.ExpiresAt))
	return err
}

// takeEmailToken uses a token up.
func takeEmailToken(ctx context.Context, tx *sql.Tx, l *EmailToken, now time.Time) error {
	r, err := tx.ExecContext(ctx, `DELETE FROM email_token WHERE digest = ? AND expires_at > ?`, l.Digest, timestamp(now))
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return noEmailToken()
}

// SignUp stores what somebody who says to have p's address typed: a pending user, and the link to activate it with
// p's name and password. Whoever signed up with the address before keeps their own token. Where the address has an
// account already, nothing changes, and taken is posted to it. A token without a digest is none: mail is off, nobody
// can show whose the address is, and the first who gave it stays.
func (db *DB) SignUp(ctx context.Context, p *User, l EmailToken, invitation, taken Mail, e AuditEntry) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		var state UserState
		var verified bool
		err := tx.QueryRowContext(ctx,
			`SELECT id, state, verified_at IS NOT NULL OR role <> 'user' FROM user WHERE email = ?`,
			p.Email).Scan(&p.ID, &state, &verified)
		switch {
		case err == sql.ErrNoRows:
			err = insertUser(ctx, tx, p)
		case err == nil && (state != Pending || verified || l.Digest == nil):
			_, err = queueMail(ctx, tx, p.CreatedAt, taken)
			return err
		case err == nil:
			_, err = tx.ExecContext(ctx, `UPDATE user SET created_at = ? WHERE id = ?`, timestamp(p.CreatedAt), p.ID)
		}
		if err != nil {
			return err
		}
		if l.Digest != nil {
			l.Name, l.Password = p.Name, p.Password
			if err := sendEmailToken(ctx, tx, p.ID, l, invitation); err != nil {
				return err
			}
		}
		e.Object = UserObject(p.ID)
		return audit(ctx, tx, e)
	})
}

// Activate notes that a pending user has proven the address by a token, gives them its name and password, and makes
// them state. All other tokens of theirs end, with what strangers had typed.
func (db *DB) Activate(ctx context.Context, l *EmailToken, state UserState, now time.Time, mails []Mail,
	e AuditEntry) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if err := takeEmailToken(ctx, tx, l, now); err != nil {
			return err
		}
		r, err := tx.ExecContext(ctx, `UPDATE user SET name = ?, password = ?, verified_at = ?, state = ?
			WHERE id = ? AND state = 'pending' AND email = ? AND verified_at IS NULL`, l.Name, l.Password, timestamp(now),
			state, l.UserID, l.Email)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return cmpErr(err, noEmailToken())
		}
		if err := endWays(ctx, tx, l.UserID, false); err != nil {
			return err
		}
		return conclude(ctx, tx, now, l.UserID, e, mails...)
	})
}

// ResetPassword gives the user of a token a new password and ends all their sessions and email tokens, and where tokens
// is set their tokens. A pending user has proven the address by it and becomes state; approvals are the emails to those
// who decide then.
func (db *DB) ResetPassword(ctx context.Context, l *EmailToken, phc string, state UserState, tokens bool,
	now time.Time, mail Mail,
	approvals []Mail, e AuditEntry) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if err := takeEmailToken(ctx, tx, l, now); err != nil {
			return err
		}
		var waits bool
		err := tx.QueryRowContext(ctx, `SELECT state = 'pending' AND verified_at IS NULL FROM user WHERE id = ?`,
			l.UserID).Scan(&waits)
		if err != nil {
			return missing(err, "This account does not exist.")
		}
		r, err := tx.ExecContext(ctx, `UPDATE user SET password = ?, verified_at = coalesce(verified_at, ?),
			state = CASE state WHEN 'pending' THEN ? ELSE state END
			WHERE id = ? AND email = ? AND state <> 'suspended'`, phc, timestamp(now), state, l.UserID, l.Email)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return cmpErr(err, noEmailToken())
		}
		if err := endWays(ctx, tx, l.UserID, tokens); err != nil {
			return err
		}
		if err := errors.Join(endRow(ctx, tx, l.UserID, "login"), endSessions(ctx, tx, l.UserID, now)); err != nil {
			return err
		}
		mails := []Mail{mail}
		if waits && state == Pending {
			mails = append(mails, approvals...)
		}
		return conclude(ctx, tx, now, l.UserID, e, mails...)
	})
}

// endWays ends what else opens a user's account when the password changes: links in emails, and tokens where that is
// wanted.
func endWays(ctx context.Context, tx *sql.Tx, user int64, tokens bool) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM email_token WHERE user_id = ?`, user); err != nil || !tokens {
		return err
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM token WHERE user_id = ?`, user)
	return err
}

// SetAddress gives the user of a token the address that it was sent to. One that has an account meanwhile is an
// AlreadyExists; for somebody who is suspended the token doesn't work.
func (db *DB) SetAddress(ctx context.Context, l *EmailToken, now time.Time, mail Mail, e AuditEntry) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if err := takeEmailToken(ctx, tx, l, now); err != nil {
			return err
		}
		r, err := tx.ExecContext(ctx,
			`UPDATE user SET email = ?, verified_at = ? WHERE id = ? AND removed_at IS NULL AND state = 'active'`,
			l.Email, timestamp(now), l.UserID)
		if unique(err) {
			return addressTaken(err)
		}
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return cmpErr(err, noEmailToken())
		}
		// Links that were sent to the old address end.
		if _, err := tx.ExecContext(ctx, `DELETE FROM email_token WHERE user_id = ?`, l.UserID); err != nil {
			return err
		}
		return conclude(ctx, tx, now, l.UserID, e, mail)
	})
}

// conclude queues the emails about a change and writes it into the audit trail.
func conclude(ctx context.Context, tx *sql.Tx, now time.Time, user int64, e AuditEntry, mails ...Mail) error {
	for _, l := range mails {
		if _, err := queueMail(ctx, tx, now, l); err != nil {
			return err
		}
	}
	if e.Object == "" {
		e.Object = UserObject(user)
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
