#!/bin/bash
# every failure once: each call of each kernel verb that a scenario makes fails in turn; prints the matrix and its size
set -euo pipefail
. "$(dirname "$0")/../../tools/common.sh"
"$P2PD_TOP/tools/packages.sh" build
bazel_in_tree build //daemon/core:faults_test
"$(bazel_in_tree info bazel-bin 2>/dev/null)/daemon/core/faults_test" | awk '
  { print }
  /^fault matrix, / {
    scenarios++
    for (i = 2; i <= NF; i++) { if ($i == "calls,") calls += $(i - 1); if ($i == "cases") cases += $(i - 1) }
  }
  END { printf "fault matrix: %d scenarios, %d calls, %d cases\n", scenarios, calls, cases; exit cases == 0 }'
