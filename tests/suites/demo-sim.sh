#!/bin/bash
# the same demonstration on the simulated machine
set -euo pipefail
. "$(dirname "$0")/../../tools/common.sh"
"$P2PD_TOP/deploy/demo.sh" --simulate
