#!/usr/bin/env bash
# Session durations: read, set and cleared for users, tokens and connections; a setting waits for who is offline.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

start_server
open_stream "$scratch/one" 'userId=1&access-token=k3yk3yk3y&sessionDuration=500'
id=$(sed -n '1s/^id://p' "$scratch/one")
check_output "$id" "$SSECTL" users duration 1
check_contains 'the page' "$output"
check_output '"sessionDuration": 50' "$SSECTL" tokens duration k3yk3yk3y -o json

check_output 'notified 1 connection' "$SSECTL" users duration 1 --set 2h
wait_for 10 "the event" grep -qx 'data:{"duration":"7200"}' "$scratch/one"
check_file 'event:sse-set-duration' "$scratch/one"
check_output '"set": true' "$SSECTL" users duration 1 -o json
check_output 'notified 1 connection' "$SSECTL" connections duration "$id" --set 33
wait_for 10 "the second event" grep -qx 'data:{"duration":"33"}' "$scratch/one"
check_output 'notified 1 connection' "$SSECTL" tokens duration k3yk3yk3y --set 44
wait_for 10 "the third event" grep -qx 'data:{"duration":"44"}' "$scratch/one"
check_output 'cleared for 1 connection' "$SSECTL" users duration 1 --clear
check_contains 'the page' "$("$SSECTL" users duration 1)"
check_exit 3 "$SSECTL" users duration 1 --clear

# Offline: kept, the newest wins, over a crash too.
check_output 'stored for the next connect' "$SSECTL" users duration 2 --set 60
check_output 'stored for the next connect' "$SSECTL" users duration 2 --set 90 --ttl 1h
check_exit 3 "$SSECTL" users duration 2
check_contains '90 seconds' "$output"
kill_server
start_server
open_stream "$scratch/two" 'userId=2'
wait_for 10 "the setting" grep -qx 'data:{"duration":"90"}' "$scratch/two"
grep -q '"60"' "$scratch/two" && fail "an older setting came, too"
check_output '"sessionDuration": 9' "$SSECTL" users duration 2 -o json

# Not set any more.
check_exit 0 "$SSECTL" users duration 3 --set 60
check_output '1 setting deleted' "$SSECTL" users duration 3 --clear
open_stream "$scratch/three" 'userId=3'
check_exit 0 "$SSECTL" send --user 3 marker
wait_for 10 "the marker" grep -qx 'data:marker' "$scratch/three"
grep -q sse-set-duration "$scratch/three" && fail "a cleared setting came"

check_exit 2 "$SSECTL" users duration 1 --set soon
check_exit 2 "$SSECTL" users duration 1 --set -1
check_exit 2 "$SSECTL" users duration 1 --set 5 --clear
check_exit 2 "$SSECTL" users duration 1 --ttl 1h
check_exit 3 "$SSECTL" connections duration 12345
check_exit 3 "$SSECTL" connections duration 12345 --set 5
stop_server
