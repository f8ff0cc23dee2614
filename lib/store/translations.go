package store

import (
	"context"
	"database/sql"
	"errors"
)

// Translation is what a revision was translated to when it was stored, or since then by another version of toaster.
type Translation struct {
	MadeFor       string // what decided beside the sources; empty: nothing is known of this revision
	Steps         int    // 0: it can't be built
	Blend, Script string // SHA-256, hex; empty: it can't be built
	Secrets       string // JSON; empty: none
	Findings      []byte // JSON
}

const putTranslation = `INSERT INTO translation (job_id, revision, made_for, steps, blend, script, secrets,
	findings) VALUES (?, ?, ?, ?, ?, ?, iif(?7 = '', '[]', ?7), ?)
	ON CONFLICT DO UPDATE SET made_for = excluded.made_for, steps = excluded.steps,
	blend = excluded.blend, script = excluded.script, secrets = excluded.secrets, findings = excluded.findings`

func (t *Translation) put(ctx context.Context, tx *sql.Tx, job string, revision int) error {
	_, err := tx.ExecContext(ctx, putTranslation, job, revision, t.MadeFor, t.Steps, t.Blend, t.Script, t.Secrets,
		t.Findings)
	return err
}

// Translation returns what is known of a revision of an owner's job; number 0 is the newest. Where nothing is, it is
// zero.
func (db *DB) Translation(ctx context.Context, owner int64, id string, number int) (t Translation, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT t.made_for, t.steps, t.blend, t.script, t.secrets, t.findings
			FROM translation t JOIN job ON job.id = t.job_id
			WHERE job.id = ? AND job.user_id = ? AND job.removed_at IS NULL
			AND t.revision = CASE ? WHEN 0 THEN job.revision ELSE ? END`,
			id, owner, number, number).Scan(&t.MadeFor, &t.Steps, &t.Blend, &t.Script, &t.Secrets, &t.Findings)
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return t, err
}

// SetTranslation replaces what is known of a revision. One that is gone meanwhile is no error.
func (db *DB) SetTranslation(ctx context.Context, job string, revision int, t Translation) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		var there bool
		err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM revision WHERE job_id = ? AND number = ?)",
			job, revision).Scan(&there)
		if err != nil || !there {
			return err
		}
		return t.put(ctx, tx, job, revision)
	})
}

// Outdated returns some jobs for a target whose newest revision was translated for anything but madeFor, limit at most. One whose
// repository was not fetched yet has nothing to translate.
func (db *DB) Outdated(ctx context.Context, target, madeFor string, limit int) (jobs []*Job, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		jobs, err = rows(ctx, tx, scanJob, "SELECT "+jobColumns+", "+buildColumns+" FROM job"+withLast+`
			WHERE job.removed_at IS NULL AND job.target = ? AND NOT EXISTS (SELECT 1 FROM translation t
			WHERE t.job_id = job.id AND t.revision = job.revision AND t.made_for = ?)
			AND NOT EXISTS (SELECT 1 FROM revision r WHERE r.job_id = job.id AND r.number = job.revision
				AND length(r.dockerfile) = 0) LIMIT ?`, target, madeFor, limit)
		return err
	})
	return jobs, err
}
