#!/usr/bin/env bash
# --watch: a document an interval off the terminal, redrawn in place on one; Ctrl-C is a good end.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

start_server
"$SSECTL" connections list --watch 100ms -o json >"$scratch/json" 2>"$scratch/errors" </dev/null &
watcher=$!
children+=("$watcher")
wait_for 20 "an empty list" grep -q '"total": 0' "$scratch/json"
open_stream "$scratch/stream" userId=ann
wait_for 20 "the stream" grep -q '"accessUserId": "ann"' "$scratch/json"
kill -INT "$watcher"
wait "$watcher" || fail "it ended with $? after Ctrl-C"
python3 - "$scratch/json" <<'PY' || fail "not one document after the other"
import json, sys
text, decoder, n = open(sys.argv[1]).read(), json.JSONDecoder(), 0
while text.strip():
    _, end = decoder.raw_decode(text.lstrip())
    text = text.lstrip()[end:]
    n += 1
sys.exit(0 if n >= 2 else 1)
PY
check_exit 2 "$SSECTL" status --watch 1
check_exit 2 "$SSECTL" status --watch 5ms

command -v tmux >/dev/null || { stop_server; exit 0; }
use_terminal
terminal new-session -d -x 100 -y 20 "env TERM=xterm-256color SSECTL_SERVER=$SSECTL_SERVER bash --norc"
on_screen() { terminal capture-pane -p | grep -qF -- "$1"; }
terminal send-keys "echo before; $SSECTL connections list --watch 200ms; echo ended with \$?" Enter
wait_for 20 "the list" on_screen "ann"
wait_for 20 "its heading" on_screen "every 200ms, now"
kill "$stream_pid"
wait_for 20 "the empty list" on_screen "no open connection matches"
on_screen "ann" && fail "what is gone is still on the screen"
terminal send-keys C-c
wait_for 20 "a good end" on_screen "ended with 0"
on_screen "before" || fail "the screen is not as it was: $(terminal capture-pane -p)"
stop_server
