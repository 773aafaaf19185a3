# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sessions that trace a user's processes, also those that begin later; units are in the VM tier."""

import os
import pathlib
import re
import subprocess
import time

import pytest
from gi.repository import GLib

from daemon import NOBODY, BusError, ktracectl
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
    time.sleep(1.2)
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


@pytest.mark.parametrize(
    "spec, text",
    [
        ({"user": GLib.Variant("u", 64999)}, "user: 64999 has no processes"),
        ({"user": GLib.Variant("t", 1 << 32)}, "user: 4294967296 is out of range"),
        ({"user": "root"}, "user: of type s"),
        ({"unit": "no-such-unit.service"}, 'unit: no control group has the name "no-such-unit.service"'),
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
