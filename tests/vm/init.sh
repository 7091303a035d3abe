#!/bin/bash
# PID 1 of the VM (tests/vm/vm.py). Puts a layer of memory over the host's root, which arrives read-only
# over 9p, binds the devices to vfio-pci, runs the job's command and leaves its exit status to the host.
#
# It runs twice: first on the host's root, to build the layered one; then, as "init.sh layered", inside it.
# With systemd as PID 1 a service runs it once more, as "init.sh command".
set -eu
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

readonly P9=trans=virtio,version=9p2000.L,msize=512000

# The layered root is everything that the guest sees from here on.
enter_layered_root() {
  mount -t tmpfs tmpfs /run
  mkdir /run/upper /run/work /run/root
  mount -t overlay -o lowerdir=/,upperdir=/run/upper,workdir=/run/work overlay /run/root
  mount --move /dev /run/root/dev
  cd /run/root
  pivot_root . mnt
  exec chroot . "$0" layered
}

mount_file_systems() {
  mount -t proc proc /proc
  umount -l /mnt
  mount -t sysfs sysfs /sys
  mount -t debugfs debugfs /sys/kernel/debug
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  mount -t tmpfs -o mode=0755 tmpfs /run
  mkdir -p /dev/shm /dev/pts
  mount -t tmpfs -o mode=1777 tmpfs /dev/shm
  mount -t devpts -o gid=5,mode=0620,ptmxmode=0666 devpts /dev/pts
  mkdir /run/job /run/bin /run/lock
  mount -t 9p -o "$P9" job /run/job
  # shellcheck source=/dev/null
  . /run/job/job.sh
  if [ "$JOB_SHARE" = yes ]; then
    mkdir /run/share
    mount -t 9p -o "$P9" share /run/share
  fi
}

# udev is not there to name them.
name_virtio_ports() {
  local port
  mkdir -p /dev/virtio-ports
  for port in /sys/class/virtio-ports/*; do
    ln -s "../${port##*/}" "/dev/virtio-ports/$(cat "$port/name")"
  done
}

# The host hears that each virtual CPU still runs. When it asks why the command is not done, every thread says what it
# waits for, and the kernel's log shows the stacks of those that wait uninterruptibly.
keep_pulse() {
  exec 3<>/dev/virtio-ports/pulse
  local cpu
  for cpu in /sys/devices/system/cpu/cpu[0-9]*; do
    cpu=${cpu##*cpu}
    # shellcheck disable=SC2016 # the inner shell's
    taskset -c "$cpu" sh -c 'while echo "$0"; do sleep 2; done' "$cpu" >&3 &
  done
  while read -r _ <&3; do
    echo w >/proc/sysrq-trigger
    ps -Lo pid,tid,stat,psr,wchan:32,comm --ppid 2 -p 2 --deselect >&3
    echo . >&3
  done
}

bind_to_vfio() {
  local bdf
  for bdf in "${JOB_BIND[@]}"; do
    echo vfio-pci >"/sys/bus/pci/devices/$bdf/driver_override"
    echo "$bdf" >/sys/bus/pci/drivers_probe
    [ -e "/sys/bus/pci/drivers/vfio-pci/$bdf" ] || echo "init: vfio-pci did not take $bdf"
    make_virtual_functions "/sys/bus/pci/devices/$bdf"
  done
}

# vfio-pci takes the virtual functions that it makes.
make_virtual_functions() {
  if [ -e "$1/sriov_totalvfs" ]; then cat "$1/sriov_totalvfs" >"$1/sriov_numvfs"; fi
}

# Whoever may reach them on the host: here every user may run the job's programs, and be in its folder.
open_paths() {
  local path
  for path in "${JOB_REACH[@]}"; do
    while [ -n "$path" ]; do
      if [ -d "$path" ]; then chmod a+x "$path"; fi
      path=${path%/*}
    done
  done
  for path in "${JOB_COPY[@]}"; do
    install -m 0755 "$path" "/run/bin/${path##*/}"
  done
}

power_off() {
  sync
  echo o >/proc/sysrq-trigger
  while :; do :; done  # The root is on a device that is being shut down: nothing can be run any more.
}

run_command() {
  local status=0
  (
    cd "$JOB_CWD" || exit 127
    export HOME=/root TERM=dumb PATH="/run/bin:$PATH"
    for variable in "${JOB_ENV[@]}"; do export "${variable?}"; done
    exec setsid "${JOB_COMMAND[@]}" </dev/null >/dev/virtio-ports/output 2>&1
  ) || status=$?
  echo "$status" >/run/job/status
}

# What a machine of this kind has no use for, and what would take the devices or the root away.
mask_units() {
  local unit
  for unit in systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udev-trigger.service \
    systemd-networkd.service systemd-resolved.service systemd-timesyncd.service systemd-remount-fs.service \
    systemd-fsck-root.service systemd-journal-flush.service systemd-random-seed.service systemd-update-utmp.service \
    systemd-firstboot.service systemd-hwdb-update.service systemd-machine-id-commit.service \
    systemd-modules-load.service systemd-binfmt.service systemd-sysctl.service tmp.mount dev-hugepages.mount \
    timers.target; do
    ln -sf /dev/null "/run/systemd/system/$unit"
  done
  # Its --remove would empty the host's whole /tmp, in the layer above it.
  mkdir /run/systemd/system/systemd-tmpfiles-setup.service.d
  cat >/run/systemd/system/systemd-tmpfiles-setup.service.d/vm.conf <<UNIT
[Service]
ExecStart=
ExecStart=systemd-tmpfiles --create --boot --exclude-prefix=/dev
UNIT
}

become_systemd() {
  mkdir -p /run/systemd/system
  mask_units
  : >/etc/fstab
  rm -f /.dockerenv  # The host may be a container; this is a machine.
  cat >/run/systemd/system/vm.service <<UNIT
[Unit]
Requires=dbus.socket
After=basic.target dbus.socket
[Service]
Type=oneshot
ExecStart="$0" command
UNIT
  cat >/run/systemd/system/vm.target <<UNIT
[Unit]
Requires=basic.target vm.service
AllowIsolate=yes
UNIT
  exec /lib/systemd/systemd --unit=vm.target --show-status=no --log-target=kmsg
}

set_up() {
  mount_file_systems
  echo p2pd-vm >/proc/sys/kernel/hostname
  ip link set lo up
  name_virtio_ports
  keep_pulse &
  bind_to_vfio
  open_paths
}

case "${1:-}" in
  layered)
    set_up
    if [ "$JOB_INIT" = systemd ]; then become_systemd; fi
    ;;
  command)
    # shellcheck source=/dev/null
    . /run/job/job.sh
    ;;
  *) enter_layered_root ;;
esac
run_command
power_off
