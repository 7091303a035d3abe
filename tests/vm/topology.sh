#!/bin/bash
# usage: tests/vm/topology.sh VM-OPTION... -- COMMAND [ARG...]
#
# Runs a command in a VM whose hierarchy has what the path verdict tells apart, beside the usual devices:
#   0000:05:00.0, 05:00.1, 06:00.0  behind a switch of two ports without ACS; the first is an NVMe with a memory buffer
#   0000:07:00.0, 07:00.1           an NVMe and its virtual function
#   0000:08:00.0, 08:00.1           two functions behind a root port; the first is an NVMe with a memory buffer
#   0000:41:00.0                    an NVMe below another host bridge
# All are the kernel's: its NVMe driver tells, when asked, what it thinks of a pair.
# shellcheck disable=SC2016  # The guest expands what stands in single quotes.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
qemu=()
for number in 1 2 3 4 5 6; do
  qemu+=(--qemu=-blockdev "--qemu=driver=null-co,node-name=disk$number,size=16777216,read-zeroes=on")
done
for device in \
  pcie-root-port,id=switch,slot=11,chassis=11,bus=pcie.0,addr=0x8 \
  x3130-upstream,id=upstream,bus=switch \
  xio3130-downstream,id=first,bus=upstream,slot=12,chassis=12 \
  xio3130-downstream,id=second,bus=upstream,slot=13,chassis=13 \
  nvme,bus=first,drive=disk1,serial=first,cmb_size_mb=16,multifunction=on,addr=0x0.0 \
  e1000e,bus=first,addr=0x0.1 \
  nvme,bus=second,drive=disk2,serial=second \
  nvme-subsys,id=subsystem \
  pcie-root-port,id=virtual,slot=14,chassis=14,bus=pcie.0,addr=0x9 \
  nvme,bus=virtual,id=physical,serial=vf0,subsys=subsystem,sriov_max_vfs=1,sriov_vq_flexible=2,sriov_vi_flexible=1,max_ioqpairs=4,msix_qsize=4 \
  nvme-ns,bus=physical,drive=disk3 \
  pcie-root-port,id=twins,slot=15,chassis=15,bus=pcie.0,addr=0xa \
  nvme,bus=twins,drive=disk4,serial=twin0,cmb_size_mb=16,multifunction=on,addr=0x0.0 \
  nvme,bus=twins,drive=disk5,serial=twin1,addr=0x0.1 \
  pxb-pcie,id=other,bus_nr=64,bus=pcie.0,addr=0x12 \
  pcie-root-port,id=apart,slot=16,chassis=16,bus=other \
  nvme,bus=apart,drive=disk6,serial=apart; do
  qemu+=(--qemu=-device "--qemu=$device")
done
options=()
while [ "$1" != -- ]; do
  options+=("$1")
  shift
done
shift
# Nobody is to drive the virtual function: its controller stays offline.
guest='physical=/sys/bus/pci/devices/0000:07:00.0
echo 0 >$physical/sriov_drivers_autoprobe
echo 1 >$physical/sriov_numvfs
exec "$@"'
exec "$here/vm.py" "${qemu[@]}" --nvme-driver --bind none "${options[@]}" -- bash -c "$guest" bash "$@"
