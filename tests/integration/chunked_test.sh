#!/usr/bin/env bash
# Streams are chunked to HTTP/1.1 clients, whatever goes into them, and end with the last chunk where the server ends
# them on purpose. HTTP/1.0 clients get streams that end with their connection.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# reads PORT-OR-SOCKET REQUEST-TARGET VERSION FILE: writes the head to FILE.head, the body without its framing to FILE
# as it comes, and into FILE.end how it ended: complete, cut or plain.
cat >"$scratch/reads.py" <<'END'
import socket, sys
where, target, version, path = sys.argv[1:]
if where.startswith("/"):
    s = socket.socket(socket.AF_UNIX)
    s.connect(where)
else:
    s = socket.create_connection(("127.0.0.1", int(where)))
s.sendall(f"GET {target} HTTP/{version}\r\nHost: localhost\r\n\r\n".encode())
f = s.makefile("rb")
head = b""
while not head.endswith(b"\r\n\r\n"):
    head += f.readline()
open(path + ".head", "wb").write(head)
body = open(path, "wb", buffering=0)
end = "plain"
if b"\r\nTransfer-Encoding: chunked\r\n" in head:
    end = "cut"
    while True:
        size = f.readline()
        if not size:
            break
        assert size.endswith(b"\r\n") and size.strip() == size[:-2], size
        size = int(size, 16)
        chunk = f.read(size + 2)
        if len(chunk) < size + 2:
            break
        assert chunk.endswith(b"\r\n"), chunk
        # Each event is a chunk of its own.
        assert size == 0 or chunk.endswith(b"\n\r\n"), chunk
        body.write(chunk[:-2])
        if size == 0:
            end = "complete"
            break
else:
    while line := f.readline():
        body.write(line)
open(path + ".end", "w").write(end)
END
reads() {
  : >"$4"
  python3 "$scratch/reads.py" "$@" &
  reader_pid=$!
  children+=("$reader_pid")
}
ended() {
  wait_for 20 "the end of $1" test -s "$scratch/$1.end"
  check_equal "$2" "$(<"$scratch/$1.end")"
}

start_server --heartbeat 200ms --client-max-connections 1
port=${url##*:}
reads "$port" "/my-sse/connect?userId=1" 1.1 "$scratch/new"
reads "$port" "/my-sse/connect?userId=1" 1.0 "$scratch/old"
for who in new old; do wait_for 20 "connect-finish" grep -q connect-finish "$scratch/$who"; done
check_file $'Transfer-Encoding: chunked\r' "$scratch/new.head"
check_file $'Connection: close\r' "$scratch/new.head"
grep -qi chunked "$scratch/old.head" && fail "HTTP/1.0 knows no chunks"
for size in 1 15 16 4096 70000; do
  head -c "$size" /dev/zero | tr '\0' x | "$SSECTL" send --user 1 --qos >/dev/null || fail "a send of $size bytes failed"
done
"$SSECTL" send --user 1 "the last" >/dev/null
for who in new old; do
  wait_for 20 "the events of $who" grep -q '^data:the last$' "$scratch/$who"
  wait_for 20 "a heartbeat of $who" grep -q '^:$' "$scratch/$who"
  check_equal "1 15 16 4096 70000 " "$(grep -o '^data:x*$' "$scratch/$who" | awk '{printf "%d ", length($0) - 5}')"
done
none_pending() { curl -sS --unix-socket "$admin" http://localhost/api/v1/messages | grep -q '"total":0}'; }
wait_for 20 "what both sides' TCP has acknowledged" none_pending

# Ends on purpose: closed, over their time, replaced, drained. Cut: by a client that is too slow (unit tests), a crash.
"$SSECTL" connections close --user 1 --yes >/dev/null
ended new complete
ended old plain
check_file "event:connect-close" "$scratch/new"
reads "$port" "/my-sse/connect?userId=2&keepaliveTime=500" 1.1 "$scratch/brief"
ended brief complete
reads "$port" "/my-sse/connect?userId=3&clientId=c" 1.1 "$scratch/replaced"
wait_for 20 "connect-finish" grep -q connect-finish "$scratch/replaced"
reads "$port" "/my-sse/connect?userId=3&clientId=c" 1.1 "$scratch/drained"
ended replaced complete

# What follows events over the admin API is such a stream, too.
: >"$scratch/feed"
reads "$admin" "/api/v1/events?follow=true" 1.1 "$scratch/feed"
wait_for 20 "the feed" test -s "$scratch/feed.head"
check_file $'Transfer-Encoding: chunked\r' "$scratch/feed.head"
follow_sees() {
  "$SSECTL" send --user 3 "seen" >/dev/null
  grep -q '"type":"send"' "$scratch/feed"
}
wait_for 20 "a line of the feed" follow_sees
stop_server
ended drained complete
ended feed complete
grep -q connect-close "$scratch/drained" && fail "a drained stream says connect-close, so that clients stay away"

start_server
reads "${url##*:}" "/my-sse/connect?userId=1" 1.1 "$scratch/cut"
wait_for 20 "connect-finish" grep -q connect-finish "$scratch/cut"
kill -KILL "$server_pid"
ended cut cut
