// Package store is toaster's SQLite database: the schema, its migrations, and every SQL statement.
//
// Many processes use the database at once, one for each request, so every write transaction begins as one
// (BEGIN IMMEDIATE), waits its turn, and is on the disk when it returns. Reads go through a handle of their own
// that can't write.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"

	"github.com/mattn/go-sqlite3"

	"toaster.do/lib/apperr"
	"toaster.do/lib/i18n"
)

// DB is an open database. It is safe for use by several goroutines.
type DB struct {
	path  string
	r, w  *sql.DB
	wrote atomic.Bool
}

// Pragmas belong in the address: an Exec would reach one connection of the pool only. A connection is one goroutine's
// at a time (database/sql), so it needs no mutex of SQLite's.
const (
	writer = "_mutex=no&_stmt_cache_size=32&_journal_mode=WAL&_txlock=immediate&_foreign_keys=on&_synchronous=FULL"
	reader = "_mutex=no&_stmt_cache_size=64&_txlock=deferred&_foreign_keys=on&_query_only=1"
)

func dsn(path, pragmas string) string {
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(),
		RawQuery: "mode=rw&" + pragmas}).String()
}

// Open opens the database for use. It fails with an error of kind Unavailable, which says what the
// administrator has to do, when the file is missing, belongs to another user, or has another schema version.
func Open(ctx context.Context, path string) (*DB, error) {
	if err := owned(path); err != nil {
		return nil, err
	}
	db, err := open(ctx, path)
	if err != nil {
		return nil, err
	}
	if err := db.Fits(ctx); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

// Fits is an error of kind Unavailable when the database has another schema version than this program's.
func (db *DB) Fits(ctx context.Context) error {
	version, err := db.version(ctx)
	if err == nil && version != schemaVersion {
		advice := i18n.Key("Try again in a minute. Administrator: run “toasterctl migrate”.")
		if version > schemaVersion {
			advice = "Try again in a minute. Administrator: install the newer version, which has changed the database."
		}
		err = apperr.Wrap(apperr.Unavailable, fmt.Errorf("%s has schema version %d, this program needs %d", db.path,
			version, schemaVersion), "This site is being updated.", advice)
	}
	return err
}

func open(ctx context.Context, path string) (*DB, error) {
	w, err := sql.Open("sqlite3", dsn(path, "_busy_timeout=0&"+writer))
	if err != nil {
		return nil, err
	}
	r, err := sql.Open("sqlite3", dsn(path, readWait(ctx)+reader))
	if err != nil {
		w.Close()
		return nil, err
	}
	w.SetMaxOpenConns(1)
	r.SetMaxIdleConns(8) // what a connection knows of the schema, and its statements, took long to learn
	return &DB{path: path, r: r, w: w}, nil
}

// owned refuses a database in a directory of another user: SQLite would make its side files as the wrong
// user, and the web server could no longer write.
func owned(path string) error {
	fi, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return apperr.Wrap(apperr.Unavailable, err, "This site is not set up yet.",
			"Administrator: run “toasterctl init”.")
	}
	if err != nil {
		return apperr.Wrap(apperr.Unavailable, err, "The site's database can't be reached.", "Administrator: see the log.")
	}
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return apperr.Wrap(apperr.Unavailable, err, "The site's database can't be reached.", "Administrator: see the log.")
	}
	for _, f := range []fs.FileInfo{dir, fi} {
		if owner := int(f.Sys().(*syscall.Stat_t).Uid); owner != os.Geteuid() {
			return apperr.Wrap(apperr.Unavailable,
				fmt.Errorf("%s belongs to uid %d, this process is uid %d", path, owner, os.Geteuid()),
				"The site's database belongs to another user.",
				"Administrator: run this as the owner: sudo -u '#%d' …", owner)
		}
	}
	return nil
}

// Close closes the database.
func (db *DB) Close() error {
	return errors.Join(db.r.Close(), db.w.Close())
}

// longLog is a write-ahead log that is no longer read for nothing, bytes.
const longLog = 512 << 10

// Leave is for a process that ends. It closes the database only where that does some good: where no other process has
// it open, each one that opens it reads all of the write-ahead log, until somebody who closes it has emptied that into
// the database (sqlite.org/wal.html).
func (db *DB) Leave() {
	if !db.wrote.Load() {
		return
	}
	if fi, err := os.Stat(db.path + "-wal"); err == nil && fi.Size() > longLog {
		db.Close()
	}
}

// Path returns where the database lies.
func (db *DB) Path() string { return db.path }

// write runs f in a transaction and commits it, on the disk, before it returns.
func (db *DB) write(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := db.begin(ctx)
	if err != nil {
		return mapSQLiteError(err)
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return mapSQLiteError(err)
	}
	return mapSQLiteError(tx.Commit())
}

// read runs f on one consistent state of the database.
func (db *DB) read(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := db.r.BeginTx(ctx, nil)
	if err != nil {
		return mapSQLiteError(err)
	}
	defer tx.Rollback()
	return mapSQLiteError(f(tx))
}

// mapSQLiteError turns what somebody can do something about into an error. Result codes: sqlite.org/rescode.html.
func mapSQLiteError(err error) error {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code {
	case sqlite3.ErrFull, sqlite3.ErrIoErr:
		return apperr.Wrap(apperr.StorageFull, err, "The disk of the server is full or failing. Nothing was saved.",
			"Try again later. Administrator: free some space.")
	case sqlite3.ErrReadonly, sqlite3.ErrCantOpen, sqlite3.ErrPerm:
		return apperr.Wrap(apperr.Unavailable, err, "The site's database can't be written. Nothing was saved.",
			"Try again later. Administrator: see the log.")
	case sqlite3.ErrBusy, sqlite3.ErrLocked:
		return apperr.Wrap(apperr.Unavailable, err, "The server is very busy. Nothing was saved.", "Try again in a minute.")
	}
	return err
}

// unique tells whether err is a violation of a UNIQUE or PRIMARY KEY constraint.
func unique(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && (e.ExtendedCode == sqlite3.ErrConstraintUnique ||
		e.ExtendedCode == sqlite3.ErrConstraintPrimaryKey)
}

// rows runs a query and scans every row with scan.
func rows[T any](ctx context.Context, tx *sql.Tx, scan func(*sql.Rows) (T, error), query string,
	args ...any) ([]T, error) {
	rs, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rs.Close()
	var all []T
	for rs.Next() {
		v, err := scan(rs)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rs.Err()
}
