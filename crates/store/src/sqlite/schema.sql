-- Format 1. What decisions read is mirrored in memory; what is here survives.
CREATE TABLE generations (
  id        INTEGER PRIMARY KEY CHECK (id = 1),
  stop      INTEGER NOT NULL,
  policy    INTEGER NOT NULL,
  catalogue INTEGER NOT NULL
) STRICT;
INSERT INTO generations VALUES (1, 0, 0, 0);

CREATE TABLE stops (
  scope  TEXT PRIMARY KEY,
  reason TEXT NOT NULL,
  who    TEXT NOT NULL,
  since  INTEGER NOT NULL
) STRICT;

-- One running session for each credential and host-given name ('' where there is none).
CREATE TABLE sessions (
  client    TEXT NOT NULL,
  name      TEXT NOT NULL,
  id        BLOB NOT NULL CHECK (length(id) = 12),
  opened_at INTEGER NOT NULL,
  last_at   INTEGER NOT NULL,
  steps     INTEGER NOT NULL,
  PRIMARY KEY (client, name)
) STRICT;

CREATE TABLE history (
  seq     INTEGER PRIMARY KEY,
  session BLOB NOT NULL CHECK (length(session) = 12),
  action  TEXT NOT NULL,
  level   TEXT CHECK (level IN ('read', 'write', 'execute', 'delete')),
  status  TEXT NOT NULL
) STRICT;
CREATE INDEX history_of_session ON history (session, seq);

-- Allowed calls. No ending: the process ended before it knew; `unknown` is an ending that is not final.
CREATE TABLE intents (
  call      BLOB PRIMARY KEY CHECK (length(call) = 12),
  action    TEXT NOT NULL,
  level     TEXT NOT NULL CHECK (level IN ('read', 'write', 'execute', 'delete')),
  session   BLOB NOT NULL CHECK (length(session) = 12),
  at        INTEGER NOT NULL,
  arguments TEXT,
  ending    TEXT CHECK (ending IN ('succeeded', 'failed', 'not_sent', 'unknown'))
) STRICT, WITHOUT ROWID;
CREATE INDEX intents_open ON intents (at) WHERE ending IS NULL OR ending = 'unknown';

CREATE TABLE questions (
  id         BLOB PRIMARY KEY CHECK (length(id) = 12),
  digest     BLOB NOT NULL CHECK (length(digest) = 32),
  agent      TEXT NOT NULL,
  action     TEXT NOT NULL,
  controls   TEXT NOT NULL,
  asked_at   INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX questions_by_digest ON questions (digest, asked_at);

-- The ledger's entries in commit order, before they are sealed.
CREATE TABLE records (
  seq  INTEGER PRIMARY KEY,
  at   INTEGER NOT NULL,
  kind TEXT NOT NULL,
  call BLOB CHECK (length(call) = 12),
  body TEXT NOT NULL
) STRICT;
CREATE INDEX records_of_call ON records (call) WHERE call IS NOT NULL;
