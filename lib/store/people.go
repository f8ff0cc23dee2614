package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"toaster.do/lib/apperr"
)

// Person is somebody with an account.
type Person struct {
	ID        int64
	Email     string // unique, letter case ignored
	Name      string
	Role      string // "user" or "admin"
	State     string // "pending", "active", "suspended"
	Password  string // PHC string, argon2id
	MaxJobs   int    // -1: the configuration's
	CreatedAt time.Time

	// Limits of the person's own; -1: the configuration's.
	MaxRunning int   // builds queued or running at once
	MaxDaily   int   // builds started in 24 hours
	MaxMinutes int   // of building in 24 hours
	MaxBytes   int64 // of artifacts that are kept
	KeepDays   int   // how long artifacts are kept

	VerifiedAt time.Time // the address was proven; zero: not yet, or made by an administrator
	TOTP       []byte    // the secret of the second factor, as package account seals it; nil: there is none
	TOTPStep   int64     // the time step of the last code that was taken
	Notify     string    // mail when a build ends: "never", "failure", "always"
	Feed       int64     // which secret address the feed has; 0: it is off
	Browsers   int64     // changes when browsers that the person has logged in with are known no more
}

// Active tells whether the person may use the site.
func (p *Person) Active() bool { return p.State == "active" }

// HasFactor tells whether logging in takes a second factor.
func (p *Person) HasFactor() bool { return p.TOTP != nil }

const personColumns = `p.id, p.email, p.name, p.role, p.state, p.password, p.max_jobs, p.created_at,
	p.max_running, p.max_daily, p.max_minutes, p.max_bytes, p.keep_days, p.verified_at, p.totp, p.totp_step,
	p.notify, p.feed, p.browsers`

// fields returns where personColumns are scanned to, and what finishes the scan.
func (p *Person) fields() ([]any, func()) {
	var jobs, running, daily, minutes, bytes, days, created, verified sql.NullInt64
	return []any{&p.ID, &p.Email, &p.Name, &p.Role, &p.State, &p.Password, &jobs, &created,
			&running, &daily, &minutes, &bytes, &days, &verified, &p.TOTP, &p.TOTPStep, &p.Notify, &p.Feed,
			&p.Browsers}, func() {
			p.CreatedAt, p.VerifiedAt = when(created), when(verified)
			p.MaxJobs, p.MaxRunning, p.MaxDaily, p.KeepDays = int(own(jobs)), int(own(running)), int(own(daily)), int(own(days))
			p.MaxMinutes, p.MaxBytes = int(own(minutes)), own(bytes)
		}
}

// own is a limit of a person's own, -1 for none.
func own(n sql.NullInt64) int64 {
	if !n.Valid {
		return -1
	}
	return n.Int64
}

func scanPerson(rs *sql.Rows) (*Person, error) {
	p := new(Person)
	to, done := p.fields()
	err := rs.Scan(to...)
	done()
	return p, err
}

// AddPerson stores p and sets its ID. Limits but MaxJobs begin as the configuration's. An address that has an account
// already is a Conflict at "email".
func (db *DB) AddPerson(ctx context.Context, p *Person, by ...Entry) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if err := insertPerson(ctx, tx, p); err != nil {
			return err
		}
		for i := range by {
			by[i].Object = PersonObject(p.ID)
		}
		return audit(ctx, tx, by...)
	})
}

func insertPerson(ctx context.Context, tx *sql.Tx, p *Person) error {
	p.MaxRunning, p.MaxDaily, p.MaxMinutes, p.MaxBytes, p.KeepDays, p.Notify = -1, -1, -1, -1, -1, "never"
	max := sql.NullInt64{Int64: int64(p.MaxJobs), Valid: p.MaxJobs >= 0}
	// Numbers are never given again: the audit trail and the addresses of feeds have them.
	_, err := tx.ExecContext(ctx, `INSERT INTO fact (name, value) VALUES ('person.id', (SELECT coalesce(max(id), 0) + 1 FROM person))
		ON CONFLICT DO UPDATE SET value = max(CAST(value AS INTEGER) + 1, CAST(excluded.value AS INTEGER))`)
	if err != nil {
		return err
	}
	r, err := tx.ExecContext(ctx, `INSERT INTO person (id, email, name, role, state, password, max_jobs, created_at, verified_at)
		VALUES ((SELECT CAST(value AS INTEGER) FROM fact WHERE name = 'person.id'), ?, ?, ?, ?, ?, ?, ?, ?)`,
		p.Email, p.Name, p.Role, p.State, p.Password, max, millis(p.CreatedAt), millis(p.VerifiedAt))
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
	return apperr.Wrap(apperr.Conflict, err, "An account with this email address already exists.", "Log in, or use another address.").At("email")
}

// PersonByEmail finds an account by its address, letter case ignored; NotFound if there is none.
func (db *DB) PersonByEmail(ctx context.Context, email string) (*Person, error) {
	return db.person(ctx, `p.email = ?`, email)
}

// PersonByID finds an account; NotFound if there is none.
func (db *DB) PersonByID(ctx context.Context, id int64) (*Person, error) {
	return db.person(ctx, `p.id = ?`, id)
}

func (db *DB) person(ctx context.Context, where string, arg any) (*Person, error) {
	found, err := db.people(ctx, `WHERE p.removed_at IS NULL AND `+where, arg)
	if err == nil && len(found) == 0 {
		err = apperr.New(apperr.NotFound, "This account does not exist.", "")
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// People lists all accounts by address.
func (db *DB) People(ctx context.Context) ([]*Person, error) {
	return db.people(ctx, `WHERE p.removed_at IS NULL ORDER BY p.email`)
}

func (db *DB) people(ctx context.Context, rest string, args ...any) (found []*Person, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		found, err = rows(ctx, tx, scanPerson, `SELECT `+personColumns+` FROM person p `+rest, args...)
		return err
	})
	return found, err
}

// SetPassword changes the password and ends every session of the person: whoever knew the old one is out.
func (db *DB) SetPassword(ctx context.Context, id int64, phc string, e Entry) error {
	e.Action = "password"
	return db.manage(ctx, e, id, func(tx *sql.Tx) error {
		if err := changed(tx.ExecContext(ctx, `UPDATE person SET password = ? WHERE id = ?`, phc, id)); err != nil {
			return err
		}
		return errors.Join(endRow(ctx, tx, id, "login"), endSessions(ctx, tx, id, e.At))
	})
}

// Rehash replaces the form in which an unchanged password is stored, unless it has been changed meanwhile.
func (db *DB) Rehash(ctx context.Context, id int64, old, phc string) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE person SET password = ? WHERE id = ? AND password = ?`, phc, id, old)
		return err
	})
}

// SetState makes a person "pending", "active" or "suspended". All but "active" ends their sessions.
func (db *DB) SetState(ctx context.Context, id int64, state string, at time.Time) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if err := changed(tx.ExecContext(ctx, `UPDATE person SET state = ? WHERE id = ?`, state, id)); err != nil || state == "active" {
			return err
		}
		return endSessions(ctx, tx, id, at)
	})
}

// changed is NotFound when a statement met no row.
func changed(r sql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return apperr.New(apperr.NotFound, "It no longer exists.", "")
}
