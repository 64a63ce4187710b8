# Sourced by every *_test.sh: a scratch folder, servers on free ports that are gone afterwards, and checks that say what
# they saw. Needs SSE_SERVE and SSECTL, the paths of the two programs (ctest sets them).
#
#   . "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
#   start_server --history 10                      # url, admin, db, server_pid are set; more servers: see below
#   check_output "delivered" "$SSECTL" send --all hi
#   stop_server
set -euo pipefail

: "${SSE_SERVE:?the path of sse-serve; run this with ctest}" "${SSECTL:?the path of ssectl; run this with ctest}"

# In /tmp and short: the path of a unix socket has at most 107 bytes.
scratch=$(mktemp -d /tmp/sse-test-XXXXXX)
export XDG_STATE_HOME=$scratch/state XDG_RUNTIME_DIR=$scratch/run XDG_CONFIG_HOME=$scratch/config HOME=$scratch
unset SSECTL_SERVER
mkdir -p -m 700 "$XDG_STATE_HOME" "$XDG_RUNTIME_DIR" "$XDG_CONFIG_HOME"

declare -A servers=()  # pid → log file
children=()            # other pids to end: append those you start

finish() {
  local status=$? pid
  trap - EXIT
  for pid in "${!servers[@]}" "${children[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  if [[ $status -ne 0 && $status -ne 77 ]]; then
    local log
    for log in "$scratch"/server-*.log; do
      [[ -e $log ]] && { echo "--- the end of $log"; tail -n 50 "$log"; } >&2
    done
  fi
  rm -rf "$scratch"
  exit "$status"
}

# use_terminal: from now on `terminal COMMAND…` is tmux with a server of its own, which ends with the test and has the
# environment of this moment. (One that ended with its last session would refuse a session that starts just then.)
use_terminal() {
  export TMUX_TMPDIR=$scratch
  trap end_terminal EXIT
  terminal -f /dev/null start-server \; set-option -g exit-empty off
}
terminal() { tmux -L test "$@"; }
end_terminal() {
  local status=$?
  set +e
  terminal kill-server 2>/dev/null
  (exit "$status")
  finish
}
trap finish EXIT
trap 'exit 130' INT TERM

fail() {
  echo "FAIL ${BASH_SOURCE[-1]##*/}:${BASH_LINENO[-2]}: $*" >&2
  exit 1
}

# wait_for SECONDS WHAT COMMAND…: until the command succeeds.
wait_for() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    ((SECONDS < deadline)) || fail "waited in vain for $what"
    sleep 0.05
  done
}

_printed_address() {
  kill -0 "$server_pid" 2>/dev/null || fail "sse-serve ended before it was ready"
  url=$(sed -nE 's,^sse-serve [^ ]+ on (https?://[^ /]+:[0-9]+).*,\1,p' "$server_log" | head -n1)
  [[ -n $url && (-z $admin || -S $admin) ]]
}

# start_server [OPTION…]: on a free port, with its own admin socket; keeps $db over restarts. Sets url (no slash at the
# end), admin, server_pid, server_log and SSECTL_SERVER. A second server: set db to another file and admin to another
# socket first, and keep the variables of the first. `listen=ADDR:PORT start_server` for an address of your own.
start_server() {
  db=${db-$scratch/pending.db}
  admin=${admin-$scratch/admin.sock}
  server_log=$scratch/server-${#servers[@]}-$RANDOM.log
  # A killed server leaves its socket file; readiness is seen by the new one.
  rm -f "$admin"
  : >"$server_log"
  "$SSE_SERVE" --listen "${listen-127.0.0.1:0}" --admin "unix:$admin" --db "$db" "$@" >"$server_log" 2>&1 &
  server_pid=$!
  servers[$server_pid]=$server_log
  wait_for 30 "the address sse-serve prints" _printed_address
  export SSECTL_SERVER=unix:$admin
}

# stop_server [PID]: SIGTERM, and checks that it drains with exit 0.
stop_server() {
  local pid=${1-$server_pid} status=0
  kill -TERM "$pid" || fail "sse-serve is not running any more"
  wait "$pid" || status=$?
  unset "servers[$pid]"
  [[ $status -eq 0 ]] || fail "sse-serve ended with $status after SIGTERM"
}

# kill_server [PID]: as a crash would.
kill_server() {
  local pid=${1-$server_pid}
  kill -KILL "$pid" || fail "sse-serve is not running any more"
  wait "$pid" 2>/dev/null || true
  unset "servers[$pid]"
}

# start_redis [OPTION…]: a real one on a free port, which keeps nothing; sets redis, its URL. Skips the test where there is
# no redis-server.
start_redis() {
  command -v redis-server >/dev/null || { echo "redis-server is not installed (scripts/setup --tests)"; exit 77; }
  local port
  for _ in 1 2 3 4 5; do
    port=$((20000 + RANDOM % 10000))
    redis-server --port "$port" --bind 127.0.0.1 --dir "$scratch" --save "" --logfile "$scratch/redis.log" "$@" &
    children+=("$!")
    for _ in $(seq 200); do
      if redis-cli -p "$port" ping >/dev/null 2>&1 && kill -0 "${children[-1]}" 2>/dev/null; then
        redis=redis://127.0.0.1:$port/0
        return
      fi
      kill -0 "${children[-1]}" 2>/dev/null || break
      sleep 0.05
    done
  done
  fail "redis-server does not come up: $(cat "$scratch/redis.log")"
}

# open_stream FILE QUERY [CURL-OPTION…]: a stream of GET /my-sse/connect?QUERY into FILE, open until the test ends or
# stream_pid is killed; returns once connect-finish is there.
open_stream() {
  local file=$1 query=$2
  shift 2
  : >"$file"  # not that of an earlier stream
  curl -sSN "$@" "$url/my-sse/connect?$query" >"$file" 2>"$file.err" &
  stream_pid=$!
  children+=("$stream_pid")
  wait_for 30 "connect-finish in $file" grep -qs '^event:connect-finish' "$file"
}

# Whether the programs were built with AddressSanitizer or ThreadSanitizer.
sanitized() { grep -qaE '__(asan|tsan)_init' "$SSECTL"; }

# free_ports COUNT: prints so many ports of 127.0.0.1 that no process uses, and no other test while this one runs, for
# programs that cannot pick one.
free_ports() { python3 "$integration_tests/free_ports.py" "$1" "$$"; }
integration_tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# limit_memory KIB: of this shell and what it starts. Not under a sanitizer, which reserves terabytes of addresses.
limit_memory() { sanitized || ulimit -v "$1"; }

check_equal() { [[ $1 == "$2" ]] || fail "expected '$1', got '$2'"; }
check_contains() { [[ $2 == *"$1"* ]] || fail "expected something with '$1', got '$2'"; }
check_file() { grep -qF -- "$1" "$2" || fail "expected '$1' in $2, which holds: $(tail -c 2000 "$2")"; }

# check_exit CODE COMMAND…: leaves what was printed in $output (stdout) and $errors (stderr).
check_exit() {
  local expected=$1 status=0
  shift
  "$@" >"$scratch/output" 2>"$scratch/errors" </dev/null || status=$?
  output=$(<"$scratch/output")
  errors=$(<"$scratch/errors")
  [[ $status -eq $expected ]] || fail "expected exit $expected of '$*', got $status: $output $errors"
}

# check_output TEXT COMMAND…: the command succeeds and prints TEXT somewhere.
check_output() {
  local text=$1
  shift
  check_exit 0 "$@"
  check_contains "$text" "$output"
}

# http_status CURL-ARGUMENT…: prints the status; the body is in $scratch/body.
http_status() { curl -sS -o "$scratch/body" -w '%{http_code}' "$@"; }
