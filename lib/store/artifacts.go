package store

import (
	"context"
	"database/sql"
)

// JobArtifacts lists what each of an owner's job's builds left, by the build's number, the largest file first.
func (db *DB) JobArtifacts(ctx context.Context, owner int64, id string) (map[int][]Artifact, error) {
	all := map[int][]Artifact{}
	err := db.read(ctx, func(tx *sql.Tx) error {
		_, err := rows(ctx, tx, func(rs *sql.Rows) (a Artifact, err error) {
			var build int
			if err = rs.Scan(&build, &a.Path, &a.Size, &a.SHA256); err == nil {
				all[build] = append(all[build], a)
			}
			return a, err
		}, `SELECT build, path, size, sha256 FROM artifact JOIN job ON job.id = artifact.job_id
			WHERE job.id = ? AND job.user_id = ? AND job.removed_at IS NULL ORDER BY build, size DESC, path`, id, owner)
		return err
	})
	return all, err
}
