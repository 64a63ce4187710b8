#!/usr/bin/env bash
# Access tokens and what messages say never reach the log, whatever its level, nor the answers of the admin API in full.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

for format in text json; do
  start_server --demo --log-level debug --log-format "$format"
  open_stream "$scratch/stream-$format" "userId=1&access-token=TOKEN-hunter2-hunter2&name=Ann"
  id=$(sed -n '1s/^id://p' "$scratch/stream-$format")
  check_exit 0 "$SSECTL" send --token TOKEN-hunter2-hunter2 --qos "BODY-by-token"
  check_exit 0 "$SSECTL" send --user 1 "BODY-live"
  check_exit 0 "$SSECTL" send --user offline --qos "BODY-kept"
  check_equal 200 "$(http_status -H 'Content-Type: application/json' -d '{"text":"BODY-from-page"}' \
    "$url/my-sse/connect/message/hello.do?userId=1&access-token=TOKEN-hunter2-hunter2&connectionId=$id")"
  check_equal 200 "$(http_status -F 'file=BODY-upload;filename=a.txt' \
    "$url/my-sse/connect/upload/file.do?userId=1&access-token=TOKEN-hunter2-hunter2&connectionId=$id")"
  check_equal 404 "$(http_status "$url/nothing?access-token=TOKEN-hunter2-hunter2")"
  check_equal 400 "$(http_status -d '{BODY-broken' --unix-socket "$admin" http://localhost/api/v1/send)"
  wait_for 10 "the pushes" grep -q 'BODY-live' "$scratch/stream-$format"
  for query in connections "connections/$id"; do
    answer=$(curl -sS --unix-socket "$admin" "http://localhost/api/v1/$query")
    check_contains "TOKE***" "$answer"
    [[ $answer != *hunter2-hunter2* ]] || fail "$query shows the token: $answer"
  done
  stop_server
  # The log says what happened all the same.
  check_file "stream opened" "$server_log"
  check_file "upload from a page" "$server_log"
  ! grep -E 'hunter2|BODY' "$server_log" || fail "a secret in the $format log"
done
