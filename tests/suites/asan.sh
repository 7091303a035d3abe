#!/bin/bash
# the same tests under AddressSanitizer and UndefinedBehaviorSanitizer, with clang's -Wthread-safety
set -euo pipefail
. "$(dirname "$0")/../../tools/common.sh"
"$P2PD_TOP/tools/packages.sh" build lint
with_progress "$P2PD_CACHE/log/build-asan.log" "build" bazel_in_tree build --config=asan --build_tests_only //...
bazel_in_tree test --config=asan --build_tests_only --test_summary=terse //...
