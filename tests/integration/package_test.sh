#!/usr/bin/env bash
# What `cmake --install` puts down is enough for somebody else's program: one outside of this tree finds the package,
# builds against it, and really serves, sends, asks, reacts and stops.
# ctest: TIMEOUT 600
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

build=$(cd "$(dirname "$SSE_SERVE")/.." && pwd)
cached() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }
cmake --install "$build" --prefix "$scratch/prefix" >"$scratch/install.log" 2>&1 ||
  fail "cmake --install: $(tail -n 5 "$scratch/install.log")"
for file in bin/sse-serve bin/ssectl include/sse-server/server/server.h include/sse-server/base/version.h \
  share/man/man1/sse-serve.1; do
  [[ -s $scratch/prefix/$file ]] || fail "$file was not installed"
done
# Nothing of the tree it was built in.
if grep -rlF -e "$SSE_SOURCE_DIR/" -e "$build/" "$scratch/prefix"/lib*/cmake; then fail "paths of the build are installed"; fi

flags=$(cached CMAKE_CXX_FLAGS_DEBUG)
sanitizers=$(cached SSE_SANITIZE)
[[ -z $sanitizers ]] || flags+=" -fsanitize=$sanitizers"
cmake -S "$SSE_SOURCE_DIR/tests/package" -B "$scratch/embedding" -DCMAKE_PREFIX_PATH="$scratch/prefix" \
  -DCMAKE_CXX_COMPILER="$(cached CMAKE_CXX_COMPILER)" -DCMAKE_CXX_FLAGS="$flags" \
  -DCMAKE_CXX_COMPILER_LAUNCHER="$(command -v ccache || true)" >"$scratch/configure.log" 2>&1 ||
  fail "the package is not found: $(tail -n 20 "$scratch/configure.log")"
cmake --build "$scratch/embedding" >"$scratch/build.log" 2>&1 ||
  fail "the program does not build: $(tail -n 40 "$scratch/build.log")"

"$scratch/embedding/embedding" >"$scratch/said" 2>"$scratch/log" &
pid=$!
children+=("$pid")
wait_for 30 "the address" grep -q '^serving http' "$scratch/said"
url=$(sed -n 's/^serving //p' "$scratch/said")

check_equal 401 "$(http_status "$url/my-sse/connect?name=ann")"
check_equal 403 "$(http_status "$url/my-sse/connect?name=mallory&word=sesame")"
check_file "not you" "$scratch/body"
open_stream "$scratch/ann" "name=ann&word=sesame"
open_stream "$scratch/bob" "name=bob&word=sesame"
bob_pid=$stream_pid
id=$(sed -n '1s/^id://p' "$scratch/ann")
wait_for 10 "a welcome" grep -qx 'data:good to see you' "$scratch/ann"
wait_for 10 "the count of it" grep -qx 'welcomed ann: delivered 1, pending 1' "$scratch/said"
post() { http_status -H 'Content-Type: application/json' -d "$2" "$url/my-sse/connect/$1"; }
check_equal 200 "$(post "addListener.do?name=ann&word=sesame" "{\"connectionId\":\"$id\",\"listener\":[\"said\"]}")"
check_equal 200 "$(post "message/say.do?name=ann&word=sesame&connectionId=$id" '{"text":"hello, all"}')"
check_file '"data":{"connections":2,"online":["ann","bob"]}' "$scratch/body"
wait_for 10 "what was said" grep -qx 'data:hello, all' "$scratch/bob"
kill "$bob_pid"
wait_for 10 "bob's leaving" grep -qx 'bob left: client-closed' "$scratch/said"
check_file 'ann now listens to said' "$scratch/said"
check_equal 200 "$(post "message/stop.do?name=ann&word=sesame&connectionId=$id" '{}')"
status=0
wait "$pid" || status=$?
check_equal 0 "$status"
check_equal $'ann left: shutdown\nstopped' "$(tail -n 2 "$scratch/said")"
