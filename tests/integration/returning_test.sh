#!/usr/bin/env bash
# Clients that come back. One that an operator has closed is kept away once, by the status that EventSource knows for
# that; without --history one that names a last event id is told that it may have missed something.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The last id a client has read, blocks without an event included.
last_id() { sed -n 's/^id:\(.*\)/\1/p' "$1" | tail -n 1; }
connect_status() { http_status --max-time 1 "$url/my-sse/connect?$1" "${@:2}" 2>/dev/null || true; }
ended() { ! kill -0 "$stream_pid" 2>/dev/null; }

start_server --reconnect-time 10s
# By its clientId, whatever id it names.
open_stream "$scratch/a" "userId=1&clientId=c"
check_output 1 "$SSECTL" connections close --user 1 --yes
wait_for 20 "the end of the stream" ended
check_equal 200 "$(connect_status "userId=1&clientId=other")"
check_equal 200 "$(connect_status "userId=2&clientId=c")"
check_equal 204 "$(connect_status "userId=1&clientId=c" -H "Last-Event-ID: 5")"
check_equal 200 "$(connect_status "userId=1&clientId=c" -H "Last-Event-ID: 5")"
# Without one by its address, User-Agent and last event id.
open_stream "$scratch/b" "userId=3" -A kiosk
check_output 1 "$SSECTL" connections close "$(last_id "$scratch/b")" --yes
wait_for 20 "the end of the stream" ended
check_equal 200 "$(connect_status "userId=3" -A kiosk)"
check_equal 200 "$(connect_status "userId=3" -H "Last-Event-ID: $(last_id "$scratch/b")")"
check_equal 204 "$(connect_status "userId=3" -A kiosk -H "Last-Event-ID: $(last_id "$scratch/b")")"
check_equal 200 "$(connect_status "userId=3" -A kiosk -H "Last-Event-ID: $(last_id "$scratch/b")")"
curl -sS --unix-socket "$admin" http://localhost/metrics >"$scratch/metrics"
check_file 'sse_turned_away_total{service="defaultConnectionService"} 2' "$scratch/metrics"

# What it may have missed.
open_stream "$scratch/c" "userId=4"
kill "$stream_pid"
id=$(last_id "$scratch/c")
grep -q resync "$scratch/c" && fail "a first visit has missed nothing"
open_stream "$scratch/d" "userId=4" -H "Last-Event-ID: $id"
wait_for 10 "a resync event" grep -qx "data:{\"missed\":null,\"oldest\":null,\"requested\":\"$id\"}" "$scratch/d"
# Not when our own clock has ended the stream just now.
open_stream "$scratch/e" "userId=5&keepaliveTime=500"
wait_for 20 "the end of the stream" ended
open_stream "$scratch/f" "userId=5" -H "Last-Event-ID: $(last_id "$scratch/e")"
check_output '"delivered"' "$SSECTL" send --user 5 -o json x
wait_for 10 "the event" grep -qx data:x "$scratch/f"
grep -q resync "$scratch/f" && fail "a client whose time was over is told that it has missed something"
kill "$stream_pid"
open_stream "$scratch/g" "userId=5" -H "Last-Event-ID: $(last_id "$scratch/e")"
wait_for 10 "a resync event the second time" grep -qx event:resync "$scratch/g"
stop_server
