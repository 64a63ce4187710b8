#!/usr/bin/env bash
# A follower of activity events that loses the server goes on behind the last event it has had. What is no longer known
# then is announced, and how much it is where that is known.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

send_to() { check_exit 0 "$SSECTL" send --qos --user "$1" data; }
cursor_of_last() { "$SSECTL" events -o json --last 1 | sed -nE 's/.*"cursor": *"([^"]*)".*/\1/p'; }
followers() { [[ $("$SSECTL" status -o json | grep -o '"sse_event_feed_followers": [0-9]*' | grep -o '[0-9]*$') == "$1" ]]; }
names() { grep -o '"names":\["[^"]*"\]' "$1" | sed -E 's/.*"([^"]*)"\]/\1/' | xargs; }
has() { [[ $(names "$1") == "$2" ]]; }

start_server
send_to 1
cursor=$(cursor_of_last)
[[ -n $cursor ]] || fail "an event without a cursor"
send_to 2
send_to 3
check_exit 0 "$SSECTL" events -o json --since "$cursor"
check_contains '"2"' "$output"
check_contains '"3"' "$output"
[[ $output != *'"1"'* && $output != *gap* ]] || fail "an event that was had already, or a gap: $output"
check_exit 2 "$SSECTL" events --since nonsense
check_contains "not a cursor" "$errors"
check_exit 2 "$SSECTL" events --follow --since nonsense

check_equal 200 "$(http_status --unix-socket "$admin" "http://localhost/api/v1/events?since=$cursor&last=1")"
check_file '["2"]' "$scratch/body"
! grep -q '"3"' "$scratch/body" || fail "more than the first of the later events"

# As an event stream, from the header that a browser sends.
: >"$scratch/stream"
curl -sSN --unix-socket "$admin" -H 'Accept: text/event-stream' -H "Last-Event-ID: $cursor" \
  "http://localhost/api/v1/events?follow=true" >"$scratch/stream" 2>/dev/null &
children+=("$!")
streamed() { [[ $(grep -c '^event: send' "$scratch/stream") == 2 ]]; }
wait_for 30 "two events in a stream" streamed
grep -q "^id: ${cursor%-*}-" "$scratch/stream" || fail "no id: $(cat "$scratch/stream")"
kill "${children[-1]}"

# What the ring has lost is told, with its number.
check_exit 0 "$SSECTL" send --ndjson --file <(for i in $(seq 400); do echo "{\"target\":{\"users\":[\"u$i\"]},\"data\":\"x\"}"; done)
check_exit 0 "$SSECTL" events --since "$cursor"
check_contains "lost: the server no longer has all since then" "$output"

# A follower reconnects by itself, and a restart is a gap.
"$SSECTL" events --follow -o ndjson --type send >"$scratch/followed" 2>"$scratch/notes" &
children+=("$!")
wait_for 30 "the follower" followers 1
send_to first
wait_for 30 "an event" has "$scratch/followed" "first"
stop_server
wait_for 30 "the loss of the server" grep -q "reconnecting" "$scratch/notes"
start_server
wait_for 60 "the follower again" followers 1
send_to second
wait_for 30 "an event after the restart" has "$scratch/followed" "first second"
grep -q '"reason":"restarted"' "$scratch/followed" || fail "the restart was not told: $(cat "$scratch/followed")"
check_file "following the events again" "$scratch/notes"
stop_server
