#!/bin/bash
# bind-devices on a made sysfs, whose kernel is `put` below: drivers come and go, a BAR becomes what its _resize file is
# told while no driver has the device, and every change is written down in its order.
set -euo pipefail

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
export P2PD_SYSFS_DEVICES=$root/devices P2PD_SYSFS_PROBE=$root/drivers_probe
# shellcheck source=deploy/bind-devices
source "$1"

failures=0
fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}
expect() { [ "$2" = "$3" ] || fail "$1: '$2', expected '$3'"; }
expect_said() { grep -qF "$1" "$root/said" || fail "'$1' is not said, but: $(cat "$root/said")"; }

# device BDF DRIVER: a BAR 2 of 256 MiB that can be 256 MiB, 512 MiB or 1 GiB.
device() {
  local path=$DEVICES/$1
  mkdir -p "$path" "$root/drivers/$2"
  ln -sfn "$root/drivers/$2" "$path/driver"
  [ -n "$2" ] || rm "$path/driver"
  {
    echo "0x00000000fe000000 0x00000000fe003fff 0x0000000000140204"
    echo "0x0000000000000000 0x0000000000000000 0x0000000000000000"
    echo "0x0000008000000000 0x000000800fffffff 0x000000000014220c"
  } >"$path/resource"
  echo 0000000000000700 >"$path/resource2_resize"
  : >"$path/driver_override"
}

# Stands for the kernel; $refuse is what it says to a resize.
refuse=
put() {
  local path=${2%/*}
  case $2 in
  */driver/unbind)
    echo "unbind ${path%/driver}" >>"$root/log"
    rm "${path%/driver}"/driver
    ;;
  */drivers_probe)
    echo "probe $(cat "$DEVICES/$1/driver_override")" >>"$root/log"
    ln -sfn "$root/drivers/vfio-pci" "$DEVICES/$1/driver"
    ;;
  *_resize)
    echo "resize $1" >>"$root/log"
    if [ -e "$path/driver" ]; then
      echo "bind-devices: line 1: echo: write error: Device or resource busy" >&2
      return 1
    fi
    if [ -n "$refuse" ]; then
      echo "bind-devices: line 1: echo: write error: $refuse" >&2
      return 1
    fi
    sed -i "3s/.*/$(printf '0x%016x 0x%016x' $((0x8000000000)) $((0x8000000000 + (1 << (20 + $1)) - 1))) 0x14220c/" "$path/resource"
    ;;
  *) echo "$1" >"$2" ;;
  esac
}

# run CONFIG...: lines of the configuration. Sets $status.
run() {
  printf '%s\n' "$@" >"$root/config"
  : >"$root/log"
  status=0
  (bind_all show_config) 2>"$root/said" || status=$?
}
# As `p2pd --check-config` answers.
show_config() { cat "$root/config"; }
steps() { sed "s|$DEVICES/||" "$root/log" | paste -sd,; }

readonly MANAGED='managed_devices: "0000:3a:00.0"'
size() { printf 'bar_sizes {\n  device: "0000:3a:00.0"\n  bar: 2\n  size: "%s"\n}' "$1"; }
fresh() {
  rm -rf "$DEVICES"
  device 0000:3a:00.0 nvme
  refuse=
}

echo "a device is taken from its driver and bound"
fresh
run "$MANAGED"
expect status "$status" 0
expect steps "$(steps)" "unbind 0000:3a:00.0,probe vfio-pci"
expect override "$(cat "$DEVICES/0000:3a:00.0/driver_override")" ""

echo "a BAR is resized while no driver has the device"
fresh
run "$MANAGED" "$(size 1GiB)"
expect status "$status" 0
expect steps "$(steps)" "unbind 0000:3a:00.0,resize 10,probe vfio-pci"
expect size "$(size_now 0000:3a:00.0 2)" $((1 << 30))
expect_said "0000:3a:00.0: BAR 2 is 1GiB now"

echo "so it is where no driver had it"
fresh
rm "$DEVICES/0000:3a:00.0/driver"
run "$MANAGED" "$(size 512MiB)"
expect status "$status" 0
expect steps "$(steps)" "resize 9,probe vfio-pci"

echo "a BAR of the right size is left alone"
fresh
run "$MANAGED" "$(size 256MiB)"
expect status "$status" 0
expect steps "$(steps)" "unbind 0000:3a:00.0,probe vfio-pci"

echo "a size that the BAR cannot have is told with those that it can; the device is bound, and the others are"
fresh
device 0000:3b:00.0 nvme
run "$MANAGED" 'managed_devices: "0000:3b:00.0"' "$(size 16GiB)"
expect status "$status" 1
expect steps "$(steps)" "unbind 0000:3a:00.0,probe vfio-pci,unbind 0000:3b:00.0,probe vfio-pci"
expect_said "0000:3a:00.0: BAR 2 is not made 16GiB: it can be 256MiB 512MiB 1GiB"
expect driver "$(driver_of 0000:3a:00.0)" vfio-pci

echo "what the kernel cannot place is told with its reason; the device is bound"
fresh
refuse="No space left on device"
run "$MANAGED" "$(size 1GiB)"
expect status "$status" 1
expect_said "0000:3a:00.0: BAR 2 is not made 1GiB: the kernel refuses (No space left on device)"
expect driver "$(driver_of 0000:3a:00.0)" vfio-pci
expect override "$(cat "$DEVICES/0000:3a:00.0/driver_override")" ""

echo "a BAR that cannot be resized is told"
fresh
rm "$DEVICES/0000:3a:00.0/resource2_resize"
run "$MANAGED" "$(size 1GiB)"
expect status "$status" 1
expect_said "0000:3a:00.0: BAR 2 is not made 1GiB: it cannot be resized"

echo "a device that vfio-pci has already is not touched, and a wrong size is told"
fresh
ln -sfn "$root/drivers/vfio-pci" "$DEVICES/0000:3a:00.0/driver"
run "$MANAGED" "$(size 256MiB)"
expect status "$status" 0
run "$MANAGED" "$(size 1GiB)"
expect status "$status" 1
expect steps "$(steps)" ""
expect_said "0000:3a:00.0: BAR 2 is not made 1GiB: vfio-pci has the device; unbind it first"

[ "$failures" = 0 ] || exit 1
echo "all is well"
