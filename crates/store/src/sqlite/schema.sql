-- Format 2. What decisions read is mirrored in memory; what is here survives.
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
  since  INTEGER NOT NULL,
  leaves TEXT NOT NULL DEFAULT 'nothing' CHECK (leaves IN ('nothing', 'reads'))
) STRICT;

-- One running session for each credential and host-given name ('' where there is none).
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
  -- Its last entry in the history; 0 is none.
  latest      INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (client, name)
) STRICT, WITHOUT ROWID;

-- What sessions did. Each entry names the one before it in its session; 0 is none.
CREATE TABLE history (
  seq     INTEGER PRIMARY KEY,
  before  INTEGER NOT NULL CHECK (before < seq),
  session BLOB NOT NULL CHECK (length(session) = 12),
  action  TEXT NOT NULL,
  level   TEXT CHECK (level IN ('read', 'write', 'execute', 'delete')),
  status  TEXT NOT NULL
) STRICT;

-- Allowed calls, in the order in which they were. No ending: the process ended before it knew; `unknown` is an
-- ending that is not final.
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
  -- With what the intent's record commits to the arguments; erased with them.
  salt      BLOB CHECK (length(salt) = 16),
  -- Both of them encrypted, in their place.
  sealed    BLOB,
  -- The yes of people that it uses up.
  approval  BLOB CHECK (length(approval) = 12)
) STRICT;
CREATE INDEX intents_open ON intents (at) WHERE ending IS NULL OR ending = 'unknown';

CREATE TABLE questions (
  id         BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 12),
  digest     BLOB NOT NULL CHECK (length(digest) = 32),
  shape      BLOB NOT NULL CHECK (length(shape) = 32),
  agent      TEXT NOT NULL,
  client     TEXT NOT NULL,
  run        TEXT NOT NULL,
  action     TEXT NOT NULL,
  level      TEXT NOT NULL CHECK (level IN ('read', 'write', 'execute', 'delete')),
  -- What people are shown: the call as it will be sent. Erased like the arguments of calls, or encrypted in `sealed`.
  arguments  TEXT,
  meta       TEXT,
  sealed     BLOB,
  controls   TEXT NOT NULL,
  asked_at   INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  -- A line for each yes: person, group, strength, time.
  votes      TEXT NOT NULL,
  state      TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'denied', 'expired', 'used')),
  -- Until when a yes is good, and in which generation of stops it was given.
  good_until INTEGER,
  stops      INTEGER,
  -- Who said no, and in which words.
  denied_by  TEXT,
  note       TEXT,
  -- The call that the yes has let go.
  used_by    BLOB CHECK (length(used_by) = 12)
) STRICT;

-- What was spent, by account and by part of its window. A session's account names it; x'' is none.
CREATE TABLE accounts (
  budget  TEXT NOT NULL,
  subject TEXT NOT NULL,
  session BLOB NOT NULL,
  began   INTEGER NOT NULL,
  part    INTEGER NOT NULL,
  spent   INTEGER NOT NULL CHECK (spent >= 0),
  PRIMARY KEY (budget, subject, session, began, part)
) STRICT, WITHOUT ROWID;

-- Accounts that an overrun has closed.
CREATE TABLE closed (
  budget  TEXT NOT NULL,
  subject TEXT NOT NULL,
  session BLOB NOT NULL,
  began   INTEGER NOT NULL,
  PRIMARY KEY (budget, subject, session, began)
) STRICT, WITHOUT ROWID;

-- What calls without a final outcome hold; of an unknown one it is booked as spent besides.
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

-- Claimed keys. Those that are done are looked for here once they have left memory.
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

-- The ledger's entries in commit order, before they are sealed.
CREATE TABLE records (
  seq  INTEGER PRIMARY KEY,
  at   INTEGER NOT NULL,
  kind TEXT NOT NULL,
  call BLOB CHECK (length(call) = 12),
  body TEXT NOT NULL
) STRICT;
CREATE INDEX records_of_call ON records (call) WHERE call IS NOT NULL;

-- Which life of the directory this is, and how far the calendar has been followed.
CREATE TABLE epoch (
  id          INTEGER PRIMARY KEY CHECK (id = 1),
  number      INTEGER NOT NULL,
  -- When it was restored from a backup; 0 if it was not, or a person has looked at what was lost.
  restored_at INTEGER NOT NULL,
  calendar    INTEGER NOT NULL
) STRICT;
INSERT INTO epoch VALUES (1, 1, 0, 0);
