#!/usr/bin/env bash
# Names, listeners and paths that no page of good will would send: refused with a sentence, or taken as they are; nobody
# else notices.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

start_server --enable-get-json
open_stream "$scratch/good" 'userId=good'
page=$url/my-sse/connect
long=$(printf 'x%.0s' {1..10000})
repeat() { python3 -c 'import sys; print(sys.argv[1].join(str(i) for i in range(int(sys.argv[2]))))' "$@"; }
refused() { # refused STATUS SENTENCE CURL-ARGUMENT…
  local expected=$1 sentence=$2
  shift 2
  check_equal "$expected" "$(http_status "$@")"
  check_contains "$sentence" "$(<"$scratch/body")"
}

# Ids of 10 kB, wherever one can be named.
status=$(http_status "$page?userId=$long")
[[ $status == 4* ]] || fail "a user id of 10 kB is answered with $status"
printf '{"userId":"good","channel":"%s"}' "$long" >"$scratch/channel.json"
refused 400 "channel must be at most 1024 bytes" -X POST -H 'Content-Type: application/json' --data-binary "@$scratch/channel.json" "$page?userId=good"
check_exit 2 "$SSECTL" send --user "$long" hi
check_exit 2 "$SSECTL" users duration "$long" --set 5
status=$(http_status --unix-socket "$admin" "http://localhost/api/v1/user?id=$long")
[[ $status == 4* ]] || fail "the admin API answers a user id of 10 kB with $status"
status=$(http_status --unix-socket "$admin" "http://localhost/api/v1/connections/$long")
[[ $status == 4* ]] || fail "the admin API answers a connection id of 10 kB with $status"
status=$(http_status -X POST "$page/message/$long.do?userId=good&connectionId=1")
[[ $status == 4* ]] || fail "a path of 10 kB is answered with $status"

# 100,000 listeners: at once, in a body, and a thousand at a time.
good=$(sed -n '1s/^id://p' "$scratch/good")
printf '{"listeners":"%s"}' "$(repeat ,e 100000)" >"$scratch/listeners.json"
refused 413 "larger than this server accepts" -X POST -H 'Content-Type: application/json' --data-binary "@$scratch/listeners.json" "$page?userId=good"
printf '{"connectionId":"%s","listener":["e%s"]}' "$good" "$(repeat '","e' 100000)" >"$scratch/add.json"
refused 400 "more than 32768 bytes of listeners" -X POST -H 'Content-Type: application/json' --data-binary "@$scratch/add.json" "$page/addListener.do?userId=good"
printf '{"connectionId":"%s","listener":["a%s"]}' "$good" "$(repeat '","a' 990)" >"$scratch/add.json"
check_equal 200 "$(http_status -X POST -H 'Content-Type: application/json' --data-binary "@$scratch/add.json" "$page/addListener.do?userId=good")"
printf '{"connectionId":"%s","listener":["b%s"]}' "$good" "$(repeat '","b' 990)" >"$scratch/add.json"
refused 429 "at most 1000" -X POST -H 'Content-Type: application/json' --data-binary "@$scratch/add.json" "$page/addListener.do?userId=good"
check_equal 200 "$(http_status -X POST -H 'Content-Type: application/json' --data-binary "@$scratch/add.json" "$page/removeListener.do?userId=good")"

# Commas and control characters: an event may be called so, but line breaks and NUL no stream can carry.
add() { http_status -X POST -d "{\"connectionId\":\"$good\",\"listener\":[\"$1\"]}" "$page/addListener.do?userId=good"; }
check_equal 200 "$(add 'a,b')"
check_equal 200 "$(add 'bell\u0007')"
check_exit 0 "$SSECTL" send --user good --listening --event 'a,b' comma
check_exit 0 "$SSECTL" send --user good --listening --event $'bell\a' bell
wait_for 10 "both events" grep -qx 'data:bell' "$scratch/good"
for name in 'a\nb' 'a\rb' 'a\u0000b' '\ud800'; do check_equal 400 "$(add "$name")"; done
"$SSECTL" connections list >"$scratch/table"
grep -q $'\a' "$scratch/table" && fail "a control character reached the terminal"

# Names of parameters are as free as their values: escapes of a terminal, C1 and bidirectional controls.
open_stream "$scratch/evil" 'userId=evil&%1b%5d0%3bowned%07=1&%c2%9b2J=2&%e2%80%ae=3&x=%1b%5b2J%c2%9b&channel=%e2%81%a6c%c2%9b'
evil=$(sed -n '1s/^id://p' "$scratch/evil")
for command in "connections show $evil" "connections show $evil -o json" "connections list" "connections list -o ndjson" \
  "channels list" "users show evil" "users list" "events --last 20" "events --last 20 -o json"; do
  # shellcheck disable=SC2086
  check_exit 0 "$SSECTL" $command
  if LC_ALL=C grep -qP '\x1b|\x07|\xc2\x9b|\xe2\x80\xae|\xe2\x81\xa6' <<<"$output"; then
    fail "'ssectl $command' prints what a terminal acts on: $(cat -v <<<"$output")"
  fi
done
check_output '\x1B]0;owned\x07' "$SSECTL" connections show "$evil"

# A channel named like a path is a name.
for channel in /etc/passwd ../../admin 'a/b/' '%2F' '.'; do
  encoded=$(python3 -c 'import sys, urllib.parse; print(urllib.parse.quote(sys.argv[1], safe=""))' "$channel")
  open_stream "$scratch/channel" "userId=c&channel=$encoded"
  check_exit 0 "$SSECTL" send --channel "$channel" "to $channel"
  wait_for 10 "the event to $channel" grep -qxF "data:to $channel" "$scratch/channel"
  check_output "\"name\":\"$channel\"" "$SSECTL" channels list --channel "$channel" -o ndjson
  kill "$stream_pid"
done

# Paths under P that do not exist.
for path in /nothing /connect// /connect/x /connect/addListener /connect/message/.do /connect/message/x /../connect \
            /connect/users.json/x /connect/users.xml //connect; do
  status=$(http_status --path-as-is "$url/my-sse$path")
  [[ $status == 404 || $status == 405 || $status == 400 ]] || fail "$path is answered with $status"
  check_contains '"success":false' "$(<"$scratch/body")"
done

# And the page of good will is still there.
check_exit 0 "$SSECTL" send --user good "all is well"
wait_for 10 "the last event" grep -qx 'data:all is well' "$scratch/good"
stop_server
