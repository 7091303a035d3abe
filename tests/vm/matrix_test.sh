#!/bin/bash
# In the VM of tests/vm/topology.sh: what p2pctl says of a switch, of a second host bridge and of a multifunction slot,
# and that p2pd's policy goes by it. Prints the matrix.
set -euo pipefail
sockets=(--fd-socket=/run/fds.sock --grpc-socket=/run/p2pd.sock)
devices=(0000:01:00.0 0000:02:00.0 0000:05:00.0 0000:06:00.0 0000:08:00.0 0000:41:00.0)
fail() {
  echo "matrix_test: $1" >&2
  exit 1
}

for device in "${devices[@]}"; do
  function=/sys/bus/pci/devices/$device
  echo vfio-pci >"$function/driver_override"
  if [ -e "$function/driver" ]; then echo "$device" >"$function/driver/unbind"; fi
  echo "$device" >/sys/bus/pci/drivers_probe
done
mkdir -m 0755 /run/policy
cat >/run/policy/all.textproto <<'POLICY'
rule { name: "all" effect: ALLOW action: [EXPORT, DRIVE, ADMIN, OBSERVE, MAP] subject { user: "root" } }
POLICY
p2pd --policy=/run/policy "${sockets[@]}" 2>/run/p2pd.log &
p2pd=$!
for _ in $(seq 100); do
  if p2pctl "${sockets[@]}" ping >/dev/null 2>&1; then break; fi
  sleep 0.2
done
p2pctl "${sockets[@]}" topology --matrix || fail "no topology: $(cat /run/p2pd.log)"
explain() { p2pctl "${sockets[@]}" policy explain MAP --window="$1/2+64K" --importer="$2"; }
# A q35's host bridge is not known to pass such requests, and a switch does not help: what is mapped lies at IOVAs.
for importer in 0000:06:00.0 0000:41:00.0; do
  if explain 0000:05:00.0 "$importer"; then fail "05:00.0 for $importer is allowed"; fi
done
echo 'rule { name: "by any way" effect: ALLOW action: MAP subject { user: "root" } unsupported_path: true }' \
  >/run/policy/paths.textproto
p2pctl "${sockets[@]}" policy reload
explain 0000:05:00.0 0000:06:00.0 || fail "a rule that says unsupported_path does not help"
kill "$p2pd"
wait "$p2pd"
echo "1 passed, 0 failed"
