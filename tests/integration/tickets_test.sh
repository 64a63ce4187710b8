#!/usr/bin/env bash
# A ticket from its creation to its only stream, beside every authentication; and that it is written nowhere.
# ctest: COST 100
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$scratch"
connect_status() { http_status --max-time 5 -D "$scratch/head" "$url/my-sse/connect?$1"; }
counter() { curl -sS --unix-socket "$admin" http://localhost/metrics | sed -n "s/^$1 //p"; }
form='Content-Type: application/json'

"$SSECTL" key create push.key >/dev/null
cat >hook.py <<'PY'
import http.server
class Refusing(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.send_response(401)
        self.end_headers()
    def log_message(self, *arguments):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Refusing)
print(server.server_port, flush=True)
server.serve_forever()
PY
python3 hook.py >port &
children+=("$!")
wait_for 30 "the authentication service" test -s port

for kind in demo jwt webhook header; do
  case $kind in
    jwt) options=(--jwt-key-file push.key.jwks) ;;
    webhook) options=(--auth-url "http://127.0.0.1:$(<port)/") ;;
    header) options=(--trusted-proxy 192.0.2.1) ;;
    *) options=() ;;
  esac
  start_server --auth "$kind" "${options[@]}" --log-level debug
  [[ $kind == demo ]] || check_equal 401 "$(connect_status clientId=1)"
  ticket=$("$SSECTL" ticket create --user ann --tenant acme --token s1 --profile '{"name":"Ann"}' --channels 'team.*,news')
  [[ $ticket =~ ^sset_0_[A-Za-z0-9_-]{43}$ ]] || fail "not a ticket: $ticket"
  check_equal 200 "$(http_status --max-time 5 -I "$url/my-sse/connect?ticket=$ticket")"
  # A page may have got it in its own address.
  open_stream stream "ticket=$ticket&userId=bob&ack=1&channel=team.red&locationHref=https%3A%2F%2Fexample.org%2F%3Fticket%3D$ticket"
  # By the user, tenant and session that it names.
  check_output "delivered  1 connection" "$SSECTL" send --user ann --tenant acme hello
  check_output "delivered  1 connection" "$SSECTL" send --token s1 hello
  # And in a channel that it lists: all others are closed.
  check_output "delivered  1 connection" "$SSECTL" send --channel team.red hello
  check_equal 401 "$(connect_status "ticket=$ticket")"
  check_file 'error="invalid_token", error_description="the ticket cannot be redeemed' head
  key=$(sed -nE 's/.*"requestKey":"([^"]+)".*/\1/p' stream)
  connection=$(sed -nE 's/.*"connectionId":"([0-9]+)".*/\1/p' stream)
  body='{"connectionId":"'$connection'","listener":["news"]}'
  page=$url/my-sse/connect
  check_equal 200 "$(http_status -d "$body" -H "$form" "$page/addListener.do?requestKey=$key")"
  check_file '"listener":["news"]' body
  check_equal 200 "$(http_status -d "$body" -H "$form" -H "X-Sse-Request-Key: $key" "$page/removeListener.do")"
  check_file '"listener":[]' body
  # What the ticket allows, it allows the open stream, too.
  check_equal 200 "$(http_status -d '{"connectionId":"'"$connection"'","channels":["team.blue","board"]}' -H "$form" "$page/subscribe.do?requestKey=$key")"
  check_file '[{"channel":"team.blue","joined":true},' "$scratch/body"
  [[ $kind == demo ]] || check_file '{"channel":"board","joined":false,"reason":"no-rule"}]' "$scratch/body"
  check_equal 401 "$(http_status -d "$body" -H "$form" "$page/addListener.do?requestKey=ssek_x.y")"
  check_equal 200 "$(http_status -d '{}' -H "$form" "$page/message/hello.do?requestKey=$key&connectionId=$connection")"
  check_equal 200 "$(http_status -F file=@push.key.jwks "$page/upload/docs.do?requestKey=$key&connectionId=$connection")"
  id=$("$SSECTL" send -o json --user ann --tenant acme --qos kept | sed -nE 's/.*"id": ?"([0-9]+)".*/\1/p' | head -n1)
  wait_for 10 "the message" grep -q kept stream
  check_equal 200 "$(http_status -d '{"connectionId":"'"$connection"'","ids":["'"$id"'"]}' "$page/ack.do?requestKey=$key")"
  check_file '"acked":1' body
  # Neither in a listing, nor in an event, nor in the log.
  for shown in "connections list -o json" "connections show $connection -o json" "events --last 100 -o ndjson" "users list -o json"; do
    # shellcheck disable=SC2086
    check_exit 0 "$SSECTL" $shown
    [[ $output != *"$ticket"* && $output != *"${ticket:7}"* ]] || fail "$shown shows the ticket"
    [[ $output != *"$key"* ]] || fail "$shown shows the request key"
  done
  check_exit 0 "$SSECTL" events --last 100 -o ndjson
  check_contains invalid-ticket "$output"
  ! grep -qF -- "${ticket:7}" "$server_log" || fail "the ticket is in the log"
  ! grep -qF -- "$key" "$server_log" || fail "the request key is in the log"
  check_equal 1 "$(counter 'sse_tickets_issued_total{service="defaultConnectionService"}')"
  check_equal 1 "$(counter 'sse_tickets_redeemed_total{service="defaultConnectionService"}')"
  check_equal 1 "$(counter 'sse_tickets_refused_total{reason="invalid"}')"
  check_equal 0 "$(counter sse_tickets)"
  check_equal 200 "$(http_status -d "connectionId=$connection" "$page/disconnect.do?requestKey=$key")"
  check_file '"count":1' body
  stop_server
done

# What cannot be created says why.
start_server --max-tickets 2
check_exit 2 "$SSECTL" ticket create --user ann --ttl 11m
check_contains "from 1s to 10m" "$errors"
check_exit 2 "$SSECTL" ticket create --user ann --profile '{'
check_exit 2 "$SSECTL" ticket create --user ann --profile '[]'
check_contains "must be an object" "$errors"
check_exit 2 "$SSECTL" ticket create
check_exit 3 "$SSECTL" --service other ticket create --user ann
check_exit 0 "$SSECTL" ticket create --user ann --ttl 10m -o json
check_contains '"expireTime"' "$output"
"$SSECTL" ticket create --user ann --ttl 10m >second
check_exit 1 "$SSECTL" ticket create --user ann
check_contains "--max-tickets" "$errors"
check_equal 429 "$(http_status --unix-socket "$admin" -d '{"user":"ann"}' http://localhost/api/v1/tickets)"
check_equal 2 "$(counter 'sse_tickets_refused_total{reason="limit"}')"
check_equal 2 "$(counter sse_tickets)"
# A stream makes room.
open_stream stream "ticket=$(<second)"
check_equal 200 "$(http_status --unix-socket "$admin" http://localhost/api/v1/tickets \
  -d '{"service":"defaultConnectionService","user":"a","tenant":"t","token":"k","profile":{},"channels":["c"],"ttl":"1m"}')"
check_exit 2 "$SSE_SERVE" --max-tickets 0
for wrong in '{}' '{"user":1}' '{"user":"a","ttl":"x"}' '{"user":"a","profile":[]}' '{"user":"a","channels":["a*b"]}' '{"user":"a","more":1}' '[]'; do
  check_equal 400 "$(http_status --unix-socket "$admin" -d "$wrong" http://localhost/api/v1/tickets)"
done
