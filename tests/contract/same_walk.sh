#!/bin/bash
# Takes the same random walks through SimKernel, here, and LinuxKernel, in the test VM, and compares every
# line: the first one that differs shows where SimKernel is wrong.
#
# usage: tests/contract/same_walk.sh [FIRST_SEED LAST_SEED [STEPS]]      (default: 1 20 300)
set -euo pipefail
. "$(dirname "$0")/../../tools/common.sh"
cd "$P2PD_TOP"

first=${1:-1} last=${2:-20} steps=${3:-300}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

bazel_in_tree build //tests/contract:walk_sim //tests/contract:walk_linux >"$work/build" 2>&1 || {
  cat "$work/build" >&2
  die "the walk does not build"
}
bin=$(bazel_in_tree info bazel-bin 2>/dev/null)/tests/contract
"$bin/walk_sim" "$first" "$last" "$steps" >"$work/sim"
tests/vm/vm.py --timeout "$((60 + (last - first + 1) * steps / 8))" --copy "$bin/walk_linux" \
  -- walk_linux "$first" "$last" "$steps" >"$work/linux"

passed=0 failed=0
for seed in $(seq "$first" "$last"); do
  for kernel in sim linux; do
    awk -v seed="$seed" '$1 == "seed" {on = $2 == seed} on' "$work/$kernel" >"$work/$kernel.one"
  done
  if cmp -s "$work/sim.one" "$work/linux.one"; then
    passed=$((passed + 1))
    echo "walk $seed | PASSED $steps steps"
  else
    failed=$((failed + 1))
    echo "walk $seed | FAILED, from here on (< sim, > linux):"
    diff "$work/sim.one" "$work/linux.one" | head -n 8
  fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
