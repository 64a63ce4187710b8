#!/usr/bin/env bash
# Who is online, and why a user does or does not get an event, on the command line and over HTTP.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

start_server --enable-get-json
open_stream "$scratch/a1" 'userId=alice&name=Alice%20Ann&tenantId=acme&access-token=secret-of-alice&channel=room/1&listeners=news,chat&clientId=phone'
alice=$(sed -n '1s/^id://p' "$scratch/a1")
open_stream "$scratch/a2" 'userId=alice&name=Alice%20Ann&tenantId=acme&clientId=laptop'
open_stream "$scratch/b" 'userId=bob&name=Bob&tenantId=other&listeners=news'
bob_pid=$stream_pid

# Users: ids, filters, counts, pages, forms of output.
check_exit 0 "$SSECTL" users list --ids
check_equal $'alice\nbob' "$output"
check_exit 0 "$SSECTL" users list --ids --listening chat --tenant acme
check_equal alice "$output"
check_exit 0 "$SSECTL" users list --name ANN --ids
check_equal alice "$output"
check_exit 0 "$SSECTL" users list --ids --sort connections
check_equal $'bob\nalice' "$output"
check_exit 0 "$SSECTL" users list --ids --reverse --page 2 --page-size 1
check_equal alice "$output"
check_exit 0 "$SSECTL" users list --count --listening news
check_equal 2 "$output"
check_output '"total": 2' "$SSECTL" users list --count -o json
check_output '"connections":2' "$SSECTL" users list -o ndjson --user alice
check_output '"bob"' "$SSECTL" users list --ids -o ndjson
check_output 'Alice Ann' "$SSECTL" users list
check_exit 0 "$SSECTL" users list --name nobody
check_equal "" "$output"
check_contains "no matching user is online" "$errors"

check_output 'acme' "$SSECTL" users show alice
check_contains "$alice" "$output"
grep -q secret-of-alice <<<"$output" && fail "a token is shown"
check_output '"connectionList"' "$SSECTL" users show alice -o json
check_exit 3 "$SSECTL" users show carol
check_contains "not online" "$errors"
check_output 'online, 2 connections' "$SSECTL" users online alice
check_exit 3 "$SSECTL" users online carol
check_equal offline "$output"
check_exit 3 "$SSECTL" users online carol -o ndjson
check_equal '{"connections":0,"online":false,"user":"carol"}' "$output"
check_exit 2 "$SSECTL" users online ''

# What else connections have in common.
check_output 'room/1' "$SSECTL" channels list
check_exit 0 "$SSECTL" tenants list -o ndjson --sort connections --reverse
check_contains '"name":"acme"' "${output%%$'\n'*}"
check_exit 0 "$SSECTL" tokens list -o json
check_contains '"users": 1' "$output"
grep -q secret-of-alice <<<"$output" && fail "a token is shown"
check_exit 0 "$SSECTL" tenants list --count
check_equal 2 "$output"

# Connections in another order.
check_exit 0 "$SSECTL" connections list --sort user --reverse --page 1 --page-size 1 -o ndjson
check_contains '"accessUserId":"bob"' "$output"
check_exit 2 "$SSECTL" connections list --sort age
check_contains backlog "$errors"

# Why.
check_output 'everything fits' "$SSECTL" explain --user alice --tenant acme --channel room/1 --event news --listening
check_contains "its tenant is 'acme'" "$("$SSECTL" explain --user alice --tenant other 2>&1 || true)"
check_exit 3 "$SSECTL" explain --user carol
check_contains "has no connection" "$output"
check_exit 3 "$SSECTL" explain --user bob --event chat --listening
check_contains "listens to news, not to 'chat'" "$output"
check_exit 0 "$SSECTL" explain --listening --event news -o json
check_contains '"receivers": 2' "$output"
check_output '"gets":true' "$SSECTL" explain --user bob -o ndjson

# Gone is gone.
kill "$bob_pid"
wait_for 10 "bob to be offline" bash -c '! "$1" users online bob >/dev/null' _ "$SSECTL"
check_exit 0 "$SSECTL" users list --ids
check_equal alice "$output"

# The same for pages.
check_equal 200 "$(http_status "$url/my-sse/connect/users.json?pageSize=1")"
check_contains '"success":true,"code":200,"data":{' "$(<"$scratch/body")"
check_contains '"total":1' "$(<"$scratch/body")"
# Page numbers that make no sense are the first page, as with the Java library; one beyond the end is empty.
for number in 0 -1; do
  check_equal 200 "$(http_status "$url/my-sse/connect/connections.json?pageNum=$number")"
  check_contains '"pageNum":1' "$(<"$scratch/body")"
done
check_equal 200 "$(http_status "$url/my-sse/connect/connections.json?pageNum=1000000000000")"
check_contains '"list":[]' "$(<"$scratch/body")"
check_equal 200 "$(http_status "$url/my-sse/connect/repositoryMessages.json?pageNum=1000000000000&pageSize=1000")"
for number in 0 -1 x 99999999999999999999; do
  check_exit 2 "$SSECTL" connections list --page "$number"
  check_equal 400 "$(http_status --unix-socket "$admin" "http://localhost/api/v1/connections?pageNum=$number")"
done
check_exit 0 "$SSECTL" connections list --page 1000000000000 -o ndjson
check_equal "" "$output"
check_equal 400 "$(http_status "$url/my-sse/connect/connections.json?pageNum=x")"
check_contains "is not a whole number" "$(<"$scratch/body")"
stop_server

start_server
check_equal 403 "$(http_status "$url/my-sse/connect/users.json")"
stop_server
