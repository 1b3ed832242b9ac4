-- Version 1 of the state database (src/state). What stands here is never changed: a change is a
-- migration of its own, state_2.sql. Times are milliseconds since 1970 UTC.

CREATE TABLE job (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    entry TEXT NOT NULL,
    database TEXT NOT NULL,
    trigger TEXT NOT NULL,
    actor TEXT NOT NULL,
    arguments TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN
        ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'interrupted')),
    created INTEGER NOT NULL,
    started INTEGER,
    ended INTEGER,
    pid INTEGER,
    pid_start INTEGER,
    boot TEXT,
    phase TEXT,
    object TEXT,
    bytes_done INTEGER NOT NULL DEFAULT 0,
    bytes_total INTEGER NOT NULL DEFAULT 0,
    bytes_new INTEGER NOT NULL DEFAULT 0,
    bytes_reused INTEGER NOT NULL DEFAULT 0,
    items_done INTEGER NOT NULL DEFAULT 0,
    items_total INTEGER NOT NULL DEFAULT 0,
    backup TEXT,
    result TEXT,
    error_kind TEXT,
    error_message TEXT,
    error_hint TEXT,
    exit_status INTEGER,
    attempt INTEGER NOT NULL DEFAULT 1,
    retry_of INTEGER REFERENCES job (id) ON DELETE SET NULL,
    log_bytes INTEGER NOT NULL DEFAULT 0,
    CHECK ((ended IS NULL) = (status IN ('queued', 'running')))
) STRICT;
CREATE INDEX job_of_database ON job (kind, entry, database, status, ended);
CREATE INDEX job_unended ON job (status) WHERE ended IS NULL;
CREATE INDEX job_ended ON job (ended);
CREATE INDEX job_retry_of ON job (retry_of) WHERE retry_of IS NOT NULL;

CREATE TABLE job_log (
    job INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    n INTEGER NOT NULL,
    at INTEGER NOT NULL,
    level TEXT NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (job, n)
) STRICT, WITHOUT ROWID;

-- The token itself is nowhere: only its SHA-256.
CREATE TABLE token (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    created INTEGER NOT NULL,
    expires INTEGER,
    revoked INTEGER,
    last_used INTEGER,
    last_from TEXT
) STRICT;
CREATE UNIQUE INDEX token_name ON token (name) WHERE revoked IS NULL;

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    role TEXT NOT NULL,
    origin TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    outcome TEXT NOT NULL,
    detail TEXT
) STRICT;
CREATE INDEX audit_at ON audit (at);

-- Retention says here up to which entry it deletes, before it deletes: nothing else may be.
CREATE TABLE audit_horizon (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    id INTEGER NOT NULL
) STRICT;
INSERT INTO audit_horizon VALUES (1, 0);
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN
    SELECT raise(ABORT, 'the audit log is only added to');
END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
    WHEN old.id > (SELECT id FROM audit_horizon) BEGIN
    SELECT raise(ABORT, 'the audit log is only added to');
END;
-- A number is given by the database (here it is not known yet: -1) and never used again.
CREATE TRIGGER audit_no_insert BEFORE INSERT ON audit
    WHEN new.id <> -1 AND (new.id IN (SELECT id FROM audit)
        OR new.id <= (SELECT id FROM audit_horizon)) BEGIN
    SELECT raise(ABORT, 'the audit log is only added to');
END;
CREATE TRIGGER audit_horizon_no_update BEFORE UPDATE ON audit_horizon WHEN new.id < old.id BEGIN
    SELECT raise(ABORT, 'the audit log''s horizon only rises');
END;
CREATE TRIGGER audit_horizon_no_insert BEFORE INSERT ON audit_horizon BEGIN
    SELECT raise(ABORT, 'the audit log''s horizon only rises');
END;
CREATE TRIGGER audit_horizon_no_delete BEFORE DELETE ON audit_horizon BEGIN
    SELECT raise(ABORT, 'the audit log''s horizon only rises');
END;

CREATE TABLE schedule (
    name TEXT PRIMARY KEY,
    last_due INTEGER,
    last_started INTEGER,
    last_job INTEGER REFERENCES job (id) ON DELETE SET NULL,
    last_result TEXT,
    next_planned INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX schedule_last_job ON schedule (last_job);

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    cause TEXT NOT NULL,
    channel TEXT NOT NULL,
    event TEXT NOT NULL,
    payload TEXT NOT NULL,
    created INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_try INTEGER,
    status TEXT NOT NULL CHECK (status IN ('open', 'sent', 'given-up')),
    ended INTEGER,
    error TEXT,
    CHECK ((ended IS NULL) = (status = 'open')),
    CHECK ((next_try IS NULL) = (status <> 'open'))
) STRICT;
CREATE UNIQUE INDEX outbox_open ON outbox (cause, channel) WHERE status = 'open';
CREATE INDEX outbox_next ON outbox (next_try) WHERE status = 'open';
CREATE INDEX outbox_ended ON outbox (ended) WHERE status <> 'open';

CREATE TABLE condition (
    name TEXT PRIMARY KEY,
    since INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    notified INTEGER,
    detail TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    job INTEGER,
    body TEXT
) STRICT;
