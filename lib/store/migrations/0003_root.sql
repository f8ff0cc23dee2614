-- How root gets into the images of a revision. A table of its own, as the columns after a large value are slow to reach.
CREATE TABLE root_access (
	job_id   TEXT NOT NULL,
	revision INTEGER NOT NULL,
	keys     TEXT NOT NULL,                         -- lines of authorized_keys
	password TEXT NOT NULL,                         -- its hash, crypt(5); empty: locked
	PRIMARY KEY (job_id, revision),
	FOREIGN KEY (job_id, revision) REFERENCES revision (job_id, number) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- What a revision was translated to, so that a page shows it without translating. Findings are last: the
-- columns after a large value are slow to reach.
CREATE TABLE translation (
	job_id   TEXT NOT NULL,
	revision INTEGER NOT NULL,
	made_for TEXT NOT NULL,                         -- what decided beside the sources: toaster's version and the target
	steps    INTEGER NOT NULL CHECK (steps >= 0),   -- of the blend; 0: it can't be built
	blend    TEXT NOT NULL,                         -- its SHA-256, hex; empty: it can't be built
	script   TEXT NOT NULL,                         -- likewise
	findings BLOB NOT NULL,                         -- JSON
	PRIMARY KEY (job_id, revision),
	FOREIGN KEY (job_id, revision) REFERENCES revision (job_id, number) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
