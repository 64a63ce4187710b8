#!/usr/bin/env bash
# ssectl doctor: behind nginx, HAProxy, Caddy, Apache and Varnish, each set up wrongly and as its advice says; at servers
# that are none of ours, and at broken ones.
# ctest: COST 100 TIMEOUT 300
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

for program in /usr/sbin/nginx /usr/sbin/haproxy /usr/bin/caddy /usr/sbin/apache2 /usr/sbin/varnishd; do
  [[ -x $program ]] || { echo "$program is not installed (scripts/setup --tests)"; exit 77; }
done

# The proxies that are set up wrongly cut a stream after 4 s of silence.
start_server --heartbeat 6s --trusted-proxy 127.0.0.1
server=${url#http://}
mkdir -p "$scratch/tmp"

# free_port: sets port to one that nothing uses.
free_port() {
  port=$(free_ports 1)
}
answers() { curl -s -o /dev/null "http://127.0.0.1:$1/my-sse"; }

declare -A at=()
# started NAME COMMAND…: the proxy NAME on $port.
started() {
  local name=$1
  shift
  "$@" >"$scratch/$name.log" 2>&1 &
  children+=($!)
  at[$name]=$port
}

nginx() { # NAME LINES
  free_port
  cat >"$scratch/$1.conf" <<CONF
daemon off; master_process off; pid $scratch/$1.pid; error_log $scratch/$1.err;
events {}
http {
  access_log off;
  client_body_temp_path $scratch/tmp/b; proxy_temp_path $scratch/tmp/p; fastcgi_temp_path $scratch/tmp/f;
  uwsgi_temp_path $scratch/tmp/u; scgi_temp_path $scratch/tmp/s;
  server {
    listen 127.0.0.1:$port;
    ${3-}
    location /my-sse { proxy_pass http://$server; proxy_set_header Host \$host; $2 }
  }
}
CONF
  started "$1" /usr/sbin/nginx -c "$scratch/$1.conf" -e "$scratch/$1.err"
}
haproxy() { # NAME LINES
  free_port
  cat >"$scratch/$1.cfg" <<CONF
defaults
  mode http
  timeout connect 5s
  timeout client 1h
frontend site
  bind 127.0.0.1:$port
  default_backend sse
backend sse
$2
  server one $server
CONF
  started "$1" /usr/sbin/haproxy -db -f "$scratch/$1.cfg"
}
caddy() { # NAME ROUTE-LINES PROXY-LINES
  free_port
  printf '{\n admin off\n auto_https off\n}\nhttp://127.0.0.1:%s {\n%s\n reverse_proxy %s {\n%s\n }\n}\n' \
    "$port" "$2" "$server" "$3" >"$scratch/$1.caddy"
  started "$1" /usr/bin/caddy run --adapter caddyfile --config "$scratch/$1.caddy"
}
apache() { # NAME PROXY-OPTIONS LINES
  free_port
  local module modules=/usr/lib/apache2/modules
  {
    echo "ServerName localhost"
    echo "Listen 127.0.0.1:$port"
    echo "PidFile $scratch/$1.pid"
    echo "ErrorLog $scratch/$1.err"
    [[ $EUID -ne 0 ]] || printf 'User nobody\nGroup nogroup\n'
    for module in mpm_event authz_core proxy proxy_http headers filter deflate setenvif; do
      echo "LoadModule ${module}_module $modules/mod_$module.so"
    done
    printf '%s\n' "$3"
    echo "ProxyPass /my-sse http://$server/my-sse $2"
  } >"$scratch/$1.conf"
  started "$1" /usr/sbin/apache2 -D FOREGROUND -d "$scratch" -f "$scratch/$1.conf"
}
varnish() { # NAME RECV RESPONSE BACKEND
  free_port
  cat >"$scratch/$1.vcl" <<CONF
vcl 4.1;
backend sse { .host = "${server%:*}"; .port = "${server##*:}"; .first_byte_timeout = 1h; $4 }
sub vcl_recv { $2 }
sub vcl_backend_response { $3 }
CONF
  started "$1" /usr/sbin/varnishd -F -j none -n "$scratch/$1.d" -a "127.0.0.1:$port" -s malloc,8m -p pipe_timeout=3600 \
    -f "$scratch/$1.vcl"
}

nginx nginx-right 'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; proxy_read_timeout 1h;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;'
nginx nginx-wrong 'proxy_ignore_headers X-Accel-Buffering; proxy_read_timeout 4s; proxy_hide_header Cache-Control;
  proxy_ignore_client_abort on;'
nginx nginx-gzip 'proxy_buffering off; proxy_read_timeout 1h; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;' \
  'gzip on; gzip_types text/event-stream; gzip_min_length 0;'
haproxy haproxy-right $'  timeout server 1h\n  option forwardfor\n  option http-no-delay\n  option abortonclose'
haproxy haproxy-wrong $'  timeout server 4s\n  http-response del-header Cache-Control'
caddy caddy-right "" ""
caddy caddy-wrong "" $'  header_up -X-Forwarded-For\n  header_down -Cache-Control\n  transport http {\n   read_timeout 4s\n  }'
apache apache-right "flushpackets=on timeout=3600" ""
apache apache-wrong "timeout=4" $'ProxyAddHeaders Off\nHeader unset Cache-Control\nSetOutputFilter DEFLATE'
varnish varnish-right 'if (req.url ~ "^/my-sse/connect") { return (pipe); }' "" ""
varnish varnish-wrong "" 'unset beresp.http.Cache-Control; set beresp.do_gzip = true;' \
  '.between_bytes_timeout = 4s;'
caddy caddy-gzip $' encode gzip {\n  minimum_length 1\n  match {\n   header Content-Type text/event-stream*\n  }\n }' ""
apache apache-gzip "timeout=3600" 'SetOutputFilter DEFLATE'
varnish varnish-holds "" 'set beresp.do_stream = false;' '.between_bytes_timeout = 1h;'
for name in "${!at[@]}"; do wait_for 60 "$name: $(cat "$scratch/$name.log")" answers "${at[$name]}"; done

# examine NAME OPTION… URL: in the background; its status and output are in files.
declare -A arguments=()
examine() {
  local name=$1
  shift
  [[ "$*" == *--for* ]] || set -- --for 10s "$@"
  arguments[$name]="$*"
  rm -f "$scratch/$name.status"
  {
    status=0
    # shellcheck disable=SC2086  # no argument has a blank
    timeout 120 "$SSECTL" doctor $* -o json >"$scratch/$name.json" 2>"$scratch/$name.note" || status=$?
    echo "$status" >"$scratch/$name.status"
  } &
  children+=($!)
}
ended() { [[ -s $scratch/$1.status ]]; }
findings() {
  sed -n 's/.*"check": "\(.*\)",/\1/p; s/.*"result": "\(.*\)".*/\1/p' "$scratch/$1.json" | paste - - |
    awk -F '\t' '$2 == "finding" { print $1 }' | sort | paste -sd ' '
}
# found NAME STATUS CHECK…: it ended with this status and had just these findings. A busy machine can be slow enough to
# have findings of its own, so it may be tried again.
found() {
  local name=$1 expected="exit $2: ${*:3}" seen tries
  for tries in 1 2 3; do
    wait_for 120 "the examination of $name" ended "$name"
    seen="exit $(<"$scratch/$name.status"): $(findings "$name")"
    [[ $seen != "$expected" ]] || break
    # shellcheck disable=SC2086
    ((tries == 3)) || examine "$name" ${arguments[$name]}
  done
  printf '%-15s %s\n' "$name" "${seen/%: /: nothing found}"
  [[ $seen == "$expected" ]] || fail "$name: '$seen', not '$expected': $(cat "$scratch/$name.note" "$scratch/$name.json")"
}
shows() { # NAME TEXT…
  local text
  for text in "${@:2}"; do check_contains "$text" "$(cat "$scratch/$1.json" "$scratch/$1.note")"; done
}

for name in "${!at[@]}"; do examine "$name" --from 127.0.0.9 "http://127.0.0.1:${at[$name]}/my-sse"; done
for name in nginx haproxy caddy apache varnish; do found "$name-right" 0; done
found nginx-gzip 0
found apache-gzip 0
found nginx-wrong 1 address buffering headers idle
found haproxy-wrong 1 address headers idle
found caddy-wrong 1 address headers idle
found apache-wrong 1 address headers idle
found varnish-wrong 1 buffering headers idle
found varnish-holds 1 buffering
found caddy-gzip 1 compression
# A finding comes with the lines for the proxy that the response names, and for HAProxy, which has none, for all.
shows nginx-wrong '"proxy": "nginx"' '"line": "proxy_buffering off;"' '"line": "proxy_read_timeout 1h;"' \
  '"line": "--trusted-proxy ADDRESS-OF-THE-PROXY"'
shows haproxy-wrong '"proxy": ""' '"line": "option forwardfor"' '"line": "proxy_read_timeout 1h;"'
shows caddy-gzip '"line": "encode @pages gzip"' "gzip holds events back"
[[ $(<"$scratch/nginx-wrong.json") != *"option forwardfor"* ]] || fail "the lines of HAProxy for nginx"

# Without the server behind it, what needs events is not checked, and --from is not needed.
without=(env -u SSECTL_SERVER "$SSECTL" doctor --for 1s)
check_exit 0 "${without[@]}" "http://127.0.0.1:${at[nginx-right]}/my-sse"
check_contains "buffering    not checked" "$output"
check_contains "give --server" "$output"
# With another server than the one behind it.
first=$SSECTL_SERVER
db=$scratch/other.db admin=$scratch/other.sock start_server
check_exit 1 "$SSECTL" doctor --for 1s "http://127.0.0.1:${at[nginx-right]}/my-sse"
check_contains "is the server of --server the one behind" "$(tr -s '\n ' ' ' <<<"$output")"
export SSECTL_SERVER=$first

# TLS: a certificate that nobody knows, one that soon ends, one of another host; HTTP/2 or not.
certificate() { # NAME DAYS ALTERNATIVE-NAME
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$scratch/$1.key" -out "$scratch/$1.crt" \
    -days "$2" -subj "/CN=$1" -addext "subjectAltName=$3" 2>/dev/null
}
certificate good 90 IP:127.0.0.1
certificate ending 3 IP:127.0.0.1
certificate other 90 DNS:push.example.org
for name in good ending other; do
  free_port
  cat >"$scratch/tls-$name.conf" <<CONF
daemon off; master_process off; pid $scratch/tls-$name.pid; error_log $scratch/tls-$name.err;
events {}
http {
  access_log off;
  client_body_temp_path $scratch/tmp/b; proxy_temp_path $scratch/tmp/p; fastcgi_temp_path $scratch/tmp/f;
  uwsgi_temp_path $scratch/tmp/u; scgi_temp_path $scratch/tmp/s;
  server {
    listen 127.0.0.1:$port ssl $([[ $name != good ]] || echo http2);
    ssl_certificate $scratch/$name.crt; ssl_certificate_key $scratch/$name.key;
    location /my-sse { proxy_pass http://$server; proxy_buffering off; proxy_read_timeout 1h; }
  }
}
CONF
  started "tls-$name" /usr/sbin/nginx -c "$scratch/tls-$name.conf" -e "$scratch/tls-$name.err"
  wait_for 60 "nginx with TLS" curl -sk -o /dev/null "https://127.0.0.1:$port/my-sse"
done
check_exit 4 "${without[@]}" "https://127.0.0.1:${at[tls-good]}/my-sse"
check_contains "browsers refuse the certificate" "$errors"
check_contains "with --insecure the rest is examined" "$errors"
check_exit 1 "${without[@]}" --insecure "https://127.0.0.1:${at[tls-good]}/my-sse"
check_contains "idle         ok" "$output"
check_exit 0 env SSL_CERT_FILE="$scratch/good.crt" "${without[@]}" "https://127.0.0.1:${at[tls-good]}/my-sse"
check_contains "http2        ok" "$output"
check_exit 1 env SSL_CERT_FILE="$scratch/ending.crt" "${without[@]}" "https://127.0.0.1:${at[tls-ending]}/my-sse"
check_contains "the certificate ends in 2d" "$output"
check_contains "listen 443 ssl http2;" "$output"
check_exit 4 env SSL_CERT_FILE="$scratch/other.crt" "${without[@]}" "https://127.0.0.1:${at[tls-other]}/my-sse"
check_contains "mismatch" "$errors"

# Servers that are none of ours.
mkdir "$scratch/foreign"
python3 "$SSE_SOURCE_DIR/tests/integration/doctor_servers.py" "$scratch/foreign" &
children+=($!)
wait_for 30 "the servers" test -s "$scratch/foreign/port"
foreign=http://127.0.0.1:$(<"$scratch/foreign/port")
unset SSECTL_SERVER
for name in quiet late old flood short page closed loop moved never; do
  examine "$name" --timeout 3s "$foreign/$name"
done
examine cors --origin https://www.example.org "$foreign/cors"
examine silent --for 22s "$foreign/quiet"
found quiet 1 headers
found late 1 clock headers
found old 1 headers version
found flood 1 flood
found short 1 idle
found page 1 response
found closed 1 response
shows closed "give --header"
found loop 1 redirects
shows loop "more than 5 redirects"
found moved 1 headers
shows moved "each reconnect of a page takes one request more"
found never 1 buffering
shows never "not even the head"
found cors 1 cors headers
shows cors "preflight"
found silent 1 headers heartbeats
shows silent '"line": "--heartbeat 15s"'

# A user's credentials go with each request, and not to another site.
echo "Authorization: Bearer secret" >"$scratch/headers"
check_exit 1 "${without[@]}" -H "@$scratch/headers" --header "X-More: 1" "$foreign/closed"
check_exit 2 "${without[@]}" -H "no header" "$foreign/quiet"
check_contains "--header must be" "$errors"
check_exit 2 "${without[@]}" ftp://example.org/
check_exit 2 "${without[@]}" --for 0s "$foreign/quiet"
check_exit 4 "${without[@]}" http://127.0.0.1:1/my-sse
check_contains "cannot reach http://127.0.0.1:1" "$errors"
