#!/usr/bin/env bash
# Behind nginx, as the manual page sets it up: events pass at once. What the TCP rule is worth there (the proxy confirms
# what it has taken, and a reader that dies then has lost it), and that a client with ack=1 loses nothing.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[[ -x /usr/sbin/nginx ]] || { echo "nginx is not installed (scripts/setup --tests)"; exit 77; }
pending_is() { curl -sS --unix-socket "$admin" "http://localhost/api/v1/messages" | grep -q "\"total\":$1}"; }

start_server --auth header --trusted-proxy 127.0.0.1 --qos-ack-timeout 1h
proxy=$scratch/nginx.sock
cat >"$scratch/nginx.conf" <<CONF
daemon off;
master_process off;
pid $scratch/nginx.pid;
error_log $scratch/nginx.log;
events {}
http {
  access_log off;
  client_body_temp_path $scratch/body; proxy_temp_path $scratch/proxy; fastcgi_temp_path $scratch/fastcgi;
  uwsgi_temp_path $scratch/uwsgi; scgi_temp_path $scratch/scgi;
  server {
    listen unix:$proxy;
    location /my-sse {
      proxy_pass $url;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for;
      proxy_set_header X-Sse-User ann;
      proxy_set_header X-Sse-Tenant "";
      proxy_set_header X-Sse-Token "";
      proxy_buffering off;
      proxy_read_timeout 1h;
    }
  }
}
CONF
/usr/sbin/nginx -c "$scratch/nginx.conf" -e "$scratch/nginx.log" &
children+=($!)
wait_for 10 "nginx" test -S "$proxy"
behind() { url=http://site open_stream "$1" "$2" --unix-socket "$proxy"; }

# At once, and confirmed by whoever's TCP took it: here that is nginx.
behind "$scratch/one" "clientId=a"
check_exit 0 "$SSECTL" send --user ann --qos "through"
wait_for 10 "the event" grep -qx 'data:through' "$scratch/one"
wait_for 10 "its confirmation" pending_is 0
kill -STOP "$stream_pid"
check_exit 0 "$SSECTL" send --user ann --qos "taken by the proxy"
wait_for 10 "the proxy's confirmation, though no client has read it" pending_is 0
kill -KILL "$stream_pid"
grep -q "taken by the proxy" "$scratch/one" && fail "a stopped reader cannot have read this"

# The same with a client that confirms by itself: it is there when the client comes back.
behind "$scratch/two" "clientId=b&ack=1"
kill -STOP "$stream_pid"
check_exit 1 "$SSECTL" send --user ann --qos --wait 500ms -o json "not lost"
check_contains '"state": "in-flight"' "$output"
id=$(sed -n 's/.*"id": *"\([0-9]*\)".*/\1/p' <<<"$output" | head -n 1)
pending_is 1 || fail "the proxy has confirmed for its client"
kill -KILL "$stream_pid"
wait_for 10 "the end of its stream" bash -c "'$SSECTL' messages trace '$id' | grep -q 'failed, the stream has ended: client-closed'"
behind "$scratch/three" "clientId=b&ack=1"
wait_for 10 "it" grep -qx 'data:not lost' "$scratch/three"
connection=$(sed -n '1s/^id://p' "$scratch/three")
curl -sS --unix-socket "$proxy" -d "{\"connectionId\":\"$connection\",\"ids\":[\"$id\"]}" \
  -H 'Content-Type: application/json' "http://site/my-sse/connect/ack.do" >/dev/null
wait_for 10 "its confirmation" pending_is 0
stop_server
