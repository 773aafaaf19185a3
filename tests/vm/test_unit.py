# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tracing a systemd unit: its processes, what they fork, and what comes when it is restarted."""

import re

import pytest

pytestmark = pytest.mark.seconds(600)

SERVICE = """[Service]
ExecStart=/bin/sh -c 'while sleep 0.2; do /bin/cat /etc/hostname >/dev/null; done'
"""
UNIT = "loop.service"


@pytest.fixture
def loop(guest):
    guest.run(["sh", "-c", f"cat > /run/systemd/system/{UNIT} <<'END'\n{SERVICE}END"], check=True)
    guest.run(f"systemctl daemon-reload && systemctl start {UNIT}", check=True)
    yield
    guest.run(f"systemctl stop {UNIT}", check=True)


def report(guest, session):
    guest.run(f"ktracectl session stop {session}", check=True)
    text = guest.run(f"ktracectl report {session}", check=True).stdout
    guest.run(f"ktracectl session remove {session}", check=True)
    return text.splitlines()


def commands(lines):
    return {match[1] for line in lines if (match := re.match(r"\s*(\S+?)-\d+\s", line))}


def test_the_unit_and_nothing_else(guest, loop):
    guest.run("ktracectl session start web -e openat -e sched_process_exec --unit loop", check=True)
    guest.run("for i in 1 2 3; do cat /etc/passwd > /dev/null; sleep 0.4; done", check=True)
    lines = report(guest, "web")
    assert any("/etc/hostname" in line or "cat" in line for line in lines)
    assert commands(lines) <= {"sh", "cat", "sleep"}
    assert not [line for line in lines if "/etc/passwd" in line]


def test_restarted(guest, loop):
    guest.run("ktracectl session start web -e sched_process_exec --unit loop.service", check=True)
    before = guest.run(f"systemctl show -P MainPID {UNIT}", check=True).stdout.strip()
    guest.run(f"systemctl restart {UNIT}; sleep 3", check=True)
    after = guest.run(f"systemctl show -P MainPID {UNIT}", check=True).stdout.strip()
    assert before != after
    lines = report(guest, "web")
    execs = [int(match[1]) for line in lines if (match := re.search(r"filename=/bin/cat pid=(\d+)", line))]
    assert any(pid > int(after) for pid in execs), "what the new main process starts"


def test_no_such_unit(guest):
    done = guest.run("ktracectl session start web -e openat --unit no-such-unit")
    assert done.status != 0
    assert '"no-such-unit.service" is not running' in done.output


def test_marks_in_the_unit_s_trace(guest, loop):
    guest.run("ktracectl session start web -e sched_process_exec --unit loop", check=True)
    guest.run("ktracectl mark web deployment begins", check=True)
    assert any("ktracectl-" in line and "deployment begins" in line for line in report(guest, "web"))
