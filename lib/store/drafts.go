package store

import (
	"context"
	"database/sql"
	"time"
)

// Draft is a form that waits until its sender has logged in again.
type Draft struct {
	ID        string
	PersonID  int64
	CreatedAt time.Time
	Form      []byte // JSON
}

// AddDraft stores d. The person's drafts from before since, and all but their newest keep ones, are removed.
func (db *DB) AddDraft(ctx context.Context, d Draft, since time.Time, keep int) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO draft (id, person_id, created_at, form) VALUES (?, ?, ?, ?)`, d.ID, d.PersonID, millis(d.CreatedAt), d.Form); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM draft WHERE created_at < ? OR person_id = ? AND rowid NOT IN
			(SELECT rowid FROM draft WHERE person_id = ? ORDER BY created_at DESC, rowid DESC LIMIT ?)`, millis(since), d.PersonID, d.PersonID, keep)
		return err
	})
}

// TakeDraft removes a person's draft and returns its form; NotFound if it isn't there or is from before since. Where
// others are writing for too long it is only read.
func (db *DB) TakeDraft(ctx context.Context, person int64, id string, since time.Time) (form []byte, err error) {
	const which = ` FROM draft WHERE id = ? AND person_id = ? AND created_at >= ?`
	take := func(query string) func(*sql.Tx) error {
		return func(tx *sql.Tx) error {
			err := tx.QueryRowContext(ctx, query, id, person, millis(since)).Scan(&form)
			return missing(err, "The form that was kept for you isn't there any more.")
		}
	}
	if err = db.write(ctx, take("DELETE"+which+" RETURNING form")); busy(err) {
		err = db.read(ctx, take("SELECT form"+which))
	}
	return form, err
}
