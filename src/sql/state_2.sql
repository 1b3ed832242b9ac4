-- Version 2 of the state database: sync between two hosts. What stands here is never changed: a
-- change is a migration of its own, state_3.sql.

-- A sync that this host takes part in (src/state/state_session.h). One host may be both sides of it.
CREATE TABLE full_sync_sessions (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('initiator', 'remote')),
    direction TEXT NOT NULL CHECK (direction IN ('pull', 'push')),
    status TEXT NOT NULL CHECK (status IN ('PREPARING', 'BACKING_UP', 'TRANSFERRING', 'RESTORING',
        'VERIFYING', 'COMPLETED', 'FAILED', 'CANCELLED')),
    attempt INTEGER NOT NULL DEFAULT 1,
    peer TEXT NOT NULL,
    entry TEXT NOT NULL,
    database TEXT NOT NULL,
    target TEXT,
    place TEXT,
    method TEXT NOT NULL,
    phase TEXT,
    bytes_done INTEGER NOT NULL DEFAULT 0,
    bytes_total INTEGER NOT NULL DEFAULT 0,
    wire_bytes INTEGER NOT NULL DEFAULT 0,
    rows_done INTEGER NOT NULL DEFAULT 0,
    rows_total INTEGER NOT NULL DEFAULT 0,
    speed INTEGER NOT NULL DEFAULT 0,
    completion INTEGER,
    error_kind TEXT,
    error_message TEXT,
    error_hint TEXT,
    backup TEXT,
    options TEXT,
    result TEXT,
    actor TEXT NOT NULL,
    created INTEGER NOT NULL,
    started INTEGER NOT NULL,
    ended INTEGER,
    heartbeat INTEGER NOT NULL,
    beat_mono INTEGER NOT NULL,
    pid INTEGER,
    pid_start INTEGER,
    boot TEXT,
    job INTEGER,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    -- It was taken for dead: whoever held it may still tell its end.
    expired INTEGER NOT NULL DEFAULT 0,
    UNIQUE (id, role),
    CHECK ((ended IS NULL) = (status NOT IN ('COMPLETED', 'FAILED', 'CANCELLED')))
) STRICT;
CREATE INDEX full_sync_sessions_live ON full_sync_sessions (status) WHERE ended IS NULL;
CREATE INDEX full_sync_sessions_ended ON full_sync_sessions (ended);

CREATE TABLE full_sync_log (
    session INTEGER NOT NULL REFERENCES full_sync_sessions (n) ON DELETE CASCADE,
    n INTEGER NOT NULL,
    at INTEGER NOT NULL,
    level TEXT NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (session, n)
) STRICT, WITHOUT ROWID;
-- Peers that were added by hand; what there is to know of one is JSON in the words of the file.
CREATE TABLE peer (
    name TEXT PRIMARY KEY,
    facts TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- No signed request of this node whose time is before this is taken by a service that starts:
-- what it has seen of them it has forgotten.
CREATE TABLE peer_floor (
    node TEXT PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
