#!/usr/bin/env bash
# At its limits the server refuses clearly, stays quiet, serves those it has, and takes new ones when some have left.
# ctest: COST 100 TIMEOUT 240
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# --max-connections
start_server --max-connections 5
for i in 1 2 3 4 5; do open_stream "$scratch/$i" "userId=$i"; done
check_equal 503 "$(http_status "$url/my-sse")"
check_file "--max-connections" "$scratch/body"
check_exit 0 "$SSECTL" send --user 1 "still served"
wait_for 10 "the event" grep -qx 'data:still served' "$scratch/1"
kill "$stream_pid"
answers() { [[ $(http_status "$url/my-sse") == "$1" ]]; }
wait_for 10 "room" answers 200
stop_server

# --max-connections-per-ip
start_server --max-connections-per-ip 2
open_stream "$scratch/a" userId=a --interface 127.0.0.5
open_stream "$scratch/b" userId=b --interface 127.0.0.5
first=$stream_pid
check_equal 429 "$(http_status --interface 127.0.0.5 "$url/my-sse")"
check_file "--max-connections-per-ip" "$scratch/body"
check_equal 200 "$(http_status --interface 127.0.0.6 "$url/my-sse")"
kill "$first"
room() { [[ $(http_status --interface 127.0.0.5 "$url/my-sse") == 200 ]]; }
wait_for 10 "room" room
stop_server

check_metric() { # NAME{LABELS} VALUE
  curl -sS --unix-socket "$admin" http://localhost/metrics >"$scratch/metrics"
  check_file "$1 $2" "$scratch/metrics"
}

# --admin-max-connections: whoever is over it learns why, and the pages do not notice.
start_server --admin-max-connections 2
hold_admin() {
  python3 - "$admin" "$scratch/held" <<'PY' &
import socket, sys, time
held = []
while len(held) < 2:
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    s.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    # The start of the server has asked, too, and its connection may still count.
    if s.recv(1000).startswith(b"HTTP/1.1 200 "):
        held.append(s)
open(sys.argv[2], "w").close()
time.sleep(600)
PY
  holder=$!
  children+=("$holder")
  wait_for 20 "two admin connections" test -e "$scratch/held"
}
hold_admin
admin_is_full() { [[ $(http_status --unix-socket "$admin" http://localhost/healthz) == 503 ]]; }
wait_for 20 "the limit of the admin API" admin_is_full
check_file "--admin-max-connections" "$scratch/body"
check_equal 200 "$(http_status "$url/my-sse")"
kill -KILL "$holder"
has_room() { [[ $(http_status --unix-socket "$admin" http://localhost/healthz) == 200 ]]; }
wait_for 20 "room at the admin API" has_room
refusals() { curl -sS --unix-socket "$admin" http://localhost/metrics | grep '^sse_http_refused_total{listener="admin",reason="max_connections"} [1-9]'; }
refusals >/dev/null || fail "no refusal was counted"

# A head and a body that never end are given up, and counted.
python3 - "${url##*:}" <<'PY'
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall(b"GET /my-sse/sse.js HTTP/1.1\r\nHo")
s.settimeout(60)
while s.recv(1000):
    pass
PY
check_metric 'sse_http_timeouts_total{listener="public"}' 1
stop_server

# --max-body-disk: a body that finds no room on disk is refused; one that fits is not, and memory is given back.
start_server --max-body-disk 2MiB --max-body 1MiB --max-upload 2MiB
open_stream "$scratch/uploader" userId=uploader
upload_to="$url/my-sse/connect/upload/a.do?userId=uploader&connectionId=$(sed -n '1s/^id://p' "$scratch/uploader")"
python3 - "${url##*:}" "$upload_to" <<'PY' &
import socket, sys, time
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall((f"POST {sys.argv[2][sys.argv[2].index('/my-sse'):]} HTTP/1.1\r\nHost: localhost\r\n"
           "Content-Type: multipart/form-data; boundary=B\r\nContent-Length: 1900000\r\n\r\n").encode() + b"x" * 1200000)
time.sleep(600)
PY
staller=$!
children+=("$staller")
half_on_disk() { [[ -n $(find -L "/proc/$server_pid/fd" -maxdepth 1 -type f -size +1000k ! -name '[012]' 2>/dev/null) ]]; }
wait_for 20 "half an upload on disk" half_on_disk
head -c 1500000 /dev/zero >"$scratch/file"
disk_is_full() { [[ $(http_status -F "f=@$scratch/file" "$upload_to") == 503 ]]; }
wait_for 20 "a full disk budget" disk_is_full
check_file "--max-body-disk" "$scratch/body"
grep -q '^sse_http_bodies_refused_total{listener="public",reason="disk"} [1-9]' \
  <(curl -sS --unix-socket "$admin" http://localhost/metrics) || fail "no refused body was counted"
kill -KILL "$staller"
uploads_work() { [[ $(http_status -F "f=@$scratch/file" "$upload_to") == 200 ]]; }
wait_for 20 "room for an upload" uploads_work
check_metric 'sse_http_body_memory_bytes{listener="public"}' 0
stop_server

# Out of descriptors: no option protects a server whose limit is this low. 230 clients want streams.
cat >"$scratch/clients.py" <<'END'
import select, socket, sys
port, wanted = int(sys.argv[1]), 230
def connect(i):
    s = socket.create_connection(("127.0.0.1", port), timeout=30)
    s.sendall(b"GET /my-sse/connect?userId=%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % i)
    return s
sockets, opened, refused = [], [], 0
for i in range(wanted):
    try:
        s = connect(i)
        head = s.recv(4096)
    except OSError:
        head = b""
    if b" 200 " in head:
        opened.append(s)
    else:
        refused += 1
        assert head == b"" or b" 503 " in head, head
print("full", len(opened), refused, flush=True)
sys.stdin.readline()
for s in opened[:50]:
    s.close()
print("closed", flush=True)
sys.stdin.readline()
END
# Its own admin connections need descriptors as well: it is asked with /proc.
admin=$scratch/low.sock server_log=$scratch/server-low.log
(ulimit -n 200; exec "$SSE_SERVE" --listen 127.0.0.1:0 --admin "unix:$admin" --db :memory: --max-connections 100000) \
  >"$server_log" 2>&1 &
server_pid=$!
servers[$server_pid]=$server_log
wait_for 20 "the fourth line" grep -q '^admin' "$server_log"
url=$(grep -oE 'http://[^ ]+' "$server_log" | head -n 1)
# One stream comes and goes first: UBSan checks each type once, and needs a free descriptor for that (it probes memory
# through a pipe).
open_stream "$scratch/first" userId=first
kill "$stream_pid"
gone() { [[ $(curl -sS --unix-socket "$admin" http://localhost/api/v1/status) == *'"connections":0,'* ]]; }
wait_for 20 "the first stream's end" gone
coproc clients { python3 "$scratch/clients.py" "${url##*:}"; }
children+=("$clients_PID")
read -r -t 120 word opened refused <&"${clients[0]}" || fail "the clients did not get through"
check_equal full "$word"
((opened > 100 && refused > 0)) || fail "$opened streams opened, $refused refused: the limit was not met"
check_file "out of descriptors" "$server_log"

ticks() { awk '{sub(/^.*\) /, ""); print $12 + $13}' "/proc/$server_pid/stat"; }
before=$(ticks)
sleep 2
used=$(($(ticks) - before))
((used < $(getconf CLK_TCK))) || fail "the server spins: $used ticks of CPU in two idle seconds"

echo >&"${clients[1]}"
read -r -t 30 word <&"${clients[0]}" || fail "the clients are gone"
wait_for 20 "room after some have left" answers 200
export SSECTL_SERVER=unix:$admin
check_exit 0 "$SSECTL" status
echo >&"${clients[1]}"
stop_server
