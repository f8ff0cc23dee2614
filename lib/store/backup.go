package store

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"time"

	"github.com/mattn/go-sqlite3"

	"toaster.do/lib/apperr"
)

// Snapshot copies the database at path to a new file, mode 0600: one consistent state, while others read and write
// (sqlite.org/lang_vacuum.html). The copy is a single file, checked to be whole, and has nothing that was deleted. It has
// no secrets of builds: one that waits with some fails where it is restored, if it begins there.
func Snapshot(ctx context.Context, path, to string) error {
	if err := owned(path); err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	err = execute(ctx, path, "_busy_timeout=10000", "VACUUM INTO ?", to)
	if err == nil {
		err = dropSecrets(ctx, to)
	}
	if err == nil {
		_, err = Check(ctx, to)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		os.Remove(to)
	}
	return err
}

// dropSecrets overwrites the secrets of builds in a copy.
func dropSecrets(ctx context.Context, path string) error {
	has, err := func() (has bool, err error) {
		db, err := sql.Open("sqlite3", dsn(path, "_query_only=1"))
		if err != nil {
			return false, err
		}
		defer db.Close()
		return has, db.QueryRowContext(ctx,
			"SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'build_secret')").Scan(&has)
	}()
	if err != nil || !has {
		return mapSQLiteError(err)
	}
	return execute(ctx, path, "_secure_delete=1",
		"UPDATE build_secret SET sealed = x''; UPDATE local_build SET secrets = x'' WHERE secrets IS NOT NULL")
}

// Replace makes the database at path equal to the one in the file from, in one transaction: who reads meanwhile
// sees the old one or the new one. There has to be a database at path already.
func Replace(ctx context.Context, from, path string) error {
	if err := owned(path); err != nil {
		return err
	}
	return transfer(ctx, from, "_query_only=1", path, "_busy_timeout=10000&"+writer)
}

// Check reads a database file wholly and returns its schema version. A file that is damaged, or is no database, is
// an error of kind Internal.
func Check(ctx context.Context, path string) (version int, err error) {
	db, err := sql.Open("sqlite3", dsn(path, "_query_only=1"))
	if err != nil {
		return 0, err
	}
	defer db.Close()
	var verdict string
	err = db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict)
	if err == nil && verdict != "ok" {
		err = errors.New(verdict)
	}
	if err != nil {
		return 0, apperr.Wrap(apperr.Internal, err, "%s is damaged, or is not a database.", "Use another backup.", path)
	}
	err = db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version)
	return version, err
}

// Schema returns the schema version of the database at path, and the one that this program works with. A database of a
// newer one is a FailedPrecondition.
func Schema(ctx context.Context, path string) (have, want int, err error) {
	if err := owned(path); err != nil {
		return 0, schemaVersion, err
	}
	db, err := open(ctx, path)
	if err != nil {
		return 0, schemaVersion, err
	}
	defer db.Close()
	have, err = db.version(ctx)
	if err == nil && have > schemaVersion {
		err = newer(path, have)
	}
	return have, schemaVersion, err
}

// newer is the error of a database that a newer toaster has made.
func newer(path string, version int) error {
	return apperr.New(apperr.FailedPrecondition,
		"%s was created by a newer toaster (schema %d; this version supports %d).", "Install the newer version.", path,
		version, schemaVersion)
}

// transfer copies all pages of one database over those of another.
func transfer(ctx context.Context, from, fromPragmas, to, toPragmas string) error {
	return raw(ctx, from, fromPragmas, func(src *sqlite3.SQLiteConn) error {
		return raw(ctx, to, toPragmas, func(dst *sqlite3.SQLiteConn) error {
			b, err := dst.Backup("main", src, "main")
			if err != nil {
				return mapSQLiteError(err)
			}
			err = steps(ctx, b)
			return errors.Join(err, mapSQLiteError(b.Finish()))
		})
	})
}

// steps takes all pages in one step: with several, a site that is written to would make it begin again and again.
// Another step is needed only where a lock could not be had.
func steps(ctx context.Context, b *sqlite3.SQLiteBackup) error {
	for {
		done, err := b.Step(-1)
		if done || err != nil {
			return mapSQLiteError(err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// raw calls f with the driver's own connection to a database.
func raw(ctx context.Context, path, pragmas string, f func(*sqlite3.SQLiteConn) error) error {
	db, err := sql.Open("sqlite3", dsn(path, pragmas))
	if err != nil {
		return err
	}
	defer db.Close()
	c, err := db.Conn(ctx)
	if err != nil {
		return mapSQLiteError(err)
	}
	defer c.Close()
	return c.Raw(func(driver any) error { return f(driver.(*sqlite3.SQLiteConn)) })
}

func execute(ctx context.Context, path, pragmas, statement string, args ...any) error {
	db, err := sql.Open("sqlite3", dsn(path, pragmas))
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, statement, args...)
	return mapSQLiteError(err)
}
