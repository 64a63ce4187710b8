#!/usr/bin/env bash
# Behind a proxy: who the user is and where from is believed only when a trusted proxy says it; CORS for other origins.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

start_server --auth header --trusted-proxy 127.0.0.1 --cors-origin https://page.example
from_proxy=(--interface 127.0.0.1)
from_elsewhere=(--interface 127.0.0.9)

check_equal 401 "$(http_status "${from_proxy[@]}" "$url/my-sse/connect?userId=1")"
check_equal "" "$(<"$scratch/body")"
check_equal 401 "$(http_status "${from_elsewhere[@]}" -H 'X-Sse-User: 1' "$url/my-sse/connect")"
check_equal 401 "$(http_status "${from_elsewhere[@]}" -H 'X-Sse-User: 1' -H 'X-Forwarded-For: 127.0.0.1' \
  "$url/my-sse/connect")"
open_stream "$scratch/stream" "" "${from_proxy[@]}" -H 'X-Sse-User: alice' -H 'X-Sse-Tenant: acme' \
  -H 'X-Forwarded-For: 6.6.6.6, 203.0.113.7'
check_exit 0 "$SSECTL" send --tenant acme hello
wait_for 10 "the event" grep -qx 'data:hello' "$scratch/stream"
list=$(curl -sS --unix-socket "$admin" "http://localhost/api/v1/connections?user=alice")
# The last hop before the proxy; what a client writes in front of it may be forged.
check_contains '"requestIp":"203.0.113.7"' "$list"

# Requests of the page are the user's own.
id=$(sed -n '1s/^id://p' "$scratch/stream")
hello="$url/my-sse/connect/message/hello.do?connectionId=$id"
check_equal 401 "$(http_status "${from_elsewhere[@]}" -H 'X-Sse-User: alice' -X POST "$hello")"
check_equal 404 "$(http_status "${from_proxy[@]}" -H 'X-Sse-User: mallory' -X POST "$hello")"
# The same name at another tenant is another user.
check_equal 404 "$(http_status "${from_proxy[@]}" -H 'X-Sse-User: alice' -X POST "$hello")"
check_equal 200 "$(http_status "${from_proxy[@]}" -H 'X-Sse-User: alice' -H 'X-Sse-Tenant: acme' -X POST "$hello")"

# CORS: the origin that was allowed, with credentials; no other.
headers() { curl -sS "${from_proxy[@]}" -o /dev/null -D - "$@" | tr -d '\r'; }
allowed=$(headers -H 'Origin: https://page.example' "$url/my-sse")
check_contains "Access-Control-Allow-Origin: https://page.example" "$allowed"
check_contains "Access-Control-Allow-Credentials: true" "$allowed"
check_contains "Vary: Origin" "$allowed"
[[ $(headers -H 'Origin: https://evil.example' "$url/my-sse") != *Access-Control* ]] || fail "another origin is allowed"
[[ $(headers "$url/my-sse") != *Access-Control* ]] || fail "a request without Origin is answered with CORS headers"
preflight=$(headers -X OPTIONS -H 'Origin: https://page.example' -H 'Access-Control-Request-Method: POST' \
  -H 'Access-Control-Request-Headers: content-type' "$url/my-sse/connect/addListener.do")
check_contains "HTTP/1.1 204" "$preflight"
check_contains "Access-Control-Allow-Headers: content-type" "$preflight"
curl -sSN "${from_proxy[@]}" -H 'X-Sse-User: bob' -H 'Origin: https://page.example' -D "$scratch/head" \
  "$url/my-sse/connect" >"$scratch/cors" 2>/dev/null &
children+=($!)
wait_for 10 connect-finish grep -qs connect-finish "$scratch/cors"
check_file "Access-Control-Allow-Origin: https://page.example" "$scratch/head"
stop_server

# Without a trusted proxy no client's X-Forwarded-For counts.
start_server
open_stream "$scratch/direct" userId=1 -H 'X-Forwarded-For: 203.0.113.7'
list=$(curl -sS --unix-socket "$admin" "http://localhost/api/v1/connections?user=1")
check_contains '"requestIp":"127.0.0.1"' "$list"
stop_server
