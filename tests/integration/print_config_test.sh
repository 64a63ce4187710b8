#!/usr/bin/env bash
# What is configured and where it comes from (--print-config), the example file, and errors that name the file, the line
# and the nearest name.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
export SSE_SERVE_ADMIN=unix:$scratch/no.sock SSE_SERVE_DB=:memory:
example=$SSE_SOURCE_DIR/apps/sse-serve/sse-serve.conf

# The example names every option with its default, as a comment, and is valid when all of them are set.
options=$("$SSE_SERVE" --help | grep -oE '^  (-.,)?--[a-z-]+' | grep -oE -e '--[a-z-]+' |
  grep -vxE -e '--(help|version|config|check-config|connect|print-config)' | sort -u)
named=$(sed -nE 's/^#([a-z-]+) = .*/--\1/p' "$example" | sort -u)
check_equal "$options" "$named"
env -u SSE_SERVE_ADMIN -u SSE_SERVE_DB "$SSE_SERVE" --print-config >"$scratch/defaults"
grep -v '# an example$' "$example" | sed -nE 's/^#([a-z-]+ = .+)/\1/p' >"$scratch/all.conf"
env -u SSE_SERVE_ADMIN -u SSE_SERVE_DB "$SSE_SERVE" --print-config --config "$scratch/all.conf" >"$scratch/all"
# setting NAME FILE: its line in that output, without the place it comes from.
setting() { sed -nE "s/^($1 = .*[^ ]) +# .*/\1/p" "$2"; }
count=0
while read -r name _; do
  check_equal "$(setting "$name" "$scratch/defaults")" "$(setting "$name" "$scratch/all")"
  check_contains "all.conf:" "$(grep "^$name = " "$scratch/all")"
  count=$((count + 1))
done <"$scratch/all.conf"
((count > 40)) || fail "only $count options of the example have a default"
check_output fine "$SSE_SERVE" --check-config --config "$example"

# Where each value comes from; the output is a configuration that says the same.
cat >"$scratch/conf" <<'END'
# three lines
heartbeat = 30s
service = ["hr=/hr", "hunter=/hunter"]
cluster = "redis://:pass%20word@127.0.0.1:6379/0"
END
export SSE_SERVE_RECONNECT_TIME=8s SSE_SERVE_CORS_ORIGIN=https://a.example,https://b.example SSE_SERVE_DEMO=true
check_exit 0 "$SSE_SERVE" --print-config --config "$scratch/conf" --max-backlog 2MiB --no-page
line() { sed -nE "s/^(#?$1 = ?)(.*[^ ]) +# (.*)$/\2 from \3/p" <<<"$output"; }
check_equal "\"30s\" from $scratch/conf:2" "$(line heartbeat)"
check_equal '["hr=/hr", "hunter=/hunter"]'" from $scratch/conf:3" "$(line service)"
check_equal '"8s" from SSE_SERVE_RECONNECT_TIME' "$(line reconnect-time)"
check_equal '["https://a.example", "https://b.example"] from SSE_SERVE_CORS_ORIGIN' "$(line cors-origin)"
check_equal 'true from SSE_SERVE_DEMO' "$(line demo)"
check_equal '"2MiB" from command line' "$(line max-backlog)"
check_equal 'true from command line' "$(line no-page)"
check_equal '"close" from default' "$(line slow-consumer)"
check_contains "redis://:***@127.0.0.1:6379/0" "$output"
[[ $output != *pass%20word* ]] || fail "the password is printed"
unset SSE_SERVE_RECONNECT_TIME SSE_SERVE_CORS_ORIGIN SSE_SERVE_DEMO
grep -v '^cluster' <<<"$output" >"$scratch/printed"
values() { grep -v '^#' | sed -E 's/ +# .*//'; }
check_exit 0 "$SSE_SERVE" --print-config --config "$scratch/printed"
check_equal "$(values <"$scratch/printed")" "$(values <<<"$output" | grep -v '^cluster')"
[[ ! -e $XDG_RUNTIME_DIR/sse-serve && ! -e $XDG_STATE_HOME/sse-serve ]] || fail "--print-config made folders"

# refused TEXT-OF-THE-FILE SENTENCE
refused() {
  printf '%s\n' "$1" >"$scratch/bad"
  check_exit 2 "$SSE_SERVE" --check-config --config "$scratch/bad"
  check_equal "sse-serve: $scratch/bad:$2" "${errors%; see sse-serve --help}"
}
refused $'demo = true\nheartbeet = 5s' "2: there is no option 'heartbeet'; did you mean 'heartbeat'? See sse-serve --help"
refused $'\n\nheartbeat = often' "3: --heartbeat: 'often' is not a duration; write for example 250ms, 15s, 5m, 2h or 7d"
refused 'demo = perhaps' "1: 'demo' is either true or false"
refused $'# x\nlog-format = xml' "2: --log-format: 'xml' is not a log format; use text or json"
mkdir "$scratch/folder"
check_exit 2 "$SSE_SERVE" --check-config --config "$scratch/folder"
check_equal "sse-serve: cannot read the file of --config '$scratch/folder': it is a folder" "$errors"
head -c 10000000 /dev/zero | tr '\0' '#' >"$scratch/large"
check_exit 2 "$SSE_SERVE" --check-config --config "$scratch/large"
check_contains "larger than 1 MiB" "$errors"
head -c 1000 "$SSE_SERVE" >"$scratch/binary"
check_exit 2 "$SSE_SERVE" --check-config --config "$scratch/binary"
check_contains "not text in UTF-8" "$errors"
# One that was written for an older version means the same, and what a newer version refuses in it is named with its line.
older=$SSE_SOURCE_DIR/tests/package/sse-serve-0.1.0.conf
check_output fine "$SSE_SERVE" --check-config --config "$older"
check_exit 0 "$SSE_SERVE" --print-config --config "$older"
check_equal '["hr=/hr-sse", "hunter=/hunter-sse"]'" from $older:5" "$(line service)"
check_equal '"push1"'" from $older:11" "$(line server-id)"
check_equal "true from $older:7" "$(line demo)"
check_equal '["https://a.example", "https://b.example"]'" from $older:9" "$(line cors-origin)"
set_there=$(grep -cE '^[a-z-]+' "$older")
check_equal "$((set_there - 1))" "$(grep -cF "# $older:" <<<"$output")"  # service has two lines
refused "$(<"$older")"$'\ncheck-config = true' \
  "$(($(wc -l <"$older") + 1)): 'check-config' may be given on the command line only, not in a configuration file"
refused "$(<"$older")"$'\ndemo = yes' "$(($(wc -l <"$older") + 1)): 'demo' is set already in line 7"
check_exit 2 env SSE_SERVE_HEARTBEAT=often "$SSE_SERVE" --check-config
check_contains "SSE_SERVE_HEARTBEAT: --heartbeat: " "$errors"
check_exit 2 "$SSE_SERVE" --heartbeet 5s
check_equal "sse-serve: there is no option '--heartbeet'; did you mean '--heartbeat'? See sse-serve --help" "$errors"
check_exit 2 "$SSE_SERVE" --connect
check_contains --check-config "$errors"

# Variables that no option reads: told, but no reason not to start. Kubernetes sets some for a service of this name.
check_exit 0 env SSE_SERVE_HEARTBEET=5s SSE_SERVE_PORT=tcp://10.0.0.1:80 SSE_SERVE_SERVICE_HOST=10.0.0.1 \
  "$SSE_SERVE" --check-config
check_equal "sse-serve: no option reads the variable SSE_SERVE_HEARTBEET; did you mean 'SSE_SERVE_HEARTBEAT'?" "$errors"
unset SSE_SERVE_ADMIN SSE_SERVE_DB
SSE_SERVE_HEARTBEET=5s start_server
check_file "did you mean 'SSE_SERVE_HEARTBEAT'?" "$server_log"
stop_server

# --connect tries Redis with the login of the server, and stores nothing.
check_exit 4 "$SSE_SERVE" --check-config --connect --cluster redis://127.0.0.1:1/0
check_contains redis://127.0.0.1:1/0 "$errors"
if command -v redis-server >/dev/null; then
  start_redis --requirepass secret
  check_exit 5 "$SSE_SERVE" --check-config --connect --cluster "$redis"
  (umask 077; echo secret >"$scratch/password")
  check_output "Redis at $redis answers" "$SSE_SERVE" --check-config --connect --cluster "$redis" \
    --cluster-password-file "$scratch/password"
  check_equal 0 "$(port=${redis##*:} && redis-cli --no-auth-warning -p "${port%/0}" -a secret dbsize)"
fi
