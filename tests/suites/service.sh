#!/bin/bash
# p2pd as a systemd service: the units' exposure; installed in the VM, with a holder killed, sleep, watchdog; p2pd-config
set -euo pipefail
. "$(dirname "$0")/../../tools/common.sh"
"$P2PD_TOP/tools/packages.sh" build dbus polkit vm
deploy=$P2PD_TOP/deploy
# Tenths: every mark that is left has its reason in the unit.
systemd-analyze security --offline=true --threshold=25 --no-pager "$deploy/p2pd.service" | tail -n 1
systemd-analyze security --offline=true --threshold=10 --no-pager "$deploy/p2pd-config@.service" | tail -n 1
bazel_in_tree build //daemon:p2pd //client/p2pctl:p2pctl //daemon/helper:p2pd-config
bin=$(bazel_in_tree info bazel-bin 2>/dev/null)
vm=("$P2PD_TOP/tests/vm/vm.py" --systemd --bind none --copy "$bin/daemon/p2pd"
  --copy "$bin/client/p2pctl/p2pctl" --copy "$bin/daemon/helper/p2pd-config")
"${vm[@]}" -- "$P2PD_TOP/tests/vm/service_test.sh" "$deploy"
# Two functions behind one root port: by which way they reach each other depends on that port's ACS.
"${vm[@]}" --add sets -- "$P2PD_TOP/tests/vm/config_test.sh" "$deploy"
