# The server comes up as the first command of the README says, answers, and drains on SIGTERM.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

start_server --demo
check_equal 200 "$(http_status "$url/")"
check_equal 200 "$(http_status "$url/my-sse")"
check_exit 0 "$SSECTL" status
open_stream "$scratch/stream" userId=1
check_output '"delivered"' "$SSECTL" send --user 1 --output json hello
wait_for 10 "the event" grep -qx 'data:hello' "$scratch/stream"
stop_server

start_server
stop_server
