-- Groups are marked as fixed, and runs know the release of the program that crashed.

ALTER TABLE triage_run ADD COLUMN release_version TEXT;

-- What was said of a group; the last of its marks holds.
CREATE TABLE triage_mark (
    id TEXT PRIMARY KEY,                -- a digest of the rest
    group_id TEXT NOT NULL REFERENCES triage_group (id),
    made BIGINT NOT NULL,
    kind TEXT NOT NULL,                 -- fixed, open
    release_version TEXT,               -- fixed: the release that has the mending
    note TEXT
);
CREATE INDEX triage_mark_by_group ON triage_mark (group_id, made);
