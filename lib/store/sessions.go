package store

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/i18n"
)

// Session is a log-in of a user with one browser. Times that are not set are zero.
type Session struct {
	ID        int64
	UserID    int64
	CreatedAt time.Time
	SeenAt    time.Time
	ExpiresAt time.Time // the absolute limit
	EndedAt   time.Time // logged out
	Address   string
	Agent     string
}

// Browser is what somebody has logged in with before.
type Browser struct {
	UserID int64 // who; 0: nobody
	ID     string
	Epoch  int64 // the user's Browsers at that time: where that has changed, the browser is known no more
	Factor bool  // the second factor was given, too
}

// remembered is how long a session is kept after its limit: its network is known to be the user's.
const remembered = 30 * 24 * time.Hour

// AddSession stores s under the digest of the browser's id and sets its ID, with the lines about it for the audit
// trail. The session of the old digest, if there is one, ends at the same moment. Sessions that are long over are
// forgotten.
func (db *DB) AddSession(ctx context.Context, s *Session, digest, old []byte, by ...AuditEntry) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM session WHERE user_id = ? AND expires_at < ?`, s.UserID,
			timestamp(s.CreatedAt.Add(-remembered))); err != nil {
			return err
		}
		if err := endSession(ctx, tx, old, s.CreatedAt); err != nil {
			return err
		}
		r, err := tx.ExecContext(ctx,
			`INSERT INTO session (user_id, digest, created_at, seen_at, expires_at, address, agent)
			VALUES (?, ?, ?, ?, ?, ?, ?)`,
			s.UserID, digest, timestamp(s.CreatedAt), timestamp(s.SeenAt), timestamp(s.ExpiresAt), s.Address, s.Agent)
		if err != nil {
			return err
		}
		if s.ID, err = r.LastInsertId(); err != nil {
			return err
		}
		return audit(ctx, tx, by...)
	})
}

// SessionByDigest finds a session, over or not, and its user; NotFound if there is none.
func (db *DB) SessionByDigest(ctx context.Context, digest []byte) (*Session, *User, error) {
	s, p := new(Session), new(User)
	err := db.read(ctx, func(tx *sql.Tx) error {
		to := append(p.fields(), &s.ID, &s.UserID, (*timestamp)(&s.CreatedAt), (*timestamp)(&s.SeenAt),
			(*timestamp)(&s.ExpiresAt), (*timestamp)(&s.EndedAt), &s.Address, &s.Agent)
		err := tx.QueryRowContext(ctx, `SELECT `+userColumns+`,
			s.id, s.user_id, s.created_at, s.seen_at, s.expires_at, s.ended_at, s.address, s.agent
			FROM session s JOIN user p ON p.id = s.user_id WHERE s.digest = ?`, digest).Scan(to...)
		return missing(err, "This session does not exist.")
	})
	if err != nil {
		return nil, nil, err
	}
	return s, p, nil
}

// TouchSession notes that the session was used, unless others are writing.
func (db *DB) TouchSession(ctx context.Context, id int64, at time.Time) error {
	ctx = Patience(ctx, 0)
	return db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE session SET seen_at = ? WHERE id = ? AND seen_at < ?`, timestamp(at), id,
			timestamp(at))
		return err
	})
}

// EndSession ends the session of the digest, with the lines about it for the audit trail. One that is over, or never
// was, is no error.
func (db *DB) EndSession(ctx context.Context, digest []byte, at time.Time, by ...AuditEntry) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if err := endSession(ctx, tx, digest, at); err != nil {
			return err
		}
		return audit(ctx, tx, by...)
	})
}

// KnowsNetwork tells whether the user has logged in from the network of the address before.
func (db *DB) KnowsNetwork(ctx context.Context, user int64, address string) (known bool, err error) {
	scan := func(rs *sql.Rows) (a string, err error) { return a, rs.Scan(&a) }
	err = db.read(ctx, func(tx *sql.Tx) error {
		before, err := rows(ctx, tx, scan, `SELECT DISTINCT address FROM session WHERE user_id = ?`, user)
		known = slices.ContainsFunc(before, func(b string) bool { return Network(b) == Network(address) })
		return err
	})
	return known, err
}

func endSession(ctx context.Context, tx *sql.Tx, digest []byte, at time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE session SET ended_at = ? WHERE digest = ? AND ended_at IS NULL`, timestamp(at),
		digest)
	return err
}

// endSessions logs a user out everywhere.
func endSessions(ctx context.Context, tx *sql.Tx, user int64, at time.Time) error {
	return endOthers(ctx, tx, user, 0, at)
}

// missing turns "no rows" into NotFound.
func missing(err error, message i18n.Key) error {
	if err == sql.ErrNoRows {
		return apperr.New(apperr.NotFound, message, "")
	}
	return err
}
