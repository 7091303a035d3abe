#!/bin/bash
# what p2pd costs, every figure beside its floor (P2PD_BENCH_JSON=FILE: as lines of JSON, too) (by name only)
#
# usage: tests/suites/bench.sh [--json]      --json: the lines on stdout as well
set -euo pipefail
. "$(dirname "$0")/../../tools/common.sh"
json=${P2PD_BENCH_JSON:-/dev/null}
[ "${1:-}" != --json ] || json=/dev/stdout
"$P2PD_TOP/tools/packages.sh" build bench
with_progress "$P2PD_CACHE/log/build-bench.log" "build" bazel_in_tree build //daemon:p2pd //tests/bench/...
bin=$(bazel_in_tree info bazel-bin 2>/dev/null)
say "load before: $(cut -d' ' -f1-3 /proc/loadavg), $(nproc) processors"
status=0
"$bin/tests/bench/bench" --json "$json" --p2pd "$bin/daemon/p2pd" --bare-server "$bin/tests/bench/bare_server" \
  --bus-server "$bin/tests/bench/bus_server" calls batches throughput scale journal continuity resets stuck watchers idle bus policy || status=$?
say "load after: $(cut -d' ' -f1-3 /proc/loadavg)"
exit "$status"
