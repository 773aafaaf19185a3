# SPDX-License-Identifier: LGPL-2.1-or-later
"""What trace-cmd says of a capture: the judge in tests, as it shares no code with the daemon's writer."""

import collections
import re
import subprocess

Event = collections.namedtuple("Event", "comm pid cpu seconds name text")

# <comm>-<pid>  [<cpu>]  <seconds>: <event>:  <text>
LINE = re.compile(r"^\s*(.*)-(\d+)\s+\[(\d+)\]\S*\s+(?:\S+\s+)?(\d+(?:\.\d+)?): +([^:\s]+): *(.*)$")


def trace_cmd(*arguments):
    done = subprocess.run(["trace-cmd", *map(str, arguments)], capture_output=True, text=True, errors="replace", check=False)
    return done


def validate(path):
    """Fails unless `trace-cmd dump --validate` accepts the file."""
    done = trace_cmd("dump", "--validate", "-i", path)
    text = done.stdout + done.stderr
    assert done.returncode == 0 and "is a valid" in text, f"{path}: {text}"


def report(path):
    """The whole of `trace-cmd report`; fails unless trace-cmd reads the file."""
    done = trace_cmd("report", "-i", path)
    assert done.returncode == 0, done.stderr
    return done.stdout


def events(path, *arguments):
    """The events of a file, oldest first, as `trace-cmd report` shows them."""
    done = trace_cmd("report", "-i", path, *arguments)
    assert done.returncode == 0, done.stderr
    found = []
    for line in done.stdout.splitlines():
        match = LINE.match(line)
        if match:
            comm, pid, cpu, seconds, name, text = match.groups()
            found.append(Event(comm, int(pid), int(cpu), float(seconds), name, text))
    return found


def lost(path):
    """Numbers of lost events that the report mentions."""
    done = trace_cmd("report", "-i", path)
    return [int(n) for n in re.findall(r"\[(\d+) EVENTS DROPPED\]|CPU:\d+ \[(?:EVENTS DROPPED|(\d+))", done.stdout) for n in n if n]


def count(paths, name, pid=None, text=None):
    """How many events of the name (and pid, and with `text` in the text) there are in all files."""
    return sum(
        1
        for path in paths
        for event in events(path)
        if event.name == name and (pid is None or event.pid == pid) and (text is None or text in event.text)
    )
