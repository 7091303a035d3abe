#!/bin/bash
# The demonstration: two devices exchange bytes on a real kernel, and p2pd gives and takes the way.
#
# usage: deploy/demo.sh [--simulate]
#
# Sets up what it needs (packages, the build, a VM and its kernel: minutes the first time) and plays
# deploy/demo/scenario.py in the VM, under QEMU's plain emulation. --simulate plays it here, on p2pd's simulated
# machine. The disk is seeded anew in each run, and judged here afterwards.
set -euo pipefail
. "$(dirname "$0")/../tools/common.sh"

usage() { sed -n '2,8s/^# \{0,1\}//p' "$0"; }

simulate=no
for argument in "$@"; do
  case $argument in
    --simulate) simulate=yes ;;
    -h | --help)
      usage
      exit 0
      ;;
    *)
      usage >&2
      die "no argument $argument"
      ;;
  esac
done

demo=$P2PD_TOP/deploy/demo
policy=$P2PD_TOP/deploy/policy/demo.textproto
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
programs=(p2pd p2pctl cmb_exporter p2p_copy doorbell_ringer c_copy libp2p.so.0)

build() {
  local targets=(//daemon:p2pd //client/p2pctl:p2pctl //deploy/demo:cmb_exporter //deploy/demo:p2p_copy
    //deploy/demo:doorbell_ringer //deploy/demo:c_copy //client/c:libp2p.so.0)
  local bin
  with_progress "$P2PD_CACHE/log/build-demo.log" "build" bazel_in_tree build "${targets[@]}"
  bin=$(bazel_in_tree info bazel-bin 2>/dev/null)
  mkdir "$work/bin"
  # In a place of their own, where every user may run them.
  install -m 0755 "$bin/daemon/p2pd" "$bin/client/p2pctl/p2pctl" "$bin/client/c/libp2p.so.0" \
    "$bin"/deploy/demo/{cmb_exporter,p2p_copy,doorbell_ringer,c_copy} "$work/bin"
  chmod 0755 "$work"
}

# The machine of the VM, simulated, with the seeded disk behind its second NVMe.
write_machine() {
  sed "s|nvme { disk_size: [^ ]* serial: \"imp0\" }|nvme { disk: \"$work/disk.img\" serial: \"imp0\" }|" \
    "$P2PD_TOP/deploy/simulation/two_nvme.textproto" >"$work/machine.textproto"
  grep -q "$work/disk.img" "$work/machine.textproto" || die "found no NVMe \"imp0\" in two_nvme.textproto"
}

play_simulated() {
  write_machine
  as_root env PATH="$work/bin:$PATH" PYTHONDONTWRITEBYTECODE=1 \
    "$demo/scenario.py" --policy "$policy" --source-crc "$1" --simulate "$work/machine.textproto"
}

play_in_vm() {
  local copies=() name
  for name in "${programs[@]}"; do copies+=(--copy "$work/bin/$name"); done
  "$P2PD_TOP/tests/vm/vm.py" --disk1 "$work/disk.img" --env PYTHONDONTWRITEBYTECODE=1 \
    --kernel-log "$work/kernel.log" "${copies[@]}" -- "$demo/scenario.py" --policy "$policy" --source-crc "$1"
}

step "setting up"
if [ "$simulate" = yes ]; then "$P2PD_TOP/tools/packages.sh" build; else "$P2PD_TOP/tools/packages.sh" build vm; fi
build
if [ "$simulate" = no ]; then "$P2PD_TOP/tests/vm/kernel.sh" >/dev/null; fi

step "seeding the disk"
source_crc=$("$demo/disk.py" make "$work/disk.img")

status=0
if [ "$simulate" = yes ]; then
  step "playing the scenario on the simulated machine"
  play_simulated "$source_crc" || status=$?
else
  step "playing the scenario in the VM (booting takes some seconds)"
  play_in_vm "$source_crc" || status=$?
fi

step "the disk, afterwards"
"$demo/disk.py" judge "$work/disk.img" || status=1
if [ "$status" -ne 0 ]; then
  say "demo: FAILED"
  exit 1
fi
say "demo: everything holds"
