#!/bin/bash
# p2pd killed under load in the VM, at chosen kernel calls and at random, and started again: nobody notices (--kills=15)
set -euo pipefail
. "$(dirname "$0")/../../tools/common.sh"
kills=15
for argument in "$@"; do
  case $argument in
    --kills=*) kills=${argument#--kills=} ;;
    *) die "no argument $argument" ;;
  esac
done
"$P2PD_TOP/tools/packages.sh" build dbus vm
bazel_in_tree build //daemon:p2pd //client/p2pctl:p2pctl //daemon/helper:p2pd-config //tests/survive:survivor //tests/survive:die_at.so
bin=$(bazel_in_tree info bazel-bin 2>/dev/null)
copies=()
for program in daemon/p2pd client/p2pctl/p2pctl daemon/helper/p2pd-config tests/survive/survivor tests/survive/die_at.so; do
  copies+=(--copy "$bin/$program")
done
"$P2PD_TOP/tests/vm/vm.py" --systemd --bind none --timeout $((600 + 30 * kills)) "${copies[@]}" -- \
  "$P2PD_TOP/tests/vm/survive_test.sh" "$P2PD_TOP/deploy" "$kills"
