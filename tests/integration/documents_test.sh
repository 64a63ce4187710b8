#!/usr/bin/env bash
# Every block of the README, in both languages, and of the guides is executed and prints what they show; see documents.py.
# ctest: COST 100 TIMEOUT 300
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v chromium >/dev/null || { echo "chromium is not installed (scripts/setup --tests)"; exit 77; }

mkdir "$scratch/path"
ln -s "$SSE_SERVE" "$scratch/path/sse-serve"
ln -s "$SSECTL" "$scratch/path/ssectl"
# Opens a page as a desktop does, and returns once its user is online.
cat >"$scratch/path/xdg-open" <<'END'
#!/usr/bin/env bash
chromium --headless --no-sandbox --disable-gpu --user-data-dir="$(mktemp -d "$PAGES/XXXXXX")" --remote-debugging-port=0 \
  "$1" >/dev/null 2>&1 </dev/null &
echo $! >>"$PAGES/pids"
for _ in $(seq 300); do ssectl users online ann >/dev/null && exit; sleep 0.1; done
echo "the page is not connected" >&2
exit 1
END
chmod +x "$scratch/path/xdg-open"
export PATH=$scratch/path:$PATH PAGES=$scratch/pages
mkdir "$PAGES"
close_pages() {
  local status=$? pid
  if [[ -e $PAGES/pids ]]; then while read -r pid; do kill "$pid" 2>/dev/null || true; done <"$PAGES/pids"; fi
  (exit "$status")
  finish
}
trap close_pages EXIT
# Compiling Go's standard library anew would take a minute.
GOCACHE=${GOCACHE-$(getent passwd "$(id -u)" | cut -d: -f6)/.cache/go-build}
export GOCACHE
ports=$(free_ports 4 | tr ' ' ',')
cd "$SSE_SOURCE_DIR"
for document in README.md README.zh-CN.md man/*.7; do
  grep -q '^```\|^\.Bd -literal' "$document" || fail "$document has no block"
done
python3 tests/integration/documents.py "$scratch" "$ports" 8 README.md README.zh-CN.md man/*.7
