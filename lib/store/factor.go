package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// SetFactor gives a person a second factor: the sealed secret, the time step of the code that proved it, and the digests of recovery codes.
// What was there before is gone.
func (db *DB) SetFactor(ctx context.Context, person int64, secret []byte, step int64, codes [][]byte, now time.Time, letter Letter, e Entry) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if err := changed(tx.ExecContext(ctx, `UPDATE person SET totp = ?, totp_step = ? WHERE id = ?`, secret, step, person)); err != nil {
			return err
		}
		if err := errors.Join(setCodes(ctx, tx, person, codes), endRow(ctx, tx, person, "factor"),
			made(ctx, tx, "/account/factor")); err != nil {
			return err
		}
		return conclude(ctx, tx, now, person, e, letter)
	})
}

// Reseal replaces the form in which an unchanged second factor is stored, unless it has been changed meanwhile. Nothing of the old form stays in
// the file.
func (db *DB) Reseal(ctx context.Context, person int64, old, sealed []byte) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `PRAGMA secure_delete = ON`); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE person SET totp = ? WHERE id = ? AND totp = ?`, sealed, person, old)
		return err
	})
}

// SetRecoveryCodes replaces a person's recovery codes.
func (db *DB) SetRecoveryCodes(ctx context.Context, person int64, codes [][]byte, now time.Time, letter Letter, e Entry) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if err := errors.Join(setCodes(ctx, tx, person, codes), made(ctx, tx, "/account/factor")); err != nil {
			return err
		}
		return conclude(ctx, tx, now, person, e, letter)
	})
}

func setCodes(ctx context.Context, tx *sql.Tx, person int64, codes [][]byte) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM recovery_code WHERE person_id = ?`, person); err != nil {
		return err
	}
	for _, c := range codes {
		if _, err := tx.ExecContext(ctx, `INSERT INTO recovery_code (digest, person_id) VALUES (?, ?)`, c, person); err != nil {
			return err
		}
	}
	return nil
}

// ClearFactor takes a person's second factor and recovery codes away.
func (db *DB) ClearFactor(ctx context.Context, person int64, now time.Time, letter Letter, e Entry) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if err := changed(tx.ExecContext(ctx, `UPDATE person SET totp = NULL, totp_step = 0 WHERE id = ?`, person)); err != nil {
			return err
		}
		if err := errors.Join(setCodes(ctx, tx, person, nil), endRow(ctx, tx, person, "factor")); err != nil {
			return err
		}
		return conclude(ctx, tx, now, person, e, letter)
	})
}

// TakeStep notes that a code of a time step was used, and that the try was right; false: that one, or a later one,
// was used before.
func (db *DB) TakeStep(ctx context.Context, person, step int64, t Tried) (bool, error) {
	return db.took(ctx, person, t, `UPDATE person SET totp_step = ? WHERE id = ? AND totp_step < ?`, step, person, step)
}

// TakeRecoveryCode uses a person's recovery code up, and notes that the try was right; false: there is none like
// that.
func (db *DB) TakeRecoveryCode(ctx context.Context, person int64, digest []byte, t Tried) (bool, error) {
	return db.took(ctx, person, t, `DELETE FROM recovery_code WHERE digest = ? AND person_id = ?`, digest, person)
}

// took runs a statement that meets one row where the try was right.
func (db *DB) took(ctx context.Context, person int64, t Tried, statement string, args ...any) (took bool, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, statement, args...)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n != 1 {
			return err
		}
		took = true
		return errors.Join(t.forgive(ctx, tx), endRow(ctx, tx, person, "factor"))
	})
	return took && err == nil, err
}

// RecoveryCodes tells how many recovery codes a person has left.
func (db *DB) RecoveryCodes(ctx context.Context, person int64) (n int, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT count(*) FROM recovery_code WHERE person_id = ?`, person).Scan(&n)
	})
	return n, err
}
