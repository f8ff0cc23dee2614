-- How root gets into the images of a revision. A table of its own, as the columns after a large value are slow to reach.
CREATE TABLE root_access (
	job_id   TEXT NOT NULL,
	revision INTEGER NOT NULL,
	keys     TEXT NOT NULL,                         -- lines of authorized_keys
	password TEXT NOT NULL,                         -- its hash, crypt(5); empty: locked
	PRIMARY KEY (job_id, revision),
	FOREIGN KEY (job_id, revision) REFERENCES revision (job_id, number) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
