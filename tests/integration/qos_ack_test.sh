#!/usr/bin/env bash
# A client that confirms by itself (ack=1): nothing is forgotten before it says so, and it gets again what it does not
# confirm, on the same stream and on the next, with the same id.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

pending_is() { curl -sS --unix-socket "$admin" "http://localhost/api/v1/messages" | grep -q "\"total\":$1}"; }
id_of() { sed -n "s/.*\"id\": *\"\([0-9]*\)\".*/\1/p" <<<"$output" | head -n 1; }
ack() {  # ack USER CONNECTION IDS-AS-JSON
  curl -sS -d "{\"connectionId\":\"$2\",\"ids\":$3}" -H 'Content-Type: application/json' \
    "$url/my-sse/connect/ack.do?userId=$1"
}
copies() { [[ $(grep -c "^id:$1$" "$2") -ge $3 ]]; }

start_server --qos-ack-timeout 300ms
open_stream "$scratch/one" "userId=1&clientId=c&ack=1"
connection=$(sed -n '1s/^id://p' "$scratch/one")
check_file '"ack":true}' "$scratch/one"
check_exit 0 "$SSECTL" send --user 1 --qos --output json "handle me"
first=$(id_of)
wait_for 10 "the second copy, with the same id" copies "$first" "$scratch/one" 2
pending_is 1 || fail "forgotten without its client's word"
check_contains '"inFlight":1' "$(curl -sS --unix-socket "$admin" "http://localhost/api/v1/connections/$connection")"

# Others, and nonsense, confirm nothing.
check_contains '"acked":0' "$(ack 2 "$connection" "[\"$first\"]")"
check_contains 'connectionId not exist' "$(ack 1 5 "[\"$first\"]")"
check_contains '"acked":0' "$(ack 1 "$connection" '["7","x",null,{},-1,[],"99999999999999999999"]')"
check_equal 400 "$(http_status -d 'garbage' "$url/my-sse/connect/ack.do?userId=1")"
pending_is 1 || fail "confirmed by another user"
check_contains '"acked":1' "$(ack 1 "$connection" "[\"$first\"]")"
check_contains '"acked":0' "$(ack 1 "$connection" "[\"$first\"]")"
wait_for 10 "its removal" pending_is 0
kill "$stream_pid"

# A last event id confirms what it covers; a crash of the server in between costs nothing but a second copy.
open_stream "$scratch/two" "userId=1&clientId=c&ack=1"
for data in a b c; do check_exit 0 "$SSECTL" send --user 1 --qos --output json "$data"; done
third=$(id_of)
wait_for 10 "the last" grep -qx 'data:c' "$scratch/two"
second=$(grep -B2 -x 'data:b' "$scratch/two" | sed -n 's/^id://p' | head -n 1)
kill "$stream_pid"
open_stream "$scratch/three" "userId=1&clientId=c&ack=1&lastEventId=$second"
wait_for 10 "what the id does not cover" grep -qx 'data:c' "$scratch/three"
grep -qxE 'data:[ab]' "$scratch/three" && fail "a message the client has reported came again"
wait_for 10 "only that one" pending_is 1
kill "$stream_pid"
kill_server
start_server
open_stream "$scratch/four" "userId=1&clientId=c&ack=1&lastEventId=$third"
wait_for 10 "it" grep -qx "id:$third" "$scratch/four"
connection=$(sed -n '1s/^id://p' "$scratch/four")
check_contains '"acked":1' "$(ack 1 "$connection" "[$third]")"
wait_for 10 "an empty repository" pending_is 0
stop_server

check_exit 2 "$SSE_SERVE" --qos-ack-timeout 5ms --check-config
check_contains '--qos-ack-timeout' "$errors"
