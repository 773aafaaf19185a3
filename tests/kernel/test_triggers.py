# SPDX-License-Identifier: LGPL-2.1-or-later
"""Triggers of a session's own instance; histograms where the kernel has them, which the VM tier's have."""

import os
import pathlib
import re

import pytest

from daemon import BusError, Writer, ktracectl
from system_bus import wait_until
from trace_file import events, validate

WRITE = "syscalls:sys_enter_write"
EXIT = "syscalls:sys_exit_write"
COUNT = 200
HIST = pathlib.Path("/sys/kernel/tracing/events/sched/sched_switch/hist")


def recorded(root, session, folder):
    root.session(session, "Stop")
    (path,) = root.save_all(root.capture_of(session), folder / "saved")
    validate(path)
    return events(path)


def named(found, name):
    return [event for event in found if event.name == name]


def test_traceoff_pauses_and_is_nobody_elses_doing(root, writer, folder):
    program = writer(1000, 500)
    session = root.start("off", {"events": [WRITE], "pids": [program.pid], "triggers": [f"{WRITE} traceoff:1 if fd == 9"]})
    program.go()
    program.go()
    assert root.describe(session)["state"] == "active"
    wait_until(lambda: root.describe(session)["state"] == "active", "the session has ended")
    assert len(named(recorded(root, session, folder), "sys_enter_write")) < 10


def test_stacktrace(root, writer, folder):
    program = writer(10)
    spec = {"events": [WRITE], "pids": [program.pid], "triggers": [f"{WRITE} stacktrace:3 if fd == 9"]}
    session = root.start("stack", spec)
    program.go()
    assert len(named(recorded(root, session, folder), "kernel_stack")) == 3


def test_enable_event(root, writer, folder):
    """What another event switches on is recorded from then on; nothing of it before."""
    program = writer(100)
    spec = {"events": [WRITE], "pids": [program.pid], "triggers": [f"{WRITE} enable_event:{EXIT}:1 if fd == 9"]}
    session = root.start("enable", spec)
    program.go()
    assert len(named(recorded(root, session, folder), "sys_exit_write")) >= 99


def test_command_line(bus, polkit, daemon, folder):
    path = folder / "t.dat"
    words = ["-F", "-e", WRITE, "-R", "stacktrace if fd == 1", "-o", path, "--", "sh", "-c", "echo 1; echo 2; echo 3"]
    done = ktracectl("record", *words, bus=bus)
    assert done.returncode == 0, done.stderr
    assert len(named(events(path), "kernel_stack")) == 3
    assert "must follow the --event" in ktracectl("record", "-R", "stacktrace", "--", "true", bus=bus).stderr


@pytest.mark.parametrize(
    "trigger, text",
    [
        (f"{WRITE} stacktrase", "There are stacktrace, traceon"),
        (f"{WRITE} stacktrace if fdd == 9", "fdd"),
        ("no:event stacktrace", 'No event matches "no:event"'),
        ("sched stacktrace", "events, "),
        (f"{WRITE} enable_event:no:event", 'No event is called "no:event"'),
        (f"{WRITE} snapshot", "snapshot buffer is not used"),
    ],
)
def test_bad_triggers(root, trigger, text):
    with pytest.raises(BusError, match=re.escape(text)) as caught:
        root.start("bad", {"events": [WRITE], "triggers": [trigger]})
    assert ": triggers: " in caught.value.message
    assert root.manager("ListSessions") == []


def test_powers(polkit, nobody, writer):
    nobody.start("plain", {"events": [WRITE], "triggers": [f"{WRITE} traceoff:1 if fd == 4242"]})
    assert {check.action for check in polkit.checks} == {"org.ktraced1.trace-system"}
    polkit.forget()
    nobody.start("stacks", {"events": [WRITE], "triggers": [f"{WRITE} stacktrace:1 if fd == 4242"]})
    assert "org.ktraced1.trace-functions" in {check.action for check in polkit.checks}
    assert f"{WRITE} stacktrace:1 if fd == 4242" in polkit.checks[0].details["triggers"]


def test_histograms_where_there_are_none(root, bus, polkit):
    if HIST.exists():
        pytest.skip("this kernel has histograms")
    with pytest.raises(BusError) as caught:
        root.start("bad", {"histograms": ["sched:sched_switch keys=prev_pid"]})
    assert caught.value.name == "org.ktraced1.Error.NotSupportedByKernel"
    assert "CONFIG_HIST_TRIGGERS" in caught.value.message
    root.start("plain", {"events": [WRITE]})
    assert "has no histograms" in ktracectl("hist", "plain", bus=bus).stderr
    assert "CONFIG_HIST_TRIGGERS" in ktracectl("hist", "plain", WRITE, bus=bus).stderr


@pytest.mark.parametrize("histogram, text", [("sched:sched_switch pid", "There are keys="), ("a:b keys=x.y", "There are .hex")])
def test_bad_histograms(root, histogram, text):
    with pytest.raises(BusError, match=re.escape(text)):
        root.start("bad", {"histograms": [histogram]})


def test_a_count_is_whole_when_the_recording_begins(root, folder):
    """What fires between setting up and recording does not use it up."""
    program = Writer(COUNT)
    try:
        session = root.start("", {"buffer_size": "4M", "events": ["sched:sched_switch"], "triggers": ["sched:sched_switch stacktrace:7"]})
        program.go()
        root.session(session, "Stop")
    finally:
        program.close()
    (path,) = root.save_all(root.capture_of(session), folder / "whole")
    assert len([event for event in events(path) if event.name == "kernel_stack"]) == 7


def test_what_a_trigger_enables_can_be_read(root, folder):
    """Also an event of a system that the session has no other event of."""
    program = Writer(COUNT)
    try:
        trigger = f"syscalls:sys_enter_write enable_event:sched:sched_switch if common_pid == {program.pid} && fd == 9"
        session = root.start("", {"buffer_size": "4M", "events": ["syscalls:sys_enter_write"], "triggers": [trigger]})
        program.go()
        root.session(session, "Stop")
    finally:
        program.close()
    (path,) = root.save_all(root.capture_of(session), folder / "enabled")
    assert any(event.name == "sched_switch" and "==>" in event.text for event in events(path))


def test_synthetic_events_need_the_kernel(root):
    if HIST.exists():
        pytest.skip("this kernel has histograms")
    spec = {
        "synthetic_events": ["wakeup u64 lat; pid_t pid"],
        "histograms": [
            "sched:sched_waking keys=pid:ts0=common_timestamp.usecs",
            "sched:sched_switch keys=next_pid:lat=common_timestamp.usecs-$ts0:onmatch(sched.sched_waking).wakeup($lat,next_pid)",
        ],
    }
    with pytest.raises(BusError) as caught:
        root.start("", spec)
    assert caught.value.name == "org.ktraced1.Error.NotSupportedByKernel"
    assert "synthetic_events: " in caught.value.message and "CONFIG_" in caught.value.message
    assert root.manager("ListSessions") == []


def test_synthetic_events_on_the_command_line(bus, polkit, daemon):
    done = ktracectl("record", "--synthetic", "x u65 y", "--", "true", bus=bus)
    assert done.returncode == 2 and "--synthetic: The types of a field are" in done.stderr
    assert re.search(r"^  x u65 y\n    \^", done.stderr, re.M)
    done = ktracectl("record", "--synthetic", "x u64 y", "-f", "y >", "-e", WRITE, "--", "true", bus=bus)
    assert done.returncode == 1 and 'no histogram records "x"' in done.stderr


def test_queries_need_the_kernel(root):
    if os.path.exists("/sys/kernel/tracing/events/sched/sched_switch/hist"):
        pytest.skip("this kernel has histograms")
    query = "SELECT start.pid FROM sched_waking AS start JOIN sched_switch AS end ON start.pid = end.next_pid"
    with pytest.raises(BusError) as caught:
        root.start("", {"sql": [query]})
    assert caught.value.name == "org.ktraced1.Error.NotSupportedByKernel"
    with pytest.raises(BusError) as caught:
        root.start("", {"sql": ["UPDATE x"]})
    assert caught.value.name.endswith("InvalidArgs") and "^" in caught.value.message
