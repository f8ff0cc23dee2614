package store

import (
	"context"
	"database/sql"
)

// LocalDrain asks these runners to take no more builds, and to end with those that they have.
func (db *DB) LocalDrain(ctx context.Context, runners []string) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM local_drain"); err != nil {
			return err
		}
		for _, id := range runners {
			if _, err := tx.ExecContext(ctx, "INSERT INTO local_drain (runner) VALUES (?)", id); err != nil {
				return err
			}
		}
		return nil
	})
}

// LocalDraining returns the runners that were asked to.
func (db *DB) LocalDraining(ctx context.Context) (runners []string, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		runners, err = rows(ctx, tx, func(rs *sql.Rows) (id string, err error) { return id, rs.Scan(&id) },
			"SELECT runner FROM local_drain")
		return err
	})
	return runners, err
}
