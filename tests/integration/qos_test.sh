#!/usr/bin/env bash
# The life of a message sent with qos: kept while its recipient is away, over a restart and a crash, delivered on connect with
# the id its sender was told, in order, then gone.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

id_of() { sed -n 's/.*"id": *"\([0-9]*\)".*/\1/p' <<<"$output" | head -n 1; }
pending() { "$SSECTL" messages list --output json; }
none_pending() { [[ $(pending) == *'"total":0'* || $(pending) == *'"total": 0'* ]]; }
pending_is() { curl -sS --unix-socket "$admin" "http://localhost/api/v1/messages" | grep -q "\"total\":$1}"; }

start_server
check_exit 0 "$SSECTL" send --user 1 --user 2 --qos --output json "for two"
first=$(id_of)
[[ -n $first ]] || fail "no id in: $output"
check_exit 0 "$SSECTL" send --user 1 --qos --event note --output json "second"
second=$(id_of)
wait_for 5 "three rows: two recipients of the first, one of the second" pending_is 3
check_output "for two" "$SSECTL" messages show "$first"
# The one that is there gets it; the other's stays.
open_stream "$scratch/one" userId=1
wait_for 10 "both, in order" grep -qx 'data:second' "$scratch/one"
check_equal "id:$first
id:$second" "$(grep -E "^id:($first|$second)$" "$scratch/one")"
check_equal "event:server-push" "$(grep -A1 "^id:$first$" "$scratch/one" | tail -n 1)"
check_equal "event:note" "$(grep -A1 "^id:$second$" "$scratch/one" | tail -n 1)"
wait_for 10 "the removal of what user 1 got" pending_is 1
check_contains '"2"' "$(pending)"

# Nothing comes twice to a client that has confirmed.
kill "$stream_pid"
open_stream "$scratch/again" userId=1
check_exit 0 "$SSECTL" send --user 1 "after"
wait_for 10 "the event" grep -qx 'data:after' "$scratch/again"
grep -q 'for two' "$scratch/again" && fail "a confirmed message came again"

# Online: at once, and gone.
check_exit 0 "$SSECTL" send --user 1 --qos "live"
wait_for 10 "the event" grep -qx 'data:live' "$scratch/again"
wait_for 10 "its removal" pending_is 1
kill "$stream_pid"

# A polite restart, then a crash: user 2's message is still there, and so is the order of what follows.
stop_server
start_server
for i in 1 2 3; do check_exit 0 "$SSECTL" send --user 2 --qos "before the crash $i"; done
kill_server
start_server
check_exit 0 "$SSECTL" send --user 2 --qos "after the crash"
wait_for 5 "five" pending_is 5
open_stream "$scratch/two" userId=2
wait_for 10 "all of them" grep -qx 'data:after the crash' "$scratch/two"
check_equal "data:for two
data:before the crash 1
data:before the crash 2
data:before the crash 3
data:after the crash" "$(grep -E '^data:(for|before|after)' "$scratch/two")"
check_equal 1 "$(grep -c "^id:$first$" "$scratch/two")"
wait_for 10 "an empty repository" pending_is 0

# Deleted and expired messages are not delivered.
check_exit 0 "$SSECTL" send --user 3 --qos --output json "deleted"
check_exit 0 "$SSECTL" messages delete --yes "$(id_of)"
check_exit 0 "$SSECTL" send --user 3 --qos --ttl 1ms "expired"
check_exit 0 "$SSECTL" send --user 3 --qos "good"
open_stream "$scratch/three" userId=3
wait_for 10 "the good one" grep -qx 'data:good' "$scratch/three"
grep -qE 'deleted|expired' "$scratch/three" && fail "a deleted or expired message was delivered"

# A token, a channel and a tenant have pending messages, too; one that no stream could take goes to the first that matches.
check_exit 0 "$SSECTL" send --token secret-token --qos "by token"
check_exit 0 "$SSECTL" send --channel news --qos "by channel"
check_exit 0 "$SSECTL" send --tenant acme --qos --listening --event special "by tenant, listening"
open_stream "$scratch/four" "userId=4&access-token=secret-token&channel=news&tenantId=acme"
wait_for 10 "the channel's" grep -qx 'data:by channel' "$scratch/four"
check_file 'data:by token' "$scratch/four"
grep -q 'by tenant' "$scratch/four" && fail "who does not listen got an event for listeners"
connection=$(sed -n '1s/^id://p' "$scratch/four")
check_output '"special"' curl -sS -H 'Content-Type: application/json' \
  -d "{\"connectionId\":\"$connection\",\"listener\":[\"special\"]}" "$url/my-sse/connect/addListener.do?userId=4&tenantId=acme"
wait_for 10 "the listener's" grep -qx 'data:by tenant, listening' "$scratch/four"
stop_server
