# SPDX-License-Identifier: LGPL-2.1-or-later
"""Variables and actions of histograms, and the synthetic events that they record, under the installed unit: the examples
of the kernel's histogram.rst, with the numbers computed once more from the events of the same capture."""

import collections
import json
import re

import pytest

pytestmark = pytest.mark.seconds(900)

TRACING = "/sys/kernel/tracing"
SLEEPS = 20
SLEEPER = ["sh", "-c", f"for i in $(seq {SLEEPS}); do sleep 0.02; done"]
EVENT = "wakeup_latency u64 lat; pid_t pid; char comm[16]"
WAKING = "sched:sched_waking keys=pid:ts0=common_timestamp.usecs"
LATENCY = "sched:sched_switch keys=next_pid:wakeup_lat=common_timestamp.usecs-$ts0"
MATCH = "onmatch(sched.sched_waking).trace(wakeup_latency,$wakeup_lat,next_pid,next_comm)"
LINE = re.compile(r"^ *.+-\d+ +\[(\d+)\] +(\d+)\.(\d{9}): +(\w+): +(.*)$")

Event = collections.namedtuple("Event", "nanoseconds name text")


@pytest.fixture(autouse=True)
def no_residue(guest):
    yield
    left = guest.run(f"cat {TRACING}/dynamic_events; ls {TRACING}/instances", check=True).output
    assert left == ""


def read(guest, path):
    """The events of a file with time stamps in nanoseconds, as trace-cmd prints them, in their order."""
    found = []
    for line in guest.run(["trace-cmd", "report", "-t", "-i", path], check=True).stdout.splitlines():
        match = LINE.match(line)
        if match:
            found.append(Event(int(match[2]) * 10**9 + int(match[3]), match[4], match[5]))
    guest.run(["rm", path], check=True)
    return found


def field(event, name):
    return int(re.search(rf"\b{name}=(-?\d+)", event.text)[1])


def switched_to(event):
    return int(re.search(r"==> .*:(\d+) \[", event.text)[1])


def microseconds(event):
    """As the kernel makes them for histograms (ns2usecs(), kernel/trace/trace.h)."""
    return (event.nanoseconds + 500) // 1000


def expected_latencies(events):
    """What the histograms above compute: for each switch to a task the time since it was last woken."""
    woken, found = {}, []
    for event in events:
        if event.name == "sched_waking":
            woken[field(event, "pid")] = microseconds(event)
        elif event.name == "sched_switch" and switched_to(event) in woken:
            pid = switched_to(event)
            found.append((pid, microseconds(event) - woken.pop(pid)))
    return found


def latencies(events):
    return [(field(event, "pid"), field(event, "lat")) for event in events if event.name == "wakeup_latency"]


def record(guest, *options, path="/root/synthetic.dat"):
    command = ["ktracectl", "record", "-q", "-F", "-c", *options, "-o", path, "--", *SLEEPER]
    guest.run(command, check=True)
    return read(guest, path)


def start(guest, name, *options):
    guest.run(["ktracectl", "session", "start", name, *options], check=True)


def hist(guest, session, *more):
    return json.loads(guest.run(["ktracectl", "--json=short", "hist", session, *more], check=True).stdout)


def remove(guest, *sessions):
    guest.run(["ktracectl", "session", "remove", *sessions], check=True)


def saved(guest, session):
    """The events of the capture of a session, which is removed."""
    script = f"""
        ktracectl session stop {session}
        capture=$(ktracectl --no-legend capture list | awk '$2 == "{session}" {{ print $1 }}')
        ktracectl capture export $capture /root/saved.dat
        ktracectl session remove {session}; ktracectl capture delete $capture
    """
    guest.run(script, timeout=300, check=True)
    return read(guest, "/root/saved.dat")


def test_wakeup_latency_is_that_of_the_events(guest):
    events = record(guest, "--synthetic", EVENT, "--hist", WAKING, "--hist", f"{LATENCY}:{MATCH}", "-e", "sched_waking,sched_switch")
    assert len(latencies(events)) >= SLEEPS
    assert sorted(latencies(events)) == sorted(expected_latencies(events))
    assert any("comm=sleep" in event.text for event in events if event.name == "wakeup_latency")
