-- Sign-up, limits, administration, mail. Times are Unix milliseconds, UTC; digests are SHA-256.

-- A person's own limits; NULL: the configuration's.
ALTER TABLE person ADD COLUMN max_running INTEGER CHECK (max_running >= 0);     -- builds queued or running at once
ALTER TABLE person ADD COLUMN max_daily   INTEGER CHECK (max_daily >= 0);       -- builds started in 24 hours
ALTER TABLE person ADD COLUMN max_minutes INTEGER CHECK (max_minutes >= 0);     -- of building in 24 hours
ALTER TABLE person ADD COLUMN max_bytes   INTEGER CHECK (max_bytes >= 0);       -- of artifacts that are kept
ALTER TABLE person ADD COLUMN keep_days   INTEGER CHECK (keep_days >= 0);       -- artifacts are removed when they are older; 0: never

ALTER TABLE person ADD COLUMN verified_at INTEGER;                              -- the address was proven; NULL: not yet, or made by an administrator
ALTER TABLE person ADD COLUMN totp        BLOB;                                 -- the secret of the second factor; NULL: there is none
ALTER TABLE person ADD COLUMN totp_step   INTEGER NOT NULL DEFAULT 0;           -- the time step of the last code that was taken (RFC 6238, 5.2)
ALTER TABLE person ADD COLUMN notify      TEXT NOT NULL DEFAULT 'never' CHECK (notify IN ('never', 'failure', 'always')); -- mail when a build ends
ALTER TABLE person ADD COLUMN feed        INTEGER NOT NULL DEFAULT 0;           -- which secret address the feed has; 0: it is off
ALTER TABLE person ADD COLUMN browsers  INTEGER NOT NULL DEFAULT 0;             -- counts up when all browsers are forgotten
ALTER TABLE person ADD COLUMN removed_at INTEGER;                               -- nothing of the person is left but the number; the row goes after its jobs
UPDATE person SET verified_at = created_at;

-- A token may also be for reading the site's metrics alone.
CREATE TABLE token_2 (
	id         INTEGER PRIMARY KEY,
	person_id  INTEGER NOT NULL REFERENCES person ON DELETE CASCADE,
	name       TEXT NOT NULL CHECK (length(name) <= 100),
	digest     BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
	scope      TEXT NOT NULL CHECK (scope IN ('read', 'write', 'metrics')),
	created_at INTEGER NOT NULL,
	expires_at INTEGER,
	used_at    INTEGER
) STRICT;
INSERT INTO token_2 SELECT id, person_id, name, digest, scope, created_at, expires_at, used_at FROM token;
DROP TABLE token;
ALTER TABLE token_2 RENAME TO token;
CREATE INDEX token_person ON token (person_id);

-- When a person's builds were asked for and ran in the last day, also of jobs that are gone.
CREATE TABLE started (
	person_id INTEGER NOT NULL REFERENCES person ON DELETE CASCADE,
	at        INTEGER NOT NULL,                     -- asked for
	job_id    TEXT NOT NULL,
	build     INTEGER NOT NULL,
	began     INTEGER,                              -- NULL: it waits, or never ran
	ended     INTEGER,                              -- NULL: it has not ended
	PRIMARY KEY (job_id, build)
) STRICT, WITHOUT ROWID;
CREATE INDEX started_person ON started (person_id, at);

-- Everybody who has its address may see the job's badge.
ALTER TABLE job ADD COLUMN badge INTEGER NOT NULL DEFAULT 0 CHECK (badge IN (0, 1));
-- When a build's artifacts and log were removed because of their age; NULL: they are there.
ALTER TABLE build ADD COLUMN expired_at INTEGER;
ALTER TABLE build ADD COLUMN notified   INTEGER NOT NULL DEFAULT 1 CHECK (notified IN (0, 1)); -- 0: its end is still to be mailed
CREATE INDEX build_kept ON build (ended_at) WHERE expired_at IS NULL AND settled = 1;
CREATE INDEX build_unnotified ON build (notified) WHERE notified = 0;

-- Links in mails: each works once, and not for long.
CREATE TABLE link (
	digest     BLOB PRIMARY KEY CHECK (length(digest) = 32),
	person_id  INTEGER NOT NULL REFERENCES person ON DELETE CASCADE,
	kind       TEXT NOT NULL CHECK (kind IN ('activate', 'recover', 'address')),
	email      TEXT NOT NULL,                       -- the address that it was sent to
	name       TEXT NOT NULL DEFAULT '',            -- of "activate": what was typed where the link was asked for
	password   TEXT NOT NULL DEFAULT '',            -- the same; PHC string
	created_at INTEGER NOT NULL,
	expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX link_person ON link (person_id);

-- Wrong passwords and codes in a row, by who sent them: all strangers together, or one browser or network that the
-- person has logged in with.
CREATE TABLE failure (
	key       TEXT PRIMARY KEY,
	person_id INTEGER REFERENCES person ON DELETE CASCADE, -- NULL: the address that was typed has no account
	what      TEXT NOT NULL,                        -- 'login', 'factor', 'confirm'
	count     INTEGER NOT NULL,
	at        INTEGER NOT NULL                      -- of the last one
) STRICT, WITHOUT ROWID;
CREATE INDEX failure_person ON failure (person_id);

-- Recovery codes of the second factor, each good once.
CREATE TABLE recovery_code (
	digest    BLOB PRIMARY KEY CHECK (length(digest) = 32),
	person_id INTEGER NOT NULL REFERENCES person ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX recovery_code_person ON recovery_code (person_id);

-- Mail that is to be sent; sync sends it.
CREATE TABLE outbox (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	recipient  TEXT NOT NULL,
	subject    TEXT NOT NULL,
	body       TEXT NOT NULL,                       -- plain text
	created_at INTEGER NOT NULL,
	next_at    INTEGER NOT NULL,                    -- not before
	tries      INTEGER NOT NULL DEFAULT 0,
	problem    TEXT NOT NULL DEFAULT ''             -- why the last try failed
) STRICT;
CREATE INDEX outbox_next ON outbox (next_at);

-- Who did what. Rows are only added: the person may be gone, so it is named by number.
CREATE TABLE audit (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	at      INTEGER NOT NULL,
	actor   INTEGER,                                -- the person who did it; NULL: nobody who was logged in
	means   TEXT NOT NULL,                          -- 'web', 'token', 'toasterctl', 'sync'
	address TEXT NOT NULL,                          -- where the request came from; empty: this host
	action  TEXT NOT NULL,                          -- 'login', 'person.suspend', 'job.remove'
	actor_name TEXT NOT NULL DEFAULT '',            -- the actor's address then
	object  TEXT NOT NULL,                          -- 'person 7', 'job 1a2b…'
	object_name TEXT NOT NULL DEFAULT '',           -- the person's address then, or the job's name
	detail  TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX audit_actor ON audit (actor, id);
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'the audit trail is only added to'); END;
CREATE TRIGGER audit_remains BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'the audit trail is only added to'); END;

-- Single facts: when cron's sync ran last.
CREATE TABLE fact (
	name  TEXT PRIMARY KEY,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
