package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"toaster.do/lib/apperr"
	"toaster.do/lib/i18n"
)

// Job is what a user wants built: a Dockerfile for a target. Its sources are revisions, its results builds.
type Job struct {
	ID             string // 12 characters, random
	UserID         int64
	Name           string // the user's
	Target         string
	TargetTitle    i18n.Text // the target's line for people; where none is stored, its name
	EngineName     string    // the engine's; unique also when letter case is ignored
	Enabled        bool
	EngineEnabled  bool      // what the engine was told last
	Revision       int       // the newest
	EngineRevision int       // the revision that the engine has; 0: none
	EngineError    i18n.Text // why the engine refused what was asked of it, for people; empty: it didn't
	Badge          bool      // everybody who has its address may see the job's badge
	CreatedAt      time.Time
	SeenAt         time.Time // when the engine last answered about it; zero: never
	RemovedAt      time.Time // zero: it is there
	Last           *Build    // the newest build; nil: none yet
}

// State is the state of the newest build, or NeverBuilt.
func (j *Job) State() BuildState {
	if j.Last == nil {
		return NeverBuilt
	}
	return j.Last.State
}

// Revision is a state of a job's sources. It never changes.
type Revision struct {
	JobID       string
	Number      int // from 1
	Dockerfile  []byte
	Context     string // the build context's digest, lower-case hex; empty: none
	ContextSize int64  // bytes of its files
	BuildArgs   string // K=V a line
	Environment string // K=V a line
	BaseForm    string // one of dockerfile.BaseForms
	Root        Root
	CreatedAt   time.Time
	Lock        ImageLock
	Source      Source      // what it was fetched from
	Origin      *Origin     // only when it is stored: where the next ones come from; nil: as before
	Made        Translation // only when it is stored: see DB.Translation
}

// Root is how root gets into the images of a revision.
type Root struct {
	Keys     string // lines of authorized_keys; empty: none
	Password string // its hash, crypt(5); empty: the password is locked
}

// targetTitle is a job's target as people know it.
const targetTitle = "coalesce(nullif(job.target_title, ''), job.target)"

// englishTitle is its title in English: that is searched.
const englishTitle = `iif(json_valid(job.target_title),
	format(job.target_title ->> 0, job.target_title ->> 1, job.target_title ->> 2), '')`

const jobColumns = "job.id, job.user_id, job.name, job.target, " + targetTitle + `, job.engine_name, job.enabled,
	job.engine_enabled, job.revision, job.engine_revision, job.engine_error, job.badge,
	job.created_at, job.seen_at, job.removed_at`

// withLast joins a job with its newest build, whose columns are NULL when there is none.
const withLast = ` LEFT JOIN build ON build.job_id = job.id
	AND build.number = (SELECT max(number) FROM build WHERE job_id = job.id)`

func scanJob(rs *sql.Rows) (*Job, error) {
	var j Job
	var b Build
	err := rs.Scan(append([]any{&j.ID, &j.UserID, &j.Name, &j.Target, &j.TargetTitle, &j.EngineName, &j.Enabled,
		&j.EngineEnabled,
		&j.Revision, &j.EngineRevision, &j.EngineError, &j.Badge, (*timestamp)(&j.CreatedAt),
		(*timestamp)(&j.SeenAt), (*timestamp)(&j.RemovedAt)}, b.fields()...)...)
	j.Last = b.orNil()
	return &j, err
}

func noJob() error {
	return apperr.New(apperr.NotFound, "This job does not exist.", "It may have been deleted. See the list of your jobs.")
}

// AddJob stores a job with its first revision, unless its owner has limit jobs already (ResourceExhausted); 0 is no
// limit. An engine name that is taken is an AlreadyExists: try another.
func (db *DB) AddJob(ctx context.Context, j *Job, r *Revision, limit int) error {
	return db.write(ctx, func(tx *sql.Tx) error { return addJob(ctx, tx, j, r, limit) })
}

// AddNamedJob is AddJob where its owner has no job with the same name and target: otherwise an AlreadyExists.
func (db *DB) AddNamedJob(ctx context.Context, j *Job, r *Revision, limit int) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if other, err := namedJob(ctx, tx, j.UserID, j.Name, j.Target); other != nil || err != nil {
			return errors.Join(err, apperr.New(apperr.AlreadyExists, "A job with this name was created at the same moment.",
				"Try again."))
		}
		return addJob(ctx, tx, j, r, limit)
	})
}

// NamedJob returns the newest of an owner's jobs with a name and target; nil: there is none.
func (db *DB) NamedJob(ctx context.Context, owner int64, name, target string) (j *Job, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		j, err = namedJob(ctx, tx, owner, name, target)
		return err
	})
	return j, err
}

func namedJob(ctx context.Context, tx *sql.Tx, owner int64, name, target string) (*Job, error) {
	jobs, err := rows(ctx, tx, scanJob, "SELECT "+jobColumns+", "+buildColumns+" FROM job"+withLast+` WHERE job.user_id = ?
		AND job.name = ? AND job.target = ? AND job.removed_at IS NULL ORDER BY job.created_at DESC,
			job.id LIMIT 1`, owner, name, target)
	if err != nil || len(jobs) == 0 {
		return nil, err
	}
	return jobs[0], nil
}

// NameTaken is the code of the AlreadyExists where an engine name is taken.
const NameTaken = "engine_name_taken"

func addJob(ctx context.Context, tx *sql.Tx, j *Job, r *Revision, limit int) error {
	if err := checkJobQuota(ctx, tx, j.UserID, limit); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx,
		`INSERT INTO job (id, user_id, name, target, target_title, engine_name, revision, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		j.ID, j.UserID, j.Name, j.Target, j.TargetTitle, j.EngineName, r.Number, timestamp(j.CreatedAt))
	if unique(err) {
		return apperr.Wrap(apperr.AlreadyExists, err, "A job with this name was created at the same moment.",
			"Try again.").Coded(NameTaken)
	}
	if err != nil {
		return err
	}
	if err := addRevision(ctx, tx, r); err != nil {
		return err
	}
	return made(ctx, tx, "/jobs/"+j.ID)
}

// CheckJobQuota is ResourceExhausted where an owner has limit jobs already; 0 is no limit.
func (db *DB) CheckJobQuota(ctx context.Context, owner int64, limit int) error {
	return db.read(ctx, func(tx *sql.Tx) error { return checkJobQuota(ctx, tx, owner, limit) })
}

func checkJobQuota(ctx context.Context, tx *sql.Tx, owner int64, limit int) error {
	var have int
	err := tx.QueryRowContext(ctx, "SELECT count(*) FROM job WHERE user_id = ? AND removed_at IS NULL",
		owner).Scan(&have)
	if err != nil || limit == 0 || have < limit {
		return err
	}
	return apperr.New(apperr.ResourceExhausted, "You have %d jobs. Your limit is %d.",
		"Delete a job that you no longer need, or ask the administrator for a higher limit.", have, limit)
}

func addRevision(ctx context.Context, tx *sql.Tx, r *Revision) error {
	_, err := tx.ExecContext(ctx,
		`INSERT INTO revision (job_id, number, dockerfile, context, context_size, build_args, environment, base_form,
			created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.JobID, r.Number, r.Dockerfile, r.Context, r.ContextSize, r.BuildArgs, r.Environment, r.BaseForm,
		timestamp(r.CreatedAt))
	if err == nil && r.Made.MadeFor != "" {
		err = r.Made.put(ctx, tx, r.JobID, r.Number)
	}
	if err == nil && r.Lock.Images != nil {
		err = r.Lock.put(ctx, tx, r.JobID, r.Number)
	}
	if err == nil && r.Source.Commit != "" {
		err = r.Source.put(ctx, tx, r.JobID, r.Number)
	}
	if err == nil && r.Origin != nil {
		err = r.Origin.put(ctx, tx, r.JobID)
	}
	if err != nil || r.Root == (Root{}) {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO root_access (job_id, revision, keys, password) VALUES (?, ?, ?, ?)",
		r.JobID, r.Number, r.Root.Keys, r.Root.Password)
	return err
}

// AddRevision stores new sources for a job, under the number that it sets in r. A base that is no longer the newest
// revision is a FailedPrecondition: somebody changed the job meanwhile.
//
// Revisions that no build was made from are forgotten when a newer one comes. Where all that are left would take more
// than most bytes, of all jobs of the owner together: ResourceExhausted; 0 is no limit.
func (db *DB) AddRevision(ctx context.Context, owner int64, base int, name string, r *Revision, most int64) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		j, err := findJob(ctx, tx, owner, r.JobID)
		if err != nil {
			return err
		}
		if base != j.Revision {
			return Stale(base, j.Revision)
		}
		if err := replaceRevision(ctx, tx, j, name, r, most); err != nil {
			return err
		}
		return made(ctx, tx, "/jobs/"+r.JobID)
	})
}

// replaceRevision stores the next revision of a job: see AddRevision.
func replaceRevision(ctx context.Context, tx *sql.Tx, j *Job, name string, r *Revision, most int64) error {
	r.Number = j.Revision + 1
	if err := addRevision(ctx, tx, r); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM revision WHERE job_id = ? AND number < ? AND number <> ?
		AND NOT EXISTS (SELECT 1 FROM build WHERE job_id = revision.job_id
		AND build.revision = revision.number)`, r.JobID, r.Number, j.EngineRevision); err != nil {
		return err
	}
	if err := checkSourceQuota(ctx, tx, j.UserID, most); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "UPDATE job SET revision = ?, name = ?, engine_error = '' WHERE id = ?", r.Number,
		name, r.JobID)
	return err
}

// Stale is the FailedPrecondition of a change that was made from a revision which is no longer the newest.
func Stale(base, newest int) error {
	return apperr.Wrap(apperr.FailedPrecondition, ErrStale,
		"Somebody else edited this job: you started from revision %d, and revision %d is current.",
		"Compare your text with the newest revision, then save again.", base, newest)
}

// ErrStale is the cause of a Stale.
var ErrStale = errors.New("not the newest revision")

func findJob(ctx context.Context, tx *sql.Tx, owner int64, id string) (*Job, error) {
	jobs, err := rows(ctx, tx, scanJob, "SELECT "+jobColumns+", "+buildColumns+" FROM job"+withLast+
		" WHERE job.id = ? AND job.user_id = ? AND job.removed_at IS NULL", id, owner)
	if err == nil && len(jobs) == 0 {
		err = noJob()
	}
	if err != nil {
		return nil, err
	}
	return jobs[0], nil
}

// Job returns an owner's job; another's is NotFound, like one that is not there.
func (db *DB) Job(ctx context.Context, owner int64, id string) (j *Job, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		j, err = findJob(ctx, tx, owner, id)
		return err
	})
	return j, err
}

// JobQuery chooses from an owner's jobs. The zero query is all of them, newest first.
type JobQuery struct {
	Text          string     // somewhere in the name or the target; ASCII letters of either case
	State         BuildState // a job's
	Sort          string     // "name", "activity" (the newest build first), else newest first
	Offset, Limit int        // of Limit 0: all
}

// JobPage is what a query found.
type JobPage struct {
	Jobs  []*Job
	Found int // on all pages
	Total int // jobs of the owner, found or not
}

var jobOrders = map[string]string{
	"name":     "job.name COLLATE NOCASE, job.id",
	"activity": "coalesce(build.ended_at, build.started_at, build.queued_at, job.created_at) DESC, job.id",
}

// Jobs returns a page of an owner's jobs.
func (db *DB) Jobs(ctx context.Context, owner int64, q JobQuery) (page JobPage, err error) {
	const chosen = " FROM job" + withLast + ` WHERE job.user_id = ? AND job.removed_at IS NULL
		AND (? = '' OR instr(lower(job.name || ' ' || job.target || ' ' || ` + englishTitle + `), lower(?)) > 0)
		AND (? = '' OR coalesce(build.state, 'new') = ?)`
	args := []any{owner, q.Text, q.Text, q.State, q.State}
	order, ok := jobOrders[q.Sort]
	if !ok {
		order = "job.created_at DESC, job.id"
	}
	if q.Limit == 0 {
		q.Limit = -1 // SQLite: none
	}
	err = db.read(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM job WHERE user_id = ? AND removed_at IS NULL",
			owner).Scan(&page.Total); err != nil {
			return err
		}
		page.Found = page.Total
		if q.Text != "" || q.State != "" {
			if err := tx.QueryRowContext(ctx, "SELECT count(*)"+chosen, args...).Scan(&page.Found); err != nil {
				return err
			}
		}
		page.Jobs, err = rows(ctx, tx, scanJob,
			"SELECT "+jobColumns+", "+buildColumns+chosen+" ORDER BY "+order+" LIMIT ? OFFSET ?",
			append(args, q.Limit, q.Offset)...)
		return err
	})
	return page, err
}

// Revision returns the sources of an owner's job; number 0 is the newest.
func (db *DB) Revision(ctx context.Context, owner int64, id string, number int) (*Revision, error) {
	var r Revision
	err := db.read(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx,
			`SELECT r.job_id, r.number, r.dockerfile, r.context, r.context_size, r.build_args, r.environment, r.base_form,
				r.created_at,
				coalesce(a.keys, ''), coalesce(a.password, ''), coalesce(s.repository, ''), coalesce(s.ref, ''),
				coalesce(s.hash, ''), l.looked_at, l.problems, l.images
			FROM revision r JOIN job ON job.id = r.job_id LEFT JOIN root_access a ON a.job_id = r.job_id
			AND a.revision = r.number LEFT JOIN image_lock l ON l.job_id = r.job_id AND l.revision = r.number
			LEFT JOIN revision_source s ON s.job_id = r.job_id AND s.revision = r.number
			WHERE job.id = ? AND job.user_id = ? AND job.removed_at IS NULL
			AND r.number = CASE ? WHEN 0 THEN job.revision ELSE ? END`,
			id, owner, number, number).Scan(&r.JobID, &r.Number, &r.Dockerfile, &r.Context, &r.ContextSize, &r.BuildArgs,
			&r.Environment, &r.BaseForm,
			(*timestamp)(&r.CreatedAt), &r.Root.Keys, &r.Root.Password,
			&r.Source.Repository, &r.Source.Ref, &r.Source.Commit,
			(*timestamp)(&r.Lock.LookedAt), &r.Lock.Problems, &r.Lock.Images)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, noJob()
	}
	return &r, err
}

// Root returns how root gets into the images of one revision of an owner's job; the zero Root where nothing was said of
// it.
func (db *DB) Root(ctx context.Context, owner int64, id string, revision int) (root Root, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT a.keys, a.password FROM root_access a JOIN job ON job.id = a.job_id
			WHERE job.id = ? AND job.user_id = ? AND a.revision = ?`, id, owner, revision).Scan(&root.Keys, &root.Password)
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return root, err
}

// SetEnabled notes whether a job may start builds. Switching off gives up the start that waits.
func (db *DB) SetEnabled(ctx context.Context, owner int64, id string, enabled bool, now time.Time) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if _, err := findJob(ctx, tx, owner, id); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE job SET enabled = ? WHERE id = ?", enabled, id); err != nil || enabled {
			return err
		}
		return giveUp(ctx, tx, id, "state = 'queued'", "The job was disabled while this build was queued.", now)
	})
}

// RemoveJob takes a job away from its owner and asks for its builds to be stopped. The row stays until the
// engine has removed the job too: see DeleteJob. The lines are for the audit trail.
func (db *DB) RemoveJob(ctx context.Context, owner int64, id string, now time.Time, by ...AuditEntry) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if _, err := findJob(ctx, tx, owner, id); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE job SET removed_at = ? WHERE id = ?", timestamp(now), id); err != nil {
			return err
		}
		return audit(ctx, tx, by...)
	})
}
