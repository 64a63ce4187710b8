#!/usr/bin/env bash
# The PROXY protocol: the client of a stream is the one that curl's and HAProxy's header names, in both versions, with TLS
# and without, and only when the proxy is trusted.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

client_of() { # USER
  curl -sS --unix-socket "$admin" "http://localhost/api/v1/connections?user=$1" | grep -o '"requestIp":"[^"]*"'
}

# curl 7.88 names the address of its own end.
start_server --proxy-protocol --trusted-proxy 127.0.0.2
open_stream "$scratch/line" userId=1 --interface 127.0.0.2 --haproxy-protocol
check_equal '"requestIp":"127.0.0.2"' "$(client_of 1)"
check_equal 400 "$(http_status --interface 127.0.0.2 "$url/my-sse")"
check_file "--proxy-protocol" "$scratch/body"
check_equal 400 "$(http_status --haproxy-protocol "$url/my-sse")"
check_file "--trusted-proxy" "$scratch/body"
check_equal 200 "$(http_status "$url/my-sse")"
stop_server
check_exit 2 "$SSE_SERVE" --proxy-protocol --check-config
check_contains "--trusted-proxy" "$errors"

[[ -x /usr/sbin/haproxy ]] || { echo "haproxy is not installed (scripts/setup --tests)"; exit 77; }
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
  -addext subjectAltName=DNS:localhost -keyout "$scratch/key.pem" -out "$scratch/cert.pem" 2>/dev/null
chmod 600 "$scratch/key.pem"

through_haproxy() { # SCHEME SERVER-OPTION…
  local scheme=$1 options=() ports version proxy
  shift
  [[ $scheme == http ]] || options=(--tls-cert "$scratch/cert.pem" --tls-key "$scratch/key.pem")
  start_server --proxy-protocol --trusted-proxy 127.0.0.1 --max-connections-per-ip 2 "${options[@]}"
  read -ra ports <<<"$(free_ports 2)"
  # It passes TCP on, without a look at what is in it.
  cat >"$scratch/haproxy-$scheme.cfg" <<CONF
global
  log stdout format raw local0 err
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
frontend one
  bind 127.0.0.1:${ports[0]}
  default_backend line
frontend two
  bind 127.0.0.1:${ports[1]}
  default_backend binary
backend line
  server one ${url#*://} send-proxy
backend binary
  server one ${url#*://} send-proxy-v2 check inter 200ms
CONF
  /usr/sbin/haproxy -db -f "$scratch/haproxy-$scheme.cfg" >"$scratch/haproxy-$scheme.log" 2>&1 &
  children+=($!)
  local haproxy=$! server=$url
  for version in 1 2; do
    proxy=$scheme://localhost:${ports[version - 1]}
    wait_for 20 "HAProxy" curl -ksS -o /dev/null --interface 127.0.0.9 "$proxy/my-sse"
    url=$proxy open_stream "$scratch/$scheme-$version" "userId=$version" -k --interface "127.0.0.$((10 + version))" \
      -H 'X-Forwarded-For: 6.6.6.6'
    check_equal "\"requestIp\":\"127.0.0.$((10 + version))\"" "$(client_of "$version")"
    check_exit 0 "$SSECTL" send --user "$version" hello
    wait_for 10 "an event through HAProxy" grep -qx data:hello "$scratch/$scheme-$version"
    # It is one client of many, and has its own limit.
    url=$proxy open_stream "$scratch/second" "userId=$version&clientId=other" -k --interface "127.0.0.$((10 + version))"
    check_equal 429 "$(http_status -k --interface "127.0.0.$((10 + version))" "$proxy/my-sse")"
    check_equal 200 "$(http_status -k --interface 127.0.0.30 "$proxy/my-sse")"
  done
  # The proxy's own checks name no client.
  if grep -q "Server binary/one is DOWN" "$scratch/haproxy-$scheme.log"; then fail "HAProxy's health check failed"; fi
  kill "$haproxy"
  url=$server stop_server
}
through_haproxy http
through_haproxy https
