#!/bin/bash
# the VM harness itself; export, map, DMA, reset and restore at the kernel seam; dma-bufs in other hands; how rights end, what offers allow, the system's sleep; paths
set -euo pipefail
. "$(dirname "$0")/../../tools/common.sh"
"$P2PD_TOP/tools/packages.sh" build dbus vm
bazel_in_tree build //daemon:p2pd //client/p2pctl:p2pctl //tests/vm:p2p_test //tests/vm:raw_test //tests/vm:endings_test \
  //tests/vm:offers_test //tests/vm:sleep_test //tests/vm:topology_test //tests/vm:kernel_verdict_test
bin=$(bazel_in_tree info bazel-bin 2>/dev/null)
"$P2PD_TOP/tests/vm/self_test.sh"
"$P2PD_TOP/tests/vm/vm.py" --copy "$bin/tests/vm/p2p_test" -- p2p_test
"$P2PD_TOP/tests/vm/vm.py" --add sets --add virtual --copy "$bin/daemon/p2pd" \
  --copy "$bin/client/p2pctl/p2pctl" \
  --copy "$bin/tests/vm/raw_test" --copy "$bin/tests/vm/endings_test" --copy "$bin/tests/vm/offers_test" \
  --copy "$bin/tests/vm/sleep_test" -- sh -c 'raw_test && endings_test && offers_test && sleep_test'
topology_tests=(--copy "$bin/tests/vm/topology_test" --copy "$bin/tests/vm/kernel_verdict_test")
"$P2PD_TOP/tests/vm/topology.sh" "${topology_tests[@]}" -- sh -c 'topology_test && kernel_verdict_test'
# The boot option that a verdict names does what it says, in the kernel's eyes and in p2pd's.
"$P2PD_TOP/tests/vm/topology.sh" --append pci=disable_acs_redir=0000:00:0a.0 "${topology_tests[@]}" \
  -- sh -c 'topology_test && kernel_verdict_test'
"$P2PD_TOP/tests/vm/topology.sh" --copy "$bin/daemon/p2pd" --copy "$bin/client/p2pctl/p2pctl" \
  --copy "$P2PD_TOP/tests/vm/matrix_test.sh" -- matrix_test.sh
