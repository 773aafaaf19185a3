# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sessions that trace the processes of a user or of a unit, also those that begin later."""

import os
import pathlib
import re
import signal
import subprocess
import time

import pytest
from gi.repository import GLib

from daemon import INSTANCES, NOBODY, BusError, ktracectl
from system_bus import wait_until
from trace_file import events

WRITE = "syscalls:sys_enter_write"
# One that no other process of the machine has.
SOMEBODY = 64123


@pytest.fixture
def sleeper():
    """A process of SOMEBODY's, so that the user has one."""
    process = subprocess.Popen(["sleep", "60"], user=SOMEBODY, group=SOMEBODY)
    yield process
    process.kill()
    process.wait()


def start(root, name="users", **more):
    return root.start(name, {"events": [WRITE], "user": GLib.Variant("u", SOMEBODY), "buffer_size": "4M", **more})


def wait_followed(root, session, process):
    """Until the kernel records what came into the group."""
    pids = INSTANCES / root.describe(session)["instance"] / "set_event_pid"
    wait_until(lambda: str(process.pid) in pids.read_text().split(), "the new process is not followed")


def recorded(root, session, folder):
    root.session(session, "Stop")
    (path,) = root.save_all(root.capture_of(session), folder / "saved")
    return events(path)


def writes(found, pid):
    return sum(1 for event in found if event.pid == pid and "fd: 0x00000009" in event.text)


def test_processes_of_before_and_after(root, writer, sleeper, folder):
    before = writer(1000, uid=SOMEBODY)
    other = writer(1000)
    session = start(root)
    before.go()
    other.go()
    after = writer(1000, uid=SOMEBODY)
    wait_followed(root, session, after)
    after.go()
    found = recorded(root, session, folder)
    assert writes(found, before.pid) == 1000
    assert writes(found, after.pid) == 1000
    assert not [event for event in found if event.pid == other.pid]


def test_what_they_start_at_once(root, sleeper, folder):
    """Children are followed by the kernel, without waiting for the next look."""
    script = "read line; for i in 1 2 3; do /bin/sh -c 'echo x >&2'; done"
    shell = subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, user=SOMEBODY, group=SOMEBODY)
    session = start(root)
    shell.communicate(b"go\n")
    found = recorded(root, session, folder)
    assert len({event.pid for event in found}) == 3


def test_nobody_else(root, sleeper, writer, folder):
    session = start(root)
    busy = writer(20000)
    busy.go()
    time.sleep(1)
    pids = {event.pid for event in recorded(root, session, folder)}
    uids = {pid: uid_of(pid) for pid in pids}
    assert set(uids.values()) <= {SOMEBODY, None}
    assert busy.pid not in pids


def uid_of(pid):
    try:
        return int(re.search(r"^Uid:\t(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1])
    except OSError:
        return None


def test_joined_with_pids(root, sleeper, writer, folder):
    one, other = writer(100), writer(100, uid=SOMEBODY)
    session = start(root, pids=[one.pid])
    one.go()
    other.go()
    found = recorded(root, session, folder)
    assert writes(found, one.pid) == writes(found, other.pid) == 100


ROOTS = [pathlib.Path("/sys/fs/cgroup"), pathlib.Path("/sys/fs/cgroup/unified")]


@pytest.fixture
def unit():
    """An empty control group that looks like a unit's, and one below it; everything in it ends with the test."""
    roots = [root for root in ROOTS if (root / "cgroup.subtree_control").exists()]
    if not roots or not os.access(roots[0], os.W_OK):
        pytest.skip("there is no cgroup2 hierarchy to make groups in")
    slice_ = roots[0] / f"ktracedtest{os.getpid()}.slice"
    group = slice_ / f"ktraced-test\\x2d{os.getpid()}@1.service"
    for folder in (slice_, group, group / "worker"):
        folder.mkdir()
    yield group
    for folder in (group / "worker", group, slice_):
        for pid in (folder / "cgroup.procs").read_text().split():
            os.kill(int(pid), signal.SIGKILL)
        wait_until(lambda: "populated 0" in (folder / "cgroup.events").read_text(), "a process does not end")
        folder.rmdir()


def enter(group, pid):
    (group / "cgroup.procs").write_text(str(pid))


def start_unit(root, unit, **more):
    return root.start("unit", {"events": [WRITE], "unit": unit.name, "buffer_size": "4M", **more})


def test_unit_with_what_is_below_and_what_comes(root, unit, writer, folder):
    main, below, later, other = (writer(1000) for _ in range(4))
    enter(unit, main.pid)
    enter(unit / "worker", below.pid)
    session = start_unit(root, unit)
    assert root.describe(session)["spec"]["unit"] == unit.name
    for process in (main, below, other):
        process.go()
    enter(unit, later.pid)
    wait_followed(root, session, later)
    later.go()
    found = recorded(root, session, folder)
    assert [writes(found, process.pid) for process in (main, below, later)] == [1000] * 3
    assert {event.pid for event in found} <= {main.pid, below.pid, later.pid}


def test_unit_that_stops_and_starts_again(root, unit, writer, folder):
    """An empty filter must not become none: nobody is recorded in between."""
    first = writer(100)
    enter(unit, first.pid)
    session = start_unit(root, unit)
    first.go()
    first.close()
    (unit / "worker").rmdir()
    wait_until(lambda: "populated 0" in (unit / "cgroup.events").read_text(), "the process does not end")
    unit.rmdir()
    other = writer(1000)
    time.sleep(0.7)
    other.go()
    (unit / "worker").mkdir(parents=True)
    second = writer(100)
    enter(unit, second.pid)
    wait_followed(root, session, second)
    second.go()
    found = recorded(root, session, folder)
    assert {event.pid for event in found} <= {first.pid, second.pid}
    assert writes(found, first.pid) == writes(found, second.pid) == 100


def test_forks_are_left_to_the_kernel(daemon, root, unit):
    """A unit that starts processes all the time costs no write to the kernel's filter, and no number is left in it."""
    shell = subprocess.Popen(["sh", "-c", "read line; while :; do /bin/true; done"], stdin=subprocess.PIPE)
    enter(unit, shell.pid)
    session = start_unit(root, unit)
    shell.stdin.write(b"go\n")
    shell.stdin.flush()
    time.sleep(3)
    shell.kill()
    shell.wait()
    (name,) = daemon.instances()
    instance = INSTANCES / name

    def left():
        return [pid for pid in (instance / "set_event_pid").read_text().split() if pid != "4194304"]

    wait_until(lambda: not left(), "numbers of tasks that have ended are left in the filter")
    assert (instance / "set_event_notrace_pid").read_text().split() in ([], ["no", "pid"])
    root.session(session, "Stop")


def test_unit_without_processes(root, unit):
    with pytest.raises(BusError, match="has no processes"):
        start_unit(root, unit)
    near = unit.name.replace("test", "tset")
    with pytest.raises(BusError, match="is not running; did you mean"):
        root.start("unit", {"events": [WRITE], "unit": near})


@pytest.mark.parametrize(
    "spec, text",
    [
        ({"user": GLib.Variant("u", 64999)}, "user: 64999 has no processes"),
        ({"user": GLib.Variant("t", 1 << 32)}, "user: 4294967296 is out of range"),
        ({"user": "root"}, "user: of type s"),
        ({"unit": "no-such-unit.service"}, 'unit: "no-such-unit.service" is not running'),
        ({"unit": "../../etc"}, "unit:"),
        ({"unit": "a/b.service"}, "unit:"),
        ({"unit": "nginx"}, "unit:"),
    ],
)
def test_bad_specs(root, spec, text):
    with pytest.raises(BusError, match=re.escape(text)):
        root.start("bad", {"events": [WRITE], **spec})
    assert root.manager("ListSessions") == []


def test_command_line(bus, polkit, daemon, root, sleeper, writer):
    done = ktracectl("session", "start", "users", "-e", WRITE, f"--user={SOMEBODY}", bus=bus)
    assert done.returncode == 0, done.stderr
    (row,) = root.manager("ListSessions")
    assert root.describe(row[-1])["spec"]["user"] == SOMEBODY
    assert "expected a user's name or number" in ktracectl("session", "start", "x", "-e", WRITE, "--user=no such", bus=bus).stderr
    assert "no-such.service" in ktracectl("session", "start", "x", "-e", WRITE, "--unit=no-such", bus=bus).stderr


def test_polkit_is_told(polkit, nobody, sleeper):
    nobody.start("one", {"events": [WRITE], "user": GLib.Variant("u", SOMEBODY)})
    assert polkit.checks[-1].details["user"] == str(SOMEBODY)
    assert polkit.checks[-1].action == "org.ktraced1.trace-system"
    assert NOBODY != SOMEBODY and os.getuid() == 0
