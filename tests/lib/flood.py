# SPDX-License-Identifier: LGPL-2.1-or-later
"""Requests of one user without end, what another's take meanwhile, and what a third's session records: tests/lib/caller.c
does the calling."""

import json
import os
import subprocess
import threading

from daemon import BUILD, NOBODY, reachable
from trace_file import count, validate

CALLER = BUILD / "tests" / "lib" / "caller"
BIN = 2  # a user that every Debian has


def renice(pid, value):
    """All threads of a process."""
    for task in os.listdir(f"/proc/{pid}/task"):
        os.setpriority(os.PRIO_PROCESS, int(task), value)


class Caller:
    """caller.c as a process of a user; `result` is what it says at the end."""

    def __init__(self, bus, uid, *arguments, nice=0):
        self.process = subprocess.Popen(
            [reachable(CALLER), *map(str, arguments)],
            env=bus.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            user=uid,
            group=uid,
            extra_groups=[],
        )
        renice(self.process.pid, nice)
        assert self.process.stdout.readline() == "ready\n"

    def end(self):
        text = self.process.stdout.read()
        self.process.stdout.close()
        status = self.process.wait(60)
        assert status == 0, f"caller ended with {status}: {text}"
        return json.loads(text)


def percentile(series, percent):
    ordered = sorted(series)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def summary(series):
    """Milliseconds."""
    found = {f"p{percent}": round(percentile(series, percent) / 1000, 2) for percent in (50, 99)}
    return {"n": len(series), **found, "max": round(max(series) / 1000, 2)}


class Recording:
    """A session of root's on a program that does something all the time; lost is nothing, or end() says so."""

    def __init__(self, root, writer, folder, seconds, per_second=5000):
        self.root, self.folder = root, folder
        self.chunk, self.interval = per_second // 10, 0.1
        self.total = self.chunk * int(seconds / self.interval)
        self.program = writer(self.total, self.chunk)
        spec = {"events": ["raw_syscalls:sys_enter"], "pids": [self.program.pid]}
        self.session = root.start("recording", spec)
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        for _ in range(self.total // self.chunk):
            self.program.go()
            self.stopped.wait(self.interval)

    def end(self):
        """The number of events of the program that are in the capture, which must be all."""
        self.stopped.set()
        self.thread.join()
        self.root.session(self.session, "Stop")
        capture = self.root.capture_of(self.session)
        files = self.root.save_all(capture, self.folder / "segments")
        for path in files:
            validate(path)
        about = self.root.describe(capture)
        assert about["lost"] == 0, about["lost"]
        # NR 1 is write; the first argument, a descriptor, is 9.
        found = count(files, "sys_enter", self.program.pid, "NR 1 (9,")
        assert found == self.total, (found, self.total)
        return found


def flood(daemon, root, writer, folder, seconds, rate, calls, nice=0):
    """What the flood and the other user's requests came to; the recording is checked."""
    other = daemon.client(BIN)
    session = other.create("other", {"events": ["sched:sched_process_exit"]})
    recording = Recording(root, writer, folder, seconds)
    measure = Caller(daemon.bus, BIN, "measure", 10, seconds, session, nice=nice)
    before = cpu_seconds(daemon)
    flooding = Caller(daemon.bus, NOBODY, "flood", rate, seconds, *calls, nice=nice)
    figures = {"calls": "+".join(calls), "flood": flooding.end(), "cpu": {}}
    for name, used in cpu_seconds(daemon).items():
        figures["cpu"][name] = round((used - before[name]) / figures["flood"]["seconds"], 3)
    measured = measure.end()
    assert measured["list_errors"] == measured["describe_errors"] == 0, measured
    figures["list"], figures["describe"] = summary(measured["list"]), summary(measured["describe"])
    figures["events"] = recording.end()
    other.close()
    return figures


def cpu_seconds(daemon):
    """What the daemon and the bus have used."""
    found = {}
    for name, pid in [("ktraced", daemon.process.pid), ("dbus-daemon", daemon.bus.process.pid)]:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        found[name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found
