#!/usr/bin/env bash
# Behind HAProxy and Varnish with nothing set up for event streams but their time limits: the first event passes at once,
# as every later one does, the client's end reaches the server, and so do its confirmations.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

for program in /usr/sbin/haproxy /usr/sbin/varnishd; do
  [[ -x $program ]] || { echo "$program is not installed (scripts/setup --tests)"; exit 77; }
done
pending_is() { curl -sS --unix-socket "$admin" "http://localhost/api/v1/messages" | grep -q "\"total\":$1}"; }
no_stream_is_open() { curl -sS --unix-socket "$admin" http://localhost/api/v1/status | grep -q '"connections":0,'; }

# Varnish notices that a client has gone when it has something for it.
start_server --qos-ack-timeout 1h --heartbeat 1s
server=$url

passes_at_once() { # PROXY SOCKET
  local name=$1 proxy=$2 connection id
  url=http://localhost open_stream "$scratch/$name" "userId=$name&clientId=c&ack=1" --unix-socket "$proxy"
  check_exit 0 "$SSECTL" send --user "$name" --qos -o json "first through $name"
  id=$(sed -n 's/.*"id": *"\([0-9]*\)".*/\1/p' <<<"$output" | head -n 1)
  wait_for 10 "the first event through $name" grep -qx "data:first through $name" "$scratch/$name"
  check_exit 0 "$SSECTL" send --user "$name" "second through $name"
  wait_for 10 "the second event through $name" grep -qx "data:second through $name" "$scratch/$name"
  pending_is 1 || fail "$name has confirmed for its client"
  connection=$(sed -n '1s/^id://p' "$scratch/$name")
  check_contains '"acked":1' "$(curl -sS --unix-socket "$proxy" -H 'Content-Type: application/json' \
    -d "{\"connectionId\":\"$connection\",\"ids\":[\"$id\"]}" "http://localhost/my-sse/connect/ack.do?userId=$name")"
  wait_for 10 "the confirmation through $name" pending_is 0
  kill -KILL "$stream_pid"
  wait_for 30 "the end of the stream through $name" no_stream_is_open
}

cat >"$scratch/haproxy.cfg" <<CONF
global
  log stdout format raw local0 err
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
frontend site
  bind unix@$scratch/haproxy.sock
  default_backend sse
backend sse
  server one ${server#http://}
CONF
/usr/sbin/haproxy -db -f "$scratch/haproxy.cfg" >"$scratch/haproxy.log" 2>&1 &
children+=($!)
wait_for 10 "HAProxy" test -S "$scratch/haproxy.sock"
passes_at_once haproxy "$scratch/haproxy.sock"

cat >"$scratch/site.vcl" <<CONF
vcl 4.1;
backend sse {
  .host = "127.0.0.1";
  .port = "${server##*:}";
  .first_byte_timeout = 1h;
  .between_bytes_timeout = 1h;
}
CONF
/usr/sbin/varnishd -F -j none -n "$scratch/varnish.d" -a "$scratch/varnish.sock" -s malloc,8m -f "$scratch/site.vcl" \
  >"$scratch/varnish.log" 2>&1 &
children+=($!)
wait_for 60 "Varnish" curl -s -o /dev/null --unix-socket "$scratch/varnish.sock" http://localhost/my-sse
passes_at_once varnish "$scratch/varnish.sock"
stop_server
