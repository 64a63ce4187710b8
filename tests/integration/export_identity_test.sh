#!/usr/bin/env bash
# ctest: COST 100 TIMEOUT 400
# export → import → export is the identity: messages of all kinds move from SQLite to memory, to Redis, to a mesh, and back
# to where they came from. Exports and imports, and the servers they talk to, are killed in the middle, and repeated.
#
# SSE_EXPORT_MESSAGES says how many (3000; scripts/torture --long takes a million). Kept in the comparison: service, target,
# event, data, listening, the collapse key and the id the message had first (`id`). Not: `ttl`, which is what is left of
# it, and must only become shorter; the order of lines of different messages, as ids at the other server are new ones.
# Dead letters move, too (`export --dead`), as they are, times and attempts included; those requeued, like all others.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

count=${SSE_EXPORT_MESSAGES-3000}
export LC_ALL=C SSECTL_TIMEOUT=10m  # what is done to all at once takes longer than usual
# Of a letter that has died, and of what dies while the clock jumps two hours.
faketime=$(find /usr/lib -name libfaketimeMT.so.1 2>/dev/null | head -n 1)
options=(--qos-max-per-user 10000000 --qos-max-dead 1000000)
begun=$SECONDS

say() { printf '%5ds  %s\n' $((SECONDS - begun)) "$*"; }
pending() { curl -sS --unix-socket "${SSECTL_SERVER#unix:}" http://localhost/api/v1/status | grep -o '"pending": *[0-9]*' | head -n 1 | grep -o '[0-9]*$'; }
pending_is_more() { local n; n=$(pending) && ((n > $1)); }
larger() { (($(stat -c %s "$1" 2>/dev/null || echo 0) > $2)); }
memory_of() { awk '/VmHWM/ { printf "%d MiB", $2 / 1024 }' "/proc/$1/status"; }

# measured COMMAND…: runs it; leaves in $measured how long it took and the most memory it had.
measured() {
  local status=0
  python3 - "$scratch/measured" "$@" <<'END' || status=$?
import resource, subprocess, sys, time
begin = time.monotonic()
status = subprocess.run(sys.argv[2:]).returncode
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
open(sys.argv[1], "w").write(f"{time.monotonic() - begin:.1f} s, {usage.ru_maxrss // 1024} MiB")
sys.exit(status)
END
  measured=$(<"$scratch/measured")
  return "$status"
}

# One line a message, of all kinds.
cat >"$scratch/make.py" <<'END'
import json, sys
count, phase = int(sys.argv[1]), sys.argv[2]
recipients = max(50, count // 20)
odd = ["", "x", "two\nlines", 'quote " and \\ and /', "\u00e4\u20ac\U0001f600", "\u2028\u0000\u0001 control", "y" * 3000, '{"json": [1, 2.50]}']
out = []
for i in range(count):
    kind = i % 20
    message = {"data": f"{i} {odd[i // 20 % len(odd)]}", "qos": True, "target": {"users": [f"u{i % recipients}"]}}
    if kind in (6, 7): message["ttl"] = ["3h", "4h", "30d", "5h"][i // 20 % 4]
    if kind in (8, 9):
        message["collapse"] = f"key {i // 20 % max(1, count // 40)}"
        message["target"] = {"users": [f"c{i // 20 % 7}"]}
    if kind == 10: message["target"] = {"users": [f"u{i % recipients}"], "listening": True}
    if kind == 10: message["event"] = "news \u00fc"
    if kind == 11: message["target"] = {"tenants": [f"acme {i % 13}"]}
    if kind == 12: message["target"] = {"channels": [f"channel/{i % 11}"]}
    if kind == 13: message["target"] = {"tokens": [f"secret-token-{i % 97}"]}
    if kind == 14: message["target"] = {"all": True}
    if kind == 15: message["target"] = {"users": [f"u{i % recipients}", f"v{i % 17}"], "tenant": "acme"}
    if kind == 16: message["target"] = {"users": [f"u{i % recipients}", f"u{(i + 1) % recipients}", "plumless", "buckeroo"]}
    if kind == 17: message["id"] = f"order {i}"
    dies = kind >= 18
    if dies:
        message["ttl"] = "1h"
        message["event"] = "requeued" if i // 20 % 4 else "dead"
        if i % 40 == 18: message["collapse"] = f"letter {i}"
    if dies == (phase == "letters"): sys.stdout.write(json.dumps(message) + "\n")
END

# Two sorted files of `what it is <tab> ttl in ms`: the same, and no ttl longer, nor much shorter.
cat >"$scratch/compare.py" <<'END'
import sys
first, second, most = sys.argv[1], sys.argv[2], int(sys.argv[3]) * 1000
lines = 0
with open(first, encoding="utf-8", newline="\n") as a, open(second, encoding="utf-8", newline="\n") as b:
    while True:
        x, y = a.readline(), b.readline()
        if not x and not y: break
        lines += 1
        what, _, ttl = x.rpartition("\t")
        other, _, left = y.rpartition("\t")
        if what != other: sys.exit(f"line {lines} differs:\n{x[:400]}\n{y[:400]}")
        if not -2000 <= int(ttl) - int(left) <= most: sys.exit(f"ttl {ttl} became {left}: {x[:400]}")
print(lines)
END
cat >"$scratch/normal.py" <<'END'
import re, sys
units = {"d": 86400000, "h": 3600000, "m": 60000, "s": 1000, "ms": 1}
ttl = re.compile(r'"ttl":"([^"]*)"')
for line in sys.stdin:
    found = ttl.search(line)
    total = sum(int(n) * units[u] for n, u in re.findall(r"(\d+)(ms|d|h|m|s)", found[1]))
    sys.stdout.write(f'{line[:found.start()]}{line[found.end():-1]}\t{total}\n')
END
normal() { PYTHONUTF8=1 python3 "$scratch/normal.py" <"$1" | sort -S 1G >"$2"; }

# same WHAT FILE: an export holds what the first one did.
same() {
  normal "$2" "$scratch/now.sorted"
  local lines
  lines=$(PYTHONUTF8=1 python3 "$scratch/compare.py" "$scratch/first.sorted" "$scratch/now.sorted" $((SECONDS - begun + 60))) ||
    fail "$1 is not what was exported first"
  say "$1: the same $lines messages"
}

# export_killed FILE: exports what is there, after an ssectl was killed in the middle of doing so.
export_killed() {
  local fifo=$scratch/fifo pid
  rm -f "$fifo"
  mkfifo "$fifo"
  "$SSECTL" messages export >"$fifo" 2>/dev/null &
  pid=$!
  children+=("$pid")
  exec 7<"$fifo"
  head -c 200000 <&7 >"$scratch/part"
  kill -KILL "$pid"
  wait "$pid" 2>/dev/null || true
  exec 7<&-
  measured "$SSECTL" messages export >"$1" 2>"$scratch/errors" || fail "the export failed: $(<"$scratch/errors")"
  # What the other one had written was right as far as it went.
  cmp <(sed '$d' "$scratch/part" | sed 's/,"ttl":"[^"]*"//') <(head -n "$(($(wc -l <"$scratch/part")))" "$1" | sed 's/,"ttl":"[^"]*"//' | head -n "$(sed '$d' "$scratch/part" | wc -l)") ||
    fail "what a killed export had written is not how the whole one begins"
  say "exported in $measured"
}

# feed FILE: its lines; some, while the importer is to be killed, then the rest.
feed() {
  if ((count >= 100000)); then
    cat "$1"
  else
    head -n $((lines * 2 / 3)) "$1"
    until [[ -e $scratch/go ]]; do sleep 0.05; done
    tail -n +$((lines * 2 / 3 + 1)) "$1"
  fi
}

# dead_too FILE: the dead letters of an export go here; those exported again are the same.
dead_too() {
  [[ -n $faketime ]] || return 0
  check_exit 0 "$SSECTL" messages import -o json "$scratch/dead"
  check_contains '"refused": 0' "$output"
  check_exit 0 "$SSECTL" messages import -o json "$scratch/dead"
  check_contains '"accepted": 0' "$output"
  "$SSECTL" messages export --dead 2>"$scratch/errors" | sort >"$scratch/dead.now" || fail "$(<"$scratch/errors")"
  cmp "$scratch/dead.sorted" "$scratch/dead.now" || fail "the dead letters differ: $(diff "$scratch/dead.sorted" "$scratch/dead.now" | head -n 4)"
  say "the same $(wc -l <"$scratch/dead.now") dead letters"
}

# import_killed FILE [RESTART]: imports it; before that an ssectl dies in the middle of it, and, where RESTART is given, the
# server, which that starts again.
import_killed() {
  local file=$1 restart=${2-} pid status victim=$server_pid
  lines=$(wc -l <"$file")
  rm -f "$scratch/go"
  local had
  had=$(pending)
  feed "$file" | "$SSECTL" messages import - >"$scratch/output" 2>"$scratch/errors" &
  pid=$!
  children+=("$pid")
  wait_for 600 "a third of the import" pending_is_more $((had + lines / 5))
  kill -KILL "$pid"
  touch "$scratch/go"
  wait "$pid" 2>/dev/null || true
  say "the importer was killed at $(pending) messages"
  if [[ -n $restart ]]; then
    rm -f "$scratch/go"
    feed "$file" | "$SSECTL" messages import - >"$scratch/output" 2>"$scratch/errors" &
    pid=$!
    children+=("$pid")
    wait_for 600 "half of the import" pending_is_more $((had + lines * 2 / 5))
    say "the server is killed at $(pending) messages"
    kill_server "$victim"
    touch "$scratch/go"
    status=0
    wait "$pid" || status=$?
    ((status != 0)) || fail "an import into a server that died ended with 0"
    check_file "were not confirmed; import the file again" "$scratch/errors"
    "$restart"
  fi
  measured "$SSECTL" messages import -o json "$file" >"$scratch/output" || fail "the import failed: $(<"$scratch/output")"
  check_file '"refused": 0' "$scratch/output"
  say "imported in $measured: $(tr -d '\n' <"$scratch/output"); the server has $(memory_of "$server_pid")"
  # Twice does no harm.
  measured "$SSECTL" messages import -o json "$file" >"$scratch/output"
  check_file '"accepted": 0' "$scratch/output"
  check_file "\"repeated\": $lines" "$scratch/output"
}

# --- The source: SQLite, with a clock that can jump.
if [[ -n $faketime ]]; then
  echo +0 >"$scratch/offset"
  real=$SSE_SERVE
  cat >"$scratch/sse-serve" <<WRAPPER
#!/bin/sh
LD_PRELOAD=$faketime FAKETIME_TIMESTAMP_FILE=$scratch/offset FAKETIME_CACHE_DURATION=1 FAKETIME_DONT_FAKE_MONOTONIC=1 \\
  DONT_FAKE_MONOTONIC=1 exec "$real" "\$@"
WRAPPER
  chmod +x "$scratch/sse-serve"
  SSE_SERVE=$scratch/sse-serve
fi
db=$scratch/source.db admin=$scratch/source.sock
start_source() { db=$scratch/source.db admin=$scratch/source.sock start_server "${options[@]}"; }
start_source
if [[ -n $faketime ]]; then
  python3 "$scratch/make.py" "$count" letters | "$SSECTL" send --ndjson --qos >/dev/null
  letters=$(pending)
  echo +2h >"$scratch/offset"
  all_dead() { "$SSECTL" messages dead list >/dev/null 2>&1 && (($(pending) == 0)); }
  wait_for 60 "the letters to die" all_dead
  check_exit 0 "$SSECTL" messages dead requeue --event requeued
  say "of $letters dead letters $(pending) were requeued"
  "$SSECTL" messages export --dead >"$scratch/dead" 2>"$scratch/errors" || fail "$(<"$scratch/errors")"
  sort "$scratch/dead" >"$scratch/dead.sorted"
  (($(wc -l <"$scratch/dead") > 0)) || fail "no dead letter was exported"
fi
measured python3 "$scratch/make.py" "$count" others >"$scratch/others"
measured "$SSECTL" send --ndjson --qos --file "$scratch/others" >"$scratch/sent"
check_equal 0 "$(grep -c '"status"' "$scratch/sent" || true)"
say "$(pending) messages are pending, sent in $measured"

kill_server
start_source
source_server=$SSECTL_SERVER source_pid=$server_pid
export_killed "$scratch/first"
normal "$scratch/first" "$scratch/first.sorted"
total=$(wc -l <"$scratch/first")
check_equal "$(pending)" "$total"
check_equal "$total" "$(cut -f1 "$scratch/first.sorted" | uniq | wc -l)"
for kind in users tenants tokens channels '"all":true' '"listening":true' '"tenant":' '"collapse":' ${faketime:+'"event":"requeued"'}; do
  grep -qF "$kind" "$scratch/first.sorted" || fail "no message with $kind was exported"
done

# A server that dies in the middle of an export: the export says so.
rm -f "$scratch/fifo"
mkfifo "$scratch/fifo"
"$SSECTL" messages export >"$scratch/fifo" 2>"$scratch/errors" &
exporter=$!
exec 7<"$scratch/fifo"
head -c 200000 <&7 >/dev/null
kill_server "$source_pid"
status=0
cat <&7 >/dev/null
wait "$exporter" || status=$?
exec 7<&-
((status != 0)) || fail "an export of a server that died ended with 0: $(<"$scratch/errors")"
start_source
source_pid=$server_pid
export_killed "$scratch/again"
same "the export after the crash" "$scratch/again"
[[ -z $faketime ]] || SSE_SERVE=$real

# --- Memory.
start_memory() { db=:memory: admin=$scratch/memory.sock start_server "${options[@]}"; }
start_memory
import_killed "$scratch/again" start_memory
export_killed "$scratch/memory"
same "memory" "$scratch/memory"
dead_too
stop_server

# --- Redis, which its server-less client reads, too.
start_redis --maxmemory 0
start_redis_server() { db=$scratch/unused.db admin=$scratch/redis.sock start_server "${options[@]}" --cluster "$redis"; }
start_redis_server
import_killed "$scratch/memory" start_redis_server
say "Redis has $(redis-cli -u "$redis" info memory | sed -n 's/^used_memory_peak_human:\([0-9.A-Z]*\).*/\1/p')"
export_killed "$scratch/redis"
same "Redis" "$scratch/redis"
dead_too
stop_server

# --- A mesh of two nodes: in through the first, out through the second.
printf 'a secret of two nodes\n' >"$scratch/secret"
read -r port1 port2 < <(free_ports 2)
start_node() { # NUMBER PORT
  db=$scratch/mesh$1.db admin=$scratch/mesh$1.sock start_server "${options[@]}" --server-id "node$1" \
    --discovery "static:127.0.0.1:$port1,127.0.0.1:$port2" --cluster-listen "127.0.0.1:$2" --cluster-secret-file "$scratch/secret"
}
start_first() { start_node 1 "$port1"; }
two_nodes() { [[ $("$SSECTL" nodes list -o ndjson | wc -l) -eq 2 ]]; }
start_node 2 "$port2"
second=$SSECTL_SERVER second_pid=$server_pid
start_first
wait_for 30 "both nodes" two_nodes
import_killed "$scratch/redis" start_first
first_pid=$server_pid
wait_for 30 "both nodes" two_nodes
SSECTL_SERVER=$second
# At another node it does no harm either.
measured "$SSECTL" messages import -o json "$scratch/redis" >"$scratch/output"
check_file '"accepted": 0' "$scratch/output"
# And some that are at the second node.
check_exit 0 "$SSECTL" send --user of-two --qos "at node 2"
export_killed "$scratch/both"
grep -v '"of-two"' "$scratch/both" >"$scratch/mesh"
check_equal 1 $(($(wc -l <"$scratch/both") - $(wc -l <"$scratch/mesh")))
same "the mesh" "$scratch/mesh"
dead_too
stop_server "$second_pid"
stop_server "$first_pid"

# --- Back: to where they came from, which has them all, and to a fresh one.
SSECTL_SERVER=$source_server server_pid=$source_pid
measured "$SSECTL" messages import -o json "$scratch/mesh" >"$scratch/output"
check_file "\"repeated\": $total" "$scratch/output"
export_killed "$scratch/last"
same "the source" "$scratch/last"
dead_too
start_fresh() { db=$scratch/fresh.db admin=$scratch/fresh.sock start_server "${options[@]}"; }
start_fresh
import_killed "$scratch/last" start_fresh
export_killed "$scratch/end"
same "a fresh one" "$scratch/end"
dead_too
echo "$total messages accepted seven times, the same each time"
