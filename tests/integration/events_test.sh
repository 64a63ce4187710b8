#!/usr/bin/env bash
# `ssectl events` shows what happened and, with --follow, what happens: who connects, leaves and why, listens, asks, and
# what is sent. Filters apply, tokens and contents are not shown, a follower that does not read costs no other client anything.
# ctest: COST 100
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

start_server --heartbeat 200ms
follow() { # FILE OPTION…
  local file=$1
  shift
  "$SSECTL" events --follow "$@" >"$file" 2>"$file.err" &
  children+=($!)
}
followers() { [[ $("$SSECTL" status -o json | grep -o '"sse_event_feed_followers": [0-9]*' | grep -o '[0-9]*$') == "$1" ]]; }
follow "$scratch/all" -o ndjson
all_pid=$!
follow "$scratch/people"
follow "$scratch/ann" -o json --user ann
follow "$scratch/left" -o ndjson --type disconnect,listening
wait_for 10 "four followers" followers 4

open_stream "$scratch/a" "userId=ann&clientId=pc&listeners=note&access-token=TOKEN-hunter2-hunter2" -A browser
ann_pid=$stream_pid
id=$(sed -n '1s/^id://p' "$scratch/a")
open_stream "$scratch/b" "userId=bob"
bob=$(sed -n '1s/^id://p' "$scratch/b")
post() { curl -sSf -o /dev/null -H 'Content-Type: application/json' -d "$2" "$url/my-sse/connect/$1"; }
post "addListener.do?userId=ann" "{\"connectionId\":\"$id\",\"listener\":[\"sport\"]}"
post "message/hello.do?userId=ann&connectionId=$id" '{"secret":"BODY-of-the-message"}'
check_exit 0 "$SSECTL" send --user ann --event note "DATA-of-the-event"
check_exit 0 "$SSECTL" send --user bob --qos "for bob"
check_exit 0 "$SSECTL" send --token TOKEN-hunter2-hunter2 "by token"
post "disconnect.do?userId=bob&connectionId=$bob&reason=page+hidden" ''
kill "$ann_pid"

ended() { [[ $(grep -c '"type":"disconnect"' "$scratch/all") == 2 ]]; }
wait_for 10 "both goodbyes" ended
check_equal 'connect ann
connect bob
listening ann
message ann
send -
send -
send -
disconnect bob page hidden
disconnect ann client-closed' "$(python3 - "$scratch/all" <<'PY'
import json, sys
for e in map(json.loads, filter(str.strip, open(sys.argv[1]))):
    print(e["type"], e.get("user", "-"), *([e["note"] or e["reason"]] if e["type"] == "disconnect" else []))
PY
)"
grep -q '"listeners":\["note"\]' "$scratch/all" || fail "the listeners of a connect are not shown"
grep -q '"delivered":1,"event":"note"' "$scratch/all" || fail "a send's count is not shown"
grep -q '"path":"hello".*"status":200' "$scratch/all" || fail "a message's answer is not shown"
check_equal 5 "$(grep -c ann "$scratch/ann")"
grep -q bob "$scratch/ann" && fail "--user ann shows bob: $(cat "$scratch/ann")"
check_equal 3 "$(grep -c . "$scratch/left")"
check_file 'user ann  connection' "$scratch/people"
check_file 'page hidden' "$scratch/people"
check_file 'note to user ann, 1 connection got it' "$scratch/people"
! grep -hE 'hunter2-hunter2|BODY-of|DATA-of' "$scratch/all" "$scratch/people" || fail "secrets are shown"

# The past, without --follow.
check_exit 0 "$SSECTL" events -o json --last 2
check_equal 2 "$(grep -c '"type"' <<<"$output")"
check_output 'client-closed' "$SSECTL" events --type disconnect --user ann
check_exit 0 "$SSECTL" events --user nobody
check_equal "" "$output"
check_contains "no activity event matches" "$errors"
# --follow with a bit of it.
follow "$scratch/more" -o ndjson --last 3 --type connect,disconnect
more() { [[ $(grep -c . "$scratch/more") == 3 ]]; }
wait_for 10 "the past" more

# What makes no sense.
check_exit 2 "$SSECTL" events --type conect
check_contains "connect, disconnect, listening" "$errors"
check_exit 2 "$SSECTL" events --follow --type conect
check_exit 2 "$SSECTL" events --last -1
check_exit 3 "$SSECTL" events --service nothing
check_exit 3 "$SSECTL" events --follow --service nothing

# A follower that reads nothing misses events, and no other client notices.
python3 - "$admin" "$SSECTL" <<'PY'
import json, socket, subprocess, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b"GET /api/v1/events?follow=true HTTP/1.1\r\nHost: localhost\r\n\r\n")
text = s.recv(65536)
while b"\r\n\r\n" not in text:
    text += s.recv(65536)
assert b"200 OK" in text and b"application/x-ndjson" in text, text
bulk = "\n".join(json.dumps({"target": {"users": ["nobody-%d" % i]}, "event": "x" * 200}) for i in range(5000))
for _ in range(4):
    subprocess.run(["curl", "-sSf", "-o", "/dev/null", "--unix-socket", sys.argv[1], "-H", "Content-Type: application/x-ndjson",
                    "--data-binary", "@-", "http://localhost/api/v1/send"], input=bulk.encode(), check=True)
s.settimeout(20)
seen, missed = text.split(b"\r\n\r\n", 1)[1], 0
while True:
    lines = seen.split(b"\n")
    count = sum(1 for line in lines[:-1] if b'"send"' in line)
    missed = sum(json.loads(line)["count"] for line in lines[:-1] if b'"missed"' in line)
    if count + missed >= 20000:
        break
    seen += s.recv(1 << 20)
assert count + missed == 20000, (count, missed)
assert missed > 0 and count > 1000, (count, missed)
PY
curl -sS --unix-socket "$admin" http://localhost/metrics >"$scratch/metrics"
grep -q '^sse_event_feed_missed_total [1-9]' "$scratch/metrics" || fail "what the slow follower missed was not counted"
all_shown() { [[ $(grep -c '"type":"send"' "$scratch/all") -ge 1000 ]]; }
wait_for 20 "a follower that reads" all_shown

# A follower goes: its place is free. The server goes: followers hear it.
kill "$all_pid"
wait_for 10 "one less" followers 4
stop_server
check_ended() { [[ -s $scratch/people.err ]]; }
wait_for 10 "the end of a follower" check_ended
check_file "ended the stream of events" "$scratch/people.err"
