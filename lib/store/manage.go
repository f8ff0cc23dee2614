package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"toaster.do/lib/apperr"
)

// What administrators do to users. The AuditEntry says when, who, how and from where; what was done is filled in. Each
// change and its line in the audit trail are stored together or not at all.

// LimitOverrides are limits of a user's own; nil: the configuration's. 0: no limit.
type LimitOverrides struct {
	Jobs, Running, Daily, Minutes *int
	Bytes                         *int64
	KeepDays                      *int // 0: for ever
}

// UserObject names a user in the audit trail.
func UserObject(id int64) string { return "user " + strconv.FormatInt(id, 10) }

// manage runs f and adds a line to the audit trail.
func (db *DB) manage(ctx context.Context, e AuditEntry, id int64, f func(*sql.Tx) error) error {
	e.Object = UserObject(id)
	return db.write(ctx, func(tx *sql.Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		return audit(ctx, tx, e)
	})
}

// SetLimits sets all limits of a user.
func (db *DB) SetLimits(ctx context.Context, id int64, own LimitOverrides, e AuditEntry) error {
	e.Action, e.Detail = "user.limits", own.String()
	return db.manage(ctx, e, id, func(tx *sql.Tx) error {
		return changed(tx.ExecContext(ctx,
			`UPDATE user SET max_jobs = ?, max_running = ?, max_daily = ?, max_minutes = ?,
			max_bytes = ?, keep_days = ?
			WHERE id = ? AND removed_at IS NULL`, own.Jobs, own.Running, own.Daily, own.Minutes, own.Bytes,
			own.KeepDays, id))
	})
}

// String lists the limits for the audit trail: "jobs=5 concurrent_builds=default".
func (o LimitOverrides) String() string {
	var words []string
	add := func(name string, set bool, value func() any) {
		if !set {
			words = append(words, name+"=default")
			return
		}
		words = append(words, fmt.Sprint(name, "=", value()))
	}
	add("jobs", o.Jobs != nil, func() any { return *o.Jobs })
	add("concurrent_builds", o.Running != nil, func() any { return *o.Running })
	add("builds_per_day", o.Daily != nil, func() any { return *o.Daily })
	add("build_minutes", o.Minutes != nil, func() any { return *o.Minutes })
	add("artifact_bytes", o.Bytes != nil, func() any { return *o.Bytes })
	add("keep_days", o.KeepDays != nil, func() any { return *o.KeepDays })
	return strings.Join(words, " ")
}

// SetRole gives a user another role, and ends their sessions: rights change with a log-in. The only administrator stays
// one: FailedPrecondition.
func (db *DB) SetRole(ctx context.Context, id int64, role Role, e AuditEntry) error {
	e.Action, e.Detail = "user.role", string(role)
	return db.manage(ctx, e, id, func(tx *sql.Tx) error {
		if role != RoleAdmin {
			if err := anotherAdmin(ctx, tx, id); err != nil {
				return err
			}
		}
		if err := changed(tx.ExecContext(ctx, `UPDATE user SET role = ? WHERE id = ? AND removed_at IS NULL`, role,
			id)); err != nil {
			return err
		}
		return endSessions(ctx, tx, id, e.At)
	})
}

// Suspend shuts a user out: log-ins are refused, sessions and tokens are dead at once, their hooks send nothing of what
// waits, and all their builds are to be stopped, which the engine is told next. The only administrator can't be
// suspended: FailedPrecondition.
func (db *DB) Suspend(ctx context.Context, id int64, e AuditEntry) error {
	e.Action, e.Detail = "user.state", string(Suspended)
	return db.manage(ctx, e, id, func(tx *sql.Tx) error {
		if err := anotherAdmin(ctx, tx, id); err != nil {
			return err
		}
		if err := changed(tx.ExecContext(ctx, `UPDATE user SET state = 'suspended' WHERE id = ? AND removed_at IS NULL`,
			id)); err != nil {
			return err
		}
		if err := endSessions(ctx, tx, id, e.At); err != nil {
			return err
		}
		jobs, err := rows(ctx, tx, func(rs *sql.Rows) (id string, err error) { return id, rs.Scan(&id) },
			`SELECT DISTINCT job.id FROM job JOIN build ON build.job_id = job.id
			WHERE job.user_id = ? AND build.state IN ('queued', 'running')`, id)
		for _, job := range jobs {
			if err == nil {
				err = giveUp(ctx, tx, job, "state IN ('queued', 'running')", "Stopped: the account was suspended.", e.At)
			}
		}
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE hook_message SET next_at = NULL WHERE next_at IS NOT NULL AND hook_id IN
			(SELECT hook.id FROM hook JOIN job ON job.id = hook.job_id WHERE job.user_id = ?)`, id)
		return err
	})
}

// ActivateUser lets a user in that was pending or suspended, and posts an email that says so.
func (db *DB) ActivateUser(ctx context.Context, id int64, mail Mail, e AuditEntry) error {
	e.Action, e.Detail = "user.state", string(Active)
	return db.manage(ctx, e, id, func(tx *sql.Tx) error {
		if err := changed(tx.ExecContext(ctx, `UPDATE user SET state = 'active' WHERE id = ? AND removed_at IS NULL`,
			id)); err != nil {
			return err
		}
		_, err := queueMail(ctx, tx, e.At, mail)
		return err
	})
}

// LogOut ends all sessions of a user, and removes all their tokens where tokens is true.
func (db *DB) LogOut(ctx context.Context, id int64, tokens bool, e AuditEntry) error {
	e.Action = "user.signout"
	if tokens {
		e.Detail = "and tokens"
	}
	return db.manage(ctx, e, id, func(tx *sql.Tx) error {
		if tokens {
			if _, err := tx.ExecContext(ctx, `DELETE FROM token WHERE user_id = ?`, id); err != nil {
				return err
			}
		}
		return endSessions(ctx, tx, id, e.At)
	})
}

// anotherAdmin is a FailedPrecondition where nobody but this user could administer the site.
func anotherAdmin(ctx context.Context, tx *sql.Tx, id int64) error {
	var is, others int
	err := tx.QueryRowContext(ctx, `SELECT coalesce(sum(id = ?1), 0), coalesce(sum(id <> ?1), 0) FROM user
		WHERE role = 'admin' AND state = 'active' AND removed_at IS NULL`, id).Scan(&is, &others)
	if err != nil || is == 0 || others > 0 {
		return err
	}
	return apperr.New(apperr.FailedPrecondition, "This is the only administrator.",
		"Grant administrator rights to another user first.")
}

// UserQuery chooses from the accounts.
type UserQuery struct {
	Text          string    // somewhere in address or name; ASCII letters of either case
	State         UserState // empty: any
	Role          Role      // empty: any
	Offset, Limit int
}

// UserRow is a user in a list.
type UserRow struct {
	*User
	Jobs   int
	SeenAt time.Time // in a session; zero: never, or long ago
}

// FindUsers returns a page of the accounts by address, and how many there are on all pages. Those that wait for an
// administrator come first.
func (db *DB) FindUsers(ctx context.Context, q UserQuery) (list []UserRow, found int, err error) {
	const chosen = ` FROM user p WHERE p.removed_at IS NULL AND (?1 = ''
		OR instr(lower(p.email || ' ' || p.name), lower(?1)) > 0)
		AND (?2 = '' OR p.state = ?2) AND (?3 = '' OR p.role = ?3)`
	scan := func(rs *sql.Rows) (UserRow, error) {
		row := UserRow{User: new(User)}
		return row, rs.Scan(append(row.fields(), &row.Jobs, (*timestamp)(&row.SeenAt))...)
	}
	err = db.read(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, "SELECT count(*)"+chosen, q.Text, q.State, q.Role).Scan(&found); err != nil {
			return err
		}
		list, err = rows(ctx, tx, scan, "SELECT "+userColumns+`, (SELECT count(*) FROM job
			WHERE user_id = p.id AND removed_at IS NULL),
			(SELECT max(seen_at) FROM session WHERE user_id = p.id)`+
			chosen+" ORDER BY p.state <> 'pending', p.email LIMIT ?4 OFFSET ?5",
			q.Text, q.State, q.Role, q.Limit, q.Offset)
		return err
	})
	return list, found, err
}

// OwnedJob is a job in a list of everybody's.
type OwnedJob struct {
	*Job
	Email string // its owner's
}

// FindJobs returns a page of everybody's jobs, and how many there are on all pages. Text is looked for in the owner's
// address and the id, too.
func (db *DB) FindJobs(ctx context.Context, q JobQuery) (list []OwnedJob, found int, err error) {
	const chosen = " FROM job JOIN user p ON p.id = job.user_id" + withLast + ` WHERE job.removed_at IS NULL
		AND (?1 = '' OR instr(lower(job.name || ' ' || job.target || ' ' || ` + englishTitle + ` || ' ' || job.id || ' ' ||
			p.email), lower(?1)) > 0)
		AND (?2 = '' OR coalesce(build.state, 'new') = ?2)`
	err = db.read(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, "SELECT count(*)"+chosen, q.Text, q.State).Scan(&found); err != nil {
			return err
		}
		ids, err := rows(ctx, tx, func(rs *sql.Rows) (o OwnedJob, err error) {
			o.Job = new(Job)
			return o, rs.Scan(&o.ID, &o.UserID, &o.Email)
		}, "SELECT job.id, job.user_id, p.email"+chosen+` ORDER BY coalesce(build.state IN ('queued', 'running'), 0) DESC,
			coalesce(build.ended_at, build.started_at, build.queued_at, job.created_at) DESC, job.id
			LIMIT ?3 OFFSET ?4`, q.Text, q.State, q.Limit, q.Offset)
		if err != nil {
			return err
		}
		for _, o := range ids {
			if o.Job, err = findJob(ctx, tx, o.UserID, o.ID); err != nil {
				return err
			}
			list = append(list, o)
		}
		return nil
	})
	return list, found, err
}

// StopJob notes that an administrator wants a job's open builds stopped.
func (db *DB) StopJob(ctx context.Context, owner int64, id string, e AuditEntry) error {
	e.Action, e.Object = "job.stop", "job "+id
	return db.write(ctx, func(tx *sql.Tx) error {
		if _, err := findJob(ctx, tx, owner, id); err != nil {
			return err
		}
		if err := giveUp(ctx, tx, id, "state IN ('queued', 'running')", "Stopped by an administrator.", e.At); err != nil {
			return err
		}
		return audit(ctx, tx, e)
	})
}
