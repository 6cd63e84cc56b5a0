-- A store as the first version of the schema had it; store-1.db is the same as a file of SQLite.

CREATE TABLE triage_schema (version BIGINT PRIMARY KEY, taken BIGINT NOT NULL);
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

INSERT INTO triage_schema (version, taken) VALUES (1, 1794823200000000);
INSERT INTO triage_group (id, title, summary, parts, sample, recorded) VALUES
    ('v1:00aa', 'ValueError in app.run', 'it died', '[{"kind":"frame","value":"app.run"}]', 'Traceback', 1794823200000000),
    ('v1:00cc', 'SIGSEGV in numpy.dot', 'it crashed', '[]', '', 1794823200000000);
INSERT INTO triage_group (id, title, summary, parts, sample, recorded, joined_to) VALUES
    ('v1:00ab', 'ValueError in app.run', 'it died', '[]', '', 1794826800000000, 'v1:00aa');
INSERT INTO triage_fingerprint (fingerprint, group_id) VALUES
    ('v1:00aa', 'v1:00aa'), ('v1:00ab', 'v1:00aa'), ('v1:00cc', 'v1:00cc');
INSERT INTO triage_run (id, recorded, version, redacted, complete) VALUES
    ('job 1', 1794826800000000, '0.1.0', 1, 1), ('job 2', 1794830400000000, '0.1.0', 1, 0);
INSERT INTO triage_dump (id, fingerprint, path, host, python, seen, recorded) VALUES
    ('0000000000000000000000000000000a', 'v1:00aa', 'core.1', 'web-1', '3.11.7', 1794823200000000, 1794826800000000),
    ('0000000000000000000000000000000b', 'v1:00aa', 'core.2', NULL, '3.12.1', 1794823200000001, 1794826800000000),
    ('0000000000000000000000000000000c', 'v1:00ab', 'core.3', 'web-2', NULL, 1794826800000000, 1794830400000000),
    ('0000000000000000000000000000000d', 'v1:00cc', 'core.4', NULL, '3.12.1', 1794823200000000, 1794826800000000);
INSERT INTO triage_run_dump (run_id, dump_id) VALUES
    ('job 1', '0000000000000000000000000000000a'), ('job 1', '0000000000000000000000000000000b'),
    ('job 1', '0000000000000000000000000000000d'), ('job 2', '0000000000000000000000000000000c');
INSERT INTO triage_failure (run_id, id, path, kind, message) VALUES
    ('job 2', '0000000000000000000000000000000e', 'core.5', 'timeout', 'it took longer than 30 s');
