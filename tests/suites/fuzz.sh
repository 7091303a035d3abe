#!/bin/bash
# every fuzzer for a short while (P2PD_FUZZ_SECONDS, 20 each)
set -euo pipefail
. "$(dirname "$0")/../../tools/common.sh"
"$P2PD_TOP/tools/packages.sh" build lint
fuzzers=$(bazel_in_tree query 'attr(name, "_fuzz$", kind(cc_binary, //tests/fuzz/...))' 2>/dev/null)
[ -n "$fuzzers" ] || die "found no fuzzer in //tests/fuzz"
# shellcheck disable=SC2086 # one word a target
with_progress "$P2PD_CACHE/log/build-fuzz.log" "build" bazel_in_tree build --config=asan $fuzzers
bin=$(bazel_in_tree info --config=asan bazel-bin 2>/dev/null)
for target in $fuzzers; do
  name=${target##*:}
  corpus=$P2PD_CACHE/fuzz/$name
  seeds=()
  [ ! -d "$P2PD_TOP/tests/fuzz/corpus/$name" ] || seeds=("$P2PD_TOP/tests/fuzz/corpus/$name")
  mkdir -p "$corpus"
  step "fuzzing $name"
  "$bin/tests/fuzz/$name" -max_total_time="${P2PD_FUZZ_SECONDS:-20}" -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="$corpus-" -print_final_stats=1 -verbosity=0 "$corpus" "${seeds[@]}" 2>&1 |
    tail -n 12
done
