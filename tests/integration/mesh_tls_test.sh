#!/usr/bin/env bash
# Nodes that call each other directly: over TLS, with certificates of an authority of their own; who is refused, and that
# the secret is not sent in clear over a network.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$scratch"
umask 077
echo "a secret that all nodes share, for a test" >secret

# authority NAME: makes NAME-ca.pem. issue AUTHORITY NAME [DAYS [SUBJECT-NAMES]]: makes NAME.pem and NAME.key.
authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
    -keyout "$1-ca.key" -out "$1-ca.pem" 2>/dev/null
}
issue() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" \
    -addext "subjectAltName=${4-IP:127.0.0.1}" -keyout "$2.key" -out "$2.csr" 2>/dev/null
  openssl x509 -req -in "$2.csr" -CA "$1-ca.pem" -CAkey "$1-ca.key" -copy_extensions copy -days "${3-2}" \
    -out "$2.pem" 2>/dev/null
}
authority own
authority foreign
issue own a
issue own b
issue own client 2 DNS:client
issue foreign stranger
issue own expired -1

read -r one two three < <(free_ports 3 | xargs)
nodes=static:127.0.0.1:$one,127.0.0.1:$two,127.0.0.1:$three
mesh=(--discovery "$nodes" --cluster-secret-file "$scratch/secret")
tls() { printf '%s\n' --cluster-cert "$scratch/$1.pem" --cluster-key "$scratch/$1.key" --cluster-ca "$scratch/${2-own}-ca.pem"; }
# node NAME PORT [OPTION…]
node() { admin=$scratch/$1.sock db=:memory: start_server --server-id "$1" "${mesh[@]}" --cluster-listen "127.0.0.1:$2" "${@:3}"; }
ready() { [[ $("$SSECTL" --server "$1" nodes list -o ndjson 2>/dev/null | grep -c '"state":"ready"') == "$2" ]]; }
# says WHERE TEXT: in the errors of 'nodes list', in 'status' and, without WHERE, in the log of the server.
lists() { "$SSECTL" --server "$1" nodes list 2>&1 | grep -qF -e "$2"; }
logs() { grep -qF -e "$2" "$1"; }

# Two nodes, and an event from the one to a stream at the other.
mapfile -t options < <(tls a)
node a "$one" "${options[@]}"
url_a=$url admin_a=unix:$scratch/a.sock log_a=$server_log pid_a=$server_pid
mapfile -t options < <(tls b)
node b "$two" "${options[@]}"
admin_b=unix:$scratch/b.sock
wait_for 60 "both nodes, seen by a" ready "$admin_a" 2
wait_for 60 "both nodes, seen by b" ready "$admin_b" 2
url=$url_a open_stream "$scratch/ann" "userId=ann"
check_output '"delivered": 1' "$SSECTL" --server "$admin_b" -o json send --user ann "over TLS"
wait_for 30 "the event of the other node" grep -qx "data:over TLS" "$scratch/ann"
check_output '"tls": true' "$SSECTL" --server "$admin_a" -o json status
check_output "127.0.0.1:$three cannot be reached: " "$SSECTL" --server "$admin_a" status

# ssectl shows a certificate, too.
client=("$SSECTL" --discovery "$nodes" --cluster-secret-file "$scratch/secret")
mapfile -t options < <(tls client)
check_output '"delivered": 1' "${client[@]}" "${options[@]}" -o json send --user ann "from ssectl"
mapfile -t options < <(tls stranger)
check_exit 4 "${client[@]}" "${options[@]}" --timeout 3s send --user ann "from a stranger"
check_contains "--cluster-ca of that node does not list" "$errors"

# A node of another authority is refused, and both sides say why.
mapfile -t options < <(tls stranger)
node stranger "$three" "${options[@]}"
log=$server_log
wait_for 30 "what the stranger reads" lists "unix:$scratch/stranger.sock" "--cluster-ca of that node does not list"
wait_for 30 "the stranger in the list" lists "$admin_a" "at 127.0.0.1:$three: its certificate is of an authority that --cluster-ca here"
wait_for 30 "the stranger in the log" logs "$log_a" "its certificate is of an authority"
wait_for 30 "the refusal in the log" logs "$log" "does not list"
check_output '"total": 2' "$SSECTL" --server "$admin_a" -o json nodes list
stop_server "$server_pid"

mapfile -t options < <(tls expired)
node expired "$three" "${options[@]}"
wait_for 30 "what the node reads" lists "unix:$scratch/expired.sock" "the certificate of --cluster-cert here has expired"
wait_for 30 "the expired certificate in the list" lists "$admin_a" "at 127.0.0.1:$three: its certificate has expired"
stop_server "$server_pid"

node clear "$three"
wait_for 30 "what the node reads" lists "unix:$scratch/clear.sock" "over TLS only; give the other one --cluster-cert"
wait_for 30 "the node in clear in the list" lists "$admin_a" "at 127.0.0.1:$three: it does not use TLS"
stop_server "$server_pid"

# A renewed certificate is used after SIGHUP.
expiry() {
  curl -sS --unix-socket "$scratch/a.sock" http://localhost/metrics |
    sed -n 's/^sse_cluster_certificate_expiry_timestamp_seconds //p'
}
export SSECTL_SERVER=$admin_a
before=$(expiry)
issue own a 9
kill -HUP "$pid_a"
renewed() { [[ $(expiry) != "$before" ]]; }
wait_for 30 "the renewed certificate" renewed
ready_again() { ready "$admin_a" 2 && ready "$admin_b" 2; }
wait_for 30 "both nodes" ready_again
check_output '"delivered": 1' "$SSECTL" --server "$admin_b" -o json send --user ann "with a renewed certificate"

# What would send the secret in clear is refused at the start.
check=("$SSE_SERVE" --check-config --auth header --trusted-proxy 10.0.0.1 --cluster-secret-file "$scratch/secret")
for words in "--cluster-listen 10.0.0.1:7600 --discovery static:127.0.0.1:1" \
  "--cluster-listen 127.0.0.1:7600 --cluster-advertise push.example:7600 --discovery static:127.0.0.1:1" \
  "--cluster-listen 127.0.0.1:7600 --discovery static:10.0.0.2:7600" \
  "--cluster-listen 0.0.0.0:7600 --cluster-advertise 10.0.0.1:7600 --discovery nacos://127.0.0.1"; do
  read -ra given <<<"$words"
  check_exit 2 "${check[@]}" "${given[@]}"
  check_contains "the secret of the cluster would travel over a network in clear" "$errors"
  check_contains "--cluster-cert" "$errors"
  check_exit 0 "${check[@]}" "${given[@]}" --insecure
  mapfile -t options < <(tls a)
  check_exit 0 "${check[@]}" "${given[@]}" "${options[@]}"
done
check_exit 2 "$SSE_SERVE" --check-config --cluster-listen 127.0.0.1:0 --discovery nacos://10.0.0.9
check_contains "register its secret in Nacos at 10.0.0.9 in clear" "$errors"
check_exit 2 "$SSECTL" --discovery static:10.0.0.2:7600 --cluster-secret-file "$scratch/secret" status
check_contains "--insecure" "$errors"
# A certificate that does not name this node is refused, too.
mapfile -t options < <(tls client)
check_exit 2 "$SSE_SERVE" --listen 127.0.0.1:0 --db :memory: --admin "unix:$scratch/x.sock" "${mesh[@]}" \
  --cluster-listen 127.0.0.1:0 "${options[@]}"
check_contains "does not name '127.0.0.1'" "$errors"
check_exit 2 "$SSE_SERVE" --check-config "${mesh[@]}" --cluster-listen 127.0.0.1:0 --cluster-cert "$scratch/a.pem"
check_contains "--cluster-key is missing" "$errors"
