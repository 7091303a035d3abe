#!/bin/bash
# the VM harness itself, and a real export, map, DMA, reset and restore with nothing of p2pd above the kernel seam
set -euo pipefail
. "$(dirname "$0")/../../tools/common.sh"
"$P2PD_TOP/tools/packages.sh" build vm
bazel_in_tree build //tests/vm:p2p_test
bin=$(bazel_in_tree info bazel-bin 2>/dev/null)
"$P2PD_TOP/tests/vm/self_test.sh"
"$P2PD_TOP/tests/vm/vm.py" --timeout 300 --copy "$bin/tests/vm/p2p_test" -- p2p_test
