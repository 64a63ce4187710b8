-- The database of pending messages as version 0.1.0 wrote it (format 2), for scripts/test-package: one message for user 1
-- and one for channel c, both until 2036.
PRAGMA page_size=4096;
PRAGMA auto_vacuum=2;
PRAGMA application_id=1936942449;
PRAGMA user_version=2;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE recipient(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  kind INTEGER NOT NULL,
  service TEXT NOT NULL,
  pending INTEGER NOT NULL, bytes INTEGER NOT NULL DEFAULT 0,
  UNIQUE(name, kind, service));
INSERT INTO recipient VALUES(1,'1',0,'defaultConnectionService',1,16);
INSERT INTO recipient VALUES(2,'c',3,'defaultConnectionService',1,6);
CREATE TABLE message(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  created INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  listening INTEGER NOT NULL,
  event TEXT NOT NULL,
  data BLOB NOT NULL, sum INTEGER NOT NULL DEFAULT -1);
INSERT INTO message VALUES(385488043357749248,1795974711556,2111334711556,0,'news',X'6b6570742073696e636520302e312e30',1578715561);
INSERT INTO message VALUES(385488043907203072,1795974711688,2111334711688,0,'server-push',X'68656c6c6f33',2567806363);
CREATE TABLE pending(
  recipient INTEGER NOT NULL,
  message INTEGER NOT NULL, size INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY(recipient, message)) WITHOUT ROWID;
INSERT INTO pending VALUES(1,385488043357749248,16,0);
INSERT INTO pending VALUES(2,385488043907203072,6,0);
CREATE TABLE collapse(
  recipient INTEGER NOT NULL,
  word TEXT NOT NULL,
  message INTEGER NOT NULL,
  PRIMARY KEY(recipient, word)) WITHOUT ROWID;
CREATE TABLE sent_key(
  service TEXT NOT NULL,
  key TEXT NOT NULL,
  message INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  PRIMARY KEY(service, key)) WITHOUT ROWID;
CREATE TABLE dead(
  id INTEGER PRIMARY KEY,
  message INTEGER NOT NULL,
  service TEXT NOT NULL,
  kind INTEGER NOT NULL,
  recipient TEXT NOT NULL,
  listening INTEGER NOT NULL,
  event TEXT NOT NULL,
  created INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  died INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  data BLOB NOT NULL);
CREATE TABLE total(
  one INTEGER PRIMARY KEY CHECK(one = 1),
  pairs INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  dead INTEGER NOT NULL,
  dead_bytes INTEGER NOT NULL);
INSERT INTO total VALUES(1,2,22,0,0);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('message',385488043907203072);
CREATE INDEX message_by_expiry ON message(expires);
CREATE INDEX pending_by_message ON pending(message);
CREATE INDEX collapse_by_message ON collapse(message, recipient);
CREATE INDEX sent_key_by_expiry ON sent_key(expires);
CREATE INDEX dead_by_message ON dead(message);
COMMIT;
