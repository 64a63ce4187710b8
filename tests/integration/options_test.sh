#!/usr/bin/env bash
# Options that make no sense end sse-serve at once, with the exit status of the manual and one line that names the
# option; --check-config says the same without starting anything.
# ctest: COST 100
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# From the environment, so that an option may be given on the command line, too.
export SSE_SERVE_LISTEN=127.0.0.1:0 SSE_SERVE_DB=:memory: SSE_SERVE_ADMIN=unix:$scratch/no.sock
# refused STATUS TEXT OPTION…
refused() {
  local status=$1 text=$2
  shift 2
  check_exit "$status" timeout 20 "$SSE_SERVE" "$@"
  check_contains "$text" "$errors"
  [[ $errors == "sse-serve: "* && $errors != *$'\n'* ]] || fail "not one line that begins with the name: $errors"
  check_equal "" "$output"
}
# nonsense OPTION…: --check-config, which has no more to say than the start, names the first option.
nonsense() { refused 2 "$1" "$@" --check-config; }

# The start refuses what --check-config refuses.
refused 2 --no-such-option --no-such-option
refused 2 "stray" stray
refused 2 --heartbeat --heartbeat often
refused 2 --max-backlog --max-backlog 1
refused 2 --service --service hr
nonsense --no-such-option
for value in 5 -5s 1.5s 5parsecs "" s 99999999999999999999s 200000d; do nonsense --heartbeat "$value"; done
for option in --reconnect-time --keepalive-time --qos-ttl; do nonsense "$option" -5s; done
nonsense --heartbeat 1ms
nonsense --keepalive-time 5ms
nonsense --qos-ttl 0
for value in much -1 1.5MiB 1XB "" 99999999999GiB; do nonsense --max-backlog "$value"; done
nonsense --max-body -1
nonsense --max-backlog 1
nonsense --max-body 0
for value in x -1 1.5 "" 0x10 99999999999999999999; do nonsense --client-max-connections "$value"; done
for option in --max-connections --max-connections-per-ip --max-tickets --qos-max-per-user --workers --loops; do nonsense "$option" -1; done
for option in --max-connections --qos-max-per-user --workers --loops; do nonsense "$option" 0; done
for option in --slow-consumer --qos-sync --auth --log-level --log-format; do nonsense "$option" maybe; done
for value in 127.0.0.1 :80 127.0.0.1:x 127.0.0.1:65536 127.0.0.1:-1 ""; do
  refused 2 "address" --listen "$value"
done
refused 2 "names no path" --listen unix:
for value in hr =/hr hr= hr=hr hr=/ hr=/hr/ 'hr=/a b' 'hr=/a?b' 'hr=/%41' 'hr=/a=b' 'a=/a;b=/b' 'a=/a b=/b'; do nonsense --service "$value"; done
nonsense --service a=/x --service a=/y
nonsense --service a=/x --service b=/x
nonsense --trusted-proxy 10.0.0.0/33
nonsense --trusted-proxy gateway
nonsense --cors-origin example.org
for value in https://example.org/ 'https://*.example.com' 'https://*' 'http*://a' https://Example.org https://example.org:443 \
  http://a:80 https://exämple.org https://u@a 'https://a b' https:// ://a null; do
  nonsense --cors-origin "$value"
done
nonsense --server-id $'a\r\nX-Injected: b'
nonsense --web-root "$scratch/missing"
nonsense --config "$scratch/missing.conf"
nonsense --auth header
refused 2 --trusted-proxy --auth header
for value in hook.example ftp://a/ http:// http://:80/ http://a:0/ http://a:x/ 'http://a b/' http://user:pw@a/; do
  nonsense --hook "$value"
done
nonsense --hook-secret-file "$scratch/none"
refused 2 --hook --hook-uploads multipart
nonsense --upload-dir "$scratch/missing"
nonsense --max-upload 0
for option in --hook-queue --hook-threads --outbox-limit; do nonsense "$option" 0; done
refused 2 --hook-timeout --hook http://127.0.0.1:1/ --hook-timeout 1ms
refused 2 "$scratch/none" --hook http://127.0.0.1:1/ --hook-secret-file "$scratch/none"
nonsense --admin 127.0.0.1:0
refused 2 --admin-token-file --admin 127.0.0.1:0
refused 2 "$scratch/missing" --admin-token-file "$scratch/missing"
: >"$scratch/empty"
refused 2 "it is empty" --admin-token-file "$scratch/empty"
echo '<html>' >"$scratch/page"
for option in --admin-token-file '--hook http://127.0.0.1:1/ --hook-secret-file'; do
  # shellcheck disable=SC2086
  refused 2 "a web page" $option "$scratch/page"
  # shellcheck disable=SC2086
  refused 2 "a web page" $option "$scratch/page" --check-config
done
nonsense --db "$scratch/misspelt/pending.db"
[[ ! -e $scratch/misspelt ]] || fail "a misspelt --db made folders"

# Others can reach these addresses: the demo's way to believe everybody is not for them.
for address in 0.0.0.0:0 '[::]:0' example.org:80; do
  refused 2 --insecure --listen "$address"
  check_exit 2 "$SSE_SERVE" --check-config --listen "$address"
done
check_exit 0 "$SSE_SERVE" --check-config --listen 0.0.0.0:8080 --insecure
check_exit 0 "$SSE_SERVE" --check-config --listen 0.0.0.0:8080 --auth header --trusted-proxy 10.0.0.0/8
check_exit 0 "$SSE_SERVE" --check-config --service a=/x --service b=/y --cors-origin '*' --cors-origin http://a:8080
check_contains "fine" "$output"
# Several values in one variable, as in one option.
check_exit 0 env SSE_SERVE_SERVICE='a=/x,b=/y' SSE_SERVE_CORS_ORIGIN='https://a.example,https://b.example:8443' \
  SSE_SERVE_TRUSTED_PROXY='10.0.0.0/8,::1' "$SSE_SERVE" --check-config --auth header
check_exit 2 env SSE_SERVE_SERVICE='a=/x,b=/x' "$SSE_SERVE" --check-config
check_contains "given twice" "$errors"
check_exit 2 env SSE_SERVE_CORS_ORIGIN='https://a.example,https://*.b.example' "$SSE_SERVE" --check-config
check_contains "https://*.b.example" "$errors"
[[ ! -e $XDG_RUNTIME_DIR/sse-serve && ! -e $XDG_STATE_HOME/sse-serve ]] || fail "--check-config made folders"

# What the options cannot know.
refused 1 "log file" --log-file "$scratch/missing/log"
refused 1 --admin --admin "unix:$scratch/missing/a.sock"
refused 2 "at most 107 bytes" --admin "unix:$scratch/$(printf 'x%.0s' {1..120})"

check_output "sse-serve " "$SSE_SERVE" --version
check_exit 0 "$SSE_SERVE" --help
long=$(awk 'length > 80' <<<"$output")
check_equal "" "$long"
check_contains "Examples:" "$output"
