"""What must be so when the chaos is over: nothing is left of anything, in p2pd and in the kernel."""

import collections
import json
import os
import re
import subprocess

import machine
from stage import Failure, program

SETTLED = 60  # seconds that p2pd gets to come to rest
BUFINFO = "/sys/kernel/debug/dma_buf/bufinfo"
EMPTY = ("exports", "address_spaces", "mappings", "mapped_bytes")

# The kernel's own mistakes that the chaos provokes: (name, what its first line matches). None is known.
KERNEL_BUGS = []


def descriptors(pid):
    """How many of each kind a process has open."""
    kinds = collections.Counter()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            continue  # Closed meanwhile.
        kinds[re.sub(r"\d+", "N", target)] += 1
    return kinds


def dma_bufs():
    """The kernel's count: its last line says "Total 0 objects, 0 bytes"."""
    with open(BUFINFO, encoding="ascii", errors="replace") as info:
        return int(re.findall(r"Total (\d+) objects", info.read())[-1])


def status(p2pd):
    shown = subprocess.run([program("p2pctl"), *p2pd.sockets, "--json", "status"], check=True, stdout=subprocess.PIPE,
                           timeout=150)
    return json.loads(shown.stdout)


class Aftermath:
    """Made while p2pd is at rest, before the chaos; looks again after it."""

    def __init__(self, p2pd, view):
        self.p2pd = p2pd
        self.view = view
        self.sessions = status(p2pd)["sessions"]  # p2pctl watch's, and p2pctl status's own
        self.descriptors = self._steady_descriptors()
        self.dma_bufs = dma_bufs()

    def _steady_descriptors(self):
        before = [None]

        def steady():
            now = descriptors(self.p2pd.process.pid)
            same, before[0] = now == before[0], now
            return now if same else None
        return machine.poll("p2pd's descriptors at rest", steady, SETTLED)

    def problems(self, kernel_log):
        """What is not as it must be."""
        checks = (self._tables, self._devices, self._descriptors, self._dma_bufs)
        return [problem for check in checks for problem in check()] + complaints(kernel_log)

    @staticmethod
    def _settles(what, look):
        """Empty once `look` finds nothing wrong; else what it found last."""
        found = [""]

        def fine():
            found[0] = look()
            return not found[0]
        try:
            machine.poll(what, fine, SETTLED)
            return []
        except Failure:
            return [f"{what}: {found[0]}"]

    def _tables(self):
        def look():
            now = status(self.p2pd)
            left = {key: now[key] for key in EMPTY if int(now[key]) != 0}
            if now["sessions"] != self.sessions:
                left["sessions"] = f"{now['sessions']}, not {self.sessions}"
            return left
        return self._settles("what p2pd still holds", look)

    def _devices(self):
        def look():
            return {name: f"{thing['state']} {thing['state_reason']} {thing['holders']}"
                    for name, thing in list(self.view.objects.items())
                    if name.startswith("devices/") and thing["state"] != "READY"}
        return self._settles("devices that are not READY", look)

    def _descriptors(self):
        def look():
            now = descriptors(self.p2pd.process.pid)
            return {kind: f"{now[kind]}, not {self.descriptors[kind]}" for kind in {*now, *self.descriptors}
                    if now[kind] != self.descriptors[kind]}
        return self._settles("p2pd's descriptors", look)

    def _dma_bufs(self):
        return self._settles("dma-bufs", lambda: f"{dma_bufs()}, not {self.dma_bufs}"
                             if dma_bufs() != self.dma_bufs else "")


def complaints(kernel_log):
    """Of the kernel, with what it said next; what is a known bug of its own is left out."""
    kernel_log.new_lines()
    found = []
    for number, line in enumerate(kernel_log.all_lines):
        if kernel_log.COMPLAINT.search(line) and not any(re.search(pattern, line) for _, pattern in KERNEL_BUGS):
            found.append("the kernel complains: " + "\n    ".join(kernel_log.all_lines[number:number + 30]))
    return found[:3]
