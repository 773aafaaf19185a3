# SPDX-License-Identifier: LGPL-2.1-or-later
"""Scope "self" on the bus: which processes, events and keys it takes, and what polkit is asked."""

import contextlib
import os
import subprocess

import pytest
from gi.repository import GLib

from daemon import NOBODY, SESSION, BusError, reachable, variants

DENIED = "org.freedesktop.DBus.Error.AccessDenied"
INTERACTIVE = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
OUT_OF_SCOPE = "org.ktraced1.Error.OutOfScope"
NO_SUCH_PROCESS = "org.ktraced1.Error.NoSuchProcess"
BAD_DESCRIPTOR = "org.ktraced1.Error.BadDescriptor"
TRACE_SELF = "org.ktraced1.trace-self"
EVENTS = ["raw_syscalls:sys_enter"]
DAEMON = 1


@contextlib.contextmanager
def process(uid=NOBODY, gid=None, no_new_privs=True, command=("sleep", "60"), setup=None):
    """A process of some user, as a pidfd."""

    def prepare():
        if setup:
            setup()
        if no_new_privs:
            assert subprocess  # no import may happen here
            libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS

    import ctypes

    libc = ctypes.CDLL(None)
    more = {} if setup else {"user": uid, "group": uid if gid is None else gid, "extra_groups": []}
    child = subprocess.Popen(command, preexec_fn=prepare, **more)
    fd = os.pidfd_open(child.pid)
    try:
        yield child, fd
    finally:
        os.close(fd)
        child.kill()
        child.wait()


def spec(more=None, n_fds=1):
    return {
        "scope": "self",
        "events": EVENTS,
        "pidfds": GLib.Variant("ah", range(n_fds)),
        **(more or {}),
    }


def refused(client, fds, more=None):
    with pytest.raises(BusError) as caught:
        client.create("refused", spec(more, len(fds)), fds=fds)
    return caught.value


@pytest.fixture
def own():
    with process() as (_child, fd):
        yield fd


def test_trace_self_is_asked_for_with_details(polkit, nobody, own):
    session = nobody.create("mine", spec(), fds=[own])
    assert [check.action for check in polkit.checks] == [TRACE_SELF]
    assert polkit.checks[0].details["scope"] == "self"
    assert polkit.checks[0].details["events"] == EVENTS[0]
    assert nobody.get(session, SESSION, "Scope") == "self"
    assert nobody.describe(session)["scope"] == "self"
    assert nobody.describe(session)["spec"]["children"] is True
