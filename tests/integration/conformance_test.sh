#!/usr/bin/env bash
# ssectl conformance: this server passes all of it, also by a command that publishes; nchan does not, and a server that
# ends each stream does not; where nothing answers, nothing is tested.
# ctest: COST 60 TIMEOUT 300
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

nchan=/usr/lib/nginx/modules/ngx_nchan_module.so
[[ -x /usr/sbin/nginx && -e $nchan ]] || { echo "nginx with nchan is not installed (scripts/setup --tests)"; exit 77; }

start_server --history 1000

# test_server NAME ARGUMENT…: in the background; its output and status are in files.
test_server() {
  local name=$1
  shift
  {
    status=0
    "$SSECTL" "$@" -o json >"$scratch/$name.json" 2>"$scratch/$name.note" || status=$?
    echo "$status" >"$scratch/$name.status"
  } &
  children+=($!)
}
ended() { [[ -s $scratch/$1.status ]]; }
results() { # NAME RESULT
  sed -n 's/.*"case": "\(.*\)",/\1/p; s/.*"result": "\(.*\)",*/\1/p' "$scratch/$1.json" | paste - - |
    awk -F '\t' -v result="$2" '$2 == result { print $1 }'
}
# found NAME STATUS FAILED SKIPPED
found() {
  wait_for 200 "the tests of $1" ended "$1"
  check_equal "$2" "$(<"$scratch/$1.status")"
  check_equal "$3" "$(results "$1" failed)"
  check_equal "$4" "$(results "$1" skipped)"
}

# Ours, with tickets; the heartbeats need more than 20 s.
test_server ours conformance --for 22s "$url/my-sse/connect"

# Ours, by a command of the shell.
test_server command conformance --for 1s \
  --publish "$SSECTL send --all \${SSE_EVENT:+--event \"\$SSE_EVENT\"} --file -" "$url/my-sse/connect?userId=tested"

# nchan, by its URL.
port=$(free_ports 1)
mkdir "$scratch/tmp"
cat >"$scratch/nginx.conf" <<CONF
load_module $nchan;
daemon off; master_process off; pid $scratch/nginx.pid; error_log $scratch/nginx.log;
events {}
http {
  access_log off; client_max_body_size 10m;
  client_body_temp_path $scratch/tmp/b; proxy_temp_path $scratch/tmp/p; fastcgi_temp_path $scratch/tmp/f;
  uwsgi_temp_path $scratch/tmp/u; scgi_temp_path $scratch/tmp/s;
  server {
    listen 127.0.0.1:$port;
    location = /sub {
      nchan_subscriber eventsource; nchan_channel_id \$arg_id; nchan_subscriber_first_message newest;
    }
    location = /pub { nchan_publisher; nchan_channel_id \$arg_id; nchan_message_buffer_length 1000; }
  }
}
CONF
/usr/sbin/nginx -c "$scratch/nginx.conf" -e "$scratch/nginx.log" &
children+=($!)
answers() { curl -s -o /dev/null "http://127.0.0.1:$port/"; }
wait_for 60 "nginx" answers
test_server nchan conformance --for 1s --publish "http://127.0.0.1:$port/pub?id=1" "http://127.0.0.1:$port/sub?id=1"

# One that ends each stream after its first event, and one that answers nothing else.
mkdir "$scratch/foreign"
python3 "$SSE_SOURCE_DIR/tests/integration/doctor_servers.py" "$scratch/foreign" &
children+=($!)
wait_for 30 "the servers" test -s "$scratch/foreign/port"
foreign=http://127.0.0.1:$(<"$scratch/foreign/port")
(
  unset SSECTL_SERVER
  check_exit 1 "$SSECTL" conformance --for 1s "$foreign/short"
  check_contains "FAIL  an idle stream stays open" "$output"
  check_contains "skip  an event comes" "$output"
  check_contains "needs events: --publish" "$output"
  check_exit 4 "$SSECTL" conformance "$foreign/closed"
  check_contains "it answers with status 401" "$errors"
  check_exit 4 "$SSECTL" --timeout 1s conformance "$foreign/never"
  check_contains "no answer within 1s" "$errors"
  check_exit 4 "$SSECTL" conformance http://127.0.0.1:1/
  check_exit 2 "$SSECTL" conformance --header x "$foreign/short"
)

found ours 0 "" ""
check_contains '"passed": 35' "$(<"$scratch/ours.json")"
found command 0 "" "an idle stream gets heartbeats"
# A CR in the data of nchan ends the line, and what follows is a field of its own.
found nchan 1 "is not to be cached
allows other origins as browsers accept it, or not at all
HEAD is answered without a body
CR and CRLF end lines, as in the format
all that came on it is valid" "names come
a name has one line
an idle stream gets heartbeats"
stop_server
