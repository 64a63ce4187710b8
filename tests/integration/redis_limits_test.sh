#!/usr/bin/env bash
# A Redis that is full, evicts, or refuses: what the operator sees of it, and that nothing is taken for nothing.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

start_redis
redis() { redis-cli -u "$redis" "$@" >/dev/null; }

# One that evicts keys without a time to live is refused, unless that is allowed.
redis config set maxmemory 100mb
redis config set maxmemory-policy allkeys-lru
check_exit 1 "$SSE_SERVE" --listen 127.0.0.1:0 --admin "unix:$scratch/x.sock" --cluster "$redis"
check_contains "allkeys-lru" "$errors"
check_contains "--allow-redis-eviction" "$errors"
start_server --cluster "$redis" --server-id a --allow-redis-eviction
check_file "evicts pending messages" "$server_log"
stop_server
redis config set maxmemory-policy noeviction

# Over its memory: the server starts and says so, new messages are refused, what is there is seen, deleted, expires.
start_server --cluster "$redis" --server-id a
check_exit 0 "$SSECTL" send --user 1 --qos --ttl 1h "kept"
check_exit 0 "$SSECTL" send --user 2 --qos --ttl 1h "kept, too"
check_exit 0 "$SSECTL" send --user 3 --qos --ttl 1h "and this"
stop_server
redis config set maxmemory 1
start_server --cluster "$redis" --server-id a
wait_for 30 "the log" grep -qF "is over its maxmemory" "$server_log"
check_exit 1 "$SSECTL" send --user 1 --qos "too much"
check_contains "maxmemory" "$errors"
in_cluster() { [[ $("$SSECTL" -o json status) == *'"degraded": null'* ]]; }
wait_for 30 "the heartbeat of a node whose Redis is full" in_cluster
check_equal 3 "$("$SSECTL" messages list -o ndjson | wc -l)"
open_stream "$scratch/one" "userId=1"
wait_for 30 "the message" grep -qx "data:kept" "$scratch/one"
confirmed() { [[ $("$SSECTL" messages list -o ndjson | wc -l) -eq 2 ]]; }
wait_for 30 "the confirmation" confirmed
check_exit 0 "$SSECTL" messages purge --recipient 2 --yes
check_equal 1 "$("$SSECTL" messages list -o ndjson | wc -l)"
redis config set maxmemory 0
check_exit 0 "$SSECTL" send --user 1 --qos "again"

# One right is missing: an error, never an empty list.
redis acl setuser default -zrangebylex
for command in "messages list" "messages export" "messages purge --all --yes"; do
  # shellcheck disable=SC2086
  check_exit 1 "$SSECTL" $command
  check_contains "NOPERM" "$errors"
done
redis acl setuser default +zrangebylex
check_equal 1 "$("$SSECTL" messages list --recipient 3 -o ndjson | wc -l)"

# Counts that do not agree with what is there are said and made to agree at the next start.
redis set sse:pending:count 350
stop_server
start_server --cluster "$redis" --server-id a
wait_for 30 "the repair" grep -qF "did not agree and are repaired" "$server_log"
