#!/usr/bin/env bash
# The client class for Java programs: it compiles for Java 11 without a warning, and every public method of it does what it
# says against a real server with real streams.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v javac >/dev/null || { echo "javac is not installed (scripts/setup --tests)"; exit 77; }

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
client=$here/../../scripts/packaging/java
javac --release 11 -Xlint:all -Werror -d "$scratch/classes" "$client"/*.java "$here/JavaClientTest.java" ||
  fail "the Java client does not compile"
# Each is called there.
javap -public -cp "$scratch/classes" $(cd "$scratch/classes" && find sseserver -name 'SseServerClient*.class' | sed 's/\.class$//' | tr / .) |
  grep -E '^  public .*\(' | sed -E 's/\(.*//; s/.* //; s/.*[.$]//' | sort -u >"$scratch/methods"
[[ $(wc -l <"$scratch/methods") -gt 50 ]] || fail "javap prints too few methods: $(<"$scratch/methods")"
while read -r method; do
  case $method in encode | get | size | toString | SseServerClient) continue ;; esac
  grep -q "\.$method(" "$here/JavaClientTest.java" || fail "JavaClientTest.java does not call $method"
done <"$scratch/methods"

(umask 077 && echo "the-token-of-the-operators" >"$scratch/token")
admin=''  # a port
server_log=$scratch/server-java.log
: >"$server_log"
"$SSE_SERVE" --listen 127.0.0.1:0 --admin 127.0.0.1:0 --admin-token-file "$scratch/token" --db "$scratch/pending.db" \
  --server-id node-1 --service hr=/hr-sse --service hunter=/hunter-sse --no-page >"$server_log" 2>&1 &
server_pid=$!
servers[$server_pid]=$server_log
wait_for 30 "the address that sse-serve prints" _printed_address
admin_address() {
  address=$(sed -nE 's/^admin +(https?:\/\/)?(127\.0\.0\.1:[0-9]+).*/\2/p' "$server_log")
  [[ -n $address ]]
}
wait_for 30 "the address of the admin listener" admin_address
check_exit 0 java -XX:TieredStopAtLevel=1 -cp "$scratch/classes" test.JavaClientTest "http://$address" "$url" "$scratch/token"
check_contains "every call was answered" "$output"
stop_server
