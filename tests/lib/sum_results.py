#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Adds up the test cases that the tiers left in a folder: TIER*.xml (JUnit) and TIER.tap.

usage: sum_results.py FOLDER TIER...

Prints one line a tier and, last, "N passed, N failed[, N skipped]". A tier without a passed case, and a runner that
failed although none of its cases did, count as one failure each.
"""

import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree


class Sum:
    """Numbers of passed, failed and skipped test cases."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        text = f"{self.passed} passed, {self.failed} failed"
        return text + (f", {self.skipped} skipped" if self.skipped else "")


def read_junit(path):
    total = Sum()
    for case in ElementTree.parse(path).iter("testcase"):
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            total.failed += 1
        elif "skipped" in kinds:
            total.skipped += 1
        else:
            total.passed += 1
    return total


def read_tap(path):
    total = Sum()
    for line in path.read_text().splitlines():
        match = re.match(r"(not )?ok\b(.*)", line)
        if not match:
            continue
        if match[1]:
            total.failed += 1
        elif re.search(r"# *skip", match[2], re.IGNORECASE):
            total.skipped += 1
        else:
            total.passed += 1
    return total


def read_tier(folder, tier):
    total = Sum()
    for path in sorted(folder.glob(f"{tier}-*.xml")):
        part = read_junit(path)
        status = path.with_suffix(".status")
        if status.exists() and status.read_text().strip() != "0" and not part.failed:
            part.failed += 1
        total.add(part)
    for status in sorted(folder.glob(f"{tier}-*.status")):
        if not status.with_suffix(".xml").exists():
            total.failed += 1
    tap = folder / f"{tier}.tap"
    if tap.exists():
        total.add(read_tap(tap))
    return total


def main():
    folder = pathlib.Path(sys.argv[1])
    everything = Sum()
    for tier in [*sys.argv[2:], "cleanup"]:
        total = read_tier(folder, tier)
        remark = ""
        if not total.passed and not total.failed:
            total.failed += 1
            remark = "  <- did not run, which counts as a failure"
        print(f"{tier:10} {total}{remark}")
        everything.add(total)
    print(everything)
    sys.exit(1 if everything.failed else 0)


if __name__ == "__main__":
    main()
