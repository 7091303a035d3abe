#!/bin/bash
# policy: its tests, the samples, and random policies against two other readings (P2PD_POLICY_ROUNDS, 2000)
set -euo pipefail
. "$(dirname "$0")/../../tools/common.sh"
"$P2PD_TOP/tools/packages.sh" build lint
bazel_in_tree test --config=asan --build_tests_only --test_summary=terse //policy/... //deploy/policy/... \
  //client/p2pctl:policy_test
bazel_in_tree build //tests/policy:agreement_test //client/p2pctl
bin=$(bazel_in_tree info bazel-bin 2>/dev/null)
step "random policies"
[ "${P2PD_POLICY_SEED:-}" != new ] || export P2PD_POLICY_SEED=$SRANDOM
P2PD_POLICY_ROUNDS=${P2PD_POLICY_ROUNDS:-2000} "$bin/tests/policy/agreement_test" --gtest_brief=1
step "samples, as p2pctl sees them"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Nobody else may write a policy, whatever this clone's umask was.
install -m 644 "$P2PD_TOP"/deploy/policy/*.textproto "$P2PD_TOP"/deploy/policy/*.expect "$work"
for sample in "$work"/*.textproto; do "$bin/client/p2pctl/p2pctl" policy check "$sample" >"$sample.table"; done
for expectations in "$work"/*.expect; do "$bin/client/p2pctl/p2pctl" policy test "$expectations"; done
