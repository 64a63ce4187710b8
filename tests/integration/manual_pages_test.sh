#!/usr/bin/env bash
# usage: manual_pages_test.sh [PROGRAM PAGE]; without arguments both programs of $SSE_SERVE and $SSECTL are checked.
# Fails when --help, on any level, and the manual page do not name the same long options, when a command or an
# environment variable of --help is not in the page, or when the page is not clean mdoc.
set -euo pipefail
export LC_ALL=C.UTF-8

if (($# == 0)); then
  failed=0
  for program in "$SSE_SERVE" "$SSECTL"; do
    bash "$0" "$program" "$SSE_SOURCE_DIR/man/$(basename "$program").1" || failed=1
  done
  exit "$failed"
fi

program=$1
page=$2
[[ -r $page ]] || { echo "$(basename "$program") has no manual page $page" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

complain() {
  echo "$(basename "$page"): $*" >&2
  failed=1
}

# The help of the program and, below, of every command it lists. Arguments: the command so far.
help_of() {
  "$program" "$@" --help >"$work/level" </dev/null
  cat "$work/level" >>"$work/help"
  for command in $(awk 'tolower($0) ~ /^commands:/ {on = 1; next} on && NF == 0 {on = 0}
                        on && /^  [a-z]/ {print $1}' "$work/level"); do
    echo "$command" >>"$work/commands"
    help_of "$@" "$command"
  done
}

long_options() { grep -oE -e '(^|[^[:alnum:]-])--[a-z][a-z0-9-]*' "$1" | grep -oE -e '--[a-z][a-z0-9-]*' | sort -u; }

: >"$work/help"
: >"$work/commands"
help_of
# A narrow page would break options at their hyphens.
# Other programs in the examples have options of their own.
mandoc -T utf8 -O width=1000 "$page" | sed 's/.\x08//g' |
  grep -vP "^ *\\$ (?!$(basename "$program") )" >"$work/page"

long_options "$work/help" >"$work/in_help"
long_options "$work/page" >"$work/in_page"
[ -s "$work/in_help" ] || complain "found no option in the help of $program; has its layout changed?"
for option in $(comm -23 "$work/in_help" "$work/in_page"); do complain "$option is in --help, but not in the page"; done
for option in $(comm -13 "$work/in_help" "$work/in_page"); do complain "$option is in the page, but not in --help"; done

for command in $(sort -u "$work/commands"); do
  grep -qw -e "$command" "$work/page" || complain "the command $command is not in the page"
done
for variable in $(sed -n 's/.*\[$\([A-Z0-9_]*\)\].*/\1/p' "$work/help" | sort -u); do
  grep -qw -e "$variable" "$work/page" || complain "the variable $variable is not in the page"
done
for section in NAME SYNOPSIS DESCRIPTION ENVIRONMENT FILES 'EXIT STATUS' EXAMPLES 'SEE ALSO'; do
  grep -qx -e "$section" "$work/page" || complain "the section $section is missing"
done
mandoc -T lint -W warning "$page" >&2 || complain "mandoc warns"
exit "$failed"
