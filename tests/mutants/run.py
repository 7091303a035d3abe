#!/usr/bin/env python3
"""Plants each bug of tests/mutants/*.patch in a copy of the tree and runs the tests that should catch it.

usage: tests/mutants/run.py [--tree DIR] [--disk-cache DIR] [NAME...]

A patch begins with "what: ..." and "caught by: TARGET..."; the diff follows. A mutant is caught when its
tests build and fail; by which of their cases is said below it. One that does not apply, does not build, or
passes every test is a failure.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
TESTS_FAILED = 3  # bazel test's exit code for "built, but a test failed"
CASES_SHOWN = 3


def read(patch):
    header = dict(line.split(": ", 1) for line in patch.read_text().split("\n\n", 1)[0].splitlines())
    return header["what"], header["caught by"].split()


def copy_tree(tree):
    tree.mkdir(parents=True, exist_ok=True)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, check=True, stdout=subprocess.PIPE).stdout
    subprocess.run(["rsync", "-a", "--delete", "--from0", "--files-from=-", "./", f"{tree}/"], cwd=TOP, check=True,
                   input=listed)


def apply(tree, patch, reverse=False):
    command = ["patch", "-p1", "--forward", "--silent", "--no-backup-if-mismatch", "--reject-file=-"]
    command = command[:1] + ["-R"] + [c for c in command[1:] if c != "--forward"] if reverse else command
    with open(patch) as text:
        return subprocess.run(command, cwd=tree, stdin=text, stdout=subprocess.DEVNULL).returncode == 0


def failed_cases(tree, targets):
    cases = []
    for target in targets:
        for log in sorted((tree / "bazel-testlogs" / target.lstrip("/").replace(":", "/")).rglob("test.log")):
            text = log.read_text(errors="replace")
            cases += re.findall(r"^\[  FAILED  \] ([^\s,]+)", text, re.MULTILINE)
            ended = re.findall(r"^\[ .* \] ([^\s,]+) \(\d+ ms\)$", text, re.MULTILINE)
            begun = re.findall(r"^\[ RUN      \] (\S+)$", text, re.MULTILINE)
            cases += [f"{case}, which did not end" for case in begun[-1:] if case not in ended]
    return [case for case in dict.fromkeys(cases) if "." in case]


def try_mutant(tree, patch, cache):
    what, targets = read(patch)
    if not apply(tree, patch):
        return what, "DOES NOT APPLY", []
    try:
        status = subprocess.run(["bazel", "test", f"--disk_cache={cache}", "--noshow_progress", "--test_output=summary",
                                 "--test_summary=none", *targets], cwd=tree, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL).returncode
    finally:
        apply(tree, patch, reverse=True)
    verdict = {0: "SURVIVED", TESTS_FAILED: "caught"}.get(status, f"DOES NOT BUILD (bazel: {status})")
    return what, verdict, failed_cases(tree, targets) if verdict == "caught" else []


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tree", type=pathlib.Path, required=True)
    parser.add_argument("--disk-cache", required=True)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    patches = sorted(HERE.glob("*.patch"))
    if arguments.names:
        patches = [HERE / f"{name}.patch" for name in arguments.names]
    copy_tree(arguments.tree)
    caught = 0
    for patch in patches:
        start = time.monotonic()
        what, verdict, cases = try_mutant(arguments.tree, patch, arguments.disk_cache)
        caught += verdict == "caught"
        print(f"{patch.stem:26} {verdict:10} {time.monotonic() - start:4.0f} s  {what}", flush=True)
        for case in cases[:CASES_SHOWN]:
            print(f"  by {case}", flush=True)
        if len(cases) > CASES_SHOWN:
            print(f"  and {len(cases) - CASES_SHOWN} more", flush=True)
    print(f"{caught} of {len(patches)} mutants caught")
    return 0 if patches and caught == len(patches) else 1


if __name__ == "__main__":
    sys.exit(main())
