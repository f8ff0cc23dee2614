package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// Token lets a program act for a user. Times that are not set are zero.
type Token struct {
	ID        int64
	UserID    int64
	Name      string
	Scope     Scope
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
	UsedAt    time.Time
}

// tokenMark begins a token's plain form; 32 random bytes in base64url (RFC 4648, 5) follow. It makes tokens
// recognisable for their owner, and for programs that look for leaked secrets.
const tokenMark = "toaster_"

// TokenDigest returns the SHA-256 under which a token is stored; ok is false where plain isn't the form of a token.
func TokenDigest(plain string) (digest []byte, ok bool) {
	text, ok := strings.CutPrefix(plain, tokenMark)
	secret, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if !ok || err != nil || len(secret) != 32 || strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	d := sha256.Sum256([]byte(plain))
	return d[:], true
}

const tokenColumns = `t.id, t.user_id, t.name, t.scope, t.created_at, t.expires_at, t.used_at`

// fields are where tokenColumns are scanned to.
func (t *Token) fields() []any {
	return []any{&t.ID, &t.UserID, &t.Name, &t.Scope, (*timestamp)(&t.CreatedAt), (*timestamp)(&t.ExpiresAt),
		(*timestamp)(&t.UsedAt)}
}

func scanToken(rs *sql.Rows) (*Token, error) {
	t := new(Token)
	return t, rs.Scan(t.fields()...)
}

// AddToken makes a token from t, sets its ID, and returns its plain form, which is not stored. The email about it
// and the line of the audit trail are stored with it or not at all, so that no token lives whose plain form nobody
// was given.
func (db *DB) AddToken(ctx context.Context, t *Token, mail Mail, e AuditEntry) (plain string, err error) {
	secret := make([]byte, 32)
	rand.Read(secret) // never fails (crypto/rand)
	plain = tokenMark + base64.RawURLEncoding.EncodeToString(secret)
	digest := sha256.Sum256([]byte(plain))
	err = db.write(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx,
			`INSERT INTO token (user_id, name, digest, scope, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)`,
			t.UserID, t.Name, digest[:], t.Scope, timestamp(t.CreatedAt), timestamp(t.ExpiresAt))
		if err != nil {
			return err
		}
		if t.ID, err = r.LastInsertId(); err != nil {
			return err
		}
		if err := made(ctx, tx, "/account/tokens"); err != nil {
			return err
		}
		e.At = t.CreatedAt
		return conclude(ctx, tx, t.CreatedAt, t.UserID, e, mail)
	})
	if err != nil {
		return "", err
	}
	return plain, nil
}

// TokenByDigest finds a token, expired or not, and its user; NotFound if there is none.
func (db *DB) TokenByDigest(ctx context.Context, digest []byte) (*Token, *User, error) {
	t, p := new(Token), new(User)
	err := db.read(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx,
			`SELECT `+userColumns+`, `+tokenColumns+` FROM token t JOIN user p ON p.id = t.user_id WHERE t.digest = ?`, digest).
			Scan(append(p.fields(), t.fields()...)...)
		return missing(err, "This token does not exist.")
	})
	if err != nil {
		return nil, nil, err
	}
	return t, p, nil
}

// TouchToken notes that the token was used, unless others are writing.
func (db *DB) TouchToken(ctx context.Context, id int64, at time.Time) error {
	ctx = Patience(ctx, 0)
	return db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE token SET used_at = ? WHERE id = ?`, timestamp(at), id)
		return err
	})
}

// Tokens lists a user's tokens, oldest first.
func (db *DB) Tokens(ctx context.Context, user int64) (found []*Token, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		found, err = rows(ctx, tx, scanToken, `SELECT `+tokenColumns+` FROM token t WHERE t.user_id = ? ORDER BY t.id`, user)
		return err
	})
	return found, err
}

// RemoveToken removes a token of the user; NotFound if they have none with this id.
func (db *DB) RemoveToken(ctx context.Context, user, id int64, e AuditEntry) error {
	e.Action, e.Detail = "token.remove", "token "+strconv.FormatInt(id, 10)
	return db.manage(ctx, e, user, func(tx *sql.Tx) error {
		return changed(tx.ExecContext(ctx, `DELETE FROM token WHERE user_id = ? AND id = ?`, user, id))
	})
}
