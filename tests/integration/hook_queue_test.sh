#!/usr/bin/env bash
# Notifications for a hook that is away: so many wait as may, the rest is dropped, counted and logged; those that waited
# come, in order. What it costs is in the metrics.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

hook=$scratch/hook
mkdir "$hook"
start_hook() {
  rm -f "$hook/port"
  python3 "$(dirname "${BASH_SOURCE[0]}")/hook_server.py" "$hook" &
  hook_pid=$!
  children+=("$hook_pid")
  wait_for 30 "the hook's port" test -s "$hook/port"
  port=$(<"$hook/port")
}
metric() { curl -sS --unix-socket "$admin" http://localhost/metrics | sed -n "s/^$1 //p"; }
listened() { grep -c '"type": "listening"' "$hook/calls" || true; }

start_hook
start_server --hook "http://127.0.0.1:$port/" --hook-queue 3
open_stream "$scratch/a" userId=1
id=$(sed -n '1s/^id://p' "$scratch/a")
check_equal 1 "$(metric 'sse_hook_calls_total{outcome="ok",type="connect"}')"
check_equal 1 "$(metric 'sse_hook_seconds_count')"
kill -KILL "$hook_pid"
wait "$hook_pid" 2>/dev/null || true

for name in a b c d e f; do
  check_equal 200 "$(http_status -H 'Content-Type: application/json' -d "{\"connectionId\":\"$id\",\"listener\":[\"$name\"]}" \
    "$url/my-sse/connect/addListener.do?userId=1")"
done
check_equal 3 "$(metric 'sse_hook_dropped_total{reason="queue_full"}')"
check_equal 3 "$(metric sse_hook_queue)"
check_file "--hook-queue" "$server_log"
retried() { (($(metric sse_hook_retries_total) > 0)); }
wait_for 30 "another try" retried

# The oldest are those that waited.
HOOK_PORT=$port start_hook
told() { (($(listened) == 3)); }
wait_for 60 "what waited" told
check_equal '["a"] ["b"] ["c"]' "$(python3 -c 'import json, sys
print(*(json.dumps(call["event"]["added"]) for call in map(json.loads, open(sys.argv[1])) if call["event"]["type"] == "listening"))' "$hook/calls")"
empty() { [[ $(metric sse_hook_queue) == 0 ]]; }
wait_for 30 "an empty queue" empty
check_equal 3 "$(metric 'sse_hook_dropped_total{reason="queue_full"}')"

# What it refuses is dropped, too, and not told again.
echo refuse >"$hook/mode"
check_equal 200 "$(http_status -H 'Content-Type: application/json' -d "{\"connectionId\":\"$id\",\"listener\":[\"g\"]}" \
  "$url/my-sse/connect/addListener.do?userId=1")"
refused() { [[ $(metric 'sse_hook_dropped_total{reason="refused"}') == 1 ]]; }
wait_for 30 "a notification that was refused" refused
check_equal 4 "$(listened)"
check_equal 3 "$(metric 'sse_hook_dropped_total{reason="queue_full"}')"
check_equal 0 "$(metric 'sse_hook_dropped_total{reason="given_up"}')"
stop_server
