#!/bin/bash
# Holds the VM harness to what vm.py promises: output and exit status come through, time-outs and a dying
# guest are told apart from a command that fails, and nothing of the host changes but the shared folder.
# shellcheck disable=SC2016  # The guest expands what stands in single quotes.
set -euo pipefail
. "$(dirname "$0")/../../tools/common.sh"

vm=$P2PD_TOP/tests/vm/vm.py
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
passed=0

# expect WHAT STATUS OUTPUT ARGUMENT...: runs vm.py and compares its exit status and all it prints.
expect() {
  local what=$1 status=$2 output=$3 got=0
  shift 3
  "$vm" --timeout 300 "$@" >"$work/output" 2>"$work/noise" || got=$?
  if [ "$got" = "$status" ] && [ "$(cat "$work/output")" = "$output" ]; then
    passed=$((passed + 1))
    say "ok: $what"
    return
  fi
  failed=$((failed + 1))
  say "FAILED: $what: exit status $got (not $status), output:"
  cat "$work/output" "$work/noise" >&2
}

# The slot's button takes 5 s.
hotplug='
  nvme=/sys/bus/pci/devices/0000:02:00.0
  exec 3<>/dev/virtio-ports/qmp
  echo "{\"execute\": \"qmp_capabilities\"}" >&3
  echo "{\"execute\": \"device_del\", \"arguments\": {\"id\": \"nvme2\"}}" >&3
  while [ -e $nvme ]; do sleep 0.1; done
  echo gone
  # QEMU has let go of it once it says so.
  until read -r event <&3 && [[ $event == *DEVICE_DELETED* ]]; do :; done
  echo "{\"execute\": \"device_add\", \"arguments\": {\"driver\": \"nvme\", \"id\": \"nvme2\",
    \"bus\": \"rp2\", \"drive\": \"d2\", \"serial\": \"imp0\"}}" >&3
  until [ -e $nvme/driver_override ]; do sleep 0.1; done
  echo vfio-pci >$nvme/driver_override
  echo 0000:02:00.0 >/sys/bus/pci/drivers_probe
  echo back "$(ls $nvme/vfio-dev)"
'

echo '#!/bin/sh
id -un' >"$work/whoami"
chmod 700 "$work/whoami"
mkdir "$work/share"

booting=$SECONDS
expect "a command's output and status come through" 7 $'out\nerr' -- sh -c 'echo out; echo err >&2; exit 7'
# How long is long, on this host: three times what a whole machine takes.
long=$((3 * (SECONDS - booting) + 5))
expect "a signal's status is the shell's" 137 "" -- sh -c 'kill -KILL $$'
expect "the four devices are VFIO's" 0 "vfio0 vfio1 vfio2 vfio3" -- sh -c 'echo $(ls /dev/vfio/devices)'
expect "a chosen device is VFIO's alone" 0 "0000:00:10.0" --bind 0000:00:10.0 \
  -- sh -c 'cd /sys/bus/pci/drivers/vfio-pci && echo 0*'
expect "more devices come on request" 0 "0000:04:00.0 0000:04:01.0 0000:05:00.0 0000:05:00.1 0000:08:00.0" \
  --add sets --add switch -- sh -c 'cd /sys/bus/pci/drivers/vfio-pci && echo 0000:0[4-9]*'
expect "a device behind the switch is in a group with the port above it" 0 "0000:04:00.0 0000:05:00.0" --add switch \
  -- sh -c 'cd /sys/bus/pci/devices/0000:05:00.0/iommu_group/devices && echo *'
expect "a device is unplugged and plugged in again" 0 $'gone\nback vfio1' --qmp \
  -- bash -c "$hotplug"
expect "other users run what was copied" 0 nobody --copy "$work/whoami" \
  -- setpriv --reuid=65534 --regid=65534 --clear-groups whoami
expect "the guest writes to the shared folder" 0 "" --share "$work/share" -- sh -c 'echo hello >/run/share/file'
expect "what the guest changes elsewhere stays there" 0 changed -- sh -c "echo changed >$work/here; cat $work/here"
expect "variables and the folder come along" 0 "v$PWD" --env V=v -- sh -c 'echo "$V$PWD"'
expect "systemd runs the command, with D-Bus" 3 "systemd org.freedesktop.systemd1" --systemd \
  -- bash -c 'echo $(cat /proc/1/comm) $(busctl list --no-legend | grep -o "^org.freedesktop.systemd1 "); exit 3'
expect "a panic is not the command's failure" 125 "" -- sh -c 'echo c >/proc/sysrq-trigger; sleep 1000'
expect "time runs out" 124 "" --timeout "$long" -- sleep 1000
grep -q 'hrtimer_nanosleep  *sleep$' "$work/noise" || { say "FAILED: nobody says who waited" && failed=$((failed + 1)); }
stand_still='
  exec 3<>/dev/virtio-ports/qmp
  echo "{\"execute\": \"qmp_capabilities\"}{\"execute\": \"stop\"}" >&3
  sleep 1
  read -rt 1 <&3'
expect "a machine that stands still is told from a command that takes long" 126 "" --stall "$long" --restarts 0 --qmp \
  -- bash -c "$stand_still; sleep 1000"
expect "so is one that does not boot" 126 "" --stall "$long" --restarts 0 --qemu=-S -- true
expect "and is started again" 0 again --stall "$long" --qmp --share "$work/share" \
  -- bash -c "[ -e /run/share/stood ] && echo again && exit; touch /run/share/stood; $stand_still; sleep 1000"
expect "a program that is not there is said before booting" 1 "" -- /nonexistent

[ "$(cat "$work/share/file")" = hello ] || { say "FAILED: the shared file is not there" && failed=$((failed + 1)); }
[ ! -e "$work/here" ] || { say "FAILED: the guest wrote to the host's root" && failed=$((failed + 1)); }
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
