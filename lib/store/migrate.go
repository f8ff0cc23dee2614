package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"toaster.do/lib/apperr"
)

// Migrations are applied in the order of their names; the n-th leads to schema version n. One that has
// been released is never edited.
//
//go:embed migrations/*.sql
var embedded embed.FS

// schemaVersion is the version that this program works with: the number of migrations. Only tests change either.
var (
	migrations    fs.FS = embedded
	schemaVersion       = 1
)

// Migrate makes the database if it is missing and brings its schema to this program's version, each step in a
// transaction of its own. It returns the versions before and after. A database that is not new is copied first, to
// CopyOf. Several at once are safe.
func Migrate(ctx context.Context, path string) (from, to int, err error) {
	if err := writable(path); err != nil {
		return 0, 0, err
	}
	// 0640: the web server's group may read it, nobody else.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return 0, 0, err
	}
	f.Close()
	db, err := open(ctx, path)
	if err != nil {
		return 0, 0, err
	}
	defer db.Close()
	if from, err = db.version(ctx); err != nil {
		return 0, 0, err
	}
	if from > schemaVersion {
		return from, from, newer(path, from)
	}
	if from > 0 && from < schemaVersion {
		if err := keepCopy(ctx, path, from); err != nil {
			return from, from, fmt.Errorf("copying the database first: %w", err)
		}
	}
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return from, from, err
	}
	for i, name := range names {
		if err := db.step(ctx, i+1, name); err != nil {
			return from, i, fmt.Errorf("%s: %w", name, err)
		}
	}
	return from, len(names), nil
}

// CopyOf is where Migrate leaves a copy of the database as it was in a schema version.
func CopyOf(path string, version int) string { return fmt.Sprintf("%s.schema-%d", path, version) }

func keepCopy(ctx context.Context, path string, version int) error {
	dir, err := os.MkdirTemp(filepath.Dir(path), ".migrate-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	temporary := filepath.Join(dir, "db")
	if err := Snapshot(ctx, path, temporary); err != nil {
		return err
	}
	// Another process may have migrated meanwhile: its copy is the right one.
	if have, err := Check(ctx, temporary); err != nil || have != version {
		return err
	}
	return os.Rename(temporary, CopyOf(path, version))
}

func (db *DB) step(ctx context.Context, version int, name string) error {
	script, err := fs.ReadFile(migrations, name)
	if err != nil {
		return err
	}
	return db.write(ctx, func(tx *sql.Tx) error {
		var have int
		// Asked again inside the transaction: another process may have been faster.
		if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have); err != nil || have >= version {
			return err
		}
		if _, err := tx.ExecContext(ctx, string(script)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version))
		return err
	})
}

func (db *DB) version(ctx context.Context) (int, error) {
	var v int
	err := db.r.QueryRowContext(ctx, "PRAGMA user_version").Scan(&v)
	return v, mapSQLiteError(err)
}

// writable refuses a directory of another user, for the reason that owned gives.
func writable(path string) error {
	if _, err := os.Stat(path); err == nil {
		return owned(path)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	if owner := int(dir.Sys().(*syscall.Stat_t).Uid); owner != os.Geteuid() {
		return apperr.New(apperr.PermissionDenied, "%s belongs to uid %d.",
			"Run this as the owner: sudo -u '#%d' …", filepath.Dir(path), owner, owner)
	}
	return nil
}
