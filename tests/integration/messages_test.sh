#!/usr/bin/env bash
# What an operator sees of qos messages and does with them: wait, state, trace, retry, keys, collapsing, limits, dead
# letters, export and import.
# ctest: COST 100
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

id_of() { sed -n 's/.*"id": *"\([0-9]*\)".*/\1/p' <<<"$output" | head -n 1; }
state_is() { [[ $("$SSECTL" messages list --recipient "$1" -o ndjson | sed -n 's/.*"state":"\([a-z-]*\)".*/\1/p') == "$2" ]]; }
pending_is() { curl -sS --unix-socket "$admin" "http://localhost/api/v1/messages" | grep -q "\"total\":$1}"; }
counter() {
  curl -sS --unix-socket "$admin" http://localhost/metrics |
    awk -v name="$1" '$1 == name || index($1, name "{") == 1 {sum += $2} END {print sum + 0}'
}

start_server --qos-max-per-user 3 --qos-max-bytes-per-user 1000 --qos-max-dead 5

# Waiting: who is there confirms at once, who is not stays pending, and both is told.
open_stream "$scratch/one" userId=1
check_exit 0 "$SSECTL" send --user 1 --qos --wait 30s "for one"
check_contains confirmed "$output"
check_exit 1 "$SSECTL" send --user 1 --user 2 --qos --wait 200ms -o json "for two"
check_contains '"state": "confirmed"' "$output"
check_contains '"state": "offline"' "$output"
two=$(id_of)
check_exit 2 "$SSECTL" send --user 1 --wait 1s x
check_exit 2 "$SSECTL" send --user 1 --qos --wait 1h x

# Why something is pending.
wait_for 5 "offline" state_is 2 offline
check_exit 0 "$SSECTL" send --user 1 --qos --listening --event special "for listeners"
wait_for 5 "not listening" state_is 1 not-listening
open_stream "$scratch/acker" "userId=9&ack=1&clientId=c"
acker=$(sed -n '1s/^id://p' "$scratch/acker")
check_exit 1 "$SSECTL" send --user 9 --qos --wait 300ms -o json "handle me"
check_contains '"state": "in-flight"' "$output"
nine=$(id_of)
check_output "in-flight on $acker" "$SSECTL" messages list --recipient 9

# A message's story, before and after.
check_output accepted "$SSECTL" messages trace "$nine"
check_contains committed "$output"
check_contains "sent" "$output"
check_contains "$acker" "$output"
check_exit 0 "$SSECTL" messages retry "$nine"
wait_for 5 "a second copy" bash -c "[[ \$(grep -c '^id:$nine$' '$scratch/acker') -eq 2 ]]"
wait_for 5 "its attempts" bash -c "'$SSECTL' messages list --recipient 9 -o ndjson | grep -q '\"attempts\":2'"
curl -sS -d "{\"connectionId\":\"$acker\",\"ids\":[\"$nine\"]}" "$url/my-sse/connect/ack.do?userId=9" \
  -H 'Content-Type: text/plain' >/dev/null
check_output confirmed "$SSECTL" messages trace "$nine"
check_contains retried "$output"
check_exit 3 "$SSECTL" messages trace 12345
check_exit 3 "$SSECTL" messages retry 12345

# A repeat is the same message, whatever became of it.
check_exit 0 "$SSECTL" send --user 3 --qos --id order-7 -o json "order"
order=$(id_of)
check_exit 0 "$SSECTL" send --user 3 --qos --id order-7 -o json "order"
check_equal "$order" "$(id_of)"
check_contains '"repeated": true' "$output"
kill_server
start_server --qos-max-per-user 3 --qos-max-bytes-per-user 1000 --qos-max-dead 5
check_exit 0 "$SSECTL" send --user 3 --qos --id order-7 -o json "order"
check_equal "$order" "$(id_of)"
check_output accepted "$SSECTL" messages trace "$order"

# The newest only; then the limits, with their numbers, and 429.
for score in 1:0 2:0 2:1; do check_exit 0 "$SSECTL" send --user 4 --qos --collapse score "$score"; done
check_exit 0 "$SSECTL" messages export --recipient 4
check_contains '"2:1"' "$output"
check_equal 1 "$(wc -l <<<"$output")"
for i in 1 2; do check_exit 0 "$SSECTL" send --user 4 --qos "$i"; done
check_exit 1 "$SSECTL" send --user 4 --qos "too much"
check_contains "already has 3 pending messages" "$errors"
check_contains "--qos-max-per-user" "$errors"
check_equal 429 "$(http_status --unix-socket "$admin" -d '{"target":{"users":["4"]},"qos":true}' http://localhost/api/v1/send)"
check_exit 1 "$SSECTL" send --user 5 --qos "$(head -c 1001 /dev/zero | tr '\0' x)"
check_contains "--qos-max-bytes-per-user" "$errors"
check_equal 3 "$(counter sse_sends_refused_total)"
check_equal 1 "$(counter sse_sends_repeated_total)"

# Expired: a dead letter, which can live again or be forgotten.
for i in 1 2; do check_exit 0 "$SSECTL" send --user 6 --qos --ttl 2s "dead $i"; done
# The server looks every minute, and when it starts.
stop_server
start_server --qos-max-per-user 3 --qos-max-bytes-per-user 1000 --qos-max-dead 5
wait_for 10 "two dead letters" bash -c "'$SSECTL' messages dead list -o json | grep -q '\"total\": 2'"
first=$("$SSECTL" messages dead list -o ndjson | sed -n '1s/.*"id":"\([0-9]*\)".*/\1/p')
check_output expired "$SSECTL" messages trace "$first"
check_exit 2 "$SSECTL" messages dead purge --yes
check_output "deleted 1 dead letter" "$SSECTL" messages dead purge --yes "$first"
check_exit 2 "$SSECTL" messages dead requeue
check_output "sent 1 dead letter again" "$SSECTL" messages dead requeue --all
check_equal "1 1" "$(counter sse_dead_purged_total) $(counter sse_dead_requeued_total)"
# Its time to live is as short as it was.
wait_for 10 "a dead letter again" bash -c "'$SSECTL' messages dead list -o json | grep -q '\"total\": 1'"
check_output "deleted 1 dead letter" "$SSECTL" messages dead purge --yes --all
check_output "no dead letter" bash -c "'$SSECTL' messages dead list 2>&1"

# All that is pending moves to another server, once.
check_exit 0 "$SSECTL" send --channel news --qos --collapse c $'two\nlines'
"$SSECTL" messages export >"$scratch/pending.ndjson"
lines=$(wc -l <"$scratch/pending.ndjson")
first_server=$server_pid
db=$scratch/second.db admin=$scratch/second.sock
start_server --qos-max-per-user 1000
check_output "imported $lines messages, 0 were stored already, 0 refused" "$SSECTL" messages import "$scratch/pending.ndjson"
check_output "imported 0 messages, $lines were stored already" "$SSECTL" messages import "$scratch/pending.ndjson"
open_stream "$scratch/four" "userId=4&channel=news"
wait_for 10 "what was exported" grep -qx 'data:lines' "$scratch/four"
check_equal "data:2:1 data:1 data:2 data:two data:lines" "$(grep -E '^data:(2:1|1|2|two|lines)$' "$scratch/four" | paste -sd' ')"
echo '{"target":{"users":["x"]},"qos":true,"nonsense":1}' >"$scratch/bad.ndjson"
check_exit 1 "$SSECTL" messages import "$scratch/bad.ndjson"
check_contains "line 1" "$errors"
check_exit 2 "$SSECTL" messages purge
check_exit 0 "$SSECTL" messages purge --recipient 3 --yes
check_exit 0 "$SSECTL" messages purge --all --yes
pending_is 0 || fail "something survived the purge"
[[ $(counter sse_deleted_total) -gt 0 ]] || fail "what was purged was not counted"
stop_server
stop_server "$first_server"

# In all, whoever they are for.
db=$scratch/total.db admin=$scratch/total.sock
start_server --qos-max-total 3 --qos-max-total-bytes 2000
check_exit 0 "$SSECTL" send --user 1 --user 2 --qos both
check_exit 0 "$SSECTL" send --user 3 --qos third
check_exit 1 "$SSECTL" send --user 4 --qos fourth
check_contains "--qos-max-total" "$errors"
check_exit 0 "$SSECTL" messages purge --all --yes
check_exit 0 "$SSECTL" send --user 4 --qos "$(printf 'x%.0s' {1..1500})"
check_exit 1 "$SSECTL" send --user 5 --qos "$(printf 'x%.0s' {1..1500})"
check_contains "--qos-max-total-bytes" "$errors"
stop_server
