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

// Token lets a program act for a person. Times that are not set are zero.
type Token struct {
	ID        int64
	PersonID  int64
	Name      string
	Scope     string // "read" or "write"
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

const tokenColumns = `t.id, t.person_id, t.name, t.scope, t.created_at, t.expires_at, t.used_at`

func (t *Token) fields() ([]any, func()) {
	var created, expires, used sql.NullInt64
	return []any{&t.ID, &t.PersonID, &t.Name, &t.Scope, &created, &expires, &used}, func() {
		t.CreatedAt, t.ExpiresAt, t.UsedAt = when(created), when(expires), when(used)
	}
}

func scanToken(rs *sql.Rows) (*Token, error) {
	t := new(Token)
	to, done := t.fields()
	err := rs.Scan(to...)
	done()
	return t, err
}

// AddToken makes a token from t, sets its ID, and returns its plain form, which is not stored. The letter about it
// and the line of the audit trail are stored with it or not at all, so that no token lives whose plain form nobody
// was given.
func (db *DB) AddToken(ctx context.Context, t *Token, letter Letter, e Entry) (plain string, err error) {
	secret := make([]byte, 32)
	rand.Read(secret) // never fails (crypto/rand)
	plain = tokenMark + base64.RawURLEncoding.EncodeToString(secret)
	digest := sha256.Sum256([]byte(plain))
	err = db.write(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, `INSERT INTO token (person_id, name, digest, scope, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)`,
			t.PersonID, t.Name, digest[:], t.Scope, millis(t.CreatedAt), millis(t.ExpiresAt))
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
		return conclude(ctx, tx, t.CreatedAt, t.PersonID, e, letter)
	})
	if err != nil {
		return "", err
	}
	return plain, nil
}

// TokenByDigest finds a token, expired or not, and its person; NotFound if there is none.
func (db *DB) TokenByDigest(ctx context.Context, digest []byte) (*Token, *Person, error) {
	t, p := new(Token), new(Person)
	err := db.read(ctx, func(tx *sql.Tx) error {
		person, personDone := p.fields()
		token, tokenDone := t.fields()
		err := tx.QueryRowContext(ctx, `SELECT `+personColumns+`, `+tokenColumns+` FROM token t JOIN person p ON p.id = t.person_id WHERE t.digest = ?`, digest).
			Scan(append(person, token...)...)
		personDone()
		tokenDone()
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
		_, err := tx.ExecContext(ctx, `UPDATE token SET used_at = ? WHERE id = ?`, millis(at), id)
		return err
	})
}

// Tokens lists a person's tokens, oldest first.
func (db *DB) Tokens(ctx context.Context, person int64) (found []*Token, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		found, err = rows(ctx, tx, scanToken, `SELECT `+tokenColumns+` FROM token t WHERE t.person_id = ? ORDER BY t.id`, person)
		return err
	})
	return found, err
}

// RemoveToken removes a token of the person; NotFound if they have none with this id.
func (db *DB) RemoveToken(ctx context.Context, person, id int64, e Entry) error {
	e.Action, e.Detail = "token.remove", "token "+strconv.FormatInt(id, 10)
	return db.manage(ctx, e, person, func(tx *sql.Tx) error {
		return changed(tx.ExecContext(ctx, `DELETE FROM token WHERE person_id = ? AND id = ?`, person, id))
	})
}
