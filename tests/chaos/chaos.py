#!/usr/bin/env python3
"""The chaos: p2pd on a real kernel, with clients that do as they like and a tormentor that spares nobody; then
everything must be as it was, and no byte may have changed where p2pd said that no device reaches.

Runs in the test VM, as root; tests/suites/chaos.sh starts it. The same seed gives the same dice; what the machine makes
of them depends on its time.
"""

import argparse
import collections
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "deploy" / "demo"))

from stage import Failure, KernelLog, P2pd, View  # noqa: E402
from aftermath import Aftermath  # noqa: E402
from crew import Crew  # noqa: E402
from torments import Tormentor  # noqa: E402

LONGEST_GAP = 0.8  # seconds between two torments
UNTIL_KEEPING = 60  # seconds until the keeper's device works


class Ledger(View):
    """p2pd's state, and a count of the operations that came to an end."""

    def __init__(self, p2pd):
        self.operations = collections.Counter()
        self.failures = collections.Counter()  # what made operations fail
        super().__init__(p2pd)

    def _hear(self, event):
        super()._hear(event)
        operation = event.get("operation")
        if operation and event["type"] in ("CREATED", "CHANGED") and operation["state"] != "RUNNING":
            self.operations[f"{operation['kind']}: {operation['state']}"] += 1
            if operation["state"] == "FAILED":
                self.failures[f"{operation['kind']} of {operation['device'] or 'no device'}: {operation['error']}"] += 1


def table(title, counts):
    print(f"\n{title}")
    for what, count in sorted(counts.items()):
        print(f"  {count:7d}  {what}")


class Chaos:
    def __init__(self, folder, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.kernel_log = KernelLog()
        self.faults = 0
        self.problems = []
        self.crew = self.tormentor = self.view = None
        self.began = time.monotonic()
        self.p2pd = P2pd(folder, options.policy, None)

    def play(self):
        self.view = Ledger(self.p2pd)
        aftermath = Aftermath(self.p2pd, self.view)
        self.crew = Crew(self.p2pd, self.random)
        self.tormentor = Tormentor(self.random, self.p2pd, self.view, self.crew)
        if not self.crew.keeping.wait(UNTIL_KEEPING):
            raise Failure(f"the keeper does not drive its device after {UNTIL_KEEPING} s: {self.crew.did}")
        self.crew.start_clients()
        self._torment()
        self.tormentor.finish()
        self.crew.end()
        self.tormentor.take_all_away()
        self.problems += aftermath.problems(self.kernel_log)

    def _torment(self):
        end = time.monotonic() + self.options.seconds
        while time.monotonic() < end:
            if self.p2pd.process.poll() is not None:
                raise Failure(f"p2pd ended with status {self.p2pd.process.returncode}")
            self.tormentor.torment()
            self.crew.replace_ended()
            self.faults += len(self.kernel_log.new_faults())
            self.tormentor.over.wait(self.random.uniform(0.05, LONGEST_GAP))

    def end(self):
        """p2pd ends as a service manager ends it."""
        if self.view is not None:
            self.view.stop()
        if self.p2pd.process.poll() is None and self.p2pd.stop() != 0:
            self.problems.append(f"p2pd ended with status {self.p2pd.process.returncode}")

    def summary(self):
        if self.tormentor is not None:
            table("torments", self.tormentor.counts)
            table("where p2pd's threads were when p2pctl got no connection", collections.Counter(self.tormentor.waits))
            self.problems += self.tormentor.broken
            if not self.tormentor.starver.available:
                print("  (no allocation failed: this kernel lacks CONFIG_FAILSLAB or CONFIG_FAULT_INJECTION)")
        if self.crew is not None:
            table("the clients did", self.crew.did["chaos_client"])
            table("the keeper did", self.crew.did["chaos_keeper"])
            table("processes", self.crew.ends)
            self.problems += self.crew.violations
        if self.view is not None:
            table("operations of p2pd", self.view.operations)
            table("of those that failed", self.view.failures)
        print(f"\n{self.faults} faults in the IOMMU told by the kernel, which tells only some")
        seconds = time.monotonic() - self.began
        verdict = "FAILED" if self.problems else "everything holds"
        print(f"chaos: {verdict} after {seconds:.0f} s, {self.options.seconds:g} of them chaos, seed {self.options.seed}")
        for problem in self.problems:
            print(f"  broken: {problem}")
        return not self.problems


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", required=True, metavar="FILE")
    parser.add_argument("--seconds", type=float, default=90, metavar="S", help="how long the chaos lasts (90)")
    parser.add_argument("--seed", type=int, required=True, metavar="N")
    parser.add_argument("--logs", metavar="DIR", help="where p2pd's log and the clients' go afterwards")
    return parser.parse_args()


def main():
    options = parse_arguments()
    print(f"chaos: seed {options.seed}, {options.seconds:g} s", flush=True)
    with tempfile.TemporaryDirectory(prefix="p2pd-chaos-", dir="/run") as folder:
        os.chmod(folder, 0o755)
        # A copy that p2pd may trust: root's, and nobody else's to write.
        options.policy = shutil.copy(options.policy, folder)
        os.chmod(options.policy, 0o644)
        chaos = Chaos(folder, options)
        try:
            chaos.play()
        except Failure as failure:
            chaos.problems.append(str(failure))
        finally:
            if chaos.crew is not None:
                chaos.crew.destroy()
        chaos.end()
        fine = chaos.summary()
        if options.logs:
            for log in pathlib.Path(folder).glob("*.log"):
                shutil.copy(log, options.logs)
        if not fine:
            print("\np2pd's last words:\n" + "\n".join(chaos.p2pd.log().splitlines()[-60:]))
            for name in ("chaos_client", "chaos_keeper"):
                path = pathlib.Path(folder, f"{name}.log")
                if path.exists() and path.stat().st_size > 0:
                    print(f"\n{name}'s:\n" + "\n".join(path.read_text(errors="replace").splitlines()[-20:]))
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
