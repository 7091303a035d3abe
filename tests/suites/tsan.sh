#!/bin/bash
# the tests that use threads, under ThreadSanitizer
set -euo pipefail
. "$(dirname "$0")/../../tools/common.sh"
"$P2PD_TOP/tools/packages.sh" build lint
with_progress "$P2PD_CACHE/log/build-tsan.log" "build" bazel_in_tree build --config=tsan //...
bazel_in_tree test --config=tsan --test_summary=terse //...
