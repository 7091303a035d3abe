#!/bin/bash
# p2pd on D-Bus: objects, signals, methods judged by policy, logind, a bus that goes and comes back; on a bus of its own
set -euo pipefail
. "$(dirname "$0")/../../tools/common.sh"
"$P2PD_TOP/tools/packages.sh" build dbus lint
bazel_in_tree test --config=asan --test_summary=terse //daemon/bus/... //tests/component:bus_objects_test \
  //tests/component:bus_calls_test //tests/component:bus_connection_test //tests/component:bus_polkit_test \
  //tests/component:bus_sleep_test //tests/component:bus_killing_test
