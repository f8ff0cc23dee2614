package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"toaster.do/lib/apperr"
)

// User is somebody with an account.
type User struct {
	ID        int64
	Email     string // unique, letter case ignored
	Name      string
	Role      Role
	State     UserState
	Password  string // PHC string, argon2id
	MaxJobs   int    // -1: the configuration's
	CreatedAt time.Time

	// Limits of the user's own; -1: the configuration's.
	MaxRunning int   // builds queued or running at once
	MaxDaily   int   // builds started in 24 hours
	MaxMinutes int   // of building in 24 hours
	MaxBytes   int64 // of artifacts that are kept
	KeepDays   int   // how long artifacts are kept

	VerifiedAt time.Time // the address was proven; zero: not yet, or made by an administrator
	TOTP       []byte    // the secret of the second factor, as package auth seals it; nil: there is none
	TOTPStep   int64     // the time step of the last code that was taken
	Notify     Notify
	Feed       int64 // which secret address the feed has; 0: it is off
	Browsers   int64 // changes when browsers that the user has logged in with are known no more
}

// Active tells whether the user may use the site.
func (p *User) Active() bool { return p.State == Active }

// IsAdmin tells whether the user administers the site.
func (p *User) IsAdmin() bool { return p.Role == RoleAdmin }

// HasFactor tells whether logging in takes a second factor.
func (p *User) HasFactor() bool { return p.TOTP != nil }

const userColumns = `p.id, p.email, p.name, p.role, p.state, p.password, p.max_jobs, p.created_at,
	p.max_running, p.max_daily, p.max_minutes, p.max_bytes, p.keep_days, p.verified_at, p.totp, p.totp_step,
	p.notify, p.feed, p.browsers`

// fields are where userColumns are scanned to.
func (p *User) fields() []any {
	return []any{&p.ID, &p.Email, &p.Name, &p.Role, &p.State, &p.Password, ifNull(&p.MaxJobs, -1),
		(*timestamp)(&p.CreatedAt), ifNull(&p.MaxRunning, -1), ifNull(&p.MaxDaily, -1), ifNull(&p.MaxMinutes, -1),
		ifNull(&p.MaxBytes, -1), ifNull(&p.KeepDays, -1), (*timestamp)(&p.VerifiedAt), &p.TOTP, &p.TOTPStep, &p.Notify,
		&p.Feed, &p.Browsers}
}

func scanUser(rs *sql.Rows) (*User, error) {
	p := new(User)
	return p, rs.Scan(p.fields()...)
}

// AddUser stores p and sets its ID. Limits but MaxJobs begin as the configuration's. An address that has an account
// already is an AlreadyExists at "email".
func (db *DB) AddUser(ctx context.Context, p *User, by ...AuditEntry) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if err := insertUser(ctx, tx, p); err != nil {
			return err
		}
		for i := range by {
			by[i].Object = UserObject(p.ID)
		}
		return audit(ctx, tx, by...)
	})
}

func insertUser(ctx context.Context, tx *sql.Tx, p *User) error {
	p.MaxRunning, p.MaxDaily, p.MaxMinutes, p.MaxBytes, p.KeepDays, p.Notify = -1, -1, -1, -1, -1, NotifyNever
	r, err := tx.ExecContext(ctx, `INSERT INTO user (email, name, role, state, password, max_jobs, created_at, verified_at)
		VALUES (?, ?, ?, ?, ?, nullif(?, -1), ?, ?)`,
		p.Email, p.Name, p.Role, p.State, p.Password, p.MaxJobs, timestamp(p.CreatedAt), timestamp(p.VerifiedAt))
	if unique(err) {
		return addressTaken(err)
	}
	if err != nil {
		return err
	}
	p.ID, err = r.LastInsertId()
	return err
}

func addressTaken(err error) error {
	return apperr.Wrap(apperr.AlreadyExists, err, "An account with this email address already exists.",
		"Log in, or use another address.").At("email")
}

// UserByEmail finds an account by its address, letter case ignored; NotFound if there is none.
func (db *DB) UserByEmail(ctx context.Context, email string) (*User, error) {
	return db.user(ctx, `p.email = ?`, email)
}

// UserByID finds an account; NotFound if there is none.
func (db *DB) UserByID(ctx context.Context, id int64) (*User, error) {
	return db.user(ctx, `p.id = ?`, id)
}

func (db *DB) user(ctx context.Context, where string, arg any) (*User, error) {
	found, err := db.users(ctx, `WHERE p.removed_at IS NULL AND `+where, arg)
	if err == nil && len(found) == 0 {
		err = apperr.New(apperr.NotFound, "This account does not exist.", "")
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// Users lists all accounts by address.
func (db *DB) Users(ctx context.Context) ([]*User, error) {
	return db.users(ctx, `WHERE p.removed_at IS NULL ORDER BY p.email`)
}

func (db *DB) users(ctx context.Context, rest string, args ...any) (found []*User, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		found, err = rows(ctx, tx, scanUser, `SELECT `+userColumns+` FROM user p `+rest, args...)
		return err
	})
	return found, err
}

// SetPassword changes the password and ends every session of the user: whoever knew the old one is out.
func (db *DB) SetPassword(ctx context.Context, id int64, phc string, e AuditEntry) error {
	e.Action = "password"
	return db.manage(ctx, e, id, func(tx *sql.Tx) error {
		if err := changed(tx.ExecContext(ctx, `UPDATE user SET password = ? WHERE id = ?`, phc, id)); err != nil {
			return err
		}
		return errors.Join(endRow(ctx, tx, id, "login"), endSessions(ctx, tx, id, e.At))
	})
}

// Rehash replaces the form in which an unchanged password is stored, unless it has been changed meanwhile.
func (db *DB) Rehash(ctx context.Context, id int64, old, phc string) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE user SET password = ? WHERE id = ? AND password = ?`, phc, id, old)
		return err
	})
}

// SetState gives a user another state. All but Active ends their sessions.
func (db *DB) SetState(ctx context.Context, id int64, state UserState, at time.Time) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if err := changed(tx.ExecContext(ctx, `UPDATE user SET state = ? WHERE id = ?`, state, id)); err != nil ||
			state == Active {
			return err
		}
		return endSessions(ctx, tx, id, at)
	})
}

// changed is NotFound when a statement changed no row.
func changed(r sql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return apperr.New(apperr.NotFound, "It no longer exists.", "")
}
