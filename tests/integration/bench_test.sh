#!/usr/bin/env bash
# ssectl bench against real servers: what it counts, what it refuses, and what is left of a run that is cut short.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# bench EXIT OPTION…: runs it for JSON; figure NAME then prints a field.
bench() {
  local expected=$1
  shift
  check_exit "$expected" "$SSECTL" bench -o json "$@"
  printf '%s' "$output" >"$scratch/bench.json"
}
figure() { python3 -c 'import json, sys; print(json.dumps(json.load(open(sys.argv[1]))[sys.argv[2]]))' "$scratch/bench.json" "$1"; }
check_figure() { [[ $(figure "$1") == "$2" ]] || fail "expected $1 to be $2, got $(<"$scratch/bench.json") $errors"; }
check_clean() {
  check_figure complete true
  for name in lost duplicates orderViolations failedStreams eventsRefused; do check_figure "$name" 0; done
}
at_least_one() { (($("$SSECTL" status -o json | python3 -c 'import json, sys; print(json.load(sys.stdin)["connections"])') > 0)); }

start_server
# Another client's stream: --to all reaches it, and it is not counted as ours.
open_stream "$scratch/other" "userId=somebody"

bench 0 --streams 40 --events 25 --sources 3 --threads 2
check_clean
check_figure deliveries 1000
check_figure deliveriesByServer 1000
[[ $(figure serverCpuMicrosPerDelivery) != null ]] || fail "no CPU time in $output"
bench 0 --streams 20 --events 10 --to all
check_clean
check_figure deliveries 200
check_figure deliveriesByServer 210
check_file "event:bench" "$scratch/other"

bench 0 --streams 30 --events 100 --to random --burst 7 --rate 2000 --size 300
check_clean
check_figure deliveries 100
bench 0 --streams 30 --events 300 --to each --senders 8 --qos
check_clean
check_figure deliveries 300
nothing_pending() { [[ $("$SSECTL" messages list -o ndjson) == "" ]]; }
wait_for 30 "all to be confirmed" nothing_pending

check_output "p99.9" "$SSECTL" bench --streams 10 --events 10
check_contains "bytes a stream" "$output"
# On a terminal there is a bar; the results stay free of it.
script -qec "$SSECTL bench --streams 30 --events 50 --rate 100" /dev/null >"$scratch/terminal" </dev/null
check_file "opening" "$scratch/terminal"
check_file "sending   [" "$scratch/terminal"

# An event that does not arrive is found missing: these streams are on another server than the one that is sent to.
first_url=$url first_pid=$server_pid first_admin=$admin
admin=$scratch/second.sock db=:memory: start_server --max-connections 60
second_url=$url
SSECTL_SERVER=unix:$first_admin bench 1 --url "$second_url/my-sse" --streams 5 --events 4 --drain 100ms
check_figure lost 20
check_figure deliveries 0

# A server that is full.
bench 1 --streams 200 --events 2
check_contains "could not be opened: stream " "$errors"
[[ $(figure failedStreams) -ge 140 ]] || fail "$output"
check_figure complete true
stop_server

# Options that make no sense.
export SSECTL_SERVER=unix:$first_admin
while read -r options; do
  # shellcheck disable=SC2086
  check_exit 2 "$SSECTL" bench $options
  check_equal "" "$output"
  check_contains "${options%% *}" "$errors"
done <<'OPTIONS'
--rate nan
--rate -5
--size 39
--burst 101
--senders 101
--threads 9 --streams 8
--streams 0
--events 0
--to nobody
--drain soon
--header X
OPTIONS
check_exit 2 "$SSECTL" bench --to each --streams 2 --senders 3
check_exit 2 "$SSECTL" bench --sources 2 --url http://192.0.2.1/my-sse
check_exit 2 "$SSECTL" bench --url https://127.0.0.1/my-sse
check_exit 4 "$SSECTL" bench --url http://127.0.0.1:1/my-sse
check_contains "Connection refused" "$errors"
few_descriptors() (ulimit -n 100 && "$SSECTL" bench --streams 100)
check_exit 2 few_descriptors
check_contains "RLIMIT_NOFILE" "$errors"
check_contains "ulimit -n 165" "$errors"

# Ctrl-C, then a server that dies: what was measured so far is shown.
kill "$stream_pid"
wait_for 30 "the other stream to end" bash -c '[[ $("$1" status -o json | grep -c "\"connections\": 0") -ge 2 ]]' _ "$SSECTL"
"$SSECTL" bench --streams 20 --rate 50 --events 100000 -o json >"$scratch/bench.json" 2>"$scratch/errors" &
bench_pid=$!
children+=("$bench_pid")
wait_for 30 "its streams" at_least_one
sleep 0.3
kill -INT "$bench_pid"
status=0
wait "$bench_pid" || status=$?
check_equal 1 "$status"
check_figure stopped '"interrupted"'
check_figure lost 0

"$SSECTL" bench --streams 20 --rate 50 --events 100000 -o json >"$scratch/bench.json" 2>"$scratch/errors" &
bench_pid=$!
children+=("$bench_pid")
wait_for 30 "its streams" at_least_one
sleep 0.3
kill_server "$first_pid"
status=0
wait "$bench_pid" || status=$?
check_equal 1 "$status"
check_figure complete false
check_figure streams 20
check_figure streamsClosed 20
check_figure serverCpuMicrosPerDelivery null
check_contains "partial results" "$(<"$scratch/errors")"
check_exit 4 "$SSECTL" bench

# A server that wants a token from its operators, and knows its users by a proxy's header.
rm -f "$scratch/pending.db"*
(umask 077 && echo hush >"$scratch/token")
admin=$scratch/third.sock db=:memory: start_server --auth header --trusted-proxy 127.0.0.0/8 --admin-token-file "$scratch/token"
check_exit 5 "$SSECTL" bench
bench 0 --token-file "$scratch/token" --header "X-Sse-User: {user}" --to each --streams 10 --events 20
check_clean
check_figure deliveries 20
stop_server
