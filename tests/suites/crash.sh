#!/bin/bash
# p2pd ends at every kernel call, journal write and call of its fd store; a successor takes over (P2PD_CRASH_POINT: only that)
set -euo pipefail
. "$(dirname "$0")/../../tools/common.sh"
"$P2PD_TOP/tools/packages.sh" build
bazel_in_tree build //tests/crash:crash_test //tests/crash:corruption_test
tests=$(bazel_in_tree info bazel-bin 2>/dev/null)/tests/crash
export P2PD_CRASH_STRIDE=1
"$tests/crash_test"
"$tests/corruption_test"
