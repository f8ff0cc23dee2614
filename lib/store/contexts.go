package store

import (
	"context"
	"database/sql"
)

// Contexts are the digests of the build contexts that the jobs of each user need; a user who needs none is there, too.
func (db *DB) Contexts(ctx context.Context) (needed map[int64]map[string]bool, err error) {
	needed = map[int64]map[string]bool{}
	type need struct {
		user   int64
		digest string
	}
	scan := func(rs *sql.Rows) (n need, err error) { return n, rs.Scan(&n.user, &n.digest) }
	err = db.read(ctx, func(tx *sql.Tx) error {
		list, err := rows(ctx, tx, scan, `SELECT id, '' FROM user WHERE removed_at IS NULL UNION
			SELECT job.user_id, revision.context FROM revision JOIN job ON job.id = revision.job_id`)
		for _, n := range list {
			if needed[n.user] == nil {
				needed[n.user] = map[string]bool{}
			}
			needed[n.user][n.digest] = true
		}
		return err
	})
	return needed, err
}
