package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// SetProfile stores how a person is called, and when they want a letter about a build's end: "never", "failure", "always".
func (db *DB) SetProfile(ctx context.Context, person int64, name, notify string) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		return changed(tx.ExecContext(ctx, `UPDATE person SET name = ?, notify = ? WHERE id = ?`, name, notify, person))
	})
}

// ChangePassword stores a person's new password, and ends all their sessions but one, their links, and where tokens is set their tokens.
func (db *DB) ChangePassword(ctx context.Context, person, keep int64, phc string, tokens bool, now time.Time, letter Letter, e Entry) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if err := changed(tx.ExecContext(ctx, `UPDATE person SET password = ? WHERE id = ?`, phc, person)); err != nil {
			return err
		}
		if err := endWays(ctx, tx, person, tokens); err != nil {
			return err
		}
		if err := errors.Join(endRow(ctx, tx, person, "login"), endOthers(ctx, tx, person, keep, now)); err != nil {
			return err
		}
		return conclude(ctx, tx, now, person, e, letter)
	})
}

// Sessions lists a person's sessions that are not over, the one used last first.
func (db *DB) Sessions(ctx context.Context, person int64, now time.Time, idle time.Duration) (found []*Session, err error) {
	scan := func(rs *sql.Rows) (*Session, error) {
		s := new(Session)
		var created, seen, expires sql.NullInt64
		err := rs.Scan(&s.ID, &s.PersonID, &created, &seen, &expires, &s.Address, &s.Agent)
		s.CreatedAt, s.SeenAt, s.ExpiresAt = when(created), when(seen), when(expires)
		return s, err
	}
	err = db.read(ctx, func(tx *sql.Tx) error {
		found, err = rows(ctx, tx, scan, `SELECT id, person_id, created_at, seen_at, expires_at, address, agent FROM session
			WHERE person_id = ? AND ended_at IS NULL AND expires_at > ? AND seen_at > ? ORDER BY seen_at DESC, id DESC`, person, millis(now), millis(now.Add(-idle)))
		return err
	})
	return found, err
}

// EndOneSession logs a person out somewhere; NotFound if they have no such session.
func (db *DB) EndOneSession(ctx context.Context, person, id int64, at time.Time) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		return changed(tx.ExecContext(ctx, `UPDATE session SET ended_at = coalesce(ended_at, ?) WHERE person_id = ? AND id = ?`, millis(at), person, id))
	})
}

// EndOtherSessions logs a person out everywhere but in one session.
func (db *DB) EndOtherSessions(ctx context.Context, person, keep int64, at time.Time) error {
	return db.write(ctx, func(tx *sql.Tx) error { return endOthers(ctx, tx, person, keep, at) })
}

// endOthers ends all sessions but one; browsers that the person has logged in with are known no more.
func endOthers(ctx context.Context, tx *sql.Tx, person, keep int64, at time.Time) error {
	if _, err := tx.ExecContext(ctx, `UPDATE person SET browsers = browsers + 1 WHERE id = ?`, person); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE session SET ended_at = ? WHERE person_id = ? AND id <> ? AND ended_at IS NULL`, millis(at), person, keep)
	return err
}

// Administrators returns the addresses of those who can activate an account.
func (db *DB) Administrators(ctx context.Context) (found []string, err error) {
	scan := func(rs *sql.Rows) (a string, err error) { return a, rs.Scan(&a) }
	err = db.read(ctx, func(tx *sql.Tx) error {
		found, err = rows(ctx, tx, scan, `SELECT email FROM person WHERE role = 'admin' AND state = 'active' AND removed_at IS NULL ORDER BY id`)
		return err
	})
	return found, err
}

// RemovePerson takes all from a person at once, but their number: name and address, password and second factor, sessions, tokens, drafts.
// Their jobs are removed as by RemoveJob; the row goes when the engine has none of them left: see Purge.
func (db *DB) RemovePerson(ctx context.Context, person int64, now time.Time, letter Letter, e Entry) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		var email string
		err := tx.QueryRowContext(ctx, `SELECT email FROM person WHERE id = ? AND removed_at IS NULL`, person).Scan(&email)
		if err != nil {
			return missing(err, "This account does not exist.")
		}
		if err := anotherAdmin(ctx, tx, person); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE job SET removed_at = ? WHERE person_id = ? AND removed_at IS NULL`, millis(now), person); err != nil {
			return err
		}
		for _, table := range []string{"session", "token", "draft", "once", "link", "recovery_code", "failure"} {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE person_id = ?`, person); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM outbox WHERE recipient = ?`, email); err != nil {
			return err
		}
		// No address has a colon: nobody can sign up with this one, and nobody log in.
		if _, err := tx.ExecContext(ctx, `UPDATE person SET email = ?, name = '', role = 'user', state = 'suspended', password = '', totp = NULL, verified_at = NULL,
			notify = 'never', feed = 0, removed_at = ? WHERE id = ?`, fmt.Sprintf("removed:%d", person), millis(now), person); err != nil {
			return err
		}
		if e.ObjectName = email; e.Actor == person {
			e.ActorName = email
		}
		return conclude(ctx, tx, now, person, e, letter)
	})
}

// Purge deletes people who were removed and whose jobs are gone, people who signed up before some time and never went on, and
// links that no longer work.
func (db *DB) Purge(ctx context.Context, now, signedUp time.Time) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		for _, s := range []struct {
			statement string
			arg       any
		}{
			{`DELETE FROM person WHERE removed_at < ? AND NOT EXISTS (SELECT 1 FROM job WHERE person_id = person.id)`, millis(now)},
			{`DELETE FROM person WHERE state = 'pending' AND role = 'user' AND verified_at IS NULL AND created_at < ?
				AND NOT EXISTS (SELECT 1 FROM job WHERE person_id = person.id) AND NOT EXISTS (SELECT 1 FROM session WHERE person_id = person.id)`, millis(signedUp)},
			{`DELETE FROM link WHERE expires_at <= ?`, millis(now)},
			{`DELETE FROM failure WHERE person_id IS NULL AND at < ?`, millis(now.Add(-remembered))},
		} {
			if _, err := tx.ExecContext(ctx, s.statement, s.arg); err != nil {
				return err
			}
		}
		return nil
	})
}
