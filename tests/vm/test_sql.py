# SPDX-License-Identifier: LGPL-2.1-or-later
"""Events made of two by a query, under the installed unit."""

import re

import pytest

pytestmark = pytest.mark.seconds(900)

WAKEUP = (
    "lat=SELECT start.pid AS pid, (end.TIMESTAMP_USECS - start.TIMESTAMP_USECS) AS usecs "
    "FROM sched_waking AS start JOIN sched_switch AS end ON start.pid = end.next_pid"
)
SLEEPS = 10
SLEEPER = f"for i in $(seq {SLEEPS}); do sleep 0.02; done"


@pytest.fixture(autouse=True)
def no_residue(guest):
    yield
    left = guest.run("cat /sys/kernel/tracing/dynamic_events; ls /sys/kernel/tracing/instances", check=True).output
    assert left == ""


def test_latency_of_wakeups(guest):
    guest.run(["ktracectl", "record", "--sql", WAKEUP, "-o", "/root/sql.dat", "--", "sh", "-c", SLEEPER], check=True)
    lines = guest.run("trace-cmd report -i /root/sql.dat", check=True).stdout.splitlines()
    guest.run("rm /root/sql.dat", check=True)
    found = [re.search(r" lat: +.*pid=(\d+).*usecs=(\d+)", line) for line in lines if " lat: " in line]
    assert len(found) >= SLEEPS and all(found)
    assert all(int(match[2]) < 10_000_000 for match in found)


def test_histogram_of_a_query_and_two_sessions(guest):
    guest.run(["ktracectl", "session", "start", "one", "--sql", WAKEUP, "--hist", "lat keys=pid"], check=True)
    guest.run(["ktracectl", "session", "start", "two", "--sql", WAKEUP], check=True)
    guest.run(SLEEPER, check=True)
    assert "ktraced_" not in guest.run("ktracectl list events", check=True).stdout
    assert re.search(r"\d+ #", guest.run("ktracectl hist one lat", check=True).stdout)
    guest.run("ktracectl session remove one two", check=True)


def test_a_killed_daemon_leaves_nothing(guest):
    guest.run(["ktracectl", "session", "start", "one", "--sql", WAKEUP], check=True)
    guest.run("systemctl kill --signal=KILL ktraced; sleep 1; systemctl start ktraced; sleep 5", check=True)


@pytest.mark.parametrize(
    "query, text",
    [
        ("SELECT start.pidd FROM sched_waking AS start JOIN sched_switch AS end ON start.pid = end.next_pid", "pidd"),
        ("SELECT start.pid FROMM sched_waking", "syntax error"),
        ("SELECT pid FROM sched_waking", "JOIN"),
        ("UPDATE x", "begins with SELECT"),
    ],
)
def test_refusals(guest, query, text):
    done = guest.run(["ktracectl", "session", "start", "bad", "--sql", query])
    assert done.status != 0 and text in done.output
    assert "^" in done.output or text == "JOIN"
