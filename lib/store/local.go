package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/i18n"
)

// LocalJob is a job of the local engine.
type LocalJob struct {
	Name        string // unique, also when letter case is ignored
	Owner       string // whose builds share the slots fairly with other users'
	Description string
	Source      []byte        // what the runner makes the script from
	TimeLimit   time.Duration // whole milliseconds; 0: the runner's

	digest []byte // of Source, when it was handed in
}

// Intact tells whether the source is the one that was handed in, and not what somebody has put in its place.
func (j *LocalJob) Intact() bool {
	sum := sha256.Sum256(j.Source)
	return bytes.Equal(j.digest, sum[:])
}

// LocalBuild is a start of a job, and the build that it became.
type LocalBuild struct {
	Ticket        int64 // never given twice
	Job           string
	Number        int // from 1; 0 while it waits
	State         BuildState
	Reason        i18n.Text // for people
	StopRequested bool      // somebody wants it stopped
	QueuedAt      time.Time
	StartedAt     time.Time
	EndedAt       time.Time
	Runner        string // which runner has or had it
	Secrets       []byte // sealed, as LocalTake alone returns them; nil: none
}

// LocalStatus is what the queue knows of a job.
type LocalStatus struct {
	Enabled  bool
	Expected time.Duration // how long its last good builds took; 0: unknown
	Waiting  *LocalBuild   // the start that waits, if any
	Position int           // its place in the queue, 1 is next
	Builds   []LocalBuild  // newest first
}

const localColumns = `ticket, job, number, state, reason, stop_requested, queued_at, started_at, ended_at, runner`

func scanLocal(rs *sql.Rows) (b LocalBuild, err error) {
	err = rs.Scan(b.fields()...)
	return b, err
}

// fields are the places of localColumns.
func (b *LocalBuild) fields() []any {
	return []any{&b.Ticket, &b.Job, orZero(&b.Number), &b.State, &b.Reason, &b.StopRequested,
		(*timestamp)(&b.QueuedAt), (*timestamp)(&b.StartedAt), (*timestamp)(&b.EndedAt), &b.Runner}
}

func noLocalJob(name string) error {
	return apperr.New(apperr.NotFound, "There is no job %s.", "", name)
}

func noLocalBuild(name string, number int) error {
	return apperr.New(apperr.NotFound, "There is no build %d of %s.", "", number, name)
}

// LocalCreate defines a job, or gives one of that name a new definition. Numbers of builds whose files wait to be
// deleted are not given again.
func (db *DB) LocalCreate(ctx context.Context, j LocalJob) error {
	digest := sha256.Sum256(j.Source)
	return db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx,
			`INSERT INTO local_job (name, owner, description, digest, source, time_limit, last_number)
			VALUES (?1, ?2, ?3, ?4, coalesce(?5, x''), ?6,
				(SELECT coalesce(max(number), 0) FROM local_discard WHERE job = ?1 COLLATE NOCASE))
			ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, description = excluded.description,
				digest = excluded.digest,
				source = excluded.source, time_limit = excluded.time_limit`,
			j.Name, j.Owner, j.Description, digest[:], j.Source, milliseconds(j.TimeLimit))
		return err
	})
}

// LocalRemove forgets a job with its starts and builds; the runner deletes their files. A job that is gone is no error.
func (db *DB) LocalRemove(ctx context.Context, name string) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if err := discard(ctx, tx, "job = ? AND number IS NOT NULL", name); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM local_job WHERE name = ?", name)
		return err
	})
}

// discard leaves the files of builds to the runner to delete.
func discard(ctx context.Context, tx *sql.Tx, which string, args ...any) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO local_discard (job, number) SELECT j.name, b.number
		FROM local_build AS b JOIN local_job AS j ON j.name = b.job WHERE b.`+which+` ON CONFLICT DO NOTHING`, args...)
	return err
}

// LocalEnable lets a job be started or not; disabling it forgets the start that waits.
func (db *DB) LocalEnable(ctx context.Context, name string, enabled bool) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "UPDATE local_job SET enabled = ? WHERE name = ?", enabled, name)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return orNot(err, noLocalJob(name))
		}
		if enabled {
			return nil
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM local_build WHERE job = ? AND state = 'queued'", name)
		return err
	})
}

// orNot returns err, or not when there is none.
func orNot(err, not error) error {
	if err != nil {
		return err
	}
	return not
}

// LocalStart adds a start to the queue and returns its ticket, or that of the job's start that waits already.
// Secrets, which are sealed, wait with it; nil: none.
func (db *DB) LocalStart(ctx context.Context, name string, secrets []byte, now time.Time) (ticket int64, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		var enabled bool
		if err := tx.QueryRowContext(ctx, "SELECT name, enabled FROM local_job WHERE name = ?", name).Scan(&name,
			&enabled); err != nil {
			return orGone(err, noLocalJob(name))
		}
		if !enabled {
			return apperr.New(apperr.FailedPrecondition, "This job is disabled: it can't be started.", "Enable it first.")
		}
		return tx.QueryRowContext(ctx,
			`INSERT INTO local_build (job, state, queued_at, secrets) VALUES (?, 'queued', ?, ?)
			ON CONFLICT (job) WHERE state = 'queued' DO UPDATE SET secrets = coalesce(excluded.secrets, secrets)
			RETURNING ticket`, name, timestamp(now), secrets).Scan(&ticket)
	})
	return ticket, err
}

// orGone returns gone for a row that is not there, else err.
func orGone(err, gone error) error {
	if err == sql.ErrNoRows {
		return gone
	}
	return err
}

// LocalStop asks for a running build's end, or with number 0 forgets the start that waits.
func (db *DB) LocalStop(ctx context.Context, name string, number int) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		var last int
		if err := tx.QueryRowContext(ctx, "SELECT last_number FROM local_job WHERE name = ?", name).Scan(&last); err != nil {
			return orGone(err, noLocalJob(name))
		}
		if number < 0 || number > last {
			return noLocalBuild(name, number)
		}
		if number == 0 {
			_, err := tx.ExecContext(ctx, "DELETE FROM local_build WHERE job = ? AND state = 'queued'", name)
			return err
		}
		_, err := tx.ExecContext(ctx,
			"UPDATE local_build SET stop_requested = 1 WHERE job = ? AND number = ? AND state = 'running'", name, number)
		return err
	})
}

// LocalStatuses returns what is known of the named jobs, by the names as they were asked for, each with its
// newest builds, at most recent. Names that are not there are left out.
func (db *DB) LocalStatuses(ctx context.Context, names []string, recent int) (map[string]*LocalStatus, error) {
	asked, err := json.Marshal(names)
	if err != nil {
		return nil, err
	}
	all := make(map[string]*LocalStatus, len(names))
	err = db.read(ctx, func(tx *sql.Tx) error {
		byJob, err := localJobs(ctx, tx, all, string(asked))
		if err != nil {
			return err
		}
		return localBuilds(ctx, tx, byJob, string(asked), recent)
	})
	return all, err
}

// localJobs fills all with the jobs, and returns them by the names as they stand in the database.
func localJobs(ctx context.Context, tx *sql.Tx, all map[string]*LocalStatus,
	asked string) (map[string]*LocalStatus, error) {
	rs, err := tx.QueryContext(ctx, `SELECT a.value, j.name, j.enabled,
			coalesce((SELECT max(0, avg(took)) FROM (SELECT ended_at - started_at AS took FROM local_build
				WHERE job = j.name AND state = 'succeeded' ORDER BY number DESC LIMIT 5)), 0)
		FROM json_each(?) AS a JOIN local_job AS j ON j.name = a.value`, asked)
	if err != nil {
		return nil, err
	}
	defer rs.Close()
	byJob := make(map[string]*LocalStatus, len(all))
	for rs.Next() {
		var name, job string
		var took float64
		var s LocalStatus
		if err := rs.Scan(&name, &job, &s.Enabled, &took); err != nil {
			return nil, err
		}
		s.Expected = time.Duration(took * float64(time.Millisecond))
		if byJob[job] == nil {
			byJob[job] = &s
		}
		all[name] = byJob[job]
	}
	return byJob, rs.Err()
}

func localBuilds(ctx context.Context, tx *sql.Tx, byJob map[string]*LocalStatus, asked string, recent int) error {
	rs, err := tx.QueryContext(ctx, `SELECT `+localColumns+`,
			CASE b.state WHEN 'queued' THEN (SELECT position FROM local_queue AS q WHERE q.ticket = b.ticket) ELSE 0 END
		FROM (SELECT *, row_number() OVER (PARTITION BY job, number IS NULL ORDER BY number DESC) AS place FROM local_build
			WHERE job IN (SELECT value FROM json_each(?))) AS b
		WHERE b.place <= ? ORDER BY b.number DESC`, asked, recent)
	if err != nil {
		return err
	}
	defer rs.Close()
	for rs.Next() {
		var b LocalBuild
		var position int
		if err := rs.Scan(append(b.fields(), &position)...); err != nil {
			return err
		}
		switch s := byJob[b.Job]; {
		case s == nil:
		case b.Number == 0:
			s.Waiting, s.Position = &b, position
		default:
			s.Builds = append(s.Builds, b)
		}
	}
	return rs.Err()
}

// LocalBuild returns one build; NotFound when the job or the build is not there (any more).
func (db *DB) LocalBuild(ctx context.Context, name string, number int) (b LocalBuild, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, "SELECT "+localColumns+" FROM local_build WHERE job = ? AND number = ?", name,
			number).Scan(b.fields()...)
		return orGone(err, noLocalBuild(name, number))
	})
	return b, err
}

// LocalArtifacts returns what a build left, in the order of paths.
func (db *DB) LocalArtifacts(ctx context.Context, ticket int64) (all []Artifact, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		all, err = rows(ctx, tx, func(rs *sql.Rows) (a Artifact, err error) {
			err = rs.Scan(&a.Path, &a.Size, &a.SHA256)
			return a, err
		}, "SELECT path, size, sha256 FROM local_artifact WHERE ticket = ? ORDER BY path", ticket)
		return err
	})
	return all, err
}

// LocalOpen returns the builds that run, and how many starts wait.
func (db *DB) LocalOpen(ctx context.Context) (running []LocalBuild, waiting int, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		running, err = rows(ctx, tx, scanLocal, "SELECT "+localColumns+" FROM local_build WHERE state = 'running'")
		if err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, "SELECT count(*) FROM local_build WHERE state = 'queued'").Scan(&waiting)
	})
	return running, waiting, err
}
