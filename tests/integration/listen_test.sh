#!/usr/bin/env bash
# ssectl listen: prints what comes, comes back after a crash with the last id it saw, confirms qos, ends when told.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# listen FILE OPTION…: in the background, until it says that it listens. Sets listen_pid.
listen() {
  local file=$1
  shift
  "$SSECTL" listen "$@" >"$file" 2>"$file.err" </dev/null &
  listen_pid=$!
  children+=("$listen_pid")
  wait_for 20 "a stream" grep -qs 'listening as connection' "$file.err"
}
# ended PID CODE
ended() {
  local status=0
  wait "$1" || status=$?
  check_equal "$2" "$status"
}

start_server --history 100 --reconnect-time 200ms
listen "$scratch/one" --user 1 --channel news
check_exit 0 "$SSECTL" send --user 1 $'first\nsecond line'
check_exit 0 "$SSECTL" send --channel news --event note 'to the channel'
wait_for 10 "both events" grep -q 'note  to the channel' "$scratch/one"
grep -qE '^[0-9:.]{12}  server-push  first$' "$scratch/one" || fail "no such line in $(<"$scratch/one")"
grep -qE '^ {14}second line$' "$scratch/one" || fail "no second line in $(<"$scratch/one")"

# qos is confirmed.
check_exit 0 "$SSECTL" send --user 1 --qos 'with qos'
wait_for 10 "the event" grep -q 'with qos' "$scratch/one"
none_pending() { "$SSECTL" status -o json | grep -q '"pending": 0'; }
wait_for 20 "the confirmation" none_pending

# Its stream is cut, and it comes back with what it missed meanwhile.
port=${url##*:}
kill_server
sleep 0.3
check_exit 0 true
listen="127.0.0.1:$port" start_server --history 100
wait_for 40 "a resync after the restart" grep -q 'resync' "$scratch/one"
check_file 'trying again in' "$scratch/one.err"
check_exit 0 "$SSECTL" send --user 1 'after the restart'
wait_for 10 "the event" grep -q 'after the restart' "$scratch/one"
check_equal 1 "$(grep -c 'with qos' "$scratch/one")"

# Ctrl-C and SIGTERM end it well.
kill -INT "$listen_pid"
ended "$listen_pid" 0
listen "$scratch/two" --user 1
kill -TERM "$listen_pid"
ended "$listen_pid" 0

# As many as asked for, in a form for programs; only the events asked for.
listen "$scratch/three" --user 3 --count 2 --event wanted -o ndjson
check_exit 0 "$SSECTL" send --user 3 --event wanted --listening '{"a":1}'
check_exit 0 "$SSECTL" send --user 3 --event other x
check_exit 0 "$SSECTL" send --user 3 --event wanted 'the second'
ended "$listen_pid" 0
check_equal 2 "$(wc -l <"$scratch/three")"
check_contains '"data":"{\"a\":1}","event":"wanted","id":"' "$(head -n 1 "$scratch/three")"

# The server closes it on purpose: no reconnect.
listen "$scratch/four" --user 4
check_exit 0 "$SSECTL" connections close --user 4
ended "$listen_pid" 0
check_file 'the server closed the stream' "$scratch/four.err"

# A message that comes again right behind itself is shown once, and confirmed until the server has heard it.
cat >"$scratch/twice.py" <<'PYTHON'
import http.server, json, sys, threading
acks, connects = [], []
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a): pass
    def do_GET(self):
        connects.append(self.path)
        with open(sys.argv[1] + "/connects", "a") as f: f.write(self.path + "\n")
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        out = 'id:7\nevent:connect-finish\ndata:{"connectionId":"7","ack":true,"ackMarks":true}\n\n'
        for n in range(3): out += "event:sse-qos\ndata:\n\nid:9\nevent:note\ndata:repeated\n\n"
        out += "id:11\nevent:note\ndata:plain\n\nevent:note\ndata:without id\n\nevent:note\ndata:without id\n\n"
        self.wfile.write(out.encode()); self.wfile.flush()
        threading.Event().wait()
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        acks.append(body["ids"])
        with open(sys.argv[1] + "/acks", "a") as f: f.write(" ".join(body["ids"]) + "\n")
        self.send_response(503 if len(acks) < 3 else 200)
        self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"{}")
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
open(sys.argv[1] + "/port", "w").write(str(server.server_port) + "\n")
server.serve_forever()
PYTHON
python3 "$scratch/twice.py" "$scratch" &
children+=("$!")
wait_for 20 "the stand-in for a server" test -s "$scratch/port"
listen "$scratch/five" --url "http://127.0.0.1:$(<"$scratch/port")/my-sse" -o ndjson
wait_for 20 "all events" bash -c "[[ \$(grep -c 'without id' '$scratch/five') -eq 2 ]]"
check_equal 1 "$(grep -c '"data":"repeated"' "$scratch/five")"
check_file 'ackMarks=1' "$scratch/connects"
wait_for 20 "a confirmation that is heard" bash -c "[[ \$(wc -l <'$scratch/acks') -ge 3 ]]"
kill -INT "$listen_pid"
ended "$listen_pid" 0
# What is no message needs none.
check_equal 9 "$(tr ' ' '\n' <"$scratch/acks" | sort -u)"

# No server there, no such service, not let in.
check_exit 4 "$SSECTL" listen --url http://127.0.0.1:1/my-sse
check_contains 'cannot listen at http://127.0.0.1:1/my-sse' "$errors"
check_exit 3 "$SSECTL" listen --url "$url/other"
check_exit 2 "$SSECTL" listen --url nonsense/my-sse
check_exit 2 "$SSECTL" listen --count 0
stop_server
