#!/usr/bin/env bash
# Hundreds of hostile requests to all three listeners: each is refused, and a neighbour's stream gets its events meanwhile.
# ctest: TIMEOUT 300
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

python3 "$SSE_SOURCE_DIR/tests/integration/hostile_requests.py" "$SSE_SERVE" "$scratch" || {
  tail -n 30 "$scratch/server.log" >&2
  fail "hostile requests, see above"
}
