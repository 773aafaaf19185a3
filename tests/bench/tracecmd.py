# SPDX-License-Identifier: LGPL-2.1-or-later
"""`trace-cmd record` beside the daemon: in a trace instance of its own, its resources counted.

It is told not to compress, since the daemon does not either."""

import os
import pathlib
import re
import signal
import subprocess
import time

from system_bus import wait_until

TRACING = pathlib.Path("/sys/kernel/tracing")
INSTANCE = "ktbench-trace-cmd"
# trace-cmd resets these; where they are read-only it gives up. It sees others in their place.
RESET_FILES = ["set_ftrace_filter", "set_ftrace_notrace", "set_ftrace_pid", "set_ftrace_notrace_pid"]


def cpu_of_task(path):
    """Nanoseconds of CPU of a thread (its directory in /proc); None when it is gone."""
    try:
        return int((path / "schedstat").read_text().split()[0])
    except (FileNotFoundError, ProcessLookupError):
        return None


def children(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def bytes_dirtied(pid):
    """Bytes that a process had the kernel write to files, less what was thrown away before it was written; of a
    process that has ended but was not waited for, with its children."""
    values = dict(re.findall(r"(\w+): (\d+)", pathlib.Path(f"/proc/{pid}/io").read_text()))
    return int(values["write_bytes"])


class TraceCmd:
    """A recording of `events` into `path`; begins with the constructor, ends with stop(), or when it is left."""

    def __init__(self, folder, path, events, buffer_kib, clock):
        self.path = path
        self.instance = TRACING / "instances" / INSTANCE
        self.instance.mkdir()
        (self.instance / "tracing_on").write_text("0")
        self.log = folder / "trace-cmd.log"
        arguments = ["-B", INSTANCE, "-b", str(buffer_kib), "-C", clock, "-o", path.name, "--compression", "none"]
        for event in events:
            arguments += ["-e", event]
        script = self._script(folder)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "sh", script, *arguments],
                cwd=path.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            wait_until(self._records, f"trace-cmd does not record, see {self.log}", timeout=30)
        except AssertionError:
            self._abandon()
            raise
        self.recorders = children(self.process.pid)

    def _script(self, folder):
        one, empty, script = folder / "one", folder / "empty", folder / "trace-cmd.sh"
        one.write_text("1\n")
        empty.write_text("")
        lines = [f"mount --bind {one} /proc/sys/kernel/ftrace_enabled"]
        for where in [TRACING, self.instance]:
            lines += [f"mount --bind {empty} {where / name}" for name in RESET_FILES if (where / name).exists()]
        script.write_text("set -e\n" + "\n".join(lines) + '\nexec trace-cmd record "$@"\n')
        return script

    def _records(self):
        if self.process.poll() is not None:
            raise AssertionError(f"trace-cmd: {self.log.read_text()}")
        # It enables the events and forks the recorders first, and switches tracing on then.
        return (self.instance / "tracing_on").read_text().strip() == "1" and children(self.process.pid)

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        if self.process.returncode is None:
            self._abandon()

    def _abandon(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait()
        self._remove_instance()

    def recorders_cpu(self):
        """Nanoseconds of CPU that the recorders have used so far, without the process that closes the file."""
        return sum(cpu_of_task(pathlib.Path(f"/proc/{pid}/task/{pid}")) or 0 for pid in self.recorders)

    def lost(self):
        text = "".join(path.read_text() for path in sorted(self.instance.glob("per_cpu/cpu*/stats")))
        return sum(int(n) for n in re.findall(r"(?:overrun|dropped events): (\d+)", text))

    def _remove_instance(self):
        deadline = time.monotonic() + 10
        while True:
            try:
                self.instance.rmdir()
                return
            except FileNotFoundError:
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def stop(self):
        """Ctrl-C, and the file is closed. A dict: cpu (ns, all processes), recorders_cpu (ns), dirtied (bytes),
        lost, file (bytes), recorded (bytes of pages in the file)."""
        recorders_cpu, lost = self.recorders_cpu(), self.lost()
        self.process.send_signal(signal.SIGINT)
        os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)
        dirtied = bytes_dirtied(self.process.pid)
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self._remove_instance()
        log = self.log.read_text(errors="replace")
        assert self.process.returncode == 0, log
        sizes = re.findall(r"^\s+(\d+) bytes in size", log, re.MULTILINE)
        return {
            "cpu": round((usage.ru_utime + usage.ru_stime) * 1e9),
            "recorders_cpu": recorders_cpu,
            "dirtied": dirtied,
            "lost": lost,
            "file": self.path.stat().st_size,
            "recorded": sum(map(int, sizes)),
        }
