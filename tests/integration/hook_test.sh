#!/usr/bin/env bash
# The application behind --hook: it decides who connects, answers messages and uploads, and is told who left and listens
# to what. A hook that hangs, dies or talks nonsense costs its pages an error, and no stream anything.
# ctest: COST 100
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

hook=$scratch/hook
mkdir "$hook" "$scratch/uploads"
start_hook() {
  rm -f "$hook/port"
  python3 "$(dirname "${BASH_SOURCE[0]}")/hook_server.py" "$hook" "s3cret-of-the-hook" &
  hook_pid=$!
  children+=("$hook_pid")
  wait_for 30 "the hook's port" test -s "$hook/port"
  port=$(<"$hook/port")
}
stop_hook() {
  kill -KILL "$hook_pid"
  wait "$hook_pid" 2>/dev/null || true
}
mode() { echo "$1" >"$hook/mode"; }
# calls JQ-LIKE-PYTHON: prints what the expression over the list `calls` gives.
calls() {
  python3 -c 'import json, sys
calls = [json.loads(line) for line in open(sys.argv[1])]
print(eval(sys.argv[2]))' "$hook/calls" "$1"
}
called() { [[ $(calls "$1") == True ]]; }

start_hook
(umask 077 && echo "s3cret-of-the-hook" >"$scratch/secret")
start_server --hook "http://127.0.0.1:$port/hook?a=b" --hook-timeout 1s --hook-secret-file "$scratch/secret" \
  --upload-dir "$scratch/uploads" --max-upload 1MiB --hook-threads 4

# Connect: the hook says yes and adds what it knows.
open_stream "$scratch/a" "userId=1&clientId=pc&listeners=note"
id=$(sed -n '1s/^id://p' "$scratch/a")
check_equal "connect $id True pc" "$(calls '" ".join(map(str, (calls[0]["header"], calls[0]["event"]["connection"]["id"],
  calls[0]["signed"], calls[0]["event"]["connection"]["clientId"])))')"
check_output '"name": "Ann"' "$SSECTL" connections show "$id" -o json
check_contains '"plan": "gold"' "$output"
check_contains '"level": "7"' "$output"
check_contains '"channel": "from-hook"' "$output"
check_exit 0 "$SSECTL" send --channel from-hook joined
wait_for 10 "the channel's event" grep -qx 'data:joined' "$scratch/a"

# Or no.
check_equal 403 "$(http_status "$url/my-sse/connect?userId=banned")"
check_file 'banned for a week' "$scratch/body"
check_equal 429 "$(http_status "$url/my-sse/connect?userId=later")"
check_equal 502 "$(http_status "$url/my-sse/connect?userId=odd")"
check_equal 0 "$("$SSECTL" connections list --user banned -o ndjson | wc -l)"

# Messages: the hook's answer is the page's, with its status.
message() { http_status -H 'Content-Type: application/json' -d "$1" "$url/my-sse/connect/message/a/b.do?userId=1&connectionId=$id&q=1"; }
check_equal 200 "$(message '{"x":[1,"ü"]}')"
check_file '"data":{"echo":{"q":"1","userId":"1","x":[1,"ü"]},"path":"a/b"}' "$scratch/body"
# An answer may carry events for the page that asks: they are on its stream when it has the answer, behind all before.
mode push
check_exit 0 "$SSECTL" send --connection "$id" --event note before
check_equal 200 "$(message '{}')"
check_file '"data":{"mine":1}' "$scratch/body"
check_exit 0 "$SSECTL" send --connection "$id" --event note after
wait_for 10 "the events of the answer" grep -qx 'data:after' "$scratch/a"
check_equal 'before pushed {"n":2} after' "$(sed -n '/^data:before/,$s/^data://p' "$scratch/a" | xargs -d '\n')"
check_equal 2 "$(grep -c '^event:server-push' "$scratch/a")"  # the channel's, and the second of the answer
mode push-nonsense
check_equal 502 "$(message '{}')"
# It may also change the stream.
mode change
check_equal 200 "$(message '{}')"
check_file '"data":{"mine":2}' "$scratch/body"
wait_for 10 "the event of the changed stream" grep -qx 'data:changed' "$scratch/a"
check_equal "$id" "$("$SSECTL" connections list --attribute plan=platinum -o ndjson | python3 -c 'import json, sys
print(*[json.loads(line)["id"] for line in sys.stdin if "given" in json.loads(line)["channels"]])')"
check_exit 0 "$SSECTL" send --channel given --event note "to the channel it joined"
wait_for 10 "an event of the channel that it joined" grep -qx 'data:to the channel it joined' "$scratch/a"
mode change-nonsense
check_equal 502 "$(message '{}')"
mode refuse
check_equal 422 "$(message '{}')"
check_file '{"success":false,"code":422,"data":{"field":"a","message":"not like this"},"message":null,"errorMessage":"not like this"}' "$scratch/body"
mode error
check_equal 500 "$(message '{}')"
check_file 'out of order' "$scratch/body"
for nonsense in garbage huge cut; do
  mode "$nonsense"
  check_equal 502 "$(message '{}')"
  check_file '"success":false,"code":502' "$scratch/body"
  check_equal "$([[ $nonsense == garbage ]] && echo 502 || echo 503)" "$(http_status "$url/my-sse/connect?userId=2")"
done
mode array
check_equal 200 "$(message '{}')"
check_equal 502 "$(http_status "$url/my-sse/connect?userId=2")"
for slow in hang drip; do
  mode "$slow"
  check_equal 504 "$(message '{}')"
  check_equal 503 "$(http_status -D "$scratch/head" "$url/my-sse/connect?userId=2")"
  check_file 'Retry-After: 5' "$scratch/head"
done

# Sixteen connects and messages hang; the stream that is open, other requests and the admin API do not notice.
mode hang
for _ in {1..16}; do
  curl -s -o /dev/null "$url/my-sse/connect?userId=3" &
  children+=($!)
  curl -s -o /dev/null -d '{}' -H 'Content-Type: application/json' \
    "$url/my-sse/connect/message/x.do?userId=1&connectionId=$id" &
  children+=($!)
done
for i in {1..20}; do
  check_exit 0 timeout 5 "$SSECTL" send --user 1 "while others hang $i"
  check_exit 0 timeout 5 curl -sSf -o /dev/null "$url/my-sse/sse.js"
done
wait_for 10 "events of a stream that is open" grep -qx 'data:while others hang 20' "$scratch/a"
mode good
message_works() { [[ $(message '{}') == 200 ]]; }
wait_for 30 "messages again" message_works

# Uploads: by path, in a file of this user only that is gone afterwards.
head -c 300000 /dev/urandom >"$scratch/photo"
sum=$(sha256sum <"$scratch/photo" | cut -d' ' -f1)
upload() {
  http_status -F "photo=@$1;filename=../../etc/pass\"wd;type=image/png" -F 'title=Holiday' \
    "$url/my-sse/connect/upload/album.do?userId=1&connectionId=$id"
}
check_equal 201 "$(upload "$scratch/photo")"
check_file '"data":{"fields":{"title":"Holiday"},"taken":1}' "$scratch/body"
check_equal "$sum 0o600 300000 image/png album True" "$(calls '(lambda e: " ".join(map(str, (e["files"][0]["sha"],
  e["files"][0]["mode"], e["files"][0]["size"], e["files"][0]["contentType"], e["path"],
  e["files"][0]["path"].startswith("'"$scratch"'/uploads/")))))(calls[-1]["event"])')"
no_files_left() { [[ -z $(ls -A "$scratch/uploads") ]]; }
no_files_left || fail "an upload's file stayed behind: $(ls "$scratch/uploads")"
mode hang
check_equal 504 "$(upload "$scratch/photo")"
no_files_left || fail "the file of an upload that failed stayed behind"
mode good

# Too large, and cut off in the middle.
head -c 2000000 /dev/zero >"$scratch/large"
check_equal 413 "$(upload "$scratch/large")"
check_equal 413 "$(http_status -H 'Transfer-Encoding: chunked' -F "photo=@$scratch/large" \
  "$url/my-sse/connect/upload/album.do?userId=1&connectionId=$id")"
before=$(calls 'len(calls)')
python3 - "$url" "$id" <<'PY'
import socket, sys
host, port = sys.argv[1][7:].split(":")
s = socket.create_connection((host, int(port)))
s.sendall((f"POST /my-sse/connect/upload/x.do?userId=1&connectionId={sys.argv[2]} HTTP/1.1\r\nHost: localhost\r\n"
           "Content-Type: multipart/form-data; boundary=B\r\nContent-Length: 900000\r\n\r\n"
           '--B\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n').encode() + b"x" * 500000)
s.close()
# Complete by its length, but its last part has no end.
s = socket.create_connection((host, int(port)))
body = b'--B\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\nhalf'
s.sendall((f"POST /my-sse/connect/upload/x.do?userId=1&connectionId={sys.argv[2]} HTTP/1.1\r\nHost: localhost\r\n"
           f"Content-Type: multipart/form-data; boundary=B\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body)
answer = s.recv(65536)
assert answer.startswith(b"HTTP/1.1 400"), answer
PY
check_exit 0 "$SSECTL" status
no_files_left || fail "an upload that was cut off left a file"
check_equal "$before" "$(calls 'len(calls)')"

# Listening changes and goodbyes are told in order, and again until the hook takes them.
stop_hook
listen() {
  curl -sSf -o /dev/null -H 'Content-Type: application/json' -d "{\"connectionId\":\"$id\",\"listener\":[\"$2\"]}" \
    "$url/my-sse/connect/$1Listener.do?userId=1"
}
listen add sport
listen add sport
listen remove note
check_equal 502 "$(message '{}')"
check_equal 503 "$(http_status "$url/my-sse/connect?userId=2")"
check_exit 0 curl -sSf -d "connectionId=$id&reason=leaving+the+page" "$url/my-sse/connect/disconnect.do?userId=1"
HOOK_PORT=$port start_hook
told="[c['event'] for c in calls if c['event']['type'] in ('listening', 'disconnect') and c['event']['connection']['id'] == '$id']"
told_goodbye() { called "any(e['type'] == 'disconnect' for e in $told)"; }
wait_for 30 "the goodbye at the hook" told_goodbye
check_equal "listening sport -
listening - note
disconnect disconnect leaving the page True" "$(calls "chr(10).join(
  'listening ' + ','.join(e.get('added', ['-'])) + ' ' + ','.join(e.get('removed', ['-'])) if e['type'] == 'listening'
  else 'disconnect ' + e['reason'] + ' ' + e['note'] + ' ' + str(e['durationMillis'] > 0) for e in $told)")"

# Another secret, without a restart; one that cannot be read is no reason to go without.
echo "an0ther-secret" >"$scratch/secret"
kill -HUP "$server_pid"
wait_for 10 "the new secret" grep -q "reloaded on SIGHUP" "$server_log"
open_stream "$scratch/resigned" "userId=5"
wait_for 10 "a call that is signed otherwise" called \
  "[c['signed'] for c in calls if c['event']['type'] == 'connect'][-1] == False"
mv "$scratch/secret" "$scratch/elsewhere"
kill -HUP "$server_pid"
wait_for 10 "a word about it" grep -q -- "--hook-secret-file" "$server_log"
mv "$scratch/elsewhere" "$scratch/secret"

# At the end the hook hears of those who were still there.
open_stream "$scratch/b" "userId=4"
id=$(sed -n '1s/^id://p' "$scratch/b")
stop_server
check_equal "shutdown" "$(calls "[c['event']['reason'] for c in calls if c['event']['type'] == 'disconnect' and c['event']['connection']['id'] == '$id'][0]")"
grep -q s3cret "$server_log" && fail "the hook's secret is in the log"

# Files in the body instead of by path, for a hook on another machine.
echo "s3cret-of-the-hook" >"$scratch/secret"
start_server --hook "http://127.0.0.1:$port/" --hook-uploads multipart --upload-dir "$scratch/uploads" \
  --hook-secret-file "$scratch/secret"
open_stream "$scratch/c" "userId=1"
id=$(sed -n '1s/^id://p' "$scratch/c")
check_equal 201 "$(upload "$scratch/photo")"
check_equal "$sum False" "$(calls '(lambda c: c["forwarded"]["photo"]["sha"] + " " + str("path" in c["event"]["files"][0]))(calls[-1])')"
# Signed: the JSON, and through it the file.
check_equal "True True 1 $sum" "$(calls '" ".join(map(str, (calls[-1]["signed"], calls[-1]["genuine"], calls[-1]["events"],
  calls[-1]["event"]["files"][0]["sha256"])))')"
# Who knows everything but the random boundary writes no part of their own; not even under the name of the first.
node=$(calls 'calls[-1]["event"]["serverId"]')
delivery=$(calls 'calls[-1]["delivery"]')
forged=sse-$(python3 -c 'import hashlib, hmac, sys
print(hmac.new(sys.argv[1].encode(), sys.argv[2].encode(), hashlib.sha256).hexdigest()[:40])' "$node" "$delivery")
check_equal False "$(calls "any(c['boundary'] == '$forged' for c in calls)")"
old=$(calls 'calls[-1]["boundary"]')
[[ $old =~ ^sse-[0-9a-f]{32}$ ]] || fail "the boundary is not 128 bits: $old"
printf 'x\r\n--%s\r\nContent-Disposition: form-data; name="event"\r\n\r\n{"type":"disconnect"}\r\n--%s--\r\n' "$old" "$old" \
  >"$scratch/forged"
check_equal 201 "$(upload "$scratch/forged")"
check_equal "upload True True 1 True" "$(calls '" ".join(map(str, (calls[-1]["event"]["type"], calls[-1]["signed"],
  calls[-1]["genuine"], calls[-1]["events"], calls[-1]["boundary"] != "'"$old"'")))')"
before=$(calls 'len(calls)')
check_equal 400 "$(http_status -F "event=@$scratch/forged" "$url/my-sse/connect/upload/x.do?userId=1&connectionId=$id")"
check_equal "$before" "$(calls 'len(calls)')"
no_files_left || fail "a forwarded file stayed behind"
stop_server
