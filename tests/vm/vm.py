#!/usr/bin/env python3
"""Runs a command on a real Linux 7.3 kernel, in a virtual machine without hardware support (QEMU's TCG).

usage: tests/vm/vm.py [OPTION...] -- COMMAND [ARG...]

The machine has a VT-d IOMMU and real emulated PCI devices, each bound to vfio-pci in a group of its own:
  0000:01:00.0  NVMe "exp0", BAR 2 is a 64 MiB controller memory buffer; FLR
  0000:02:00.0  NVMe "imp0"; FLR
  0000:00:10.0  edu, a small DMA engine; no reset
  0000:00:11.0  ivshmem, BAR 2 is 64 MiB of plain memory; no reset
More devices come with --add, bound to vfio-pci too:
  sets    0000:04:00.0 and 0000:04:01.0, NVMe "set0" and "set1" on one bus, each in a group of its own;
          0000:05:00.0 and 0000:05:00.1, e1000e with AER, two functions of one device, in one group
  switch  0000:05:00.0 (0000:08:00.0 where "sets" are, too), NVMe "far0" behind an x3130 switch, whose ports have no
          ACS, in one group with the downstream port
  virtual 0000:03:00.0 (0000:06:00.0 where "sets" are, too), NVMe "physical0" with a virtual function, 03:00.1, made
          by vfio-pci; without a memory buffer
BAR 2 of the other NVMe is a 16 MiB controller memory buffer. With --qmp the guest can unplug "nvme1", "nvme2" (device_del)
and plug them in again (device_add, with bus "rp1" or "rp2" and drive "d1" or "d2").
Its root is this machine's own, at the same paths, under a layer of memory: the guest may change
everything, and nothing outlives it but what it writes to /run/share. The command runs as root in the
caller's folder; its output comes here as it is written, everything else goes to stderr or the kernel log.

Each virtual CPU has a pulse. Where one stops, or boot takes so long that none begins, the emulator has lost an interrupt
(seen in one of some hundred machines), or the kernel runs with interrupts off for ever: its last words are shown, and the
machine is started again, once. When time is up, it says what everybody waits for.

Exit status: the command's; 124 when time is up; 125 when the machine ends before the command does; 126 when it stands
still.
"""

import argparse
import contextlib
import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
DEVICES = ["0000:01:00.0", "0000:02:00.0", "0000:00:10.0", "0000:00:11.0"]
TIMED_OUT = 124
MACHINE_DIED = 125
STANDS_STILL = 126
TO_SAY_WHY = 60  # seconds, at most

# How each IOMMU is built: its device, kernel parameters, and whether it isolates interrupts.
IOMMUS = {
    "intel": ("intel-iommu,intremap=on,caching-mode=on,aw-bits=48", "intel_iommu=on"),
    "virtio": ("virtio-iommu-pci,addr=0x1e", "iommufd.allow_unsafe_interrupts=1"),
    "amd": ("amd-iommu", "iommufd.allow_unsafe_interrupts=1"),
    "none": (None, ""),
}


def small_nvme(name, place):
    return ["-blockdev", f"driver=null-co,node-name={name},size={64 << 20},read-zeroes=on",
            "-device", f"nvme,id={name},drive={name},serial={name},cmb_size_mb=16,{place}"]


def one_bus(port):
    """The switch's own bus: no real switch has endpoints there, but nothing else puts two groups on one bus."""
    return ["-device", f"x3130-upstream,id=up{port},bus=rp{port}",
            *small_nvme("set0", f"bus=up{port},addr=0"), *small_nvme("set1", f"bus=up{port},addr=1")]


def twins(port):
    return ["-device", f"e1000e,id=twin0,bus=rp{port},addr=0.0,multifunction=on,romfile=",
            "-device", f"e1000e,id=twin1,bus=rp{port},addr=0.1,romfile="]


def behind_switch(port):
    return ["-device", f"x3130-upstream,id=up{port},bus=rp{port}",
            "-device", f"xio3130-downstream,id=down{port},bus=up{port},chassis={port + 16},slot={port + 16}",
            *small_nvme("far0", f"bus=down{port}")]


def with_virtual_function(port):
    return ["-device", f"nvme-subsys,id=subsystem{port}",
            "-device", f"nvme,bus=rp{port},serial=physical0,subsys=subsystem{port},sriov_max_vfs=1,sriov_vq_flexible=2,"
                       "sriov_vi_flexible=1,max_ioqpairs=4,msix_qsize=4"]


# What --add adds: below a root port of its own each, how many buses that takes, and for vfio-pci the functions on them.
EXTRAS = {
    "sets": [(one_bus, 2, [(1, "00.0"), (1, "01.0")]), (twins, 1, [(0, "00.0"), (0, "00.1")])],
    "switch": [(behind_switch, 3, [(2, "00.0")])],
    "virtual": [(with_virtual_function, 1, [(0, "00.0")])],
}


def extras(names):
    """QEMU's arguments and vfio-pci's functions for what --add names."""
    args, functions = [], []
    port, bus = 3, 3
    for name in sorted(set(names)):
        for devices, buses, numbers in EXTRAS[name]:
            args += [*root_port(port), *devices(port)]
            functions += [f"0000:{bus + offset:02x}:{number}" for offset, number in numbers]
            port, bus = port + 1, bus + buses
    return args, functions


def root_port(port):
    return ["-device", f"pcie-root-port,id=rp{port},slot={port},chassis={port},addr={port + 3:#x}"]


def say(text):
    print(f"vm: {text}", file=sys.stderr, flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--disk0", metavar="FILE", help="disk of 0000:01:00.0 (default: 128 MiB of zeroes)")
    parser.add_argument("--disk1", metavar="FILE", help="disk of 0000:02:00.0 (likewise)")
    parser.add_argument("--memory", type=int, default=1024, metavar="MB")
    parser.add_argument("--timeout", type=float, default=900, metavar="S",
                        help="for boot and command, several times what it takes on a busy host (900)")
    parser.add_argument("--stall", type=float, default=90, metavar="S",
                        help="a virtual CPU without a pulse for so long stands still, in boot too (90)")
    parser.add_argument("--restarts", type=int, default=1, metavar="N", help="of a machine that stands still (1)")
    parser.add_argument("--kernel-log", metavar="FILE", help="where the guest kernel's messages go")
    parser.add_argument("--share", metavar="DIR", help="a folder that the guest sees, writable, at /run/share")
    parser.add_argument("--copy", action="append", default=[], metavar="PATH",
                        help="copied to /run/bin in the guest, for every user to run (repeatable)")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="(repeatable)")
    parser.add_argument("--systemd", action="store_true", help="boot systemd, with D-Bus, and run the command under it")
    parser.add_argument("--iommu", choices=sorted(IOMMUS), default="intel",
                        help="intel, which the suites are written for; virtio reserves less, and QEMU 7.2's NVMe does no"
                             " DMA in time behind amd")
    parser.add_argument("--bind", action="append", metavar="BDF",
                        help="bind these devices to vfio-pci instead of all (repeatable; 'none' for none)")
    parser.add_argument("--add", choices=sorted(EXTRAS), action="append", default=[],
                        help="more devices, as above (repeatable)")
    parser.add_argument("--nvme-driver", action="store_true",
                        help="let the kernel's own driver have the NVMe devices that are not bound to vfio-pci")
    parser.add_argument("--qmp", action="store_true",
                        help="let the guest command its own machine, through /dev/virtio-ports/qmp")
    parser.add_argument("--qemu", action="append", default=[], metavar="ARG",
                        help="one more argument for QEMU, as --qemu=-device --qemu=e1000e (repeatable)")
    parser.add_argument("--append", action="append", default=[], metavar="PARAM", help="a kernel parameter (repeatable)")
    parser.add_argument("command", nargs="+", metavar="COMMAND")
    return parser.parse_args()


def kernel_image():
    built = subprocess.run([HERE / "kernel.sh"], stdout=subprocess.PIPE, text=True, check=False)
    if built.returncode != 0:
        sys.exit(MACHINE_DIED)
    return built.stdout.strip() + "/bzImage"


def resolve_program(command, copies):
    """The command with its program as a path that means the same in the guest."""
    program = shutil.which(command[0])
    if command[0] in (os.path.basename(path) for path in copies):
        return command
    if not program:
        sys.exit(f"vm: no such program: {command[0]}")
    return [os.path.realpath(program)] + command[1:]


def write_job(job, options):
    """What init.sh is to do, as shell variables: nothing passes through the kernel's command line."""
    bind = DEVICES + extras(options.add)[1] if options.bind is None else [bdf for bdf in options.bind if bdf != "none"]
    copies = [os.path.realpath(path) for path in options.copy]
    for path in copies:
        if not os.path.isfile(path):
            sys.exit(f"vm: --copy {path}: no such file")
    command = resolve_program(options.command, copies)
    arrays = {
        "JOB_COMMAND": command,
        "JOB_BIND": bind,
        "JOB_COPY": copies,
        "JOB_ENV": options.env,
        "JOB_REACH": [os.getcwd(), *(os.path.realpath(arg) for arg in command if os.path.exists(arg))],
    }
    lines = [f"{name}=({shlex.join(values)})" for name, values in arrays.items()]
    lines.append(f"JOB_CWD={shlex.quote(os.getcwd())}")
    lines.append(f"JOB_INIT={'systemd' if options.systemd else 'command'}")
    lines.append(f"JOB_SHARE={'yes' if options.share else 'no'}")
    (job / "job.sh").write_text("\n".join(lines) + "\n")


def disk(path, work, name):
    if path:
        return os.path.realpath(path)
    fresh = work / f"{name}.img"
    with open(fresh, "wb") as image:
        image.truncate(128 << 20)
    return str(fresh)


def share(tag, path, readonly=False):
    flags = ",readonly=on" if readonly else ""
    return ["-virtfs", f"local,path={path},mount_tag={tag},security_model=none,multidevs=remap{flags}"]


def virtio_port(name, chardev):
    return ["-chardev", f"{chardev},id={name}", "-device", f"virtserialport,chardev={name},name={name}"]


def kernel_parameters(options):
    init = str(HERE / "init.sh")
    if any(c in init for c in " \"'"):
        sys.exit(f"vm: the kernel takes no init with blanks or quotes in its path: {init}")
    return " ".join([
        # Whether the timer ticks is not asked for: on a busy host it may be late, and the kernel would give up.
        "console=ttyS0 panic=-1 oops=panic iommu=nopt no_timer_check vfio_pci.enable_sriov=1",
        # Ticks that come by themselves: of a timer that is set anew each time, one interrupt lost is the last.
        "nohz=off highres=off",
        # The NVMe devices are VFIO's from the start.
        "" if options.nvme_driver else "initcall_blacklist=nvme_init",
        "root=root rootfstype=9p rootflags=trans=virtio,version=9p2000.L,msize=512000,cache=loose ro",
        f"init={init}", IOMMUS[options.iommu][1], *options.append,
    ])


def qemu_command(options, work, kernel_log, output, pulse):
    """The machine. Addresses are fixed, so that BDFs do not change with the options; the command writes to `output`."""
    iommu = IOMMUS[options.iommu][0]
    disks = [disk(options.disk0, work, "disk0"), disk(options.disk1, work, "disk1")]
    args = [
        "qemu-system-x86_64", "-M", "q35,kernel-irqchip=split", "-accel", "tcg,thread=multi", "-cpu", "max",
        "-smp", "2", "-m", str(options.memory), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        "-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off",
        "-kernel", kernel_image(), "-append", kernel_parameters(options), "-serial", f"file:{kernel_log}",
    ]
    if iommu:
        args += ["-device", iommu]
    for port, image, identity in ((1, disks[0], "serial=exp0,cmb_size_mb=64"), (2, disks[1], "serial=imp0")):
        # A -drive would go with the device when that is unplugged.
        args += [*root_port(port),
                 "-blockdev", f"driver=file,node-name=f{port},cache.no-flush=on,filename={image}",
                 "-blockdev", f"driver=raw,node-name=d{port},cache.no-flush=on,file=f{port}",
                 "-device", f"nvme,id=nvme{port},bus=rp{port},drive=d{port},{identity}"]
    args += ["-device", "edu,addr=0x10",
             "-object", "memory-backend-memfd,id=shm0,size=64M,share=on",
             "-device", "ivshmem-plain,memdev=shm0,addr=0x11"]
    args += extras(options.add)[0]
    args += ["-device", "virtio-serial-pci,id=ports,addr=0x18", *virtio_port("output", f"socket,fd={output.fileno()}"),
             *virtio_port("pulse", f"socket,fd={pulse.fileno()}")]
    if options.qmp:
        path = work / "qmp.sock"
        args += ["-chardev", f"socket,id=monitor,path={path},server=on,wait=off", "-mon", "chardev=monitor,mode=control",
                 *virtio_port("qmp", f"socket,path={path}")]
    args += share("root", "/", readonly=True) + share("job", work / "job")
    if options.share:
        args += share("share", os.path.realpath(options.share))
    return args + options.qemu


def pump(source):
    """Passes the command's output on, until the machine closes its end. Nobody reads any more: nothing to run for."""
    try:
        while data := source.recv(1 << 16):
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.kill(os.getpid(), signal.SIGTERM)


class Pulse:
    """Hears each virtual CPU's, and what the guest says when it is asked why it is not done."""

    def __init__(self, port):
        self.port = port
        self.last = {"0": time.monotonic()}  # when, by the number of the CPU; the first has from now on to boot
        self.said = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        with contextlib.suppress(ConnectionResetError), self.port.makefile(errors="replace") as lines:
            for line in map(str.rstrip, lines):
                if line.isdecimal():
                    self.last[line] = time.monotonic()
                else:
                    self.said.append(line)

    def stopped(self, seconds):
        """The CPUs that have had none for so long: the first since the machine was started, the others since their first."""
        now = time.monotonic()
        return sorted(cpu for cpu, last in list(self.last.items()) if now - last > seconds)

    def ask_why(self, seconds):
        self.port.sendall(b"why\n")
        end = time.monotonic() + seconds
        while time.monotonic() < end and "." not in self.said:
            time.sleep(0.1)
        return [line for line in self.said if line != "."]


def run_machine(args, files, pulse, options, log):
    """Runs QEMU, which gets `files`, to its end, whatever it says itself going to `log`. Returns what became of it."""
    # The machine dies with this process, however that ends.
    args = ["setpriv", "--pdeathsig", "KILL", *args]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with open(log, "wb") as noise, subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=noise, stderr=noise,
                                                    pass_fds=[file.fileno() for file in files],
                                                    start_new_session=True) as machine:
        for file in files:
            file.close()
        end = time.monotonic() + options.timeout
        try:
            while time.monotonic() < end:
                try:
                    machine.wait(min(1, max(0, end - time.monotonic())))
                    return MACHINE_DIED
                except subprocess.TimeoutExpired:
                    if stopped := pulse.stopped(options.stall):
                        say(f"virtual CPU {' and '.join(stopped)} has no pulse any more")
                        return STANDS_STILL
            say(f"time is up after {options.timeout:g} s")
            say("who waits for what:\n" + "\n".join(f"  {line}" for line in pulse.ask_why(TO_SAY_WHY)))
            return TIMED_OUT
        finally:
            machine.kill()


def read_lines(path):
    return pathlib.Path(path).read_text(errors="replace").splitlines() if os.path.exists(path) else []


def show_why(kernel_log, qemu_log):
    """QEMU's first words say why it died (a dump of registers follows), the kernel's last ones why it did."""
    for whose, lines in (("the kernel's last", read_lines(kernel_log)[-25:]), ("QEMU's first", read_lines(qemu_log)[:5])):
        if lines:
            say(f"{whose} words:\n" + "\n".join(f"  {line}" for line in lines))


def run_once(options):
    """Boots, runs the command, and returns its exit status, or what kept it from having one."""
    with tempfile.TemporaryDirectory(prefix="p2pd-vm-") as temporary:
        work = pathlib.Path(temporary)
        (work / "job").mkdir()
        write_job(work / "job", options)
        kernel_log = os.path.realpath(options.kernel_log or work / "kernel.log")
        qemu_log = work / "qemu.log"
        output, its_output = socket.socketpair()
        reader = threading.Thread(target=pump, args=[output], daemon=True)
        reader.start()
        port, its_port = socket.socketpair()
        command = qemu_command(options, work, kernel_log, its_output, its_port)
        outcome = run_machine(command, [its_output, its_port], Pulse(port), options, qemu_log)
        reader.join()
        status = work / "job" / "status"
        if status.exists() and status.read_text().strip():
            return int(status.read_text())
        show_why(kernel_log, qemu_log)
        if outcome == MACHINE_DIED:
            say("the machine ended before the command did")
        return outcome


def main():
    options = parse_arguments()
    if not shutil.which("qemu-system-x86_64"):
        sys.exit("vm: no qemu-system-x86_64: run tools/packages.sh vm")
    status = run_once(options)
    for _ in range(options.restarts):
        if status != STANDS_STILL:
            break
        say("the machine is started again")
        status = run_once(options)
    return status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
