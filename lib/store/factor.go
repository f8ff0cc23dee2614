package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// SetFactor gives a user a second factor: the sealed secret, the time step of the code that proved it, and the digests
// of recovery codes. What was there before is gone.
func (db *DB) SetFactor(ctx context.Context, user int64, secret []byte, step int64, codes [][]byte, now time.Time,
	mail Mail, e AuditEntry) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if err := changed(tx.ExecContext(ctx, `UPDATE user SET totp = ?, totp_step = ? WHERE id = ?`, secret, step,
			user)); err != nil {
			return err
		}
		if err := errors.Join(setCodes(ctx, tx, user, codes), endRow(ctx, tx, user, "factor"),
			made(ctx, tx, "/account/factor")); err != nil {
			return err
		}
		return conclude(ctx, tx, now, user, e, mail)
	})
}

// Reseal replaces the form in which an unchanged second factor is stored, unless it has been changed meanwhile. Nothing
// of the old form stays in the file.
func (db *DB) Reseal(ctx context.Context, user int64, old, sealed []byte) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `PRAGMA secure_delete = ON`); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE user SET totp = ? WHERE id = ? AND totp = ?`, sealed, user, old)
		return err
	})
}

// SetRecoveryCodes replaces a user's recovery codes.
func (db *DB) SetRecoveryCodes(ctx context.Context, user int64, codes [][]byte, now time.Time, mail Mail,
	e AuditEntry) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if err := errors.Join(setCodes(ctx, tx, user, codes), made(ctx, tx, "/account/factor")); err != nil {
			return err
		}
		return conclude(ctx, tx, now, user, e, mail)
	})
}

func setCodes(ctx context.Context, tx *sql.Tx, user int64, codes [][]byte) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM recovery_code WHERE user_id = ?`, user); err != nil {
		return err
	}
	for _, c := range codes {
		if _, err := tx.ExecContext(ctx, `INSERT INTO recovery_code (digest, user_id) VALUES (?, ?)`, c, user); err != nil {
			return err
		}
	}
	return nil
}

// ClearFactor takes a user's second factor and recovery codes away.
func (db *DB) ClearFactor(ctx context.Context, user int64, now time.Time, mail Mail, e AuditEntry) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if err := changed(tx.ExecContext(ctx, `UPDATE user SET totp = NULL, totp_step = 0 WHERE id = ?`, user)); err != nil {
			return err
		}
		if err := errors.Join(setCodes(ctx, tx, user, nil), endRow(ctx, tx, user, "factor")); err != nil {
			return err
		}
		return conclude(ctx, tx, now, user, e, mail)
	})
}

// TakeStep notes that a code of a time step was used, and that the try was right; false: that one, or a later one,
// was used before.
func (db *DB) TakeStep(ctx context.Context, user, step int64, t Tried) (bool, error) {
	return db.took(ctx, user, t, `UPDATE user SET totp_step = ? WHERE id = ? AND totp_step < ?`, step, user, step)
}

// TakeRecoveryCode uses a user's recovery code up, and notes that the try was right; false: there is none like
// that.
func (db *DB) TakeRecoveryCode(ctx context.Context, user int64, digest []byte, t Tried) (bool, error) {
	return db.took(ctx, user, t, `DELETE FROM recovery_code WHERE digest = ? AND user_id = ?`, digest, user)
}

// took runs a statement that meets one row where the try was right.
func (db *DB) took(ctx context.Context, user int64, t Tried, statement string, args ...any) (took bool, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, statement, args...)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n != 1 {
			return err
		}
		took = true
		return errors.Join(t.forgive(ctx, tx), endRow(ctx, tx, user, "factor"))
	})
	return took && err == nil, err
}

// RecoveryCodes tells how many recovery codes a user has left.
func (db *DB) RecoveryCodes(ctx context.Context, user int64) (n int, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT count(*) FROM recovery_code WHERE user_id = ?`, user).Scan(&n)
	})
	return n, err
}
