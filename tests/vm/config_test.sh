#!/bin/bash
# In the VM with "sets", with systemd as PID 1: p2pd as a service knows by which way two devices reach each other though
# it has no capability, since p2pd-config reads for it; and what p2pd-config does not do. Run by the suite "service".
# shellcheck disable=SC2016  # The shells that are started expand what stands in single quotes.
#
# usage: config_test.sh DEPLOY      DEPLOY: the tree's folder of that name; what it installs is in /run/bin
set -euo pipefail

deploy=$1
# shellcheck source=tests/vm/service.sh
. "$(dirname "$0")/service.sh"

port=0000:00:07.0 # the twins' root port, which redirects
twin=0000:05:00.0
other_twin=0000:05:00.1
behind=0000:04:00.0 # two NVMe on the bus of an upstream port without ACS
beside=0000:04:01.0
not_vfios=0000:01:00.0
socket=/run/p2pd/config.sock

configure() {
  install -d -m 0755 /etc/p2pd /etc/p2pd/policy.d
  echo 'rule { name: "root" effect: ALLOW action: [OBSERVE, ADMIN] subject { user: "root" } }' \
    >/etc/p2pd/policy.d/root.textproto
  echo "managed_devices: [\"$twin\", \"$other_twin\", \"$behind\", \"$beside\"]" >/etc/p2pd/p2pd.conf
}

# path EXPORTER IMPORTER FIELD: of the verdict.
path() {
  p2pctl --json topology "$1" "$2" |
    /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)["paths"][0][sys.argv[1]])' "$3"
}
path_is() { [ "$(path "$1" "$2" "$3")" = "$4" ]; }
reason_has() { path "$twin" "$other_twin" reason | grep -qF "$1"; }
look_again() { echo change >"/sys/bus/pci/devices/$twin/uevent"; }
as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
readers() { systemctl show --value -p MainPID 'p2pd-config@*'; }
nobody_reads() { [ -z "$(readers)" ]; }

# ask REQUEST COMMAND...: the errno and the size of the reply that p2pd-config gives, or "hung up"; the command runs
# while the connection is there.
ask() {
  /usr/bin/python3 - "$socket" "$@" <<'PYTHON'
import socket, subprocess, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
    s.settimeout(60)
    s.connect(sys.argv[1])
    s.send(sys.argv[2].encode())
    reply = s.recv(8192)
    if sys.argv[3:]:
        subprocess.run(sys.argv[3:], check=True)
print(f"{int.from_bytes(reply[:4], sys.byteorder)} {len(reply) - 4}" if reply else "hung up")
PYTHON
}
answer_is() { [ "$(ask "$2")" = "$1" ]; }
# One that is about to end may still be there, too.
readers_have() {
  local pid
  for pid in $(readers); do
    if grep -qE "$1" "/proc/$pid/status"; then return 0; fi
  done
  return 1
}
reader_has() { ask "$port" bash -c "$(declare -f readers readers_have); readers_have '$1'"; }
nobody_asks() { as_nobody bash -c "$(declare -f ask); socket=$socket; ask $port" 2>&1; }
is_denied() { { nobody_asks || true; } | grep -F 'Permission denied'; }
is_cut_off() { { nobody_asks || true; } | grep -E 'hung up|Connection reset|Broken pipe'; }

configure
check "everything is installed" install_p2pd "$deploy"
check "the units are well-formed" systemd-analyze verify --man=no /etc/systemd/system/p2pd*
check "p2pd starts" systemctl start p2pd.service
check "and answers" until_true p2pctl status
check "and has no capability" grep -qE '^CapEff:\s0+$' "/proc/$(show MainPID)/status"
check "it knows that a root port redirects" path_is "$twin" "$other_twin" kind NOT_SUPPORTED
check "by which bits" reason_has "ACS redirect is on at $port (RR CR"
check "and that a port without ACS does not" path_is "$behind" "$beside" kernel_kind BUS_ADDR
check "nothing of p2pd-config is left running" until_true nobody_reads

check "it reads a bridge whole" answer_is "0 4096" "$port"
check "and a device of VFIO's" answer_is "0 4096" "$twin"
check "and no other" answer_is "1 0" "$not_vfios"
check "nor one that is not there" answer_is "2 0" 0000:99:00.0
check "nor by another spelling" answer_is "22 0" "00000000:00:07.0"
check "nor by a path" answer_is "22 0" "../../../../../etc/shadow"
check "nor by a packet that is too long" answer_is "22 0" "$(printf '%s%04000d' "$port" 0)"

check "nobody but root may ask" is_denied
chmod 0666 "$socket"
check "whatever the socket's mode" is_cut_off
chmod 0600 "$socket"
check "it has CAP_SYS_ADMIN only" reader_has '^CapEff:\s0000000000200000$'
check "and can get no other" reader_has '^CapBnd:\s0000000000200000$'
check "nor any privilege" reader_has '^NoNewPrivs:\s1$'
check "it is not root" reader_has '^Uid:\s[1-9]'
check "its system calls are filtered" reader_has '^Seccomp:\s2$'

systemctl stop p2pd-config.socket
look_again
check "where it cannot be asked, the way is unknown" until_true path_is "$twin" "$other_twin" kind UNKNOWN
check "and the reason names what is missing" reason_has "ask p2pd-config: $socket"
path "$twin" "$other_twin" reason
mv /etc/systemd/system/p2pd-config.socket /run
systemctl daemon-reload
check "p2pd starts without it, too" systemctl restart p2pd.service
check "and answers" until_true p2pctl status
check "and knows as little" path_is "$twin" "$other_twin" kind UNKNOWN
mv /run/p2pd-config.socket /etc/systemd/system
systemctl daemon-reload
systemctl start p2pd-config.socket
look_again
check "when it is back, the way is known again" until_true path_is "$twin" "$other_twin" kind NOT_SUPPORTED

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
