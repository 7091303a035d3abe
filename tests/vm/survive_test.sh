#!/bin/bash
# In the VM, with systemd as PID 1 and the unit as shipped: a client moves bytes from device to device without pause
# while p2pd is killed at chosen kernel calls and at random, upgraded, and stopped. Run by tests/suites/survive.sh; what
# it changes is gone with the machine.
#
# usage: survive_test.sh DEPLOY KILLS
# shellcheck disable=SC2016  # The shells that are started expand what stands in single quotes.
set -euo pipefail

deploy=$1
kills=$2
# shellcheck source=tests/vm/service.sh
. "$(dirname "$0")/service.sh"

configure() {
  install -d -m 0755 /etc/p2pd /etc/p2pd/policy.d
  cat >/etc/p2pd/policy.d/everybody.textproto <<'POLICY'
rule { name: "all" effect: ALLOW action: [OBSERVE, EXPORT, EXPORT_CONTROL, MAP_MEMORY, RESET, ADMIN] }
rule { name: "map" effect: ALLOW action: MAP unsupported_path: true }
rule { name: "drive" effect: ALLOW action: DRIVE limits { scrub: NONE } }
POLICY
  cat >/etc/p2pd/p2pd.conf <<'CONFIG'
managed_devices: ["0000:01:00.0", "0000:02:00.0", "0000:00:10.0"]
# A round of the client takes its time on an emulated machine; it has to end before it can stop.
deadlines { quiesce: "30s" }
CONFIG
  mkdir -p /run/systemd/system/p2pd.service.d
  cat >/run/systemd/system/p2pd.service.d/survive.conf <<'UNIT'
[Service]
Environment=LD_PRELOAD=/run/bin/die_at.so
UNIT
  truncate -s 4096 /run/p2pd-die-at
}

# The number of an ioctl, or what die_at.c has in its place, and its name.
verbs=(
  "1 a journal write"
  "3b8f IOMMU_IOAS_MAP_FILE"
  "3b86 IOMMU_IOAS_UNMAP"
  "3b81 IOMMU_IOAS_ALLOC"
  "3b80 IOMMU_DESTROY"
  "3b77 VFIO_DEVICE_ATTACH_IOMMUFD_PT"
  "3b78 VFIO_DEVICE_DETACH_IOMMUFD_PT"
  "3b76 VFIO_DEVICE_BIND_IOMMUFD"
  "3b6f VFIO_DEVICE_RESET"
  "2 a policy reload"
)

die_at() { printf '%s\n\0' "$1" | dd of=/run/p2pd-die-at conv=notrunc status=none; }
restarts() { show NRestarts; }
restarted_since() { [ "$(restarts)" -gt "$1" ]; }
tally() { grep -E '^[0-9]+ rounds' /tmp/survivor | tail -n 1; }
rounds() { tally | sed 's/ .*//'; }
goes_on() { [ "$(rounds)" -gt "$1" ]; }
well() { ! grep -q PROBLEM /tmp/survivor; }
faults() { dmesg | grep -cE 'DMAR:.*fault|DMAR: \[DMA' || true; }

# kill_at NUMBER SIDE: p2pd ends there, and is back; the client goes on.
kill_at() {
  local before reload=
  before=$(restarts)
  die_at "$1 $2"
  # It is cut short, and made again; a p2pd that starts reads the policy as well, and must not end there for ever.
  if [ "$1" = 2 ]; then
    p2pctl policy reload &
    reload=$!
  fi
  until_true restarted_since "$before" || return 1
  die_at "0 before"
  [ -z "$reload" ] || wait "$reload" || return 1
  until_true is_active || return 1
  until_true goes_on "$(rounds)"
}

kill_at_random() {
  local before
  before=$(restarts)
  sleep "0.$((RANDOM % 10))"
  systemctl kill --signal=KILL p2pd.service
  until_true restarted_since "$before" && until_true is_active && until_true goes_on "$(rounds)"
}

# systemd starts it again only when the command of ExecReload= has ended.
kill_at_reload() {
  local before
  before=$(restarts)
  die_at "2 before"
  if systemctl reload p2pd.service; then return 1; fi
  until_true restarted_since "$before" || return 1
  die_at "0 before"
  until_true is_active && until_true goes_on "$(rounds)"
}

# The same program, but for the version that it tells.
upgrade() {
  LC_ALL=C sed 's/0\.1\.0/0.9.9/g' /run/bin/p2pd >/run/p2pd-next
  install -m 0755 /run/p2pd-next /usr/sbin/p2pd
  [ "$(/usr/sbin/p2pd --version)" = "p2pd 0.9.9" ]
}

configure
check "everything is installed" install_p2pd "$deploy"
check "it starts" systemctl start p2pd.service
mkfifo /tmp/input
/run/bin/survivor </tmp/input >/tmp/survivor 2>&1 &
survivor=$!
exec 3>/tmp/input
check "the client is at it" until_true goes_on 0

declare -A counts
for ((kill = 0; kill < kills && failed == 0; ++kill)); do
  turn=$((kill % (${#verbs[@]} + 1)))
  if ((turn == ${#verbs[@]})); then
    name="at random"
    check "killed $name" kill_at_random
  else
    read -r number call <<<"${verbs[turn]}"
    side=before
    ((kill / (${#verbs[@]} + 1) % 2 == 0)) || side=after
    name="$side $call"
    check "killed $name" kill_at "$number" "$side"
  fi
  counts[$name]=$((${counts[$name]:-0} + 1))
done
check "killed while systemd has it reload" kill_at_reload
check "the client has noticed nothing" well
check "no DMA fault" test "$(faults)" = 0

before=$(show MainPID)
check "a higher version is installed" upgrade
check "restarted, it leaves everything to its successor" systemctl restart p2pd.service
check "which is another process" test "$(show MainPID)" != "$before"
check "of the higher version" sh -c 'p2pctl status --json | grep -q "\"version\": *\"0\.9\.9\""'
check "the client goes on" until_true goes_on "$(rounds)"
check "and has noticed nothing" well
exec 3>&-
wait "$survivor" && ended=0 || ended=$?
tail -n 5 /tmp/survivor
grep -m 5 PROBLEM /tmp/survivor || true
check "the client ends well" test "$ended" = 0
check "nothing is left of it" until_true sh -c 'p2pctl status | grep -qE "mappings +0"'
check "it stops" systemctl stop p2pd.service p2pd.socket p2pd-fds.socket
check "nothing is mapped: nobody has iommufd open" \
  sh -c 'test -z "$(find /proc/[0-9]*/fd -lname /dev/iommu 2>/dev/null)"'
if [ "$failed" -ne 0 ]; then
  journalctl -u p2pd.service --no-pager -o short-monotonic | tail -n 300
  dmesg | grep 'DMAR: \[DMA' | head -n 5 || true
fi

# By what was in flight, whichever side of it.
for verb in "${verbs[@]}" "- at random"; do
  name=${verb#* }
  check "killed at $name" test $((${counts[before $name]:-0} + ${counts[after $name]:-0} + ${counts[$name]:-0})) -gt 0
done

echo "kills:"
for name in "${!counts[@]}"; do printf '  %4d  %s\n' "${counts[$name]}" "$name"; done | sort -k2
tally
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
