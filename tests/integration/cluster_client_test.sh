#!/usr/bin/env bash
# ssectl as its user has it with a cluster: through any server, through none (--cluster), and about one alone (--local).
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

start_redis --appendonly yes --requirepass hidden
echo hidden >"$scratch/password"
chmod 600 "$scratch/password"
options=(--cluster "$redis" --cluster-password-file "$scratch/password")

check_exit 5 "$SSE_SERVE" --listen 127.0.0.1:0 --admin "unix:$scratch/x.sock" --db :memory: --cluster "$redis"
check_contains "refused the login" "$errors"

admin=$scratch/a.sock start_server "${options[@]}" --server-id a
url_a=$url server_a=$SSECTL_SERVER
admin=$scratch/b.sock start_server "${options[@]}" --server-id b
url_b=$url server_b=$SSECTL_SERVER pid_b=$server_pid
both_there() { [[ $("$SSECTL" --server "$server_a" nodes list -o ndjson | wc -l) -eq 2 ]]; }
wait_for 30 "both nodes" both_there

url=$url_a open_stream "$scratch/one" "userId=1"
url=$url_b open_stream "$scratch/two" "userId=1"
url=$url_b open_stream "$scratch/three" "userId=2"

# Through a server, and about it alone.
check_output '"delivered": 2' "$SSECTL" --server "$server_a" -o json send --user 1 "to both"
check_output '"delivered": 1' "$SSECTL" --server "$server_a" --local -o json send --user 1 "to one"
check_exit 3 "$SSECTL" --server "$server_a" --local send --user 2 "not here"
wait_for 30 "the event on the other server" grep -qx "data:to both" "$scratch/two"
check_equal 3 "$("$SSECTL" --server "$server_a" connections list -o ndjson | wc -l)"
check_equal 1 "$("$SSECTL" --server "$server_a" --local connections list -o ndjson | wc -l)"

# Through none.
unset SSECTL_SERVER
client=("$SSECTL" "${options[@]}")
check_output '"delivered": 3' "${client[@]}" -o json send --all "from a producer"
wait_for 30 "the producer's event" grep -qx "data:from a producer" "$scratch/one"
wait_for 30 "the producer's event" grep -qx "data:from a producer" "$scratch/three"
check_output '"state": "confirmed"' "${client[@]}" -o json send --user 2 --qos --wait 30s "kept"
printf '{"target":{"users":["%s"]},"data":"line"}\n' 1 2 nobody >"$scratch/lines"
check_exit 0 "${client[@]}" send --ndjson --file "$scratch/lines"
wait_for 30 "the line" grep -qx "data:line" "$scratch/three"
check_equal 2 "$("${client[@]}" users list -o ndjson | wc -l)"
check_exit 0 "${client[@]}" explain --user 1
check_exit 0 "${client[@]}" messages list
check_exit 2 "${client[@]}" events --follow
check_contains "--server" "$errors"
check_exit 2 "${client[@]}" --local status
check_exit 5 "$SSECTL" --cluster "$redis" status

# Nodes.
all_counted() { "${client[@]}" nodes list | grep -q "2 nodes, 3 connections"; }
wait_for 30 "what the nodes say of themselves" all_counted
check_exit 0 "${client[@]}" status --cluster
check_output '"id": "b"' "${client[@]}" -o json nodes show b
check_exit 3 "${client[@]}" nodes show c
check_exit 2 "${client[@]}" nodes drain b --rate fast --yes
check_output "2 streams" "${client[@]}" nodes drain b --rate 100/s --yes
ended() { ! kill -0 "$stream_pid" 2>/dev/null; }
wait_for 30 "the end of the stream on the drained server" ended
grep -q '^retry:' "$scratch/three" || fail "no server told the client when to come back"
draining() { [[ $("${client[@]}" nodes show b -o json) == *'"state": "draining"'* ]]; }
wait_for 30 "the state of the drained server" draining
# Each node answers with what it saw last, once a second, so this may take a moment.
exits_with_1() { local status=0; "${client[@]}" status --cluster >/dev/null || status=$?; [[ $status -eq 1 ]]; }
wait_for 30 "a status that says so" exits_with_1
check_output "b accepts streams again" "${client[@]}" nodes undrain b
undrained() { "${client[@]}" status --cluster >/dev/null; }
wait_for 30 "a status of all nodes that is ready" undrained
stop_server "$pid_b"
alone() { [[ $("${client[@]}" nodes list -o ndjson | wc -l) -eq 1 ]]; }
wait_for 30 "the list without it" alone
check_exit 0 "${client[@]}" status --cluster
