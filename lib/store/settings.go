package store

import (
	"context"
	"database/sql"
	"errors"
)

// SetSetting stores a single value under its name.
func (db *DB) SetSetting(ctx context.Context, name, value string) error {
	return db.exec(ctx,
		`INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value`, name, value)
}

// Setting returns what is stored under a name; empty: nothing.
func (db *DB) Setting(ctx context.Context, name string) (value string, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT value FROM setting WHERE name = ?`, name).Scan(&value)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return value, err
}
