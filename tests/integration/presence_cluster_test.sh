#!/usr/bin/env bash
# Who is in a channel of a cluster, in a mesh and with Redis: a stream knows the members of all nodes, and those of a node
# that dies are gone after its time to live and the grace.
# ctest: COST 100
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# members FILE: that a stream knows by its events.
members() {
  python3 - "$1" <<'EOF'
import json, sys
known, name = set(), ""
for line in open(sys.argv[1], encoding="utf-8"):
    field, _, value = line.rstrip("\n").partition(":")
    if field == "event":
        name = value
    elif field == "data" and name in ("sse-presence", "sse-join", "sse-leave"):
        users = {one["user"] for one in json.loads(value)["members"]}
        known = users if name == "sse-presence" else known | users if name == "sse-join" else known - users
    elif not line.strip():
        name = ""
print(*sorted(known))
EOF
}
knows() {
  is_known() { [[ $(members "$1") == "$2" ]]; }
  wait_for 100 "'$2' as members in $1" is_known "$1" "$2"
}
nodes_ready() { [[ $("$SSECTL" --server "$1" nodes list -o ndjson | grep -c '"state":"ready"') == 2 ]]; }
node() { start_server --server-id "$1" --presence-grace 1s "${@:2}"; }

# Of nodes a and b, at $url_a, $admin_a, $url_b, $admin_b and $pid_b.
check_presence() {
  local at=$scratch/$1
  wait_for 60 "node b, seen by a" nodes_ready "$admin_a"
  wait_for 60 "node a, seen by b" nodes_ready "$admin_b"
  url=$url_b open_stream "$at-bob" "userId=bob&channel=room"
  local bob=$stream_pid
  url=$url_a open_stream "$at-ann" "userId=ann&presence=room"
  knows "$at-ann" "ann bob"
  url=$url_b open_stream "$at-cid" "userId=cid&presence=room"
  knows "$at-ann" "ann bob cid"
  knows "$at-cid" "ann bob cid"
  # A page may ask any node.
  url=$url_a open_stream "$at-dan" "userId=dan"
  check_equal 200 "$(http_status "$url_b/my-sse/connect/subscribe.do?userId=dan" -H 'Content-Type: application/json' \
    -d "{\"connectionId\":\"$(sed -n '1s/^id://p' "$at-dan")\",\"channels\":[\"room\"],\"presence\":[\"room\"]}")"
  knows "$at-dan" "ann bob cid dan"
  knows "$at-cid" "ann bob cid dan"
  check_exit 0 "$SSECTL" --server "$admin_a" channels show room -o json
  check_equal "4 4 ann bob cid dan" "$(python3 -c 'import json, sys
c = json.loads(sys.argv[1])
print(c["connections"], c["memberCount"], *(m["user"] for m in c["members"]))' "$output")"
  check_contains room "$("$SSECTL" --server "$admin_a" channels list --prefix ro)"
  kill "$bob"
  knows "$at-ann" "ann cid dan"
  knows "$at-cid" "ann cid dan"
  # A node that dies takes its members with it.
  kill_server "$pid_b"
  knows "$at-ann" "ann dan"
  knows "$at-dan" "ann dan"
}

echo "a secret that both nodes share, for a test" >"$scratch/cluster-secret"
chmod 600 "$scratch/cluster-secret"
read -r one two < <(free_ports 2 | xargs)
mesh=(--discovery "static:127.0.0.1:$one,127.0.0.1:$two" --cluster-secret-file "$scratch/cluster-secret")
db=:memory: admin=$scratch/a.sock node a "${mesh[@]}" --cluster-listen "127.0.0.1:$one"
url_a=$url admin_a=unix:$scratch/a.sock pid_a=$server_pid
db=:memory: admin=$scratch/b.sock node b "${mesh[@]}" --cluster-listen "127.0.0.1:$two"
url_b=$url admin_b=unix:$scratch/b.sock pid_b=$server_pid
check_presence mesh
stop_server "$pid_a"

start_redis
admin=$scratch/c.sock node c --cluster "$redis"
url_a=$url admin_a=unix:$scratch/c.sock
admin=$scratch/d.sock node d --cluster "$redis"
url_b=$url admin_b=unix:$scratch/d.sock pid_b=$server_pid
check_presence redis
