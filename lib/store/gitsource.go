package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"toaster.do/lib/i18n"
)

// Source is what a revision was fetched from.
type Source struct {
	Repository string // its address
	Ref        string // the branch, tag or commit that was asked for; empty: the default branch
	Commit     string // its whole id; empty: the revision was uploaded
}

func (s Source) put(ctx context.Context, tx *sql.Tx, job string, revision int) error {
	_, err := tx.ExecContext(ctx,
		"INSERT INTO revision_source (job_id, revision, repository, ref, hash) VALUES (?, ?, ?, ?, ?)",
		job, revision, s.Repository, s.Ref, s.Commit)
	return err
}

// GitSource is the Git repository that a job's sources come from.
type GitSource struct {
	JobID      string
	Version    int // counts up when the owner changes it, and when it is to be fetched again
	URL        string
	Ref        string // a branch, tag or commit; empty: the default branch
	Folder     string // empty: the root
	Dockerfile string // its path in the folder; empty: where it is usually
	Submodules bool
	Secret     []byte // sealed; nil: none
	HostKeys   string // lines of known_hosts(5), as they were first seen
	Wanted     bool   // to be fetched, though no build waits for it
	FetchedAt  time.Time
	Problem    i18n.Text // why the last fetch failed
	Pointers   string    // files of Git LFS that were not fetched, a path a line
}

const gitColumns = `g.job_id, g.version, g.url, g.ref, g.folder, g.dockerfile, g.submodules, g.secret, g.host_keys,
	g.wanted, g.fetched_at, g.problem, g.pointers`

func (g *GitSource) fields() []any {
	return []any{&g.JobID, &g.Version, &g.URL, &g.Ref, &g.Folder, &g.Dockerfile, &g.Submodules, &g.Secret, &g.HostKeys,
		&g.Wanted, (*timestamp)(&g.FetchedAt), &g.Problem, &g.Pointers}
}

// GitSource returns the repository of an owner's job; nil: its sources are uploaded.
func (db *DB) GitSource(ctx context.Context, owner int64, id string) (*GitSource, error) {
	g := new(GitSource)
	err := db.read(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, "SELECT "+gitColumns+` FROM git_source g JOIN job ON job.id = g.job_id
			WHERE job.id = ? AND job.user_id = ? AND job.removed_at IS NULL`, id, owner).Scan(g.fields()...)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return g, err
}

// Origin says where the sources of a job come from, and when it is built by itself.
type Origin struct {
	Git      *GitSource // nil: they are uploaded
	Schedule Schedule
}

// put stores it. A repository is to be fetched then; the keys of its server are to be seen again.
func (o *Origin) put(ctx context.Context, tx *sql.Tx, id string) error {
	if err := o.Schedule.put(ctx, tx, id); err != nil {
		return err
	}
	if o.Git == nil {
		if _, err := tx.ExecContext(ctx, "DELETE FROM git_source WHERE job_id = ?", id); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "UPDATE build SET fetching = 0, reason = '' WHERE job_id = ? AND fetching = 1", id)
		return err
	}
	g := o.Git
	_, err := tx.ExecContext(ctx, `INSERT INTO git_source
		(job_id, version, url, ref, folder, dockerfile, submodules, secret) VALUES (?, 1, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET version = version + 1, url = excluded.url, ref = excluded.ref, folder = excluded.folder,
			dockerfile = excluded.dockerfile, submodules = excluded.submodules, secret = excluded.secret, host_keys = '',
			wanted = 1, problem = '', pointers = ''`,
		id, g.URL, g.Ref, g.Folder, g.Dockerfile, g.Submodules, g.Secret)
	return err
}

// WantFetch has the repository of an owner's job fetched, though no build waits for it.
func (db *DB) WantFetch(ctx context.Context, owner int64, id string) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if _, err := findJob(ctx, tx, owner, id); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "UPDATE git_source SET wanted = 1, version = version + 1 WHERE job_id = ?", id)
		return err
	})
}

// Fetching is the reason of a build that waits until its repository is fetched.
const Fetching i18n.Key = "Fetching the repository."

// awaitFetch lets a new build wait until its repository is fetched, if its job has one. A build that is repeated is
// made from what was fetched before, if anything was. last is the job's build before it; nil: none.
func (b *Build) awaitFetch(ctx context.Context, tx *sql.Tx, last *Build) error {
	reason := i18n.T(Fetching)
	if last.waits() {
		reason = i18n.T("waits for build %d of this job", last.Number)
	}
	res, err := tx.ExecContext(ctx, `UPDATE build SET fetching = 1, reason = ? WHERE job_id = ? AND number = ?
		AND EXISTS (SELECT 1 FROM git_source g WHERE g.job_id = build.job_id) AND (repeats IS NULL OR EXISTS (SELECT 1
			FROM revision r WHERE r.job_id = build.job_id AND r.number = build.revision AND length(r.dockerfile) = 0))`,
		reason, b.JobID, b.Number)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); n == 0 || err != nil {
		return err
	}
	b.Fetching, b.Reason = true, reason
	_, err = outdateFetch(ctx, tx, b.JobID)
	return err
}

// outdateFetch has what is fetched just now fetched again: it may have been looked at before what is wanted was pushed.
// It is false for a job without a repository.
func outdateFetch(ctx context.Context, tx *sql.Tx, job string) (bool, error) {
	res, err := tx.ExecContext(ctx, "UPDATE git_source SET version = version + 1 WHERE job_id = ?", job)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// fetchAgain lets a queued build wait until its repository is fetched anew, if its job has one. late is true when the
// engine was asked for it: it is made from what was fetched before.
func (b *Build) fetchAgain(ctx context.Context, tx *sql.Tx) (late bool, err error) {
	has, err := outdateFetch(ctx, tx, b.JobID)
	if err != nil || !has {
		return false, err
	}
	if !b.AskedAt.IsZero() {
		return true, nil
	}
	if b.Fetching {
		return false, nil
	}
	b.Fetching, b.Reason = true, i18n.T(Fetching)
	_, err = tx.ExecContext(ctx, "UPDATE build SET fetching = 1, reason = ? WHERE job_id = ? AND number = ?", b.Reason,
		b.JobID, b.Number)
	return false, err
}

// Fetch is a repository that is to be fetched, for the owner of its job.
type Fetch struct {
	*GitSource
	Owner int64
}

// A build behind one that the engine has queued is fetched for when that one has begun: it would be made from the same.
const waitsForFetch = `(g.wanted = 1 OR EXISTS (SELECT 1 FROM build b WHERE b.job_id = g.job_id AND b.fetching = 1
	AND b.state = 'queued' AND NOT EXISTS (SELECT 1 FROM build a WHERE a.job_id = b.job_id AND a.number < b.number
		AND a.state = 'queued' AND a.stop_requested = 0)))`

// DueFetches returns the repositories that are to be fetched: those first for which a build waits.
func (db *DB) DueFetches(ctx context.Context) (due []Fetch, err error) {
	scan := func(rs *sql.Rows) (f Fetch, err error) {
		f.GitSource = new(GitSource)
		return f, rs.Scan(append([]any{&f.Owner}, f.fields()...)...)
	}
	err = db.read(ctx, func(tx *sql.Tx) error {
		due, err = rows(ctx, tx, scan, "SELECT job.user_id, "+gitColumns+` FROM git_source g JOIN job ON job.id = g.job_id
			JOIN user ON user.id = job.user_id
			WHERE job.removed_at IS NULL AND user.state = 'active'
			AND g.job_id IN (SELECT job_id FROM git_source WHERE wanted = 1
				UNION SELECT job_id FROM build WHERE fetching = 1) AND `+waitsForFetch+`
			ORDER BY g.wanted, g.fetched_at, g.job_id`)
		return err
	})
	return due, err
}

// FetchWanted tells whether somebody still waits for a fetch: the owner may have stopped the build, or changed the
// repository.
func (db *DB) FetchWanted(ctx context.Context, f Fetch) (wanted bool, err error) {
	err = db.read(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM git_source g JOIN job ON job.id = g.job_id
			WHERE g.job_id = ? AND g.version = ? AND job.removed_at IS NULL AND `+waitsForFetch+`)`,
			f.JobID, f.Version).Scan(&wanted)
	})
	return wanted, err
}

// Fetched stores what a fetch has found: a new revision r, unless it is nil, made from revision base. Builds that wait
// for it are made from the newest revision, or fail, where it is refused. It is a FailedPrecondition where the owner has
// changed the job meanwhile, or somebody wants it fetched again: then it is.
func (db *DB) Fetched(ctx context.Context, f Fetch, base int, r *Revision, refused i18n.Text, most int64,
	now time.Time) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		j, err := findJob(ctx, tx, f.Owner, f.JobID)
		if err != nil {
			return err
		}
		if base != j.Revision {
			return Stale(base, j.Revision)
		}
		if err := endFetch(ctx, tx, f, i18n.Text{}, now); err != nil {
			return err
		}
		if r != nil {
			if err := replaceRevision(ctx, tx, j, j.Name, r, most); err != nil {
				return err
			}
			j.Revision = r.Number
		}
		if _, err := tx.ExecContext(ctx, "UPDATE build SET revision = ? WHERE job_id = ? AND fetching = 1", j.Revision,
			f.JobID); err != nil {
			return err
		}
		if !refused.IsZero() {
			return failFetching(ctx, tx, f.JobID, refused, now)
		}
		_, err = tx.ExecContext(ctx, "UPDATE build SET fetching = 0, reason = '' WHERE job_id = ? AND fetching = 1", f.JobID)
		return err
	})
}

// endFetch notes how a fetch of f ended, unless its owner has changed the repository meanwhile, or it is to be fetched
// again.
func endFetch(ctx context.Context, tx *sql.Tx, f Fetch, problem i18n.Text, now time.Time) error {
	res, err := tx.ExecContext(ctx, `UPDATE git_source SET wanted = 0, fetched_at = ?, problem = ?, host_keys = ?,
		pointers = ?
		WHERE job_id = ? AND version = ?`, timestamp(now), problem, f.HostKeys, f.Pointers, f.JobID, f.Version)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); n > 0 || err != nil {
		return err
	}
	return ErrStale
}

// FetchFailed notes why a repository was not fetched, and fails the builds that waited for it.
func (db *DB) FetchFailed(ctx context.Context, f Fetch, problem i18n.Text, now time.Time) error {
	return db.write(ctx, func(tx *sql.Tx) error {
		if err := endFetch(ctx, tx, f, problem, now); err != nil {
			return err
		}
		return failFetching(ctx, tx, f.JobID, problem, now)
	})
}

// failFetching fails the builds of a job that wait for its repository.
func failFetching(ctx context.Context, tx *sql.Tx, job string, why i18n.Text, now time.Time) error {
	if _, err := tx.ExecContext(ctx, `UPDATE build SET state = 'failed', reason = ?, ended_at = ?
		WHERE job_id = ? AND fetching = 1 AND state = 'queued'`, why, timestamp(now), job); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE build SET fetching = 0, finalized = 1, notified = NOT `+wanted+`
		WHERE job_id = ? AND fetching = 1 AND state = 'failed'`, job)
	return err
}

// Sources are what the revisions of an owner's job were fetched from, by their numbers.
func (db *DB) Sources(ctx context.Context, owner int64, id string) (map[int]Source, error) {
	all := map[int]Source{}
	err := db.read(ctx, func(tx *sql.Tx) error {
		rs, err := tx.QueryContext(ctx, `SELECT s.revision, s.repository, s.ref, s.hash FROM revision_source s
			JOIN job ON job.id = s.job_id WHERE job.id = ? AND job.user_id = ? AND job.removed_at IS NULL`, id, owner)
		if err != nil {
			return err
		}
		defer rs.Close()
		for rs.Next() {
			var n int
			var s Source
			if err := rs.Scan(&n, &s.Repository, &s.Ref, &s.Commit); err != nil {
				return err
			}
			all[n] = s
		}
		return rs.Err()
	})
	return all, err
}

// GitSecret is a key or token as it is stored.
type GitSecret struct {
	JobID  string
	Sealed []byte
}

// GitSecrets returns all keys and tokens of repositories.
func (db *DB) GitSecrets(ctx context.Context) (list []GitSecret, err error) {
	scan := func(rs *sql.Rows) (s GitSecret, err error) { return s, rs.Scan(&s.JobID, &s.Sealed) }
	err = db.read(ctx, func(tx *sql.Tx) error {
		list, err = rows(ctx, tx, scan, "SELECT job_id, secret FROM git_source WHERE secret IS NOT NULL ORDER BY job_id")
		return err
	})
	return list, err
}

// SealGitSecret stores a key or token as it is sealed now, unless its owner has changed it meanwhile.
func (db *DB) SealGitSecret(ctx context.Context, old GitSecret, sealed []byte) error {
	return db.exec(ctx, "UPDATE git_source SET secret = ? WHERE job_id = ? AND secret = ?", sealed, old.JobID, old.Sealed)
}
