# SPDX-License-Identifier: LGPL-2.1-or-later
"""OpenStream: who gets one, how many there may be, and that nothing of them stays."""

import os

import pytest
from gi.repository import GLib

from daemon import BusError
from stream import Reader, ends_of
from system_bus import wait_until

V = GLib.Variant
QUIET = {"events": ["sched:sched_process_exit"], "pids": [1]}


def open_stream(client, session, **options):
    return client.session(session, "OpenStream", "(a{sv})", {key: V("s", value) for key, value in options.items()})


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
        ({"format": V("s", "xml")}, ["format", "xml", "pages"]),
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
    assert ends_of(daemon) == before


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
    # The pump opens a pipe for all of them.
    os.close(open_stream(root, session))
    wait_until(lambda: ends_of(daemon) == start + 2, "a stream without a reader stays")
    before = ends_of(daemon)
    fds = [open_stream(root, session) for _ in range(8)]
    error = refusal(root, session, {})
    assert error.name == "org.ktraced1.Error.QuotaExceeded" and "8 streams" in error.message
    # Who has left makes room, whether or not anything is recorded.
    os.close(fds.pop())
    wait_until(lambda: ends_of(daemon) == before + 7 * 5, "a stream without a reader stays")
    fds.append(open_stream(root, session))
    for fd in fds:
        os.close(fd)
    wait_until(lambda: ends_of(daemon) == before, "streams without readers stay")


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

    def opened():
        try:
            fds.append(open_stream(nobody, sessions[2]))
        except BusError as refused:
            assert refused.name == "org.ktraced1.Error.QuotaExceeded", refused
            return False
        return True

    wait_until(opened, "streams that have been read count")
    for fd in fds[8:]:
        os.close(fd)


def test_readers_end_with_the_daemon(daemon, root, session):
    fd = open_stream(root, session)
    with Reader(fd) as reader:
        reader.read_head()
        reader.start()
        daemon.stop()
        assert reader.ended.wait(30)
