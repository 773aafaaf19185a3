# SPDX-License-Identifier: LGPL-2.1-or-later
"""The measurements. Each takes a Bench and returns a dict of what it saw; bench.py judges."""

import contextlib
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import threading
import time

import daemon as daemon_module
from daemon import CAPTURE, MANAGER, ROOT, SESSION, Client
from disk import Stalls
from system_bus import wait_until
from trace_file import count, validate
from tracecmd import INSTANCE, TRACING, TraceCmd, bytes_dirtied, cpu_of_task

BENCH = daemon_module.BUILD / "tests" / "bench"
DIGEST_THREAD = "kt-digest"
CLOCK = "mono"
BY_HAND_INSTANCE = "ktbench-by-hand"
LOAD_EVENTS = ["syscalls"]


class Load:
    """tests/bench/load.c on each CPU."""

    def __init__(self, calls):
        self.processes = [
            subprocess.Popen([BENCH / "bench-load", str(cpu), str(calls)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
            for cpu in sorted(os.sched_getaffinity(0))
        ]
        for process in self.processes:
            assert process.stdout.readline() == b"ready\n"

    def go(self):
        for process in self.processes:
            process.stdin.write(b"g")

    def wait(self):
        """The seconds until all were done."""
        begin = time.monotonic()
        for process in self.processes:
            assert process.stdout.readline() == b"done\n"
        return time.monotonic() - begin

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        for process in self.processes:
            process.kill()
            process.communicate()


def process_cpu(pid):
    """Nanoseconds of CPU of a process, with the threads that have ended (its CPU clock, clock_getcpuclockid(3))."""
    return time.clock_gettime_ns((~pid << 3) | 2)


def threads(pid, name):
    return [path for path in pathlib.Path(f"/proc/{pid}/task").iterdir() if (path / "comm").read_text().strip() == name]


def digest_cpu(pid):
    return sum(cpu_of_task(path) or 0 for path in threads(pid, DIGEST_THREAD))


def memory(pid):
    """Bytes: resident now, resident at most so far."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return [int(re.search(rf"^{key}:\s+(\d+) kB", status, re.MULTILINE)[1]) * 1024 for key in ["VmRSS", "VmHWM"]]


def remove_instances():
    """What helpers that were killed left in the kernel."""
    for name in [INSTANCE, BY_HAND_INSTANCE]:
        with contextlib.suppress(FileNotFoundError):
            (TRACING / "instances" / name).rmdir()


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "n": len(values)}


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def exact_truth(bench):
    """All writes of a program, over rotations in full flight, as trace-cmd counts them."""
    program = daemon_module.Writer(bench.writes)
    spec = {"events": ["syscalls:sys_enter_write"], "pids": [program.pid], "buffer_size": "32M"}
    session = bench.root.start("truth", spec)
    thread = threading.Thread(target=program.go)
    thread.start()
    rotations = 0
    while thread.is_alive() or rotations < 20:
        bench.root.session(session, "Rotate")
        rotations += 1
    thread.join()
    bench.root.session(session, "Stop")
    program.close()
    capture = bench.root.capture_of(session)
    folder = bench.folder / "truth"
    files = bench.root.save_all(capture, folder)
    for path in files:
        validate(path)
    seen = {
        "calls": bench.writes,
        "events": count(files, "sys_enter_write", program.pid, "fd: 0x00000009"),
        "rotations": rotations,
        "segments": len(files),
        "lost": bench.root.describe(capture)["lost"],
    }
    bench.forget(session, capture)
    shutil.rmtree(folder)
    return seen


def record_ktraced(bench):
    """One recording of the load by the daemon."""
    pid = bench.daemon.process.pid
    written, dirtied = bench.disk.written(), bytes_dirtied(pid)
    with Load(bench.calls) as load:
        cpu, digest = process_cpu(pid), digest_cpu(pid)
        session = bench.root.start("load", {"events": LOAD_EVENTS, "buffer_size": f"{bench.buffer_kib}k", "clock": CLOCK})
        load.go()
        seconds = load.wait()
        # As in a recording that takes longer than the kernel keeps dirty pages.
        bench.disk.sync()
        resident = memory(pid)
        bench.root.session(session, "Stop")
    capture = bench.root.capture_of(session)
    about = wait_until(lambda: digested(bench, capture), "the digests are not computed", timeout=120, interval=0.2)
    digest = digest_cpu(pid) - digest
    cpu = process_cpu(pid) - cpu
    files = sum(path.stat().st_size for path in (bench.daemon.store / about["id"]).iterdir())
    seen = {
        "cpu": cpu,
        "digest_cpu": digest,
        "dirtied": bytes_dirtied(pid) - dirtied,
        "written": bench.disk.written() - written,
        # Of the capture, "bytes" is what its files take; of the session it is the pages alone.
        "recorded": bench.root.get(session, SESSION, "Bytes"),
        "file": files,
        "segments": len(about["segments"]),
        "lost": about["lost"],
        "seconds": seconds,
        "resident": resident[0],
        "resident_max": resident[1],
    }
    bench.forget(session, capture)
    return seen


def digested(bench, capture):
    about = bench.root.describe(capture)
    return about if all(segment.get("sha256") for segment in about["segments"]) else None


def record_trace_cmd(bench):
    """One recording of the same load by trace-cmd, onto the same disk."""
    path = bench.disk.path / "trace-cmd.dat"
    written = bench.disk.written()
    with Load(bench.calls) as load, TraceCmd(bench.folder, path, LOAD_EVENTS, bench.buffer_kib, CLOCK) as trace_cmd:
        load.go()
        seconds = load.wait()
        bench.disk.sync()
        seen = trace_cmd.stop()
    seen["seconds"] = seconds
    seen["written"] = bench.disk.written() - written
    path.unlink()
    return seen


def recording(bench):
    """Recordings by both, in turn, as ratios of what each recorded."""
    rounds = {"ktraced": [], "trace-cmd": []}
    both = [("ktraced", record_ktraced), ("trace-cmd", record_trace_cmd)]
    for number in range(bench.rounds):
        for name, record in both if number % 2 == 0 else reversed(both):
            rounds[name].append(record(bench))
            bench.say(f"{name}: {rounds[name][-1]}")
    return {name: summarize(rows) for name, rows in rounds.items()} | {"rounds": rounds}


def summarize(rows):
    """Spreads over the rounds: seconds of CPU for each GB (10^9 bytes) recorded, bytes for each byte recorded."""
    gigabytes = [row["recorded"] / 1e9 for row in rows]
    parts = {"cpu_per_gb": lambda row: row["cpu"] / 1e9}
    if "digest_cpu" in rows[0]:
        parts["cpu_without_digest_per_gb"] = lambda row: (row["cpu"] - row["digest_cpu"]) / 1e9
    else:
        parts["recorders_cpu_per_gb"] = lambda row: row["recorders_cpu"] / 1e9
    seen = {name: spread([part(row) / gb for row, gb in zip(rows, gigabytes)]) for name, part in parts.items()}
    # What is in the files beside the pages is metadata, which is written once.
    metadata = [row["file"] - row["recorded"] for row in rows]
    for name in ["written", "dirtied"]:
        seen[f"{name}_per_byte"] = spread([(row[name] - extra) / row["recorded"] for row, extra in zip(rows, metadata)])
    seen["metadata"] = spread(metadata)
    for name in ["recorded", "lost", "seconds"] + [name for name in ["resident", "resident_max"] if name in rows[0]]:
        seen[name] = spread([row[name] for row in rows])
    return seen


def by_hand(events):
    """Nanoseconds that the steps take on tracefs itself."""
    time.sleep(QUIET)
    names = [event.replace(":", "/") for event in events]
    done = subprocess.run(
        [BENCH / "bench-by-hand", TRACING, BY_HAND_INSTANCE, str(4096), CLOCK, *names], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


# Seconds before each start. The removal of an instance leaves the kernel work that goes on after it has returned; a start
# right behind it waits for that work's grace periods, too, and whose turn it is decides whom it costs more.
QUIET = 0.3


def start_session(bench, events):
    """Nanoseconds from the call to its reply, and to the first event that is in the capture."""
    time.sleep(QUIET)
    begin = time.monotonic_ns()
    session = bench.root.start("latency", {"events": events, "buffer_size": 4 << 20, "clock": CLOCK})
    reply = time.monotonic_ns() - begin
    time.sleep(0.05)
    bench.root.session(session, "Stop")
    capture = bench.root.capture_of(session)
    first = bench.root.describe(capture)["start_trace_clock"] - begin
    bench.forget(session, capture)
    return reply, first


def start_latency(bench):
    """Both ways of starting in turn, for one event and for a whole system of them."""
    seen = {}
    for events in [["sched:sched_switch"], ["syscalls", "sched:sched_switch"]]:
        replies, firsts, hands = [], [], []
        for _ in range(bench.starts):
            reply, first = start_session(bench, events)
            replies.append(reply / 1e6)
            firsts.append(first / 1e6)
            hands.append(by_hand(events) / 1e6)
        seen[" ".join(events)] = {
            "reply_ms": spread(replies),
            "first_event_ms": spread(firsts),
            "by_hand_ms": spread(hands),
            "ratio": statistics.median(replies) / statistics.median(hands),
            "ratio_of_fastest": min(replies) / min(hands),
        }
    return seen


def timed(action):
    begin = time.monotonic_ns()
    action()
    return (time.monotonic_ns() - begin) / 1e6


def call_in_turn(bench, calls, times):
    """Each of the calls again and again while the disk stalls. Returns how often it did."""
    stalls = Stalls(bench.disk, bench.stall_seconds)
    end = time.monotonic() + bench.bus_seconds
    try:
        while time.monotonic() < end:
            for name, call in calls.items():
                times[name].append(timed(call))
            time.sleep(0.002)
    finally:
        stalls.close()
    return stalls.number


def bus_latency(bench):
    """Calls while all CPUs record at full speed onto a disk that stalls; and, as a yardstick, calls of the bus
    driver at the same time, which say how long the bus and the scheduler alone take."""
    session = bench.root.start("stall", {"events": LOAD_EVENTS, "segment_size": "16M", "segments": 4, "clock": CLOCK})
    capture = bench.root.capture_of(session)
    driver = Client(bench.root.connection, "org.freedesktop.DBus")
    calls = {
        "Get": lambda: bench.root.get(session, SESSION, "Events"),
        "ListSessions": lambda: bench.root.manager("ListSessions"),
        "ListCaptures": lambda: bench.root.manager("ListCaptures", "(a{sv})", {}),
        "Session.Describe": lambda: bench.root.call(session, SESSION, "Describe"),
        "Capture.Describe": lambda: bench.root.call(capture, CAPTURE, "Describe"),
        "Manager.Describe": lambda: bench.root.call(ROOT, MANAGER, "Describe"),
        "driver": lambda: driver.call("/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId"),
    }
    times = {name: [] for name in calls}
    with Load(0) as load:
        load.go()
        time.sleep(1)
        n_stalls = call_in_turn(bench, calls, times)
    recorded = bench.root.describe(session)
    bench.root.session(session, "Stop")
    bench.forget(session, capture)
    yardstick = times.pop("driver")
    everything = [value for values in times.values() for value in values]
    return {
        "p99_ms": percentile(everything, 0.99),
        "p50_ms": percentile(everything, 0.5),
        "max_ms": max(everything),
        "calls": len(everything),
        "p99_ms_by_call": {name: percentile(values, 0.99) for name, values in times.items()},
        "max_ms_by_call": {name: max(values) for name, values in times.items()},
        "driver_p99_ms": percentile(yardstick, 0.99),
        "driver_max_ms": max(yardstick),
        "stalls": n_stalls,
        "recorded": recorded["bytes"],
        "lost": recorded["lost"],
    }
