#!/bin/bash
# random sequences against a reference model (P2PD_MODEL_OPERATIONS, 200000; P2PD_MODEL_SEED, 1, or "new")
set -euo pipefail
. "$(dirname "$0")/../../tools/common.sh"
"$P2PD_TOP/tools/packages.sh" build
[ "${P2PD_MODEL_SEED:-}" != new ] || export P2PD_MODEL_SEED=$SRANDOM
bazel_in_tree build //tests/model:model_test
P2PD_MODEL_OPERATIONS=${P2PD_MODEL_OPERATIONS:-200000} "$(bazel_in_tree info bazel-bin 2>/dev/null)/tests/model/model_test"
