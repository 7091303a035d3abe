#!/bin/bash
# formatting, shell scripts, and what the house forbids
set -euo pipefail
. "$(dirname "$0")/../../tools/common.sh"
"$P2PD_TOP/tools/packages.sh" lint
cd "$P2PD_TOP"
failures=0
complain() {
  say "lint: $1"
  failures=$((failures + 1))
}
mapfile -t cpp < <(git ls-files '*.cc' '*.h' '*.c')
mapfile -t shell < <(git ls-files | xargs grep -lE '^#!/bin/(ba)?sh|^# shellcheck shell=' 2>/dev/null | sort -u)
clang-format-14 --dry-run --Werror "${cpp[@]}" || complain "clang-format-14 -i puts the files above right"
shellcheck -x -e SC1091 "${shell[@]}" || complain "shellcheck found the above"
long=$(wc -l "${cpp[@]}" | awk '$2 != "total" && $1 > 500 {print "  " $2 ": " $1}')
[ -z "$long" ] || complain "files over 500 lines:"$'\n'"$long"
# Upward includes: what a folder may not know of.
upward() {
  local folder=$1 pattern=$2 found
  found=$(git grep -nE "^#include \"($pattern)/" -- "$folder" ':!*_test.cc' ':!*/testing/*' || true)
  [ -z "$found" ] || complain "$folder must not include $pattern:"$'\n'"$found"
}
upward daemon/base 'daemon/(textproto|kernel|device|core|journal|front|service|config|helper)|policy|proto|client'
upward daemon/textproto 'daemon/(kernel|device|core|journal|front|service|config|helper)|policy|proto|client'
upward daemon/kernel 'daemon/(device|core|journal|front|service|config|helper)|policy|client'
upward daemon/device 'daemon/(core|journal|front|service|config|helper)|policy|proto|client'
upward daemon/core 'daemon/(bus|journal|front|service|config|helper)|proto|client'
upward daemon/journal 'daemon/(bus|front|service|config|helper)|proto|client'
upward daemon/front 'daemon/(bus|device|journal|config|helper)|client'
upward daemon/bus 'daemon/(device|journal|config|kernel|helper)|client'
upward daemon/service 'daemon/(bus|config|helper)|client'
upward daemon/config 'daemon/(kernel|device|core|journal|front|helper)|policy|client'
upward daemon/helper 'daemon/(textproto|kernel|device|core|bus|journal|front|service|config)|policy|proto|client'
upward policy 'daemon/(kernel|device|core|journal|front|service|config|helper)|client'
upward client 'daemon/(kernel|device|core|journal|front|service|config|helper)'
[ "$failures" -eq 0 ]
