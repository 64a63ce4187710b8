#!/usr/bin/env bash
# W3C Trace Context: from the sender through both nodes of a cluster into their JSON logs and `messages trace`, and from
# pages to the application.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

trace=0af7651916cd43dd8448eb211c80319c span=b7ad6b7169203331
parent=00-$trace-$span-01

# logged FILE MESSAGE FIELD VALUE: a line of this trace with that field.
logged() {
  python3 - "$@" "$trace" "$span" <<'END'
import json, sys
path, message, field, value, trace, span = sys.argv[1:]
found = False
for line in open(path, encoding="utf-8"):
    try:
        entry = json.loads(line)
    except ValueError:
        continue
    found = found or (entry.get("message") == message and entry.get("trace_id") == trace and entry.get("span_id") == span
                      and entry.get("trace_flags") == "01" and entry["fields"].get(field) == value)
sys.exit(not found)
END
}
traces() { grep -c "$trace" "$1" || true; }

mkdir "$scratch/hook"
python3 "$here/hook_server.py" "$scratch/hook" &
children+=($!)
wait_for 30 "the port of the application" test -s "$scratch/hook/port"
hook=http://127.0.0.1:$(<"$scratch/hook/port")/
read -r mesh_a mesh_b < <(free_ports 2 | xargs)
(umask 077 && echo "the nodes' secret" >"$scratch/nodes")
mesh=(--discovery "static:127.0.0.1:$mesh_a,127.0.0.1:$mesh_b" --cluster-secret-file "$scratch/nodes" --log-format json)
db=$scratch/a.db admin=$scratch/a.sock
start_server --server-id a --cluster-listen "127.0.0.1:$mesh_a" --hook "$hook" "${mesh[@]}"
url_a=$url admin_a=$admin log_a=$server_log pid_a=$server_pid
db=$scratch/b.db admin=$scratch/b.sock
start_server --server-id b --cluster-listen "127.0.0.1:$mesh_b" "${mesh[@]}"
url_b=$url log_b=$server_log admin_b=$admin
nodes_ready() { [[ $("$SSECTL" --server "unix:$1" nodes list -o ndjson | grep -c '"state":"ready"') == 2 ]]; }
wait_for 60 "node b, seen by a" nodes_ready "$admin_a"
wait_for 60 "node a, seen by b" nodes_ready "$admin_b"
export SSECTL_SERVER=unix:$admin_a

# An event for a stream at the other node.
url=$url_b open_stream "$scratch/ann" userId=ann
check_exit 0 "$SSECTL" send --user ann --event note --traceparent "$parent" hello
wait_for 30 "the event" grep -q hello "$scratch/ann"
wait_for 30 "the line of the node that has sent it" logged "$log_a" "event sent" delivered 1
wait_for 30 "the line of the node that has delivered it" logged "$log_b" "event delivered" event note

# A message, which the trace shows at each node.
check_exit 0 "$SSECTL" send --user ann --qos --traceparent "$parent" -o json again
id=$(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["id"])' "$output")
wait_for 30 "the confirmation" logged "$log_b" "message confirmed" id "$id"
logged "$log_b" "message sent" id "$id" || fail "no line for the message that b has sent"
for admin in "$admin_a" "$admin_b"; do
  check_output "$parent" "$SSECTL" --server "unix:$admin" messages trace "$id"
  check_exit 0 "$SSECTL" --server "unix:$admin" messages trace "$id" -o json
  check_contains "\"traceparent\":\"$parent\"" "${output// /}"
done
# Waiting for the confirmation, and many at once.
check_exit 0 "$SSECTL" send --user ann --qos --wait 30s --event waited --traceparent "$parent" hello
wait_for 30 "the line of the message that was waited for" logged "$log_a" "event sent" event waited
echo '{"target":{"users":["ann"]},"event":"bulk","data":"x"}' >"$scratch/lines"
check_exit 0 "$SSECTL" send --ndjson --file "$scratch/lines" --traceparent "$parent"
wait_for 30 "the line of the bulk request" logged "$log_a" "event sent" event bulk

# An invalid one is ignored by the server, and an error of the command line. Nothing is logged then, nor without one.
before=$(traces "$log_a")
api() { curl -sS -m 30 --unix-socket "$admin_a" -o "$scratch/body" -w '%{http_code}' "$@"; }
send=(-d '{"target":{"users":["ann"]},"event":"plain","data":"x"}' http://x/api/v1/send)
check_equal 200 "$(api -H "traceparent: 00-${trace^^}-$span-01" "${send[@]}")"
check_equal 200 "$(api -H "traceparent: $parent" -H "traceparent: $parent" "${send[@]}")"
check_equal 200 "$(api -H "traceparent: 00-$trace-$span-00" "${send[@]}")"
check_equal 200 "$(api "${send[@]}")"
check_exit 2 "$SSECTL" send --user ann --traceparent "00-$trace-$span" hello
check_contains "--traceparent" "$errors"
check_exit 0 "$SSECTL" send --user ann --event last hello
wait_for 30 "the last event" grep -q '^event:last' "$scratch/ann"
check_equal "$before" "$(traces "$log_a")"

# From pages to the application, through either node, and with what they publish.
url=$url_a open_stream "$scratch/bob" "userId=bob&channel=room"
bob=$(sed -n '1s/^id://p' "$scratch/bob")
page=(-H "traceparent: $parent" -H "tracestate: vendor=1" -H 'Content-Type: application/json')
check_equal 200 "$(http_status "$url_b/my-sse/connect/message/hello.do?userId=bob&connectionId=$bob" "${page[@]}" -d '{"a":1}')"
called() {
  python3 - "$scratch/hook/calls" "$parent" <<'END'
import json, sys
calls = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
message = [call for call in calls if call["header"] == "message"]
sys.exit(not any(call["traceparent"] == sys.argv[2] and call["tracestate"] == "vendor=1" for call in message)
         or any(call["traceparent"] for call in calls if call["header"] == "connect"))
END
}
wait_for 30 "the call of the application with the trace" called
check_equal 200 "$(http_status "$url_a/my-sse/connect/publish.do?userId=bob" "${page[@]}" \
  -d "{\"connectionId\":\"$bob\",\"channel\":\"room\",\"event\":\"said\",\"data\":1}")"
wait_for 30 "the line of what the page has published" logged "$log_a" "event sent" event said
stop_server "$pid_a"
stop_server

# A log of text has none of it.
db=$scratch/c.db admin=$scratch/c.sock
start_server
check_exit 3 "$SSECTL" send --user ann --traceparent "$parent" hello
stop_server
check_equal 0 "$(traces "$server_log")"
