#!/usr/bin/env bash
# The way of a token: a key, a token, a page that is let in, and why another is not; then the same with the keys of an
# OpenID provider.
# ctest: COST 100
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$scratch"
status_of() { http_status --max-time 5 -D "$scratch/head" "$url/my-sse/connect?clientId=$RANDOM" -H "Authorization: Bearer $1"; }

for algorithm in ES256 EdDSA RS256 HS256; do
  check_exit 0 "$SSECTL" key create --algorithm "$algorithm" "$algorithm.key"
  check_equal 600 "$(stat -c %a "$algorithm.key")"
  check_contains "$algorithm.key" "$output"
  if [[ $algorithm == HS256 ]]; then
    [[ ! -e HS256.key.jwks ]] || fail "a secret has a public part"
    start_server --auth jwt --jwt-secret-file HS256.key
  else
    check_equal 644 "$(stat -c %a "$algorithm.key.jwks")"
    ! grep -q '"d"' "$algorithm.key.jwks" || fail "the private key is published"
    start_server --auth jwt --jwt-key-file "$algorithm.key.jwks"
  fi
  token=$("$SSECTL" token create --key "$algorithm.key" --user ann --tenant acme --channels 'team.*' --channels news \
    --session login-17 --name Ann --ttl 1h)
  open_stream "$scratch/stream" "clientId=$algorithm" -H "Authorization: Bearer $token"
  check_output "delivered  1 connection" "$SSECTL" send --user ann --tenant acme hello
  check_output "accepted" "$SSECTL" token check "$token"
  check_contains "team.*,news" "$output"
  check_contains "$algorithm" "$output"
  check_output "accepted" "$SSECTL" token check --url "$url/my-sse/" "$token"
  check_output '"accepted": true' "$SSECTL" token check -o json --key "$algorithm.key" "$token"
  kill "$stream_pid"
  [[ $algorithm == HS256 ]] || stop_server
done

# Why not: to the client, in the log, and from ssectl.
expired=$("$SSECTL" token create --key HS256.key --user ann --ttl 1s)
expired() { "$SSECTL" token check --key HS256.key "$expired" >/dev/null; (($? == 5)); }
wait_for 60 "the end of a token, and of the leeway of 30 seconds" expired
check_equal 401 "$(status_of "$expired")"
check_file 'WWW-Authenticate: Bearer error="invalid_token", error_description="it has expired"' "$scratch/head"
check_exit 5 "$SSECTL" token check "$expired"
check_contains "it has expired" "$output"
wait_for 5 "the reason in the log" grep -q 'a token was refused.*it has expired' "$server_log"
other=$("$SSECTL" token create --key ES256.key --user ann)
check_exit 5 "$SSECTL" token check "$other"
check_contains "no key of --jwt-key-file" "$output"
none=$(printf '{"alg":"none"}' | base64 -w0 | tr -d =).$(cut -d. -f2 <<<"$other").
check_exit 5 "$SSECTL" token check "$none"
check_contains "its algorithm (alg) is none of" "$output"
check_exit 5 "$SSECTL" token check --key HS256.key "$none"
for unknown in HS1 'ES256K' 'x","alg":"HS256' ''; do
  strange=$(printf '{"alg":"%s"}' "$unknown" | base64 -w0 | tr -d '=\n' | tr '+/' '-_').$(cut -d. -f2- <<<"$other")
  check_exit 5 "$SSECTL" token check "$strange"
  check_exit 5 "$SSECTL" token check --key HS256.key "$strange"
  check_equal 401 "$(status_of "$strange")"
done
check_exit 5 "$SSECTL" token check nonsense
check_contains "it does not have three parts" "$output"
check_exit 0 bash -c "echo '$token' | '$SSECTL' token check"
check_exit 2 bash -c "'$SSECTL' token check </dev/null"
named=$("$SSECTL" token create --key HS256.key --user ann --issuer login --audience push --audience news)
check_exit 0 "$SSECTL" token check --key HS256.key --issuer login --audience news "$named"
check_exit 5 "$SSECTL" token check --key HS256.key --issuer other --audience news "$named"
check_contains "another issuer" "$output"
check_exit 5 "$SSECTL" token check --key HS256.key --audience chat "$named"
check_contains "another audience" "$output"
# The reason is in the answers to requests of a page, too.
check_equal 401 "$(http_status -d '{}' -H 'Content-Type: application/json' -H "Authorization: Bearer $expired" \
  "$url/my-sse/connect/addListener.do")"
check_file "the token of this request is refused: it has expired" "$scratch/body"
! grep -qF "${token##*.}" "$server_log" || fail "a token is in the log"
stop_server

# Bad input.
before=$(sha256sum HS256.key ES256.key ES256.key.jwks)
for existing in HS256.key ES256.key; do
  check_exit 1 "$SSECTL" key create "$existing"
  check_contains "exists already and was not changed" "$errors"
done
check_equal "$before" "$(sha256sum HS256.key ES256.key ES256.key.jwks)"
# Nor is a link followed, to a file that is there or that is not, and a folder stays one.
ln -s HS256.key link.key
ln -s elsewhere.key dangling.key
mkdir folder.key
for existing in link.key dangling.key folder.key; do check_exit 1 "$SSECTL" key create "$existing"; done
check_equal "$before" "$(sha256sum HS256.key ES256.key ES256.key.jwks)"
[[ ! -e elsewhere.key && ! -e link.key.jwks && -z $(ls folder.key) ]] || fail "something was made at what exists: $(ls)"
: >new.key.jwks
check_exit 1 "$SSECTL" key create new.key
[[ ! -e new.key ]] || fail "a private key without its public part is left"
check_exit 1 "$SSECTL" key create missing/new.key
check_exit 2 "$SSECTL" key create --algorithm none none.key
check_contains "'none' is not one of HS256|RS256|ES256|EdDSA" "$errors"
check_exit 2 "$SSECTL" token create --key ES256.key.jwks --user ann
check_exit 2 "$SSECTL" token create --key HS256.key --user ""
check_exit 2 "$SSECTL" token create --key HS256.key --user ann --ttl forever
check_exit 2 "$SSECTL" token create --key HS256.key
check_contains "--user is missing" "$errors"
check_exit 1 "$SSECTL" token create --key missing.key --user ann
start_server
check_exit 2 "$SSECTL" token check "$token"
check_contains "checks no tokens" "$errors"
check_exit 4 "$SSECTL" token check --url http://127.0.0.1:1/my-sse "$token"
stop_server

# An OpenID provider with a certificate of its own authority.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
  -addext subjectAltName=DNS:localhost -keyout tls.key -out tls.pem 2>/dev/null
cat >provider.py <<'END'
import http.server, json, ssl, sys
class Provider(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/.well-known/openid-configuration":
            text = json.dumps({"issuer": issuer, "jwks_uri": issuer + "/keys"})
        else:
            text = open("provider.jwks").read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())
    def log_message(self, *args):
        print(self.path, flush=True)
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Provider)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("tls.pem", "tls.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
issuer = f"https://localhost:{server.server_port}"
print(server.server_port, flush=True)
server.serve_forever()
END
cp ES256.key.jwks provider.jwks
start_provider() {
  : >provider.log
  python3 provider.py "$1" >provider.log &
  provider_pid=$!
  children+=("$provider_pid")
  wait_for 20 "the provider" test -s provider.log
  issuer=https://localhost:$(head -n1 provider.log)
}
start_provider 0
kill "$provider_pid"
port=${issuer##*:}
check_exit 2 "$SSE_SERVE" --check-config --auth jwt --jwt-issuer http://login.example
check_contains "must begin with https://" "$errors"
check_exit 2 "$SSE_SERVE" --check-config --auth jwt --jwt-issuer login.example
check_contains --jwt-key-file "$errors"
check_exit 2 "$SSE_SERVE" --check-config --auth jwt --jwt-key-file ES256.key.jwks --jwt-issuer-ca tls.pem
check_contains --jwt-issuer-ca "$errors"
# The provider is down: 503, and the server serves; then it is up.
start_server --auth jwt --jwt-issuer "$issuer" --jwt-issuer-ca tls.pem
token=$("$SSECTL" token create --key ES256.key --user ann --issuer "$issuer")
check_equal 503 "$(status_of "$token")"
check_exit 4 "$SSECTL" token check "$token"
wait_for 10 "the warning" grep -q "the keys of the issuer cannot be read" "$server_log"
start_provider "$port"
let_in() { "$SSECTL" token check "$token" >/dev/null; }
wait_for 30 "the keys" let_in
open_stream "$scratch/stream" "clientId=oidc" -H "Authorization: Bearer $token"
check_exit 5 "$SSECTL" token check "$("$SSECTL" token create --key EdDSA.key --user ann --issuer "$issuer")"
check_contains "key id" "$output"
check_equal 1 "$(grep -c '^/keys' provider.log)"
check_output "publishes 1 key" "$SSE_SERVE" --check-config --connect --auth jwt --jwt-issuer "$issuer" --jwt-issuer-ca tls.pem
check_exit 4 "$SSE_SERVE" --check-config --connect --auth jwt --jwt-issuer "$issuer"
stop_server
