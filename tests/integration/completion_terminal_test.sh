#!/usr/bin/env bash
# ssectl completion in real shells, at the Tab key: live names are those of the server that the line names.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v tmux >/dev/null || { echo "no tmux"; exit 77; }

on_screen() { terminal capture-pane -p -t "$shell" | grep -qF -- "$1"; }

# The server of the environment has ann; that of the line wants a token, and has bob.
start_server
open_stream "$scratch/ann" "userId=ann"
environment=$SSECTL_SERVER
mkdir "$scratch/other place"
(umask 077 && echo secret >"$scratch/token")
db=:memory: admin="$scratch/other place/admin.sock" start_server --admin-token-file "$scratch/token" --server-id push2
export other=$scratch/other\ place
use_terminal
open_stream "$scratch/bob" "userId=bob@example.com&channel=news"
ln -s "$scratch/token" "$scratch/$(printf 'tok\302\242en')"  # not ASCII: cursors count characters

mkdir "$scratch/path"
ln -s "$SSECTL" "$scratch/path/ssectl"
for shell in bash zsh fish; do
  "$SSECTL" completion "$shell" >"$scratch/$shell"
done

try=0
# at_tab TYPED: types it, the Tab key and a marker behind that.
at_tab() {
  try=$((try + 1))
  terminal send-keys -t "$shell" C-u
  terminal send-keys -t "$shell" -l -- "$1"
  terminal send-keys -t "$shell" Tab
  terminal send-keys -t "$shell" -l "END$try."
  wait_for 60 "the marker behind '$1' in $shell" on_screen "END$try."
}
# completes TYPED LINE: after the Tab key the line ends like this. The question to the server has a second, which a slow
# machine may not keep.
completes() {
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    at_tab "$1"
    if on_screen "$2 END$try."; then return; fi
  done
  fail "in $shell '$1' became: $(terminal capture-pane -p -t "$shell" | grep -v '^ *$')"
}
offers_nothing() {
  at_tab "$1"
  on_screen "$1END$try." || fail "in $shell '$1' became: $(terminal capture-pane -p -t "$shell" | grep -v '^ *$')"
}

declare -A start=(
  [bash]="bash --norc" [zsh]="zsh -f" [fish]="fish --no-config"
)
declare -A prepare=(
  [bash]="source $scratch/bash; PS1='> '"
  [zsh]="autoload -U compinit; compinit -u -D; source $scratch/zsh; PS1='> '"
  [fish]="set -g fish_autosuggestion_enabled 0; source $scratch/fish; function fish_prompt; echo '> '; end"
)
for shell in bash zsh fish; do
  command -v "$shell" >/dev/null || { echo "no $shell"; continue; }
  terminal new-session -d -s "$shell" -x 250 -y 50 \
    "cd $scratch && exec env LC_ALL=C.UTF-8 TERM=xterm-256color PATH=$scratch/path:$PATH SSECTL_SERVER=$environment ${start[$shell]}"
  terminal send-keys -t "$shell" -l -- "${prepare[$shell]}; echo prepared''2"
  terminal send-keys -t "$shell" Enter
  wait_for 60 "$shell" on_screen prepared2

  completes 'ssectl send --user ' 'ssectl send --user ann'
  completes 'ssectl send --user=a' 'ssectl send --user=ann'
  line="ssectl --server 'unix:$other/admin.sock' --token-file $scratch/token"
  completes "$line send --user " "$line send --user bob@example.com"
  completes "$line send --user bob@ex" "$line send --user bob@example.com"
  completes "$line send --channel " "$line send --channel news"
  completes "$line nodes drain " "$line nodes drain push2"
  # After the command, with =, with a one-letter name, with a variable and the home folder.
  line="ssectl users show --server='unix:$other/admin.sock' --token-file=$scratch/token"
  completes "$line b" "$line bob@example.com"
  line="ssectl -s \"unix:\$other/admin.sock\" --token-file ~/$(printf 'tok\302\242en')"
  completes "$line users show " "$line users show bob@example.com"
  # Nobody is asked in place of a server that is not there, that refuses, or whose name takes a command to find.
  offers_nothing "ssectl --server unix:$scratch/none users show "
  offers_nothing "ssectl -s \"unix:\$other/admin.sock\" users show "
  offers_nothing 'ssectl --server unix:$(touch hacked) users show '
  offers_nothing 'ssectl --server "unix:$(touch hacked)" users show '
  [[ ! -e $scratch/hacked ]] || fail "$shell executed a word of the line"
  terminal kill-session -t "$shell"
done
