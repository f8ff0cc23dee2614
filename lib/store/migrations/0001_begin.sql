-- Times are Unix milliseconds, UTC. Digests are SHA-256.

CREATE TABLE person (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,   -- never given twice: the audit trail names people by it
	email      TEXT NOT NULL COLLATE NOCASE UNIQUE CHECK (length(email) BETWEEN 3 AND 254),
	name       TEXT NOT NULL CHECK (length(name) <= 200),
	role       TEXT NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin')),
	state      TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('pending', 'active', 'suspended')),
	password   TEXT NOT NULL,                       -- PHC string, argon2id
	max_jobs   INTEGER CHECK (max_jobs >= 0),       -- NULL: the configuration's
	created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE session (
	id         INTEGER PRIMARY KEY,
	person_id  INTEGER NOT NULL REFERENCES person ON DELETE CASCADE,
	digest     BLOB NOT NULL UNIQUE CHECK (length(digest) = 32), -- of the random id that the cookie carries
	created_at INTEGER NOT NULL,
	seen_at    INTEGER NOT NULL,
	expires_at INTEGER NOT NULL,                    -- the absolute limit
	ended_at   INTEGER,                             -- logged out
	address    TEXT NOT NULL,
	agent      TEXT NOT NULL
) STRICT;
CREATE INDEX session_person ON session (person_id);

CREATE TABLE token (
	id         INTEGER PRIMARY KEY,
	person_id  INTEGER NOT NULL REFERENCES person ON DELETE CASCADE,
	name       TEXT NOT NULL CHECK (length(name) <= 100),
	digest     BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
	scope      TEXT NOT NULL CHECK (scope IN ('read', 'write')),
	created_at INTEGER NOT NULL,
	expires_at INTEGER,
	used_at    INTEGER
) STRICT;
CREATE INDEX token_person ON token (person_id);

-- A form that waits until its sender has logged in, or a file of one that comes back.
CREATE TABLE draft (
	id         TEXT PRIMARY KEY,
	person_id  INTEGER REFERENCES person ON DELETE CASCADE, -- NULL: whoever has the secret
	digest     BLOB CHECK (length(digest) = 32),    -- of the secret that the sender's browser carries; NULL: there is none
	created_at INTEGER NOT NULL,
	form       BLOB NOT NULL                        -- JSON
) STRICT;
CREATE INDEX draft_person ON draft (person_id);
CREATE INDEX draft_created ON draft (created_at);

-- What a request did that names itself by a form's once value or an Idempotency-Key: it is done once, and answered again.
CREATE TABLE once (
	key        BLOB PRIMARY KEY CHECK (length(key) = 32), -- digest of the name and its sender
	person_id  INTEGER REFERENCES person ON DELETE CASCADE, -- NULL: nobody was logged in
	request    BLOB NOT NULL CHECK (length(request) = 32), -- digest of method, path and form
	owner      TEXT NOT NULL,                       -- the request that does it
	at         INTEGER NOT NULL,
	location   TEXT NOT NULL DEFAULT '',            -- where what it made is, stored together with that; empty: nothing yet
	answer     BLOB                                 -- sealed; NULL: not answered yet
) STRICT, WITHOUT ROWID;
CREATE INDEX once_at ON once (at);
CREATE INDEX once_person ON once (person_id);

-- Tries that are limited: log-ins, tokens. One row a try, removed when it no longer counts.
CREATE TABLE attempt (
	key TEXT NOT NULL,                              -- what is limited: "login:address:192.0.2.1"
	at  INTEGER NOT NULL
) STRICT;
CREATE INDEX attempt_key ON attempt (key, at);
CREATE INDEX attempt_at ON attempt (at);

CREATE TABLE job (
	id          TEXT PRIMARY KEY CHECK (length(id) = 12),
	person_id   INTEGER NOT NULL REFERENCES person ON DELETE CASCADE,
	name        TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
	target      TEXT NOT NULL,
	target_title TEXT NOT NULL DEFAULT '',          -- its line for people when the job was stored; empty: the name
	engine_name TEXT NOT NULL COLLATE NOCASE UNIQUE CHECK (length(engine_name) <= 200),
	enabled     INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
	revision    INTEGER NOT NULL,                   -- the newest
	defined     INTEGER NOT NULL DEFAULT 0,         -- the revision that the engine has; 0: none
	engine_enabled INTEGER NOT NULL DEFAULT 1 CHECK (engine_enabled IN (0, 1)), -- what the engine was told last
	problem     TEXT NOT NULL DEFAULT '',           -- why the engine refused the last thing asked of it, for a person
	created_at  INTEGER NOT NULL,
	seen_at     INTEGER NOT NULL DEFAULT 0,         -- when the engine last answered about it
	removed_at  INTEGER                             -- gone for its owner; the engine may not have been told yet
) STRICT;
CREATE INDEX job_person ON job (person_id, created_at DESC) WHERE removed_at IS NULL;

-- What a job was made from. A changed Dockerfile is a new revision; builds say which one they were made from.
CREATE TABLE revision (
	job_id     TEXT NOT NULL REFERENCES job ON DELETE CASCADE,
	number     INTEGER NOT NULL CHECK (number > 0),
	dockerfile BLOB NOT NULL,
	context    BLOB,                                -- the archive as it was uploaded; NULL: none
	build_args TEXT NOT NULL,                       -- K=V a line
	environment TEXT NOT NULL DEFAULT '',           -- K=V a line: for the application, when the image runs
	created_at INTEGER NOT NULL,
	PRIMARY KEY (job_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE build (
	job_id        TEXT NOT NULL REFERENCES job ON DELETE CASCADE,
	number        INTEGER NOT NULL CHECK (number > 0), -- ours, from 1
	revision      INTEGER NOT NULL,
	state         TEXT NOT NULL CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'aborted', 'lost')),
	reason        TEXT NOT NULL DEFAULT '',         -- for a person
	stop          INTEGER NOT NULL DEFAULT 0 CHECK (stop IN (0, 1)), -- its owner wants it stopped
	asked_at      INTEGER,                          -- when the engine was first asked to start it
	ticket        TEXT,                             -- the engine's answer
	engine_number INTEGER,
	position      INTEGER NOT NULL DEFAULT 0,       -- place in the engine's queue; 0: unknown
	queued_at     INTEGER NOT NULL,
	started_at    INTEGER,
	ended_at      INTEGER,
	expected_ms   INTEGER NOT NULL DEFAULT 0,       -- how long the engine thinks it takes; 0: unknown
	foreseen_ms   INTEGER NOT NULL DEFAULT 0,       -- how long it takes, by its log and earlier builds; 0: unknown
	failure       TEXT NOT NULL DEFAULT '',         -- what the script said of its own end
	step          INTEGER NOT NULL DEFAULT 0,
	steps         INTEGER NOT NULL DEFAULT 0,
	step_line     INTEGER NOT NULL DEFAULT 0,       -- the Dockerfile's line of that step
	scanned       INTEGER NOT NULL DEFAULT 0,       -- the log's offset up to which steps were looked for
	settled       INTEGER NOT NULL DEFAULT 0 CHECK (settled IN (0, 1)), -- ended, and its artifacts are listed here
	phase         TEXT NOT NULL DEFAULT '',         -- what the log has reached: prepare, step, pack, check, end
	repeats       INTEGER CHECK (repeats < number), -- the lost build that this one was queued for by itself; NULL: none
	kept          INTEGER NOT NULL DEFAULT 0 CHECK (kept IN (0, 1)), -- its owner wants log and artifacts kept for good
	engine_kept   INTEGER NOT NULL DEFAULT 0 CHECK (engine_kept IN (0, 1)), -- what the engine was told last
	expiring      INTEGER NOT NULL DEFAULT 0 CHECK (expiring IN (0, 1)), -- they are just being removed
	gone_why      TEXT NOT NULL DEFAULT '' CHECK (gone_why IN ('', 'days', 'count', 'backup')), -- why they were
	gone_limit    INTEGER NOT NULL DEFAULT 0,       -- the limit of days or builds then
	PRIMARY KEY (job_id, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX build_open ON build (state) WHERE state IN ('queued', 'running');

-- What the search through a build's log has found, and needs to go on.
CREATE TABLE scan (
	job_id TEXT NOT NULL,
	build  INTEGER NOT NULL,
	state  BLOB NOT NULL,                           -- JSON
	PRIMARY KEY (job_id, build),
	FOREIGN KEY (job_id, build) REFERENCES build (job_id, number) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE artifact (
	job_id TEXT NOT NULL,
	build  INTEGER NOT NULL,
	path   TEXT NOT NULL,
	size   INTEGER NOT NULL CHECK (size >= 0),
	sha256 TEXT NOT NULL,                           -- empty: unknown
	PRIMARY KEY (job_id, build, path),
	FOREIGN KEY (job_id, build) REFERENCES build (job_id, number) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- The local engine. It knows nothing of the tables above.
CREATE TABLE local_job (
	name        TEXT PRIMARY KEY COLLATE NOCASE,
	owner       TEXT NOT NULL,                      -- whose builds share fairly: an account's number
	description TEXT NOT NULL,
	time_limit  INTEGER NOT NULL CHECK (time_limit >= 0), -- milliseconds; 0: the runner's
	enabled     INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
	last_number INTEGER NOT NULL DEFAULT 0,
	digest      BLOB NOT NULL CHECK (length(digest) = 32), -- of source, as it was handed in
	source      BLOB NOT NULL                       -- last: the columns after a large value are slow to reach
) STRICT;
CREATE INDEX local_job_owner ON local_job (owner, name);

CREATE TABLE local_build (
	ticket     INTEGER PRIMARY KEY AUTOINCREMENT,   -- never given twice
	job        TEXT NOT NULL COLLATE NOCASE REFERENCES local_job (name) ON DELETE CASCADE,
	number     INTEGER CHECK ((number IS NULL) = (state = 'queued')),
	state      TEXT NOT NULL CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'aborted', 'lost')),
	reason     TEXT NOT NULL DEFAULT '',            -- for a person
	stop       INTEGER NOT NULL DEFAULT 0 CHECK (stop IN (0, 1)), -- somebody wants it stopped
	queued_at  INTEGER NOT NULL,
	started_at INTEGER,
	ended_at   INTEGER,
	runner     TEXT NOT NULL DEFAULT '',            -- which runner has or had it
	UNIQUE (job, number)
) STRICT;
CREATE UNIQUE INDEX local_build_waiting ON local_build (job) WHERE state = 'queued';
CREATE UNIQUE INDEX local_build_running ON local_build (job) WHERE state = 'running';
CREATE INDEX local_build_open ON local_build (state) WHERE state IN ('queued', 'running');

CREATE TABLE local_artifact (
	ticket INTEGER NOT NULL REFERENCES local_build ON DELETE CASCADE,
	path   TEXT NOT NULL,
	size   INTEGER NOT NULL CHECK (size >= 0),
	sha256 TEXT NOT NULL,
	PRIMARY KEY (ticket, path)
) STRICT, WITHOUT ROWID;

-- Runners that take no more builds, and end with those that they have.
CREATE TABLE local_drain (
	runner TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- What waits, in the order in which slots are given: of those whose job runs no build the one whose owner has the
-- fewest running, counting what is before it in this order; then the oldest.
CREATE VIEW local_queue AS
	SELECT ticket, blocked, row_number() OVER (ORDER BY blocked, share, ticket) AS position FROM (
		SELECT ticket, blocked, row_number() OVER (PARTITION BY owner, blocked ORDER BY ticket) + (
			SELECT count(*) FROM local_build AS r JOIN local_job AS k ON k.name = r.job
				WHERE r.state = 'running' AND k.owner = w.owner) AS share
		FROM (SELECT b.ticket, j.owner,
				EXISTS (SELECT 1 FROM local_build AS o WHERE o.job = b.job AND o.state = 'running') AS blocked
			FROM local_build AS b JOIN local_job AS j ON j.name = b.job WHERE b.state = 'queued') AS w);

-- Logs and artifacts that nobody may see any more. They are the runner's, who deletes them.
CREATE TABLE local_discard (
	job    TEXT NOT NULL,                           -- as it was first written
	number INTEGER NOT NULL,
	PRIMARY KEY (job, number)
) STRICT, WITHOUT ROWID;
