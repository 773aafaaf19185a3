#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every readable setting of the tracing directory, so that a test can compare before and after.

    before = tracing_state.read()                  # of this machine
    before = tracing_state.read_guest(guest)       # of a guest of tests/vm
    ...
    assert tracing_state.differences(before, tracing_state.read()) == []

As a command it prints them as JSON. Trace instances are listed by name and not looked into; what is data or
statistics rather than a setting, or is consumed or changed by reading, is left out."""

import json
import os
import pathlib
import re
import stat
import sys

TRACING = "/sys/kernel/tracing"
# Data, statistics and descriptions; some of them are consumed by reading, or take long.
SKIPPED = {
    "README",
    "available_filter_functions",
    "available_filter_functions_addrs",
    "dyn_ftrace_total_info",
    "enabled_functions",
    "error_log",
    "event_filters",
    "format",
    "free_buffer",
    "hist",
    "hist_debug",
    "id",
    "kprobe_profile",
    "printk_formats",
    "saved_cmdlines",
    "saved_tgids",
    "snapshot",
    "snapshot_raw",
    "stack_max_size",
    "stack_trace",
    "stats",
    "touched_functions",
    "trace",
    "trace_pipe",
    "trace_pipe_raw",
    "trace_stat",
    "uprobe_profile",
}
# The kernel makes the top-level buffer large when it is first used, up to 6.1 also by an event in an instance, and
# there is no way back: as long as it has not, its size is not compared.
UNUSED = "(expanded: "
SIZE = re.compile(r"(per_cpu/cpu\d+/)?buffer_(total_)?size_kb")


def _walk(folder, name, state):
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        path = name + entry.name
        if entry.name in SKIPPED:
            continue
        if path == "instances":
            state[path] = " ".join(sorted(os.listdir(entry.path)))
        elif entry.is_dir(follow_symlinks=False):
            _walk(entry.path, path + "/", state)
        elif entry.is_file(follow_symlinks=False):
            # The bits and not access(2): to root everything is readable, but a read may have an effect.
            if stat.S_IMODE(entry.stat(follow_symlinks=False).st_mode) & 0o444 == 0:
                continue
            try:
                with open(entry.path, encoding="utf-8", errors="replace") as file:
                    text = file.read()
            except OSError as error:
                text = f"({error.strerror})"
            state[path] = text


def read(tracing=TRACING):
    """{path below the tracing directory: text}."""
    state = {}
    _walk(tracing, "", state)
    return state


def read_guest(guest):
    """The same of a guest."""
    script = "/root/tracing_state.py"
    guest.put(script, pathlib.Path(__file__).read_text(encoding="utf-8"))
    return json.loads(guest.run(["python3", script], timeout=300, check=True).stdout)


def differences(before, after):
    """A line for each setting that is not what it was; [] when all are."""
    unused = UNUSED in before["buffer_size_kb"]
    lines = []
    for path in sorted(before.keys() | after.keys()):
        was, now = before.get(path), after.get(path)
        if was != now and not (unused and SIZE.fullmatch(path)):
            lines.append(f"{path}: {was!r} became {now!r}")
    return lines


if __name__ == "__main__":
    json.dump(read(*sys.argv[1:2]), sys.stdout)
