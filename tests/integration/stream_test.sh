#!/usr/bin/env bash
# A plain client without our module: curl sees connect-finish, pushes, heartbeats, and the stream's end.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

start_server --heartbeat 200ms --client-max-connections 3

open_stream "$scratch/a" "userId=1&clientId=pc&channel=c1&listeners=note,other" -D "$scratch/head"
check_file 'HTTP/1.1 200' "$scratch/head"
check_file 'Content-Type: text/event-stream;charset=UTF-8' "$scratch/head"
check_file 'Cache-Control: no-cache, no-transform' "$scratch/head"
check_file 'X-Accel-Buffering: no' "$scratch/head"
check_file 'X-Sse-Version: ' "$scratch/head"
check_file 'X-Sse-Server-Id: ' "$scratch/head"
grep -qi '^content-length' "$scratch/head" && fail "a stream has no length"
# The first event, exactly.
id=$(sed -n '1s/^id://p' "$scratch/a")
[[ $id =~ ^[0-9]{10,20}$ ]] || fail "no connection id in the first line: $(head -n 4 "$scratch/a")"
check_equal "retry:5000" "$(sed -n 2p "$scratch/a")"
check_equal "event:connect-finish" "$(sed -n 3p "$scratch/a")"
[[ $(sed -n 4p "$scratch/a") =~ ^data:\{\"connectionId\":\"$id\",\"serverTime\":[0-9]{13},\"reconnectTime\":5000,\"name\":\"defaultConnectionService\",\"enableCluster\":false,\"version\":\"[^\"]+\"\}$ ]] ||
  fail "the first event is not as agreed: $(sed -n 4p "$scratch/a")"
check_equal "" "$(sed -n 5p "$scratch/a")"

# Pushes by each kind of target.
check_output '"delivered"' "$SSECTL" send --user 1 --output json "to the user"
check_exit 0 "$SSECTL" send --channel c1 "to the channel"
check_exit 0 "$SSECTL" send --all --event note --listening "to listeners"
check_exit 3 "$SSECTL" send --all --event unheard --listening "to nobody"
check_exit 3 "$SSECTL" send --user 2 "to somebody else"
wait_for 10 "the last event" grep -qx 'data:to listeners' "$scratch/a"
check_equal "data:to the user
data:to the channel
data:to listeners" "$(grep -A9 '' "$scratch/a" | grep '^data:to')"
check_equal "event:note" "$(grep -B1 'data:to listeners' "$scratch/a" | head -n 1)"

# Silence is filled with comments, that proxies keep the connection.
lines() { [[ $(grep -c '^:' "$scratch/a") -ge $1 ]]; }
wait_for 20 "heartbeats" lines 3

# A POST may bring parameters in its body.
curl -sSN -X POST -H 'Content-Type: application/json' -d '{"userId":"body","channel":"from-body","keepaliveTime":60000}' \
  "$url/my-sse/connect?userId=posted" >"$scratch/posted" 2>/dev/null &
children+=($!)
wait_for 10 "connect-finish" grep -qs connect-finish "$scratch/posted"
check_exit 0 "$SSECTL" send --channel from-body "in the body"
wait_for 10 "the event" grep -qx 'data:in the body' "$scratch/posted"
check_equal 400 "$(http_status -X POST -H 'Content-Type: application/json' -d '[1]' "$url/my-sse/connect")"
check_equal 400 "$(http_status -X POST -H 'Content-Type: application/json' -d '{' "$url/my-sse/connect")"

# keepaliveTime ends a stream without connect-close: curl just ends.
status=0
curl -sSN -m 30 "$url/my-sse/connect?userId=short&keepaliveTime=1000" >"$scratch/short" || status=$?
check_equal 0 "$status"
check_file connect-finish "$scratch/short"
grep -q connect-close "$scratch/short" && fail "a stream at the end of its time says connect-close"

# The fourth stream of a client closes its oldest, and says so; other clients of the user stay.
for i in b c d; do open_stream "$scratch/$i" "userId=1&clientId=pc"; done
wait_for 10 "connect-close" grep -qx 'event:connect-close' "$scratch/a"
check_file "data:{\"connectionId\": \"$id\",\"reason\":\"replaced\"}" "$scratch/a"
open_stream "$scratch/other" "userId=1&clientId=phone"
check_output '"total":4' curl -sS --unix-socket "$admin" "http://localhost/api/v1/connections?user=1"
for i in b c d other; do grep -q connect-close "$scratch/$i" && fail "stream $i was closed, too"; done

# Without an end in sight: 0 asks for no limit, nonsense is refused.
check_equal 400 "$(http_status "$url/my-sse/connect?keepaliveTime=soon")"
stop_server
