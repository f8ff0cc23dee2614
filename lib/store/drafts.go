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
	UserID    int64  // whose it is; 0: whoever has the secret
	Secret    string // what the sender's browser carries; empty: none
	CreatedAt time.Time
	Form      []byte // JSON
}

// DraftQuota is how much may wait.
type DraftQuota struct {
	Since time.Time // what is older is removed
	Each  int       // of one user; the oldest go first
	Bytes int64     // of all those together who are nobody yet
}

// AddDraft stores d. What is over the quota of one user goes; what is over that of nobody is RateLimited.
func (db *DB) AddDraft(ctx context.Context, d Draft, quota DraftQuota) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM draft WHERE created_at < ?`, timestamp(quota.Since)); err != nil {
			return err
		}
		var digest []byte
		if d.Secret != "" {
			digest = secretDigest(d.Secret)
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO draft (id, user_id, digest, created_at, form)
			VALUES (?, ?, ?, ?, ?)`, d.ID, null(d.UserID), digest, timestamp(d.CreatedAt), d.Form)
		if err != nil {
			return err
		}
		if d.UserID == 0 {
			var n int64
			err := tx.QueryRowContext(ctx, `SELECT sum(length(form)) FROM draft WHERE user_id IS NULL`).Scan(&n)
			if err == nil && n > quota.Bytes {
				err = apperr.New(apperr.RateLimited, "Too many unsent forms are stored.",
					"Log in first, then send the form again.")
			}
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM draft WHERE user_id = ? AND rowid NOT IN
			(SELECT rowid FROM draft WHERE user_id = ? ORDER BY created_at DESC,
				rowid DESC LIMIT ?)`, d.UserID, d.UserID, quota.Each)
		return err
	})
}

// Draft returns the form of a user's draft, or of one that is nobody's for who has its secret: it is theirs from
// then on. NotFound: there is none, it is from before since, or somebody else's.
func (db *DB) Draft(ctx context.Context, user int64, id, secret string, since time.Time) (form []byte, err error) {
	const gone = "The form has expired."
	var owner int64 // 0: nobody
	var digest []byte
	err = db.read(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT user_id, digest, form FROM draft WHERE id = ? AND created_at >= ?`,
			id, timestamp(since)).Scan(orZero(&owner), &digest, &form)
		return missing(err, gone)
	})
	switch {
	case err != nil || owner == user && owner != 0:
		return form, err
	case owner != 0 || secret == "" || !bytes.Equal(digest, secretDigest(secret)):
		return nil, missing(sql.ErrNoRows, gone)
	}
	return form, db.exec(ctx, `UPDATE draft SET user_id = ? WHERE id = ? AND user_id IS NULL`, user, id)
}

func secretDigest(secret string) []byte {
	d := sha256.Sum256([]byte(secret))
	return d[:]
}
