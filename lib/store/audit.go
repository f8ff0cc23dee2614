package store

import (
	"context"
	"database/sql"
	"strings"
	"time"
)

// AuditEntry is a line of the audit trail: who did what. Entries are only added: who is removed later stays in them, by
// number and by the address of that time.
type AuditEntry struct {
	ID      int64
	At      time.Time
	Actor   int64  // the user who did it; 0: nobody who was logged in
	Means   string // "web", "token", "toasterctl", "sync"
	Address string // where the request came from; empty: this host
	Action  string // "login", "user.state", "job.remove"
	Object  string // "user 7", "job 1a2b…"
	Detail  string // "active"; never a secret

	// Addresses and a job's name at that time; left empty, they are looked up when the entry is stored.
	ActorName, ObjectName string
}

// AuditQuery chooses from the audit trail.
type AuditQuery struct {
	Before int64  // only entries with a smaller id; 0: from the newest
	Actor  int64  // 0: anybody's
	By     string // the actor's address then; empty: anybody's
	Action string // that action, or those that begin with it and a dot; empty: any
	Object string // also by its name; empty: any
	Limit  int
}

// Audit adds an entry to the audit trail.
func (db *DB) Audit(ctx context.Context, e AuditEntry) error {
	return db.write(ctx, func(tx *sql.Tx) error { return audit(ctx, tx, e) })
}

func audit(ctx context.Context, tx *sql.Tx, entries ...AuditEntry) error {
	for _, e := range entries {
		if e.ActorName == "" && e.Actor != 0 {
			e.ActorName = nameThen(ctx, tx, UserObject(e.Actor))
		}
		if e.ObjectName == "" {
			e.ObjectName = nameThen(ctx, tx, e.Object)
		}
		_, err := tx.ExecContext(ctx,
			`INSERT INTO audit (at, actor, actor_name, means, address, action, object, object_name, detail)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			timestamp(e.At), null(e.Actor), e.ActorName, e.Means, e.Address, e.Action, e.Object, e.ObjectName, e.Detail)
		if err != nil {
			return err
		}
	}
	return nil
}

// nameThen is the address of a "user 7", or the name of a "job 1a2b…": as it is now, or as the trail has it of one
// that
// is removed; empty: nobody knows.
func nameThen(ctx context.Context, tx *sql.Tx, object string) (name string) {
	kind, id, _ := strings.Cut(object, " ")
	now := map[string]string{"user": "SELECT email FROM user WHERE id = ?1 AND removed_at IS NULL",
		"job": "SELECT name FROM job WHERE id = ?1"}[kind]
	if now != "" { // without a name the entry is as true
		tx.QueryRowContext(ctx, "SELECT coalesce(("+now+`),
			(SELECT object_name FROM audit WHERE object = ?2 AND object_name <> '' ORDER BY id DESC LIMIT 1), '')`,
			id, object).Scan(&name)
	}
	return name
}

// Entries returns a part of the audit trail, newest first.
func (db *DB) AuditEntries(ctx context.Context, q AuditQuery) (found []AuditEntry, err error) {
	scan := func(rs *sql.Rows) (e AuditEntry, err error) {
		return e, rs.Scan(&e.ID, (*timestamp)(&e.At), orZero(&e.Actor), &e.ActorName, &e.Means, &e.Address, &e.Action,
			&e.Object, &e.ObjectName, &e.Detail)
	}
	err = db.read(ctx, func(tx *sql.Tx) error {
		found, err = rows(ctx, tx, scan,
			`SELECT id, at, actor, actor_name, means, address, action, object, object_name, detail FROM audit
			WHERE (?1 = 0 OR id < ?1) AND (?2 = 0 OR actor = ?2) AND
			(?3 = '' OR action = ?3 OR substr(action, 1, length(?3) + 1) = ?3 || '.')
			AND (?4 = '' OR object = ?4 OR object_name = ?4 COLLATE NOCASE) AND (?5 = '' OR actor_name = ?5 COLLATE NOCASE)
			ORDER BY id DESC LIMIT ?6`, q.Before, q.Actor, q.Action, q.Object, q.By, q.Limit)
		return err
	})
	return found, err
}
