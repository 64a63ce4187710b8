#!/usr/bin/env bash
# --history: a client that was away gets what it missed, in order, once, before live events; a cursor that is too old is
# answered with a resync event. With curl as the client, which comes back as a browser does: with the last id it saw.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

data_of() { sed -n 's/^data:\([^{].*\)/\1/p' "$1"; }
# The last id line of what a client has read, blocks without an event included.
last_id() { sed -n 's/^id:\(.*\)/\1/p' "$1" | tail -n 1; }
metric() { curl -sS --unix-socket "$admin" http://localhost/metrics | sed -n "s/^$1{[^}]*} //p"; }
leave() { kill "$stream_pid"; wait "$stream_pid" 2>/dev/null || true; }

start_server --history 100
open_stream "$scratch/one" "userId=1&channel=news&tenantId=acme"
check_exit 0 "$SSECTL" send --user 1 "seen"
wait_for 10 "the event" grep -qx 'data:seen' "$scratch/one"
leave

# Missed: to the user, the channel, the tenant and all; not what was for others or for listeners.
"$SSECTL" send --user 1 "to the user" >"$scratch/sent" 2>&1 || true
"$SSECTL" send --user 2 "to another user" >>"$scratch/sent" 2>&1 || true
"$SSECTL" send --channel news "to the channel" >>"$scratch/sent" 2>&1 || true
"$SSECTL" send --tenant acme "to the tenant" >>"$scratch/sent" 2>&1 || true
"$SSECTL" send --all --listening --event special "to listeners" >>"$scratch/sent" 2>&1 || true
check_exit 0 "$SSECTL" send --user 1 --qos "with qos"
"$SSECTL" send --all "to all" >>"$scratch/sent" 2>&1 || true
missed="to the user
to the channel
to the tenant
with qos
to all"

# With the header, as a browser that reconnects by itself.
cursor=$(last_id "$scratch/one")
open_stream "$scratch/two" "userId=1&channel=news&tenantId=acme&lastEventId=17" -H "Last-Event-ID: $cursor"
check_exit 0 "$SSECTL" send --user 1 "live"
wait_for 10 "the live event" grep -qx 'data:live' "$scratch/two"
check_equal "$missed
live" "$(data_of "$scratch/two")"
leave
# With the parameter, as a page that opens a fresh EventSource; and by one who listens now.
open_stream "$scratch/three" "userId=1&channel=news&tenantId=acme&listeners=special&lastEventId=$cursor"
wait_for 10 "the last event" grep -qx 'data:live' "$scratch/three"
check_equal "${missed/with qos/to listeners
with qos}
live" "$(data_of "$scratch/three")"
grep -q 'event:resync' "$scratch/two" "$scratch/three" && fail "a resync where nothing was lost"
# Nothing twice: whoever has seen all gets nothing, and neither does one who has seen only the first event.
cursor=$(last_id "$scratch/three")
leave
for query in "lastEventId=$cursor" ""; do
  open_stream "$scratch/four" "userId=1&channel=news&$query"
  check_exit 0 "$SSECTL" send --user 1 "again"
  wait_for 10 "the live event" grep -qx 'data:again' "$scratch/four"
  check_equal "again" "$(data_of "$scratch/four")"
  first=$(sed -n '1s/^id://p' "$scratch/four")
  leave
done
# The first event's id is enough to go on from.
"$SSECTL" send --user 1 "after the first event" >"$scratch/sent" 2>&1 || true
open_stream "$scratch/five" "userId=1&lastEventId=$first"
wait_for 10 "what was missed" grep -qx 'data:after the first event' "$scratch/five"
check_equal "again
after the first event" "$(data_of "$scratch/five")"
leave
check_contains 0 "$(metric sse_resyncs_total)"

# An id that is no id of ours: said, and from here on.
open_stream "$scratch/six" "userId=1" -H 'Last-Event-ID: of another server'
check_exit 0 "$SSECTL" send --user 1 "from here on"
wait_for 10 "the event" grep -qx 'data:from here on' "$scratch/six"
check_file 'data:{"missed":null,' "$scratch/six"
check_file '"requested":"of another server"}' "$scratch/six"
check_equal "from here on" "$(data_of "$scratch/six")"
leave
stop_server

# Too old by count: what is gone is said, what is left follows.
start_server --history 3 --history-ttl 1h --history-bytes 1MiB
open_stream "$scratch/old" userId=1
leave
cursor=$(last_id "$scratch/old")
for i in 1 2 3 4 5; do "$SSECTL" send --user 1 "number $i" >"$scratch/sent" 2>&1 || true; done
open_stream "$scratch/back" "userId=1&lastEventId=$cursor"
wait_for 10 "the last event" grep -qx 'data:number 5' "$scratch/back"
check_equal "number 3
number 4
number 5" "$(data_of "$scratch/back")"
oldest=$(grep -B2 '^data:number 3$' "$scratch/back" | sed -n 's/^id://p')
check_file "data:{\"missed\":2,\"oldest\":\"$oldest\",\"requested\":\"$cursor\"}" "$scratch/back"
check_equal "event:resync" "$(grep -B1 '^data:{"missed":2' "$scratch/back" | head -n 1)"
check_equal 1 "$(metric sse_resyncs_total)"

# The memory bound: 64 KiB of events of 1 KiB to a thousand users, and the server says what it gave up.
leave
stop_server
start_server --history 1000 --history-bytes 64KiB
payload=$(printf 'x%.0s' {1..1000})
for i in $(seq 500); do echo "{\"target\":{\"users\":[\"$i\"]},\"event\":\"e\",\"data\":\"$payload\"}"; done |
  curl -sS --unix-socket "$admin" -H 'Content-Type: application/x-ndjson' --data-binary @- -o "$scratch/bulk" \
    http://localhost/api/v1/send
check_equal 500 "$(wc -l <"$scratch/bulk")"
kept=$(metric sse_history_events)
((kept > 10 && kept < 64)) || fail "$kept events of 1 KiB in 64 KiB"
(($(metric sse_history_bytes) <= 65536)) || fail "more than 64 KiB: $(metric sse_history_bytes)"
check_equal $((500 - kept)) "$(curl -sS --unix-socket "$admin" http://localhost/metrics |
  sed -n 's/^sse_history_dropped_total{limit="bytes",[^}]*} //p')"

# A restart loses the history; clients are told.
cursor=$(sed -n 's/.*"id": *"\([0-9]*\)".*/\1/p' "$scratch/bulk" | tail -n 1)
stop_server
start_server --history 10
open_stream "$scratch/restarted" "userId=500&lastEventId=$cursor"
wait_for 10 "a resync" grep -q '^event:resync' "$scratch/restarted"
check_file "data:{\"missed\":null,\"oldest\":null,\"requested\":\"$cursor\"}" "$scratch/restarted"
stop_server
