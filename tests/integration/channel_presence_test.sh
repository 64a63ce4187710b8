#!/usr/bin/env bash
# Who is in a channel: streams that watch it are told, within their rights; `ssectl channels show` and the hook know it, too.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# members FILE: that a stream knows by its events, or `many N`.
members() {
  python3 - "$1" <<'EOF'
import json, sys
known, many, name = {}, None, ""
for line in open(sys.argv[1], encoding="utf-8"):
    field, _, value = line.rstrip("\n").partition(":")
    if field == "event":
        name = value
    elif field == "data" and name in ("sse-presence", "sse-join", "sse-leave"):
        data = json.loads(value)
        listed = data.get("members")
        if name == "sse-presence":
            known, many = {}, None if listed is not None else data["count"]
        for one in listed or []:
            key = one["user"] + ("@" + one["tenant"] if "tenant" in one else "")
            if name == "sse-leave":
                known.pop(key, None)
            else:
                known[key] = one.get("profile", {}).get("name", "-")
    elif not line.strip():
        name = ""
print(f"many {many}" if many is not None else " ".join(f"{key}={text}" for key, text in sorted(known.items())))
EOF
}
knows() {
  is_known() { [[ $(members "$1") == "$2" ]]; }
  wait_for 60 "'$2' as members in $1" is_known "$1" "$2"
}
subscribe() {
  http_status "$url/my-sse/connect/subscribe.do?userId=$1" -H 'Content-Type: application/json' \
    -d "{\"connectionId\":\"$2\",\"channels\":$3,\"presence\":${4-$3}}"
}
id_of() { sed -n '1s/^id://p' "$1"; }

for wrong in "--presence-grace=2h" "--presence-max=0" "--presence-max=10001" "--presence-channels=0" \
  "--presence-channels=200001" "--hook-channels"; do
  check_exit 2 "$SSE_SERVE" --check-config "$wrong"
done
check_contains "--hook" "$errors"

start_server --presence-grace 100ms --presence-max 3 --history 10
open_stream "$scratch/ann" "userId=ann&channel=hall&presence=room&name=Ann"
knows "$scratch/ann" "ann=-"
open_stream "$scratch/bob" "userId=bob&tenantId=acme&channel=room&channel=team.7"
bob=$stream_pid
knows "$scratch/ann" "ann=- bob@acme=-"
! grep -q 'sse-presence' "$scratch/bob" || fail "a stream that does not watch is told"
check_equal 200 "$(subscribe bob\&tenantId=acme "$(id_of "$scratch/bob")" '["room"]')"
knows "$scratch/bob" "ann=- bob@acme=-"
check_equal 400 "$(subscribe ann "$(id_of "$scratch/ann")" '["room"]' '["hall"]')"
check_equal 400 "$(subscribe ann "$(id_of "$scratch/ann")" '["room"]' true)"
check_equal 404 "$(subscribe eve "$(id_of "$scratch/ann")" '["room"]')"
# Users whose ids look like patterns are texts.
open_stream "$scratch/odd" "userId=%7Btenant%7D.*&channel=room"
odd=$stream_pid
knows "$scratch/ann" "ann=- bob@acme=- {tenant}.*=-"
# Above the limit there is only the number; the history has no event of these.
open_stream "$scratch/cid" "userId=cid&channel=room"
knows "$scratch/ann" "many 4"
check_exit 0 "$SSECTL" send --channel room --event note "for the history"
kill "$odd" "$stream_pid"
knows "$scratch/ann" "ann=- bob@acme=-"
[[ $(grep -c '^id:' "$scratch/ann") == 2 ]] || fail "an event about members has an id"

# What an operator sees.
check_exit 0 "$SSECTL" channels show room -o json
check_equal "room 2 2 1 1 ann: bob:acme" "$(python3 -c 'import json, sys
c = json.loads(sys.argv[1])
print(c["name"], c["connections"], c["memberCount"], c["eventsPerMinute"], c["history"]["events"],
      *(m["user"] + ":" + m.get("tenant", "") for m in c["members"]))' "$output")"
check_contains '"name": "Ann"' "$output"
check_exit 0 "$SSECTL" channels show room
check_contains "bob" "$output"
check_contains "1 event," "$output"
check_exit 3 "$SSECTL" channels show nowhere
check_contains "no stream is in the channel 'nowhere'" "$errors"
names() { python3 -c 'import json, sys; print(*(json.loads(line)["name"] for line in sys.stdin))'; }
check_equal "hall room team.7" "$("$SSECTL" channels list -o ndjson | names)"
check_equal "team.7" "$("$SSECTL" channels list --prefix team. -o ndjson | names)"
check_equal 0 "$("$SSECTL" channels list --prefix x --count)"
check_equal 400 "$(http_status --unix-socket "$admin" 'http://localhost/api/v1/tokens?prefix=k')"
check_equal 400 "$(http_status --unix-socket "$admin" 'http://localhost/api/v1/channel')"
curl -sS --unix-socket "$admin" http://localhost/metrics >"$scratch/metrics"
check_file "sse_presence_channels 1" "$scratch/metrics"
check_file "sse_presence_members 2" "$scratch/metrics"
check_file "sse_presence_watchers 2" "$scratch/metrics"
check_file "sse_presence_events_total" "$scratch/metrics"
kill "$bob"
knows "$scratch/ann" "ann=-"
stop_server

# No more channels are followed than the limit allows; a stream is in the others all the same.
start_server --presence-grace 100ms --presence-channels 2
open_stream "$scratch/first" "userId=first&presence=a&presence=b"
knows "$scratch/first" "first=-"
wait_for 30 "the second snapshot" grep -q '"channel":"b","version":' "$scratch/first"
open_stream "$scratch/second" "userId=second&presence=c&presence=a"
wait_for 30 "the refusal" grep -qx 'data:{"channel":"c","refused":"presence-limit"}' "$scratch/second"
wait_for 30 "the snapshot of the other" grep -q '"channel":"a","version":' "$scratch/second"
check_equal 200 "$(subscribe second "$(id_of "$scratch/second")" '["d","b"]')"
check_file '[{"channel":"d","joined":true,"presence":false,"reason":"presence-limit"},{"channel":"b","joined":true}]' "$scratch/body"
check_exit 0 "$SSECTL" send --channel c "in it"
curl -sS --unix-socket "$admin" http://localhost/metrics >"$scratch/metrics"
check_file "sse_presence_channels 2" "$scratch/metrics"
check_file 'sse_presence_refused_total{by="stream"} 2' "$scratch/metrics"
wait_for 30 "the line in the log" grep -q -- "--presence-channels" "$server_log"
stop_server

# The right to watch is that to join, and of a profile others see what is meant for them.
(cd "$scratch" && "$SSECTL" key create key) >/dev/null
start_server --auth jwt --jwt-key-file "$scratch/key.jwks" --channel-rule 'public.*=anyone' --presence-grace 100ms
token() { "$SSECTL" token create --key "$scratch/key" "$@"; }
ann_token=$(token --user ann --tenant acme)
open_stream "$scratch/closed" "presence=board&presence=public.a&access-token=$ann_token"
check_file '"refused":[{"channel":"board","reason":"no-rule"}]' "$scratch/closed"
wait_for 30 "a snapshot" grep -q '"channel":"public.a","version":' "$scratch/closed"
! grep -q '"channel":"board","version"' "$scratch/closed" || fail "a stream was told who is in a channel that it may not join"
! grep 'sse-presence' -A1 "$scratch/closed" | grep -qF "$ann_token" || fail "a token in an event"
stop_server

# The application is told which channels have streams.
hook=$scratch/hook
mkdir "$hook"
(umask 077 && echo "s3cret-of-the-hook" >"$scratch/secret")
python3 "$(dirname "${BASH_SOURCE[0]}")/hook_server.py" "$hook" "s3cret-of-the-hook" &
children+=("$!")
wait_for 30 "the hook's port" test -s "$hook/port"
start_server --hook "http://127.0.0.1:$(<"$hook/port")/" --hook-secret-file "$scratch/secret" --hook-channels \
  --presence-grace 100ms
open_stream "$scratch/one" "userId=1"
pid=$stream_pid
told() { [[ $(python3 -c 'import json, sys
calls = [json.loads(line) for line in open(sys.argv[1])]
print(*(c["header"] + ":" + c["event"]["channel"] for c in calls if c["header"] in ("occupied", "vacated")))' "$hook/calls") == "$1" ]]; }
wait_for 30 "that the channel is occupied" told "occupied:from-hook"
kill "$pid"
wait_for 30 "that the channel is vacated" told "occupied:from-hook vacated:from-hook"
check_exit 0 "$SSECTL" events --type occupied,vacated
check_contains "from-hook" "$output"
