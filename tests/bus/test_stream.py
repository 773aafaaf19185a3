# SPDX-License-Identifier: LGPL-2.1-or-later
"""OpenStream: who gets one, how many there may be, and that nothing of them stays."""

import os
import select
import signal

import pytest
from gi.repository import GLib

from daemon import BusError
from stream import Reader, ends_of, threads_of
from system_bus import wait_until

V = GLib.Variant
QUIET = {"events": ["sched:sched_process_exit"], "pids": [1]}


def open_stream(client, session, **options):
    return client.session(session, "OpenStream", "(a{sv})", {key: V("s", value) for key, value in options.items()})


def open_when_there_is_room(client, session):
    """The daemon notices by and by that a stream is over."""

    def opened():
        try:
            return [open_stream(client, session)]
        except BusError as refused:
            assert refused.name == "org.ktraced1.Error.QuotaExceeded", refused
            return None

    return wait_until(opened, "streams that are over count", timeout=60)[0]


def refusal(client, session, options):
    with pytest.raises(BusError) as caught:
        client.session(session, "OpenStream", "(a{sv})", options)
    return caught.value


@pytest.fixture
def session(root, polkit):
    return root.start("followed", QUIET)


@pytest.mark.parametrize(
    "options,words",
    [
        ({"fromat": V("s", "pages")}, ["fromat"]),
        ({"format": V("s", "xml")}, ["format", "xml", "pages", "text"]),
        ({"format": V("s", "")}, ["format"]),
        ({"format": V("s", "pages\n")}, ["format", "\\x0a"]),
        ({"format": V("b", True)}, ["format", "type b"]),
        ({"format": V("as", ["pages"])}, ["format", "type as"]),
        ({"x" * 10000: V("s", "")}, ["xxx"]),
    ],
    ids=["key", "format", "empty", "control", "boolean", "strings", "long"],
)
def test_bad_options(daemon, root, session, options, words):
    before = ends_of(daemon)
    error = refusal(root, session, options)
    assert error.name == "org.freedesktop.DBus.Error.InvalidArgs", error
    for word in words:
        assert word in error.message, error
    assert ends_of(daemon) <= before and threads_of(daemon) == 0


def test_only_what_records_can_be_followed(root, polkit):
    created = root.create("created", QUIET)
    error = refusal(root, created, {})
    assert error.name == "org.ktraced1.Error.WrongState" and "created" in error.message
    ring = root.start("ring", {**QUIET, "mode": "ring"})
    error = refusal(root, ring, {})
    assert error.name == "org.freedesktop.DBus.Error.NotSupported" and "snapshot" in error.message


def test_the_owner_is_not_asked(polkit, root, nobody):
    session = nobody.start("own", QUIET)
    polkit.mode = "no"
    fd = open_stream(nobody, session)
    with Reader(fd) as reader:
        reader.read_head()
    assert reader.head.startswith(b"\x17\x08\x44tracing7")
    nobody.session(session, "Stop")


def test_limits_and_that_nothing_stays(daemon, root, session):
    start = ends_of(daemon)
    fds = [open_stream(root, session) for _ in range(8)]
    error = refusal(root, session, {})
    assert error.name == "org.ktraced1.Error.QuotaExceeded" and "8 streams" in error.message
    # Who has left makes room, whether or not anything is recorded.
    os.close(fds.pop())
    wait_until(lambda: threads_of(daemon) == 7, "a stream without a reader stays", timeout=60)
    fds.append(open_when_there_is_room(root, session))
    for fd in fds:
        os.close(fd)
    wait_until(lambda: threads_of(daemon) == 0, "streams without readers stay", timeout=60)
    # The pump keeps a pipe that it opened for all of them.
    wait_until(lambda: ends_of(daemon) <= start + 2, "ends of pipes stay", timeout=60)


def test_limit_of_a_user(daemon, polkit, nobody):
    sessions = [nobody.start(f"s{n}", QUIET) for n in range(3)]
    fds = [open_stream(nobody, sessions[n // 8]) for n in range(16)]
    error = refusal(nobody, sessions[2], {})
    assert error.name == "org.ktraced1.Error.QuotaExceeded" and "user 65534 uses 16 of the 16" in error.message
    # They count until they have been read, also when the session is over.
    nobody.session(sessions[0], "Stop")
    nobody.session(sessions[0], "Remove")
    for fd in fds[:8]:
        with Reader(fd) as reader:
            reader.read_to_end()
            assert reader.head_ended.is_set()
    fds.append(open_when_there_is_room(nobody, sessions[2]))
    for fd in fds[8:]:
        os.close(fd)


def renderers(daemon):
    """The processes that make text of streams."""
    found = []
    for task in os.listdir(f"/proc/{daemon.process.pid}/task"):
        try:
            with open(f"/proc/{daemon.process.pid}/task/{task}/children", encoding="ascii") as children:
                found += [int(pid) for pid in children.read().split()]
        except FileNotFoundError:
            pass
    return found


def test_text_and_its_processes(daemon, root, session):
    start = ends_of(daemon)
    fds = [open_stream(root, session, format="text") for _ in range(8)]
    assert refusal(root, session, {"format": V("s", "text")}).name == "org.ktraced1.Error.QuotaExceeded"
    wait_until(lambda: len(renderers(daemon)) == 8, "not each stream has a process", timeout=60)
    # They have no more rights than it takes, once they have read what describes the events.
    status = [f"/proc/{pid}/status" for pid in renderers(daemon)]

    def confined():
        texts = [open(path, encoding="ascii").read() for path in status]
        return all("Seccomp:\t2" in text and "NoNewPrivs:\t1" in text for text in texts)

    wait_until(confined, "they are not confined", timeout=60)
    # One that is killed costs its reader the rest, and nobody anything else.
    os.kill(renderers(daemon)[0], signal.SIGKILL)
    ready, _, _ = select.select(fds, [], [], 30)
    assert len(ready) == 1 and os.read(ready[0], 1) == b""
    # The others go with their readers, or with the session.
    os.close(fds.pop(fds.index(ready[0])))
    os.close(fds.pop())
    wait_until(lambda: len(renderers(daemon)) == 6, "a process without a reader stays", timeout=60)
    root.session(session, "Stop")
    for fd in fds:
        assert os.read(fd, 1) == b""
        os.close(fd)
    wait_until(lambda: renderers(daemon) == [], "processes without a session stay", timeout=60)
    wait_until(lambda: ends_of(daemon) <= start, "ends of pipes stay", timeout=60)


def test_processes_end_with_the_daemon(daemon, root, session):
    fd = open_stream(root, session, format="text")
    wait_until(lambda: renderers(daemon), "there is no process", timeout=60)
    (pid,) = renderers(daemon)
    pidfd = os.pidfd_open(pid)
    daemon.stop()
    assert select.select([pidfd], [], [], 30)[0] == [pidfd]
    os.close(pidfd)
    os.close(fd)


def test_readers_end_with_the_daemon(daemon, root, session):
    fd = open_stream(root, session)
    with Reader(fd) as reader:
        reader.read_head()
        reader.start()
        daemon.stop()
        assert reader.ended.wait(30)
