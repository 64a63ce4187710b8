#!/usr/bin/env bash
# What another process holds: a port, the database, the admin socket; and databases that are none of ours.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

start_server
# refused STATUS TEXT OPTION…: while the first server goes on.
refused() {
  local status=$1 text=$2
  shift 2
  check_exit "$status" timeout 20 "$SSE_SERVE" "$@"
  check_contains "$text" "$errors"
  [[ $errors == "sse-serve: "* && $errors != *$'\n'* ]] || fail "not one line that begins with the name: $errors"
  said=$errors
  check_equal 200 "$(http_status "$url/my-sse")"
  check_exit 0 "$SSECTL" status
}
free=(--listen 127.0.0.1:0)
socket=(--admin "unix:$scratch/second.sock")
memory=(--db :memory:)

refused 1 "--listen" --listen "${url#http://}" "${socket[@]}" "${memory[@]}"
check_contains "in use" "$said"
refused 1 "--admin" "${free[@]}" --admin "unix:$admin" "${memory[@]}"
check_contains "another server" "$said"
refused 1 "(pid $server_pid)" "${free[@]}" "${socket[@]}" --db "$db"
check_contains "--db" "$said"
ln -s "$db" "$scratch/link.db"
refused 1 "(pid $server_pid)" "${free[@]}" "${socket[@]}" --db "$scratch/link.db"

# A socket file is no socket; a file of another user stays.
echo precious >"$scratch/file"
refused 1 "not a socket" "${free[@]}" --admin "unix:$scratch/file" "${memory[@]}"
check_equal precious "$(<"$scratch/file")"

# Databases.
refused 1 "not an SQLite database" "${free[@]}" "${socket[@]}" --db "$scratch/file"
check_equal precious "$(<"$scratch/file")"
head -c 100000 /dev/urandom >"$scratch/noise.db"
sum=$(cksum <"$scratch/noise.db")
refused 1 "not an SQLite database" "${free[@]}" "${socket[@]}" --db "$scratch/noise.db"
check_equal "$sum" "$(cksum <"$scratch/noise.db")"
python3 -c 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute("create table bookmarks(url)"); c.commit()' \
  "$scratch/foreign.db"
sum=$(cksum <"$scratch/foreign.db")
refused 1 "another program" "${free[@]}" "${socket[@]}" --db "$scratch/foreign.db"
check_equal "$sum" "$(cksum <"$scratch/foreign.db")"
refused 2 "is a folder" "${free[@]}" "${socket[@]}" --db "$scratch"
refused 2 "not a regular file" "${free[@]}" "${socket[@]}" --db /dev/null
refused 2 "--db" "${free[@]}" "${socket[@]}" --db "$scratch/file/below.db"
refused 2 "there is no folder $scratch/misspelt/state" "${free[@]}" "${socket[@]}" --db "$scratch/misspelt/state/pending.db"
[[ ! -e $scratch/misspelt ]] || fail "a misspelt --db made folders"
if [[ $(id -u) -ne 0 ]]; then
  : >"$scratch/unreadable.db"
  chmod 000 "$scratch/unreadable.db"
  refused 5 "unreadable.db" "${free[@]}" "${socket[@]}" --db "$scratch/unreadable.db"
fi
# A damaged one of our own.
check_exit 0 "$SSECTL" send --user 1 --qos kept
stop_server
cp "$db" "$scratch/damaged.db"
python3 -c 'import os, sys; f = open(sys.argv[1], "r+b"); f.seek(4096); f.write(b"\xff" * (os.path.getsize(sys.argv[1]) - 4096))' \
  "$scratch/damaged.db"
check_exit 1 timeout 20 "$SSE_SERVE" "${free[@]}" "${socket[@]}" --db "$scratch/damaged.db"
check_contains "damaged" "$errors"
check_contains "--db" "$errors"

# What a dead server leaves behind stops no other: its socket file and its lock files.
start_server
kill_server
[[ -S $admin ]] || fail "expected the killed server's socket file to stay"
"$SSE_SERVE" "${free[@]}" --admin "unix:$admin" --db "$db" >"$scratch/server-next.log" 2>&1 &
server_pid=$!
servers[$server_pid]=$scratch/server-next.log
wait_for 20 "the next server" "$SSECTL" status >/dev/null 2>&1
check_equal 600 "$(stat -c %a "$admin")"
stop_server
[[ ! -e $admin ]] || fail "a server that ended leaves its socket file"
