#!/bin/bash
# In the VM, with systemd as PID 1: p2pd installed as its files say, and held to what an administrator expects of a
# service. Run by tests/suites/service.sh; what it changes is gone with the machine.
# shellcheck disable=SC2016  # The shells that are started expand what stands in single quotes.
#
# usage: service_test.sh DEPLOY      DEPLOY: the tree's folder of that name; what it installs is in /run/bin
set -euo pipefail

deploy=$1
# shellcheck source=tests/vm/service.sh
. "$(dirname "$0")/service.sh"

configure() {
  install -d -m 0755 /etc/p2pd /etc/p2pd/policy.d /etc/p2pd/p2pd.conf.d
  cat >/etc/p2pd/policy.d/members.textproto <<'POLICY'
rule { name: "all" effect: ALLOW action: [OBSERVE, EXPORT, EXPORT_CONTROL, MAP_MEMORY, RESET]
       subject { user: "root" group: "p2pd" } }
rule { name: "map" effect: ALLOW action: MAP subject { user: "root" group: "p2pd" } unsupported_path: true }
rule { name: "drive" effect: ALLOW action: DRIVE limits { scrub: NONE kill_holder: true }
       subject { user: "root" group: "p2pd" } }
rule { name: "root steps in" effect: ALLOW action: ADMIN subject { user: "root" } }
POLICY
  cat >/etc/p2pd/p2pd.conf <<'CONFIG'
managed_devices: ["0000:01:00.0", "0000:02:00.0"]
CONFIG
}

# What an administrator may add, on top of p2pd's policy.
refuse_by_polkit() {
  install -d -m 0755 /etc/polkit-1/rules.d
  cat >/etc/polkit-1/rules.d/10-p2pd.rules <<'RULE'
polkit.addRule(function(action, subject) {
  if (action.id == "org.p2pd.Broker1.reset-device" && subject.user == "nobody") return polkit.Result.NO;
});
RULE
}

# Keeps a driver's fd after the driver's end, in a unit of its own. p2pd has no capability, and so sees under /proc only
# what those of root's processes hold that have none either.
start_hoarder() {
  systemd-run --unit=hoarder --property=CapabilityBoundingSet= \
    sh -c 'p2pctl run --drive 0000:02:00.0 -- sh -c "sleep infinity &"; sleep infinity'
}
hoarder_was_killed() { [ "$(systemctl show --value -p Result hoarder.service)" = signal ]; }
device_is() { p2pctl devices | grep "^0000:$1 " | grep -qw "$2"; }
operations_tell() { p2pctl operations --json | grep -qF "$1"; }

# This kernel cannot sleep (it has no CONFIG_PM). In the /sys that logind and its helper see, it can: all but the kernel's
# part is real. What is mapped by then the helper writes down.
let_it_sleep() {
  local unit
  mkdir -p /run/power
  echo 'freeze mem' >/run/power/state
  for unit in systemd-logind systemd-suspend; do
    mkdir -p "/run/systemd/system/$unit.service.d"
    cat >"/run/systemd/system/$unit.service.d/power.conf" <<'UNIT'
[Service]
TemporaryFileSystem=/sys
BindPaths=/run/power:/sys/power /sys/class /sys/devices
ProtectControlGroups=no
ProtectKernelModules=no
UNIT
  done
  echo 'ExecStartPre=sh -c "p2pctl mappings >/run/asleep"' >>/run/systemd/system/systemd-suspend.service.d/power.conf
  systemctl daemon-reload
  systemctl restart systemd-logind.service
}
call_logind() { busctl call org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager "$@"; }
p2pd_inhibits() { call_logind ListInhibitors | grep -q '"sleep" "p2pd"'; }
mappings_are() { p2pctl mappings | grep -qw "$1"; }

as_member() { setpriv --reuid=65534 --regid=65534 --groups="$(getent group p2pd | cut -d: -f3)" "$@"; }
as_stranger() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }

status_is() { [ "$(show StatusText)" = "$1" ]; }
restarted() { [ "$(show NRestarts)" -gt "$1" ] && is_active; }
gave_sign() { [ "$(show WatchdogTimestampMonotonic)" -gt "$1" ]; }
bus_property() { busctl get-property org.p2pd.Broker1 "$1" "org.p2pd.Broker1.$2" "$3"; }
call_manager() { busctl call org.p2pd.Broker1 /org/p2pd/Broker1 org.p2pd.Broker1.Manager "$@"; }
refuses() { ! "$@"; }
# logged ID TEXT: an entry of p2pd's with this MESSAGE_ID has this text among its fields.
logged() {
  journalctl --sync
  journalctl -u p2pd.service -o json "MESSAGE_ID=$1" | grep -qF "$2"
}

configure
check "everything is installed" install_p2pd "$deploy"
check "the units are well-formed" systemd-analyze verify --man=no /etc/systemd/system/p2pd*
check "the catalog is well-formed" journalctl --update-catalog

check "the sockets are there" systemctl start p2pd.socket p2pd-fds.socket
# Who is the first may give up: under emulation starting takes longer than p2pctl waits.
check "the first client, a member of the group, starts the service" until_true as_member p2pctl status
check "nobody else is" refuses as_stranger p2pctl status
check "the configured devices were bound, and only these" \
  sh -c 'test "$(ls /sys/bus/pci/drivers/vfio-pci | grep -c ^0000)" = 2'
check "their driver_override is clear again" grep -qxF '(null)' /sys/bus/pci/devices/0000:01:00.0/driver_override
check "it is hardened" systemd-analyze security --threshold=25 p2pd.service
check "it has no capability" grep -qE '^CapEff:\s0+$' "/proc/$(show MainPID)/status"

check "the status line says what there is" until_true status_is "2 devices, 0 sessions, 0 mappings"
check "a client holds a window and maps it" p2pctl acquire 0000:01:00.0/2+1M --for 0000:02:00.0
check "the status line follows" until_true status_is "2 devices, 1 session, 1 mapping"
check "p2pctl status says that it is on D-Bus" sh -c 'p2pctl status | grep -q org.p2pd.Broker1'

disk=/org/p2pd/Broker1/devices/0000_01_00_0
check "D-Bus has a tree" sh -c "busctl tree org.p2pd.Broker1 | grep -q $disk"
check "a device can be introspected" sh -c "busctl introspect org.p2pd.Broker1 $disk | grep -q 'Generation.*emits-change'"
check "anybody may read" as_stranger busctl get-property org.p2pd.Broker1 "$disk" org.p2pd.Broker1.Device State
check "a stranger may not reset" refuses as_stranger busctl call org.p2pd.Broker1 /org/p2pd/Broker1 \
  org.p2pd.Broker1.Manager ResetDevice s devices/0000:01:00.0
check "a member of the group may" as_member busctl call org.p2pd.Broker1 /org/p2pd/Broker1 \
  org.p2pd.Broker1.Manager ResetDevice s devices/0000:01:00.0
check "polkit may refuse more" refuse_by_polkit
check "and does, the member, from then on" until_true refuses as_member busctl call org.p2pd.Broker1 /org/p2pd/Broker1 \
  org.p2pd.Broker1.Manager ResetDevice s devices/0000:01:00.0
check "the journal has that, too" logged 8d10b6644a3f4be5a441b80412ac7621 '"P2PD_ACTION":"org.p2pd.Broker1.reset-device"'
check "root is not refused" call_manager ResetDevice s devices/0000:01:00.0
check "a member may not set the log level" refuses as_member busctl set-property org.p2pd.Broker1 /org/p2pd/Broker1 \
  org.p2pd.Broker1.Manager LogLevel s debug
check "root may" busctl set-property org.p2pd.Broker1 /org/p2pd/Broker1 org.p2pd.Broker1.Manager LogLevel s debug
check "and reads it" test "$(bus_property /org/p2pd/Broker1 Manager LogLevel)" = 's "debug"'
check "p2pctl sets it, too" p2pctl log-level info
check "which D-Bus says" test "$(bus_property /org/p2pd/Broker1 Manager LogLevel)" = 's "info"'
check "D-Bus says that p2pd would survive" test "$(bus_property /org/p2pd/Broker1 Manager SurvivesRestart)" = 'b true'

echo 'bar_sizes { device: "0000:01:00.0" bar: 2 size: "1GiB" }' >/etc/p2pd/p2pd.conf.d/bars.conf
check "a BAR cannot be resized under a driver" refuses systemctl restart p2pd-bind.service
check "which is told" sh -c 'journalctl --sync && journalctl -u p2pd-bind | grep -qF "vfio-pci has the device; unbind it first"'
rm /etc/p2pd/p2pd.conf.d/bars.conf
check "without that wish the devices are in order" systemctl restart p2pd-bind.service

generation() { bus_property /org/p2pd/Broker1 Manager PolicyGeneration; }
says() { journalctl --sync && journalctl -u p2pd.service | grep -qF "$1"; }
before=$(generation)
mv /etc/p2pd/policy.d/members.textproto /run/members.textproto
echo 'rule { nme: "x" }' >/etc/p2pd/policy.d/members.textproto
check "a policy with a mistake cannot be loaded" refuses systemctl reload p2pd.service
check "the journal says where it is" says members.textproto:1:8
check "the policy of before stays" test "$(generation)" = "$before"
check "and p2pd goes on" as_member p2pctl status
cat >/etc/p2pd/policy.d/members.textproto <<'POLICY'
rule { name: "nobody" effect: DENY
       action: [OBSERVE, EXPORT, EXPORT_CONTROL, RECEIVE_FD, MAP, MAP_MEMORY, DRIVE, RESET, ADMIN] }
POLICY
check "one that lets nobody do anything is loaded" systemctl reload p2pd.service
check "and is in force by then" refuses as_member p2pctl policy reload
check "root may not reset either" refuses call_manager ResetDevice s devices/0000:01:00.0
mv /run/members.textproto /etc/p2pd/policy.d/members.textproto
check "root replaces it all the same" systemctl reload p2pd.service
check "which counts as another" test "$(generation)" = "t $((${before#t } + 2))"
check "and is in force, too" call_manager ResetDevice s devices/0000:01:00.0

check "the journal has the reset, with its device" logged ef0e4a7b1ed8457c90567ba0ea73082f \
  '"P2PD_DEVICE":"devices/0000:01:00.0"'
check "and the denial, with the user" logged 7cdb85fc603d4ca19dd1183952475754 '"P2PD_UID":"65534"'
check "and the session, with its unit" logged db1f2e27f20044bcb470a3d1d0a4813d '"P2PD_UNIT":"vm.service"'
check "the catalog explains it" sh -c 'journalctl -x -u p2pd.service | grep -q "Documentation: man:p2pd"'

check "somebody drives a device, and keeps its fd" start_hoarder
check "its unit is killed, with no capability of p2pd's" until_true hoarder_was_killed
check "the receipt has that" operations_tell 'kill hoarder.service, which keeps the fd'
check "the device recovers by itself" until_true device_is 02:00.0 READY

restarts=$(show NRestarts)
check "killed, it is back" systemctl kill --signal=KILL p2pd.service
check "at once" until_true restarted "$restarts"
check "and on the bus again" until_true bus_property /org/p2pd/Broker1 Manager Version
check "with no session left" until_true status_is "2 devices, 0 sessions, 0 mappings"

mkdir -p /run/systemd/system/p2pd.service.d
printf '[Service]\nWatchdogSec=3s\n' >/run/systemd/system/p2pd.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart p2pd.service
restarts=$(show NRestarts)
sign=$(show WatchdogTimestampMonotonic)
check "it gives a sign of life" until_true gave_sign "$sign"
sign=$(show WatchdogTimestampMonotonic)
check "and another" until_true gave_sign "$sign"
check "and was not started again" test "$(show NRestarts)" = "$restarts"
systemctl kill --signal=STOP p2pd.service
check "without one it is started again" until_true restarted "$restarts"

check "another client holds a window" p2pctl acquire 0000:01:00.0/2+1M --for 0000:02:00.0
check "the status line knows it" until_true status_is "2 devices, 1 session, 1 mapping"
check "logind can have the system sleep" let_it_sleep
check "and p2pd has it wait" until_true p2pd_inhibits
check "the system goes to sleep" call_logind Suspend b false
check "when nothing is mapped" until_true grep -qw SUSPENDED /run/asleep
check "nothing at all" refuses grep -qw ACTIVE /run/asleep
check "awake, the mapping is back" until_true mappings_are ACTIVE
check "and p2pd has logind wait the next time, too" until_true p2pd_inhibits
check "the receipt is that of a sleep" operations_tell SLEEP
systemctl --no-pager status p2pd.service | head -n 12 || true
check "it stops" systemctl stop p2pd.service p2pd.socket p2pd-fds.socket
check "cleanly" test "$(show Result)/$(show ExecMainStatus)" = success/0
check "having ended its session" logged b0e8e04a87ec42c5a3ef336df8472b96 'ends 1 sessions'
check "nothing is mapped: nobody has iommufd open" \
  sh -c 'test -z "$(find /proc/[0-9]*/fd -lname /dev/iommu 2>/dev/null)"'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
