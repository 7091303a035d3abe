"""What the demonstration's scenario acts with: p2pd, its clients as users of their own, a view of p2pd's state,
and the kernel log. Whatever is waited for has a deadline; nothing sleeps and hopes."""

import collections
import json
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

PATIENCE = 40  # seconds: under emulation everything takes its time


class Failure(Exception):
    """Something that the scenario needs did not happen."""


def program(name):
    path = shutil.which(name)
    if not path:
        raise Failure(f"no program {name} on PATH: run deploy/demo.sh, which builds it")
    return path


class P2pd:
    """The daemon, as root. It says READY=1 as it would to systemd."""

    def __init__(self, folder, policy, simulate):
        self.folder = folder
        self.sockets = [f"--fd-socket={folder}/fds.sock", f"--grpc-socket={folder}/p2pd.sock"]
        self.log_path = f"{folder}/p2pd.log"
        command = [program("p2pd"), f"--policy={policy}", *self.sockets]
        if simulate:
            command.append(f"--simulate={simulate}")
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(f"{folder}/notify.sock")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, "NOTIFY_SOCKET": f"{folder}/notify.sock"})
        self._await_ready(notify)

    def _await_ready(self, notify):
        notify.settimeout(0.2)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if b"READY=1" in notify.recv(4096):
                    return
            except TimeoutError:
                pass
        raise Failure(f"p2pd did not start:\n{self.log()}")

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def stop(self):
        """Asks it to end, as a service manager does; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


class Lines:
    """The JSON objects that a process writes, a line each, as they come."""

    def __init__(self, stream):
        self.queue = queue.Queue()
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream):
        for line in stream:
            self.queue.put(json.loads(line))
        self.queue.put(None)

    def next(self, deadline):
        """The next one; None at the end. Raises queue.Empty when time is up."""
        return self.queue.get(timeout=max(0.0, deadline - time.monotonic()))


class Client:
    """An example client, run as a user of its own. It takes commands and reports events."""

    def __init__(self, p2pd, name, uid, *options):
        self.name = f"{name} (uid {uid})"
        self.command = " ".join([name, *options])
        with open(f"{p2pd.folder}/{name}.log", "ab") as log:
            self.process = subprocess.Popen([program(name), *p2pd.sockets, *options], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=log, user=uid, group=uid, extra_groups=[],
                                            cwd="/", text=True, bufsize=1)
        self.lines = Lines(self.process.stdout)
        self.unclaimed = collections.deque()

    def send(self, command):
        try:
            self.process.stdin.write(command + "\n")
        except BrokenPipeError as error:
            raise Failure(f"{self.name} has ended") from error

    def expect(self, event, seconds=PATIENCE, **fields):
        """Waits for an event with these fields; others are kept for later."""
        def matches(report):
            return report["event"] == event and all(report.get(key) == value for key, value in fields.items())

        for report in self.unclaimed:
            if matches(report):
                self.unclaimed.remove(report)
                return report
        deadline = time.monotonic() + seconds
        while True:
            try:
                report = self.lines.next(deadline)
            except queue.Empty as error:
                raise Failure(f"{self.name}: no '{event}' within {seconds} s") from error
            if report is None:
                raise Failure(f"{self.name} ended before it said '{event}'")
            if matches(report):
                return report
            if report["event"] == "failed":
                raise Failure(f"{self.name} failed: {report['message']}")
            self.unclaimed.append(report)

    def traffic(self, condition=lambda counts: True):
        """Asks for the counts of its traffic until they meet the condition."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            counts = self.ask("count", "traffic")
            if condition(counts):
                return counts
        raise Failure(f"{self.name}: its traffic never got there: {counts}")

    def ask(self, command, event, **fields):
        self.send(command)
        return self.expect(event, **fields)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)

    def end(self):
        """Lets it end by itself, for there are no more commands; its exit status."""
        self.process.stdin.close()
        return self.process.wait(PATIENCE)


class View:
    """p2pd's state as root may see it, kept up to date by `p2pctl watch`: in the order of what happens, and a
    moment later, so that what a client has said may still be on its way here."""

    KINDS = ("device", "session", "export", "address_space", "mapping", "operation")

    def __init__(self, p2pd):
        self.objects = {}  # by name
        self.receipts = {}  # of operations that are over, in full
        self.sockets = p2pd.sockets
        self.changed = threading.Condition()
        self.in_sync = self.ended = False
        with open(f"{p2pd.folder}/watch.log", "wb") as log:
            self.process = subprocess.Popen([program("p2pctl"), *p2pd.sockets, "watch", "--json"],
                                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        threading.Thread(target=self._follow, daemon=True).start()
        self.wait("the snapshot of p2pd's state", lambda: self.in_sync)

    def _follow(self):
        for line in self.process.stdout:
            with self.changed:
                self._hear(json.loads(line))
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def _hear(self, event):
        self.in_sync = self.in_sync or event["type"] == "IN_SYNC"
        for kind in self.KINDS:
            if kind not in event:
                continue
            if event["type"] == "DELETED":
                self.objects.pop(event[kind]["name"], None)
            else:
                self.objects[event[kind]["name"]] = event[kind]

    def wait(self, what, condition, seconds=PATIENCE):
        """Waits until the condition is true, and returns what it returned."""
        with self.changed:
            result = self.changed.wait_for(lambda: condition() or self.ended, seconds)
            if self.ended:
                raise Failure(f"{what}: p2pctl watch has ended")
        if not result:
            raise Failure(f"{what}: not within {seconds} s")
        return result

    def get(self, name):
        with self.changed:
            return self.objects.get(name)

    def await_object(self, name, **fields):
        """Waits until the object has these fields."""
        def there():
            thing = self.objects.get(name, {})
            return thing if thing and all(thing.get(key) == value for key, value in fields.items()) else None
        return self.wait(f"{name} with {fields}", there)

    def await_receipt(self, matches):
        def finished():
            over = [name for name, thing in self.objects.items()
                    if name.startswith("operations/") and thing["state"] != "RUNNING"]
            return next((receipt for receipt in map(self.receipt, over) if matches(receipt)), None)
        return self.wait("the operation's receipt", finished)

    def receipt(self, name):
        """What an event leaves out is there, too: what became of each mapping."""
        if name not in self.receipts:
            shown = subprocess.run([program("p2pctl"), *self.sockets, "operation", "show", name, "--json"],
                                   check=True, stdout=subprocess.PIPE)
            self.receipts[name] = json.loads(shown.stdout)
        return self.receipts[name]

    def names(self, *prefixes):
        with self.changed:
            return sorted(name for name in self.objects if name.startswith(prefixes))

    def stop(self):
        self.process.kill()
        self.process.wait()


class KernelLog:
    """What the kernel says from now on; of interest are the IOMMU's faults, and what should never be there."""

    COMPLAINT = re.compile(r"BUG:|WARNING:|Oops|Call Trace|refcount_t|use-after-free|general protection")
    FAULT = re.compile(r"DMAR: .*Request device \[([0-9a-f:.]+)\] fault addr (0x[0-9a-f]+)")

    def __init__(self):
        self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.fd, 0, os.SEEK_END)
        self.all_lines = []

    def complaints(self):
        self.new_lines()
        return [line for line in self.all_lines if self.COMPLAINT.search(line)]

    def new_lines(self):
        lines = self._read()
        self.all_lines += lines
        return lines

    def _read(self):
        lines = []
        while True:
            try:
                record = os.read(self.fd, 8192).decode(errors="replace")
            except BlockingIOError:
                return lines
            except BrokenPipeError:
                lines.append("(older lines were overwritten)")
                continue
            lines.append(record.split(";", 1)[-1].splitlines()[0])

    def new_faults(self):
        """(line, device, address) of each fault since the last look."""
        faults = []
        for line in self.new_lines():
            found = self.FAULT.search(line)
            if found:
                faults.append((line, found.group(1), int(found.group(2), 16)))
        return faults
