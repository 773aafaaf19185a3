# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients that mean harm, or that are merely quicker than is usual."""

import json
import os
import resource
import time

import pytest
from gi.repository import Gio, GLib

from daemon import CAPTURE, MANAGER, ROOT, SESSION, BusError, variants
from pipeline import message, pipeline

QUOTA = "org.ktraced1.Error.QuotaExceeded"
QUIET = {"events": ["sched:sched_process_exit"]}


def test_calls_of_one_client_keep_their_order(daemon):
    """Also the very first ones, for which the bus is asked who the client is."""
    client = daemon.client(0)
    spec = variants(QUIET)
    names = [message(ROOT, MANAGER, "CreateSession", "(sa{sv})", "same", spec) for _ in range(5)]
    replies = pipeline(client, names)
    client.close()
    assert [reply.get_error_name() for reply in replies] == [None] + ["org.ktraced1.Error.SessionExists"] * 4


@pytest.mark.settings(authorizations_per_user_max=2)
def test_flood_of_calls_that_hold_descriptors(daemon, polkit, root, nobody):
    """Without a limit on calls a user could take all descriptors; sd-bus then gives the connection up."""
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (8192, 8192))
    polkit.mode = "hang"
    pidfd = os.pidfd_open(os.getpid())
    spec = variants({**QUIET, "pidfds": GLib.Variant("ah", list(range(16)))})
    for _ in range(1000):
        call = message(ROOT, MANAGER, "CreateSession", "(sa{sv})", "", spec, fds=[pidfd] * 16, reply=False)
        nobody.connection.send_message(call, Gio.DBusSendMessageFlags.NONE)
    most = 0
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        most = max(most, len(os.listdir(f"/proc/{daemon.process.pid}/fd")))
        root.manager("ListSessions")
    assert most < 6000, f"{most} descriptors"
    assert daemon.process.poll() is None
    os.close(pidfd)


@pytest.mark.settings(authorizations_per_user_max=1000, authorizations_max=1000)
def test_calls_of_a_user_are_limited(daemon, polkit, root, nobody):
    """The kernel's catalog takes milliseconds, and a person minutes: what waits must not pile up."""
    spec = variants({"events": ["*:*"]})
    calls = [message(ROOT, MANAGER, "CreateSession", "(sa{sv})", "", spec) for _ in range(100)]  # fewer than the bus itself refuses
    polkit.mode = "hang"

    def answer(replies):
        """Once all others are refused; none of those that wait has a reply before."""
        refused = [reply.get_error_name() for reply in replies if reply]
        if len(refused) == 100 - 64:
            assert set(refused) == {QUOTA}
            polkit.mode = "no"
        if refused and polkit.mode == "no":
            polkit.answer_pending("no")

    replies = pipeline(nobody, calls, answer)
    errors = [reply.get_error_name() for reply in replies]
    assert errors.count(QUOTA) == 100 - 64
    assert errors.count("org.freedesktop.DBus.Error.AccessDenied") == 64
    polkit.mode = "yes"
    # Others, and the same user later, are served.
    assert nobody.manager("ListProfiles")
    assert not root.manager("ListSessions")


def test_output_is_not_shared(daemon, root, folder):
    """The file system of a client's file is the client's: when it stalls, nobody else's recording may."""
    fd = os.open(folder / "out", os.O_RDWR | os.O_CREAT)
    sessions = [root.start("a", QUIET), root.start("b", QUIET), root.start("c", {**QUIET, "output": GLib.Variant("h", 0)}, fds=[fd])]
    instances = {root.describe(session).get("instance") for session in sessions}
    assert len(instances) == 2, instances
    os.close(fd)
    for session in sessions:
        root.session(session, "Remove")


def test_each_rotation_is_answered_by_its_own(daemon, root):
    session = root.start("twice", QUIET)
    capture = root.capture_of(session)
    for n in range(1, 20):
        pipeline(root, [message(session, SESSION, "Rotate"), message(session, SESSION, "Rotate")])
        assert len(root.segments(capture)) >= 2 * n
    root.session(session, "Remove")


def test_newest_segment_after_clear(daemon, root):
    session = root.start("cleared", QUIET)
    capture = root.capture_of(session)
    for _ in range(2):
        root.session(session, "Clear")
        os.close(root.capture(capture, "Open", "(u)", 0))
    root.session(session, "Rotate")
    root.session(session, "Clear")
    os.close(root.capture(capture, "Open", "(u)", 0))
    root.session(session, "Stop")
    os.close(root.capture(capture, "Open", "(u)", 0))
    root.session(session, "Remove")


def test_termination_does_not_wait_for_digests(start_daemon, folder):
    """Reading all captures again can take minutes; what is missing is computed by the next daemon."""
    daemon = start_daemon()
    root = daemon.client(0)
    session = root.start("large", QUIET)
    capture = root.capture_of(session)
    name = root.get(capture, CAPTURE, "Id")
    root.session(session, "Remove")
    root.close()
    daemon.stop()

    directory = daemon.store / name
    segment = next(directory.glob("trace-*.dat"))
    metadata_file = next(directory.glob("*.json"))
    metadata = json.loads(metadata_file.read_text())
    for row in metadata["segments"]:
        row.pop("sha256", None)
    metadata_file.write_text(json.dumps(metadata))
    os.truncate(segment, 200 << 30)

    again = start_daemon()
    began = time.monotonic()
    again.stop()
    assert time.monotonic() - began < 60


@pytest.mark.parametrize("method", ["GetSession", "GetCapture", "DescribeProfile", "DescribeEvent", "ListEvents"])
def test_errors_are_safe_to_print(root, method):
    with pytest.raises(BusError) as caught:
        root.manager(method, "(s)", "evil\n\x1b[31m\u202e")
    assert caught.value.message.isprintable(), repr(caught.value.message)
