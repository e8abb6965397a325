-- From format 1: budgets, keys, scoped stops, what sessions have seen, epochs.
ALTER TABLE stops ADD COLUMN leaves TEXT NOT NULL DEFAULT 'nothing' CHECK (leaves IN ('nothing', 'reads'));
ALTER TABLE sessions ADD COLUMN labels TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN echo_call BLOB CHECK (length(echo_call) = 32);
ALTER TABLE sessions ADD COLUMN echo_result BLOB CHECK (length(echo_result) = 32);
ALTER TABLE sessions ADD COLUMN echo_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN echo_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE intents ADD COLUMN agent TEXT NOT NULL DEFAULT 'unknown';
ALTER TABLE intents ADD COLUMN client TEXT NOT NULL DEFAULT 'unknown';
ALTER TABLE intents ADD COLUMN run TEXT NOT NULL DEFAULT '';
ALTER TABLE intents ADD COLUMN digest BLOB NOT NULL DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000';
ALTER TABLE intents ADD COLUMN joined INTEGER NOT NULL DEFAULT 0;
ALTER TABLE intents ADD COLUMN salt BLOB CHECK (length(salt) = 16);
ALTER TABLE intents ADD COLUMN sealed BLOB;
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
