#!/bin/bash
# Map, Unmap, resets and sessions' ends on the VM's kernel, beside the ioctls alone (P2PD_BENCH_JSON, as for bench) (by name only)
#
# usage: tests/suites/bench-vm.sh [--json]
set -euo pipefail
. "$(dirname "$0")/../../tools/common.sh"
json=${P2PD_BENCH_JSON:-/dev/null}
[ "${1:-}" != --json ] || json=/dev/stdout
"$P2PD_TOP/tools/packages.sh" build vm
with_progress "$P2PD_CACHE/log/build-bench.log" "build" bazel_in_tree build //daemon:p2pd //tests/bench
bin=$(bazel_in_tree info bazel-bin 2>/dev/null)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$P2PD_TOP/tests/vm/vm.py" --timeout 900 --add sets --share "$work" --copy "$bin/daemon/p2pd" --copy "$bin/tests/bench/bench" -- \
  bench --json /run/share/figures --p2pd /run/bin/p2pd --rounds 20 --calls 50 real-kernel revocation
cat "$work/figures" >>"$json"
