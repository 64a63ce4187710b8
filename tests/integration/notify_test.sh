#!/usr/bin/env bash
# What becomes of a message sent with --notify: the hook is called at least once for each recipient, also after a crash
# between the removal of the message and the hook's answer; `ssectl events` shows it; in a cluster any node may tell it.
# ctest: COST 60
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

hook=$scratch/hook
mkdir "$hook"
start_hook() {
  rm -f "$hook/port"
  python3 "$(dirname "${BASH_SOURCE[0]}")/hook_server.py" "$hook" secret &
  hook_pid=$!
  children+=("$hook_pid")
  wait_for 30 "the hook's port" test -s "$hook/port"
  port=$(<"$hook/port")
}
metric() { curl -sS --unix-socket "$admin" http://localhost/metrics | sed -n "s/^$1 //p"; }
# reports [MODE]: "TYPE ID RECIPIENT KEY" of each call about a message, while the hook behaved so.
reports() {
  touch "$hook/calls"
  python3 -c 'import json, sys
for call in map(json.loads, open(sys.argv[1])):
    event = call["event"]
    if "message" in event and "id" in event["message"] and event["type"] in ("confirmed", "expired", "dead", "deleted", "replaced"):
        assert call["header"] == event["type"] and call["signed"], call
        if len(sys.argv) < 3 or call["mode"] == sys.argv[2]:
            m = event["message"]
            print(event["type"], m["id"], m.get("recipient", "-"), m.get("key", "-"))' "$hook/calls" "$@"
}
called() { grep -qxF -- "$1" <<<"$(reports "$2")"; } # REPORT MODE
told() { called "$1" good; }
waiting() { [[ $(metric sse_outbox_reports) == "$1" ]]; }
# sent USER OPTION…: the id of a message to a user.
sent() { "$SSECTL" send -q --notify --user "$1" -o json "${@:2}" data | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])'; }

# Without qos there is nothing to tell, and without a hook the events tell it.
start_server
check_exit 2 "$SSECTL" send --notify --user 1 data
check_equal 400 "$(http_status --unix-socket "$admin" -H 'Content-Type: application/json' -d '{"target":{"users":["1"]},"notify":true}' http://localhost/api/v1/send)"
check_file "notify needs qos" "$scratch/body"
id=$(sent ann)
check_output '"notify": true' "$SSECTL" messages show "$id" -o json
check_exit 0 "$SSECTL" messages delete "$id"
check_output "message $id  server-push to user ann" "$SSECTL" events --type deleted
stop_server

# Each recipient causes one report, for whatever reason it no longer has the message.
start_hook
printf 'secret\n' >"$scratch/secret"
with_hook=(--hook "http://127.0.0.1:$port/" --hook-secret-file "$scratch/secret")
start_server "${with_hook[@]}"
id=$(sent ann --id order-7)
open_stream "$scratch/ann" userId=ann
wait_for 60 "the confirmation" told "confirmed $id ann order-7"
id=$(sent bob)
check_exit 0 "$SSECTL" messages delete "$id"
wait_for 60 "the deletion" told "deleted $id bob -"
id=$(sent bob --collapse price)
next=$(sent bob --collapse price)
wait_for 60 "the replacement" told "replaced $id bob -"
check_exit 0 "$SSECTL" messages delete "$next"
id=$(sent cid --ttl 1ms)
expired() { "$SSECTL" messages dead list >"$scratch/dead" && told "dead $id cid -"; }
wait_for 60 "the death" expired
plain=$("$SSECTL" send -q --user bob -o json data | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])')
check_exit 0 "$SSECTL" messages delete "$plain"
wait_for 60 "an empty outbox" waiting 0
check_equal 5 "$(metric sse_outbox_accepted_total)"
[[ $(reports) != *"$plain"* ]] || fail "a message without notify was told"

# kill -9 between the removal of a message and the hook's answer: the hook hears of it again, and by the same name.
echo hang >"$hook/mode"
id=$(sent ann)
wait_for 60 "the call that gets no answer" called "confirmed $id ann -" hang
check_exit 3 "$SSECTL" messages show "$id"
kill_server
echo good >"$hook/mode"
start_server "${with_hook[@]}"
wait_for 60 "the report, told again" told "confirmed $id ann -"
wait_for 60 "an empty outbox after a crash" waiting 0
check_equal 1 "$(python3 -c 'import json, sys
print(len({call["delivery"] for call in map(json.loads, open(sys.argv[1])) if call["event"].get("message", {}).get("id") == sys.argv[2]}))' "$hook/calls" "$id")"

# A hook that is away: reports wait, sends do not; the oldest are dropped above the limit.
kill -KILL "$hook_pid"
wait "$hook_pid" 2>/dev/null || true
stop_server
start_server "${with_hook[@]}" --outbox-limit 3
for user in 1 2 3 4 5; do check_exit 0 "$SSECTL" messages delete "$(sent "$user")"; done
waiting 3 || fail "expected 3 reports to wait, not $(metric sse_outbox_reports)"
check_equal 2 "$(metric sse_outbox_dropped_total)"
check_file "--outbox-limit" "$server_log"
kill_server
HOOK_PORT=$port start_hook
start_server "${with_hook[@]}" --outbox-limit 3
wait_for 60 "what waited" waiting 0
check_equal "3 4 5" "$(reports good | sed -n 's/^deleted [0-9]* \([1-5]\) -$/\1/p' | sort -u | xargs)"

# An export remembers it.
id=$(sent dan)
check_output '"notify":true' "$SSECTL" messages export
stop_server

# Two nodes with Redis tell all reports, and one tells what the other has not told when it dies.
start_redis
: >"$hook/calls"
db=$scratch/a.db admin=$scratch/a.sock
start_server --server-id a --cluster "$redis" "${with_hook[@]}"
pid_a=$server_pid
db=$scratch/b.db admin=$scratch/b.sock
start_server --server-id b --cluster "$redis" "${with_hook[@]}"
ids=()
for user in 1 2 3 4 5 6; do ids+=("$(sent "$user")"); done
for i in 0 2 4; do check_exit 0 "$SSECTL" --server "unix:$scratch/a.sock" messages delete "${ids[$i]}"; done
for user in 2 4 6; do open_stream "$scratch/user-$user" "userId=$user"; done
for i in 0 2 4; do wait_for 60 "the report of node a" told "deleted ${ids[$i]} $((i + 1)) -"; done
for i in 1 3 5; do wait_for 60 "the report of node b" told "confirmed ${ids[$i]} $((i + 1)) -"; done
wait_for 60 "an empty outbox in Redis" waiting 0
check_equal 6 "$(reports | sort -u | wc -l)"
# Node a has called the hook and gets no answer when it dies. Its claim would end after a minute; the test ends it.
echo hang >"$hook/mode"
id=$(sent 7)
check_exit 0 "$SSECTL" --server "unix:$scratch/a.sock" messages delete "$id"
wait_for 60 "a call of a node" called "deleted $id 7 -" hang
kill_server "$pid_a"
echo good >"$hook/mode"
claimed=sse:pending:claimed
end_claims() {
  redis-cli -u "$redis" zrange "$claimed" 0 -1 | while read -r number; do redis-cli -u "$redis" zadd "$claimed" XX 0 "$number" >/dev/null; done
  told "deleted $id 7 -"
}
wait_for 60 "the report of the dead node" end_claims
wait_for 60 "an empty outbox in Redis again" waiting 0
stop_server
