#!/usr/bin/env bash
# ssectl console: a port for the browser, whose one-time token opens one session; and what the console's pages and the
# admin listener refuse.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

start_server

# status_of CURL-OPTION… URL: prints the status; the body is in $scratch/body, the head in $scratch/head.
status_of() { curl -sS -o "$scratch/body" -D "$scratch/head" -w '%{http_code}' "$@"; }
has_header() { grep -qi -- "^$1" "$scratch/head" || fail "no '$1' in: $(<"$scratch/head")"; }

# start_console [OPTION…]: sets console_pid, origin and token. Lines that are written to descriptor 9 are its input.
start_console() {
  rm -f "$scratch/input"
  mkfifo "$scratch/input"
  "$SSECTL" console "$@" <"$scratch/input" >"$scratch/addresses" 2>"$scratch/notes" &
  console_pid=$!
  children+=("$console_pid")
  exec 9>"$scratch/input"
  await_address 1
}
# await_address NUMBER: the NUMBERth address that it prints.
await_address() {
  wait_for 30 "address $1 of the console" bash -c "[[ \$(wc -l <'$scratch/addresses') -ge $1 ]]"
  address=$(sed -n "$1p" "$scratch/addresses")
  [[ $address =~ ^(http://127\.0\.0\.1:[0-9]+)/console/#once=([A-Za-z0-9_-]{43})$ ]] || fail "the address is '$address'"
  origin=${BASH_REMATCH[1]}
  token=${BASH_REMATCH[2]}
}
exchange() { status_of -X POST -H "Authorization: Bearer $1" "$origin/console/session"; }

start_console
check_contains "once" "$(<"$scratch/notes")"

# The page and its files need no key; they are locked down.
check_equal 200 "$(status_of "$origin/console/")"
check_file '<script type="module" src="main.js">' "$scratch/body"
for header in "Content-Security-Policy: default-src 'none'; script-src 'self'" "X-Frame-Options: DENY" \
  "X-Content-Type-Options: nosniff" "Cache-Control: no-store" "Referrer-Policy: no-referrer"; do
  has_header "$header"
done
check_equal 200 "$(status_of "$origin/console/main.js")"
check_equal 401 "$(status_of "$origin/api/v1/status")"
check_file '"code":"unauthenticated"' "$scratch/body"

# A token works once; a wrong one, and the token itself as a key, never.
check_equal 401 "$(exchange wrong)"
check_equal 200 "$(exchange "$token")"
key=$(grep -oE '[A-Za-z0-9_-]{43}' "$scratch/body")
check_equal 401 "$(exchange "$token")"
check_file "press Enter" "$scratch/body"
check_equal 401 "$(status_of -H "Authorization: Bearer $token" "$origin/api/v1/status")"
check_equal 200 "$(status_of -H "Authorization: Bearer $key" "$origin/api/v1/status")"
check_file '"serverId"' "$scratch/body"
check_equal 200 "$(status_of -H "Authorization: Bearer $key" "$origin/metrics")"
check_equal 404 "$(status_of -H "Authorization: Bearer $key" "$origin/api/v1/user?id=a+b")"
check_file "a b" "$scratch/body"

# Enter gives a new one, for a page that was reloaded; the session of the first goes on.
echo >&9
await_address 2
check_equal 200 "$(exchange "$token")"
check_equal 200 "$(status_of -H "Authorization: Bearer $key" "$origin/api/v1/status")"

# Pages of other origins, and names that are not of this machine, are refused, with a key or without.
for header in "Origin: https://evil.example" "Origin: null" "Sec-Fetch-Site: cross-site" "Host: evil.example"; do
  check_equal 403 "$(status_of -H "$header" -H "Authorization: Bearer $key" "$origin/api/v1/status")"
  check_file '"code":"permission_denied"' "$scratch/body"
  check_equal 403 "$(status_of -H "$header" "$origin/console/")"
  check_equal 403 "$(status_of -X POST -H "$header" -H "Authorization: Bearer $key" "$origin/console/session")"
done
check_equal 200 "$(status_of -H "Origin: $origin" -H "Authorization: Bearer $key" "$origin/api/v1/status")"

# A body has a limit, before it is read.
head -c 2000000 /dev/zero >"$scratch/huge"
check_equal 413 "$(status_of -H "Authorization: Bearer $key" -H "Expect:" --data-binary "@$scratch/huge" "$origin/api/v1/send")"

# What happens streams through, as it happens.
curl -sSN -H "Authorization: Bearer $key" "$origin/api/v1/events?follow=true&type=send" >"$scratch/feed" &
children+=("$!")
follows() {
  "$SSECTL" send --user ann --event through-the-console x >/dev/null 2>&1 || [[ $? -eq 3 ]]
  grep -q through-the-console "$scratch/feed"
}
wait_for 30 "an event of the feed" follows

# Ctrl-C ends it, also with the feed open; its port is gone.
kill -INT "$console_pid"
status=0
wait "$console_pid" || status=$?
check_equal 0 "$status"
exec 9>&-
status=$(status_of "$origin/console/" 2>/dev/null) || true
check_equal 000 "$status"

# JSON, a port that is chosen, --open with a browser that shows what it is given, a service.
mkdir "$scratch/bin"
cat >"$scratch/bin/xdg-open" <<END
#!/bin/sh
stat -c %a "\$1" >"$scratch/opened"
cat "\$1" >>"$scratch/opened"
END
chmod +x "$scratch/bin/xdg-open"
port=$(free_ports 1)
PATH="$scratch/bin:$PATH" "$SSECTL" console --open --port "$port" --service defaultConnectionService -o json \
  </dev/null >"$scratch/addresses" 2>"$scratch/notes" &
console_pid=$!
children+=("$console_pid")
wait_for 30 "the browser" grep -qs "The admin console" "$scratch/opened"
check_file '"expireTime"' "$scratch/addresses"
check_equal 600 "$(head -n1 "$scratch/opened")"
grep -qE "url=http://127.0.0.1:$port/console/#once=[A-Za-z0-9_-]{43}&service=defaultConnectionService\"" "$scratch/opened" ||
  fail "the browser got: $(<"$scratch/opened")"

# The port is in use.
check_exit 1 "$SSECTL" console --port "$port"
check_contains "--port" "$errors"
kill -TERM "$console_pid"
status=0
wait "$console_pid" || status=$?
check_equal 0 "$status"
check_equal "" "$(find /tmp -maxdepth 1 -name 'ssectl-console-*' -newer "$scratch/bin/xdg-open" -user "$(id -un)")"

# Without a browser to start, the address is enough.
rm "$scratch/bin/xdg-open"
ln -s "$(command -v true)" "$scratch/bin/other"
(PATH="$scratch/bin" exec "$SSECTL" console --open) </dev/null >"$scratch/addresses" 2>"$scratch/notes" &
console_pid=$!
children+=("$console_pid")
await_address 1
wait_for 30 "a word about the browser" grep -qs "xdg-open" "$scratch/notes"
kill -INT "$console_pid"
wait "$console_pid" || fail "it ended with $?"

# Wrong usage; a cluster has no single server; nothing listens; the token of the server is wrong.
check_exit 2 "$SSECTL" console --port 0
check_exit 2 "$SSECTL" --cluster redis://127.0.0.1:1 console
check_contains "--server" "$errors"
check_exit 4 "$SSECTL" --server "unix:$scratch/nobody.sock" console

# An admin listener on TCP: its own token does not reach the browser.
stop_server
printf 'the-admin-token\n' >"$scratch/token"
printf 'another\n' >"$scratch/other-token"
chmod 600 "$scratch/token" "$scratch/other-token"
admin_port=$(free_ports 1)
"$SSE_SERVE" --listen 127.0.0.1:0 --admin "127.0.0.1:$admin_port" --admin-token-file "$scratch/token" --db :memory: \
  >"$scratch/server-tcp.log" 2>&1 &
servers[$!]=$scratch/server-tcp.log
tcp=http://127.0.0.1:$admin_port
wait_for 30 "the admin listener" curl -sSo /dev/null "$tcp/console/"
check_exit 5 "$SSECTL" --server "$tcp" --token-file "$scratch/other-token" console
export SSECTL_SERVER=$tcp
start_console --token-file "$scratch/token"
check_equal 200 "$(exchange "$token")"
key=$(grep -oE '[A-Za-z0-9_-]{43}' "$scratch/body")
check_equal 200 "$(status_of -H "Authorization: Bearer $key" "$origin/api/v1/status")"
check_equal 401 "$(status_of -H "Authorization: Bearer the-admin-token" "$origin/api/v1/status")"
kill -INT "$console_pid"
wait "$console_pid" || fail "it ended with $?"
exec 9>&-

# The admin listener itself: the files without a token, the rest with it, no page of another origin.
check_equal 200 "$(status_of "$tcp/console/")"
check_equal 302 "$(status_of "$tcp/")"
check_equal 401 "$(status_of "$tcp/api/v1/status")"
check_equal 200 "$(status_of -H "Authorization: Bearer the-admin-token" "$tcp/api/v1/status")"
check_equal 403 "$(status_of -H "Authorization: Bearer the-admin-token" -H "Origin: http://127.0.0.1:1" "$tcp/api/v1/status")"
