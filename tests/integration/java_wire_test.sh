#!/usr/bin/env bash
# What pages of the Java library sse-server send, answered as that library answers, or with a reason why not.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

start_server --demo --enable-get-json
check_exit 0 python3 "$(dirname "${BASH_SOURCE[0]}")/java_wire.py" "$url/my-sse"
stop_server

# Where users are real, a request without credentials stays refused, but for the goodbye of whoever knows both ids.
start_server --auth header --trusted-proxy 127.0.0.1
client=3f2b8a52-6c1e-4d8b-9a65-0d5b6f6a1c77
open_stream "$scratch/a" "clientId=$client" -H 'X-Sse-User: ann'
id=$(sed -n '1s/^id://p' "$scratch/a")
check_equal 401 "$(http_status -X POST "$url/my-sse/connect/message/m.do?connectionId=$id" -H "Origin: $url")"
check_equal 401 "$(http_status -X POST "$url/my-sse/connect/disconnect.do?connectionId=$id&clientId=short")"
check_equal 200 "$(http_status -X POST "$url/my-sse/connect/disconnect.do?connectionId=1&clientId=$client")"
cp "$scratch/body" "$scratch/stranger"
check_equal 1 "$("$SSECTL" connections list -o ndjson | wc -l)"
check_equal 200 "$(http_status -X POST "$url/my-sse/connect/disconnect.do?connectionId=$id&clientId=$client")"
cmp "$scratch/body" "$scratch/stranger"
wait_for 30 "the end of the stream" grep -q '^event:connect-close' "$scratch/a"
