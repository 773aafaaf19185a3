# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tracing a systemd unit or a user: their processes, what these fork, and what comes when a unit is restarted."""

import re

import pytest

from logins import run_as_user
from test_install import no_rule, set_rule  # noqa: F401

pytestmark = pytest.mark.seconds(600)

SERVICE = """[Service]
ExecStart=/bin/sh -c 'while sleep 0.2; do /bin/cat /etc/hostname >/run/loop.said; done'
"""
UNIT = "loop.service"
# What a guest does in a second is not known.
TURNS = "for i in 1 2 3; do rm -f {file}; until [ -s {file} ]; do sleep 0.1; done; cat /etc/passwd > /dev/null; done"
FOLLOWED = "until grep -qx {pid} /sys/kernel/tracing/instances/*/{setting}; do sleep 0.1; done"


def wait_turns(guest, file="/run/loop.said"):
    """Until the loop that writes it has come round three times; this reads /etc/passwd meanwhile."""
    guest.run(["timeout", "200", "sh", "-c", TURNS.format(file=file)], timeout=240, check=True)


def wait_followed(guest, unit, setting="set_event_pid"):
    """Until the unit's main process is among those that are traced. Its id."""
    pid = guest.run(f"systemctl show -P MainPID {unit}", check=True).stdout.strip()
    guest.run(["timeout", "100", "sh", "-c", FOLLOWED.format(pid=pid, setting=setting)], timeout=120, check=True)
    return int(pid)


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
    wait_turns(guest)
    lines = report(guest, "web")
    assert any("/etc/hostname" in line or "cat" in line for line in lines)
    assert commands(lines) <= {"sh", "cat", "sleep"}
    assert not [line for line in lines if "/etc/passwd" in line]


def test_restarted(guest, loop):
    guest.run("ktracectl session start web -e sched_process_exec --unit loop.service", check=True)
    before = guest.run(f"systemctl show -P MainPID {UNIT}", check=True).stdout.strip()
    guest.run(f"systemctl restart {UNIT}", check=True)
    after = wait_followed(guest, UNIT)
    assert int(before) != after
    wait_turns(guest)
    lines = report(guest, "web")
    execs = [int(match[1]) for line in lines if (match := re.search(r"filename=/bin/cat pid=(\d+)", line))]
    assert any(pid > after for pid in execs), "what the new main process starts"


def test_functions_of_the_unit(guest, loop):
    """The function tracer has a pid filter of its own."""
    guest.run("ktracectl session start web -p function -l do_sys_openat2 --unit loop", check=True)
    wait_turns(guest)
    guest.run(f"systemctl restart {UNIT}", check=True)
    after = wait_followed(guest, UNIT, "set_ftrace_pid")
    wait_turns(guest)
    lines = report(guest, "web")
    pids = {int(match[1]) for line in lines if (match := re.search(r"-(\d+)\s+\[\d+\]", line))}
    assert lines and all("do_sys_openat2" in line for line in lines)
    assert any(pid > after for pid in pids), "what the new main process starts"
    assert commands(lines) <= {"sh", "cat", "sleep", "(sh)"}


def test_no_such_unit(guest, loop):
    done = guest.run("ktracectl session start web -e openat --unit no-such-unit")
    assert done.status != 0
    assert '"no-such-unit.service" is not running' in done.output
    done = guest.run("ktracectl session start web -e openat --unit lopo")
    assert done.status != 0
    assert 'did you mean "loop.service"' in done.output
    assert guest.run("ls /sys/kernel/tracing/instances", check=True).stdout == ""


def test_user(guest):
    """Of before, and one that comes by another way than fork: from root, as su does."""
    guest.run(["systemd-run", "--quiet", "--uid=tester", "--unit=early", "sh", "-c", "while sleep 0.2; do :; done"], check=True)
    guest.run("ktracectl session start theirs -e openat -e sched_process_exec --user tester", check=True)
    guest.run(["systemd-run", "--quiet", "--uid=tester", "--unit=late", "sh", "-c",
               "while sleep 0.2; do head -c 1 /etc/hostname > /tmp/late.said; done"], check=True)  # fmt: skip
    wait_followed(guest, "late")
    wait_turns(guest, "/tmp/late.said")
    guest.run("systemctl stop early late", check=True)
    lines = report(guest, "theirs")
    assert commands(lines) <= {"sh", "sleep", "head"}
    assert {"sleep", "head"} <= commands(lines)
    assert not [line for line in lines if "/etc/passwd" in line]


def test_marks_in_the_unit_s_trace(guest, loop):
    guest.run("ktracectl session start web -e sched_process_exec --unit loop", check=True)
    guest.run("ktracectl mark web deployment begins", check=True)
    assert any("ktracectl-" in line and "deployment begins" in line for line in report(guest, "web"))


def test_marks_of_an_ordinary_user(guest, no_rule):  # noqa: F811
    """With polkit's yes they trace, and mark what is theirs; what is root's they may not mark."""
    set_rule(guest, "YES")
    status, output = run_as_user(guest, "ktracectl session start mine -e sched_process_exec && ktracectl mark mine it is $$ && seq 3 | ktracectl mark mine -")
    assert status == 0, output
    guest.run("ktracectl session start roots -e sched_process_exec", check=True)
    status, output = run_as_user(guest, "ktracectl --no-ask-password mark roots not mine")
    assert status != 0 and "Failed to mark session roots" in output
    status, output = run_as_user(guest, "ktracectl session stop mine && ktracectl report mine && ktracectl session remove mine")
    assert status == 0, output
    texts = [match[1] for line in output.splitlines() if (match := re.search(r"print: .*ktracectl-\d+: (.*)", line))]
    assert re.fullmatch(r"it is \d+", texts[0]) and texts[1:] == ["1", "2", "3"]
    assert not any("not mine" in line for line in report(guest, "roots"))
