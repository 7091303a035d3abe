"""How the demonstration tells what happens: what was asked, what the kernel did, how long it took, what holds."""

import contextlib
import textwrap
import time

from stage import Failure


def milliseconds(duration):
    """Of a protobuf duration, as JSON has it: "0.110s"."""
    return float(duration.rstrip("s")) * 1000


def short(name):
    return name.split("/", 1)[-1]


def receipt_lines(operation):
    """An operation's receipt: what p2pd had the kernel do, step by step."""
    on = f" of {short(operation['device'])}" if operation["device"] else ""
    yield (f"{operation['name']}: {operation['kind']}{on} {operation['state']} in {milliseconds(operation['took']):.1f} ms"
           + (f", generation {operation['generation']}" if operation["device"] else ""))
    for step in operation["steps"]:
        error = f"  {step['error']}" if step["error"] else ""
        yield (f"  at {milliseconds(step['started']):8.1f} ms  {step['what']:<28} "
               f"{milliseconds(step['took']):8.1f} ms{error}")
    for party in operation["parties"]:
        yield f"  {party['session']} {party['answer']} after {milliseconds(party['after']):.1f} ms"
    for outcome in operation["mappings"]:
        yield f"  {outcome['mapping']} at {int(outcome['iova']):#x}: {outcome['state']}"


class Transcript:
    def __init__(self):
        self.steps = []  # (title, seconds, assertions that hold, that do not)
        self.holding = 0
        self.failing = 0

    def _line(self, label, text):
        for number, line in enumerate(textwrap.wrap(text, 112, subsequent_indent="    ") or [""]):
            print(f"  {label if number == 0 else '':<8}{line}", flush=True)

    @contextlib.contextmanager
    def step(self, title):
        """A step: its assertions are counted, and one that cannot go on fails."""
        print(f"\n{len(self.steps) + 1}. {title}", flush=True)
        self.holding = self.failing = 0
        start = time.monotonic()
        try:
            yield
        except Failure as failure:
            self.check(False, str(failure))
            raise
        finally:
            seconds = time.monotonic() - start
            self._line("took", f"{seconds:.1f} s")
            self.steps.append((title, seconds, self.holding, self.failing))

    def asked(self, text):
        self._line("asked", text)

    def did(self, text):
        self._line("did", text)

    def receipt(self, operation):
        for number, line in enumerate(receipt_lines(operation)):
            print(f"  {'kernel' if number == 0 else '':<8}{line}", flush=True)

    def log(self, lines, most=3):
        for line in lines[:most]:
            self._line("log", line)
        if len(lines) > most:
            self._line("log", f"... and {len(lines) - most} more")

    def check(self, holds, what):
        self._line("ok" if holds else "FAIL", what)
        if holds:
            self.holding += 1
        else:
            self.failing += 1
        return holds

    def summary(self, planned):
        """The table that ends it. True if every planned step was taken and everything holds."""
        print("\n    step                                                          seconds  holds  fails")
        for number, (title, seconds, holding, failing) in enumerate(self.steps, 1):
            print(f"  {number:>2}  {title[:60]:<60}  {seconds:7.1f}  {holding:5}  {failing:5}")
        for number in range(len(self.steps) + 1, planned + 1):
            print(f"  {number:>2}  (not reached)")
        total = sum(seconds for _, seconds, _, _ in self.steps)
        failing = sum(failing for _, _, _, failing in self.steps)
        print(f"      {'':<60}  {total:7.1f}  {sum(s[2] for s in self.steps):5}  {failing:5}", flush=True)
        return failing == 0 and len(self.steps) == planned
