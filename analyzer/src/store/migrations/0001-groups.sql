-- Runs of triage, the dumps that they found, and the groups that these belong to. The same text for SQLite and PostgreSQL.
-- Times are microseconds since 1970 in UTC. Strings of a dump that may be long are cut, so those that tell things apart are
-- digests.

-- Dumps that died of the same, over all runs.
CREATE TABLE triage_group (
    id TEXT PRIMARY KEY,                -- the fingerprint that it was first known by
    title TEXT NOT NULL,
    summary TEXT NOT NULL,              -- of the report on a dump that shows it well
    parts TEXT NOT NULL,                -- JSON: what went into the fingerprint
    sample TEXT NOT NULL,               -- the report on that dump, as text
    recorded BIGINT NOT NULL,
    joined_to TEXT REFERENCES triage_group (id) -- the group that it turned out to be a part of
);

-- Each exact fingerprint belongs to one group.
CREATE TABLE triage_fingerprint (
    fingerprint TEXT PRIMARY KEY,
    group_id TEXT NOT NULL REFERENCES triage_group (id)
);
CREATE INDEX triage_fingerprint_by_group ON triage_fingerprint (group_id);

CREATE TABLE triage_run (
    id TEXT PRIMARY KEY,                -- as the caller names it, else a digest of what it found
    recorded BIGINT NOT NULL,
    version TEXT NOT NULL,              -- of pycore
    redacted BIGINT NOT NULL,           -- 0 or 1
    complete BIGINT NOT NULL            -- 0 or 1
);

CREATE TABLE triage_dump (
    id TEXT PRIMARY KEY,                -- a digest of path, time and host
    fingerprint TEXT NOT NULL REFERENCES triage_fingerprint (fingerprint),
    path TEXT NOT NULL,
    host TEXT,
    python TEXT,
    seen BIGINT NOT NULL,               -- when the process died; where that is not known, when it was recorded
    recorded BIGINT NOT NULL
);
CREATE INDEX triage_dump_by_fingerprint ON triage_dump (fingerprint, seen);
CREATE INDEX triage_dump_by_time ON triage_dump (seen);

-- A dump may be met by many runs.
CREATE TABLE triage_run_dump (
    run_id TEXT NOT NULL REFERENCES triage_run (id),
    dump_id TEXT NOT NULL REFERENCES triage_dump (id),
    PRIMARY KEY (run_id, dump_id)
);
CREATE INDEX triage_run_dump_by_dump ON triage_run_dump (dump_id, run_id);

-- Dumps that could not be analyzed.
CREATE TABLE triage_failure (
    run_id TEXT NOT NULL REFERENCES triage_run (id),
    id TEXT NOT NULL,                   -- a digest of the path
    path TEXT NOT NULL,
    kind TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (run_id, id)
);
