#!/usr/bin/env bash
# Uploads: large ones do not sit in memory, slow ones delay no other client, what is cut off leaves nothing behind.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

mkdir "$scratch/uploads"
start_server --upload-dir "$scratch/uploads" --max-upload 200MiB --max-body 1MiB
open_stream "$scratch/a" "userId=1"
id=$(sed -n '1s/^id://p' "$scratch/a")
to="$url/my-sse/connect/upload/album.do?userId=1&connectionId=$id"
no_files_left() { [[ -z $(ls -A "$scratch/uploads") ]]; }
peak_kib() { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$server_pid/status"; }

truncate -s 100M "$scratch/film"
before=$(peak_kib)
check_equal 200 "$(http_status -F "film=@$scratch/film;type=video/mp4" -F title=Holiday "$to")"
check_file '"files":[{"contentType":"video/mp4","field":"film","filename":"film","size":104857600}]' "$scratch/body"
check_file '"fields":{"title":"Holiday"}' "$scratch/body"
check_equal 200 "$(http_status -H 'Transfer-Encoding: chunked' -F "film=@$scratch/film" "$to")"
check_file '"size":104857600' "$scratch/body"
# A sanitizer keeps what was freed, and more beside it.
sanitized || (($(peak_kib) - before < 40000)) || fail "memory grew from $before to $(peak_kib) KiB with an upload of 100 MiB"
wait_for 5 "an empty folder" no_files_left
# Every byte, whatever pieces it came in.
head -c 3000001 /dev/urandom >"$scratch/photo"
python3 - "$url" "$id" "$scratch/photo" <<'PY'
import json, socket, sys
host, port = sys.argv[1][7:].split(":")
photo = open(sys.argv[3], "rb").read()
body = (b'--B\r\nContent-Disposition: form-data; name="p"; filename="p"\r\n\r\n' + photo + b"\r\n--B--\r\n")
head = (f"POST /my-sse/connect/upload/x.do?userId=1&connectionId={sys.argv[2]} HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: multipart/form-data; boundary=B\r\nContent-Length: {len(body)}\r\n\r\n").encode()
for piece in (7919, 65536, 65537, 1 << 20):
    s = socket.create_connection((host, int(port)))
    s.sendall(head)
    for i in range(0, len(body), piece):
        s.sendall(body[i:i + piece])
    # The next request on the same connection is seen, too.
    s.sendall(b"GET /my-sse/sse.js HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    answer = b""
    while part := s.recv(65536):
        answer += part
    assert b'"size":3000001' in answer and answer.count(b"HTTP/1.1 200") == 2, answer[:500]
PY

# Too large: by its length at once, in chunks when it gets there; other requests have their own, smaller limit.
truncate -s 300M "$scratch/larger"
check_equal 413 "$(http_status -F "film=@$scratch/larger" "$to" -D "$scratch/head")"
check_contains '{"success":false,"code":413,"data":null,"message":null,"errorMessage":"the request body' "$(<"$scratch/body")"
check_contains "X-Sse-Server-Id: " "$(<"$scratch/head")"
check_equal 413 "$(http_status -H 'Transfer-Encoding: chunked' -F "film=@$scratch/larger" "$to")"
check_equal 413 "$(http_status -H 'Content-Type: application/json' --data-binary "@$scratch/photo" \
  "$url/my-sse/connect/message/x.do?userId=1&connectionId=$id")"
check_equal 415 "$(http_status -H 'Content-Type: text/plain' --data-binary "@$scratch/photo" "$to")"
check_equal 404 "$(http_status -F "film=@$scratch/photo" "$url/my-sse/connect/upload/x.do?userId=1&connectionId=1")"

# A hundred that stall half way delay no other client; when they are cut off nothing is left of them.
descriptors() { ls "/proc/$server_pid/fd" | wc -l; }
quiet=$(descriptors)
python3 - "$url" "$id" "$server_pid" <<'PY' &
import os, socket, sys, time
host, port = sys.argv[1][7:].split(":")
held = []
for _ in range(100):
    s = socket.create_connection((host, int(port)))
    s.sendall((f"POST /my-sse/connect/upload/x.do?userId=1&connectionId={sys.argv[2]} HTTP/1.1\r\nHost: localhost\r\n"
               "Content-Type: multipart/form-data; boundary=B\r\nContent-Length: 9000000\r\n\r\n"
               '--B\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n').encode() + b"x" * 200000)
    held.append(s)
time.sleep(600)
PY
staller=$!
children+=("$staller")
# Connections that have just been refused may have been counted as quiet ones.
stalled() { (($(descriptors) >= quiet + 180)); }
wait_for 30 "a hundred half uploads" stalled
check_equal 200 "$(http_status --max-time 10 -F "photo=@$scratch/photo" "$to")"
check_exit 0 timeout 10 "$SSECTL" send --user 1 "meanwhile"
wait_for 10 "an event" grep -qx 'data:meanwhile' "$scratch/a"
kill -KILL "$staller"
quiet_again() { (($(descriptors) <= quiet + 2)); }
wait_for 20 "the descriptors of what was cut off" quiet_again
no_files_left || fail "files stayed behind: $(ls "$scratch/uploads")"

# Nowhere to put it: an error that says so in the log, and the server goes on.
rmdir "$scratch/uploads"
check_equal 507 "$(http_status -F "photo=@$scratch/photo" "$to")"
check_file '"success":false,"code":507' "$scratch/body"
check_file "--upload-dir" "$server_log"
echo small >"$scratch/small"
check_equal 500 "$(http_status -F "photo=@$scratch/small" "$to")"
mkdir "$scratch/uploads"
check_equal 200 "$(http_status -F "photo=@$scratch/small" "$to")"
stop_server
