#!/usr/bin/env bash
# The wall clock jumps an hour ahead and back while the server runs (libfaketime): ids go on growing, order is kept,
# nothing is lost, nothing expires that has time left after the jump back, and the server stays up.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

faketime=$(find /usr/lib -name libfaketimeMT.so.1 2>/dev/null | head -n 1)
[[ -n $faketime ]] || { echo "libfaketime is not installed (scripts/setup --tests)"; exit 77; }

id_of() { sed -n 's/.*"id": *"\([0-9]*\)".*/\1/p' <<<"$output" | head -n 1; }
pending_is() { curl -sS --unix-socket "$admin" "http://localhost/api/v1/messages" | grep -q "\"total\":$1}"; }
jump() { echo "$1" >"$scratch/offset"; }
now_is() { # seconds the server's clock is ahead of ours, more than / less than
  local ahead
  ahead=$(($("$SSECTL" status -o json | sed -n 's/.*"uptimeMillis": *\(-\{0,1\}[0-9]*\).*/\1/p') / 1000))
  ((ahead $1))
}

jump +0
real=$SSE_SERVE
cat >"$scratch/sse-serve" <<WRAPPER
#!/bin/sh
LD_PRELOAD=$faketime FAKETIME_TIMESTAMP_FILE=$scratch/offset FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 \\
  DONT_FAKE_MONOTONIC=1 exec "$real" "\$@"
WRAPPER
chmod +x "$scratch/sse-serve"
SSE_SERVE=$scratch/sse-serve
start_server --heartbeat 500ms
open_stream "$scratch/live" "userId=1"
sent=()
for offset in +0 +1h -1h +1h +0; do
  jump "$offset"
  case $offset in
    +1h) wait_for 10 "the jump ahead" now_is "> 3000" ;;
    -1h) wait_for 10 "the jump back" now_is "< -3000" ;;
    *) wait_for 10 "the real time" now_is "< 3000" ;;
  esac
  check_exit 0 "$SSECTL" send --user 1 --qos -o json "live at $offset"
  check_exit 0 "$SSECTL" send --user 2 --qos --ttl 4h -o json "kept at $offset"
  sent+=("$(id_of)")
  wait_for 10 "the live one" grep -qx "data:live at $offset" "$scratch/live"
done
check_equal "$(printf '%s\n' "${sent[@]}" | sort -n | paste -sd' ')" "${sent[*]}"
wait_for 10 "five, all for user 2" pending_is 5
open_stream "$scratch/kept" "userId=2"
wait_for 10 "the last" bash -c "[[ \$(grep -c '^data:kept' '$scratch/kept') -eq 5 ]]"
check_equal "${sent[*]}" "$(grep -B2 '^data:kept' "$scratch/kept" | sed -n 's/^id://p' | paste -sd' ')"
wait_for 10 "an empty repository" pending_is 0
# Heartbeats and streams go by the other clock.
jump -1h
grep -c '^:' "$scratch/live" >"$scratch/before" || true
wait_for 10 "another heartbeat" bash -c "[[ \$(grep -c '^:' '$scratch/live') -gt \$(cat '$scratch/before') ]]"
kill -0 "$stream_pid" || fail "the jump ended a stream"
stop_server
