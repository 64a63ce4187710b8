#!/usr/bin/env bash
# --web-root: files leave in pieces however slowly they are read, can be had in parts and once, and nothing but the
# folder's own files is served.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

www=$scratch/www
mkdir -p "$www/docs" "$www/.git" "$www/.well-known"
echo '<p>mine</p>' >"$www/index.html"
echo '<p>docs</p>' >"$www/docs/index.html"
echo 'secret' >"$scratch/outside"
echo 'secret' >"$www/.git/config"
echo 'secret' >"$www/.env"
echo 'Contact: a' >"$www/.well-known/security.txt"
echo '<script>alert(1)</script>' >"$www/upload"
ln -s "$scratch/outside" "$www/link"
ln -s ../outside "$www/link2"
ln -s "$scratch" "$www/up"
head -c 5000000 /dev/urandom >"$www/video.mp4"
truncate -s 50M "$www/large.bin"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
  -keyout "$scratch/key.pem" -out "$scratch/cert.pem" 2>/dev/null
chmod 600 "$scratch/key.pem"

# Twenty clients ask for 50 MiB each and read next to nothing; what the server's memory has grown by, in KiB.
read_slowly() {
  python3 - "$url" "$server_pid" <<'PY'
import re, socket, ssl, sys, time
host, port = sys.argv[1].split("//")[1].split(":")
def resident():
    return int(re.search(r"VmRSS:\s*(\d+)", open(f"/proc/{sys.argv[2]}/status").read()).group(1))
def connect():
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    s.connect((host, int(port)))
    if sys.argv[1].startswith("https"):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        s = context.wrap_socket(s)
    return s
def ask(s):
    s.sendall(b"GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")
    got = b""
    while len(got) < 100_000:
        piece = s.recv(65536)
        assert piece, got[:200]
        got += piece
    assert got.startswith(b"HTTP/1.1 200 "), got[:200]
    return len(got) - got.index(b"\r\n\r\n") - 4
# Once, so that what is made at a first use is not counted.
warm = connect(); ask(warm); warm.close()
sockets = [connect() for _ in range(20)]
before = resident()
read = [ask(s) for s in sockets]
after = resident()
# One of them reads on, to the end.
while read[0] < 50 * 1024 * 1024:
    piece = sockets[0].recv(1 << 20)
    assert piece
    read[0] += len(piece)
assert read[0] == 50 * 1024 * 1024, read[0]
print(before, after, after - before)
PY
}

for tls in no yes; do
  options=(--web-root "$www")
  [[ $tls == yes ]] && options+=(--tls-cert "$scratch/cert.pem" --tls-key "$scratch/key.pem")
  start_server "${options[@]}"
  curl=(curl -sS -k)
  status() { "${curl[@]}" --path-as-is -o "$scratch/body" -D "$scratch/head" -w '%{http_code}' "$@"; }

  read -r before after growth < <(read_slowly)
  echo "20 slow readers of 50 MiB, TLS $tls: RSS ${before} KiB before, ${after} KiB after"
  # Of 1000 MiB. Memory that malloc and AddressSanitizer (which keeps freed blocks for a while) retain counts as well.
  limit=$((16 * 1024))
  ! sanitized || limit=$((64 * 1024))
  ((growth < limit)) || fail "20 slow readers made the server grow by $growth KiB"

  # In parts, and not again.
  "${curl[@]}" -r 0-1999999 -o "$scratch/part" "$url/video.mp4"
  "${curl[@]}" -C - -o "$scratch/part" "$url/video.mp4"
  cmp "$www/video.mp4" "$scratch/part" || fail "a download that was resumed is another file"
  check_equal 206 "$(status -r 100-199 "$url/video.mp4")"
  check_file 'Content-Range: bytes 100-199/5000000' "$scratch/head"
  check_file 'Content-Type: video/mp4' "$scratch/head"
  check_equal 416 "$(status -r 5000000- "$url/video.mp4")"
  check_equal 200 "$(status -r 0-1,5-6 "$url/video.mp4")"
  check_equal 200 "$(status "$url/docs/")"
  etag=$(sed -n 's/^etag: \(.*\)\r$/\1/Ip' "$scratch/head")
  modified=$(sed -n 's/^last-modified: \(.*\)\r$/\1/Ip' "$scratch/head")
  check_file 'X-Content-Type-Options: nosniff' "$scratch/head"
  check_file 'Date: ' "$scratch/head"
  check_equal 304 "$(status -H "If-None-Match: $etag" "$url/docs/")"
  check_equal 304 "$(status -H "If-Modified-Since: $modified" "$url/docs/")"
  check_equal 412 "$(status -H 'If-Match: "other"' "$url/docs/")"
  echo '<p>new</p>' >"$www/docs/index.html"
  check_equal 200 "$(status -H "If-None-Match: $etag" "$url/docs/")"

  # Folders.
  check_equal 301 "$(status "$url/docs")"
  check_file 'Location: /docs/' "$scratch/head"
  for path in /.well-known/ //docs //docs/ ///; do check_equal 404 "$(status "$url$path")"; done

  # Nothing else.
  for path in /link /link2 /up/outside /up/www/index.html /.env /.git/config /..%2foutside /%2e%2e/outside \
    /docs/%2e%2e/%2e%2e/outside /docs%2f..%2f..%2foutside /%2eenv '/.%65nv'; do
    check_equal 404 "$(status "$url$path")"
    grep -q secret "$scratch/body" && fail "$path is served"
  done
  for path in /upload%00.html /upload%00 /docs%0a/ /%7f /index.html%0d%0aX-A:b; do
    check_equal 400 "$(status "$url$path")"
  done
  check_equal 200 "$(status "$url/upload")"
  check_file 'Content-Type: application/octet-stream' "$scratch/head"
  check_equal 200 "$(status "$url/.well-known/security.txt")"
  check_equal 405 "$(status -d x "$url/index.html")"
  check_equal 404 "$(status -d x "$url/missing")"

  # The client module, compressed and once.
  check_equal 200 "$(status -H 'Accept-Encoding: br' "$url/my-sse/sse.js")"
  check_file 'Content-Encoding: br' "$scratch/head"
  etag=$(sed -n 's/^etag: \(.*\)\r$/\1/Ip' "$scratch/head")
  check_equal 304 "$(status -H 'Accept-Encoding: br' -H "If-None-Match: $etag" "$url/my-sse/sse.js")"
  "${curl[@]}" --compressed "$url/my-sse/sse.js" >"$scratch/compressed.js"
  "${curl[@]}" "$url/my-sse/sse.js" | cmp - "$scratch/compressed.js" || fail "the compressed client is another"
  cmp "$SSE_SOURCE_DIR/lib/web/sse.js" "$scratch/compressed.js" || fail "the client is not the one of the source"
  stop_server
done

# Every other answer has a date, and says of nothing how long it is.
start_server
check_exit 0 curl -sS -D "$scratch/head" -o /dev/null -X OPTIONS "$url/my-sse/connect"
check_file 'HTTP/1.1 204' "$scratch/head"
grep -qi '^content-length' "$scratch/head" && fail "204 with a length: $(<"$scratch/head")"
for target in "$url/my-sse/connect" "$url/missing" "$url/my-sse/connect/users.json"; do
  check_exit 0 curl -sS -I "$target"
  check_contains "Date: " "$output"
  [[ $output != *Accept-Ranges* ]] || fail "$target claims to have parts: $output"
done
check_exit 0 curl -sS --unix-socket "$admin" -D "$scratch/head" -o /dev/null http://localhost/api/v1/status
check_file 'Date: ' "$scratch/head"
check_exit 0 curl -sS --unix-socket "$admin" -D "$scratch/head" -o /dev/null -H 'Content-Type: application/json' \
  -d '{"target":{"all":true},"data":"x"}' http://localhost/api/v1/send
check_file 'Date: ' "$scratch/head"
stop_server
