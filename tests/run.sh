#!/bin/bash
# Sets everything up and runs the test suites. A suite that cannot run fails; none is skipped.
#
# usage: tests/run.sh [--list] [SUITE...]
#
# Without a name, all suites that --list marks with a star. Their output goes to the terminal and to
# $P2PD_CACHE/log/suite-NAME.log; what failed of it is said again at the end, before the seconds of each and the count.
set -uo pipefail
. "$(dirname "$0")/../tools/common.sh"
suites=$P2PD_TOP/tests/suites

# The second line of a suite's script says what it is; "(by name only)" keeps it out of the default run.
describe() { sed -n '2s/^# //p' "$suites/$1.sh"; }
# In the order in which a mistake is cheapest to find, those that share a build together; then the others.
order=(lint asan dbus fuzz policy tidy model faults crash vm service survive contract demo-sim demo chaos tsan)
all_suites() {
  printf '%s\n' "${order[@]}"
  find "$suites" -name '*.sh' -printf '%f\n' | sed 's/\.sh$//' | sort | grep -vxF "$(printf '%s\n' "${order[@]}")"
}
by_default() { ! describe "$1" | grep -q '(by name only)'; }

usage() { sed -n '2,7s/^# \{0,1\}//p' "$0"; }

chosen=()
for argument in "$@"; do
  case $argument in
    --list)
      for name in $(all_suites); do
        by_default "$name" && star='*' || star=' '
        printf '%s %-10s %s\n' "$star" "$name" "$(describe "$name")"
      done
      exit 0
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    -*)
      usage >&2
      die "no option $argument"
      ;;
    *)
      [ -e "$suites/$argument.sh" ] || die "no suite '$argument'; the suites are: $(all_suites | tr '\n' ' ')"
      chosen+=("$argument")
      ;;
  esac
done
if [ "${#chosen[@]}" -eq 0 ]; then
  for name in $(all_suites); do by_default "$name" && chosen+=("$name"); done
fi

log_of() { printf '%s/log/suite-%s.log' "$P2PD_CACHE" "$1"; }

# What a reader of a long log looks for: each complaint with what follows it, and how it ended.
say_again() {
  printf '\n==> %s FAILED (whole: %s)\n' "$1" "$(log_of "$1")"
  grep -nE -A 8 'Failure$|FAILED|[Ee]rror:|^vm: |^not ok|^FAIL' "$(log_of "$1")" | tail -n 80
  printf -- '--- its last lines\n'
  tail -n 30 "$(log_of "$1")"
}

passed=0
failed=()
table=""
mkdir -p "$P2PD_CACHE/log"
for name in "${chosen[@]}"; do
  step "suite $name: $(describe "$name")"
  start=$SECONDS
  if bash "$suites/$name.sh" 2>&1 | tee "$(log_of "$name")"; then
    verdict=passed
    passed=$((passed + 1))
  else
    verdict=FAILED
    failed+=("$name")
  fi
  table+=$(printf '%-10s %-7s %5d s' "$name" "$verdict" $((SECONDS - start)))$'\n'
done
for name in "${failed[@]}"; do say_again "$name"; done
printf '\n%s\n%d passed, %d failed\n' "$table" "$passed" "${#failed[@]}"
[ "${#failed[@]}" -eq 0 ]
