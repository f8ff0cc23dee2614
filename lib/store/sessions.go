package store

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"toaster.do/lib/apperr"
)

// Session is a log-in of a person with one browser. Times that are not set are zero.
type Session struct {
	ID        int64
	PersonID  int64
	CreatedAt time.Time
	SeenAt    time.Time
	ExpiresAt time.Time // the absolute limit
	EndedAt   time.Time // logged out
	Address   string
	Agent     string
}

// Browser is what somebody has logged in with before.
type Browser struct {
	Person int64 // who; 0: nobody
	ID     string
	Epoch  int64 // the person's Browsers at that time: where that has changed, the browser is known no more
	Factor bool  // the second factor was given, too
}

// remembered is how long a session is kept after its limit: its network is known to be the person's.
const remembered = 30 * 24 * time.Hour

// AddSession stores s under the digest of the browser's id and sets its ID, with the lines about it for the audit
// trail. The session of the old digest, if there is one, ends at the same moment. Sessions that are long over are
// forgotten.
func (db *DB) AddSession(ctx context.Context, s *Session, digest, old []byte, by ...Entry) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM session WHERE person_id = ? AND expires_at < ?`, s.PersonID, millis(s.CreatedAt.Add(-remembered))); err != nil {
			return err
		}
		if err := endSession(ctx, tx, old, s.CreatedAt); err != nil {
			return err
		}
		r, err := tx.ExecContext(ctx, `INSERT INTO session (person_id, digest, created_at, seen_at, expires_at, address, agent) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			s.PersonID, digest, millis(s.CreatedAt), millis(s.SeenAt), millis(s.ExpiresAt), s.Address, s.Agent)
		if err != nil {
			return err
		}
		if s.ID, err = r.LastInsertId(); err != nil {
			return err
		}
		return audit(ctx, tx, by...)
	})
}

// SessionByDigest finds a session, over or not, and its person; NotFound if there is none.
func (db *DB) SessionByDigest(ctx context.Context, digest []byte) (*Session, *Person, error) {
	s, p := new(Session), new(Person)
	err := db.read(ctx, func(tx *sql.Tx) error {
		var created, seen, expires, ended sql.NullInt64
		to, done := p.fields()
		to = append(to, &s.ID, &s.PersonID, &created, &seen, &expires, &ended, &s.Address, &s.Agent)
		err := tx.QueryRowContext(ctx, `SELECT `+personColumns+`, s.id, s.person_id, s.created_at, s.seen_at, s.expires_at, s.ended_at, s.address, s.agent
			FROM session s JOIN person p ON p.id = s.person_id WHERE s.digest = ?`, digest).Scan(to...)
		done()
		s.CreatedAt, s.SeenAt, s.ExpiresAt, s.EndedAt = when(created), when(seen), when(expires), when(ended)
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
		_, err := tx.ExecContext(ctx, `UPDATE session SET seen_at = ? WHERE id = ? AND seen_at < ?`, millis(at), id, millis(at))
		return err
	})
}

// EndSession ends the session of the digest, with the lines about it for the audit trail. One that is over, or never
// was, is no error.
func (db *DB) EndSession(ctx context.Context, digest []byte, at time.Time, by ...Entry) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if err := endSession(ctx, tx, digest, at); err != nil {
			return err
		}
		return audit(ctx, tx, by...)
	})
}

// KnowsNetwork tells whether the person has logged in from the network of the address before.
func (db *DB) KnowsNetwork(ctx context.Context, person int64, address string) (known bool, err error) {
	scan := func(rs *sql.Rows) (a string, err error) { return a, rs.Scan(&a) }
	err = db.read(ctx, func(tx *sql.Tx) error {
		before, err := rows(ctx, tx, scan, `SELECT DISTINCT address FROM session WHERE person_id = ?`, person)
		known = slices.ContainsFunc(before, func(b string) bool { return Network(b) == Network(address) })
		return err
	})
	return known, err
}

func endSession(ctx context.Context, tx *sql.Tx, digest []byte, at time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE session SET ended_at = ? WHERE digest = ? AND ended_at IS NULL`, millis(at), digest)
	return err
}

// endSessions logs a person out everywhere.
func endSessions(ctx context.Context, tx *sql.Tx, person int64, at time.Time) error {
	return endOthers(ctx, tx, person, 0, at)
}

// missing turns "no rows" into NotFound.
func missing(err error, message string) error {
	if err == sql.ErrNoRows {
		return apperr.New(apperr.NotFound, message, "")
	}
	return err
}
