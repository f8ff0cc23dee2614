package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// SetProfile stores how a user is called, and when they want an email about the end of a build.
func (db *DB) SetProfile(ctx context.Context, user int64, name string, notify Notify) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		return changed(tx.ExecContext(ctx, `UPDATE user SET name = ?, notify = ? WHERE id = ?`, name, notify, user))
	})
}

// ChangePassword stores a user's new password, and ends all their sessions but one, their links, and where tokens is
// set their tokens.
func (db *DB) ChangePassword(ctx context.Context, user, keep int64, phc string, tokens bool, now time.Time, mail Mail,
	e AuditEntry) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if err := changed(tx.ExecContext(ctx, `UPDATE user SET password = ? WHERE id = ?`, phc, user)); err != nil {
			return err
		}
		if err := endWays(ctx, tx, user, tokens); err != nil {
			return err
		}
		if err := errors.Join(endRow(ctx, tx, user, "login"), endOthers(ctx, tx, user, keep, now)); err != nil {
			return err
		}
		return conclude(ctx, tx, now, user, e, mail)
	})
}

// Sessions lists a user's sessions that are not over, the one used last first.
func (db *DB) Sessions(ctx context.Context, user int64, now time.Time,
	idle time.Duration) (found []*Session, err error) {
	scan := func(rs *sql.Rows) (*Session, error) {
		s := new(Session)
		return s, rs.Scan(&s.ID, &s.UserID, (*timestamp)(&s.CreatedAt), (*timestamp)(&s.SeenAt),
			(*timestamp)(&s.ExpiresAt), &s.Address, &s.Agent)
	}
	err = db.read(ctx, func(tx *sql.Tx) error {
		found, err = rows(ctx, tx, scan, `SELECT id, user_id, created_at, seen_at, expires_at, address, agent FROM session
			WHERE user_id = ? AND ended_at IS NULL AND expires_at > ? AND seen_at > ?
			ORDER BY seen_at DESC, id DESC`, user, timestamp(now), timestamp(now.Add(-idle)))
		return err
	})
	return found, err
}

// EndOneSession logs a user out somewhere; NotFound if they have no such session.
func (db *DB) EndOneSession(ctx context.Context, user, id int64, at time.Time) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		return changed(tx.ExecContext(ctx,
			`UPDATE session SET ended_at = coalesce(ended_at, ?) WHERE user_id = ? AND id = ?`, timestamp(at), user, id))
	})
}

// EndOtherSessions logs a user out everywhere but in one session.
func (db *DB) EndOtherSessions(ctx context.Context, user, keep int64, at time.Time) error {
	return db.write(ctx, func(tx *sql.Tx) error { return endOthers(ctx, tx, user, keep, at) })
}

// endOthers ends all sessions but one; browsers that the user has logged in with are known no more.
func endOthers(ctx context.Context, tx *sql.Tx, user, keep int64, at time.Time) error {
	if _, err := tx.ExecContext(ctx, `UPDATE user SET browsers = browsers + 1 WHERE id = ?`, user); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE session SET ended_at = ? WHERE user_id = ? AND id <> ? AND ended_at IS NULL`,
		timestamp(at), user, keep)
	return err
}

// Administrators returns the addresses of those who can activate an account.
func (db *DB) Administrators(ctx context.Context) (found []string, err error) {
	scan := func(rs *sql.Rows) (a string, err error) { return a, rs.Scan(&a) }
	err = db.read(ctx, func(tx *sql.Tx) error {
		found, err = rows(ctx, tx, scan,
			`SELECT email FROM user WHERE role = 'admin' AND state = 'active' AND removed_at IS NULL ORDER BY id`)
		return err
	})
	return found, err
}

// RemoveUser takes all from a user at once, but their number: name and address, password and second factor, sessions,
// tokens, drafts. Their jobs are removed as by RemoveJob; the row goes when the engine has none of them left: see
// Purge.
func (db *DB) RemoveUser(ctx context.Context, user int64, now time.Time, mail Mail, e AuditEntry) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		var email string
		err := tx.QueryRowContext(ctx, `SELECT email FROM user WHERE id = ? AND removed_at IS NULL`, user).Scan(&email)
		if err != nil {
			return missing(err, "This account does not exist.")
		}
		if err := anotherAdmin(ctx, tx, user); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE job SET removed_at = ? WHERE user_id = ? AND removed_at IS NULL`,
			timestamp(now), user); err != nil {
			return err
		}
		for _, table := range []string{"session", "token", "draft", "once", "email_token", "recovery_code", "failure"} {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE user_id = ?`, user); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM outbox WHERE recipient = ?`, email); err != nil {
			return err
		}
		// No address has a colon: nobody can sign up with this one, and nobody log in.
		if _, err := tx.ExecContext(ctx, `UPDATE user
			SET email = ?, name = '', role = 'user', state = 'suspended', password = '', totp = NULL, verified_at = NULL,
			notify = 'never', feed = 0, removed_at = ? WHERE id = ?`,
			fmt.Sprintf("removed:%d", user), timestamp(now), user); err != nil {
			return err
		}
		if e.ObjectName = email; e.Actor == user {
			e.ActorName = email
		}
		return conclude(ctx, tx, now, user, e, mail)
	})
}

// Purge deletes users who were removed and whose jobs are gone, users who signed up before some time and never went on,
// and links that no longer work.
func (db *DB) Purge(ctx context.Context, now, signedUp time.Time) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		for _, s := range []struct {
			statement string
			arg       any
		}{
			{`DELETE FROM user WHERE removed_at < ? AND NOT EXISTS (SELECT 1 FROM job WHERE user_id = user.id)`, timestamp(now)},
			{`DELETE FROM user WHERE state = 'pending' AND role = 'user' AND verified_at IS NULL AND created_at < ?
				AND NOT EXISTS (SELECT 1 FROM job WHERE user_id = user.id) AND NOT EXISTS (SELECT 1 FROM session
				WHERE user_id = user.id)`, timestamp(signedUp)},
			{`DELETE FROM email_token WHERE expires_at <= ?`, timestamp(now)},
			{`DELETE FROM failure WHERE user_id IS NULL AND at < ?`, timestamp(now.Add(-remembered))},
		} {
			if _, err := tx.ExecContext(ctx, s.statement, s.arg); err != nil {
				return err
			}
		}
		return nil
	})
}
