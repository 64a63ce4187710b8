#!/usr/bin/env bash
# Events that pages publish to channels: only where a rule, the user's credentials or the application allow it, as JSON, of
# the page's own stream, not too often and under no name of the server; on one server, in a mesh and with Redis.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

sees() { wait_for 30 "'$2' in $1" grep -qxF "data:$2" "$1"; }
# publish BODY [CURL-OPTION…]: the status of a request about the stream $id, as user $as, at $at or $url; the response is in
# $scratch/body.
publish() {
  http_status "${at-$url}/my-sse/connect/publish.do?userId=${as-ann}" -H "X-Sse-User: ${as-ann}" \
    -H "Content-Type: ${type-application/json}" -d "{\"connectionId\":\"${connection-$id}\",$1}" "${@:2}"
}
say() { publish "\"channel\":\"$1\",\"event\":\"${2-say}\",\"data\":${3-1}"; }
metrics() { curl -sS --unix-socket "$admin" http://localhost/metrics >"$scratch/metrics"; }
refusals() { check_file "sse_publications_refused_total{reason=\"$1\",rule=\"$2\",service=\"defaultConnectionService\"} $3" "$scratch/metrics"; }

# What makes no sense is said at once.
for rule in news 'a*=anyone' 'news=everybody' 'news=self' 'user.{user}=anyone'; do
  check_exit 2 "$SSE_SERVE" --check-config --publish-rule "$rule"
  check_contains "--publish-rule '$rule'" "$errors"
done
check_exit 2 "$SSE_SERVE" --check-config --publish-rule 'team.*=hook'
check_contains "--hook" "$errors"
check_exit 2 "$SSE_SERVE" --check-config --channel-rule 'room.*=subscriber'
check_exit 2 "$SSE_SERVE" --check-config --max-publish 0
check_exit 0 "$SSE_SERVE" --check-config --publish-rule 'room.*=subscriber' --publish-rate 100 --max-publish 1KiB

# Closed where users are real: who may read a channel may not therefore write to it.
printf 'channel-rule = "*=anyone"\n' >"$scratch/sse.conf"
start_server --config "$scratch/sse.conf" --auth header --trusted-proxy 127.0.0.1 --history 10 --publish-rate 0 --max-publish 1KiB
open_stream "$scratch/ann" 'channel=room.1&clientId=ann-1&channelMarks=1' -H 'X-Sse-User: ann' -H 'X-Sse-Tenant: acme'
id=$(sed -n '1s/^id://p' "$scratch/ann")
as_acme() { publish "$1" -H 'X-Sse-Tenant: acme' "${@:2}"; }
event='"channel":"room.1","event":"say","data":{"text":"hi"}'
check_equal 403 "$(as_acme "$event")"
check_file '{"success":false,"code":403,"data":{"reason":"no-rule"},"message":null,"errorMessage":"pages may not publish to this channel"}' "$scratch/body"
check_equal 200 "$(as_acme "$event" -H 'X-Sse-Publish: room.*')"
sees "$scratch/ann" '{"from":{"tenant":"acme","user":"ann"},"data":{"text":"hi"}}'
check_file 'data:{"channel":"room.1","event":"say"}' "$scratch/ann"
check_equal 401 "$(as_acme "$event" -H 'X-Sse-Publish: a*')"
check_output "user ann may not publish to room.1: no --publish-rule names it" "$SSECTL" explain --user ann --channel room.1

# New rules count at once.
printf 'channel-rule = "*=anyone"\npublish-rule = ["room.lobby=anyone", "room.*=subscriber", "user.{tenant}.{user}=self"]\n' >"$scratch/sse.conf"
kill -HUP "$server_pid"
wait_for 20 "the new rules" grep -q "reloaded on SIGHUP" "$server_log"
check_equal 200 "$(as_acme "$event")"
check_equal 200 "$(as_acme '"channel":"room.lobby","event":"say","data":1')"
check_equal 200 "$(as_acme '"channel":"user.acme.ann","event":"say","data":1')"
check_equal 403 "$(as_acme '"channel":"user.acme.bob","event":"say","data":1')"
check_equal 403 "$(as_acme '"channel":"room.2","event":"say","data":1')"
check_file '{"reason":"not-subscribed"}' "$scratch/body"
check_output "user ann may publish to room.1: --publish-rule 'room.*=subscriber': on a stream that is in the channel" \
  "$SSECTL" explain --user ann --channel room.1

# Another's stream, and what is no event of a page.
check_equal 404 "$(as=bob publish "$event")"
check_equal 404 "$(publish "$event")"  # the user of that id in no tenant
check_equal 404 "$(connection=1 as_acme "$event")"
check_equal 415 "$(type=text/plain as_acme "$event")"
check_equal 403 "$(as_acme "$event" -H 'Origin: https://evil.example' -H 'Sec-Fetch-Site: cross-site' -H 'Sec-Fetch-Mode: no-cors')"
for name in sse-qos sse-channel connect-close connect-finish resync error open '' 'a\nb' ' sse-qos' "$(printf 'a%.0s' {1..201})"; do
  check_equal 400 "$(as_acme "\"channel\":\"room.1\",\"event\":\"$name\",\"data\":1")"
done
for channel in '' 'a\nb' "$(printf 'a%.0s' {1..10000})"; do
  check_equal 400 "$(as_acme "\"channel\":\"$channel\",\"event\":\"say\",\"data\":1")"
done
check_equal 400 "$(as_acme '"channel":"room.1","event":"say"')"
check_equal 400 "$(as_acme '"channel":["room.1"],"event":"say","data":1')"
check_equal 400 "$(as_acme '"channel":"room.1","event":"say","data":1,"target":{"all":true}')"
check_equal 413 "$(as_acme "\"channel\":\"room.1\",\"event\":\"say\",\"data\":\"$(printf 'a%.0s' {1..1023})\"")"
check_file "(--max-publish)" "$scratch/body"
check_equal 200 "$(as_acme "\"channel\":\"room.1\",\"event\":\"say\",\"data\":\"$(printf 'a%.0s' {1..1022})\"")"

# Without the client itself, also when it resumes; a message of several lines stays one event.
open_stream "$scratch/bob" 'channel=room.1&clientId=bob-1' -H 'X-Sse-User: bob'
check_equal 200 "$(as_acme '"channel":"room.1","event":"say","data":"not to me\r\nevent:connect-close\ndata:x","echo":false')"
sees "$scratch/bob" '{"from":{"tenant":"acme","user":"ann"},"data":"not to me\r\nevent:connect-close\ndata:x"}'
check_equal 200 "$(as_acme '"channel":"room.1","event":"say","data":"the end"')"
sees "$scratch/ann" '{"from":{"tenant":"acme","user":"ann"},"data":"the end"}'
! grep -q 'not to me' "$scratch/ann" || fail "the client got its own event"
last=$(sed -n 's/^id://p' "$scratch/bob" | tail -n2 | head -n1)
open_stream "$scratch/resumed" 'channel=room.1&clientId=ann-1' -H 'X-Sse-User: ann' -H 'X-Sse-Tenant: acme' -H "Last-Event-ID: $((last - 1))"
sees "$scratch/resumed" '{"from":{"tenant":"acme","user":"ann"},"data":"the end"}'
! grep -q 'not to me' "$scratch/resumed" || fail "the client got its own event when it resumed"
check_output "say to channel room.1" "$SSECTL" events --last 3 --type send
metrics
refusals no-rule "" 2
refusals not-subscribed 'room.*=subscriber' 1
refusals connection "" 3
refusals invalid "" 19
check_file 'sse_publications_total{service="defaultConnectionService"} 7' "$scratch/metrics"
! grep -q 'room.1' "$scratch/metrics" || fail "a metric names a channel"
stop_server

# Not too often: each stream for itself.
start_server --publish-rate 1
open_stream "$scratch/fast" 'userId=ann&channel=room.1'
id=$(sed -n '1s/^id://p' "$scratch/fast")
statuses=$(curl -sS -o "$scratch/bodies" -w '%{http_code}\n' "$url/my-sse/connect/publish.do?userId=ann&n=[1-200]" \
  -H 'Content-Type: application/json' -d "{\"connectionId\":\"$id\",\"channel\":\"room.1\",\"event\":\"say\",\"data\":1}" | sort -u | paste -sd,)
check_equal 200,429 "$statuses"
open_stream "$scratch/slow" 'userId=ann&channel=room.1'
check_equal 200 "$(connection=$(sed -n '1s/^id://p' "$scratch/slow") say room.1)"
stop_server

# A claim of the token.
(cd "$scratch" && "$SSECTL" key create key) >/dev/null
start_server --auth jwt --jwt-key-file "$scratch/key.jwks" --jwt-publish-claim publish --channel-rule '*=anyone'
"$SSECTL" token create --key "$scratch/key" --user ann --publish 'room.*' --publish news >"$scratch/token"
check_output "room.*" "$SSECTL" token check --key "$scratch/key.jwks" "$(<"$scratch/token")"
open_stream "$scratch/claim" "channel=room.1&access-token=$(<"$scratch/token")"
id=$(sed -n '1s/^id://p' "$scratch/claim")
with_token() { publish "\"channel\":\"$1\",\"event\":\"say\",\"data\":1" -H "Authorization: Bearer $(<"$scratch/token")"; }
check_equal 200 "$(with_token room.1)"
check_equal 200 "$(with_token news)"
check_equal 403 "$(with_token board)"
check_equal 401 "$(say room.1)"
check_exit 3 "$SSECTL" explain --user ann --channel news --user-token-file "$scratch/token"
check_contains "user ann may publish to news: the credentials of the user list 'news' to publish" "$output"
stop_server

# The hook is asked about each event that a rule leaves to it.
hook=$scratch/hook
mkdir "$hook"
python3 "$(dirname "${BASH_SOURCE[0]}")/hook_server.py" "$hook" &
children+=("$!")
wait_for 30 "the hook's port" test -s "$hook/port"
start_server --hook "http://127.0.0.1:$(<"$hook/port")/" --channel-rule '*=anyone' --publish-rule 'team.*=hook' --publish-rule 'open.*=anyone'
open_stream "$scratch/member" 'userId=member&channel=team.7'
id=$(sed -n '1s/^id://p' "$scratch/member")
check_equal 200 "$(as=member say team.7 say '["hi"]')"
sees "$scratch/member" '{"from":{"user":"member"},"data":["hi"]}'
check_equal 200 "$(as=member say open.a)"
check_equal '[["team.7", "say", ["hi"]]]' "$(python3 -c 'import json, sys
calls = [json.loads(line)["event"] for line in open(sys.argv[1])]
print(json.dumps([[one["channel"], one["event"], one["data"]] for one in calls if one["type"] == "publish"]))' "$hook/calls")"
for answer in garbage:502 error:503 refuse:422; do
  echo "${answer%:*}" >"$hook/mode"
  check_equal "${answer#*:}" "$(as=member say team.7 say '"no"')"
done
check_file '"data":{"reason":"application"},"message":null,"errorMessage":"not like this"' "$scratch/body"
rm "$hook/mode"
open_stream "$scratch/stranger" 'userId=stranger&channel=team.7'
id=$(sed -n '1s/^id://p' "$scratch/stranger")
check_equal 403 "$(as=stranger say team.7)"
check_file '"errorMessage":"members only"' "$scratch/body"
! grep -q '"no"' "$scratch/member" || fail "an event that the application refused"
stop_server

# Between two nodes: the request may go to either, and the streams of both get the event.
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
  rules=(--auth header --trusted-proxy 127.0.0.1 --channel-rule '*=anyone' --publish-rule 'room.*=subscriber')
  db=:memory: admin=$scratch/$cluster-a.sock start_server "${rules[@]}" --server-id a "${at_one[@]}"
  url_a=$url pid_a=$server_pid
  db=:memory: admin=$scratch/$cluster-b.sock start_server "${rules[@]}" --server-id b "${at_two[@]}"
  url_b=$url pid_b=$server_pid
  wait_for 60 "node b, seen by a" nodes_ready "unix:$scratch/$cluster-a.sock"
  wait_for 60 "node a, seen by b" nodes_ready "unix:$scratch/$cluster-b.sock"
  url=$url_a open_stream "$scratch/at-a" 'channel=room.1&clientId=a' -H 'X-Sse-User: ann'
  id=$(sed -n '1s/^id://p' "$scratch/at-a")
  url=$url_b open_stream "$scratch/at-b" 'channel=room.1&clientId=b' -H 'X-Sse-User: bob'
  check_equal 200 "$(at=$url_b say room.1 say '"from a through b"')"
  check_equal 200 "$(at=$url_a publish '"channel":"room.1","event":"say","data":"to b alone","echo":false')"
  check_equal 403 "$(at=$url_b say room.2)"
  check_equal 404 "$(at=$url_b as=bob say room.1)"
  check_equal 200 "$(at=$url_a say room.1 say '"the end"')"
  for file in at-a at-b; do sees "$scratch/$file" '{"from":{"user":"ann"},"data":"the end"}'; done
  sees "$scratch/at-a" '{"from":{"user":"ann"},"data":"from a through b"}'
  sees "$scratch/at-b" '{"from":{"user":"ann"},"data":"to b alone"}'
  ! grep -q 'to b alone' "$scratch/at-a" || fail "the client got its own event"
  stop_server "$pid_a"
  stop_server "$pid_b"
done
