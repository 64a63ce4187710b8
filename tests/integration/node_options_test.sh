#!/usr/bin/env bash
# Options and metrics that only nodes of a cluster have.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

metric() { curl -sS --unix-socket "$1" http://localhost/metrics | sed -n "s/^$2 //p"; }
status() { SSECTL_SERVER=unix:$1 "$SSECTL" status -o json; }

# --node-id is --server-id. How many nodes, what they send each other, and who did not answer.
start_redis
start_server --cluster "$redis" --node-id first
first=$admin first_pid=$server_pid
check_contains '"first"' "$(status "$first")"
db=$scratch/second.db admin=$scratch/second.sock
start_server --cluster "$redis" --server-id second
second=$admin second_pid=$server_pid
both() { [[ $(metric "$first" sse_cluster_nodes) == 2 && $(metric "$second" sse_cluster_nodes) == 2 ]]; }
wait_for 30 "two nodes" both
open_stream "$scratch/a" userId=1
sent=$(metric "$first" sse_cluster_sent_total)
check_output "1 connection" env SSECTL_SERVER="unix:$first" "$SSECTL" send --user 1 hello
(($(metric "$first" sse_cluster_sent_total) > sent)) || fail "nothing was counted as sent to the other node"
check_equal 0 "$(metric "$first" sse_cluster_unanswered_total)"
kill -STOP "$second_pid"
SSECTL_SERVER=unix:$first "$SSECTL" send --user 1 "to a frozen node" >/dev/null 2>&1 || true
kill -CONT "$second_pid"
(($(metric "$first" sse_cluster_unanswered_total) > 0)) || fail "the answer that did not come was not counted"
stop_server "$second_pid"
stop_server "$first_pid"

# --cluster-max-connections: more programs than may talk to the listener for nodes are sent away.
(umask 077 && echo "a-secret-of-the-nodes" >"$scratch/secret")
db=$scratch/third.db admin=$scratch/third.sock
start_server --discovery static:127.0.0.1:1 --cluster-listen 127.0.0.1:0 --cluster-secret-file "$scratch/secret" \
  --server-id third --cluster-max-connections 2
port=$(status "$admin" | sed -n 's/.*"listening": *"127\.0\.0\.1:\([0-9]*\)".*/\1/p' | head -n 1)
[[ -n $port ]] || fail "the status does not say where it listens for nodes"
python3 - "$port" <<'PY'
import socket, sys
def ask():
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=30)
    s.sendall(b"GET /cluster/v1/who HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return s, s.recv(4096)
held = [ask() for _ in range(2)]
assert all(b" 200 " in answer for _, answer in held), held
_, refusal = ask()
assert b" 503 " in refusal and b"--cluster-max-connections" in refusal, refusal
PY
stop_server
