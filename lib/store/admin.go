package store

import (
	"context"
	"database/sql"
)

// AllJobs returns everybody's jobs, newest first: for the administrator.
func (db *DB) AllJobs(ctx context.Context) (jobs []*Job, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		jobs, err = rows(ctx, tx, scanJob, "SELECT "+jobColumns+", "+buildColumns+" FROM job"+withLast+
			" WHERE job.removed_at IS NULL ORDER BY job.created_at DESC, job.id")
		return err
	})
	return jobs, err
}

// JobOwner returns whose job it is; NotFound when it is not there.
func (db *DB) JobOwner(ctx context.Context, id string) (*User, error) {
	found, err := db.users(ctx, "JOIN job ON job.user_id = p.id WHERE job.id = ? AND job.removed_at IS NULL", id)
	if err == nil && len(found) == 0 {
		err = noJob()
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}
