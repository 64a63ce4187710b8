#!/usr/bin/env bash
# The canary: a server that is a client of its own public address. Alone, behind nginx where it is installed, in a mesh and
# with Redis, where a load balancer may bring its stream to another node; and at addresses where something else answers.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# status PATH…: a value in the status of the server.
status() {
  "$SSECTL" status -o json | python3 -c 'import json, sys
value = json.load(sys.stdin)
for name in sys.argv[1:]:
    value = value[name] if value is not None else None
print(value)' "$@"
}
is() { [[ $(status canary "${@:2}") == "$1" ]]; }
error_has() { [[ $(status canary error) == *"$1"* ]]; }
# metrics_have TEXT: a line of the metrics that begins with it and is not 0.
metrics_have() { curl -sS --unix-socket "$admin" http://x/metrics | grep -F "$1" | grep -qv ' 0$'; }

# Options that need each other, and values that make no sense.
for wrong in "--canary 1s" "--canary-url http://h/p" "--canary 500ms --canary-url http://h/p" "--canary 2h --canary-url http://h/p" \
  "--canary 1s --canary-url http://h" "--canary 1s --canary-url http://u:p@h/p" "--canary-ca $scratch/ca.pem" \
  "--canary 1s --canary-url https://h/p --canary-ca $scratch/no.pem" "--service sse-canary=/a"; do
  # shellcheck disable=SC2086
  check_exit 2 "$SSE_SERVE" --check-config $wrong
  check_contains "$([[ $wrong == --service* ]] && echo --service || echo --canary)" "$errors"
done
printf 'canary = "10s"\ncanary-url = "https://push.example.org/my-sse"\n' >"$scratch/sse.conf"
check_output "the configuration is fine" "$SSE_SERVE" --check-config --config "$scratch/sse.conf"

# A single server, with users that have to log in.
read -r port port_b < <(free_ports 2 | xargs)
(umask 077 && head -c 32 /dev/urandom >"$scratch/secret")
listen=127.0.0.1:$port start_server --canary 1s --canary-url "http://127.0.0.1:$port/my-sse" --auth jwt --jwt-secret-file "$scratch/secret"
wait_for 60 "the canary, which is fine" is ok own state
wait_for 60 "a second event" metrics_have 'sse_canary_received_total{origin="own"}'
check_equal 0 "$(status connections)"
check_equal 0 "$("$SSECTL" connections list -o json | python3 -c 'import json, sys; print(json.load(sys.stdin)["total"])')"
check_output "canary" "$SSECTL" status
check_contains "ok, " "$output"
check_exit 3 "$SSECTL" send --all hello
stop_server

# Where something else answers. It is told why, and the log has one line for it.
failing() { # ERROR OPTION…
  start_server --canary 1s "${@:2}"
  wait_for 60 "'$1' in the status" error_has "$1"
  wait_for 60 "the canary, which fails" is failing own state
  check_contains "failing: " "$("$SSECTL" status)"
  check_equal 1 "$(grep -c 'the canary fails' "$server_log")"
  check_equal 0 "$(status connections)"
  stop_server
}
failing "cannot connect: Connection refused" --canary-url "http://127.0.0.1:$port_b/my-sse"
# An ordinary server of pages, and one that sends without end.
python3 - "$scratch/port" <<'END' &
import http.server, socketserver, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/moved"):
            self.send_response(301)
            self.send_header("Location", "/moved/again")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if self.path.startswith("/flood") else "text/html")
        self.end_headers()
        try:
            while self.path.startswith("/flood"):
                self.wfile.write(b"data: " + b"x" * 1000000 + b"\n\n")
        except OSError:
            pass

    def log_message(self, *_):
        pass

class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

server = Server(("127.0.0.1", 0), Handler)
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(server.server_address[1]))
import os
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.serve_forever()
END
children+=("$!")
wait_for 30 "the other server" test -s "$scratch/port"
other=http://127.0.0.1:$(<"$scratch/port")
failing "no event stream" --canary-url "$other/page"
failing "redirects to /moved/again" --canary-url "$other/moved"
failing "more than 64KiB" --canary-url "$other/flood"
# Another of ours, that is in no cluster with it.
start_server --server-id another
pid_other=$server_pid
admin=$scratch/second.sock db=$scratch/second.db
failing "status 401 (server another)" --canary-url "$url/my-sse"
admin=$scratch/admin.sock db=$scratch/pending.db
stop_server "$pid_other"

# Behind nginx, which stops for a while.
nginx() {
  /usr/sbin/nginx -c "$scratch/nginx.conf" -e "$scratch/nginx.log" &
  nginx_pid=$!
  children+=("$nginx_pid")
}
if [[ -x /usr/sbin/nginx ]]; then
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
    listen 127.0.0.1:$port_b;
    location /push {
      proxy_pass http://127.0.0.1:$port/my-sse;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Sse-User ann;
      proxy_buffering off;
    }
  }
}
CONF
  nginx
  listen=127.0.0.1:$port start_server --canary 1s --canary-url "http://127.0.0.1:$port_b/push" --auth header --trusted-proxy 127.0.0.1
  wait_for 60 "the canary behind nginx" is ok own state
  kill "$nginx_pid"
  wait_for 60 "the canary, which misses nginx" is failing own state
  nginx
  wait_for 60 "the canary, which has recovered" is ok own state
  check_equal "1 1" "$(grep -c 'the canary fails' "$server_log") $(grep -c 'the canary has recovered' "$server_log")"
  check_equal 0 "$(status users)"
  stop_server
fi

# Two nodes. That of b goes to a, as a load balancer may bring it there: both know both.
cluster() { # OPTION-OF-A… -- OPTION-OF-B…
  local options_a=()
  while [[ $1 != -- ]]; do options_a+=("$1") && shift; done
  shift
  db=$scratch/a.db admin=$scratch/a.sock listen=127.0.0.1:$port
  start_server --server-id a --canary 1s --canary-url "http://127.0.0.1:$port/my-sse" "${options_a[@]}"
  admin_a=$admin pid_a=$server_pid
  db=$scratch/b.db admin=$scratch/b.sock listen=127.0.0.1:0
  start_server --server-id b --canary 1s --canary-url "http://127.0.0.1:$port/my-sse" "$@"
  admin_b=$admin pid_b=$server_pid
  for admin in "$admin_a" "$admin_b"; do
    SSECTL_SERVER=unix:$admin
    wait_for 90 "the canary at $admin, which has its own events" is ok own state
    wait_for 90 "the canary at $admin, which has those of the other node" is ok other state
    metrics_have 'sse_canary_received_total{origin="other"}' || fail "no event of the other node at $admin"
    is a node || fail "the stream of the canary at $admin is not at a"
    check_equal 0 "$(status connections)"
  done
  check_contains "of other nodes: ok" "$("$SSECTL" status)"
  # A node that leaves is no failure.
  SSECTL_SERVER=unix:$admin_a
  stop_server "$pid_b"
  alone() { [[ $(status cluster nodes) == 1 ]]; }
  wait_for 60 "a, which is alone" alone
  is failing other state && fail "the node that has left is said to fail: $(status canary other error)"
  stop_server "$pid_a"
  listen=127.0.0.1:0
}
(umask 077 && echo "the nodes' secret" >"$scratch/nodes")
read -r mesh_a mesh_b < <(free_ports 2 | xargs)
mesh=(--discovery "static:127.0.0.1:$mesh_a,127.0.0.1:$mesh_b" --cluster-secret-file "$scratch/nodes")
cluster "${mesh[@]}" --cluster-listen "127.0.0.1:$mesh_a" -- "${mesh[@]}" --cluster-listen "127.0.0.1:$mesh_b"
start_redis
cluster --cluster "$redis" -- --cluster "$redis"
