#!/usr/bin/env bash
# The same user id in two tenants is two people: neither acts for the other, and what is sent to one waits for that one.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

start_server
open_stream "$scratch/other" "userId=1&tenantId=other&clientId=c"
other=$(sed -n '1s/^id://p' "$scratch/other")

# Pending for one of them, over a crash.
check_exit 0 "$SSECTL" send --user 1 --tenant acme --qos "for acme"
check_contains "pending" "$output"
check_output "1 of acme" "$SSECTL" messages list
check_output "1 of acme" "$SSECTL" messages list --kind user --recipient 1 --tenant acme
check_exit 0 "$SSECTL" messages list --kind user --recipient 1 --tenant other -o ndjson
check_equal "" "$output"
kill_server
start_server
check_output "1 of acme" "$SSECTL" messages list
check_output "1 of acme" "$SSECTL" messages list --db "$db"
open_stream "$scratch/other" "userId=1&tenantId=other&clientId=c"
other=$(sed -n '1s/^id://p' "$scratch/other")
open_stream "$scratch/acme" "userId=1&tenantId=acme&clientId=c"
wait_for 10 "the message that was kept" grep -qx 'data:for acme' "$scratch/acme"
nothing_pending() { [[ $("$SSECTL" messages list -o ndjson) == "" ]]; }
wait_for 10 "its confirmation" nothing_pending

# Live, to one and to both.
check_exit 0 "$SSECTL" send --user 1 --tenant acme "live for acme"
check_exit 3 "$SSECTL" send --user 1 --tenant third "for nobody"
check_exit 0 "$SSECTL" send --user 1 "for both"
wait_for 10 "what is for both" grep -qx 'data:for both' "$scratch/other"
wait_for 10 "what is for both" grep -qx 'data:for both' "$scratch/acme"
check_file "data:live for acme" "$scratch/acme"
if grep -q acme "$scratch/other"; then fail "the other tenant's user got: $(<"$scratch/other")"; fi

# In the name of the other: as if the stream did not exist.
as_acme="userId=1&tenantId=acme"
check_equal 404 "$(http_status -X POST "$url/my-sse/connect/message/x.do?$as_acme&connectionId=$other")"
check_equal 404 "$(http_status -F f=x "$url/my-sse/connect/upload/x.do?$as_acme&connectionId=$other")"
check_equal 200 "$(http_status -d "connectionId=$other" "$url/my-sse/connect/disconnect.do?$as_acme")"
check_file '"count":0' "$scratch/body"
for change in addListener removeListener; do
  http_status -d "{\"connectionId\":\"$other\",\"listener\":[\"x\"]}" "$url/my-sse/connect/$change.do?$as_acme" >/dev/null
  check_file "connectionId not exist" "$scratch/body"
done
http_status -d "{\"connectionId\":\"$other\",\"ids\":[\"1\"]}" "$url/my-sse/connect/ack.do?$as_acme" >/dev/null
check_file "connectionId not exist" "$scratch/body"
check_equal 200 "$(http_status -X POST "$url/my-sse/connect/message/x.do?userId=1&tenantId=other&connectionId=$other")"
stop_server
