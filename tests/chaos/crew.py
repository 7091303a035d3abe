"""The chaos's clients and the keeper: processes that come back when they end, and what they say they did."""

import collections
import json
import os
import signal
import subprocess
import threading

from stage import PATIENCE, Failure, program

MET_SIGBUS = 3  # tests/chaos/player.h
ENGINE = "devices/0000:00:10.0"
OTHERS = ["0000:02:00.0", "0000:04:00.0", "0000:04:01.0", "0000:05:00.0", "0000:05:00.1", "0000:08:00.0"]
# Narrow, so that they meet: of NVMe 1's buffer, ivshmem, a buffer on the shared bus, and a twin's packet memory.
PLACES = ["0000:01:00.0/2/0/524288", "0000:01:00.0/2/0/524288", "0000:00:11.0/2/0/262144",
          "0000:04:00.0/2/0/131072", "0000:05:00.0/0/65536/32768"]

KEEPER = ("chaos_keeper", 3001, [])
# There is one engine, so not all of them drive it.
CLIENTS = [("chaos_client", uid, ["--manner", manner, *(["--engine", ENGINE] if engine else [])])
           for uid, manner, engine in ((3002, "at-once", True), (3003, "late", True), (3004, "never", False),
                                       (3005, "goes-on", True), (3005, "goes-on", True))]


class Player:
    """One process, which plays a role of the crew's."""

    def __init__(self, crew, role, seed):
        name, uid, options = self.role = role
        command = [program(name), f"--fd-socket={crew.p2pd.folder}/fds.sock",
                   f"--grpc-socket={crew.p2pd.folder}/p2pd.sock", f"--seed={seed}", *options]
        if name == "chaos_client":
            command += [*(f"--drive=devices/{bdf}" for bdf in OTHERS),
                        *(f"--place={place}" for place in PLACES)]
        with open(f"{crew.p2pd.folder}/{name}.log", "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, user=uid,
                                            group=uid, extra_groups=[], cwd="/", text=True)
        self.name = " ".join([name, *options])
        self.reader = threading.Thread(target=self._read, args=[crew], daemon=True)
        self.reader.start()

    def _read(self, crew):
        for line in self.process.stdout:
            try:
                crew.hear(self, json.loads(line))
            except json.JSONDecodeError:
                crew.count("said half a line")  # It was killed there.

    def signal(self, number):
        if self.process.poll() is None:
            self.process.send_signal(number)


class Crew:
    def __init__(self, p2pd, random):
        self.p2pd = p2pd
        self.random = random
        self.lock = threading.Lock()
        self.did = {"chaos_keeper": collections.Counter(), "chaos_client": collections.Counter()}
        self.ends = collections.Counter()
        self.violations = []
        self.keeping = threading.Event()
        self.killed = set()  # process ids of those that were killed on purpose
        self.players = [Player(self, KEEPER, self.seed())]

    def start_clients(self):
        self.players += [Player(self, role, self.seed()) for role in CLIENTS]

    def seed(self):
        return self.random.getrandbits(32)

    def count(self, what):
        with self.lock:
            self.ends[what] += 1

    def hear(self, player, report):
        with self.lock:
            if report["event"] == "did":
                del report["event"]
                self.did[player.role[0]].update(report)
            elif report["event"] == "violation":
                self.violations.append(f"{player.name}: {report['what']}")
            elif report["event"] == "keeping":
                self.keeping.set()

    def kill(self, player):
        self.killed.add(player.process.pid)
        player.signal(signal.SIGKILL)

    def kill_pid(self, pid):
        """Kills the player with this process id; whether there is one."""
        for player in list(self.players):
            if player.process.pid == pid:
                self.kill(player)
                return True
        return False

    def replace_ended(self):
        for index, player in enumerate(self.players):
            if player.process.poll() is not None:
                self._account(player)
                self.players[index] = Player(self, player.role, self.seed())

    def _account(self, player):
        player.reader.join(PATIENCE)
        status = player.process.returncode
        if status == -signal.SIGKILL and player.process.pid in self.killed:
            self.count("killed")
        elif status == MET_SIGBUS:
            self.count("met SIGBUS")
        elif status == 0:
            self.count("ended politely")
        else:
            with self.lock:
                self.violations.append(f"{player.name} ended with status {status}")

    def end(self):
        """Asks all to give everything back and end; who does not is a failure."""
        for player in self.players:
            player.signal(signal.SIGCONT)
            player.process.stdin.close()
        for player in self.players:
            try:
                player.process.wait(3 * PATIENCE)
            except subprocess.TimeoutExpired as error:
                raise Failure(f"{player.name} (pid {player.process.pid}) did not end in {3 * PATIENCE} s: "
                              f"{where(player.process.pid)}") from error
            self._account(player)

    def destroy(self):
        for player in self.players:
            player.signal(signal.SIGKILL)


def where(pid):
    """Where in the kernel each thread of a process is."""
    places = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/wchan", encoding="ascii") as wchan:
            places.append(wchan.read() or "running")
    return ", ".join(places)
