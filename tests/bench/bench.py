#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures the daemon against its goals, beside trace-cmd and tracefs in the same run; see docs/performance.md.

Needs root, trace-cmd, dbus-daemon, and a release build with -Dbench=true, whose directory is in KTRACED_BUILD_DIR.
Prints a table, and with --json a file of everything that was seen. The exit status is 1 when a goal is missed.
"""

import argparse
import contextlib
import json
import os
import pathlib
import platform
import shutil
import signal
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import measure  # noqa: E402
import recorder  # noqa: E402
from daemon import BUILD, Daemon  # noqa: E402
from disk import LoopDisk  # noqa: E402
from system_bus import SystemBus  # noqa: E402

MIB = 1 << 20
SETTINGS = {"captures_compress": False}


class Bench:
    """The daemon on a private bus, with its store on a disk of our own; and how much is to be measured."""

    def __init__(self, arguments):
        quick = arguments.quick
        self.verbose = arguments.verbose
        self.writes = 300000
        self.calls = 1000000 if quick else 8000000  # of the load, on each CPU
        self.rounds = 1 if quick else arguments.rounds
        self.starts = 3 if quick else 25
        self.bus_seconds = 4 if quick else 16
        self.stall_seconds = 1
        self.idle_seconds = 5 if quick else 60
        self.snapshots = 2 if quick else 8
        self.budget_snapshots = 40 if quick else 200
        self.buffer_kib = 8192
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ktraced-bench-", dir=arguments.directory))
        self.disk = self.bus = self.daemon = self.root = None

    def open(self):
        bus_folder, daemon_folder = self.folder / "bus", self.folder / "daemon"
        bus_folder.mkdir()
        daemon_folder.mkdir()
        # Only the store: the daemon's log must not stall with it.
        self.disk = LoopDisk(self.folder, daemon_folder / "captures", 10 << 30)
        self.bus = SystemBus(bus_folder)
        # Of the recording: what is compressed later, at idle priority, is no part of it.
        self.daemon = Daemon(self.bus, daemon_folder, settings=SETTINGS)
        self.root = self.daemon.client(0)

    def restart(self, settings=None):
        """The daemon, on the same store; by default with the settings that it has for everything."""
        self.daemon.stop()
        self.daemon = Daemon(self.bus, self.folder / "daemon", settings=settings or SETTINGS)
        self.root = self.daemon.client(0)

    def forget(self, session, capture):
        self.root.session(session, "Remove")
        self.root.capture(capture, "Delete")

    def say(self, text):
        if self.verbose:
            print(text, file=sys.stderr, flush=True)

    def close(self):
        """Whatever fails, the rest is closed all the same: nothing may stay mounted."""
        with contextlib.ExitStack() as stack:
            stack.callback(shutil.rmtree, self.folder)
            if self.disk:
                stack.callback(self.disk.close)
            if self.bus:
                stack.callback(self.bus.close)
            if self.daemon:
                stack.callback(self.daemon.stop)
            stack.callback(measure.remove_instances)


class Goal:
    """One row of the table. A goal that depends on how fast and how busy the machine is has slack in --quick. A row
    that is there to be looked at has no goal, and is never missed."""

    def __init__(self, what, goal, measured, met):
        self.what = what
        self.goal = goal
        self.measured = measured
        self.met = bool(met)


def ranged(values, digits=2, scale=1.0):
    numbers = [f"{values[key] / scale:.{digits}f}" for key in ["median", "min", "max"]]
    return f"{numbers[0]} ({numbers[1]}..{numbers[2]})"


def judge_truth(seen, _slack):
    exact = seen["events"] == seen["calls"] and seen["rotations"] >= 20 and seen["lost"] == 0
    yield Goal(
        "sys_enter_write events for 300,000 calls",
        "300000 over >= 20 rotations",
        f"{seen['events']} over {seen['rotations']} rotations, {seen['segments']} valid segments",
        exact,
    )


def judge_recording(seen, slack):
    ours, theirs = seen["ktraced"], seen["trace-cmd"]
    for name, what in [("written_per_byte", "bytes the disk wrote"), ("dirtied_per_byte", "bytes put into files")]:
        yield Goal(
            f"{what} per byte recorded, beside metadata",
            "<= 1.05",
            f"{ranged(ours[name], 3)}; trace-cmd {ranged(theirs[name], 3)}",
            ours[name]["median"] <= 1.05 * slack,
        )
    yield Goal(
        "CPU seconds per GB, daemon with digest : trace-cmd, all processes",
        "<= trace-cmd",
        f"{ranged(ours['cpu_per_gb'])} : {ranged(theirs['cpu_per_gb'])}",
        ours["cpu_per_gb"]["median"] <= theirs["cpu_per_gb"]["median"] * slack,
    )
    yield Goal(
        "the same, without the digest : before trace-cmd closes its file",
        "",
        f"{ranged(ours['cpu_without_digest_per_gb'])} : {ranged(theirs['recorders_cpu_per_gb'])}",
        True,
    )
    yield Goal(
        "daemon resident with one session, MiB, at most",
        "< 16",
        f"{ranged(ours['resident_max'], 1, MIB)}",
        ours["resident_max"]["max"] < 16 * MIB,
    )


def judge_start(seen, slack):
    for events, row in seen.items():
        yield Goal(
            f"ms to start {events} : by hand",
            "ratio <= 1.5",
            f"{ranged(row['reply_ms'], 1)} : {ranged(row['by_hand_ms'], 1)}, ratio {row['ratio']:.2f} "
            f"(of the fastest {row['ratio_of_fastest']:.2f}); "
            f"first event after {ranged(row['first_event_ms'], 1)}",
            row["ratio"] <= 1.5 * slack,
        )


def judge_bus(seen, slack):
    yield Goal(
        "ms of a bus call, p99, recording onto a stalling disk",
        "<= 20",
        f"{seen['p99_ms']:.1f} (p50 {seen['p50_ms']:.1f}, max {seen['max_ms']:.1f}) in {seen['calls']} calls over "
        f"{seen['stalls']} stalls; the bus driver itself {seen['driver_p99_ms']:.1f}",
        seen["p99_ms"] <= 20 * slack and seen["stalls"] > 0,
    )


def judge_idle(seen, _slack):
    yield Goal(
        f"context switches of an idle recorder in {seen['seconds']} s",
        "0",
        f"{seen['switches']} (watching for {', '.join(seen['watching'])})",
        seen["switches"] == 0,
    )
    yield Goal("resident memory of an idle recorder, MiB", "< 8", f"{seen['resident'] / MIB:.1f}", seen["resident"] < 8 * MIB)


def judge_snapshot(seen, slack):
    rows = seen["snapshots"]
    yield Goal(
        f"ms until a snapshot of {recorder.CPUS} x 16 MiB under full load can be read, at most",
        "<= 250",
        f"{ranged(seen['ms'], 0)}, {len(rows)} of {ranged(seen['bytes'], 1, MIB)} MiB",
        seen["ms"]["max"] <= 250 * slack,
    )
    missing, twice = (sum(row[key] for row in rows) for key in ["missing", "twice"])
    yield Goal(
        "marks that are missing between a snapshot's oldest and newest",
        "0",
        f"{missing} of {sum(row['marks'] for row in rows)}; {twice} twice; of {seen['marks']} in all the longest pause was "
        f"{seen['longest_pause_usec'] / 1000:.1f} ms",
        missing == twice == 0 and not any(row["newest_before_question"] for row in rows),
    )


def judge_budget(seen, _slack):
    over = seen["most"] - recorder.BUDGET
    yield Goal(
        f"MiB over a budget of 50 while {seen['snapshots']} snapshots are taken under load",
        "<= 1 segment",
        f"{over / MIB:.1f}, a segment is {seen['largest'] / MIB:.1f} ({seen['looks']} looks)",
        over <= seen["largest"],
    )
    yield Goal(
        "captures that are listed then and are not complete",
        "0",
        f"{seen['not_complete']} of {seen['listed']}, all valid; a snapshot took {ranged(seen['ms'], 0)} ms",
        seen["not_complete"] == 0 and seen["listed"] > 0,
    )


PARTS = {
    "truth": (measure.exact_truth, judge_truth),
    "recording": (measure.recording, judge_recording),
    "start": (measure.start_latency, judge_start),
    "bus": (measure.bus_latency, judge_bus),
    "idle": (recorder.idle, judge_idle),
    "snapshot": (recorder.snapshots, judge_snapshot),
    "budget": (recorder.budget, judge_budget),
}


def machine():
    model = [line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {"kernel": platform.release(), "cpus": os.cpu_count(), "model": model[0] if model else platform.machine(), "load": os.getloadavg()}


def print_table(goals):
    rows = [("what", "goal", "measured", "met")]
    rows += [(goal.what, goal.goal, goal.measured, "" if not goal.goal else "yes" if goal.met else "NO") for goal in goals]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths)) + "  " + row[3])


def end(_number, _frame):
    """Once: nothing may stay mounted or running, and the way out is not to be cut short."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit("ended by SIGTERM")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="what to measure (default: everything)")
    parser.add_argument("--quick", action="store_true", help="less of everything, and ratios may be three times the goal")
    parser.add_argument("--rounds", type=int, default=3, help="recordings by each program (default: %(default)s)")
    parser.add_argument("--directory", help="where the disk's image goes (10 GiB, sparse; default: a temporary directory)")
    parser.add_argument("--json", type=pathlib.Path, help="write everything that was seen into this file")
    parser.add_argument("--nice", type=int, default=0, help="for everything that takes part, so that other work matters less")
    parser.add_argument("--verbose", action="store_true", help="show each recording")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("must be root")
    if not (measure.BENCH / "bench-load").exists():
        parser.error(f"{BUILD} is no build with -Dbench=true; set KTRACED_BUILD_DIR")

    signal.signal(signal.SIGTERM, end)
    os.nice(arguments.nice)
    bench = Bench(arguments)
    seen = {"machine": machine(), "nice": arguments.nice}
    goals = []
    try:
        bench.open()
        for name in arguments.parts or PARTS:
            run, judge = PARTS[name]
            bench.say(f"== {name}")
            seen[name] = run(bench)
            seen[name + "_load"] = os.getloadavg()
            goals += judge(seen[name], 3.0 if arguments.quick else 1.0)
    finally:
        bench.close()
    seen["goals"] = [vars(goal) for goal in goals]
    print_table(goals)
    if arguments.json:
        arguments.json.write_text(json.dumps(seen, indent=2) + "\n")
    sys.exit(0 if all(goal.met for goal in goals) else 1)


if __name__ == "__main__":
    main()
