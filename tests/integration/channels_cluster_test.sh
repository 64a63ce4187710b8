#!/usr/bin/env bash
# Streams in several channels in a cluster, in a mesh and with Redis: what another node sends to two channels of a stream
# reaches it once, and the request for further channels may go to any node.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

sees() { wait_for 30 "'$2' in $1" grep -qx "data:$2" "$1"; }
nodes_ready() { [[ $("$SSECTL" --server "$1" nodes list -o ndjson | grep -c '"state":"ready"') == 2 ]]; }
# delivered SERVER COUNT TEXT OPTION…: a send reaches so many streams.
delivered() {
  local server=$1 count=$2 text=$3
  shift 3
  check_exit "$([[ $count == 0 ]] && echo 3 || echo 0)" "$SSECTL" --server "$server" send "$@" -o json "$text"
  check_equal "$count" "$(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["delivered"])' "$output")"
}
node() {
  start_server --auth header --trusted-proxy 127.0.0.1 --channel-rule 'public.*=anyone' --server-id "$1" "${@:2}"
}
# change NODE-URL ACTION CHANNELS: the status of a request about the stream $id.
change() {
  http_status "$1/my-sse/connect/$2.do" -H "X-Sse-User: ${as-ann}" -H 'Content-Type: application/json' \
    -d "{\"connectionId\":\"$id\",\"channels\":$3}"
}

# Of nodes a and b, at $url_a, $admin_a, $url_b and $admin_b.
check_channels() {
  local stream=$scratch/$1-stream
  wait_for 60 "node b, seen by a" nodes_ready "$admin_a"
  wait_for 60 "node a, seen by b" nodes_ready "$admin_b"
  check_exit 0 "$SSECTL" --server "$admin_b" send --channel public.z --qos "waits in z"
  url=$url_a open_stream "$stream" "clientId=c&channel=public.x&channel=public.y&ack=1&ackMarks=1&channelMarks=1" -H 'X-Sse-User: ann'
  id=$(sed -n '1s/^id://p' "$stream")
  delivered "$admin_b" 1 "to x" --channel public.x
  delivered "$admin_b" 1 "to y and x" --channel public.y --channel public.x
  delivered "$admin_b" 0 "to z, early" --channel public.z
  # At the other node, for the user of the stream alone.
  check_equal 404 "$(as=bob change "$url_b" subscribe '["public.z"]')"
  check_equal 200 "$(change "$url_b" subscribe '["public.z","board"]')"
  check_file '[{"channel":"public.z","joined":true},{"channel":"board","joined":false,"reason":"no-rule"}]' "$scratch/body"
  sees "$stream" "waits in z"
  delivered "$admin_b" 1 "to z" --channel public.z
  delivered "$admin_a" 1 "to all three" --channel public.z --channel public.x --channel public.y
  check_equal 403 "$(change "$url_b" subscribe '["board"]')"
  check_equal 200 "$(change "$url_b" unsubscribe '["public.x","public.z"]')"
  delivered "$admin_b" 0 "to z, late" --channel public.z
  delivered "$admin_b" 1 "to y" --channel public.x --channel public.y
  sees "$stream" "to y"
  check_equal 'to x,to y and x,waits in z,to z,to all three,to y' "$(sed -n 's/^data:\([tw][oa]\)/\1/p' "$stream" | paste -sd,)"
  check_file 'data:{"channel":"public.y","event":"server-push"}' "$stream"
  check_output '"channels": [' "$SSECTL" --server "$admin_b" connections show "$id" -o json
  # A message to two channels is confirmed for both of them.
  check_equal 200 "$(change "$url_b" subscribe '["public.x"]')"
  check_exit 0 "$SSECTL" --server "$admin_b" send --channel public.x --channel public.y --qos -o json "in both"
  message=$(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["id"])' "$output")
  sees "$stream" "in both"
  check_equal 200 "$(http_status "$url_b/my-sse/connect/ack.do" -H 'X-Sse-User: ann' -H 'Content-Type: application/json' -d "{\"connectionId\":\"$id\",\"ids\":[\"$message\"]}")"
  none_pending() { [[ $("$SSECTL" --server "$admin_a" messages list --kind channel -o ndjson | grep -c "\"$message\"") == 0 ]]; }
  wait_for 30 "both confirmations" none_pending
  kill "$stream_pid"
}

echo "a secret that both nodes share, for a test" >"$scratch/cluster-secret"
chmod 600 "$scratch/cluster-secret"
read -r one two < <(free_ports 2 | xargs)
mesh=(--discovery "static:127.0.0.1:$one,127.0.0.1:$two" --cluster-secret-file "$scratch/cluster-secret")
db=:memory: admin=$scratch/a.sock node a "${mesh[@]}" --cluster-listen "127.0.0.1:$one"
url_a=$url admin_a=unix:$scratch/a.sock pid_a=$server_pid
db=:memory: admin=$scratch/b.sock node b "${mesh[@]}" --cluster-listen "127.0.0.1:$two"
url_b=$url admin_b=unix:$scratch/b.sock pid_b=$server_pid
check_channels mesh
stop_server "$pid_a"
stop_server "$pid_b"

start_redis
admin=$scratch/c.sock node c --cluster "$redis"
url_a=$url admin_a=unix:$scratch/c.sock
admin=$scratch/d.sock node d --cluster "$redis"
url_b=$url admin_b=unix:$scratch/d.sock
check_channels redis
