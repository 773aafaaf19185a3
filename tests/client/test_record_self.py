# SPDX-License-Identifier: LGPL-2.1-or-later
"""ktracectl record as an ordinary user, who records his own program and nothing else."""

import re
import subprocess

import pytest

from daemon import NOBODY, ktracectl, reachable

TRACE_SELF = "org.ktraced1.trace-self"
TRACE_SYSTEM = "org.ktraced1.trace-system"
QUERY = "org.ktraced1.query"


@pytest.fixture
def output(folder):
    place = folder / "output"
    place.mkdir()
    place.chmod(0o777)
    return place / "trace.dat"


@pytest.fixture
def own_only(polkit):
    """A polkit that lets users trace what is theirs, as on an active session, and nothing else."""
    polkit.mode = "no"
    polkit.actions = {TRACE_SELF: "yes", QUERY: "yes"}
    return polkit


def record(bus, *arguments, **more):
    return ktracectl("record", *arguments, bus=bus, uid=NOBODY, **more)


def asked(polkit):
    return [check.action for check in polkit.checks if check.action != QUERY]


def report(path):
    return subprocess.run(["trace-cmd", "report", "-i", path], check=True, capture_output=True, text=True).stdout


def test_without_a_word_it_records_the_program_and_its_children(own_only, daemon, bus, output):
    done = record(bus, "-o", output, "--", "sh", "-c", "/bin/true; /bin/true; exit 3")
    assert done.returncode == 3, done.stderr
    assert asked(own_only) == [TRACE_SELF]
    text = report(output)
    print(text[:3000])
    assert len(re.findall(r"sched_process_exec:.*filename=/bin/true", text)) == 2
    assert re.search(r"\bsh-\d+ .*sys_exit_group", text) or "sys_exit" in text
