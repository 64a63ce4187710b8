#!/usr/bin/env bash
# Who a user is, beyond the demo's: signed tokens (--auth jwt) and a service that is asked (--auth webhook).
# ctest: COST 100
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# jwt SECRET CLAIMS: a token of HMAC-SHA256.
jwt() {
  python3 - "$1" "$2" <<'PY'
import base64, hashlib, hmac, json, sys, time
part = lambda b: base64.urlsafe_b64encode(b).rstrip(b"=")
claims = json.loads(sys.argv[2])
claims.setdefault("exp", int(time.time()) + 600)
text = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(json.dumps(claims).encode())
print((text + b"." + part(hmac.new(sys.argv[1].encode(), text, hashlib.sha256).digest())).decode())
PY
}
connect_status() { http_status --max-time 5 "$url/my-sse/connect?$1" "${@:2}"; }
secret=a-secret-of-more-than-32-bytes-for-tests

check_exit 2 "$SSE_SERVE" --check-config --auth jwt
check_contains --jwt-key-file "$errors"
check_exit 2 "$SSE_SERVE" --check-config --auth webhook
check_contains --auth-url "$errors"
check_exit 2 "$SSE_SERVE" --check-config --auth-url http://127.0.0.1/
echo short >"$scratch/key"
check_exit 2 "$SSE_SERVE" --check-config --auth jwt --jwt-secret-file "$scratch/key"
check_contains "less than 32 bytes" "$errors"
check_exit 2 "$SSE_SERVE" --check-config --jwt-secret-file "$scratch/key"
check_contains "--jwt-secret-file is for --auth jwt" "$errors"
# Text is no key: not a secret, and not the page of a proxy that says what is wrong.
echo "$secret" >"$scratch/key"
check_exit 2 "$SSE_SERVE" --check-config --auth jwt --jwt-key-file "$scratch/key"
check_contains "--jwt-secret-file" "$errors"
error_page='<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body></body></html>'
echo "$error_page" >"$scratch/page"
for option in --jwt-key-file --jwt-secret-file; do
  check_exit 2 "$SSE_SERVE" --check-config --auth jwt "$option" "$scratch/page"
  check_contains "a web page" "$errors"
done
for option in --admin-token-file '--hook http://127.0.0.1:1/ --hook-secret-file'; do
  # shellcheck disable=SC2086
  check_exit 2 "$SSE_SERVE" --check-config $option "$scratch/page"
  check_contains "a web page" "$errors"
done

(umask 077 && echo "$secret" >"$scratch/key")
(umask 077 && echo "admin-token" >"$scratch/token")
start_server --auth jwt --jwt-secret-file "$scratch/key" --jwt-cookie session --jwt-leeway 1s \
  --admin-token-file "$scratch/token"
export SSECTL_TOKEN_FILE=$scratch/token
token=$(jwt "$secret" '{"sub":"ann","tenant":"hr","jti":"login-17","name":"Ann"}')
check_equal 401 "$(connect_status "")"
check_equal "" "$(<"$scratch/body")"
check_equal 401 "$(connect_status "userId=ann")"
check_equal 401 "$(connect_status "access-token=$token-" -D "$scratch/head")"
check_file 'WWW-Authenticate: Bearer error="invalid_token", error_description="no key of ' "$scratch/head"
# HEAD says what a stream would get, and is no try.
check_equal 401 "$(connect_status "access-token=$token-" -I)"
check_equal 200 "$(connect_status "access-token=$token" -I)"
check_output "401 unauthenticated" "$SSECTL" events --type refused
check_equal 3 "$(wc -l <<<"$output")"
check_contains "401 invalid-token (no key of " "$output"
check_file "a stream was refused service=defaultConnectionService status=401 reason=invalid-token" "$server_log"
open_stream "$scratch/a" "access-token=$token&clientId=1"
open_stream "$scratch/b" "clientId=2" -H "Authorization: Bearer $token"
open_stream "$scratch/c" "clientId=3" -b "session=$token"
check_output '"accessTenantId": "hr"' "$SSECTL" connections show "$(sed -n '1s/^id://p' "$scratch/a")" -o json
check_contains '"accessUserId": "ann"' "$output"
check_contains '"name": "Ann"' "$output"
! grep -q "${token##*.}" <<<"$output" || fail "the token is shown"
check_output "3 connections" "$SSECTL" send --token login-17 hello
# A stream lives no longer than its token.
brief=$(jwt "$secret" "{\"sub\":\"ann\",\"exp\":$(($(date +%s) + 8))}")
open_stream "$scratch/d" "access-token=$brief&clientId=4&keepaliveTime=0"
brief_ended() { ! kill -0 "$stream_pid" 2>/dev/null; }
wait_for 20 "the end of a stream whose token has expired" brief_ended
check_output token-expired "$SSECTL" connections list --closed --reason token-expired -o json
check_output token-expired "$SSECTL" events --user ann --type disconnect
curl -sS --unix-socket "$admin" -H "Authorization: Bearer admin-token" http://localhost/metrics >"$scratch/metrics"
check_file 'sse_streams_closed_total{reason="token-expired",service="defaultConnectionService"} 1' "$scratch/metrics"
check_file 'sse_streams_closed_total{reason="keepalive",service="defaultConnectionService"} 0' "$scratch/metrics"
check_file 'sse_connects_refused_total{reason="unauthenticated",service="defaultConnectionService",status="401"} 2' "$scratch/metrics"
check_file 'sse_connects_refused_total{reason="invalid-token",service="defaultConnectionService",status="401"} 1' "$scratch/metrics"
check_equal 401 "$(connect_status "access-token=$brief")"
# New keys are read on SIGHUP; streams stay; a file that makes no sense changes nothing.
echo "$secret-new" >"$scratch/key"
kill -HUP "$server_pid"
new_key() { [[ $(connect_status "access-token=$token") == 401 ]]; }
wait_for 10 "the new key" new_key
check_exit 0 "$SSECTL" send --user ann "still here"
wait_for 10 "an event" grep -qx 'data:still here' "$scratch/a"
complaints() { [[ $(grep -c "reload failed" "$server_log") -eq $1 ]]; }
expected=0
for text in short "$error_page" '{"keys":[]}' '["0123456789012345678901234567890123456789"]' $'\xef\xbb\xbf'"$secret" ''; do
  echo "$text" >"$scratch/key"
  kill -HUP "$server_pid"
  wait_for 10 "a complaint about '$text'" complaints $((++expected))
done
echo "$secret-new" >"$scratch/key"
# The admin token, too.
for text in "$error_page" '{"message":"denied"}' $'\xef\xbb\xbfadmin-token' '-----BEGIN PRIVATE KEY-----'; do
  echo "$text" >"$scratch/token"
  kill -HUP "$server_pid"
  wait_for 10 "a complaint about '$text'" complaints $((++expected))
  check_equal 401 "$(http_status --unix-socket "$admin" -H "Authorization: Bearer $text" http://localhost/api/v1/status)"
  check_equal 200 "$(http_status --unix-socket "$admin" -H "Authorization: Bearer admin-token" http://localhost/api/v1/status)"
done
printf 'admin-token\r\n' >"$scratch/token"
check_exit 0 "$SSECTL" status
unset SSECTL_TOKEN_FILE
open_stream "$scratch/e" "access-token=$(jwt "$secret-new" '{"sub":"bob"}')"
grep -q "${token##*.}" "$server_log" && fail "a token is in the log"
stop_server

# Whose tokens, for whom, and which claims say what.
echo "$secret" >"$scratch/key"
start_server --auth jwt --jwt-secret-file "$scratch/key" --jwt-issuer https://login.example --jwt-audience push \
  --jwt-audience news --jwt-user-claim employee --jwt-tenant-claim company --jwt-token-claim session
claims='"employee":"eve","company":"hr","session":"login-18","sub":"no","tenant":"no","jti":"no"'
good=$(jwt "$secret" "{\"iss\":\"https://login.example\",\"aud\":[\"other\",\"news\"],$claims}")
open_stream "$scratch/g" "access-token=$good&clientId=1"
check_output '"accessTenantId": "hr"' "$SSECTL" connections show "$(sed -n '1s/^id://p' "$scratch/g")" -o json
check_contains '"accessUserId": "eve"' "$output"
check_output "1 connection" "$SSECTL" send --token login-18 hello
for wrong in '"iss":"https://other.example","aud":"push"' '"aud":"push"' '"iss":"https://login.example"' \
  '"iss":"https://login.example","aud":"other"'; do
  check_equal 401 "$(connect_status "access-token=$(jwt "$secret" "{$wrong,$claims}")")"
done
nobody=$(jwt "$secret" '{"iss":"https://login.example","aud":"push","sub":"eve"}')
check_equal 401 "$(connect_status "access-token=$nobody")"
stop_server

# A service that is asked.
mkdir "$scratch/service"
python3 - "$scratch/service" <<'PY' &
import http.server, json, os, sys, time
folder = sys.argv[1]
class Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        cookie = self.headers.get("Cookie", "")
        with open(folder + "/calls", "a") as f:
            f.write(json.dumps([cookie, self.headers.get("Authorization", ""), body]) + "\n")
        if "hang" in cookie: time.sleep(600)
        status, answer = 401, b""
        if "ann" in cookie: status, answer = 200, b'{"user":"ann","tenant":5,"token":"t1","profile":{"name":"Ann"}}'
        if "banned" in cookie: status = 403
        if "odd" in cookie: status, answer = 200, b"<html>"
        if "nobody" in cookie: status, answer = 200, b"{}"
        if "broken" in cookie: status = 500
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
server = Server(("127.0.0.1", 0), Service)
open(folder + "/port.new", "w").write(str(server.server_port))
os.rename(folder + "/port.new", folder + "/port")
server.serve_forever()
PY
service_pid=$!
children+=("$service_pid")
wait_for 30 "the service" test -s "$scratch/service/port"
start_server --auth webhook --auth-url "http://127.0.0.1:$(<"$scratch/service/port")/who" --auth-timeout 1s \
  --auth-cache 1m
open_stream "$scratch/f" "access-token=q&userId=ignored&other=x" -b "login=ann" -H "Authorization: Basic abc"
check_equal '["login=ann", "Basic abc", {"address": "127.0.0.1", "origin": "", "parameters": {"access-token": "q", "userId": "ignored"}}]' \
  "$(head -n 1 "$scratch/service/calls")"
id=$(sed -n '1s/^id://p' "$scratch/f")
check_output '"accessTenantId": "5"' "$SSECTL" connections show "$id" -o json
check_contains '"accessUserId": "ann"' "$output"
# The same credentials again: no need to ask.
check_equal 200 "$(http_status -H 'Content-Type: application/json' -b "login=ann" -H "Authorization: Basic abc" \
  -d "{\"connectionId\":\"$id\",\"listener\":[\"a\"]}" "$url/my-sse/connect/addListener.do?access-token=q&userId=ignored")"
check_file '"listener":["a"]' "$scratch/body"
check_equal 1 "$(wc -l <"$scratch/service/calls")"
for cookie in none banned; do check_equal 401 "$(connect_status "" -b "login=$cookie")"; done
for cookie in odd nobody broken hang; do
  check_equal 503 "$(connect_status "" -b "login=$cookie" -D "$scratch/head")"
  check_file 'Retry-After: 5' "$scratch/head"
done
# While many wait for it, others are served.
for i in {1..40}; do
  curl -s -o /dev/null -b "login=hang$i" "$url/my-sse/connect" &
  children+=($!)
done
check_exit 0 timeout 5 curl -sSf -o /dev/null "$url/my-sse/sse.js"
check_exit 0 timeout 5 "$SSECTL" send --user ann "served"
kill -KILL "$service_pid"
unreachable() { [[ $(connect_status "" -b "login=new") == 503 ]]; }
wait_for 20 "503 of a service that is gone" unreachable
check_file "authentication service failed" "$server_log"
stop_server

# It hears of the parameters that are named, and of no others.
: >"$scratch/service/calls"
python3 - "$scratch/service" <<'PY' &
import http.server, json, os, sys
folder = sys.argv[1]
class Service(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with open(folder + "/calls", "a") as f:
            f.write(json.dumps(body["parameters"]) + "\n")
        answer = b'{"user":"ann"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
server = http.server.HTTPServer(("127.0.0.1", 0), Service)
open(folder + "/second.new", "w").write(str(server.server_port))
os.rename(folder + "/second.new", folder + "/second")
server.serve_forever()
PY
children+=($!)
wait_for 30 "the second service" test -s "$scratch/service/second"
start_server --auth webhook --auth-url "http://127.0.0.1:$(<"$scratch/service/second")/who" --auth-parameter device \
  --auth-parameter site
open_stream "$scratch/h" "access-token=q&userId=ignored&device=7&site=b"
check_equal '{"device": "7", "site": "b"}' "$(head -n 1 "$scratch/service/calls")"
stop_server
