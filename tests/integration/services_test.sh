#!/usr/bin/env bash
# Several services in one process know nothing of each other; files of one's own at /.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

mkdir "$scratch/www"
echo '<p>mine</p>' >"$scratch/www/index.html"
echo secret >"$scratch/outside"
ln -s "$scratch/outside" "$scratch/www/link" 2>/dev/null
start_server --service hr=/hr-sse --service hunter=/hunter-sse --web-root "$scratch/www"

curl -sSN "$url/hr-sse/connect?userId=1" >"$scratch/hr" 2>/dev/null &
children+=($!)
curl -sSN "$url/hunter-sse/connect?userId=1" >"$scratch/hunter" 2>/dev/null &
children+=($!)
wait_for 10 connect-finish grep -qs '"name":"hr"' "$scratch/hr"
wait_for 10 connect-finish grep -qs '"name":"hunter"' "$scratch/hunter"
check_exit 0 "$SSECTL" --service hr send --user 1 "to hr"
check_exit 0 "$SSECTL" --service hunter send --all "to hunter"
wait_for 10 "hr's event" grep -qx 'data:to hr' "$scratch/hr"
wait_for 10 "hunter's event" grep -qx 'data:to hunter' "$scratch/hunter"
grep -q 'to hunter' "$scratch/hr" && fail "hr got hunter's event"
grep -q 'to hr' "$scratch/hunter" && fail "hunter got hr's event"

# Pending messages are apart, too.
check_exit 0 "$SSECTL" --service hunter send --user 2 --qos "kept by hunter"
curl -sSN "$url/hr-sse/connect?userId=2" >"$scratch/hr2" 2>/dev/null &
children+=($!)
wait_for 10 connect-finish grep -qs connect-finish "$scratch/hr2"
check_exit 0 "$SSECTL" --service hr send --user 2 "marker"
wait_for 10 "the marker" grep -qx 'data:marker' "$scratch/hr2"
grep -q 'kept by hunter' "$scratch/hr2" && fail "hr delivered a message hunter keeps"
curl -sSN "$url/hunter-sse/connect?userId=2" >"$scratch/hunter2" 2>/dev/null &
children+=($!)
wait_for 10 "the kept message" grep -qx 'data:kept by hunter' "$scratch/hunter2"

# A connection id of one service is unknown to the other.
id=$(sed -n '1s/^id://p' "$scratch/hr")
check_equal 404 "$(http_status -X POST "$url/hunter-sse/connect/message/hello.do?userId=1&connectionId=$id")"
check_equal 200 "$(http_status -X POST "$url/hr-sse/connect/message/hello.do?userId=1&connectionId=$id")"

# Which service is meant must be said, and must exist.
check_exit 2 "$SSECTL" send --user 1 x
check_contains "hr, hunter" "$errors"
check_exit 3 "$SSECTL" --service sales send --user 1 x
check_contains "sales" "$errors"
check_output '"name":"hunter"' curl -sS --unix-socket "$admin" http://localhost/api/v1/status
check_equal 404 "$(http_status "$url/my-sse")"

# One's own files instead of the demo page, and nothing outside of their folder.
check_equal 200 "$(http_status "$url/")"
check_equal '<p>mine</p>' "$(<"$scratch/body")"
check_equal 404 "$(http_status "$url/missing.html")"
for path in /../outside /%2e%2e/outside /..%2foutside //../outside; do
  status=$(http_status --path-as-is "$url$path")
  [[ $status == 4* ]] || fail "$path answers $status"
  grep -q secret "$scratch/body" && fail "$path leads out of --web-root"
done
stop_server

# Several services in one variable.
SSE_SERVE_SERVICE='a=/a-sse,b=/b-sse' start_server
check_equal 200 "$(http_status "$url/a-sse")"
check_equal 200 "$(http_status "$url/b-sse")"
stop_server
