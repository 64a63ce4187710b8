#!/usr/bin/env bash
# What `cmake --install` puts down is enough for a program of others: one outside of this tree finds the package,
# with CMake or with pkg-config, builds against the static and the shared library, and really serves, sends, asks,
# reacts and stops. It sees the public headers only, and of the shared library the public functions only.
# ctest: COST 100 TIMEOUT 600
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

build=$(cd "$(dirname "$SSE_SERVE")/.." && pwd)
cached() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }
prefix=$scratch/prefix
cmake --install "$build" --prefix "$prefix" >"$scratch/install.log" 2>&1 ||
  fail "cmake --install: $(tail -n 5 "$scratch/install.log")"
for file in bin/sse-serve bin/ssectl share/man/man1/sse-serve.1; do
  [[ -s $prefix/$file ]] || fail "$file was not installed"
done
check_equal "$(cd "$SSE_SOURCE_DIR/lib" && LC_ALL=C ls sse-server/*.h)" \
  "$(cd "$prefix/include" && find -- * -type f | LC_ALL=C sort)"
check_equal 2 "$(find "$prefix" -name 'libsse-server.so' -o -name 'libsse-server.a' | wc -l)"
lib=$(dirname "$(find "$prefix" -name libsse-server.a)")
# The static library has code, not only what one version of one compiler optimises when it links.
readelf -sW "$lib/libsse-server.a" >"$scratch/symbols"
grep -q '_ZN3sse6Server5startEv$' "$scratch/symbols" || fail "libsse-server.a has no sse::Server::start()"
if grep -q '__gnu_lto_slim' "$scratch/symbols"; then fail "libsse-server.a needs link-time optimisation"; fi
# Nothing of the tree it was built in.
if grep -rlF -e "$SSE_SOURCE_DIR/" -e "$build/" "$lib/cmake" "$lib/pkgconfig"; then fail "paths of the build are installed"; fi

compiler=$(cached CMAKE_CXX_COMPILER)
flags=$(cached CMAKE_CXX_FLAGS_DEBUG)
sanitizers=$(cached SSE_SANITIZE)
[[ -z $sanitizers ]] || flags+=" -fsanitize=$sanitizers"

# Each header compiles alone and reaches no other library's.
for header in "$prefix"/include/sse-server/*.h; do
  printf '#include <sse-server/%s>\n' "${header##*/}" >"$scratch/header.cc"
  "$compiler" -std=c++20 -Wall -Wextra -Wpedantic -Werror -I"$prefix/include" -fsyntax-only -MD -MF "$scratch/header.d" \
    "$scratch/header.cc" || fail "${header##*/} does not compile alone"
  if grep -E '/(nlohmann|spdlog|fmt|httplib|hiredis|SQLiteCpp|sqlite3|openssl|zlib|brotli|CLI)[/.]' "$scratch/header.d"; then
    fail "${header##*/} includes a header of another library"
  fi
done

# What the shared library exports is in these headers.
nm -DC --defined-only "$lib/libsse-server.so" | cut -d' ' -f3- >"$scratch/exported"
grep -q '^sse::Server::start()' "$scratch/exported" || fail "sse::Server::start() is not exported"
if grep -vE '^((typeinfo|typeinfo name|vtable) for )?sse::[A-Za-z_]+(::|$|\(|\[)' "$scratch/exported"; then
  fail "names of other libraries are exported"
fi
if grep -E 'sse::(base|event|observe|web|net|api|store|hub|delivery|cluster|auth|application|pages|admin|server)::' \
  <(sed 's/(.*//' "$scratch/exported"); then
  fail "internal names are exported"
fi

with_cmake() { # NAME SHARED
  cmake -G Ninja -S "$SSE_SOURCE_DIR/tests/package" -B "$scratch/$1" -DCMAKE_PREFIX_PATH="$prefix" -DUSE_SHARED="$2" \
    -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_CXX_FLAGS="$flags" \
    -DCMAKE_CXX_COMPILER_LAUNCHER="$(command -v ccache || true)" >"$scratch/$1.log" 2>&1 ||
    fail "the package is not found: $(tail -n 20 "$scratch/$1.log")"
  cmake --build "$scratch/$1" >"$scratch/$1.log" 2>&1 || fail "$1 does not build: $(tail -n 40 "$scratch/$1.log")"
}

with_pkg_config() { # NAME LIBS…
  local name=$1 cflags
  shift
  mkdir "$scratch/$name"
  cflags=$(pkg-config --cflags sse-server)
  # shellcheck disable=SC2086
  "$compiler" -std=c++20 $flags $cflags "$SSE_SOURCE_DIR/tests/package/embedding.cc" -o "$scratch/$name/embedding" "$@" \
    >"$scratch/$name.log" 2>&1 || fail "$name does not build: $(tail -n 40 "$scratch/$name.log")"
}

# The program in folder $1 serves pages.
try_program() {
  local said=$scratch/$1.said pid url id status=0
  "$scratch/$1/embedding" >"$said" 2>"$scratch/log" &
  pid=$!
  children+=("$pid")
  wait_for 30 "the address" grep -q '^serving http' "$said"
  check_file "refused: invalid_argument" "$said"
  url=$(sed -n 's/^serving //p' "$said")

  check_equal 401 "$(http_status "$url/my-sse/connect?name=ann")"
  check_equal 403 "$(http_status "$url/my-sse/connect?name=mallory&word=sesame")"
  check_file "not you" "$scratch/body"
  open_stream "$scratch/ann" "name=ann&word=sesame"
  open_stream "$scratch/bob" "name=bob&word=sesame"
  local bob_pid=$stream_pid
  id=$(sed -n '1s/^id://p' "$scratch/ann")
  wait_for 10 "a welcome" grep -qx 'data:good to see you' "$scratch/ann"
  wait_for 10 "the count of it" grep -qx 'welcomed ann: delivered 1, pending 1' "$said"
  post() { http_status -H 'Content-Type: application/json' -d "$2" "$url/my-sse/connect/$1"; }
  check_equal 200 "$(post "addListener.do?name=ann&word=sesame" "{\"connectionId\":\"$id\",\"listener\":[\"said\"]}")"
  check_equal 400 "$(post "message/say.do?name=ann&word=sesame&connectionId=$id" '{}')"
  check_file "a text is missing" "$scratch/body"
  check_equal 200 "$(post "message/say.do?name=ann&word=sesame&connectionId=$id" '{"text":"hello, all"}')"
  check_file '"data":{"connections":2,"online":"ann bob"}' "$scratch/body"
  wait_for 10 "what was said" grep -qx 'data:a greeting of ann' "$scratch/bob"
  kill "$bob_pid"
  wait_for 10 "bob's leaving" grep -qx 'bob left: client-closed' "$said"
  check_file 'ann now listens to said' "$said"
  check_file 'log: a callback of the program threw type=listening error=a defect of the program' "$said"
  check_equal 200 "$(post "message/stop.do?name=ann&word=sesame&connectionId=$id" '{}')"
  check_file "stored 2 in the program's own repository" "$said"
  wait "$pid" || status=$?
  check_equal 0 "$status"
  check_equal $'ann left: shutdown\nstopped' "$(tail -n 2 "$said")"
  [[ ! -s $scratch/log ]] || fail "lines went to stderr: $(head -n 3 "$scratch/log")"
}

with_cmake cmake-static OFF
try_program cmake-static
with_cmake cmake-shared ON
[[ $(ldd "$scratch/cmake-shared/embedding") == *"$lib/libsse-server"* ]] || fail "the shared library is not linked"
try_program cmake-shared

export PKG_CONFIG_PATH=$lib/pkgconfig
# shellcheck disable=SC2046
with_pkg_config pkg-static $(pkg-config --static --libs sse-server | sed 's/-lsse-server/-l:libsse-server.a/')
try_program pkg-static
# shellcheck disable=SC2046
with_pkg_config pkg-shared $(pkg-config --libs sse-server) "-Wl,-rpath,$lib"
try_program pkg-shared
