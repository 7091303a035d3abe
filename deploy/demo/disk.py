#!/usr/bin/env python3
"""Makes the disk of the demonstration's second NVMe, and judges it afterwards.

usage: disk.py make IMAGE    fills IMAGE with fresh random bytes; prints its source area's CRC-32
       disk.py judge IMAGE   compares IMAGE with what `make` wrote, which IMAGE.sums describes

The areas are those of copy_job.h: 32 MiB each of source, destination and scratch, and a rest that nobody
has any business with.
"""

import hashlib
import json
import os
import sys
import zlib

AREA = 32 << 20
AREAS = {"source": (0, AREA), "destination": (AREA, AREA), "scratch": (2 * AREA, AREA), "rest": (3 * AREA, 4 << 20)}


def read_area(image, name):
    offset, length = AREAS[name]
    image.seek(offset)
    data = image.read(length)
    if len(data) != length:
        sys.exit(f"disk.py: the image ends inside its {name} area")
    return data


def digest(data):
    return hashlib.sha256(data).hexdigest()


def make(path):
    with open(path, "w+b") as image:
        for _, length in AREAS.values():
            image.write(os.urandom(length))
        sums = {name: digest(read_area(image, name)) for name in AREAS}
        crc = zlib.crc32(read_area(image, "source"))
    with open(path + ".sums", "w", encoding="ascii") as file:
        json.dump(sums, file)
    print(crc)


def judge(path):
    with open(path + ".sums", encoding="ascii") as file:
        before = json.load(file)
    with open(path, "rb") as image:
        after = {name: digest(read_area(image, name)) for name in AREAS}
    verdicts = [
        ("the source area is as it was seeded", after["source"] == before["source"]),
        ("the destination area is equal to it", after["destination"] == before["source"]),
        ("and was not before", before["destination"] != before["source"]),
        ("the rest of the disk is untouched", after["rest"] == before["rest"]),
    ]
    print(f"  source       sha256 {after['source']}\n  destination  sha256 {after['destination']}")
    for what, holds in verdicts:
        print(f"  {'ok  ' if holds else 'FAIL'}  {what}")
    return all(holds for _, holds in verdicts)


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("make", "judge"):
        sys.exit(__doc__)
    if sys.argv[1] == "make":
        make(sys.argv[2])
    elif not judge(sys.argv[2]):
        sys.exit(1)


if __name__ == "__main__":
    main()
