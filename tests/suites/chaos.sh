#!/bin/bash
# p2pd in the VM among clients and a tormentor that do as they like (P2PD_CHAOS_SECONDS, 90; P2PD_CHAOS_SEED, 1, or "new")
set -euo pipefail
. "$(dirname "$0")/../../tools/common.sh"
"$P2PD_TOP/tools/packages.sh" build vm
seconds=${P2PD_CHAOS_SECONDS:-90}
seed=${P2PD_CHAOS_SEED:-1}
[ "$seed" != new ] || seed=$SRANDOM
say "chaos: seed $seed (P2PD_CHAOS_SEED=$seed repeats its dice)"
bazel_in_tree build //daemon:p2pd //client/p2pctl:p2pctl //tests/chaos:chaos_client //tests/chaos:chaos_keeper
bin=$(bazel_in_tree info bazel-bin 2>/dev/null)
copies=()
for program in daemon/p2pd client/p2pctl/p2pctl tests/chaos/chaos_client tests/chaos/chaos_keeper; do
  copies+=(--copy "$bin/$program")
done
logs=$P2PD_CACHE/log/chaos
mkdir -p "$logs"
"$P2PD_TOP/tests/vm/vm.py" --add sets --add switch --qmp --timeout "$((${seconds%.*} + 600))" \
  --kernel-log "$logs/kernel.log" --share "$logs" --env PYTHONDONTWRITEBYTECODE=1 "${copies[@]}" -- \
  "$P2PD_TOP/tests/chaos/chaos.py" --policy "$P2PD_TOP/tests/chaos/policy.textproto" --seconds "$seconds" --seed "$seed" --logs /run/share
