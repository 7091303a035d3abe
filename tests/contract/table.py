#!/usr/bin/env python3
"""Prints case x kernel from the logs of the contract suite's two runs.

usage: tests/contract/table.py SIM_LOG LINUX_LOG

Fails unless every case ran on both kernels and passed there, or is an exception with its reason.
"""

import sys


def read(path):
    verdicts = {}
    with open(path, errors="replace") as log:
        for line in log:
            fields = [field.strip() for field in line.split(" | ", 2)]
            if len(fields) == 3 and fields[2].split(" ")[0] in ("PASSED", "FAILED", "EXCEPTION"):
                verdicts[fields[0]] = fields[2]
    return verdicts


def main():
    sim, linux = (read(path) for path in sys.argv[1:3])
    bad = 0
    for case in sorted(set(sim) | set(linux)):
        row = [run.get(case, "DID NOT RUN") for run in (sim, linux)]
        bad += any(verdict.split(" ")[0] not in ("PASSED", "EXCEPTION") for verdict in row)
        print(f"{case:72} sim {row[0]:8} linux {row[1]}")
    print(f"{len(sim)} cases on sim, {len(linux)} on linux, {bad} bad")
    return 0 if sim and linux and bad == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
