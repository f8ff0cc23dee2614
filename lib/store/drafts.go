package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"time"

	"toaster.do/lib/apperr"
)

// Draft is a form that waits for its sender.
type Draft struct {
	ID        string
	PersonID  int64  // whose it is; 0: whoever has the secret
	Secret    string // what the sender's browser carries; empty: none
	CreatedAt time.Time
	Form      []byte // JSON
}

// DraftRoom is how much may wait.
type DraftRoom struct {
	Since time.Time // what is older is removed
	Each  int       // of one person; the oldest go first
	Bytes int64     // of all those together who are nobody yet
}

// AddDraft stores d. What is over the room of one person goes; what is over that of nobody is Limited.
func (db *DB) AddDraft(ctx context.Context, d Draft, room DraftRoom) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM draft WHERE created_at < ?`, millis(room.Since)); err != nil {
			return err
		}
		var digest []byte
		if d.Secret != "" {
			digest = secretDigest(d.Secret)
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO draft (id, person_id, digest, created_at, form)
			VALUES (?, nullif(?, 0), ?, ?, ?)`, d.ID, d.PersonID, digest, millis(d.CreatedAt), d.Form)
		if err != nil {
			return err
		}
		if d.PersonID == 0 {
			var n int64
			err := tx.QueryRowContext(ctx, `SELECT sum(length(form)) FROM draft WHERE person_id IS NULL`).Scan(&n)
			if err == nil && n > room.Bytes {
				err = apperr.New(apperr.Limited, "Too many unsent forms are stored.", "Log in first, then send the form again.")
			}
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM draft WHERE person_id = ? AND rowid NOT IN
			(SELECT rowid FROM draft WHERE person_id = ? ORDER BY created_at DESC,
				rowid DESC LIMIT ?)`, d.PersonID, d.PersonID, room.Each)
		return err
	})
}

// Draft returns the form of a person's draft, or of one that is nobody's for who has its secret: it is theirs from
// then on. NotFound: there is none, it is from before since, or somebody else's.
func (db *DB) Draft(ctx context.Context, person int64, id, secret string, since time.Time) (form []byte, err error) {
	const gone = "The form has expired."
	var owner sql.NullInt64
	var digest []byte
	err = db.read(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT person_id, digest, form FROM draft WHERE id = ? AND created_at >= ?`,
			id, millis(since)).Scan(&owner, &digest, &form)
		return missing(err, gone)
	})
	switch {
	case err != nil || owner.Valid && owner.Int64 == person:
		return form, err
	case owner.Valid || secret == "" || !bytes.Equal(digest, secretDigest(secret)):
		return nil, missing(sql.ErrNoRows, gone)
	}
	return form, db.exec(ctx, `UPDATE draft SET person_id = ? WHERE id = ? AND person_id IS NULL`, person, id)
}

func secretDigest(secret string) []byte {
	d := sha256.Sum256([]byte(secret))
	return d[:]
}
