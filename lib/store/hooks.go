package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/i18n"
)

// Hook is where the ends of a job's builds are reported to.
type Hook struct {
	ID        int64
	JobID     string
	URL       string
	Secret    []byte // that signs, sealed
	Enabled   bool
	GoneAt    time.Time // when the receiver answered 410 Gone, which disabled it; zero: it didn't
	CreatedAt time.Time
	Waiting   int // messages that are still to be sent
}

// Delivery is a try to send a message.
type Delivery struct {
	ID      int64
	Message string // webhook-id
	Build   int    // that has ended; 0: it is a test
	At      time.Time
	Took    time.Duration
	Status  int       // of the answer; 0: there was none
	Answer  string    // how it begins
	Error   i18n.Text // why it failed, for people; empty: it didn't
}

// HookLog is how many tries of a hook are kept.
const HookLog = 50

const hookColumns = `hook.id, hook.job_id, hook.url, hook.secret, hook.enabled, hook.gone_at, hook.created_at,
	(SELECT count(*) FROM hook_message AS m WHERE m.hook_id = hook.id AND m.next_at IS NOT NULL)`

func scanHook(rs *sql.Rows) (h Hook, err error) {
	return h, rs.Scan(&h.ID, &h.JobID, &h.URL, &h.Secret, &h.Enabled, (*timestamp)(&h.GoneAt),
		(*timestamp)(&h.CreatedAt), &h.Waiting)
}

func noHook() error {
	return apperr.New(apperr.NotFound, "This hook does not exist.", "See the page “Hooks” of the job.")
}

// Hooks returns those of an owner's job, the oldest first.
func (db *DB) Hooks(ctx context.Context, owner int64, job string) (list []Hook, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		if _, err := findJob(ctx, tx, owner, job); err != nil {
			return err
		}
		list, err = rows(ctx, tx, scanHook, "SELECT "+hookColumns+" FROM hook WHERE job_id = ? ORDER BY id", job)
		return err
	})
	return list, err
}

// Hook returns one of an owner's job.
func (db *DB) Hook(ctx context.Context, owner int64, job string, id int64) (h Hook, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		h, err = findHook(ctx, tx, owner, job, id)
		return err
	})
	return h, err
}

func findHook(ctx context.Context, tx *sql.Tx, owner int64, job string, id int64) (h Hook, err error) {
	if _, err := findJob(ctx, tx, owner, job); err != nil {
		return h, err
	}
	list, err := rows(ctx, tx, scanHook, "SELECT "+hookColumns+" FROM hook WHERE job_id = ? AND id = ?", job, id)
	if err == nil && len(list) == 0 {
		err = noHook()
	}
	if err != nil {
		return h, err
	}
	return list[0], nil
}

// AddHook stores a hook of an owner's job, and sets its id. With most of them already: ResourceExhausted.
func (db *DB) AddHook(ctx context.Context, owner int64, h *Hook, most int, e AuditEntry) error {
	e.Action, e.Object = "hook.add", "job "+h.JobID
	return db.write(ctx, func(tx *sql.Tx) error {
		if _, err := findJob(ctx, tx, owner, h.JobID); err != nil {
			return err
		}
		var n int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM hook WHERE job_id = ?", h.JobID).Scan(&n); err != nil {
			return err
		}
		if n >= most {
			return apperr.New(apperr.ResourceExhausted, "This job has %d hooks, the maximum.", "Delete one first.",
				n).Coded("quota_hooks")
		}
		r, err := tx.ExecContext(ctx, "INSERT INTO hook (job_id, url, secret, created_at) VALUES (?, ?, ?, ?)", h.JobID,
			h.URL, h.Secret, timestamp(h.CreatedAt))
		if err != nil {
			return err
		}
		h.Enabled = true
		if h.ID, err = r.LastInsertId(); err != nil {
			return err
		}
		if err := made(ctx, tx, hookPath(h.JobID, h.ID)); err != nil {
			return err
		}
		return audit(ctx, tx, e)
	})
}

func hookPath(job string, id int64) string { return fmt.Sprintf("/jobs/%s/hooks/%d", job, id) }

// editHook runs a statement for a hook of an owner's job, and adds a line to the audit trail.
func (db *DB) editHook(ctx context.Context, owner int64, job string, id int64, e AuditEntry,
	f func(*sql.Tx) error) error {
	e.Object = "job " + job
	return db.write(ctx, func(tx *sql.Tx) error {
		if _, err := findHook(ctx, tx, owner, job, id); err != nil {
			return err
		}
		if err := f(tx); err != nil {
			return err
		}
		return audit(ctx, tx, e)
	})
}

// SetHook gives a hook another address, and enables or disables it: what waits is not sent then.
func (db *DB) SetHook(ctx context.Context, owner int64, job string, id int64, url string, enabled bool,
	e AuditEntry) error {
	e.Action = "hook.update"
	return db.editHook(ctx, owner, job, id, e, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE hook SET url = ?, enabled = ?, gone_at = NULL WHERE id = ?", url, enabled,
			id); err != nil || enabled {
			return err
		}
		return silence(ctx, tx, id)
	})
}

// silence has a hook send nothing of what waits.
func silence(ctx context.Context, tx *sql.Tx, id int64) error {
	_, err := tx.ExecContext(ctx, "UPDATE hook_message SET next_at = NULL WHERE hook_id = ?", id)
	return err
}

// SetHookSecret gives a hook another secret, which is sealed.
func (db *DB) SetHookSecret(ctx context.Context, owner int64, job string, id int64, sealed []byte,
	e AuditEntry) error {
	e.Action = "hook.secret"
	return db.editHook(ctx, owner, job, id, e, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE hook SET secret = ? WHERE id = ?", sealed, id)
		return err
	})
}

// DeleteHook deletes a hook, with its log and what it was to send.
func (db *DB) DeleteHook(ctx context.Context, owner int64, job string, id int64, e AuditEntry) error {
	e.Action = "hook.delete"
	return db.editHook(ctx, owner, job, id, e, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM hook WHERE id = ?", id)
		return err
	})
}

// TestHook has a hook send a message that is about no build. One that is disabled is a FailedPrecondition.
func (db *DB) TestHook(ctx context.Context, owner int64, job string, id int64, now time.Time) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if err := enabledHook(ctx, tx, owner, job, id); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO hook_message (hook_id, created_at, next_at) VALUES (?1, ?2, ?2)", id,
			timestamp(now)); err != nil {
			return err
		}
		return made(ctx, tx, hookPath(job, id))
	})
}

func enabledHook(ctx context.Context, tx *sql.Tx, owner int64, job string, id int64) error {
	h, err := findHook(ctx, tx, owner, job, id)
	if err == nil && !h.Enabled {
		err = apperr.New(apperr.FailedPrecondition, "This hook is disabled.", "Enable it first.")
	}
	return err
}

// Deliveries returns a hook's tries, the newest first.
func (db *DB) Deliveries(ctx context.Context, owner int64, job string, id int64) (list []Delivery, err error) {
	scan := func(rs *sql.Rows) (d Delivery, err error) {
		return d, rs.Scan(&d.ID, &d.Message, orZero(&d.Build), (*timestamp)(&d.At), (*milliseconds)(&d.Took), &d.Status,
			&d.Answer, &d.Error)
	}
	err = db.read(ctx, func(tx *sql.Tx) error {
		if _, err := findHook(ctx, tx, owner, job, id); err != nil {
			return err
		}
		list, err = rows(ctx, tx, scan, `SELECT d.id, m.name, m.build, d.at, d.took_ms, d.status, d.answer, d.error
			FROM hook_delivery d JOIN hook_message m ON m.id = d.message_id WHERE d.hook_id = ?
			ORDER BY d.id DESC LIMIT ?`, id, HookLog)
		return err
	})
	return list, err
}

// SendAgain has a hook send the message of an earlier try once more.
func (db *DB) SendAgain(ctx context.Context, owner int64, job string, id, delivery int64, now time.Time) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if err := enabledHook(ctx, tx, owner, job, id); err != nil {
			return err
		}
		r, err := tx.ExecContext(ctx, `UPDATE hook_message SET next_at = ?, tries = 0
			WHERE id = (SELECT message_id FROM hook_delivery WHERE id = ? AND hook_id = ?)`, timestamp(now), delivery, id)
		if err != nil {
			return err
		}
		n, err := r.RowsAffected()
		if err == nil && n == 0 {
			err = apperr.New(apperr.NotFound, "This delivery is not in the log.", "See the page of the hook.")
		}
		return err
	})
}
