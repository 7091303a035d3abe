#!/bin/bash
# plants each bug of tests/mutants in a copy of the tree and shows that the tests catch it (by name only)
set -euo pipefail
. "$(dirname "$0")/../../tools/common.sh"
"$P2PD_TOP/tools/packages.sh" build mutants
"$P2PD_TOP/tests/mutants/run.py" --tree "$P2PD_CACHE/mutants" --disk-cache "$P2PD_CACHE/bazel"
