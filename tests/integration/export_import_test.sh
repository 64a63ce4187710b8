#!/usr/bin/env bash
# All that is pending moves from server to server and back: nothing is lost, nothing comes twice, the younger stays.
# ctest: COST 100 TIMEOUT 600
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

unlimited=(--qos-max-per-user 100000)
pending() { "$SSECTL" status -o json | sed -n 's/.*"pending": *\([0-9]*\).*/\1/p' | head -n 1; }
# Without what cannot be the same: how long it has to live.
lines_of() { sed 's/,"ttl":"[^"]*"//' "$1" | sort; }
import() { # FILE ACCEPTED REPEATED
  check_exit 0 "$SSECTL" messages import -o json "$1"
  check_contains "\"accepted\": $2," "$output"
  check_contains "\"repeated\": $3" "$output"
}

start_server "${unlimited[@]}"
first=$SSECTL_SERVER
# One CRC-32 is both of these names'.
check_exit 0 "$SSECTL" send --user plumless --user buckeroo --qos "to two"
check_exit 0 "$SSECTL" send --tenant acme --qos --listening --event news "to a tenant"
check_exit 0 "$SSECTL" send --all --qos --ttl 1h "to all"
for i in $(seq 2500); do echo "{\"data\":\"$i\",\"target\":{\"users\":[\"u$((i % 50))\"]}}"; done >"$scratch/many"
check_exit 0 "$SSECTL" send --ndjson --qos --file "$scratch/many"
check_exit 0 "$SSECTL" send --user trader --qos --collapse price "1"
check_exit 0 "$SSECTL" messages export
cp "$scratch/output" "$scratch/old.ndjson"
all=$(wc -l <"$scratch/old.ndjson")
check_equal "$all" "$(pending)"
check_contains "exported $all messages" "$errors"

# Back into the server it came from: it has all of it.
import "$scratch/old.ndjson" 0 "$all"
check_equal "$all" "$(pending)"

# To another one, twice, and once more from there.
db=$scratch/second.db admin=$scratch/second.sock
start_server "${unlimited[@]}"
second=$SSECTL_SERVER
import "$scratch/old.ndjson" "$all" 0
import "$scratch/old.ndjson" 0 "$all"
check_exit 0 "$SSECTL" messages export
cp "$scratch/output" "$scratch/copy.ndjson"
diff <(lines_of "$scratch/old.ndjson") <(lines_of "$scratch/copy.ndjson") >"$scratch/diff" || fail "the copy differs: $(head -n 4 "$scratch/diff")"
SSECTL_SERVER=$first import "$scratch/copy.ndjson" 0 "$all"
check_equal "$all" "$(SSECTL_SERVER=$first pending)"

# A price of meanwhile stays, whichever server it was sent at; one that is younger comes.
SSECTL_SERVER=$first check_exit 0 "$SSECTL" send --user trader --qos --collapse price "2"
SSECTL_SERVER=$first import "$scratch/old.ndjson" 0 "$all"
price() { "$SSECTL" messages export --recipient trader 2>/dev/null | grep -o '"data":"[0-9]*"'; }
check_equal '"data":"2"' "$(SSECTL_SERVER=$first price)"
SSECTL_SERVER=$first check_exit 0 "$SSECTL" messages export --recipient trader
cp "$scratch/output" "$scratch/young.ndjson"
import "$scratch/young.ndjson" 1 0
check_equal '"data":"2"' "$(price)"
import "$scratch/old.ndjson" 0 "$all"
check_equal '"data":"2"' "$(price)"

# More than one call and more than 64 MiB, through a pipe, in the memory of a few.
SSECTL_SERVER=$first check_exit 0 "$SSECTL" messages purge --all --yes
SSECTL_SERVER=$second check_exit 0 "$SSECTL" messages purge --all --yes
payload=$(head -c 60000 /dev/zero | tr '\0' x)
for i in $(seq 1200); do echo "{\"data\":\"$i $payload\",\"target\":{\"users\":[\"big$((i % 7))\"]}}"; done |
  SSECTL_SERVER=$first "$SSECTL" send --ndjson --qos >/dev/null
SSECTL_SERVER=$first "$SSECTL" messages export 2>"$scratch/errors" |
  (limit_memory 600000; exec "$SSECTL" messages import - >"$scratch/output")
check_file "exported 1200 messages" "$scratch/errors"
check_file "imported 1200 messages" "$scratch/output"
check_equal 1200 "$(pending)"

# A page of nothing but what has expired is not the end.
SSECTL_SERVER=$first check_exit 0 "$SSECTL" messages purge --all --yes
for i in $(seq 1500); do echo "{\"data\":\"$i\",\"ttl\":\"1ms\"}"; done | SSECTL_SERVER=$first "$SSECTL" send --ndjson --qos --user late >/dev/null
SSECTL_SERVER=$first check_exit 0 "$SSECTL" send --user late --qos "alive"
SSECTL_SERVER=$first check_exit 0 "$SSECTL" messages export
check_contains '"data":"alive"' "$output"
# Some have become dead letters by themselves.
check_contains "exported 1 of " "$errors"

# Dead letters move, too, as they are; they stay dead.
SSECTL_SERVER=$first check_exit 0 "$SSECTL" messages export --dead --recipient late
cp "$scratch/output" "$scratch/dead.ndjson"
check_equal 1500 "$(wc -l <"$scratch/dead.ndjson")"
check_contains "exported 1500 dead letters" "$errors"
import "$scratch/dead.ndjson" 1500 0
import "$scratch/dead.ndjson" 0 1500
SSECTL_SERVER=$first import "$scratch/dead.ndjson" 0 1500
check_exit 0 "$SSECTL" messages export --dead
diff <(sort "$scratch/dead.ndjson") <(sort "$scratch/output") >"$scratch/diff" || fail "the letters differ: $(head -n 4 "$scratch/diff")"
echo '{"data":"x","target":{"users":["1"]},"qos":true,"id":"mine","dead":{"created":1,"expires":2,"died":3}}' >"$scratch/odd"
check_exit 1 "$SSECTL" messages import -o json "$scratch/odd"
check_contains "needs the id it was exported with" "$errors"

# A reader that goes away has not got all of it.
for i in $(seq 200); do echo "{\"data\":\"$i $payload\"}"; done | "$SSECTL" send --ndjson --qos --user reader >/dev/null
{ "$SSECTL" messages export 2>"$scratch/errors" || echo $? >"$scratch/code"; } | head -c 10 >/dev/null
wait_for 20 "its end" test -s "$scratch/code"
check_equal 1 "$(<"$scratch/code")"
check_file "closed before all was written" "$scratch/errors"
