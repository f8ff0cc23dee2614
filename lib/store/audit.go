package store

import (
	"context"
	"database/sql"
	"time"
)

// Entry is a line of the audit trail: who did what. Entries are only added, so they name people by number, and have
// nothing in them that a person could want removed.
type Entry struct {
	ID      int64
	At      time.Time
	Actor   int64  // the person who did it; 0: nobody who was logged in
	Means   string // "web", "token", "toasterctl", "sync"
	Address string // where the request came from; empty: this host
	Action  string // "login", "person.state", "job.remove"
	Object  string // "person 7", "job 1a2b…"
	Detail  string // "active"; never a secret
}

// EntryQuery chooses from the audit trail.
type EntryQuery struct {
	Before int64  // only entries with a smaller id; 0: from the newest
	Actor  int64  // 0: anybody's
	Action string // that action, or those that begin with it and a dot; empty: any
	Object string // empty: any
	Limit  int
}

// Audit adds an entry to the audit trail.
func (db *DB) Audit(ctx context.Context, e Entry) error {
	return db.write(ctx, func(tx *sql.Tx) error { return audit(ctx, tx, e) })
}

func audit(ctx context.Context, tx *sql.Tx, entries ...Entry) error {
	for _, e := range entries {
		_, err := tx.ExecContext(ctx,
			`INSERT INTO audit (at, actor, means, address, action, object, detail) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			millis(e.At), null(e.Actor), e.Means, e.Address, e.Action, e.Object, e.Detail)
		if err != nil {
			return err
		}
	}
	return nil
}

// Entries returns a part of the audit trail, newest first.
func (db *DB) Entries(ctx context.Context, q EntryQuery) (found []Entry, err error) {
	scan := func(rs *sql.Rows) (e Entry, err error) {
		var at, actor sql.NullInt64
		err = rs.Scan(&e.ID, &at, &actor, &e.Means, &e.Address, &e.Action, &e.Object, &e.Detail)
		e.At, e.Actor = when(at), actor.Int64
		return e, err
	}
	err = db.read(ctx, func(tx *sql.Tx) error {
		found, err = rows(ctx, tx, scan, `SELECT id, at, actor, means, address, action, object, detail FROM audit
			WHERE (?1 = 0 OR id < ?1) AND (?2 = 0 OR actor = ?2) AND (?3 = '' OR action = ?3 OR substr(action, 1, length(?3) + 1) = ?3 || '.')
			AND (?4 = '' OR object = ?4) ORDER BY id DESC LIMIT ?5`, q.Before, q.Actor, q.Action, q.Object, q.Limit)
		return err
	})
	return found, err
}

// SetFact stores a single fact under its name.
func (db *DB) SetFact(ctx context.Context, name, value string) error {
	return db.exec(ctx, `INSERT INTO fact (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value`, name, value)
}

// Fact returns what is stored under a name; empty: nothing.
func (db *DB) Fact(ctx context.Context, name string) (value string, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT value FROM fact WHERE name = ?`, name).Scan(&value)
		if err == sql.ErrNoRows {
			return nil
		}
		return err
	})
	return value, err
}
