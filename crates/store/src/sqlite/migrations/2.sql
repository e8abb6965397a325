-- From format 1: budgets, keys, scoped stops, what sessions have seen, epochs.
ALTER TABLE stops ADD COLUMN leaves TEXT NOT NULL DEFAULT 'nothing' CHECK (leaves IN ('nothing', 'reads'));
ALTER TABLE sessions RENAME TO sessions_1;
CREATE TABLE sessions (
  client      TEXT NOT NULL,
  name        TEXT NOT NULL,
  id          BLOB NOT NULL CHECK (length(id) = 12),
  opened_at   INTEGER NOT NULL,
  last_at     INTEGER NOT NULL,
  steps       INTEGER NOT NULL,
  labels      TEXT NOT NULL DEFAULT '',
  echo_call   BLOB CHECK (length(echo_call) = 32),
  echo_result BLOB CHECK (length(echo_result) = 32),
  echo_count  INTEGER NOT NULL DEFAULT 0,
  echo_at     INTEGER NOT NULL DEFAULT 0,
  latest      INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (client, name)
) STRICT, WITHOUT ROWID;
INSERT INTO sessions (client, name, id, opened_at, last_at, steps, latest)
  SELECT client, name, id, opened_at, last_at, steps,
         coalesce((SELECT max(seq) FROM history WHERE history.session = sessions_1.id), 0)
  FROM sessions_1;
DROP TABLE sessions_1;
ALTER TABLE history RENAME TO history_1;
CREATE TABLE history (
  seq     INTEGER PRIMARY KEY,
  before  INTEGER NOT NULL CHECK (before < seq),
  session BLOB NOT NULL CHECK (length(session) = 12),
  action  TEXT NOT NULL,
  level   TEXT CHECK (level IN ('read', 'write', 'execute', 'delete')),
  status  TEXT NOT NULL
) STRICT;
INSERT INTO history
  SELECT seq, lag(seq, 1, 0) OVER (PARTITION BY session ORDER BY seq), session, action, level, status
  FROM history_1;
DROP TABLE history_1;
ALTER TABLE intents RENAME TO intents_1;
CREATE TABLE intents (
  call      BLOB PRIMARY KEY NOT NULL CHECK (length(call) = 12),
  action    TEXT NOT NULL,
  level     TEXT NOT NULL CHECK (level IN ('read', 'write', 'execute', 'delete')),
  session   BLOB NOT NULL CHECK (length(session) = 12),
  at        INTEGER NOT NULL,
  arguments TEXT,
  ending    TEXT CHECK (ending IN ('succeeded', 'failed', 'not_sent', 'unknown')),
  agent     TEXT NOT NULL DEFAULT 'unknown',
  client    TEXT NOT NULL DEFAULT 'unknown',
  run       TEXT NOT NULL DEFAULT '',
  digest    BLOB NOT NULL DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000',
  joined    INTEGER NOT NULL DEFAULT 0,
  salt      BLOB CHECK (length(salt) = 16),
  sealed    BLOB,
  approval  BLOB CHECK (length(approval) = 12)
) STRICT;
INSERT INTO intents (call, action, level, session, at, arguments, ending)
  SELECT call, action, level, session, at, arguments, ending FROM intents_1 ORDER BY at;
DROP TABLE intents_1;
CREATE INDEX intents_open ON intents (at) WHERE ending IS NULL OR ending = 'unknown';
CREATE TABLE accounts (
  budget  TEXT NOT NULL,
  subject TEXT NOT NULL,
  session BLOB NOT NULL,
  began   INTEGER NOT NULL,
  part    INTEGER NOT NULL,
  spent   INTEGER NOT NULL CHECK (spent >= 0),
  PRIMARY KEY (budget, subject, session, began, part)
) STRICT, WITHOUT ROWID;
CREATE TABLE closed (
  budget  TEXT NOT NULL,
  subject TEXT NOT NULL,
  session BLOB NOT NULL,
  began   INTEGER NOT NULL,
  PRIMARY KEY (budget, subject, session, began)
) STRICT, WITHOUT ROWID;
CREATE TABLE holds (
  call    BLOB NOT NULL CHECK (length(call) = 12),
  budget  TEXT NOT NULL,
  subject TEXT NOT NULL,
  session BLOB NOT NULL,
  began   INTEGER NOT NULL,
  part    INTEGER NOT NULL,
  measure TEXT NOT NULL,
  amount  INTEGER NOT NULL CHECK (amount >= 0),
  PRIMARY KEY (call, budget, subject)
) STRICT, WITHOUT ROWID;
CREATE TABLE keys (
  key         BLOB PRIMARY KEY CHECK (length(key) = 32),
  fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
  kind        TEXT NOT NULL CHECK (kind IN ('sent', 'derived', 'by')),
  until       INTEGER NOT NULL,
  call        BLOB NOT NULL CHECK (length(call) = 12),
  agent       TEXT NOT NULL,
  client      TEXT NOT NULL,
  state       TEXT NOT NULL CHECK (state IN ('running', 'unknown', 'done')),
  result      TEXT,
  -- The result encrypted, in its place.
  sealed      BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX keys_open ON keys (call) WHERE state <> 'done';
CREATE INDEX keys_done ON keys (until) WHERE state = 'done';
CREATE INDEX keys_kept ON keys (call) WHERE result IS NOT NULL;
CREATE INDEX keys_sealed ON keys (call) WHERE sealed IS NOT NULL;
CREATE TABLE epoch (
  id          INTEGER PRIMARY KEY CHECK (id = 1),
  number      INTEGER NOT NULL,
  -- When it was restored from a backup; 0 if it was not, or a person has looked at what was lost.
  restored_at INTEGER NOT NULL,
  calendar    INTEGER NOT NULL
) STRICT;
INSERT INTO epoch VALUES (1, 1, 0, 0);
-- Questions of format 1 could not be answered, and do not hold what people must be shown: they are asked anew.
DROP TABLE questions;
CREATE TABLE questions (
  id         BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 12),
  digest     BLOB NOT NULL CHECK (length(digest) = 32),
  shape      BLOB NOT NULL CHECK (length(shape) = 32),
  agent      TEXT NOT NULL,
  client     TEXT NOT NULL,
  run        TEXT NOT NULL,
  action     TEXT NOT NULL,
  level      TEXT NOT NULL CHECK (level IN ('read', 'write', 'execute', 'delete')),
  arguments  TEXT,
  meta       TEXT,
  sealed     BLOB,
  controls   TEXT NOT NULL,
  asked_at   INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  votes      TEXT NOT NULL,
  state      TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'denied', 'expired', 'used')),
  good_until INTEGER,
  stops      INTEGER,
  denied_by  TEXT,
  note       TEXT,
  used_by    BLOB CHECK (length(used_by) = 12)
) STRICT;
