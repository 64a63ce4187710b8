#!/usr/bin/env bash
# SIGTERM: what is queued is written, streams end without connect-close, exit 0 in time, also with a client that does
# not read. A second signal ends at once.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

start_server
for user in 1 2 3; do open_stream "$scratch/$user" "userId=$user"; done
for i in $(seq 50); do
  printf '{"target":{"all":true},"data":"%d %s"}\n' "$i" "$(printf 'x%.0s' {1..200})"
done | curl -sS --unix-socket "$admin" -H 'Content-Type: application/x-ndjson' --data-binary @- \
  http://localhost/api/v1/send >"$scratch/answers"
stop_server
check_equal 50 "$(grep -c '"delivered":3' "$scratch/answers")"
for user in 1 2 3; do
  check_equal 50 "$(grep -c '^data:[0-9]* xxx' "$scratch/$user")"
  grep -q connect-close "$scratch/$user" && fail "a drained stream says connect-close, so that clients stay away"
done
check_equal 000 "$(http_status "$url/my-sse" 2>/dev/null || true)"

# stalled OUT-FILE: a client that opens a stream and reads nothing of it.
stalled() {
  python3 - "${url##*:}" "$1" <<'END' &
import socket, sys, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
s.connect(("127.0.0.1", int(sys.argv[1])))
s.sendall(b"GET /my-sse/connect?userId=stalled HTTP/1.1\r\nHost: localhost\r\n\r\n")
s.recv(10)
open(sys.argv[2], "w").close()
time.sleep(120)
END
  children+=($!)
  wait_for 20 "the stalled client" test -e "$1"
}
fill() {
  printf '{"target":{"users":["stalled"]},"data":"%s"}' "$(head -c 500000 /dev/zero | tr '\0' x)" |
    curl -sS --unix-socket "$admin" -d @- http://localhost/api/v1/send >/dev/null
}
start_server
stalled "$scratch/ready"
fill
fill
begin=$(date +%s)
stop_server
(($(date +%s) - begin <= 10)) || fail "draining took more than 10 s"

start_server
stalled "$scratch/ready2"
fill
fill
kill -TERM "$server_pid"
wait_for 10 "the first signal's effect" grep -q 'stopping' "$server_log"
kill -TERM "$server_pid"
status=0
wait "$server_pid" || status=$?
unset "servers[$server_pid]"
check_equal 1 "$status"

# A server that is drained accepts no streams until it is undrained.
start_server --server-id push1
open_stream "$scratch/moved" userId=moved
check_output "1 stream of push1 will move" "$SSECTL" nodes drain push1 --yes
ended() { ! kill -0 "$stream_pid" 2>/dev/null; }
wait_for 20 "the end of the stream" ended
check_equal 503 "$(http_status "$url/my-sse/connect?userId=moved")"
check_exit 1 "$SSECTL" status
check_exit 3 "$SSECTL" nodes undrain push2
check_output "push1 accepts streams again" "$SSECTL" nodes undrain push1
check_output '"state": "ready"' "$SSECTL" nodes undrain push1 -o json
open_stream "$scratch/moved" userId=moved
check_exit 0 "$SSECTL" status
check_equal '{"node":"push1","state":"ready"}' \
  "$(curl -sS --unix-socket "$admin" -d '{"node":"push1"}' http://localhost/api/v1/nodes/undrain)"
stop_server
