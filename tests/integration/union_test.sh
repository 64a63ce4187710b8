#!/usr/bin/env bash
# One send to a union of channels, users and tenants, of which each stream gets the event once; to all clients but one; to
# the streams of one tenant in a channel; and to connections by their ids. On one server with a history, in a mesh and with Redis.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

sees() { wait_for 30 "'$2' in $1" grep -qx "data:$2" "$1"; }
# delivered COUNT TEXT OPTION…: a send through $from reaches so many streams.
delivered() {
  local count=$1 text=$2
  shift 2
  check_exit "$([[ $count == 0 ]] && echo 3 || echo 0)" "$SSECTL" --server "$from" send "$@" -o json "$text"
  check_equal "$count" "$(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["delivered"])' "$output")"
}
# open NAME URL QUERY USER [TENANT] [TOKEN]
open() {
  url=$2 open_stream "$scratch/$1" "$3" -H "X-Sse-User: $4" ${5:+-H "X-Sse-Tenant: $5"} ${6:+-H "X-Sse-Token: $6"}
}
# data NAME: what a stream got, in one line.
data() { sed -n 's/^data:\(to .*\)/\1/p' "$scratch/$1" | paste -sd,; }

# Streams at the servers $1 and $2; everything is sent through $from.
check_union() {
  open ann "$1" 'clientId=ann-tab&channel=news&channel=staff&channelMarks=1' ann acme
  open ann2 "$2" 'clientId=ann-phone&channel=news&channelMarks=1' ann acme
  open bob "$2" 'clientId=bob-tab' bob acme
  open eve "$1" 'clientId=eve-tab&channel=news' eve other
  delivered 4 "to the union" --channel news --channel staff --user bob --user ann --also-tenant acme
  delivered 3 "to two kinds" --user bob --also-tenant acme
  delivered 2 "to acme in news" --channel news --tenant acme
  delivered 1 "to other in news" --channel news --tenant other
  delivered 0 "to none" --channel staff --tenant other
  delivered 3 "to acme in news, bob and eve" --channel news --user bob --tenant acme
  delivered 2 "to all but the phone" --channel news --except ann-phone
  delivered 3 "to the rest of a union" --channel news --user bob --except ann-tab
  local -a ids
  read -r -a ids < <(for name in ann bob; do sed -n '0,/^id:/s/^id://p' "$scratch/$name"; done | xargs)
  delivered 2 "to connections" --connection "${ids[0]}" --connection "${ids[1]}" --connection 1
  delivered 2 "to bob and a connection" --user bob --connection "${ids[0]}"
  # A stream is changed by the application, at whichever node it is.
  check_output 'team.7' "$SSECTL" --server "$from" connections set "${ids[1]}" --attribute plan=gold --join team.7 --join x --leave x
  check_equal "${ids[1]}" "$("$SSECTL" --server "$from" connections list --attribute plan=gold -o ndjson |
    python3 -c 'import json, sys; print(json.loads(sys.stdin.read())["id"])')"
  delivered 1 "to its new channel" --channel team.7
  delivered 0 "to one that it has left" --channel x
  check_exit 0 "$SSECTL" --server "$from" connections set "${ids[1]}" --unset plan --leave team.7
  check_equal 0 "$("$SSECTL" --server "$from" connections list --attribute plan=gold --count)"
  delivered 4 "to the end" --all
  for name in ann ann2 bob eve; do sees "$scratch/$name" "to the end"; done
  check_equal "to the union,to two kinds,to acme in news,to acme in news, bob and eve,to all but the phone,to connections,to bob and a connection,to the end" "$(data ann)"
  check_equal "to the union,to two kinds,to acme in news,to acme in news, bob and eve,to the rest of a union,to the end" "$(data ann2)"
  check_equal "to the union,to two kinds,to acme in news, bob and eve,to the rest of a union,to connections,to bob and a connection,to its new channel,to the end" "$(data bob)"
  check_equal "to the union,to other in news,to all but the phone,to the rest of a union,to the end" "$(data eve)"
  check_file 'data:{"channel":"news","event":"server-push"}' "$scratch/ann"
  check_message_union "$1" "$2"
}

# A message to users and tokens waits for each of them; a stream that is both gets it once and confirms it for both.
check_message_union() {
  check_exit 0 "$SSECTL" --server "$from" send --user zoe --token phone-of-zoe --qos -o json "to zoe, offline"
  check_equal 2 "$(pending)"
  open zoe "$1" 'clientId=zoe-tab' zoe "" phone-of-zoe
  sees "$scratch/zoe" "to zoe, offline"
  wait_for 30 "both rows confirmed" none_pending
  open phone "$2" 'clientId=phone' max "" phone-of-zoe
  delivered 2 "to zoe and her phone" --user zoe --token phone-of-zoe --qos
  sees "$scratch/zoe" "to zoe and her phone"
  sees "$scratch/phone" "to zoe and her phone"
  wait_for 30 "both rows confirmed by their streams" none_pending
  delivered 2 "to the end" --user zoe --user max
  for name in zoe phone; do sees "$scratch/$name" "to the end"; done
  check_equal "to zoe, offline,to zoe and her phone,to the end" "$(data zoe)"
  check_equal "to zoe and her phone,to the end" "$(data phone)"
}
pending() { "$SSECTL" --server "$from" messages list -o ndjson | grep -c . || true; }
none_pending() { [[ $(pending) == 0 ]]; }

# What has no union is refused before anything is sent.
rules=(--auth header --trusted-proxy 127.0.0.1 --channel-rule '*=anyone')
start_server "${rules[@]}" --history 100
from=unix:$admin
for options in "--all --user 1" "--user 1 --channel c --qos" "--user 1 --also-tenant t --qos" "--token t --channel c --qos" "--user 1 --except c --qos" \
  "--channel c --tenant t --qos" "--connection 1 --qos" "--connection x" "--user 1 --tenant a --tenant b" "--channel c --tenant a --tenant b"; do
  # shellcheck disable=SC2086
  check_exit 2 "$SSECTL" send $options x
done
check_exit 2 "$SSECTL" send --user 1 --channel c --qos x
check_contains "with qos a send to several kinds of recipients is for users and tokens only" "$errors"
check_exit 2 "$SSECTL" send --user 1 --except "$(printf 'c%.0s' {1..10000})" x
check_contains "a client to leave out of 10000 bytes" "$errors"
check_exit 2 "$SSECTL" connections close --user 1 --channel c
check_exit 2 "$SSECTL" connections set 1
check_exit 2 "$SSECTL" connections set 1 --attribute plan
check_exit 3 "$SSECTL" connections set 1 --attribute plan=gold
check_equal 400 "$(http_status --unix-socket "$admin" http://localhost/api/v1/connections/1 -d '{"attributes":[]}')"
check_equal 400 "$(http_status --unix-socket "$admin" "http://localhost/api/v1/connections?attribute=plan")"
check_equal 400 "$(http_status --unix-socket "$admin" http://localhost/api/v1/send -d '{"target":{"users":["1"],"channels":["c"]},"qos":true}')"
check_file 'with qos a send to several kinds of recipients is for users and tokens only' "$scratch/body"
check_equal 400 "$(http_status --unix-socket "$admin" http://localhost/api/v1/send -d '{"target":{"all":true,"channels":["c"]}}')"

check_union "$url" "$url"
# The streams that are left out do not get it when they come back, either.
last=$(sed -n 's/^id://p' "$scratch/ann" | tail -n1)
printf '%s\n' '{"target":{"channels":["news"],"users":["bob"],"tenant":"acme"},"data":"to one line","except":"bob-tab"}' \
  '{"target":{"channels":["news"]},"data":"to another"}' >"$scratch/lines"
check_exit 0 "$SSECTL" send --ndjson --file "$scratch/lines" --except ann-phone
check_exit 0 "$SSECTL" send --ndjson --file "$scratch/lines"
check_exit 0 "$SSECTL" send --user ann --user bob "to the end of it"
check_output "to channel news and user bob" "$SSECTL" events --last 10 --type send
open_stream "$scratch/resumed" 'clientId=ann-phone&channel=news' -H 'X-Sse-User: ann' -H 'X-Sse-Tenant: acme' -H "Last-Event-ID: $last"
open_stream "$scratch/resumed-other" 'clientId=x&channel=news' -H 'X-Sse-User: eve' -H 'X-Sse-Tenant: other' -H "Last-Event-ID: $last"
sees "$scratch/resumed" "to the end of it"
check_equal "to one line,to one line,to another,to the end of it" "$(data resumed)"
sees "$scratch/resumed-other" "to another"
check_equal "to another,to another" "$(data resumed-other)"
stop_server

nodes_ready() { [[ $("$SSECTL" --server "$1" nodes list -o ndjson | grep -c '"state":"ready"') == 2 ]]; }
echo "a secret that both nodes share, for a test" >"$scratch/cluster-secret"
chmod 600 "$scratch/cluster-secret"
start_redis
for cluster in mesh redis; do
  read -r one two < <(free_ports 2 | xargs)
  at_one=(--cluster "$redis") at_two=(--cluster "$redis")
  if [[ $cluster == mesh ]]; then
    both=(--discovery "static:127.0.0.1:$one,127.0.0.1:$two" --cluster-secret-file "$scratch/cluster-secret")
    at_one=("${both[@]}" --cluster-listen "127.0.0.1:$one") at_two=("${both[@]}" --cluster-listen "127.0.0.1:$two")
  fi
  db=:memory: admin=$scratch/$cluster-a.sock start_server "${rules[@]}" --server-id a "${at_one[@]}"
  url_a=$url pid_a=$server_pid
  db=:memory: admin=$scratch/$cluster-b.sock start_server "${rules[@]}" --server-id b "${at_two[@]}"
  url_b=$url pid_b=$server_pid
  from=unix:$scratch/$cluster-a.sock
  wait_for 60 "node b, seen by a" nodes_ready "unix:$scratch/$cluster-a.sock"
  wait_for 60 "node a, seen by b" nodes_ready "unix:$scratch/$cluster-b.sock"
  check_union "$url_b" "$url_a"
  stop_server "$pid_a"
  stop_server "$pid_b"
done
