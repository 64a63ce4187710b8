#!/usr/bin/env bash
# Runs every section of `compare` that needs no nginx, at a small scale, and checks that it prints figures.
set -euo pipefail

folder=$(mktemp -d /tmp/sse-bench-XXXXXX)
trap 'rm -rf "$folder"' EXIT
"$COMPARE" --sse-serve "$SSE_SERVE" --bare "$BARE_LOOP" --folder "$folder" --output "$folder/out.json" \
  --streams 300 --idle 400 --rounds 1 --quick
python3 - "$folder/out.json" <<'PYTHON'
import json, sys
rows = json.load(open(sys.argv[1]))["rows"]
assert {row["section"] for row in rows} >= set("abcdefhijklm"), rows
for row in rows:
    # The CPU time of so few calls is less than a clock tick.
    assert row["ours"] > 0 or "memory" in row["what"] or "CPU of Redis" in row["what"] or row["unit"] == "bytes", row
    assert "bar" not in row or row["verdict"] == "ok" or row["verdict"].startswith("missed by"), row
PYTHON
if "$COMPARE" --sse-serve "$SSE_SERVE" --bare "$BARE_LOOP" --folder "$folder" nonsense 2>"$folder/errors"; then
  echo "an unknown section was accepted" >&2
  exit 1
fi
grep -q "no section 'nonsense'" "$folder/errors"
# A server that does not start is an error, not a row of zeros.
if "$COMPARE" --sse-serve /bin/false --bare "$BARE_LOOP" --folder "$folder" --streams 10 a 2>"$folder/errors"; then
  echo "a server that does not start was measured" >&2
  exit 1
fi
grep -q "did not start" "$folder/errors"
