#!/usr/bin/env bash
# As a service: what a service manager is told, sockets that it passes and keeps over a restart, several listeners, and
# who may connect to the admin socket. A reader of NOTIFY_SOCKET and systemd-socket-activate stand in for systemd.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# notifications FILE: writes each datagram to NOTIFY_SOCKET into FILE, a line each.
notifications() {
  export NOTIFY_SOCKET=$scratch/notify
  rm -f "$NOTIFY_SOCKET"
  python3 - "$NOTIFY_SOCKET" >"$1" <<'END' &
import socket, sys
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind(sys.argv[1])
while True:
    print(manager.recv(4096).decode().replace("\n", " "), flush=True)
END
  children+=($!)
  wait_for 10 "the service manager" test -S "$NOTIFY_SOCKET"
}

# A manager is told of each step, and that the server is alive.
told=$scratch/told
notifications "$told"
WATCHDOG_USEC=400000 start_server
wait_for 10 READY grep -q "^READY=1 STATUS=Serving 0 streams on $url$" "$told"
several() { [[ $(grep -c WATCHDOG=1 "$told") -ge 3 ]]; }
wait_for 20 "the watchdog to be fed" several
open_stream "$scratch/stream" userId=1
wait_for 10 "the number of streams" grep -q "STATUS=Serving 1 stream on" "$told"
kill -HUP "$server_pid"
wait_for 10 RELOADING grep -qE '^RELOADING=1 MONOTONIC_USEC=[0-9]+$' "$told"
ready_again() { [[ $(grep -c '^READY=1' "$told") -eq 2 ]]; }
wait_for 10 "READY after the reload" ready_again
stop_server
wait_for 10 STOPPING grep -q '^STOPPING=1 STATUS=Stopping' "$told"

# Without a watchdog nothing feeds it, nor when it is another process's.
: >"$told"
WATCHDOG_USEC=400000 WATCHDOG_PID=1 start_server
wait_for 10 READY grep -q '^READY=1' "$told"
stop_server
wait_for 10 STOPPING grep -q '^STOPPING=1' "$told"
if grep -q WATCHDOG "$told"; then fail "fed a watchdog that is not ours: $(<"$told")"; fi

# A manager that is gone costs a line in the log, and no more.
NOTIFY_SOCKET=$scratch/nobody start_server
wait_for 10 "the warning" grep -q "the service manager was not notified" "$server_log"
check_exit 0 "$SSECTL" status
stop_server
check_exit 2 env NOTIFY_SOCKET=vsock:2:1 "$SSE_SERVE" --listen 127.0.0.1:0 --db :memory:
check_contains NOTIFY_SOCKET "$errors"
check_exit 2 env WATCHDOG_USEC=soon "$SSE_SERVE" --listen 127.0.0.1:0 --db :memory:
check_contains WATCHDOG_USEC "$errors"
unset NOTIFY_SOCKET

# Several listeners: a second port, and a unix socket for a proxy on this machine.
start_server --listen 127.0.0.1:0 --listen "unix:$scratch/web.sock" --listen-socket-mode 0666 --trusted-proxy unix
second=$(grep -ohE 'http://[^ /,]+:[0-9]+' "$server_log" | sed -n 2p)
[[ $second != "$url" ]] || fail "both listeners have $url"
check_equal 200 "$(http_status "$second/my-sse")"
check_equal 200 "$(http_status --unix-socket "$scratch/web.sock" http://localhost/my-sse)"
check_equal 666 "$(stat -c %a "$scratch/web.sock")"
check_file "unix:$scratch/web.sock" "$server_log"
open_stream "$scratch/local" userId=7 --unix-socket "$scratch/web.sock" -H 'X-Forwarded-For: 203.0.113.7'
check_output 203.0.113.7 "$SSECTL" connections list --user 7 -o json
stop_server
[[ ! -e $scratch/web.sock ]] || fail "the socket file is still there"
check_exit 2 "$SSE_SERVE" --listen 127.0.0.1:8080 --listen 127.0.0.1:8080 --check-config
check_contains "given twice" "$errors"
check_exit 2 "$SSE_SERVE" --listen-socket-mode 0888 --check-config
check_contains "octal" "$errors"
check_exit 2 "$SSE_SERVE" --listen-socket-group nobody-has-it --listen "unix:$scratch/a.sock" --db :memory: \
  --admin "unix:$scratch/b.sock"
check_contains "no group 'nobody-has-it'" "$errors"
check_exit 2 "$SSE_SERVE" --listen "unix:$scratch/a.sock" --listen 0.0.0.0:8080 --check-config
check_contains "0.0.0.0:8080" "$errors"

# Operators are members of a group. Whoever is not gets exit 5, and the name of the group or the folder.
group=$(id -gn)
chmod 755 "$scratch"
check_exit 2 "$SSE_SERVE" --admin-socket-group "$group" --check-config
check_contains "--admin" "$errors"
start_server --admin-socket-group "$group"
check_equal "660 $group" "$(stat -c '%a %G' "$admin")"
check_exit 0 "$SSECTL" status
nobody=()
if ((EUID == 0)) && command -v setpriv >/dev/null; then
  nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
  "${nobody[@]}" test -x "$SSECTL" || nobody=()  # the build tree is private
fi
if ((${#nobody[@]})); then
  check_exit 5 "${nobody[@]}" "$SSECTL" status
  check_contains "the members of the group '$group' may connect" "$errors"
  check_contains "adduser" "$errors"
  chmod 700 "$scratch"
  check_exit 5 "${nobody[@]}" "$SSECTL" status
  check_contains "may enter the folder $scratch" "$errors"
  chmod 755 "$scratch"
fi
stop_server
start_server --admin-socket-mode 0600
check_equal 600 "$(stat -c %a "$admin")"
if ((${#nobody[@]})); then
  check_exit 5 "${nobody[@]}" "$SSECTL" status
  check_contains "only the user" "$errors"
fi
stop_server

# Socket activation: the sockets outlive the server, so that a restart refuses no connection.
activate=$(command -v systemd-socket-activate || true)
[[ -n $activate ]] || { echo "systemd-socket-activate is not installed; the rest is not tested"; exit 0; }
port=$(free_ports 1)
rm -f "$admin"
export SSE_SERVE db scratch
# The shell that starts the servers has the process id in LISTEN_PID; each server is told its own.
sed 's/^  //' >"$scratch/manager" <<'END'
  while [[ ! -e $scratch/enough ]]; do
    bash -c 'export LISTEN_PID=$$; exec "$SSE_SERVE" --listen 127.0.0.1:1 --db "$db" --reconnect-jitter 2s' \
      >>"$scratch/server-active.log" 2>&1 &
    echo $! >"$scratch/server.pid"
    wait $!
  done
END
"$activate" -l "127.0.0.1:$port" -l "$admin" --fdname=web:admin -E SSE_SERVE -E db -E scratch -E XDG_STATE_HOME \
  bash "$scratch/manager" >"$scratch/activate.log" 2>&1 &
children+=($!)
url=http://127.0.0.1:$port
wait_for 20 "a server that is started by its first connection" curl -fsS -o /dev/null "$url/my-sse"
export SSECTL_SERVER=unix:$admin
check_output "$url" "$SSECTL" status -o json
check_file "the service manager passed its own sockets" "$scratch/server-active.log"
open_stream "$scratch/before" userId=1
# Streams are told to return spread over time.
delays() { grep -ho '^retry:[0-9]*' "$scratch"/spread-* | sort -u | wc -l; }
for i in 1 2 3 4; do open_stream "$scratch/spread-$i" "userId=1$i"; done
[[ $(delays) -gt 1 ]] || fail "all clients return at once: $(grep -h retry "$scratch"/spread-*)"
first=$(<"$scratch/server.pid")
kill -TERM "$first"
# From now on until the next server accepts: none of these is refused.
for i in $(seq 20); do check_equal 200 "$(http_status --max-time 30 -H 'Connection: close' "$url/my-sse")"; done
replaced() { [[ $(<"$scratch/server.pid") != "$first" ]]; }
wait_for 30 "the next server" replaced
check_exit 0 "$SSECTL" status
open_stream "$scratch/after" userId=1
touch "$scratch/enough"
last=$(<"$scratch/server.pid")
kill -TERM "$last"
gone() { ! kill -0 "$last" 2>/dev/null; }
wait_for 30 "the end of the server" gone
[[ -S $admin ]] || fail "the server removed a socket file that is not its own"

# What is no socket is refused, with the word that says where it came from.
check_exit 2 bash -c 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$SSE_SERVE" --db :memory: 3</dev/null'
check_contains LISTEN_FDS "$errors"
