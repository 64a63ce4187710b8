#!/usr/bin/env bash
# The public listener with TLS of its own: pages, requests, uploads, streams and qos over it, new certificates on SIGHUP,
# and clients that get it wrong.
# ctest: COST 100
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# certificate NAME SERIAL: NAME.pem and NAME.key in the scratch folder, self-signed.
certificate() {
  (umask 077 && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=IP:127.0.0.1,DNS:localhost -set_serial "$2" \
    -keyout "$scratch/$1.key" -out "$scratch/$1.pem" 2>/dev/null)
}
serial() { openssl s_client -connect "${url#https://}" -servername localhost </dev/null 2>/dev/null | openssl x509 -noout -serial; }
shows() { [[ $(serial) == "serial=$1" ]]; }
pending() { "$SSECTL" messages list -o json | python3 -c 'import json,sys; print(json.load(sys.stdin)["total"])'; }
none_pending() { [[ $(pending) == 0 ]]; }
metric() { curl -sS --unix-socket "$admin" http://localhost/metrics | sed -n "s/^$1 //p"; }

certificate server 17
certificate other 18
cert=$scratch/server.pem key=$scratch/server.key

# Wrong usage is told before anything runs.
check_exit 2 "$SSE_SERVE" --check-config --tls-cert "$cert"
check_contains "--tls-key is missing" "$errors"
check_exit 2 "$SSE_SERVE" --check-config --tls-key "$key"
check_contains "--tls-cert is missing" "$errors"
check_exit 2 "$SSE_SERVE" --check-config --tls-cert "$scratch/none.pem" --tls-key "$key"
check_contains "No such file" "$errors"
check_exit 2 "$SSE_SERVE" --check-config --tls-cert "$key" --tls-key "$key"
check_contains "no usable certificate" "$errors"
check_exit 2 "$SSE_SERVE" --check-config --tls-cert "$cert" --tls-key "$scratch/other.key"
check_contains "does not belong to" "$errors"
check_exit 2 "$SSE_SERVE" --listen 127.0.0.1:0 --admin "unix:$scratch/x.sock" --db :memory: --tls-cert "$cert" \
  --tls-key "$scratch/other.key"
check_contains "does not belong to" "$errors"
check_exit 2 "$SSE_SERVE" --check-config --admin https://127.0.0.1:0 --admin-token-file "$key"
check_contains "--tls-cert" "$errors"
check_exit 0 "$SSE_SERVE" --check-config --tls-cert "$cert" --tls-key "$key"
check_exit 0 env SSE_SERVE_TLS_CERT="$cert" SSE_SERVE_TLS_KEY="$key" "$SSE_SERVE" --check-config

printf 'tls-cert = "%s"\ntls-key = "%s"\n' "$cert" "$key" >"$scratch/server.toml"
start_server --config "$scratch/server.toml" --max-backlog 256KiB --max-upload 32MiB
export CURL_CA_BUNDLE=$cert SSL_CERT_FILE=$cert
check_contains https:// "$url"
check_output "$url" "$SSECTL" status

# The page, the module, short requests on one connection, an upload.
check_equal 200 "$(http_status "$url/")"
check_equal 200 "$(http_status "$url/my-sse")"
check_file "class Sse" "$scratch/body"
check_equal "1.1 0" "$(curl -sS -o /dev/null -o /dev/null -w '%{http_version} %{num_connects}\n' "$url/my-sse" "$url/my-sse" | tail -n1)"
open_stream "$scratch/a" "userId=ann&listeners=note"
id=$(sed -n '1s/^id://p' "$scratch/a")
check_output "1 connection" "$SSECTL" send --user ann --event note "over TLS"
wait_for 30 "an event" grep -qx 'data:over TLS' "$scratch/a"
check_equal 200 "$(http_status -H 'Content-Type: application/json' -d '{"a":1}' "$url/my-sse/connect/message/x.do?userId=ann&connectionId=$id")"
head -c 9000000 /dev/urandom >"$scratch/file"
check_equal 200 "$(http_status -F "file=@$scratch/file" "$url/my-sse/connect/upload/x.do?userId=ann&connectionId=$id")"
check_file 9000000 "$scratch/body"

# qos: curl's machine confirms; a reader that has stopped does not, and what it had no room for waits for the next.
check_output "1 connection" "$SSECTL" send --user ann --qos --wait 30s "confirmed"
wait_for 30 "an event" grep -qx 'data:confirmed' "$scratch/a"
wait_for 30 "the confirmation" none_pending
kill -STOP "$stream_pid"
head -c 150000 /dev/zero | tr '\0' x >"$scratch/large"
for _ in {1..100}; do
  "$SSECTL" send --user ann --qos --file "$scratch/large" >"$scratch/sent"
  if grep -q '^delivered  0' "$scratch/sent"; then break; fi
done
wait_for 30 "the slow reader's end" grep -q reason=slow-consumer "$server_log"
waiting=$(pending)
((waiting > 0)) || fail "messages were confirmed that no client has"
kill -KILL "$stream_pid"
open_stream "$scratch/b" "userId=ann"
wait_for 60 "what the slow reader has missed" none_pending
((waiting <= $(grep -c '^data:xxx' "$scratch/b"))) || fail "confirmed, and not there"

# ssectl as a client of the stream, too.
"$SSECTL" listen --user bob --count 1 >"$scratch/listen" &
children+=($!)
bob_is_there() { "$SSECTL" users online bob >/dev/null; }
wait_for 30 "bob" bob_is_there
check_output "1 connection" "$SSECTL" send --user bob "to bob"
wait_for 30 "what bob gets" grep -q "to bob" "$scratch/listen"
check_exit 4 env SSL_CERT_FILE="$scratch/other.pem" "$SSECTL" listen --url "$url/my-sse" --count 1
check_contains "not trusted" "$errors"
check_exit 2 "$SSECTL" bench --streams 1 --events 1
check_contains "plain HTTP" "$errors"

# A new certificate for new connections; open streams stay. One that is no good changes nothing.
open_stream "$scratch/c" "userId=carl"
shows 11 || fail "not the certificate that was given"
cp "$scratch/other.pem" "$cert"
kill -HUP "$server_pid"
wait_for 30 "a complaint" grep -q "does not belong to" "$server_log"
shows 11 || fail "half a change was taken"
cp "$scratch/other.key" "$key"
kill -HUP "$server_pid"
wait_for 30 "the new certificate" shows 12
check_output "1 connection" "$SSECTL" send --user carl "still here"
wait_for 30 "an event" grep -qx 'data:still here' "$scratch/c"
[[ $(metric sse_tls_certificate_expiry_timestamp_seconds) -gt $(date +%s) ]] || fail "the certificate's end is not told"

# Plain HTTP, garbage, half a ClientHello, and clients that vanish.
check_equal 400 "$(http_status "${url/https/http}/")"
check_file https:// "$scratch/body"
port=${url##*:}
python3 - "$port" <<'PY'
import socket, struct, sys
hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"r" * 20
kept = []
for i in range(60):
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    s.sendall([b"\x00", b"\xff" * 3000, hello, b"\x16\x03\x03\x00\x05hello", b"\x80\x2e\x01\x00\x02", hello[:3]][i % 6])
    if i % 2: s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); s.close()
    else: kept.append(s)
half = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
half.sendall(hello)
half.settimeout(60)
assert half.recv(1) == b"", "a handshake that stalls is not given up on"
PY
check_output "1 connection" "$SSECTL" send --user carl "and still"
wait_for 30 "an event" grep -qx 'data:and still' "$scratch/c"
[[ $(metric 'sse_tls_handshakes_total{listener="public",result="timeout"}') -ge 1 ]] || fail "no stalled handshake was counted"
stop_server
check_contains "event:connect-finish" "$(<"$scratch/c")"

# The admin API with the same certificate, and a token.
(umask 077 && echo secret-token >"$scratch/token")
"$SSE_SERVE" --listen 127.0.0.1:0 --admin https://127.0.0.1:0 --admin-token-file "$scratch/token" --db :memory: \
  --tls-cert "$cert" --tls-key "$key" >"$scratch/server-admin.log" 2>&1 &
servers[$!]=$scratch/server-admin.log
admin_url() { remote=$(sed -n 's/^admin *\(https:[^ ]*\).*/\1/p' "$scratch/server-admin.log"); [[ -n $remote ]]; }
wait_for 30 "the admin address" admin_url
check_output "ready" "$SSECTL" --server "$remote" --token-file "$scratch/token" status
check_exit 3 "$SSECTL" --server "$remote" --token-file "$scratch/token" send --user nobody hi
check_exit 4 env SSL_CERT_FILE=/dev/null "$SSECTL" --server "$remote" --token-file "$scratch/token" status
check_contains "SSL_CERT_FILE" "$errors"
"$SSECTL" --server "$remote" --token-file "$scratch/token" events --follow -o ndjson >"$scratch/events" &
children+=($!)
followed() { "$SSECTL" --server "$remote" --token-file "$scratch/token" send --all hi >/dev/null || true; [[ -s $scratch/events ]]; }
wait_for 30 "activity events over TLS" followed

# The other direction: a hook that is asked over TLS, whose certificate is trusted, or is not.
mkdir "$scratch/hook"
HOOK_CERT=$cert HOOK_KEY=$key python3 "$(dirname "${BASH_SOURCE[0]}")/hook_server.py" "$scratch/hook" &
children+=($!)
wait_for 30 "the hook's port" test -s "$scratch/hook/port"
start_server --hook "https://127.0.0.1:$(<"$scratch/hook/port")/"
open_stream "$scratch/d" "userId=1"
check_file '"type": "connect"' "$scratch/hook/calls"
stop_server
SSL_CERT_FILE=/dev/null start_server --hook "https://127.0.0.1:$(<"$scratch/hook/port")/"
check_equal 503 "$(http_status "$url/my-sse/connect?userId=1")"
stop_server
