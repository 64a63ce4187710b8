#!/usr/bin/env bash
# Nothing is believed because it was said: header values are what was sent, addresses have one form, and pages of other
# origins make a browser open no streams.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# A listener for both families sees IPv4 peers as ::ffff:127.0.0.1.
listen="[::]:0" start_server --auth header --trusted-proxy 127.0.0.1 --max-connections-per-ip 1
url=http://127.0.0.1:${url##*:}
open_stream "$scratch/a" "" -H 'X-Sse-User: a%64min' -H 'X-Forwarded-For: 6.6.6.6' -H 'X-Forwarded-For: 203.0.113.7:4711'
shown=$(curl -sS --unix-socket "$admin" "http://localhost/api/v1/connections")
check_contains '"accessUserId":"a%64min"' "$shown"
check_contains '"requestIp":"203.0.113.7"' "$shown"
check_equal 400 "$(http_status -H 'X-Sse-User: alice' -H 'X-Sse-User: admin' "$url/my-sse/connect")"
# Counted by the address that the proxy tells, not by the proxy's own.
check_equal 429 "$(http_status -H 'X-Sse-User: b' -H 'X-Forwarded-For: 203.0.113.7' "$url/my-sse")"
check_file "--max-connections-per-ip" "$scratch/body"
check_equal 200 "$(http_status -H 'X-Sse-User: b' -H 'Forwarded: for="[2001:db8::1]:80";proto=https' "$url/my-sse")"
open_stream "$scratch/b" "" -H 'X-Sse-User: b' -H 'Forwarded: for="[2001:db8:0:1::1]"'
check_equal 429 "$(http_status -H 'X-Sse-User: c' -H 'X-Forwarded-For: 2001:db8:0:1:ffff::2' "$url/my-sse")"
stop_server

# The token of the admin API is compared as it is, on the short way of a send and on all others.
printf 'to%%6ben\n' >"$scratch/token"
chmod 600 "$scratch/token"
start_server --admin-token-file "$scratch/token"
send() {
  http_status --unix-socket "$admin" -H "Authorization: Bearer $1" -H 'Content-Type: application/json' \
    -d '{"target":{"all":true}}' http://localhost/api/v1/send
}
status() { http_status --unix-socket "$admin" -H "Authorization: Bearer $1" http://localhost/api/v1/status; }
check_equal "200 200" "$(send to%6ben) $(status to%6ben)"
check_equal "401 401" "$(send token) $(status token)"
check_equal "401 401" "$(send to%256ben) $(status to%256ben)"
check_equal 400 "$(http_status --unix-socket "$admin" -H 'Authorization: Bearer to%6ben' -H 'Authorization: Bearer x' \
  http://localhost/api/v1/status)"

# What a foreign page makes a browser send.
image=(-H 'Sec-Fetch-Site: cross-site' -H 'Sec-Fetch-Mode: no-cors' -H 'Sec-Fetch-Dest: image')
check_equal 403 "$(http_status "${image[@]}" "$url/my-sse/connect?userId=1")"
check_file "--cors-origin" "$scratch/body"
check_equal 200 "$(http_status "${image[@]}" "$url/my-sse")"
check_equal 403 "$(http_status -H 'Sec-Fetch-Site: cross-site' -H 'Origin: https://evil.example' -d connectionId=1 \
  "$url/my-sse/connect/disconnect.do")"
open_stream "$scratch/own" userId=1 -H 'Sec-Fetch-Site: same-origin' -H 'Sec-Fetch-Mode: cors' -H 'Sec-Fetch-Dest: empty'
# A name that was let to point here.
check_equal 403 "$(http_status -H 'Host: evil.example' "$url/")"
check_file "--allowed-host" "$scratch/body"
check_equal 200 "$(http_status -H 'Host: localhost:1' "$url/")"
stop_server
start_server --allowed-host push.example.org
check_equal 200 "$(http_status -H 'Host: push.example.org' "$url/")"
check_equal 403 "$(http_status -H 'Host: example.org' "$url/")"

# Addresses of pages with secrets in them.
open_stream "$scratch/page" 'userId=1&locationHref=https%3A%2F%2Fa.example%2F%3Ftoken%3Dabcdefghijkl%26tab%3D1'
shown=$(curl -sS --unix-socket "$admin" "http://localhost/api/v1/connections")
check_contains '"locationHref":"https://a.example/?token=abcd***&tab=1"' "$shown"
if [[ $shown == *abcdefghijkl* ]]; then fail "a token is shown: $shown"; fi
stop_server
