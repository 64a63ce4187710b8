#!/usr/bin/env bash
# ssectl top in a real terminal: what it shows, its keys, and that the terminal is as before whatever ends it.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v tmux >/dev/null || { echo "no tmux"; exit 77; }

use_terminal
screen() { terminal capture-pane -p; }
on_screen() { screen | grep -qE -- "$1"; }
not_on_screen() { ! on_screen "$1"; }
press() { terminal send-keys "$@"; }
# The users of the rows, top to bottom.
users() { screen | sed -n 's/^[0-9]\{15,19\} *\([^ ]*\) .*/\1/p' | tr '\n' ' '; }
users_are() { [[ $(users) == "$1 " ]]; }

start_server --max-backlog 8MiB
terminal new-session -d -x 80 -y 24 "env TERM=xterm-256color SSECTL_SERVER=$SSECTL_SERVER bash --norc"
start_top() {
  terminal send-keys "clear; echo before; tty=\$(stty -g); $SSECTL top --interval 200ms; echo ended with \$?; [[ \$tty == \$(stty -g) ]] && echo settings as before" Enter
  wait_for 20 "the screen of top" on_screen 'b backlog'
}
restored() { on_screen "^ended with $1" && on_screen '^settings as before' && on_screen '^before$' && not_on_screen 'b backlog'; }

start_top
wait_for 20 "an empty list" on_screen 'no stream is open'
open_stream "$scratch/ann" "userId=ann"
open_stream "$scratch/bob" "userId=bob&channel=news"
open_stream "$scratch/wide" "userId=%E5%90%8D%E5%89%8D"
# One that reads nothing.
curl -sSN "$url/my-sse/connect?userId=slow" 2>/dev/null | sleep 1000 &
children+=("$!" "$(jobs -p | tail -n 1)")
slow_there() { "$SSECTL" connections list --user slow -o json | grep -q '"total": 1'; }
wait_for 20 "the slow one" slow_there
head -c 1000000 /dev/zero | tr '\0' x >"$scratch/big"
for _ in 1 2 3 4 5 6; do check_exit 0 "$SSECTL" send --user slow --file "$scratch/big"; done

# Sorted by backlog at first: the slow one is on top and owes bytes of some age.
top_is_slow() { [[ $(users) == "slow "* ]] && on_screen 'slow .* [0-9.]+ MiB +[0-9]+(ms|s|m) '; }
wait_for 20 "the slow one on top" top_is_slow
wait_for 20 "the header" on_screen '^streams 4 +users 4 '
on_screen '名前' || fail "no wide name: $(screen)"
on_screen 'ready$' || on_screen ' ready' || fail "no state: $(screen)"
press a
wait_for 20 "the order by age" users_are "ann bob 名前 slow"
press r
for i in 1 2 3 4 5 6 7 8 9 10; do check_exit 0 "$SSECTL" send --user bob "$i"; done
press a
# What the keys and columns mean, and back.
press '?'
wait_for 20 "the explanation" on_screen '^  UNSENT +age of the oldest event'
press x
wait_for 20 "the list" on_screen '^streams 4 '
# A filter, and none again.
press / b o b
wait_for 20 "bob alone" users_are "bob"
press Enter
wait_for 20 "the filter in the last line" on_screen 'filter: bob \(1\)'
press Escape
wait_for 20 "everybody" users_are "ann bob 名前 slow"

# Close with confirmation: n keeps, y closes.
press Down
press k
wait_for 20 "the question" on_screen 'close stream [0-9]+ of user bob\? y or n'
press n
wait_for 20 "no" on_screen 'not closed'
users_are "ann bob 名前 slow" || fail "it closed all the same"
press k y
wait_for 20 "bob's end" users_are "ann 名前 slow"
check_file 'event:connect-close' "$scratch/bob"

# Another size of the terminal.
terminal resize-window -x 140 -y 40
wait_for 20 "the wide layout" on_screen 'CHANNEL .*IP'
check_equal 40 "$(screen | wc -l)"
terminal resize-window -x 80 -y 24
wait_for 20 "the narrow layout" not_on_screen 'CHANNEL'
# To the last of the 80 columns.
wait_for 20 "all of the columns" on_screen ' DROPS$'
wait_for 20 "the number in the last column" on_screen '^[0-9]{15,19} +ann .* 0$'

# Every way out leaves the terminal as it was.
press q
wait_for 20 "the shell after q" restored 0
start_top
press C-c
wait_for 20 "the shell after Ctrl-C" restored 0
start_top
kill -TERM "$(pgrep -P "$(terminal display-message -p '#{pane_pid}')" -x ssectl)"
wait_for 20 "the shell after SIGTERM" restored 0
start_top
kill_server
wait_for 20 "the shell after the server has gone" restored 4
press e c h o Space o n e t w o Enter
wait_for 20 "that keys are echoed again" on_screen '^onetwo$'

# Not without a terminal.
check_exit 2 "$SSECTL" top
check_contains "needs a terminal" "$errors"
