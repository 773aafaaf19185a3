# SPDX-License-Identifier: LGPL-2.1-or-later
"""Recordings in a guest, as events; trace-cmd must agree on each line."""

import collections
import re

TRACING = "/sys/kernel/tracing"
EVENT = re.compile(r"^ *(?P<comm>.+)-(?P<pid>\d+) +\[(?P<cpu>\d+)\] +[\d.]+: (?P<name>\w+): *(?P<text>.*)$")

Event = collections.namedtuple("Event", "comm pid name text stack")


def parse(text):
    """The events of a report, each with the lines of its stack."""
    found = []
    for line in text.splitlines():
        match = EVENT.match(line)
        if match:
            found.append(Event(match["comm"], int(match["pid"]), match["name"], match["text"].strip(), []))
        elif line.lstrip().startswith("=>"):
            found[-1].stack.append(line.split()[1])
    return found


def read(guest, path):
    """The events of a file, after seeing that trace-cmd finds it valid and prints the same lines."""
    guest.run(["trace-cmd", "dump", "--validate", "-i", path], check=True)
    ours = guest.run(["ktracectl", "--no-pager", "report", path], check=True).stdout.splitlines()
    theirs = guest.run(["trace-cmd", "report", "-i", path], check=True).stdout.splitlines()
    assert theirs[0].startswith("cpus=")
    assert [line.rstrip() for line in ours] == [line.rstrip() for line in theirs[1:]]
    return parse("\n".join(ours))


def record(guest, options, program):
    """What `ktracectl record` with these options sees of a program."""
    path = "/root/recording.dat"
    done = guest.run(f"rm -f {path}; ktracectl record -q {options} -o {path} -- {program}")
    assert done.status == 0, done.output
    return read(guest, path)


def refused(guest, options):
    """What `ktracectl record` says to options with which it must fail, leaving nothing behind."""
    done = guest.run(f"ktracectl record -q {options} -o /root/none.dat -- true")
    assert done.status == 1, done.output
    assert guest.run(f"ls {TRACING}/instances", check=True).stdout == ""
    return done.output
