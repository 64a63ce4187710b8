#!/usr/bin/env bash
# The command line wins over the configuration file, and that over the environment; the start says in four lines where
# everything is; SIGHUP reopens the log and rereads the token.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Four lines on standard output; the log goes to standard error.
admin=$scratch/admin.sock
"$SSE_SERVE" --listen 127.0.0.1:0 --admin "unix:$admin" --db "$scratch/p.db" >"$scratch/out" 2>"$scratch/server-err.log" &
server_pid=$!
servers[$server_pid]=$scratch/server-err.log
wait_for 20 "the fourth line" grep -q '^admin' "$scratch/out"
check_equal 4 "$(wc -l <"$scratch/out")"
grep -qE '^sse-serve [0-9.]+ on http://127\.0\.0\.1:[1-9][0-9]*' "$scratch/out" || fail "no url: $(<"$scratch/out")"
check_file "/my-sse (defaultConnectionService)" "$scratch/out"
check_file "$scratch/p.db" "$scratch/out"
check_file "unix:$admin" "$scratch/out"
check_equal 600 "$(stat -c %a "$admin")"
check_equal 600 "$(stat -c %a "$scratch/p.db")"
stop_server

# The defaults, in the folders of the XDG specification; ssectl finds the socket by itself.
SSE_SERVE_LISTEN=127.0.0.1:0 "$SSE_SERVE" >"$scratch/server-defaults.log" 2>&1 &
server_pid=$!
servers[$server_pid]=$scratch/server-defaults.log
wait_for 20 "the fourth line" grep -q '^admin' "$scratch/server-defaults.log"
[[ -S $XDG_RUNTIME_DIR/sse-serve/admin.sock && -f $XDG_STATE_HOME/sse-serve/pending.db ]] || fail "not in the XDG folders"
check_equal 700 "$(stat -c %a "$XDG_RUNTIME_DIR/sse-serve")"
check_exit 0 env -u SSECTL_SERVER "$SSECTL" status
stop_server

# Command line before file before environment.
cat >"$scratch/conf" <<'END'
reconnect-time = 7s
heartbeat = 30s
qos-max-per-user = 2
service = ["hr=/hr", "hunter=/hunter"]
no-page = true
END
export SSE_SERVE_RECONNECT_TIME=8s SSE_SERVE_QOS_MAX_PER_USER=1 SSE_SERVE_SERVER_ID=from-environment
start_server --config "$scratch/conf" --qos-max-per-user 3
unset SSE_SERVE_RECONNECT_TIME SSE_SERVE_QOS_MAX_PER_USER SSE_SERVE_SERVER_ID
check_equal 404 "$(http_status "$url/")"
check_equal 404 "$(http_status "$url/my-sse")"
check_equal 200 "$(http_status "$url/hunter")"
curl -sSN "$url/hr/connect" >"$scratch/hr" 2>/dev/null &
children+=($!)
wait_for 10 connect-finish grep -qs '"name":"hr"' "$scratch/hr"
check_file "retry:7000" "$scratch/hr"
check_output "from-environment" "$SSECTL" status --output json
for i in 1 2 3; do check_exit 0 "$SSECTL" --service hr send --user 9 --qos "$i"; done
check_exit 1 "$SSECTL" --service hr send --user 9 --qos 4
check_contains "qos-max-per-user" "$errors"
stop_server
echo 'colour = red' >>"$scratch/conf"
check_exit 2 "$SSE_SERVE" --check-config --config "$scratch/conf"
check_contains colour "$errors"
check_exit 2 env SSE_SERVE_HEARTBEAT=often "$SSE_SERVE" --check-config

# SIGHUP: the log goes on in a new file after a rotation, and the token changes.
(umask 077; echo first-token >"$scratch/token")
: >"$scratch/out"  # the lines of the server before
"$SSE_SERVE" --listen 127.0.0.1:0 --admin 127.0.0.1:0 --admin-token-file "$scratch/token" --db :memory: \
  --log-file "$scratch/server-file.log" --log-format json >"$scratch/out" 2>&1 &
server_pid=$!
servers[$server_pid]=$scratch/server-file.log
wait_for 20 "the fourth line" grep -q '^admin' "$scratch/out"
tcp=http://$(sed -n 's/^admin *\([0-9.:]*\).*/\1/p' "$scratch/out")
check_equal 401 "$(http_status "$tcp/api/v1/status")"
check_equal 401 "$(http_status -H 'Authorization: Bearer wrong' "$tcp/api/v1/status")"
check_equal 200 "$(http_status -H 'Authorization: Bearer first-token' "$tcp/api/v1/status")"
wait_for 5 "the log" grep -q '"message":"serving"' "$scratch/server-file.log"
mv "$scratch/server-file.log" "$scratch/rotated.log"
echo second-token >"$scratch/token"
kill -HUP "$server_pid"
wait_for 10 "the new log" grep -qs 'reloaded' "$scratch/server-file.log"
check_equal 401 "$(http_status -H 'Authorization: Bearer first-token' "$tcp/api/v1/status")"
check_equal 200 "$(http_status -H 'Authorization: Bearer second-token' "$tcp/api/v1/status")"
# A token file that is gone changes nothing.
rm "$scratch/token"
kill -HUP "$server_pid"
wait_for 10 "the complaint" grep -q 'reload failed' "$scratch/server-file.log"
check_equal 200 "$(http_status -H 'Authorization: Bearer second-token' "$tcp/api/v1/status")"
grep -qE 'first-token|second-token' "$scratch"/*.log && fail "the log holds a token"
python3 -c 'import json, sys; [json.loads(line) for line in open(sys.argv[1])]' "$scratch/server-file.log" ||
  fail "a line of the JSON log is no JSON"
stop_server
