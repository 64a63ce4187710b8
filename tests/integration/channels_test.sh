#!/usr/bin/env bash
# Who may join a channel: no user, unless a rule, the user's credentials or the application say so (--channel-rule). A
# refused channel ends no stream, and neither its history nor its pending messages reach one.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# refused FILE CHANNEL REASON: connect-finish and an event tell it.
refused() {
  wait_for 20 "the refusal of $2 in $1" grep -qxF "data:{\"channel\":\"$2\",\"reason\":\"$3\"}" "$1"
  check_file "\"refused\":[{\"channel\":\"$2\",\"reason\":\"$3\"}]" "$1"
  check_file event:sse-channel-refused "$1"
}
# sees FILE DATA
sees() { wait_for 20 "'$2' in $1" grep -qx "data:$2" "$1"; }
# channels_of FILE [OPTION…]: that its stream is in.
channels_of() {
  "$SSECTL" "${@:2}" connections show "$(sed -n '1s/^id://p' "$1")" -o json | python3 -c 'import json, sys; print(*json.load(sys.stdin)["channels"])'
}
metrics() { curl -sS --unix-socket "$admin" http://localhost/metrics >"$scratch/metrics"; }
# token NAME [OPTION…]: of the user of that name.
token() { "$SSECTL" token create --key "$scratch/key" --user "$@"; }

# What makes no sense is said at once.
for rule in news 'a*=anyone' 'news=everybody' 'news=self' 'user.{user}=anyone' '**.a=anyone'; do
  check_exit 2 "$SSE_SERVE" --check-config --channel-rule "$rule"
  check_contains "--channel-rule '$rule'" "$errors"
done
check_exit 2 "$SSE_SERVE" --check-config --channel-rule 'team.*=hook'
check_contains "--hook" "$errors"
printf 'channel-rule = ["public.*=anyone", "user.{user}.*=self"]\n' >"$scratch/sse.conf"
check_exit 0 "$SSE_SERVE" --check-config --config "$scratch/sse.conf"
check_exit 2 env SSE_SERVE_CHANNEL_RULE='public.*=anyone,news' "$SSE_SERVE" --check-config
check_contains "--channel-rule 'news'" "$errors"

# Without a rule everything is closed, and the start says so: only the token opens a channel.
(cd "$scratch" && "$SSECTL" key create key) >/dev/null
jwt=(--auth jwt --jwt-key-file "$scratch/key.jwks")
start_server "${jwt[@]}" --history 10
check_file "channels are closed: without --channel-rule" "$server_log"
check_exit 0 "$SSECTL" send --channel board --qos "of the board"
open_stream "$scratch/closed" "channel=board&access-token=$(token ann)"
refused "$scratch/closed" board no-rule
token ann --channels board --channels 'team.*' >"$scratch/token"
open_stream "$scratch/claim" "channel=board&access-token=$(<"$scratch/token")"
sees "$scratch/claim" "of the board"
check_output '1 connection' "$SSECTL" send --channel board "to the board"
sees "$scratch/claim" "to the board"
check_exit 0 "$SSECTL" send --all "the end"
sees "$scratch/closed" "the end"
! grep -q board "$scratch/closed.err" || fail "an error"
! grep -qE 'data:(of|to) the board' "$scratch/closed" || fail "a stream got what was sent to a channel that it is not in"
# Nor by coming back later.
open_stream "$scratch/resumed" "channel=board&access-token=$(token ann)" -H "Last-Event-ID: $(sed -n 's/^id://p' "$scratch/closed" | head -n1)"
sees "$scratch/resumed" "the end"
! grep -q 'data:to the board' "$scratch/resumed" || fail "the history of a channel that is closed"
# A claim that is no list is refused with a word; no claim is read with another name.
check_exit 0 "$SSECTL" explain --user ann --channel board --user-token-file "$scratch/token"
check_contains "user ann may join board: the credentials of the user list 'board'" "$output"
check_output "user bob may not join board: no --channel-rule names it" "$SSECTL" explain --user ann --user bob --channel board
check_exit 2 "$SSECTL" explain --user bob --channel board --user-token-file "$scratch/token"
check_contains "the token is that of user 'ann'" "$errors"
metrics
check_file 'sse_channels_refused_total{reason="no-rule",rule="",service="defaultConnectionService"} 2' "$scratch/metrics"
! grep -q 'board' "$scratch/metrics" || fail "a metric names a channel"
stop_server

secret=a-secret-of-more-than-32-bytes-for-tests
(umask 077 && echo "$secret" >"$scratch/secret")
no_list=$(python3 - "$secret" "{\"sub\":\"ann\",\"exp\":$(($(date +%s) + 600)),\"channels\":\"board\"}" <<'PY'
import base64, hashlib, hmac, sys
part = lambda b: base64.urlsafe_b64encode(b).rstrip(b"=")
text = part(b'{"alg":"HS256"}') + b"." + part(sys.argv[2].encode())
print((text + b"." + part(hmac.new(sys.argv[1].encode(), text, hashlib.sha256).digest())).decode())
PY
)
start_server --auth jwt --jwt-secret-file "$scratch/secret"
check_equal 401 "$(http_status -D "$scratch/head" "$url/my-sse/connect?access-token=$no_list")"
check_file "its claim 'channels' is not a list of channel names" "$scratch/head"
stop_server
start_server --auth jwt --jwt-secret-file "$scratch/secret" --jwt-channels-claim rooms --channel-rule '*=anyone'
# The old behaviour: every channel, whatever dots it has.
open_stream "$scratch/old" "channel=a.b.c&access-token=$no_list"
check_output '1 connection' "$SSECTL" send --channel a.b.c hello
! grep -q refused "$scratch/old" || fail "--channel-rule '*=anyone' refuses a channel"
! grep -q "channels are closed" "$server_log" || fail "channels are said to be closed"
stop_server

# The trusted proxy; names are what their bytes are. New rules take effect at once.
printf 'channel-rule = ["public.*=anyone", "user.{user}.*=self"]\n' >"$scratch/sse.conf"
start_server --config "$scratch/sse.conf" --auth header --trusted-proxy 127.0.0.1
open_stream "$scratch/own" "channel=user.x%252Ey.inbox" -H 'X-Sse-User: x.y'
check_output '1 connection' "$SSECTL" send --channel 'user.x%2Ey.inbox' hello
open_stream "$scratch/other" "channel=user.x%252Ey.inbox" -H 'X-Sse-User: x'
refused "$scratch/other" 'user.x%2Ey.inbox' no-rule
for user in '*' 'a.b' '{tenant}' '{user}'; do
  open_stream "$scratch/odd" "channel=user.bob.inbox" -H "X-Sse-User: $user"
  refused "$scratch/odd" user.bob.inbox no-rule
done
open_stream "$scratch/proxy" "channel=user.bob.inbox" -H 'X-Sse-User: admin' -H 'X-Sse-Channels: news, user.*.inbox'
check_output '1 connection' "$SSECTL" send --channel user.bob.inbox hello
open_stream "$scratch/break" "channel=public.a%0Ab" -H 'X-Sse-User: ann'
check_output '1 connection' "$SSECTL" send --channel $'public.a\nb' hello
check_equal 400 "$(http_status "$url/my-sse/connect" -H 'X-Sse-User: ann' -H 'Content-Type: application/json' \
  -d "{\"channel\":\"$(printf 'a%.0s' {1..10000})\"}")"
check_equal 401 "$(http_status "$url/my-sse/connect" -H 'X-Sse-User: ann' -H 'X-Sse-Channels: a*')"
open_stream "$scratch/public" "channel=public.news" -H 'X-Sse-User: ann'
printf 'channel-rule = "user.{user}.*=self"\n' >"$scratch/sse.conf"
kill -HUP "$server_pid"
wait_for 20 "the end of the right" grep -qxF 'data:{"channel":"public.news","reason":"revoked"}' "$scratch/public"
check_exit 3 "$SSECTL" send --channel public.news hello
check_exit 0 "$SSECTL" send --user ann "still here"
sees "$scratch/public" "still here"
check_output '1 connection' "$SSECTL" send --channel user.bob.inbox "the proxy's word stays"
open_stream "$scratch/again" "channel=public.news" -H 'X-Sse-User: ann'
refused "$scratch/again" public.news no-rule
# Rules that make no sense change nothing.
printf 'channel-rule = "user.*"\n' >"$scratch/sse.conf"
kill -HUP "$server_pid"
wait_for 20 "a complaint" grep -q "reload failed.*--channel-rule 'user.\*'" "$server_log"
check_output '1 connection' "$SSECTL" send --channel 'user.x%2Ey.inbox' hello
metrics
check_file 'sse_channels_refused_total{reason="revoked",rule="",service="defaultConnectionService"} 2' "$scratch/metrics"
stop_server

# A stream in several channels: each value is one name, commas included. What it missed comes in order and once, whichever of
# them it was sent to; what waited for one of them, too.
start_server --history 10
open_stream "$scratch/many" "userId=many&channel=a,b&channel=c&channel=d"
check_output '1 connection' "$SSECTL" send --channel a,b first
"$SSECTL" connections list --channel c >"$scratch/list"
check_file 'a,b,c,d' "$scratch/list"
check_output '1 connection' "$SSECTL" send --channel d --channel c --channel a,b second
check_exit 3 "$SSECTL" send --channel a third
sees "$scratch/many" second
kill "$stream_pid"
no_streams() { [[ $("$SSECTL" status -o json | python3 -c 'import json, sys; print(json.load(sys.stdin)["connections"])') == 0 ]]; }
wait_for 30 "the end of the stream" no_streams
for to in c d a,b; do check_exit 0 "$SSECTL" send --channel "$to" --channel "x$to" --qos "missed in $to"; done
check_exit 3 "$SSECTL" send --channel d --channel c "missed in two"
open_stream "$scratch/back" "userId=many&channel=a,b&channel=c&channel=d" -H "Last-Event-ID: $(sed -n 's/^id://p' "$scratch/many" | tail -n1)"
sees "$scratch/back" "missed in two"
check_equal 'missed in c missed in d missed in a,b missed in two' "$(sed -n 's/^data:missed/missed/p' "$scratch/back" | xargs)"
wait_for 30 "confirmations" sh -c "\"$SSECTL\" messages list --kind channel -o ndjson | grep -c . | grep -qx 3"
check_equal 400 "$(http_status "$url/my-sse/connect?channel=a&channel=b%0Ac")"
check_equal 400 "$(http_status "$url/my-sse/connect?channel=a&channel=$(printf 'b%.0s' {1..201})")"
check_equal 400 "$(http_status "$url/my-sse/connect?$(printf 'channel=c%s&' {1..101})")"
check_equal 200 "$(http_status -I "$url/my-sse/connect?$(printf 'channel=c%s&' {1..100})")"
"$SSECTL" listen --url "$url/my-sse" --user ann --channel x --channel y -n 2 >"$scratch/listened" 2>&1 &
children+=("$!")
wait_for 30 "ssectl in x and y" "$SSECTL" send --channel y "to y"
check_output '1 connection' "$SSECTL" send --channel x "to x"
wait_for 30 "what ssectl got" grep -q "to x" "$scratch/listened"
check_file "to y" "$scratch/listened"
stop_server

# An open stream joins and leaves channels; its marks name the channel of an event, and the id of what it catches up.
start_server --history 10 --channel-rule 'public.*=anyone'
check_exit 0 "$SSECTL" send --channel public.a --qos waiting
open_stream "$scratch/live" "userId=live&clientId=l&ack=1&ackMarks=1&channelMarks=1"
id=$(sed -n '1s/^id://p' "$scratch/live")
change() {
  http_status "$url/my-sse/connect/$1.do?userId=${as-live}" -H 'Content-Type: application/json' \
    -d "{\"connectionId\":\"${connection-$id}\",\"channels\":$2}"
}
check_equal 200 "$(change subscribe '["public.a","board"]')"
check_file '"channels":[{"channel":"public.a","joined":true},{"channel":"board","joined":false,"reason":"no-rule"}]' "$scratch/body"
check_output '1 connection' "$SSECTL" send --channel public.a now
sees "$scratch/live" now
check_equal 'event:sse-qos data: event:sse-channel data:{"channel":"public.a","event":"server-push","id":"'"$(sed -n 's/.*"id":"\([0-9]*\)".*/\1/p' "$scratch/live" | tail -n1)"'"} event:server-push data:waiting' \
  "$(sed -n '/sse-qos/,/waiting/p' "$scratch/live" | grep -v '^$' | paste -sd' ')"
check_file 'data:{"channel":"public.a","event":"server-push"}' "$scratch/live"
check_equal 200 "$(change unsubscribe '["public.a"]')"
check_exit 3 "$SSECTL" send --channel public.a late
check_equal 403 "$(change subscribe '["board"]')"
check_equal 400 "$(change subscribe '[]')"
check_equal 404 "$(as=other change subscribe '["public.a"]')"
check_equal 404 "$(connection=1 change unsubscribe '["public.a"]')"
# Names that look like patterns are names, and nothing explodes.
check_equal 403 "$(change subscribe '["*","**","{user}","public.*.*","'"$(printf 'a.%.0s' {1..90})"'"]')"
check_equal 400 "$(change subscribe "[\"$(printf 'a%.0s' {1..10000})\"]")"
check_equal 400 "$(change subscribe "[\"c0\"$(printf ',"c%s"' {1..100})]")"
check_equal 400 "$(change subscribe '["public.a\nb"]')"
# What was missed in a channel comes after a position, without ids of the stream; then the sign that it has ended.
sent_id() { { "$SSECTL" send --channel public.c "$1" -o json || (($? == 3)); } | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])'; }
seen=$(sent_id seen)
missed=$(sent_id missed)
check_equal 200 "$(change subscribe '["public.c"],"since":{"public.c":"'"$seen"'"}')"
check_file '"channels":[{"catchesUp":true,"channel":"public.c","joined":true}]' "$scratch/body"
wait_for 20 "the end of the catch-up" grep -q '"channel":"public.c","caughtUp":true,"position":"' "$scratch/live"
check_file 'data:{"channel":"public.c","event":"server-push","id":"'"$missed"'","position":"'"$missed"'"}' "$scratch/live"
! grep -qx "id:$missed" "$scratch/live" || fail "what a stream catches up changes its last event id"
! grep -qx "data:seen" "$scratch/live" || fail "the stream has got what is before its position"
check_equal 400 "$(change subscribe '["public.d"],"since":{"public.d":"x"}')"
check_equal 400 "$(change subscribe '["public.d"],"since":{"public.e":"1"}')"
check_equal 200 "$(change unsubscribe '["public.c"]')"
# A right that is lost ends the one subscription.
check_equal 200 "$(change subscribe '["public.a","public.b"]')"
# Joining and leaving all the time costs other streams nothing.
open_stream "$scratch/quiet" "userId=quiet&channel=public.a"
for _ in {1..50}; do
  check_equal 200 "$(change unsubscribe '["public.a"]')"
  check_equal 200 "$(change subscribe '["public.a"]')"
done
check_output '2 connections' "$SSECTL" send --channel public.a still
sees "$scratch/quiet" still
stop_server

# The hook is asked once about each stream; it may allow what a rule leaves to it, and refuse anything.
hook=$scratch/hook
mkdir "$hook"
python3 "$(dirname "${BASH_SOURCE[0]}")/hook_server.py" "$hook" &
children+=("$!")
wait_for 30 "the hook's port" test -s "$hook/port"
start_server --hook "http://127.0.0.1:$(<"$hook/port")/" --hook-timeout 60s --channel-rule 'team.*=hook' --channel-rule 'public.*=anyone'
in_channel() { check_output "\"channel\": \"$2\"" "$SSECTL" connections show "$(sed -n '1s/^id://p' "$1")" -o json; }
open_stream "$scratch/member" "userId=member&channel=team.7"
in_channel "$scratch/member" team.7
open_stream "$scratch/member2" "userId=member&channel=other"
refused "$scratch/member2" other no-rule
open_stream "$scratch/stranger" "userId=stranger&channel=team.7"
refused "$scratch/stranger" team.7 application
open_stream "$scratch/stranger2" "userId=stranger&channel=public.news"
in_channel "$scratch/stranger2" public.news
open_stream "$scratch/barred" "userId=barred&channel=public.news"
refused "$scratch/barred" public.news application
open_stream "$scratch/placed" "userId=placed&channel=other"
in_channel "$scratch/placed" other
check_equal 502 "$(http_status "$url/my-sse/connect?userId=confused&channel=team.7")"
# Also about further channels of an open stream.
id=$(sed -n '1s/^id://p' "$scratch/member")
check_equal 200 "$(as=member change subscribe '["team.8","public.x","other"]')"
check_file '[{"channel":"team.8","joined":true},{"channel":"public.x","joined":true},{"channel":"other","joined":false,"reason":"no-rule"}]' "$scratch/body"
check_equal 'team.7 team.8 public.x' "$(channels_of "$scratch/member")"
id=$(sed -n '1s/^id://p' "$scratch/stranger2")
check_equal 403 "$(as=stranger change subscribe '["team.7"]')"
check_file '"reason":"application"' "$scratch/body"
# One that answers garbage, is out of order or refuses everything changes nothing.
for answer in garbage:502 error:503 refuse:403; do
  echo "${answer%:*}" >"$hook/mode"
  check_equal "${answer#*:}" "$(as=stranger change subscribe '["public.new"]')"
done
# One that takes its time delays this request alone.
echo ponder >"$hook/mode"
as=stranger change subscribe '["public.slow"]' >"$scratch/slow" &
slow=$!
wait_for 30 "the question" grep -q public.slow "$hook/calls"
check_output '2 connections' "$SSECTL" send --user stranger "still here"
sees "$scratch/stranger2" "still here"
rm "$hook/mode"
wait "$slow"
check_equal 200 "$(<"$scratch/slow")"
check_equal 200 "$(as=stranger change unsubscribe '["public.slow"]')"
check_equal 'public.news' "$(channels_of "$scratch/stranger2")"
# One call about all of them; what it adds needs no right.
open_stream "$scratch/joined" "userId=joined&channel=public.news&channel=secret&channel=team.7"
check_file '"refused":[{"channel":"secret","reason":"no-rule"},{"channel":"team.7","reason":"application"}]' "$scratch/joined"
check_equal 'public.news given team.9' "$(channels_of "$scratch/joined")"
check_exit 0 "$SSECTL" send --channel team.9 --channel public.news --channel given "once"
check_exit 0 "$SSECTL" send --channel given "the end"
sees "$scratch/joined" "the end"
check_equal 1 "$(grep -cx 'data:once' "$scratch/joined")"
calls=$(python3 -c 'import json, sys
print([json.loads(line)["event"].get("channels") for line in open(sys.argv[1])])' "$hook/calls")
check_contains "[{'channel': 'team.7', 'right': 'hook'}], [{'channel': 'other', 'right': 'refused'}]" "$calls"
check_contains "[{'channel': 'public.news', 'right': 'allowed'}]" "$calls"
check_exit 3 "$SSECTL" explain --user ann --channel team.7
check_contains "user ann may ask to join team.7: --channel-rule 'team.*=hook': the application decides" "$output"
metrics
check_file 'sse_channels_refused_total{reason="application",rule="team.*=hook",service="defaultConnectionService"} 3' "$scratch/metrics"
check_file 'sse_channels_refused_total{reason="application",rule="public.*=anyone",service="defaultConnectionService"} 2' "$scratch/metrics"
stop_server

# The authentication service answers with the channels, too.
python3 - "$scratch/webhook-port" <<'PY' &
import http.server, json, sys
class Who(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        user = asked["parameters"].get("userId", "")
        answer = {"user": user, "channels": ["team.7", "user.{user}.*"] if user != "confused" else "team.7"}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Who)
open(sys.argv[1], "w").write(str(server.server_port))
server.serve_forever()
PY
children+=("$!")
wait_for 30 "the port of the service" test -s "$scratch/webhook-port"
start_server --auth webhook --auth-url "http://127.0.0.1:$(<"$scratch/webhook-port")/"
open_stream "$scratch/w1" "userId=ann&channel=team.7"
in_channel "$scratch/w1" team.7
open_stream "$scratch/w2" "userId=ann&channel=user.ann.inbox"
in_channel "$scratch/w2" user.ann.inbox
open_stream "$scratch/w3" "userId=ann&channel=user.bob.inbox"
refused "$scratch/w3" user.bob.inbox no-rule
check_equal 503 "$(http_status "$url/my-sse/connect?userId=confused")"
check_file "its answer's 'channels' is not a list" "$server_log"
stop_server

# Two nodes: each asks the same question, and neither sends to the other what is refused there.
echo "a secret that both nodes share, for a test" >"$scratch/cluster-secret"
chmod 600 "$scratch/cluster-secret"
read -r one two < <(free_ports 2 | xargs)
node() {
  start_server --auth header --trusted-proxy 127.0.0.1 --channel-rule 'public.*=anyone' --server-id "$1" \
    --discovery "static:127.0.0.1:$one,127.0.0.1:$two" --cluster-listen "127.0.0.1:$2" --cluster-secret-file "$scratch/cluster-secret"
}
db=:memory: admin=$scratch/a.sock node a "$one"
url_a=$url admin_a=unix:$scratch/a.sock
db=:memory: admin=$scratch/b.sock node b "$two"
url_b=$url admin_b=unix:$scratch/b.sock
nodes_ready() { [[ $("$SSECTL" --server "$1" nodes list -o ndjson | grep -c '"state":"ready"') == 2 ]]; }
wait_for 60 "node b, seen by a" nodes_ready "$admin_a"
wait_for 60 "node a, seen by b" nodes_ready "$admin_b"
url=$url_a open_stream "$scratch/at-a" "channel=public.news" -H 'X-Sse-User: ann'
url=$url_a open_stream "$scratch/closed-at-a" "channel=board" -H 'X-Sse-User: ann'
refused "$scratch/closed-at-a" board no-rule
check_exit 0 "$SSECTL" --server "$admin_b" send --channel board --qos "of the board"
check_output '1 connection' "$SSECTL" --server "$admin_b" send --channel public.news "to the news"
sees "$scratch/at-a" "to the news"
url=$url_b open_stream "$scratch/at-b" "channel=board" -H 'X-Sse-User: bob' -H 'X-Sse-Channels: board'
sees "$scratch/at-b" "of the board"
check_exit 0 "$SSECTL" --server "$admin_b" send --user ann "the end"
sees "$scratch/closed-at-a" "the end"
! grep -q 'of the board' "$scratch/closed-at-a" || fail "a message of a channel that is closed"
