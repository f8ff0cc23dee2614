package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// HookMessage is what a hook is to send.
type HookMessage struct {
	ID        int64
	Name      string // webhook-id
	HookID    int64
	URL       string
	Secret    []byte // that signs, sealed
	Body      string // empty: not written yet
	CreatedAt time.Time
	Tries     int        // that failed
	Job       *Job       // id, name, target, title
	Build     *Build     // that has ended; nil: it is a test
	Files     []Artifact // that the build left; only where there is no body yet
	Until     time.Time  // as long nobody else sends it; zero: it is not claimed
}

// DueHooks returns messages whose time has come: of each owner the oldest first, and of all owners alike.
func (db *DB) DueHooks(ctx context.Context, now time.Time, most int) (found []HookMessage, err error) {
	scan := func(rs *sql.Rows) (m HookMessage, err error) {
		m.Job, m.Build = new(Job), new(Build)
		err = rs.Scan(append([]any{&m.ID, &m.Name, &m.HookID, &m.URL, &m.Secret, &m.Body, (*timestamp)(&m.CreatedAt),
			&m.Tries, &m.Job.ID, &m.Job.Name, &m.Job.Target, &m.Job.TargetTitle}, m.Build.fields()...)...)
		m.Build = m.Build.orNil()
		return m, err
	}
	err = db.read(ctx, func(tx *sql.Tx) error {
		found, err = rows(ctx, tx, scan, `SELECT due.id, due.name, due.hook_id, due.url, due.secret, coalesce(due.body, ''),
			due.created_at, due.tries, job.id, job.name, job.target, `+targetTitle+`, `+buildColumns+` FROM (
				SELECT m.*, hook.url, hook.secret, hook.job_id,
					row_number() OVER (PARTITION BY job.user_id ORDER BY m.next_at, m.id) AS place
				FROM hook_message m JOIN hook ON hook.id = m.hook_id JOIN job ON job.id = hook.job_id
				JOIN user p ON p.id = job.user_id
				WHERE m.next_at <= ? AND hook.enabled = 1 AND job.removed_at IS NULL AND p.state = 'active') AS due
			JOIN job ON job.id = due.job_id LEFT JOIN build ON build.job_id = job.id AND build.number = due.build
			ORDER BY due.place, due.next_at, due.id LIMIT ?`, timestamp(now), most)
		for i, m := range found {
			if err == nil && m.Body == "" && m.Build != nil {
				found[i].Files, err = rows(ctx, tx, scanArtifact, `SELECT path, size, sha256 FROM artifact
					WHERE job_id = ? AND build = ? ORDER BY size DESC, path`, m.Job.ID, m.Build.Number)
			}
		}
		return err
	})
	return found, err
}

// ClaimHook lets one process of several send a message that is due, with this body; if it dies, the message is due
// again at until.
func (db *DB) ClaimHook(ctx context.Context, id int64, body string, now, until time.Time) (mine bool, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, "UPDATE hook_message SET next_at = ?, body = ? WHERE id = ? AND next_at <= ?",
			timestamp(until), body, id, timestamp(now))
		if err != nil {
			return err
		}
		n, err := r.RowsAffected()
		mine = n == 1
		return err
	})
	return mine, err
}

// Delivered writes a try of a claimed message down. The message is sent again at next; zero: never. gone disables the
// hook. What its owner did during the try holds: they have disabled the hook, had the message sent again, or changed
// the address, which is called next then.
func (db *DB) Delivered(ctx context.Context, m HookMessage, d Delivery, next time.Time, gone bool) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if gone {
			disabled, err := disableGone(ctx, tx, m, d.At)
			if err != nil {
				return err
			}
			if !disabled {
				next = d.At
			}
		}
		failed := !d.Error.IsZero()
		r, err := tx.ExecContext(ctx, `UPDATE hook_message SET next_at = iif(next_at = ?1, ?2, next_at),
			tries = tries + iif(next_at = ?1, ?3, 0) WHERE id = ?4`, timestamp(m.Until), timestamp(next), failed, m.ID)
		if err != nil {
			return err
		}
		// Where the hook is gone by now, there is nothing to write.
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO hook_delivery
			(hook_id, message_id, at, took_ms, status, answer, error) VALUES (?, ?, ?, ?, ?, ?, ?)`, m.HookID, m.ID,
			timestamp(d.At), milliseconds(d.Took), d.Status, d.Answer, d.Error); err != nil {
			return err
		}
		return forgetDeliveries(ctx, tx, m.HookID)
	})
}

// disableGone disables the hook of a message whose receiver is gone, unless that is no longer the hook's.
func disableGone(ctx context.Context, tx *sql.Tx, m HookMessage, at time.Time) (disabled bool, err error) {
	r, err := tx.ExecContext(ctx, "UPDATE hook SET enabled = 0, gone_at = ? WHERE id = ? AND enabled = 1 AND url = ?",
		timestamp(at), m.HookID, m.URL)
	if err != nil {
		return false, err
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		return false, err
	}
	return true, silence(ctx, tx, m.HookID)
}

// forgetDeliveries keeps the newest tries of a hook, and their messages.
func forgetDeliveries(ctx context.Context, tx *sql.Tx, hook int64) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM hook_delivery WHERE hook_id = ?1 AND id NOT IN (SELECT id
		FROM hook_delivery WHERE hook_id = ?1 ORDER BY id DESC LIMIT ?2)`, hook, HookLog); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM hook_message WHERE hook_id = ? AND next_at IS NULL
		AND NOT EXISTS (SELECT 1 FROM hook_delivery d WHERE d.message_id = hook_message.id)`, hook)
	return err
}

// StartHook is what lets others start a job's builds.
type StartHook struct {
	Secret    []byte // sealed
	CreatedAt time.Time
	UsedAt    time.Time // when it last started a build; zero: never
}

// StartHook returns the one of an owner's job; nil: it has none.
func (db *DB) StartHook(ctx context.Context, owner int64, job string) (h *StartHook, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		if _, err := findJob(ctx, tx, owner, job); err != nil {
			return err
		}
		h = new(StartHook)
		err := tx.QueryRowContext(ctx, "SELECT secret, created_at, used_at FROM start_hook WHERE job_id = ?", job).
			Scan(&h.Secret, (*timestamp)(&h.CreatedAt), (*timestamp)(&h.UsedAt))
		if errors.Is(err, sql.ErrNoRows) {
			h, err = nil, nil
		}
		return err
	})
	return h, err
}

// StarterOf returns who owns a job, whoever asks, and the sealed secret that starts it; nil: there is no such job, or
// its owner may not use the site, or it has no start hook.
func (db *DB) StarterOf(ctx context.Context, job string) (owner int64, sealed []byte, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT job.user_id, s.secret FROM start_hook s JOIN job ON job.id = s.job_id
			JOIN user p ON p.id = job.user_id WHERE job.id = ? AND job.removed_at IS NULL AND p.state = 'active'`, job).
			Scan(&owner, &sealed)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return owner, sealed, err
}

// SetStartHook gives an owner's job a start hook with a sealed secret, in place of the one before; nil takes it away.
func (db *DB) SetStartHook(ctx context.Context, owner int64, job string, sealed []byte, e AuditEntry) error {
	e.Action, e.Object = "starthook.set", "job "+job
	if sealed == nil {
		e.Action = "starthook.delete"
	}
	return db.write(ctx, func(tx *sql.Tx) error {
		if _, err := findJob(ctx, tx, owner, job); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM start_hook WHERE job_id = ?", job); err != nil {
			return err
		}
		if sealed != nil {
			if _, err := tx.ExecContext(ctx, "INSERT INTO start_hook (job_id, secret, created_at) VALUES (?, ?, ?)", job,
				sealed, timestamp(e.At)); err != nil {
				return err
			}
		}
		return audit(ctx, tx, e)
	})
}

// StartHookUsed notes when a start hook last started a build.
func (db *DB) StartHookUsed(ctx context.Context, job string, now time.Time) error {
	return db.exec(ctx, "UPDATE start_hook SET used_at = ? WHERE job_id = ?", timestamp(now), job)
}

// HookSecret is a secret as it is stored.
type HookSecret struct {
	HookID int64 // 0: it is the job's start hook's
	JobID  string
	Sealed []byte
}

// HookSecrets are those of all hooks and start hooks.
func (db *DB) HookSecrets(ctx context.Context) (list []HookSecret, err error) {
	scan := func(rs *sql.Rows) (s HookSecret, err error) { return s, rs.Scan(&s.HookID, &s.JobID, &s.Sealed) }
	err = db.read(ctx, func(tx *sql.Tx) error {
		list, err = rows(ctx, tx, scan, `SELECT id, job_id, secret FROM hook UNION ALL
			SELECT 0, job_id, secret FROM start_hook`)
		return err
	})
	return list, err
}

// ResealHook replaces the form in which an unchanged secret is stored, unless it was renewed meanwhile.
func (db *DB) ResealHook(ctx context.Context, s HookSecret, sealed []byte) error {
	if s.HookID == 0 {
		return db.exec(ctx, "UPDATE start_hook SET secret = ? WHERE job_id = ? AND secret = ?", sealed, s.JobID, s.Sealed)
	}
	return db.exec(ctx, "UPDATE hook SET secret = ? WHERE id = ? AND secret = ?", sealed, s.HookID, s.Sealed)
}
