# SPDX-License-Identifier: LGPL-2.1-or-later
"""Budgets: each has a limit for every user and one for all, and a refusal says what is used and what the limit is."""

import json
import os
import re
import threading
import time

import pytest
from gi.repository import Gio, GLib

from daemon import MANAGER, NOBODY, ROOT, SESSION, BusError, ktracectl
from system_bus import wait_until

QUOTA = "org.ktraced1.Error.QuotaExceeded"
QUIET = {"events": ["sched:sched_process_exit"], "pids": [1]}
DAEMON = 1  # a user that every Debian has
CPUS = os.sysconf("SC_NPROCESSORS_CONF")
BUDGETS = [
    "sessions",
    "buffer_memory",
    "disk",
    "segments",
    "histograms",
    "probes",
    "markers",
    "streams",
    "measurements",
    "requests",
    "signals",
]


def budget(client, name):
    found = json.loads(client.manager("Describe"))["budgets"]
    return next(one for one in found if one["name"] == name)


def use(client, name):
    found = budget(client, name)
    return found["used"], found["limit"], found["user_used"], found["user_limit"]


def exceeded(call, *parts):
    """The call is refused, and the message has all of these."""
    with pytest.raises(BusError) as caught:
        call()
    assert caught.value.name == QUOTA, caught.value
    for part in parts:
        assert part in caught.value.message, caught.value
    return caught.value.message


@pytest.fixture
def other(daemon):
    client = daemon.client(DAEMON)
    yield client
    client.close()


@pytest.mark.settings(sessions_max=3, sessions_per_user_max=2)
def test_sessions(polkit, root, nobody, other):
    for name in "ab":
        nobody.create(name, QUIET)
    exceeded(
        lambda: nobody.create("c", QUIET),
        f"sessions: 1 more are wanted, but user {NOBODY} uses 2 of the 2 that sessions_per_user_max allows",
    )
    other.create("a", QUIET)
    for client in (other, root):
        exceeded(lambda: client.create("b", QUIET), "sessions", "3 of the 3 that sessions_max allows")
    assert use(nobody, "sessions") == (3, 3, 2, 2)
    assert use(root, "sessions") == (3, 3, 0, 0)


@pytest.mark.settings(buffer_memory_max=4 * CPUS << 20, buffer_memory_per_user_max=2 * CPUS << 20)
def test_buffer_memory(polkit, root, nobody, other):
    one = nobody.start("one", {**QUIET, "buffer_size": "1M"})
    nobody.start("two", {**QUIET, "buffer_size": "1M"})
    exceeded(
        lambda: nobody.start("three", {**QUIET, "buffer_size": "1M"}),
        f"buffer_memory: {CPUS}M more are wanted, but user {NOBODY} uses {2 * CPUS}M of the {2 * CPUS}M",
        "buffer_memory_per_user_max",
    )
    exceeded(lambda: root.start("all", {**QUIET, "buffer_size": "3M"}), f"{2 * CPUS}M of the {4 * CPUS}M", "buffer_memory_max")
    mega = CPUS << 20
    assert use(nobody, "buffer_memory") == (2 * mega, 4 * mega, 2 * mega, 2 * mega)
    # What has ended is there again.
    nobody.session(one, "Stop")
    nobody.start("three", {**QUIET, "buffer_size": "1M"})
    other.start("four", {**QUIET, "buffer_size": "1M"})


@pytest.mark.settings(memory_keep_available="1024T")
def test_buffers_leave_memory_available(polkit, root):
    exceeded(lambda: root.start("one", QUIET), "buffer_memory:", "available", "memory_keep_available leaves 1P alone")


def test_buffer_memory_suits_the_machine(root):
    with open("/proc/meminfo", encoding="ascii") as file:
        total = int(re.search(r"MemTotal: +(\d+) kB", file.read())[1]) << 10
    assert budget(root, "buffer_memory")["limit"] == total // 8


@pytest.mark.settings(markers_max=3, markers_per_user_max=2)
def test_markers(polkit, root, nobody, other):
    session = nobody.start("one", QUIET)
    fds = [nobody.session(session, "OpenMarker") for _ in range(2)]
    exceeded(lambda: nobody.session(session, "OpenMarker"), "markers", f"user {NOBODY} uses 2 of the 2", "markers_per_user_max")
    theirs = other.start("one", QUIET)
    fds.append(other.session(theirs, "OpenMarker"))
    exceeded(lambda: other.session(theirs, "OpenMarker"), "markers", "3 of the 3", "markers_max")
    assert use(nobody, "markers") == (3, 3, 2, 2)
    while fds:
        os.close(fds.pop())
    wait_until(lambda: use(nobody, "markers")[0] == 0, "a marker that was closed counts")


@pytest.mark.settings(streams_max=2, streams_per_user_max=1)
def test_streams(polkit, root, nobody):
    session = nobody.start("one", QUIET)
    theirs = root.start("one", QUIET)
    fds = [nobody.session(session, "OpenStream", "(a{sv})", {})]
    exceeded(lambda: nobody.session(session, "OpenStream", "(a{sv})", {}), "streams", f"user {NOBODY} uses 1 of the 1")
    fds.append(root.session(theirs, "OpenStream", "(a{sv})", {}))
    exceeded(lambda: root.session(theirs, "OpenStream", "(a{sv})", {}), "streams", "2 of the 2 that streams_max allows")
    assert use(nobody, "streams") == (2, 2, 1, 1)
    for fd in fds:
        os.close(fd)


def probes(n):
    return {"probes": GLib.Variant("as", [f"p{i}=uprobe:@0:{0x10 + i}" for i in range(n)]), "probe_files": GLib.Variant("ah", [0])}


@pytest.mark.settings(probes_max=5, probes_per_user_max=3)
def test_probes(polkit, root, nobody):
    with open(__file__, "rb") as file:
        fds = [file.fileno()]
        session = nobody.start("one", {**probes(2), "pids": [1]}, fds=fds)
        exceeded(lambda: nobody.start("two", {**probes(2), "pids": [1]}, fds=fds), "probes: 2 more", f"user {NOBODY} uses 2 of the 3")
        exceeded(lambda: root.start("two", {**probes(4), "pids": [1]}, fds=fds), "probes: 4 more", "2 of the 5 that probes_max")
        assert use(nobody, "probes") == (2, 5, 2, 3)
        nobody.session(session, "Stop")
        assert use(nobody, "probes")[0] == 0


@pytest.mark.skipif(
    not os.path.exists("/sys/kernel/tracing/events/sched/sched_switch/hist"), reason="the kernel has no histograms"
)
@pytest.mark.settings(histograms_max=2, histograms_per_user_max=1)
def test_histograms(polkit, root, nobody):
    spec = {**QUIET, "histograms": ["sched:sched_switch keys=prev_pid"]}
    nobody.start("one", spec)
    exceeded(lambda: nobody.start("two", spec), "histograms", "1 of the 1")
    root.start("one", spec)
    exceeded(lambda: root.start("two", spec), "histograms", "2 of the 2")


@pytest.mark.settings(segments_max=50, segments_per_user_max=3)
def test_segments(polkit, root, nobody):
    """A session ends rather than that it makes more files."""
    session = nobody.start("one", QUIET)
    nobody.wait_for_segment(nobody.capture_of(session))

    def rotated():
        try:
            nobody.session(session, "Rotate")
        except BusError as error:
            assert error.name == "org.ktraced1.Error.WrongState", error
        return nobody.get(session, SESSION, "State") == "stopped"

    wait_until(rotated, "a session with too many segments goes on", timeout=60)
    assert nobody.describe(session)["reason"] == "budget"
    assert use(nobody, "segments")[2] >= 3
    exceeded(lambda: nobody.start("two", QUIET), "segments: 1 more are wanted", f"user {NOBODY} uses", "of the 3")
    nobody.capture(nobody.capture_of(session), "Delete")
    nobody.start("two", QUIET)


@pytest.mark.settings(captures_max_use="1G", captures_max_use_per_user="1M", captures_compress=False)
def test_disk(polkit, root, nobody, writer):
    """What a session writes while it runs, and what is pinned, cannot make room: that is the end."""
    pinned = nobody.start("pinned", QUIET)
    nobody.wait_for_segment(nobody.capture_of(pinned))
    nobody.session(pinned, "Stop")
    busy = writer(200000)
    session = nobody.start("busy", {"events": ["raw_syscalls"], "pids": [busy.pid], "buffer_size": "4M"})
    capture = nobody.capture_of(session)
    busy.go()
    wait_until(lambda: nobody.get(session, SESSION, "State") == "stopped", "a session writes more than it may", timeout=60)
    assert nobody.describe(session)["reason"] == "budget"
    assert f"(busy) ends: disk: user {NOBODY} uses" in nobody.daemon.log
    nobody.capture(capture, "Pin", "(b)", True)
    exceeded(lambda: nobody.start("more", QUIET), "disk: 64K more are wanted", "captures_max_use_per_user")
    root.start("root", QUIET)
    nobody.capture(capture, "Pin", "(b)", False)
    nobody.start("more", QUIET)


class Flood:
    """Calls without end, answered or not, until stop()."""

    def __init__(self, daemon, uid):
        self.refusals, self.answers = 0, 0
        self._connection = daemon.bus.connect(uid)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._stopped.is_set():
            try:
                self._connection.call_sync(
                    "org.ktraced1", ROOT, MANAGER, "ListSessions", None, None, Gio.DBusCallFlags.NONE, 30000, None
                )
                self.answers += 1
            except GLib.Error as error:
                assert Gio.DBusError.get_remote_error(error) == QUOTA, error
                self.refusals += 1

    def stop(self):
        self._stopped.set()
        self._thread.join(30)
        self._connection.close_sync(None)


@pytest.mark.settings(requests_max=1000, requests_per_user_max=5)
def test_requests_a_second(polkit, daemon, root, nobody, other):
    """Who asks too often is refused, for a moment; others are not, nor is root."""
    flood = Flood(daemon, NOBODY)
    begin = time.monotonic()
    try:
        wait_until(lambda: flood.refusals > 20, "a flood is not refused", timeout=60)
        # Also what the bus library answers itself counts.
        message = exceeded(lambda: [nobody.get(ROOT, MANAGER, "Version") for _ in range(100)], "requests: 1 more are wanted")
        assert f"user {NOBODY} uses 5 of the 5 that requests_per_user_max allows" in message
        for _ in range(3):
            other.manager("ListSessions")
        for _ in range(100):
            root.manager("ListSessions")
    finally:
        flood.stop()
    assert flood.answers <= 5 * (2 + time.monotonic() - begin)

    def answered():
        try:
            return nobody.manager("ListSessions") is not None
        except BusError as error:
            assert error.name == QUOTA
            return False

    wait_until(answered, "who asked too often is refused for good", timeout=60)


@pytest.mark.settings(signals_max=1000, signals_per_user_max=1)
def test_signals_a_second(polkit, daemon, root, nobody):
    """Signals go to everybody, so that who causes too many cannot go on; to look at things is still possible."""

    def many():
        for _ in range(20):
            nobody.session(nobody.create("", QUIET), "Remove")

    message = exceeded(many, "signals: 1 more are wanted")
    assert re.search(rf"user {NOBODY} uses \d+ of the 1 that signals_per_user_max allows", message), message
    nobody.manager("ListSessions")
    root.session(root.create("", QUIET), "Remove")


def test_status_shows_them(polkit, bus, root, nobody):
    nobody.create("one", QUIET)
    described = json.loads(nobody.manager("Describe"))["budgets"]
    assert [one["name"] for one in described] == BUDGETS
    done = ktracectl("status", bus=bus, uid=NOBODY)
    assert done.returncode == 0, done.stderr
    assert re.search(r"Budgets: sessions: 1 of 64, yours 1 of 16$", done.stdout, re.M), done.stdout
    assert re.search(r"^ +buffer_memory: 0\w? of [0-9.]+[KMGT], yours 0\w? of [0-9.]+[KMGT]$", done.stdout, re.M), done.stdout
    shown = json.loads(ktracectl("status", "--json=short", bus=bus, uid=NOBODY).stdout)["manager"]["budgets"]
    assert [one["name"] for one in shown] == BUDGETS
    (sessions,) = [one for one in shown if one["name"] == "sessions"]
    assert sessions == {"name": "sessions", "unit": "", "used": 1, "limit": 64, "user_used": 1, "user_limit": 16}
