#!/usr/bin/env bash
# ssectl completion: the scripts as the shells run them.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

check_exit 0 "$SSECTL" completion bash
printf '%s\n' "$output" >"$scratch/bash"
check_exit 2 "$SSECTL" completion tcsh
check_exit 2 "$SSECTL" completion

# complete WORD…: what bash would offer for the last word, sorted, in one line. Words are split as readline does it.
complete() {
  bash --norc -c '
    source "$1"; shift
    COMP_LINE=$*; COMP_POINT=${#COMP_LINE}
    mapfile -t COMP_WORDS < <(sed -E "s/[=:@]+/\n&\n/g; s/ /\n/g" <<<"$COMP_LINE" | grep .)
    [[ $COMP_LINE != *" " ]] || COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _ssectl; printf "%s\n" "${COMPREPLY[@]}"' bash "$scratch/bash" "$@" | sort | tr '\n' ' '
}
offers() { [[ " $(complete "${@:2}")" == *" $1 "* ]] || fail "no '$1' in the completions of '${*:2}': $(complete "${@:2}")"; }
offers_not() { [[ " $(complete "${@:2}")" != *" $1 "* ]] || fail "'$1' in the completions of '${*:2}'"; }

# Every command of --help, and every option of every level.
for command in status send listen doctor conformance console top bench connections users channels messages events explain completion; do offers "$command" ssectl ""; done
check_equal "close duration list set show " "$(complete ssectl connections "")"
check_equal "connections " "$(complete ssectl conn)"
check_equal "bash fish zsh " "$(complete ssectl completion "")"
check_equal "json ndjson table " "$(complete ssectl -o "")"
check_equal "ndjson " "$(complete ssectl status --output nd)"
check_equal "json " "$(complete ssectl status --output=j)"
check_equal "json ndjson table " "$(complete ssectl status --output=)"
# The value of an option is no command.
check_equal "close duration list set show " "$(complete ssectl --service status connections "")"
offers --listening ssectl send --
offers --server ssectl send --
offers_not --listening ssectl messages list --
for path in "" status send listen top "connections list" "messages delete"; do
  # shellcheck disable=SC2086
  for option in $("$SSECTL" $path --help | sed -nE 's/^  (-[^ ]*).*/\1/p' | grep -oE -e '--[a-z-]+'); do
    # shellcheck disable=SC2086
    offers "$option" ssectl $path "$option"
  done
done
: >"$scratch/a-file.json"
(cd "$scratch" && check_equal "a-file.json " "$(complete ssectl send --file a-f)")

for shell in zsh fish; do
  check_exit 0 "$SSECTL" completion "$shell"
  printf '%s\n' "$output" >"$scratch/$shell"
done
if command -v fish >/dev/null; then
  check_equal "close duration list set show " "$(fish --no-config -c "source $scratch/fish; complete -C 'ssectl connections '" | cut -f1 | sort | tr '\n' ' ')"
  check_contains "--listening" "$(fish --no-config -c "source $scratch/fish; complete -C 'ssectl send --l'")"
  check_contains "ndjson" "$(fish --no-config -c "source $scratch/fish; complete -C 'ssectl status -o '")"
fi
if command -v zsh >/dev/null; then
  # The function itself; compadd only works inside the line editor, so that a stand-in prints what it is given.
  offered=$(zsh -f -c "compdef() { :; }; source $scratch/zsh; compadd() { shift; print -l -- \"\$@\"; }
    words=(ssectl --service x connections ''); CURRENT=5; _ssectl")
  check_equal "close duration list set show " "$(sort <<<"$offered" | tr '\n' ' ')"
  offered=$(zsh -f -c "compdef() { :; }; source $scratch/zsh; compadd() { shift; print -l -- \"\$@\"; }
    words=(ssectl status -o ''); CURRENT=4; _ssectl")
  check_equal "json ndjson table " "$(sort <<<"$offered" | tr '\n' ' ')"
fi

# What the server knows: users, tenants, channels, connections and nodes; never a name that a shell would execute.
start_server --server-id push1
open_stream "$scratch/ann" "userId=ann&tenantId=acme&channel=news"
id=$(sed -n '1s/^id://p' "$scratch/ann")
curl -sSN -G "$url/my-sse/connect" --data-urlencode 'userId=$(touch hacked)`touch hacked`;touch hacked' \
  --data-urlencode 'channel=a b"\' >"$scratch/bad" 2>/dev/null &
children+=($!)
wait_for 20 "the stream of a user with an odd name" grep -qs connect-finish "$scratch/bad"
mkdir "$scratch/path"
ln -s "$SSECTL" "$scratch/path/ssectl"
PATH=$scratch/path:$PATH
cd "$scratch"
check_equal "ann " "$(complete ssectl send --user "")"
check_equal "ann " "$(complete ssectl users show a)"
check_equal "acme " "$(complete ssectl send --tenant "")"
check_equal "news " "$(complete ssectl send --channel n)"
check_equal "$id " "$(complete ssectl connections show "$id")"
check_equal "push1 " "$(complete ssectl nodes drain "")"
offers --rate ssectl nodes drain --
if command -v fish >/dev/null; then
  check_equal "ann " "$(fish --no-config -c "source $scratch/fish; complete -C 'ssectl send --user '" | cut -f1 | tr '\n' ' ')"
fi
if command -v zsh >/dev/null; then
  offered=$(zsh -f -c "compdef() { :; }; source $scratch/zsh; compadd() { [[ \$1 == -a ]] && print -l -- \"\${(@P)2}\"; }
    words=(ssectl send --user ''); CURRENT=4; _ssectl")
  check_equal ann "$offered"
fi
[[ ! -e hacked ]] || fail "completing executed a name"
stop_server
check_equal " " "$(complete ssectl send --user "")"
