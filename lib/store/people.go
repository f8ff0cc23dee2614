package store

import (
	"context"
	"database/sql"
	"time"

	"toaster.do/lib/fault"
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
}

// Active tells whether the person may use the site.
func (p *Person) Active() bool { return p.State == "active" }

const personColumns = `p.id, p.email, p.name, p.role, p.state, p.password, p.max_jobs, p.created_at`

// fields returns where personColumns are scanned to, and what finishes the scan.
func (p *Person) fields() ([]any, func()) {
	var max, created sql.NullInt64
	return []any{&p.ID, &p.Email, &p.Name, &p.Role, &p.State, &p.Password, &max, &created}, func() {
		p.MaxJobs, p.CreatedAt = -1, when(created)
		if max.Valid {
			p.MaxJobs = int(max.Int64)
		}
	}
}

func scanPerson(rs *sql.Rows) (*Person, error) {
	p := new(Person)
	to, done := p.fields()
	err := rs.Scan(to...)
	done()
	return p, err
}

// AddPerson stores p and sets its ID. An address that has an account already is a Conflict at "email".
func (db *DB) AddPerson(ctx context.Context, p *Person) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		max := sql.NullInt64{Int64: int64(p.MaxJobs), Valid: p.MaxJobs >= 0}
		r, err := tx.ExecContext(ctx, `INSERT INTO person (email, name, role, state, password, max_jobs, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			p.Email, p.Name, p.Role, p.State, p.Password, max, millis(p.CreatedAt))
		if unique(err) {
			return fault.Wrap(fault.Conflict, err, "This e-mail address has an account already.", "Log in, or take another address.").At("email")
		}
		if err != nil {
			return err
		}
		p.ID, err = r.LastInsertId()
		return err
	})
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
	found, err := db.people(ctx, `WHERE `+where, arg)
	if err == nil && len(found) == 0 {
		err = fault.New(fault.NotFound, "There is no such account.", "")
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// People lists all accounts by address.
func (db *DB) People(ctx context.Context) ([]*Person, error) {
	return db.people(ctx, `ORDER BY p.email`)
}

func (db *DB) people(ctx context.Context, rest string, args ...any) (found []*Person, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		found, err = rows(ctx, tx, scanPerson, `SELECT `+personColumns+` FROM person p `+rest, args...)
		return err
	})
	return found, err
}

// SetPassword changes the password and ends every session of the person: whoever knew the old one is out.
func (db *DB) SetPassword(ctx context.Context, id int64, phc string, at time.Time) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if err := changed(tx.ExecContext(ctx, `UPDATE person SET password = ? WHERE id = ?`, phc, id)); err != nil {
			return err
		}
		return endSessions(ctx, tx, id, at)
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
	return fault.New(fault.NotFound, "It isn't there any more.", "")
}
