#!/bin/bash
# Map, Unmap, resets and sessions' ends on the VM's kernel beside the ioctls alone; systemd's fd store (by name only)
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
"$P2PD_TOP/tests/vm/vm.py" --add sets --share "$work" --copy "$bin/daemon/p2pd" --copy "$bin/tests/bench/bench" -- \
  bench --json /run/share/figures --p2pd /run/bin/p2pd --rounds 20 --calls 50 real-kernel revocation
# As a unit of the VM's systemd, whose store is what is measured.
"$P2PD_TOP/tests/vm/vm.py" --systemd --share "$work" --copy "$bin/daemon/p2pd" --copy "$bin/tests/bench/bench" -- \
  systemd-run --wait --pipe --quiet --property NotifyAccess=main --property FileDescriptorStoreMax=64 \
  /run/bin/bench --json /run/share/figures --p2pd /run/bin/p2pd --rounds 20 --calls 200 store
cat "$work/figures" >>"$json"
