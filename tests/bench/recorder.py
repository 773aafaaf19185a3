# SPDX-License-Identifier: LGPL-2.1-or-later
"""The measurements of the flight recorder; as in measure.py."""

import os
import pathlib
import re
import subprocess
import threading
import time

from measure import BENCH, CLOCK, Load, memory, percentile, spread
from system_bus import wait_until
from trace_file import validate

CPUS = os.sysconf("SC_NPROCESSORS_CONF")
INSTANCES = pathlib.Path("/sys/kernel/tracing/instances")
MARK_USEC = 100
RING = CPUS * (16 << 20)
BUDGET = 50 << 20
SNAPSHOTS = 200


def switches(pid):
    """Context switches of all threads so far."""
    statuses = [(task / "status").read_text() for task in pathlib.Path(f"/proc/{pid}/task").iterdir()]
    return sum(int(n) for status in statuses for n in re.findall(r"ctxt_switches:\s+(\d+)", status))


def idle(bench):
    """A ring by the shipped profile that nothing is asked of."""
    pid = bench.daemon.process.pid
    session = bench.root.start("idle", {"profile": "flight-recorder"})
    watching = [watch["name"] for watch in bench.root.describe(session)["watches"] if not watch["absent"]]
    time.sleep(2)
    before = switches(pid)
    time.sleep(bench.idle_seconds)
    seen = {"seconds": bench.idle_seconds, "switches": switches(pid) - before, "resident": memory(pid)[0], "watching": watching}
    bench.root.session(session, "Remove")
    return seen


class Marks:
    """tests/bench/marks.c, one numbered mark every 100 microseconds on the first CPU."""

    def __init__(self, instance):
        marker = INSTANCES / instance / "trace_marker"
        self.process = subprocess.Popen([BENCH / "bench-marks", marker, "0", str(MARK_USEC)], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def end(self):
        """How many there were, and the longest pause in usec."""
        self.process.terminate()
        text, _nothing = self.process.communicate(timeout=30)
        return [int(word) for word in text.split()]


def snapshot(root, session):
    """The capture, when it was asked for, and the ms until it could be read."""
    begin = time.monotonic()
    capture = root.session(session, "Snapshot", "(a{sv})", {})
    (number,) = root.segments(capture)
    fd = root.capture(capture, "Open", "(u)", number)
    head = os.pread(fd, 1 << 20, 0)
    taken = (time.monotonic() - begin) * 1000
    assert b"tracing" in head[:10]
    os.close(fd)
    return capture, begin, taken


def marks_in(path):
    """Their numbers, and the time of the last."""
    command = f"trace-cmd report -t -i '{path}' 2>/dev/null | grep 'print:.* mark [0-9]'"
    text = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout
    found = re.findall(r" (\d+\.\d+): +print:.* mark (\d+)", text)
    return [int(number) for _when, number in found], float(found[-1][0])


def check_snapshot(bench, capture, begin, number):
    """What is in it: every mark from its oldest to its newest, which is younger than the question."""
    folder = bench.folder / f"snapshot-{number}"
    (path,) = bench.root.save_all(capture, folder)
    validate(path)
    marks, newest = marks_in(path)
    about = bench.root.describe(capture)
    path.unlink()
    return {
        "marks": len(marks),
        "missing": marks[-1] - marks[0] + 1 - len(set(marks)),
        "twice": len(marks) - len(set(marks)),
        "newest_before_question": newest < begin,
        "bytes": about["bytes"],
        "events": about["events"],
    }


def snapshots(bench):
    """Of a full ring, with all CPUs at full speed."""
    events = ["syscalls:sys_enter_write", "syscalls:sys_exit_write"]
    session = bench.root.start("full", {"events": events, "mode": "ring", "ring_size": RING, "clock": CLOCK})
    marks = Marks(bench.root.describe(session)["instance"])
    taken = []
    with Load(0) as load:
        load.go()
        for _ in range(bench.snapshots):
            # Full on each CPU, and overwritten for some time.
            wait_until(lambda: bench.root.describe(session)["ring"]["fill"] > RING * 0.9, "the ring is not full", timeout=60)
            time.sleep(1)
            taken.append(snapshot(bench.root, session))
        n_marks, longest = marks.end()
    seen = [check_snapshot(bench, capture, begin, number) for number, (capture, begin, _ms) in enumerate(taken)]
    bench.root.session(session, "Remove")
    for capture, _begin, _ms in taken:
        bench.root.capture(capture, "Delete")
    times = [ms for _capture, _begin, ms in taken]
    return {
        "ms": spread(times),
        "all_ms": times,
        "snapshots": seen,
        "bytes": spread([row["bytes"] for row in seen]),
        "marks": n_marks,
        "longest_pause_usec": longest,
    }


class Usage(threading.Thread):
    """What the segments in a store take on the disk, all the time."""

    def __init__(self, directory):
        super().__init__()
        self.directory = directory
        self.most = self.looks = 0
        self.ending = threading.Event()

    def look(self):
        total = 0
        for folder, _folders, files in os.walk(self.directory):
            for name in (name for name in files if "trace-" in name):
                try:
                    total += os.stat(os.path.join(folder, name)).st_blocks * 512
                except FileNotFoundError:
                    continue
        return total

    def run(self):
        while not self.ending.wait(0.002):
            self.most = max(self.most, self.look())
            self.looks += 1

    def end(self):
        self.ending.set()
        self.join()


def budget(bench):
    """Many snapshots in a row under load, in a store that may have 50 MiB."""
    bench.restart({"captures_max_use": BUDGET, "captures_compress": False})
    root, store = bench.root, bench.daemon.store
    session = root.start("many", {"events": ["syscalls:sys_enter_write"], "mode": "ring", "ring_size": CPUS << 20})
    usage = Usage(store)
    times, largest = [], 0
    with Load(0) as load:
        load.go()
        usage.start()
        for _ in range(bench.budget_snapshots):
            begin = time.monotonic()
            capture = root.session(session, "Snapshot", "(a{sv})", {})
            times.append((time.monotonic() - begin) * 1000)
            largest = max(largest, root.describe(capture)["bytes"])
        usage.end()
    root.session(session, "Remove")
    rows = root.manager("ListCaptures", "(a{sv})", {})
    for row in rows:
        for path in root.save_all(row[-1], bench.folder / row[0]):
            validate(path)
            path.unlink()
    wait_until(lambda: {path.name for path in store.iterdir()} == {row[0] for row in rows}, "the store has others")
    seen = {
        "snapshots": len(times),
        "ms": spread(times),
        "p99_ms": percentile(times, 0.99),
        "most": usage.most,
        "looks": usage.looks,
        "largest": largest,
        "listed": len(rows),
        "not_complete": sum(root.describe(row[-1])["state"] != "complete" for row in rows),
    }
    for row in rows:
        root.capture(row[-1], "Delete")
    bench.restart()
    return seen
