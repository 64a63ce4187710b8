#!/usr/bin/env bash
# Why streams have ended can be seen afterwards: in the list, in the log, and in counters that add up.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

start_server --max-backlog 64KiB
check_exit 0 "$SSECTL" connections list --closed
check_contains "no recently closed stream" "$errors$output"

open_stream "$scratch/leaves" userId=leaves
kill "$stream_pid"
open_stream "$scratch/sent-away" userId=sent-away
check_output "1" "$SSECTL" connections close --user sent-away --yes

# One that reads nothing, and one that reads a byte a second, while a third reads all.
cat >"$scratch/slow.py" <<'END'
import socket, sys, time
port, user, reads = int(sys.argv[1]), sys.argv[2], sys.argv[3] == "trickle"
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
s.connect(("127.0.0.1", port))
s.sendall(b"GET /my-sse/connect?userId=%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % user.encode())
head = b""
while b"connect-finish" not in head:
    head += s.recv(100)
print("open", flush=True)
while True:
    time.sleep(1)
    if reads and not s.recv(1):
        break
END
for user in stalled trickle; do
  python3 "$scratch/slow.py" "${url##*:}" "$user" "$user" >"$scratch/$user" 2>&1 &
  children+=($!)
  wait_for 20 "the $user reader" grep -q open "$scratch/$user"
done
open_stream "$scratch/healthy" userId=healthy
payload=$scratch/payload
head -c 30000 /dev/zero | tr '\0' x >"$payload"
sent=0
both_closed() {
  "$SSECTL" send --all --file "$payload" >/dev/null || fail "a send failed"
  sent=$((sent + 1))
  [[ $("$SSECTL" connections list --closed --reason slow-consumer -o json | grep -o '"reason"' | wc -l) -eq 2 ]]
}
wait_for 60 "both slow readers to be closed" both_closed
wait_for 20 "all events for the one who reads" bash -c "[[ \$(grep -c '^data:xxx' '$scratch/healthy') -eq $sent ]]"

# The list: newest first, with what was owed; the filters.
check_exit 0 "$SSECTL" connections list --closed
for reason in slow-consumer server-closed; do check_contains "$reason" "$output"; done
check_exit 0 "$SSECTL" connections list --closed --user stalled -o json
check_contains '"reason": "slow-consumer"' "$(sed 's/":"/": "/g' <<<"$output")"
owed=$(grep -oE '"owedBytes": ?[0-9]+' <<<"$output" | grep -oE '[0-9]+')
((owed > 0 && owed <= 65536)) || fail "it owed $owed bytes, not at most the cap"
check_exit 0 "$SSECTL" connections list --closed --user leaves -o json
[[ $output =~ client-closed|connection-lost ]] || fail "$output"
check_exit 2 "$SSECTL" connections list --closed --reason boredom
check_contains "is not a close reason" "$errors"
check_exit 2 "$SSECTL" connections list --reason slow-consumer
check_exit 2 "$SSECTL" connections list --closed --tenant t

# The log names it, with the numbers.
check_file "reason=slow-consumer" "$server_log"
check_file "owedBytes=" "$server_log"

# opened = open + closed, by reason.
adds_up() {
  curl -sS --unix-socket "$admin" http://localhost/metrics >"$scratch/metrics"
  awk '/^sse_streams_opened_total/ {opened += $2} /^sse_streams_open\{/ {open += $2}
       /^sse_streams_closed_total/ {closed += $2} END {exit !(opened >= 5 && opened == open + closed)}' "$scratch/metrics"
}
wait_for 10 "counters that add up" adds_up
stop_server
