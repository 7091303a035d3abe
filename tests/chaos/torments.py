"""What the chaos does to p2pd's clients and devices, at random moments, each in a thread of its own."""

import collections
import contextlib
import json
import os
import signal
import subprocess
import threading

import machine
from crew import where
from stage import Failure, program

NVME1, NVME2, FAR = "0000:01:00.0", "0000:02:00.0", "0000:08:00.0"
SETS, TWINS = ["0000:04:00.0", "0000:04:01.0"], ["0000:05:00.0", "0000:05:00.1"]
ENGINE, IVSHMEM = "0000:00:10.0", "0000:00:11.0"
RESETTABLE = [NVME1, NVME1, NVME1, NVME2, FAR, *SETS, *TWINS]
UNBINDABLE = [NVME1, NVME2, FAR, *SETS, *TWINS, ENGINE, IVSHMEM]
NO_CONNECTION = 3  # p2pctl(1)
LONGEST_STOP = 5  # seconds
UNTIL_KILLED = 5  # seconds that a holder of a device that is to go gets
WEIGHTS = {"reset": 6, "bus reset": 4, "kill": 4, "kill the keeper": 1, "stop": 5, "stop the keeper": 1,
           "revoke a session": 2, "revoke an export": 4, "unbind": 3, "unplug": 1, "error": 1, "fatal error": 1,
           "starve": 3}


class Tormentor:
    def __init__(self, random, p2pd, view, crew):
        self.random = random
        self.p2pd = p2pd
        self.view = view
        self.crew = crew
        self.plug = machine.Plug()
        self.starver = machine.Starver(p2pd.process.pid)
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.busy = set()  # devices that are on their way out or in
        self.threads = []
        self.counts = collections.Counter()
        self.broken = []
        self.waits = []  # where p2pd's threads were when it let somebody wait
        self.weights = dict(WEIGHTS)
        if not self.starver.available:
            del self.weights["starve"]

    def torment(self):
        """Begins one torment."""
        kind = self.random.choices(list(self.weights), list(self.weights.values()))[0]
        act = {"reset": lambda: self.reset("function"), "bus reset": lambda: self.reset("bus"), "kill": self.kill,
               "kill the keeper": self.kill_keeper, "stop": self.stop, "stop the keeper": self.stop_keeper,
               "revoke a session": lambda: self.revoke("sessions/"), "revoke an export": lambda: self.revoke("exports/"),
               "unbind": self.unbind, "unplug": self.unplug, "error": lambda: self.error(False),
               "fatal error": lambda: self.error(True), "starve": self.starve}[kind]
        # The dice are this thread's: what the other threads do with them would depend on who comes first.
        job = act()
        if job is None:
            return self.count(f"{kind}: nothing to torment")
        thread = threading.Thread(target=self._run, args=[kind, job], daemon=True)
        self.threads.append(thread)
        thread.start()

    def _run(self, kind, job):
        try:
            self.count(f"{kind}: {job()}")
        except (Failure, OSError, subprocess.TimeoutExpired) as error:
            self.count(f"{kind}: BROKEN")
            with self.lock:
                self.broken.append(f"{kind}: {error}")

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def finish(self):
        """Lets what was begun come to its end."""
        self.over.set()
        for thread in self.threads:
            thread.join(3 * machine.PATIENCE)
            if thread.is_alive():
                raise Failure("a torment does not end")
        if self.starver.available:
            self.counts["starve: failures that never came"] = self.starver.feed()

    @contextlib.contextmanager
    def _claimed(self, devices):
        try:
            yield
        finally:
            with self.lock:
                self.busy -= set(devices)

    def _claim(self, *devices):
        with self.lock:
            if self.busy & set(devices):
                return False
            self.busy |= set(devices)
            return True

    # ---- p2pctl ------------------------------------------------------------------------------------------

    def p2pctl(self, *arguments):
        """The outcome of a command: ok, FAILED (says the receipt), or why p2pd refused."""
        done = subprocess.run([program("p2pctl"), *self.p2pd.sockets, "--json", *arguments], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=150, text=True, check=False)
        if done.returncode == 0:
            return "ok"
        if done.returncode == NO_CONNECTION:
            # Nobody may wait for p2pd's gRPC server so long, but the machine is slow: it is told, with what kept it.
            with self.lock:
                self.waits.append(where(self.p2pd.process.pid))
            return "no connection within 5 s"
        errors = [json.loads(line)["error"] for line in done.stderr.splitlines() if line.startswith('{"error"')]
        if errors and errors[0]["code"] == "ABORTED":
            return "FAILED, says its receipt"
        reason = errors[0].get("detail", {}).get("reason", "") if errors else ""
        if reason in ("", "REASON_UNSPECIFIED"):
            raise Failure(f"p2pctl {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
        return reason

    def reset(self, scope):
        bdf = self.random.choice(RESETTABLE)
        return lambda: self.p2pctl("reset", bdf, "--scope", scope)

    def revoke(self, kind):
        names = [name for name in self.view.names(kind) if self.is_crews(name)]
        if not names:
            return None
        name = self.random.choice(names)
        return lambda: self.p2pctl("revoke", name, "--reason", "chaos")

    def is_crews(self, name):
        thing = self.view.get(name) or {}
        return thing.get("client", "chaos").startswith("chaos")

    # ---- processes ---------------------------------------------------------------------------------------

    def kill(self):
        player = self.random.choice(self.crew.players[1:])
        return lambda: self.crew.kill(player) or "done"

    def kill_keeper(self):
        player = self.crew.players[0]
        return lambda: self.crew.kill(player) or "done"

    def stop(self):
        return self._stop(self.random.choice(self.crew.players[1:]))

    def stop_keeper(self):
        return self._stop(self.crew.players[0])

    def _stop(self, player):
        seconds = self.random.uniform(0.1, LONGEST_STOP)

        def job():
            player.signal(signal.SIGSTOP)
            self.over.wait(seconds)
            player.signal(signal.SIGCONT)
            return "done"
        return job

    def starve(self):
        threads = self.starver.threads()
        thread, nth = self.random.choice(threads), self.random.randint(1, 60)

        def job():
            try:
                self.starver.starve(thread, nth)
            except (FileNotFoundError, ProcessLookupError):
                return "the thread had ended"
            return "one allocation is to fail"
        return job

    # ---- devices -----------------------------------------------------------------------------------------

    def unbind(self):
        bdf = self.random.choice(UNBINDABLE)
        if not self._claim(bdf):
            return None

        return lambda: self._unbind_and_bind(bdf)

    def _unbind_and_bind(self, bdf):
        with self._claimed([bdf]):
            if not os.path.exists(f"{machine.DRIVER}/{bdf}"):
                return "was not bound"
            unbinding = machine.start_unbind(bdf)
            self._await_letting_go(bdf, lambda: unbinding.poll() is not None)
            self.view.await_object(f"devices/{bdf}", state="GONE")
            machine.bind(bdf)
            self._await_return(bdf)
            return "and bound again"

    def take_all_away(self):
        """Once more, when the chaos is over: whatever p2pd keeps for a device while it has it goes, too."""
        for bdf in UNBINDABLE:
            self.count(f"at the end, unbind: {self._unbind_and_bind(bdf)}")

    def unplug(self):
        if not self._claim(NVME2):
            return None

        def job():
            with self._claimed([NVME2]):
                self.plug.pull("nvme2")
                self._await_letting_go(NVME2, lambda: not os.path.exists(f"{machine.DEVICES}/{NVME2}"))
                self.plug.await_pulled("nvme2")
                self.view.await_object(f"devices/{NVME2}", state="GONE")
                self.plug.push(NVME2, "nvme2", bus="rp2", drive="d2", serial="imp0")
                self._await_return(NVME2)
                return "and plugged in again"
        return job

    def _await_letting_go(self, bdf, gone):
        """Who is told to let go and does not is killed, as an operator would do whom p2pd tells who it is."""
        try:
            return machine.poll(f"{bdf} gone", gone, UNTIL_KILLED + 5)
        except Failure:
            pass

        def gone_or_held():
            for holder in (self.view.get(f"devices/{bdf}") or {}).get("holders", []):
                if self.crew.kill_pid(holder["pid"]):
                    self.count("holder that did not let go: killed")
            return gone()
        return machine.poll(f"{bdf} gone", gone_or_held)

    def _await_return(self, bdf):
        self.view.wait(f"{bdf} back", lambda: self.view.objects.get(f"devices/{bdf}", {}).get("state") != "GONE",
                       machine.PATIENCE)

    def error(self, fatal):
        if not self._claim(*TWINS):
            return None
        bdf = self.random.choice(TWINS)

        def job():
            with self._claimed(TWINS):
                before = self._generations(TWINS)
                machine.inject_error(bdf, fatal)
                try:
                    machine.poll("noticed", lambda: self._generations(TWINS) != before, 20)
                except Failure:
                    return "p2pd did nothing"
                return "noticed"
        return job

    def _generations(self, devices):
        return [(self.view.get(f"devices/{bdf}") or {}).get("generation") for bdf in devices]
