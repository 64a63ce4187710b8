#!/usr/bin/env bash
# scripts/check-layers accepts a small tree that keeps to its tables, and names the file and the rule of every include that
# does not.
set -euo pipefail
check=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../scripts" && pwd)/check-layers
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

fail() {
  echo "FAIL line ${BASH_LINENO[1]}: $*" >&2
  exit 1
}

# put FILE LINE…: a source of the tree.
put() {
  mkdir -p "$tree/$(dirname "$1")"
  printf '%s\n' "${@:2}" >"$tree/$1"
}

accepts() {
  "$check" "$tree" >"$tree/said" 2>&1 || fail "refused: $(cat "$tree/said")"
}

# refuses WORDS FILE LINE…: with this file in the tree the check fails and says WORDS about it. Then the file is removed.
refuses() {
  put "${@:2}"
  if "$check" "$tree" >"$tree/said" 2>&1; then fail "accepted $2: ${*:3}"; fi
  grep -qF "$2:" "$tree/said" || fail "does not name $2: $(cat "$tree/said")"
  grep -qF -- "$1" "$tree/said" || fail "says nothing about '$1': $(cat "$tree/said")"
  rm "$tree/$2"
}

put lib/README.md '| 0 | base | | lowest | |' '| 1 | store | . sqlite | | base |' '| 2 | hub | | | base |'
put apps/README.md '| 0 | cli | | options | base |' '| 1 | ctl | terminal input commands . | | base store cli |'
put lib/base/error.h '#include <string>'
put lib/store/rows.h '#include "base/error.h"'
put lib/store/sqlite/file.cc '#include "store/rows.h"' '#include "store/sqlite/file.h"'
put lib/hub/hub.cc '#include <net/if.h>' '#include "base/error.h"'
put apps/cli/app.h '#include "base/error.h"'
put apps/ctl/terminal/table.h '#include "base/error.h"'
put apps/ctl/input/line.cc '#include "ctl/terminal/table.h"' '#include "cli/app.h"'
put apps/ctl/commands/rows/list.cc '#include "ctl/commands/rows/list.h"' '#include "ctl/input/line.h"' '#include "store/rows.h"'
put apps/ctl/main.cc '#include "ctl/commands/command.h"' '#include "ctl/terminal/table.h"'
accepts

# A lower module, or a lower sub-folder, includes a higher one.
refuses 'base/ may not include store/' lib/base/bad.h '#include "store/rows.h"'
refuses 'hub/ may not include store/' lib/hub/bad.cc '#include "store/rows.h"'
refuses 'store/. may not include store/sqlite' lib/store/bad.cc '#include "store/sqlite/file.h"'
refuses 'ctl/terminal may not include ctl/input' apps/ctl/terminal/bad.cc '#include "ctl/input/line.h"'
refuses 'ctl/input may not include ctl/commands' apps/ctl/input/bad.h '  #  include "ctl/commands/rows/list.h"'
refuses 'ctl/commands may not include ctl/.' apps/ctl/commands/rows/bad.cc '#include "ctl/main.h"'
refuses 'cli/ may not include ctl/' apps/cli/bad.cc '#include "ctl/terminal/table.h"'
refuses 'ctl/ may not include hub/' apps/ctl/bad.cc '#include "hub/hub.h"'
refuses 'names no module' lib/hub/bad.cc '#include "cli/app.h"'

# What the tables do not list, and includes that hide what they include.
refuses 'is not in the table of apps/README.md' apps/other/bad.cc '#include <string>'
refuses 'has no sub-folder screen/' apps/ctl/screen/bad.cc '#include <string>'
refuses 'names no module' apps/ctl/commands/bad.cc '#include "command.h"'
put apps/cli/option.cc '#include "app.h"'  # a program without sub-folders
accepts
refuses 'by its module' apps/ctl/commands/bad.cc '#include "../terminal/table.h"'
refuses 'of a module with quotes' apps/ctl/commands/bad.cc '#include <store/rows.h>'
refuses 'cannot be checked' apps/ctl/commands/bad.cc '#include HEADER'

# The library is passed its clock; the programs have the system's.
refuses 'past the clock' lib/hub/bad.cc 'auto now = std::chrono::steady_clock::now();'
put apps/ctl/commands/top.cc 'auto now = std::chrono::steady_clock::now();  // for the screen'
accepts

rm "$tree/apps/README.md"
refuses 'the table of modules is not where' apps/README.md 'no table'
put apps/README.md '| 0 | cli | | options | base |' '| 1 | ctl | terminal input commands . | | base store cli |'
accepts
