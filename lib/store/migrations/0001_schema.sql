-- toaster's tables. Unless a comment says otherwise: *_at is a moment in Unix milliseconds, UTC, NULL where it has not
-- come; *_ms is a span in milliseconds; size and bytes are bytes; digest is a SHA-256; 0 and 1 are false and true.

-- An account.
CREATE TABLE user (
	id          INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice: the audit trail and the feeds' addresses have it
	email       TEXT NOT NULL COLLATE NOCASE UNIQUE CHECK (length(email) BETWEEN 3 AND 254), -- to log in with
	name        TEXT NOT NULL CHECK (length(name) <= 200), -- the user's own; may be empty
	role        TEXT NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin')),
	state       TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('pending', 'active', 'suspended')),
	password    TEXT NOT NULL,                      -- PHC string, argon2id; empty: none fits
	created_at  INTEGER NOT NULL,
	verified_at INTEGER,                            -- the address was proven; NULL: not yet, or made by an administrator
	removed_at  INTEGER,                            -- nothing of the user is left but the number; the row goes after its jobs
	notify      TEXT NOT NULL DEFAULT 'never' CHECK (notify IN ('never', 'failure', 'always')), -- email when a build ends
	-- Limits of the user's own. NULL: the configuration's; 0: no limit.
	max_jobs    INTEGER CHECK (max_jobs >= 0),
	max_running INTEGER CHECK (max_running >= 0),   -- builds queued or running at once
	max_daily   INTEGER CHECK (max_daily >= 0),     -- builds started in 24 hours
	max_minutes INTEGER CHECK (max_minutes >= 0),   -- minutes of building in 24 hours
	max_bytes   INTEGER CHECK (max_bytes >= 0),     -- of artifacts that are kept
	keep_days   INTEGER CHECK (keep_days >= 0),     -- days after which artifacts are removed
	-- Ways in.
	totp        BLOB,                               -- the sealed secret of two-factor authentication; NULL: it is off
	totp_step   INTEGER NOT NULL DEFAULT 0,         -- the time step of the last code that was taken (RFC 6238, 5.2)
	feed        INTEGER NOT NULL DEFAULT 0,         -- which secret address the feed has; negative or 0: it is off
	browsers    INTEGER NOT NULL DEFAULT 0          -- counts up when all browsers that are known are forgotten
) STRICT;

CREATE TABLE session (
	id         INTEGER PRIMARY KEY,
	user_id    INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
	digest     BLOB NOT NULL UNIQUE CHECK (length(digest) = 32), -- of the random id that the cookie carries
	created_at INTEGER NOT NULL,
	seen_at    INTEGER NOT NULL,                    -- of the last request
	expires_at INTEGER NOT NULL,                    -- whatever happens
	ended_at   INTEGER,                             -- logged out
	address    TEXT NOT NULL,                       -- the client's network address
	agent      TEXT NOT NULL                        -- the browser's User-Agent
) STRICT;
CREATE INDEX session_user ON session (user_id);

-- An API token.
CREATE TABLE token (
	id         INTEGER PRIMARY KEY,
	user_id    INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
	name       TEXT NOT NULL CHECK (length(name) <= 100), -- what it is for
	digest     BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
	scope      TEXT NOT NULL CHECK (scope IN ('read', 'write', 'metrics')),
	created_at INTEGER NOT NULL,
	expires_at INTEGER,                             -- NULL: never
	used_at    INTEGER                              -- last
) STRICT;
CREATE INDEX token_user ON token (user_id);

-- Recovery codes of two-factor authentication, each good once.
CREATE TABLE recovery_code (
	digest  BLOB PRIMARY KEY CHECK (length(digest) = 32),
	user_id INTEGER NOT NULL REFERENCES user ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX recovery_code_user ON recovery_code (user_id);

-- Secrets that were sent to an address: each works once, and not for long.
CREATE TABLE email_token (
	digest     BLOB PRIMARY KEY CHECK (length(digest) = 32),
	user_id    INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
	kind       TEXT NOT NULL CHECK (kind IN ('activate', 'recover', 'address')), -- what it is good for
	email      TEXT NOT NULL,                       -- the address that it was sent to
	name       TEXT NOT NULL DEFAULT '',            -- of 'activate': what was typed where it was asked for
	password   TEXT NOT NULL DEFAULT '',            -- likewise; PHC string
	created_at INTEGER NOT NULL,
	expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX email_token_user ON email_token (user_id);

-- Tries that are limited: log-ins, tokens, emails. One row a try, deleted when it no longer counts.
CREATE TABLE rate_limit_event (
	key TEXT NOT NULL,                              -- what is limited: 'login:address:192.0.2.1'
	at  INTEGER NOT NULL                            -- Unix milliseconds
) STRICT;
CREATE INDEX rate_limit_event_key ON rate_limit_event (key, at);
CREATE INDEX rate_limit_event_at ON rate_limit_event (at);

-- Wrong passwords and codes in a row, by who sent them: all strangers together, or one browser or network that the
-- user has logged in with.
CREATE TABLE failure (
	key     TEXT PRIMARY KEY,
	user_id INTEGER REFERENCES user ON DELETE CASCADE, -- NULL: the address that was typed has no account
	what    TEXT NOT NULL,                          -- 'login', 'factor', 'confirm'
	count   INTEGER NOT NULL,
	at      INTEGER NOT NULL                        -- of the last one, Unix milliseconds
) STRICT, WITHOUT ROWID;
CREATE INDEX failure_user ON failure (user_id);

-- A form that waits until its sender has logged in, or a file of one that comes back.
CREATE TABLE draft (
	id         TEXT PRIMARY KEY,                    -- random
	user_id    INTEGER REFERENCES user ON DELETE CASCADE, -- NULL: whoever has the secret
	digest     BLOB CHECK (length(digest) = 32),    -- of the secret that the sender's browser carries; NULL: there is none
	created_at INTEGER NOT NULL,
	form       BLOB NOT NULL                        -- JSON
) STRICT;
CREATE INDEX draft_user ON draft (user_id);
CREATE INDEX draft_created ON draft (created_at);

-- A request that names itself by a form's once value or an Idempotency-Key: it is done once, and answered again.
CREATE TABLE once (
	key      BLOB PRIMARY KEY CHECK (length(key) = 32), -- digest of the name and its sender
	user_id  INTEGER REFERENCES user ON DELETE CASCADE, -- NULL: nobody was logged in
	request  BLOB NOT NULL CHECK (length(request) = 32), -- digest of method, path and form
	owner    TEXT NOT NULL,                         -- which sending of it does it; random
	at       INTEGER NOT NULL,                      -- when it came, Unix milliseconds
	location TEXT NOT NULL DEFAULT '',              -- where what it made is, stored together with that; empty: nothing yet
	answer   BLOB                                   -- sealed; NULL: not answered yet
) STRICT, WITHOUT ROWID;
CREATE INDEX once_at ON once (at);
CREATE INDEX once_user ON once (user_id);

-- Emails that are to be sent; sync sends them.
CREATE TABLE outbox (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,   -- never given twice: it makes the Message-ID
	recipient  TEXT NOT NULL,                       -- an address
	subject    TEXT NOT NULL,
	body       TEXT NOT NULL,                       -- plain text
	created_at INTEGER NOT NULL,
	next_at    INTEGER NOT NULL,                    -- not before
	tries      INTEGER NOT NULL DEFAULT 0,          -- that failed
	problem    TEXT NOT NULL DEFAULT ''             -- why the last one failed
) STRICT;
CREATE INDEX outbox_next ON outbox (next_at);

-- Who did what. Rows are only added: the user may be gone, and is named by number.
CREATE TABLE audit (
	id          INTEGER PRIMARY KEY AUTOINCREMENT,
	at          INTEGER NOT NULL,                   -- Unix milliseconds
	actor       INTEGER,                            -- the user who did it; NULL: nobody who was logged in
	actor_name  TEXT NOT NULL DEFAULT '',           -- the actor's email address then
	means       TEXT NOT NULL,                      -- 'web', 'token', 'toasterctl', 'sync'
	address     TEXT NOT NULL,                      -- where the request came from; empty: this host
	action      TEXT NOT NULL,                      -- 'login', 'user.state', 'job.remove'
	object      TEXT NOT NULL,                      -- 'user 7', 'job 1a2b…'
	object_name TEXT NOT NULL DEFAULT '',           -- the user's email address then, or the job's name
	detail      TEXT NOT NULL DEFAULT ''            -- 'suspended'; never a secret
) STRICT;
CREATE INDEX audit_actor ON audit (actor, id);
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'the audit trail is only added to'); END;
CREATE TRIGGER audit_remains BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'the audit trail is only added to'); END;

-- Single values that programs remember: when cron's sync ran last.
CREATE TABLE setting (
	name  TEXT PRIMARY KEY,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What a user wants built: sources, which are revisions, for a target.
CREATE TABLE job (
	id              TEXT PRIMARY KEY CHECK (length(id) = 12), -- random
	user_id         INTEGER NOT NULL REFERENCES user ON DELETE CASCADE, -- the owner
	name            TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 100), -- the owner's
	target          TEXT NOT NULL,                  -- its name in targets.toml
	target_title    TEXT NOT NULL DEFAULT '',       -- its line for people (lib/i18n) when the job was stored; empty: the name
	engine_name     TEXT NOT NULL COLLATE NOCASE UNIQUE CHECK (length(engine_name) <= 200), -- the job's in the engine
	enabled         INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)), -- it may start builds
	engine_enabled  INTEGER NOT NULL DEFAULT 1 CHECK (engine_enabled IN (0, 1)), -- what the engine was told last
	revision        INTEGER NOT NULL,               -- the newest
	engine_revision INTEGER NOT NULL DEFAULT 0,     -- the one that the engine has; 0: none
	engine_error    TEXT NOT NULL DEFAULT '',       -- why the engine refused what it was asked, for people (lib/i18n); empty: it didn't
	badge           INTEGER NOT NULL DEFAULT 0 CHECK (badge IN (0, 1)), -- everybody who has its address may see the badge
	created_at      INTEGER NOT NULL,
	seen_at         INTEGER,                        -- when the engine last answered about it
	removed_at      INTEGER                         -- gone for its owner; the engine may not have been told yet
) STRICT;
CREATE INDEX job_user ON job (user_id, created_at DESC) WHERE removed_at IS NULL;

-- What a job is made from. A changed Dockerfile is a new revision; builds say which one they were made from.
CREATE TABLE revision (
	job_id      TEXT NOT NULL REFERENCES job ON DELETE CASCADE,
	number      INTEGER NOT NULL CHECK (number > 0), -- from 1 in each job
	dockerfile  BLOB NOT NULL,
	context     TEXT NOT NULL DEFAULT '',           -- its digest, 64 hexadecimal digits: see package contexts; empty: none
	context_size INTEGER NOT NULL DEFAULT 0,        -- bytes of its files
	build_args  TEXT NOT NULL,                      -- K=V a line
	environment TEXT NOT NULL DEFAULT '',           -- K=V a line: for the application, when the image runs
	base_form   TEXT NOT NULL DEFAULT '',           -- grown, appliance; empty: as suits the base image
	created_at  INTEGER NOT NULL,
	PRIMARY KEY (job_id, number)
) STRICT, WITHOUT ROWID;

-- How root gets into the images of a revision. A table of its own, as the columns after a large value are slow to reach.
CREATE TABLE root_access (
	job_id   TEXT NOT NULL,
	revision INTEGER NOT NULL,
	keys     TEXT NOT NULL,                         -- lines of authorized_keys; empty: none
	password TEXT NOT NULL,                         -- its hash, crypt(5); empty: locked
	PRIMARY KEY (job_id, revision),
	FOREIGN KEY (job_id, revision) REFERENCES revision (job_id, number) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- What the images of registries are that a revision's Dockerfile names. There is a row where it names any.
CREATE TABLE image_lock (
	job_id    TEXT NOT NULL,
	revision  INTEGER NOT NULL,
	looked_at INTEGER NOT NULL,                     -- when the registries were asked last, Unix milliseconds
	problems  BLOB NOT NULL,                        -- JSON: why some were not found then
	images    BLOB NOT NULL,                        -- as package image encodes them; last, as it may be large
	PRIMARY KEY (job_id, revision),
	FOREIGN KEY (job_id, revision) REFERENCES revision (job_id, number) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- What a revision was translated to, so that a page shows it without translating.
CREATE TABLE translation (
	job_id   TEXT NOT NULL,
	revision INTEGER NOT NULL,
	made_for TEXT NOT NULL,                         -- what decided beside the sources: toaster's version and the target
	steps    INTEGER NOT NULL CHECK (steps >= 0),   -- of the blend; 0: it can't be built
	blend    TEXT NOT NULL,                         -- its SHA-256, hex; empty: it can't be built
	script   TEXT NOT NULL,                         -- likewise
	secrets  TEXT NOT NULL DEFAULT '[]',            -- JSON: those that a build is given, or must be
	findings BLOB NOT NULL,                         -- JSON; last, as the columns after a large value are slow to reach
	PRIMARY KEY (job_id, revision),
	FOREIGN KEY (job_id, revision) REFERENCES revision (job_id, number) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- The Git repository that a job's sources come from. It is fetched when a build starts; the first revision is empty.
CREATE TABLE git_source (
	job_id     TEXT PRIMARY KEY REFERENCES job ON DELETE CASCADE,
	version    INTEGER NOT NULL,                    -- counts up when the owner changes it, or it is to be fetched again
	url        TEXT NOT NULL,
	ref        TEXT NOT NULL,                       -- a branch, tag or commit; empty: the default branch
	folder     TEXT NOT NULL,                       -- in it; empty: its root
	dockerfile TEXT NOT NULL,                       -- its path in the folder; empty: where it is usually
	submodules INTEGER NOT NULL CHECK (submodules IN (0, 1)), -- they are fetched, too
	secret     BLOB,                                -- the deploy key or token, sealed; NULL: none
	host_keys  TEXT NOT NULL DEFAULT '',            -- lines of known_hosts(5), as they were first seen
	wanted     INTEGER NOT NULL DEFAULT 1 CHECK (wanted IN (0, 1)), -- to be fetched, though no build waits for it
	fetched_at INTEGER,                             -- when it was tried last
	problem    TEXT NOT NULL DEFAULT '',            -- why that failed, for people (lib/i18n); empty: it didn't
	pointers   TEXT NOT NULL DEFAULT ''             -- files of Git LFS that were not fetched, a path a line
) STRICT, WITHOUT ROWID;
CREATE INDEX git_source_wanted ON git_source (wanted) WHERE wanted = 1;

-- What a revision was fetched from.
CREATE TABLE revision_source (
	job_id     TEXT NOT NULL,
	revision   INTEGER NOT NULL,
	repository TEXT NOT NULL,
	ref        TEXT NOT NULL,
	hash       TEXT NOT NULL,                       -- of the commit
	PRIMARY KEY (job_id, revision),
	FOREIGN KEY (job_id, revision) REFERENCES revision (job_id, number) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- When a job is built by itself.
CREATE TABLE schedule (
	job_id  TEXT PRIMARY KEY REFERENCES job ON DELETE CASCADE,
	every   TEXT NOT NULL CHECK (every IN ('day', 'week', 'month')),
	next_at INTEGER NOT NULL,
	problem TEXT NOT NULL DEFAULT ''                -- why it was not built last time, for people (lib/i18n)
) STRICT, WITHOUT ROWID;
CREATE INDEX schedule_next ON schedule (next_at);

-- One run of a job.
CREATE TABLE build (
	job_id         TEXT NOT NULL REFERENCES job ON DELETE CASCADE,
	number         INTEGER NOT NULL CHECK (number > 0), -- ours, from 1 in each job
	revision       INTEGER NOT NULL,                -- what it is made from
	state          TEXT NOT NULL CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'aborted', 'lost')),
	reason         TEXT NOT NULL DEFAULT '',        -- why it waits, failed or was stopped, as the engine says, for people (lib/i18n)
	stop_requested INTEGER NOT NULL DEFAULT 0 CHECK (stop_requested IN (0, 1)), -- its owner wants it stopped
	asked_at       INTEGER,                         -- when the engine was first asked to start it
	ticket         TEXT,                            -- the engine's answer
	engine_number  INTEGER,                         -- the engine's number; NULL: none yet
	position       INTEGER NOT NULL DEFAULT 0,      -- place in the engine's queue, from 1; 0: unknown
	fetching       INTEGER NOT NULL DEFAULT 0 CHECK (fetching IN (0, 1)), -- it waits until its repository is fetched
	scheduled      INTEGER NOT NULL DEFAULT 0 CHECK (scheduled IN (0, 1)), -- the job's schedule queued it
	queued_at      INTEGER NOT NULL,
	started_at     INTEGER,
	ended_at       INTEGER,
	expected_ms    INTEGER NOT NULL DEFAULT 0,      -- how long the engine thinks it takes; 0: unknown
	foreseen_ms    INTEGER NOT NULL DEFAULT 0,      -- how long it takes, by its log and earlier builds; 0: unknown
	failure        TEXT NOT NULL DEFAULT '',        -- what the script said of its own end, for people (lib/i18n)
	phase          TEXT NOT NULL DEFAULT '',        -- what the log has reached: prepare, step, pack, check, end
	step           INTEGER NOT NULL DEFAULT 0,      -- the step that the log has reached, from 1
	steps          INTEGER NOT NULL DEFAULT 0,      -- of how many; 0: unknown
	step_line      INTEGER NOT NULL DEFAULT 0,      -- that step's line in the Dockerfile, from 1
	log_offset     INTEGER NOT NULL DEFAULT 0,      -- bytes of the log that were searched for steps
	finalized      INTEGER NOT NULL DEFAULT 0 CHECK (finalized IN (0, 1)), -- ended, and its artifacts are listed here
	notified       INTEGER NOT NULL DEFAULT 1 CHECK (notified IN (0, 1)), -- 0: an email about its end is still to be written
	repeats        INTEGER CHECK (repeats < number), -- the lost build that this one was queued for by itself; NULL: none
	with_secrets   INTEGER NOT NULL DEFAULT 0 CHECK (with_secrets IN (0, 1)), -- it was given some: it can't be repeated
	kept           INTEGER NOT NULL DEFAULT 0 CHECK (kept IN (0, 1)), -- its owner wants log and artifacts kept for good
	engine_kept    INTEGER NOT NULL DEFAULT 0 CHECK (engine_kept IN (0, 1)), -- what the engine was told last
	expiring       INTEGER NOT NULL DEFAULT 0 CHECK (expiring IN (0, 1)), -- log and artifacts are just being removed
	expired_at     INTEGER,                         -- they were removed; NULL: they are there
	gone_why       TEXT NOT NULL DEFAULT '' CHECK (gone_why IN ('', 'days', 'count', 'backup')), -- why they were
	gone_limit     INTEGER NOT NULL DEFAULT 0,      -- the limit then, of days or builds
	PRIMARY KEY (job_id, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX build_open ON build (state) WHERE state IN ('queued', 'running');
CREATE INDEX build_kept ON build (ended_at) WHERE expired_at IS NULL AND finalized = 1;
CREATE INDEX build_fetching ON build (fetching) WHERE fetching = 1;
CREATE INDEX build_unnotified ON build (notified) WHERE notified = 0;

-- The secrets that a build waits with, sealed. The engine has them as soon as there is a ticket.
CREATE TABLE build_secret (
	job_id TEXT NOT NULL,
	build  INTEGER NOT NULL,
	sealed BLOB NOT NULL,                           -- empty in a copy: they can't be read any more
	PRIMARY KEY (job_id, build),
	FOREIGN KEY (job_id, build) REFERENCES build (job_id, number) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE TRIGGER build_secret_read AFTER UPDATE OF ticket, state ON build
	WHEN NEW.ticket IS NOT NULL OR NEW.state <> 'queued'
	BEGIN DELETE FROM build_secret WHERE job_id = NEW.job_id AND build = NEW.number; END;

-- What the search through a build's log has found, and needs to go on.
CREATE TABLE scan (
	job_id TEXT NOT NULL,
	build  INTEGER NOT NULL,
	state  BLOB NOT NULL,                           -- JSON
	PRIMARY KEY (job_id, build),
	FOREIGN KEY (job_id, build) REFERENCES build (job_id, number) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- A file that a build left.
CREATE TABLE artifact (
	job_id TEXT NOT NULL,
	build  INTEGER NOT NULL,
	path   TEXT NOT NULL,                           -- relative to dist/
	size   INTEGER NOT NULL CHECK (size >= 0),
	sha256 TEXT NOT NULL,                           -- lower-case hex; empty: unknown
	PRIMARY KEY (job_id, build, path),
	FOREIGN KEY (job_id, build) REFERENCES build (job_id, number) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- When a user's builds were asked for and ran in the last day, for the limits; also those of jobs that are gone.
CREATE TABLE build_start (
	user_id    INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
	job_id     TEXT NOT NULL,
	build      INTEGER NOT NULL,
	queued_at  INTEGER NOT NULL,
	started_at INTEGER,                             -- NULL: it waits, or never ran
	ended_at   INTEGER,                             -- NULL: it has not ended
	PRIMARY KEY (job_id, build)
) STRICT, WITHOUT ROWID;
CREATE INDEX build_start_user ON build_start (user_id, queued_at);

-- Where the ends of a job's builds are reported to.
CREATE TABLE hook (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,   -- never given twice: addresses have it
	job_id     TEXT NOT NULL REFERENCES job ON DELETE CASCADE,
	url        TEXT NOT NULL CHECK (length(url) BETWEEN 1 AND 2000),
	secret     BLOB NOT NULL,                       -- that signs, sealed
	enabled    INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
	gone_at    INTEGER,                             -- the receiver answered 410, which disabled it; NULL: it didn't
	created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX hook_job ON hook (job_id);

-- What hooks are to send, and what they have sent, as long as their log shows it.
CREATE TABLE hook_message (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	hook_id    INTEGER NOT NULL REFERENCES hook ON DELETE CASCADE,
	name       TEXT NOT NULL UNIQUE DEFAULT ('msg_' || lower(hex(randomblob(16)))), -- webhook-id
	build      INTEGER,                             -- that has ended; NULL: it is a test
	body       TEXT,                                -- JSON, the same at each try; NULL: not written yet
	created_at INTEGER NOT NULL,
	next_at    INTEGER,                             -- not before; NULL: it is sent no more
	tries      INTEGER NOT NULL DEFAULT 0           -- that failed
) STRICT;
CREATE INDEX hook_message_hook ON hook_message (hook_id);
CREATE INDEX hook_message_next ON hook_message (next_at) WHERE next_at IS NOT NULL;

-- The log of hooks: each try.
CREATE TABLE hook_delivery (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,   -- never given twice: addresses have it
	hook_id    INTEGER NOT NULL REFERENCES hook ON DELETE CASCADE,
	message_id INTEGER NOT NULL REFERENCES hook_message ON DELETE CASCADE,
	at         INTEGER NOT NULL,                    -- when it began
	took_ms    INTEGER NOT NULL,
	status     INTEGER NOT NULL,                    -- of the answer; 0: there was none
	answer     TEXT NOT NULL,                       -- how it begins
	error      TEXT NOT NULL                        -- why it failed, for people (lib/i18n); empty: it didn't
) STRICT;
CREATE INDEX hook_delivery_hook ON hook_delivery (hook_id, id);
CREATE INDEX hook_delivery_message ON hook_delivery (message_id);

-- What lets others start a job's builds, without a log-in.
CREATE TABLE start_hook (
	job_id     TEXT PRIMARY KEY REFERENCES job ON DELETE CASCADE,
	secret     BLOB NOT NULL,                       -- sealed
	created_at INTEGER NOT NULL,                    -- of the secret
	used_at    INTEGER                              -- when it last started a build
) STRICT, WITHOUT ROWID;

-- Whatever ends a build writes what its hooks are to send, in the same transaction.
CREATE TRIGGER build_reported AFTER UPDATE OF finalized ON build WHEN NEW.finalized = 1 AND OLD.finalized = 0
	BEGIN INSERT INTO hook_message (hook_id, build, created_at, next_at)
		SELECT hook.id, NEW.number, coalesce(NEW.ended_at, NEW.queued_at), coalesce(NEW.ended_at, NEW.queued_at)
		FROM hook JOIN job ON job.id = hook.job_id JOIN user ON user.id = job.user_id
		WHERE hook.job_id = NEW.job_id AND hook.enabled = 1 AND job.removed_at IS NULL AND user.state = 'active'; END;
-- A job that its owner has deleted has none, even before the engine knows.
CREATE TRIGGER job_removed AFTER UPDATE OF removed_at ON job WHEN NEW.removed_at IS NOT NULL
	BEGIN DELETE FROM hook WHERE job_id = NEW.id; DELETE FROM start_hook WHERE job_id = NEW.id; END;

-- The local engine. It knows nothing of the tables above.
CREATE TABLE local_job (
	name        TEXT PRIMARY KEY COLLATE NOCASE,
	owner       TEXT NOT NULL,                      -- whose builds share fairly: a user's number
	description TEXT NOT NULL,                      -- one line for the administrator
	time_limit  INTEGER NOT NULL CHECK (time_limit >= 0), -- milliseconds; 0: the runner's
	enabled     INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
	last_number INTEGER NOT NULL DEFAULT 0,         -- of its builds; 0: none yet
	digest      BLOB NOT NULL CHECK (length(digest) = 32), -- of source, as it was handed in
	source      BLOB NOT NULL                       -- JSON; last: the columns after a large value are slow to reach
) STRICT;
CREATE INDEX local_job_owner ON local_job (owner, name);

CREATE TABLE local_build (
	ticket         INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice
	job            TEXT NOT NULL COLLATE NOCASE REFERENCES local_job (name) ON DELETE CASCADE,
	number         INTEGER CHECK ((number IS NULL) = (state = 'queued')), -- from 1 in each job
	state          TEXT NOT NULL CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'aborted', 'lost')),
	reason         TEXT NOT NULL DEFAULT '',        -- for people (lib/i18n)
	stop_requested INTEGER NOT NULL DEFAULT 0 CHECK (stop_requested IN (0, 1)),
	queued_at      INTEGER NOT NULL,
	started_at     INTEGER,
	ended_at       INTEGER,
	runner         TEXT NOT NULL DEFAULT '',        -- which runner has or had it
	secrets        BLOB CHECK (secrets IS NULL OR state = 'queued'), -- sealed, until a runner takes it; NULL: none
	UNIQUE (job, number)
) STRICT;
CREATE UNIQUE INDEX local_build_waiting ON local_build (job) WHERE state = 'queued';
CREATE UNIQUE INDEX local_build_running ON local_build (job) WHERE state = 'running';
CREATE INDEX local_build_open ON local_build (state) WHERE state IN ('queued', 'running');

CREATE TABLE local_artifact (
	ticket INTEGER NOT NULL REFERENCES local_build ON DELETE CASCADE,
	path   TEXT NOT NULL,
	size   INTEGER NOT NULL CHECK (size >= 0),
	sha256 TEXT NOT NULL,                           -- lower-case hex
	PRIMARY KEY (ticket, path)
) STRICT, WITHOUT ROWID;

-- Runners that take no more builds, and end with those that they have.
CREATE TABLE local_drain (
	runner TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Logs and artifacts that nobody may see any more. They are the runner's, who deletes them.
CREATE TABLE local_discard (
	job    TEXT NOT NULL,                           -- as it was first written
	number INTEGER NOT NULL,
	PRIMARY KEY (job, number)
) STRICT, WITHOUT ROWID;

-- What waits, in the order in which runners take it: of those whose job runs no build the one whose owner has the
-- fewest running, counting what is before it in this order; then the oldest.
CREATE VIEW local_queue AS
	SELECT ticket, blocked, row_number() OVER (ORDER BY blocked, share, ticket) AS position FROM (
		SELECT ticket, blocked, row_number() OVER (PARTITION BY owner, blocked ORDER BY ticket) + (
			SELECT count(*) FROM local_build AS r JOIN local_job AS k ON k.name = r.job
				WHERE r.state = 'running' AND k.owner = w.owner) AS share
		FROM (SELECT b.ticket, j.owner,
				EXISTS (SELECT 1 FROM local_build AS o WHERE o.job = b.job AND o.state = 'running') AS blocked
			FROM local_build AS b JOIN local_job AS j ON j.name = b.job WHERE b.state = 'queued') AS w);
