#!/bin/bash
# suite asan's tests without its sanitizers, as shipped (gcc -O2) (by name only)
set -euo pipefail
. "$(dirname "$0")/../../tools/common.sh"
"$P2PD_TOP/tools/packages.sh" build
with_progress "$P2PD_CACHE/log/build.log" "build" bazel_in_tree build --build_tests_only //...
bazel_in_tree test --build_tests_only --test_summary=terse //...
