#!/bin/bash
# the demonstration on a real kernel in the VM: copy, doorbell, reset, cut-off, SIGKILL
set -euo pipefail
. "$(dirname "$0")/../../tools/common.sh"
"$P2PD_TOP/deploy/demo.sh"
