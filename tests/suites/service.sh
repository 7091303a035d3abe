#!/bin/bash
# p2pd as a systemd service: the unit's exposure, then installed in the VM: socket, status, bus, journal, watchdog, stop
set -euo pipefail
. "$(dirname "$0")/../../tools/common.sh"
"$P2PD_TOP/tools/packages.sh" build dbus polkit vm
deploy=$P2PD_TOP/deploy
# Tenths: every mark that is left has its reason in the unit.
systemd-analyze security --offline=true --threshold=25 --no-pager "$deploy/p2pd.service" | tail -n 1
bazel_in_tree build //daemon:p2pd //client/p2pctl:p2pctl
bin=$(bazel_in_tree info bazel-bin 2>/dev/null)
"$P2PD_TOP/tests/vm/vm.py" --systemd --bind none --timeout 600 --copy "$bin/daemon/p2pd" \
  --copy "$bin/client/p2pctl/p2pctl" -- "$P2PD_TOP/tests/vm/service_test.sh" "$deploy"
