#!/usr/bin/env bash
# Parameters of the admin API that the programs use seldom or not at all, by their effect: each narrows down what it says,
# and what makes no sense is refused.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

start_server --service hr=/my-sse --service news=/news --history 10 --heartbeat 100ms
api() { curl -sS --unix-socket "$admin" -D "$scratch/head" "http://localhost/api/v1/$1" "${@:2}"; }
# field JSON EXPRESSION: what the Python expression over `it` gives.
field() { python3 -c 'import json, sys; it = json.loads(sys.argv[1]); print(eval(sys.argv[2]))' "$1" "$2"; }
send() { api send -d "$1" -H 'Content-Type: application/json'; }
metric() { curl -sS --unix-socket "$admin" http://localhost/metrics | sed -n "s/^$1 //p"; }

# POST /api/v1/send: collapse, wait.
first=$(field "$(send '{"service":"hr","target":{"users":["1"]},"event":"price","data":"1","qos":true,"collapse":"k"}')" 'it["id"]')
send '{"service":"hr","target":{"users":["1"]},"event":"price","data":"2","qos":true,"collapse":"k"}' >/dev/null
list=$(api 'messages?service=hr')
check_equal 1 "$(field "$list" 'it["total"]')"
check_contains '"data":"2"' "$(api 'export?service=hr')"
check_equal False "$(field "$list" "'$first' in str(it)")"
waited=$(send '{"service":"hr","target":{"users":["nobody"]},"data":"x","qos":true,"wait":"100ms"}')
check_contains offline "$waited"

# GET /api/v1/export: service, kind, recipient, tenant, event, after, ids, dead.
send '{"service":"news","target":{"users":["1"]},"event":"note","data":"news","qos":true}' >/dev/null
send '{"service":"hr","target":{"users":["1"],"tenant":"acme"},"event":"note","data":"of acme","qos":true}' >/dev/null
send '{"service":"hr","target":{"tenants":["acme"]},"event":"note","data":"to acme","qos":true}' >/dev/null
lines() { api "export?$1" | wc -l; }
check_equal 1 "$(lines 'service=news')"
check_equal 4 "$(lines 'service=hr')"
check_equal 1 "$(lines 'service=hr&kind=tenant')"
check_equal 1 "$(lines 'service=hr&kind=user&recipient=1')"
check_equal 1 "$(lines 'service=hr&kind=user&recipient=1&tenant=acme')"
check_equal 2 "$(lines 'service=hr&event=note')"
check_file 'X-Sse-Complete: true' "$scratch/head"
check_file 'X-Sse-Total: 2' "$scratch/head"
last=$(sed -n 's/^X-Sse-Last-Id: \([0-9]*\).*/\1/p' "$scratch/head")
check_equal 0 "$(lines "service=hr&event=note&after=$last")"
check_equal 1 "$(lines "service=hr&event=note&after=$((last - 1))")"
check_equal 0 "$(lines 'dead=true')"  # nothing has expired
[[ $(api 'export?service=news&ids=true') =~ ^[0-9]+\ \{ ]] || fail "no id before the line"
check_equal 400 "$(http_status --unix-socket "$admin" 'http://localhost/api/v1/export?kind=nonsense')"
check_equal 404 "$(http_status --unix-socket "$admin" 'http://localhost/api/v1/export?service=nonsense')"

# Dead letters: service, kind, recipient. An expired message is one as soon as it is asked for, and is counted.
for target in '{"users":["d1"]}' '{"users":["d2"]}' '{"tenants":["d1"]}'; do
  send "{\"service\":\"hr\",\"target\":$target,\"data\":\"late\",\"qos\":true,\"ttl\":\"1ms\"}" >/dev/null
done
send '{"service":"news","target":{"users":["d1"]},"data":"late","qos":true,"ttl":"1ms"}' >/dev/null
total() { field "$(api "dead?$1")" 'it["total"]'; }
all_dead() { [[ $(total '') == 4 ]]; }
wait_for 10 "four dead letters" all_dead
check_equal 4 "$(metric sse_expired_total)"
check_equal 3 "$(total 'service=hr')"
check_equal 2 "$(total 'service=hr&kind=user')"
check_equal 1 "$(total 'service=hr&kind=user&recipient=d1')"
requeued() { field "$(api "dead/requeue?$1" -X POST)" 'len(it["ids"])'; }
check_equal 0 "$(requeued 'service=hr&kind=user&recipient=nobody')"
check_equal 1 "$(requeued 'service=hr&kind=user&recipient=d2')"
check_equal 1 "$(requeued 'service=news')"
check_equal 1 "$(field "$(api 'dead?service=hr&kind=tenant&recipient=d1' -X DELETE)" 'it["deleted"]')"
check_equal 1 "$(total 'service=hr&kind=user&recipient=d1')"

# Once more, by hand, is counted.
retry=$(field "$(api 'messages?service=hr&kind=user&recipient=1')" 'it["list"][0]["id"]')
api "messages/$retry/retry" -X POST >/dev/null
check_equal 1 "$(metric 'sse_retried_total{service="hr"}')"

# What happened: service, last. Streams that ended: service.
open_stream "$scratch/a" userId=7
kill "$stream_pid"
curl -sSN "$url/news/connect?userId=8" >"$scratch/b" &
stream_pid=$!
children+=("$stream_pid")
wait_for 10 "a stream of the other service" grep -qs '^event:connect-finish' "$scratch/b"
silent() { (($(metric 'sse_heartbeats_total{service="news"}') > 1)); }
wait_for 10 "heartbeats of a silent stream" silent
kill "$stream_pid"
closed() { [[ $(field "$(api "connections/closed?service=$1")" '[row["accessUserId"] for row in it["list"]]') == "$2" ]]; }
wait_for 10 "the end of the first" closed hr "['7']"
wait_for 10 "the end of the second" closed news "['8']"
events() { field "$(api "events?$1")" "[e['user'] for e in it['list']]"; }
check_equal "['7']" "$(events 'type=connect&service=hr')"
check_equal "['8']" "$(events 'type=connect&service=news')"
check_equal "['7', '8']" "$(events 'type=connect')"
check_equal "['8']" "$(events 'type=connect&last=1')"
check_equal "[]" "$(events 'type=connect&last=0')"
check_equal 400 "$(http_status --unix-socket "$admin" 'http://localhost/api/v1/events?last=1001')"

# Options of ssectl that only show.
check_output "ssectl" "$SSECTL" --version
check_exit 0 "$SSECTL" --no-color status
[[ $output != *$'\e['* ]] || fail "colours in spite of --no-color"
open_stream "$scratch/c" "userId=9&clientId=tab-1"
open_stream "$scratch/d" "userId=9&clientId=tab-2"
check_equal 1 "$("$SSECTL" --service hr connections list --client tab-1 -o ndjson | wc -l)"

# A stream that the application changes: attributes, join, leave; lists with a value of an attribute.
id=$(sed -n '0,/^id:/s/^id://p' "$scratch/c")
changed=$(api "connections/$id" -d '{"attributes":{"plan":"gold","level":7},"join":["team.7","x"],"leave":["x"]}')
check_equal "gold 7 ['team.7']" "$(field "$changed" "' '.join((it['httpParameters']['plan'], it['httpParameters']['level'], str(it['channels'])))")"
for list in connections users user-ids tenants channels tokens; do
  expected=$([[ $list == tenants || $list == tokens ]] && echo 0 || echo 1)
  check_equal "$expected" "$(field "$(api "$list?service=hr&attribute=plan=gold&attribute=level=7")" 'it["total"]')"
  check_equal 0 "$(field "$(api "$list?service=hr&attribute=plan=gold&attribute=level=8")" 'it["total"]')"
done
check_equal 404 "$(http_status --unix-socket "$admin" "http://localhost/api/v1/connections/$id?service=news" -d '{"leave":["team.7"]}')"
for bad in '{}' '[]' '{"attributes":[]}' '{"attributes":{"clientId":"x"}}' '{"join":"team.7"}' '{"leave":[7]}' '{"channel":"x"}'; do
  check_equal 400 "$(http_status --unix-socket "$admin" "http://localhost/api/v1/connections/$id" -d "$bad")"
done
stop_server
