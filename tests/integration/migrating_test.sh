#!/usr/bin/env bash
# The table of sse-server-migrating-from-java(7) has every public method of the Java library, each once, and all that it names
# in their place is there: requests of the admin API, commands of ssectl, options of sse-serve, methods of the Java client.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$SSE_SOURCE_DIR"

check_exit 0 python3 "$here/migrating.py" man/sse-server-migrating-from-java.7 "$here/java_methods.txt" lib/admin/openapi.json \
  scripts/packaging/java/SseServerClient.java "$SSE_SERVE" "$SSECTL"
check_contains "methods" "$output"
