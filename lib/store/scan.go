package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"
)

// Phase is a part of a build, as its log tells: the preparation, a step of the Dockerfile, the packing, the boot
// check, or "end", which only says when the one before it ended.
type Phase struct {
	Name   string    `json:"name"`
	Step   int       `json:"step,omitempty"`
	Line   int       `json:"line,omitempty"` // in the Dockerfile
	Text   string    `json:"text,omitempty"` // the instruction
	At     time.Time `json:"at,omitzero"`    // when it began, by the clock of the machine that builds; zero: unknown
	Cached bool      `json:"cached,omitempty"`
}

// Scan is what a search through a build's log has found so far, and what it needs to go on.
type Scan struct {
	Rest   []byte    `json:"rest,omitempty"` // of a line whose end has not come
	StepAt time.Time `json:"step_at,omitzero"`
	Phases []Phase   `json:"phases"`
	Hidden int64     `json:"hidden,omitempty"` // bytes at the log's head that no reader sees, if that is known
}

// ScanState returns what is known of a build's log, and brings the build's own fields for it up to date.
func (db *DB) ScanState(ctx context.Context, b *Build) (s Scan, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx,
			"SELECT log_offset, failure, step, steps, step_line, phase FROM build WHERE job_id = ? AND number = ?",
			b.JobID, b.Number).
			Scan(&b.LogOffset, &b.Failure, &b.Step, &b.Steps, &b.StepLine, &b.Phase); err != nil {
			return err
		}
		s, err = scanOf(tx.QueryRowContext(ctx, "SELECT state FROM scan WHERE job_id = ? AND build = ?",
			b.JobID, b.Number))
		return err
	})
	return s, err
}

func scanOf(row *sql.Row) (s Scan, err error) {
	var text []byte
	if err = row.Scan(&text); errors.Is(err, sql.ErrNoRows) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(text, &s)
}

// SaveScan stores how far a build's log was searched, and what was found. Of two searches at once the one that came
// farther counts; whole says that it was to the log's end, and what comes from there is final.
func (db *DB) SaveScan(ctx context.Context, b *Build, s Scan, whole bool) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx,
			`UPDATE build SET log_offset = ?, failure = ?, step = ?, steps = ?, step_line = ?, phase = ?, foreseen_ms = ?
			WHERE job_id = ? AND number = ? AND (log_offset < ? OR ?)`, b.LogOffset, b.Failure, b.Step, b.Steps,
			b.StepLine, b.Phase,
			milliseconds(b.Foreseen), b.JobID, b.Number, b.LogOffset, whole)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); n == 0 || err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx,
			"INSERT INTO scan (job_id, build, state) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET state = excluded.state",
			b.JobID, b.Number, text)
		return err
	})
}

// Phases returns the phases of a job's builds, by the builds' numbers.
func (db *DB) Phases(ctx context.Context, id string) (map[int][]Phase, error) {
	all := map[int][]Phase{}
	return all, db.eachScan(ctx, func(number int, s Scan) { all[number] = s.Phases },
		"SELECT build, state FROM scan WHERE job_id = ?", id)
}

// GoodPhases returns the phases of a job's newest builds that succeeded, newest first.
func (db *DB) GoodPhases(ctx context.Context, id string) (list [][]Phase, err error) {
	return list, db.eachScan(ctx, func(_ int, s Scan) { list = append(list, s.Phases) },
		`SELECT scan.build, scan.state FROM scan JOIN build ON build.job_id = scan.job_id AND build.number = scan.build
			WHERE scan.job_id = ? AND build.state = 'succeeded' ORDER BY scan.build DESC LIMIT 5`, id)
}

func (db *DB) eachScan(ctx context.Context, each func(number int, s Scan), query string, args ...any) error {
	return db.read(ctx, func(tx *sql.Tx) error {
		rs, err := tx.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rs.Close()
		for rs.Next() {
			var number int
			var text []byte
			var s Scan
			if err := rs.Scan(&number, &text); err != nil {
				return err
			}
			if err := json.Unmarshal(text, &s); err != nil {
				return err
			}
			each(number, s)
		}
		return rs.Err()
	})
}
