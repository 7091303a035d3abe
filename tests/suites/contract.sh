#!/bin/bash
# one suite of cases on both kernels: SimKernel here, Linux 7.3 in the VM; prints case x kernel
set -euo pipefail
. "$(dirname "$0")/../../tools/common.sh"
"$P2PD_TOP/tools/packages.sh" build vm
bazel_in_tree build //tests/contract:contract_sim_test //tests/contract:contract_linux
bin=$(bazel_in_tree info bazel-bin 2>/dev/null)/tests/contract
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT
status=0
"$bin/contract_sim_test" >"$log/sim" 2>&1 || status=1
"$P2PD_TOP/tests/vm/vm.py" --add sets --add virtual --copy "$bin/contract_linux" -- contract_linux >"$log/linux" 2>"$log/boot" || status=1
"$P2PD_TOP/tests/contract/table.py" "$log/sim" "$log/linux" || status=1
if [ "$status" -ne 0 ]; then
  tail -n 40 "$log/boot" >&2
  grep -hE 'FAILED|Failure|Expected|Actual|error' "$log/sim" "$log/linux" | head -n 60 >&2
fi
exit "$status"
