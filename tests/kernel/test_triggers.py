# SPDX-License-Identifier: LGPL-2.1-or-later
"""Triggers of a session's own instance; histograms where the kernel has them, which the VM tier's have."""

import pathlib
import re

import pytest

from daemon import BusError, ktracectl
from system_bus import wait_until
from trace_file import events, validate

WRITE = "syscalls:sys_enter_write"
EXIT = "syscalls:sys_exit_write"
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
