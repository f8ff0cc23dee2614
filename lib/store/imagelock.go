package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// ImageLock is what the images of registries are that a revision's Dockerfile names. The zero ImageLock is of one that
// names none.
type ImageLock struct {
	LookedAt time.Time // when registries were asked last
	Problems []byte    // JSON: why some were not found then
	Images   []byte    // as package image encodes them
}

func (l *ImageLock) put(ctx context.Context, tx *sql.Tx, job string, revision int) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO image_lock (job_id, revision, looked_at, problems, images) VALUES (?, ?, "+
		"?, ?, ?)",
		job, revision, timestamp(l.LookedAt), l.Problems, l.Images)
	return err
}

// ImageLock returns what the images of the newest revision of an owner's job are; the zero ImageLock where it names
// none.
func (db *DB) ImageLock(ctx context.Context, owner int64, id string) (l ImageLock, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT l.looked_at, l.problems, l.images FROM image_lock l
			JOIN job ON job.id = l.job_id AND job.revision = l.revision
			WHERE job.id = ? AND job.user_id = ? AND job.removed_at IS NULL`,
			id, owner).Scan((*timestamp)(&l.LookedAt), &l.Problems, &l.Images)
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return l, err
}

// SetLookedAt notes that a revision's images were looked up again, and are the same.
func (db *DB) SetLookedAt(ctx context.Context, job string, revision int, at time.Time, problems []byte) error {
	return db.exec(ctx, "UPDATE image_lock SET looked_at = ?, problems = ? WHERE job_id = ? AND revision = ?",
		timestamp(at), problems, job, revision)
}
