#!/usr/bin/env bash
# A database that is damaged, of a newer version, or none at all: sse-serve refuses it with exit 1, says why and leaves it
# as it is. One that another program holds answers 503 to those who send, not 500.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

db=$scratch/pending.db
sql() { python3 -c 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); c.close()' "$@"; }
refused() { # WHAT
  cp "$db" "$scratch/before"
  check_exit 1 "$SSE_SERVE" --listen 127.0.0.1:0 --admin "unix:$scratch/refused.sock" --db "$db"
  check_contains "$1" "$errors"
  check_contains "$db" "$errors"
  cmp "$db" "$scratch/before" || fail "the refused file was changed"
  check_exit 1 "$SSECTL" messages list --db "$db"
}

start_server
for i in 1 2 3 4 5; do check_exit 0 "$SSECTL" send --user "$i" --qos "message $i"; done
stop_server
cp "$db" "$scratch/good"

sql "$db" "PRAGMA user_version=7"
refused "has format 7"
head -c 5000 /dev/urandom >"$db"
refused "is not an SQLite database"
rm "$db"
sql "$db" "CREATE TABLE accounts(id)"
refused "another program"
head -c 9000 "$scratch/good" >"$db"
check_exit 1 "$SSE_SERVE" --listen 127.0.0.1:0 --admin "unix:$scratch/refused.sock" --db "$db"
check_contains "damaged" "$errors"

# An index that misses a message: everything looks well but for who reads through it.
cp "$scratch/good" "$db"
python3 - "$db" <<'PYTHON'
import sqlite3, sys
path = sys.argv[1]
c = sqlite3.connect(path)
root, = c.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'pending_by_message'").fetchone()
size, = c.execute("PRAGMA page_size").fetchone()
assert c.execute("PRAGMA quick_check").fetchone() == ("ok",)
c.close()
with open(path, "r+b") as f:
    f.seek(root * size - 3)
    byte = f.read(1)[0]
    f.seek(root * size - 3)
    f.write(bytes([byte ^ 1]))
c = sqlite3.connect(path)
assert c.execute("PRAGMA quick_check").fetchone() == ("ok",)
c.close()
PYTHON
check_exit 1 "$SSE_SERVE" --listen 127.0.0.1:0 --admin "unix:$scratch/refused.sock" --db "$db"
check_contains "pending_by_message" "$errors"
check_contains "REINDEX" "$errors"

# What it advises helps.
sql "$db" "REINDEX"
start_server
check_output '"total": 5' "$SSECTL" messages list -o json

# Held by another program for longer than the server waits.
python3 - "$db" "$scratch/held" <<'PYTHON' &
import sqlite3, sys, time
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("BEGIN IMMEDIATE")
open(sys.argv[2], "w").close()
time.sleep(60)
PYTHON
children+=("$!")
holder=$!
wait_for 10 "the other program's lock" test -e "$scratch/held"
check_equal 503 "$(http_status --unix-socket "$admin" -d '{"target":{"users":["1"]},"data":"x","qos":true}' http://localhost/api/v1/send)"
check_contains "locked" "$(<"$scratch/body")"
kill -KILL "$holder"
wait "$holder" 2>/dev/null || true
wait_for 10 "the lock to be gone" "$SSECTL" send --user 1 --qos "after"
stop_server
