"""What the chaos does to the machine itself: drivers unbound, devices unplugged, errors injected, allocations that
fail. Whatever is waited for has a deadline."""

import glob
import json
import os
import struct
import subprocess
import threading
import time

from stage import Failure

DEVICES = "/sys/bus/pci/devices"
DRIVER = "/sys/bus/pci/drivers/vfio-pci"
QMP = "/dev/virtio-ports/qmp"
INJECTOR = "/dev/aer_inject"
FAILSLAB = "/sys/kernel/debug/failslab"
UNCORRECTABLE = {False: 1 << 14, True: 1 << 18}  # a completion timeout; a malformed TLP, which is fatal
PATIENCE = 90  # seconds: a plug's button alone takes five


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def poll(what, condition, seconds=PATIENCE):
    """Looks until the condition holds, and returns what it returned."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while time.monotonic() < deadline:
        result = condition()
        if result:
            return result
        pause.wait(0.05)
    raise Failure(f"{what}: not within {seconds} s")


def start_unbind(bdf):
    """The write lasts until nobody holds the device any more."""
    return subprocess.Popen(["sh", "-c", f"echo {bdf} >{DRIVER}/unbind"])


def bind(bdf):
    """As at boot: nobody else names its driver where no udev runs."""
    write(f"{DEVICES}/{bdf}/driver_override", "vfio-pci")
    write("/sys/bus/pci/drivers_probe", bdf)


class Plug:
    """Unplugs devices and plugs them in, by QEMU's monitor."""

    def __init__(self):
        self.port = os.fdopen(os.open(QMP, os.O_RDWR), "r+b", buffering=0)
        self.lines = []
        self.changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()
        self._command("qmp_capabilities")

    def _read(self):
        for line in iter(self.port.readline, b""):
            with self.changed:
                self.lines.append(json.loads(line))
                self.changed.notify_all()

    def _await(self, what, matches):
        def found():
            for line in self.lines:
                if "error" in line:
                    raise Failure(f"{what}: QEMU says {line['error']['desc']}")
            return next((line for line in self.lines if matches(line)), None)

        with self.changed:
            line = self.changed.wait_for(found, PATIENCE)
            if line is None:
                raise Failure(f"{what}: QEMU did not say so within {PATIENCE} s")
            self.lines.remove(line)

    def _command(self, name, **arguments):
        self.port.write(json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n")
        self._await(name, lambda line: "return" in line)

    def pull(self, name):
        self._command("device_del", id=name)

    def await_pulled(self, name):
        self._await(f"{name} unplugged", lambda line: line.get("event") == "DEVICE_DELETED"
                    and line["data"].get("device") == name)

    def push(self, bdf, name, **properties):
        self._command("device_add", driver="nvme", id=name, **properties)
        poll(f"{bdf} plugged in", lambda: os.path.exists(f"{DEVICES}/{bdf}/driver_override"))
        bind(bdf)


def inject_error(bdf, fatal):
    """drivers/pci/pcie/aer_inject.c: aer_error_inj."""
    domain, bus, rest = bdf.split(":")
    device, function = rest.split(".")
    error = struct.pack("<BBBxII4II", int(bus, 16), int(device, 16), int(function), UNCORRECTABLE[fatal], 0, 0, 0, 0, 0,
                        int(domain, 16))
    injector = os.open(INJECTOR, os.O_WRONLY)
    try:
        os.write(injector, error)
    finally:
        os.close(injector)


class Starver:
    """Has single allocations of a process's threads fail, in the kernel: the Nth of a thread, once. Only kmalloc's, not
    those from caches of their own. For the ACPI interpreter's a failure is too much: Linux 7.3 says "ACPI Error:
    AE_NO_MEMORY, Could not update object reference count (utdelete-651)", counts one reference too few, and when a
    VFIO_DEVICE_BIND_IOMMUFD next looks for the device's interrupt, acpi_ut_add_reference() reads freed memory (Oops).
    """

    def __init__(self, pid):
        self.pid = pid
        self.available = os.path.isdir(FAILSLAB) and os.path.exists("/proc/self/fail-nth")
        if self.available:
            write(f"{FAILSLAB}/ignore-gfp-wait", "N")
            write(f"{FAILSLAB}/cache-filter", "Y")
            for cache in glob.glob("/sys/kernel/slab/kmalloc-*/failslab"):
                write(cache, "1")
            # What fails by nature of the injection is not to look like a complaint of the kernel's.
            for verbose in glob.glob("/sys/kernel/debug/fail*/verbose"):
                write(verbose, "0")

    def threads(self):
        return sorted(glob.glob(f"/proc/{self.pid}/task/*/fail-nth"))

    def starve(self, thread, nth):
        write(thread, str(nth))

    def feed(self):
        """From now on nothing fails any more; how many failures never came."""
        left = 0
        for thread in self.threads():
            with open(thread, encoding="ascii") as file:
                left += file.read().strip() != "0"
            write(thread, "0")
        return left
