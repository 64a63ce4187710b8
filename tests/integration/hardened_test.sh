#!/usr/bin/env bash
# The programs are built so that what corrupts memory ends them early and finds nothing at a known place.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[[ ${SSE_HARDEN-ON} == ON ]] || { echo "a build for debugging or with sanitizers"; exit 77; }

for program in "$SSE_SERVE" "$SSECTL"; do
  readelf -hW "$program" >"$scratch/header"
  readelf -lW "$program" >"$scratch/segments"
  readelf -dW "$program" >"$scratch/dynamic"
  readelf --dyn-syms -W "$program" >"$scratch/symbols"
  grep -qE 'Type: +DYN' "$scratch/header" || fail "$program is at a fixed address (-pie)"
  check_file GNU_RELRO "$scratch/segments"
  grep -qE 'FLAGS.*(BIND_NOW|NOW)' "$scratch/dynamic" || fail "$program binds its symbols late (-z now)"
  grep -q 'GNU_STACK.* RW ' "$scratch/segments" || fail "the stack of $program can be executed"
  check_file __stack_chk_fail "$scratch/symbols"
  grep -qE '__[a-z]+_chk(@|$| )' "$scratch/symbols" || fail "$program calls no checked library functions (_FORTIFY_SOURCE)"
  check_file __glibcxx_assert_fail "$scratch/symbols"
done
