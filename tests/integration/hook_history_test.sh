#!/usr/bin/env bash
# Coming back where a hook is asked first, which may take its time: the id of connect-finish says where the stream begins,
# the connectionId in it is the one the hook was told. So a reconnect gets what came after, once, and nothing from before.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

hook=$scratch/hook
mkdir "$hook"
python3 "$(dirname "${BASH_SOURCE[0]}")/hook_server.py" "$hook" &
children+=($!)
wait_for 30 "the hook's port" test -s "$hook/port"
start_server --history 100 --hook "http://127.0.0.1:$(<"$hook/port")/" --hook-timeout 60s
mode() { echo "$1" >"$hook/mode"; }
event_id() { sed -n '1s/^id://p' "$1"; }
connection_id() { sed -n 's/^data:{"connectionId":"\([0-9]*\)".*/\1/p' "$1" | head -n1; }
asked() { [[ $(wc -l <"$hook/calls") -ge $1 ]]; }
data() { sed -n 's/^data:\(e[0-9]*\)$/\1/p' "$1" | tr '\n' ' '; }

# An event of the time in which the hook ponders is from before the stream.
: >"$hook/calls"
mode ponder
curl -sSN "$url/my-sse/connect?userId=1" >"$scratch/a" &
children+=($!)
first=$!
wait_for 30 "the hook to be asked" asked 1
check_exit 3 "$SSECTL" send --user 1 e1
mode good
wait_for 30 "connect-finish" grep -qs '^event:connect-finish' "$scratch/a"
check_output "1 connection" "$SSECTL" send --user 1 e2
wait_for 10 "e2" grep -qx data:e2 "$scratch/a"
check_equal "e2 " "$(data "$scratch/a")"
check_equal "$(connection_id "$scratch/a")" "$(python3 -c 'import json, sys; print(json.loads(open(sys.argv[1]).readline())["event"]["connection"]["id"])' "$hook/calls")"
(($(event_id "$scratch/a") > $(connection_id "$scratch/a"))) || fail "the stream begins before the hook had answered"
check_output "$(connection_id "$scratch/a")" "$SSECTL" connections list --user 1

# It breaks before anything but connect-finish was seen: everything after it comes, once, also what is sent meanwhile.
kill "$first"
: >"$hook/calls"
mode ponder
curl -sSN -H "Last-Event-ID: $(event_id "$scratch/a")" "$url/my-sse/connect?userId=1" >"$scratch/b" &
children+=($!)
wait_for 30 "the hook to be asked" asked 1
"$SSECTL" send --user 1 e3 >/dev/null || true
mode good
wait_for 30 "e3" grep -qsx data:e3 "$scratch/b"
check_output "1 connection" "$SSECTL" send --user 1 e4
wait_for 10 "e4" grep -qx data:e4 "$scratch/b"
check_equal "e2 e3 e4 " "$(data "$scratch/b")"
# A page acts by its connectionId.
check_equal 200 "$(http_status -d 'connectionId='"$(connection_id "$scratch/b")" "$url/my-sse/connect/disconnect.do?userId=1")"
check_file '"count":1' "$scratch/body"
stop_server
