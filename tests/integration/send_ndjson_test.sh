#!/usr/bin/env bash
# ssectl send --ndjson: many messages, what each became, and what went wrong.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

start_server
open_stream "$scratch/stream" userId=1
for i in $(seq 2500); do echo "{\"target\":{\"users\":[\"1\"]},\"event\":\"n\",\"data\":$i}"; done >"$scratch/many"
check_exit 0 "$SSECTL" send --ndjson --file "$scratch/many"
check_contains "2500 messages" "$output"
check_contains "2500 connections" "$output"
wait_for 20 "all of them" grep -qx 'data:2500' "$scratch/stream"
check_equal "$(seq 2500)" "$(sed -n 's/^data:\([0-9]*\)$/\1/p' "$scratch/stream")"

# Lines that are wrong are told with their numbers, the others are sent; what the lines do not say comes from the command
# line.
printf '%s\n' '{"data":"a"}' '' 'nonsense' '{"data":"b","target":{"users":["2"]}}' '{"target":{"nobody":1}}' >"$scratch/mixed"
check_exit 1 "$SSECTL" send --ndjson --user 1 --qos --event note --file "$scratch/mixed"
check_contains "2 messages" "$output"
check_contains "2 lines" "$output"
check_contains "line 3: the line is not valid JSON" "$errors"
check_contains "line 5: " "$errors"
wait_for 10 "the good one" grep -qx 'data:a' "$scratch/stream"
status=0
"$SSECTL" send --ndjson --user 1 --qos -o ndjson <"$scratch/mixed" >"$scratch/results" 2>"$scratch/errors" || status=$?
check_equal 1 "$status"
check_equal 4 "$(wc -l <"$scratch/results")"
check_contains '"line":1,"pending":1' "$(sed -n 1p "$scratch/results")"
check_contains '"code":"invalid_argument"' "$(sed -n 2p "$scratch/results" | tr '-' '_')"
check_contains '"line":4' "$(sed -n 3p "$scratch/results")"
check_exit 1 "$SSECTL" send --ndjson --user 1 -o json --file "$scratch/mixed"
check_contains '"failed": 2' "$output"

# A pipe that stays open: what has come goes out without waiting for more.
mkfifo "$scratch/pipe"
"$SSECTL" send --ndjson --user 1 <"$scratch/pipe" >"$scratch/piped" 2>&1 &
sender=$!
children+=("$sender")
exec 7>"$scratch/pipe"
echo '{"data":"from the pipe"}' >&7
wait_for 10 "the event before the pipe ends" grep -qx 'data:from the pipe' "$scratch/stream"
exec 7>&-
wait "$sender" || fail "it ended with $?"
check_file "1 message" "$scratch/piped"

# A line that is too long is one that fails; those before and behind it are sent.
{
  for i in $(seq 1500); do echo '{"data":"before"}'; done
  head -c 9000000 /dev/zero | tr '\0' x
  echo
  echo '{"data":"behind the long one"}'
} >"$scratch/long"
check_exit 1 "$SSECTL" send --ndjson --user 1 --file "$scratch/long"
check_contains "1501 messages" "$output"
check_contains "line 1501: the line is longer than 8MiB" "$errors"
wait_for 20 "the last one" grep -qx 'data:behind the long one' "$scratch/stream"
check_equal 1500 "$(grep -cx 'data:before' "$scratch/stream")"

# So they are where the input itself fails.
status=0
{ head -n 3 "$scratch/many"; } >"$scratch/three"
"$SSECTL" send --ndjson --user 1 --file "$scratch" >"$scratch/results" 2>"$scratch/errors" || status=$?
check_equal 1 "$status"
check_file "cannot read the input" "$scratch/errors"

# Lines that are wrong are not piled up: a million in the memory of a few.
{ yes nonsense 2>/dev/null || true; } | head -n 300000 >"$scratch/nonsense"
status=0
(
  limit_memory 400000
  exec "$SSECTL" send --ndjson --user 1 -o json --file "$scratch/nonsense"
) >"$scratch/results" 2>"$scratch/errors" || status=$?
check_equal 1 "$status"
check_file '"failed": 300000' "$scratch/results"

# Its output is no longer read: all is sent, and that is not called well done.
for i in $(seq 5000); do echo "{\"data\":\"unread $i\"}"; done >"$scratch/unread"
status=0
{ "$SSECTL" send --ndjson --user 1 -o ndjson --file "$scratch/unread" 2>"$scratch/errors" || echo $? >"$scratch/code"; } | head -n 1 >/dev/null
wait_for 20 "the last one" grep -qx 'data:unread 5000' "$scratch/stream"
wait_for 20 "its end" test -s "$scratch/code"
check_equal 1 "$(<"$scratch/code")"
check_file "standard output was closed" "$scratch/errors"

# What the command line says is what a line does not, or is refused.
printf '%s\n' '{"data":"old"}' '{"data":"new"}' '{"data":"other","collapse":"y"}' '{"data":"plain","qos":false}' >"$scratch/prices"
check_exit 0 "$SSECTL" send --ndjson --user away --qos --collapse price --file "$scratch/prices"
check_exit 0 "$SSECTL" messages export --recipient away
check_equal '"new" "other"' "$(grep -o '"data":"[a-z]*"' <<<"$output" | cut -d: -f2 | paste -sd' ')"
check_exit 2 "$SSECTL" send --ndjson --user 1 --qos --id once --file "$scratch/many"
check_contains "an \"id\" of its own" "$errors"
check_exit 2 "$SSECTL" send --ndjson --user 1 --qos --wait 1s --file "$scratch/many"

check_exit 1 "$SSECTL" send --ndjson --file "$scratch/no-such-file"
check_exit 2 "$SSECTL" send --ndjson --user 1 data
check_exit 2 "$SSECTL" send --ndjson --listening --file "$scratch/many"
stop_server
check_exit 4 "$SSECTL" send --ndjson --file "$scratch/many"
check_contains "the lines from 1 to 1000 were not confirmed" "$errors"
