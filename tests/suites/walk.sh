#!/bin/bash
# the same random walks through SimKernel and the VM's kernel, compared line by line (P2PD_WALKS, 6) (by name only)
set -euo pipefail
. "$(dirname "$0")/../../tools/common.sh"
"$P2PD_TOP/tools/packages.sh" build vm
"$P2PD_TOP/tests/contract/same_walk.sh" 1 "${P2PD_WALKS:-6}" 300
