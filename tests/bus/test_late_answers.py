# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each method of the introspection data against a polkit whose answer comes when nobody waits for it any more, that ends
while it thinks, or that is there only later; and an agent that never answers."""

import json
import os
import subprocess

import pytest
from gi.repository import GLib

import polkit_agent
from daemon import MANAGER, NOBODY, ROOT, BusError, reachable
from interfaces import SPEC, methods, refused, shared_daemon
from polkit_mock import PolkitMock
from system_bus import wait_until

DENIED = "org.freedesktop.DBus.Error.AccessDenied"
TIMED_OUT = "org.freedesktop.DBus.Error.TimedOut"
QUOTA = "org.ktraced1.Error.QuotaExceeded"
BIN = 2


@pytest.fixture
def pidfd():
    fd = os.pidfd_open(os.getpid())
    yield fd
    os.close(fd)


@pytest.fixture(scope="module")
def patient():
    with shared_daemon(authorization_timeout="60min") as shared:
        yield shared


def descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


@pytest.mark.parametrize("interface,method", methods())
def test_the_client_has_gone(patient, pidfd, interface, method):
    """The question is withdrawn, with all that the call held; a yes that comes all the same does nothing."""
    polkit, things = patient.polkit, patient.things
    polkit.mode = "yes"
    before, fds = things.state(), descriptors(patient.daemon)
    polkit.mode = "hang"
    polkit.forget()
    client = patient.daemon.client(NOBODY)
    things.send(client, interface, method, pidfd)
    wait_until(lambda: polkit.pending, "polkit was not asked", 60)
    client.close()
    wait_until(lambda: polkit.cancelled, "the question was not withdrawn", 60)
    assert polkit.cancelled == [polkit.checks[0].cancellation_id]
    polkit.answer_pending("yes")
    assert things.state() == before
    wait_until(lambda: descriptors(patient.daemon) <= fds, "the call's descriptors stay", 60)


@pytest.mark.parametrize("interface,method", methods())
def test_polkit_ends_while_it_thinks(patient, pidfd, interface, method):
    """The bus daemon tells; no answer is a no."""
    patient.polkit.mode = "hang"
    patient.polkit.forget()
    things = patient.things
    before = things.state()
    client = patient.daemon.client(NOBODY)
    things.send(client, interface, method, pidfd)
    wait_until(lambda: patient.polkit.pending, "polkit was not asked", 60)
    patient.polkit.close()
    patient.polkit = PolkitMock(patient.bus)
    assert things.state() == before
    # And the next one is asked, and refuses.
    patient.polkit.mode = "no"
    refused(DENIED, things, client, interface, method, pidfd)
    assert len(patient.polkit.checks) == 1
    client.close()


def test_polkit_that_comes_late(bus, start_daemon):
    """Whoever takes the name of polkit later is asked from then on, and no refusal of before is remembered."""
    daemon = start_daemon()
    nobody = daemon.client(NOBODY)
    for _ in range(3):
        with pytest.raises(BusError) as caught:
            nobody.manager("ListSessions")
        assert caught.value.name == DENIED and "polkit" in caught.value.message
    polkit = PolkitMock(bus)
    assert nobody.manager("ListSessions") == []
    polkit.release_name()
    with pytest.raises(BusError) as caught:
        nobody.manager("ListSessions")
    assert caught.value.name == DENIED
    polkit.own_name()
    assert nobody.manager("ListSessions") == []
    nobody.close()
    polkit.close()


class MuteAgent:
    """polkit_agent.py as a process of a user that connects many times, asks for a session each time, and never answers
    the dialogs."""

    def __init__(self, bus, uid, connections):
        parameters = GLib.Variant("(sa{sv})", ("", SPEC))
        self.process = subprocess.Popen(
            [
                "/usr/bin/python3",
                reachable(polkit_agent.__file__),
                f"--mute={connections}",
                bus.address,
                ROOT,
                MANAGER,
                "StartSession",
                parameters.get_type_string(),
                parameters.print_(False),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TEST_LOCALE": "C.UTF-8"},
            user=uid,
            group=uid,
            extra_groups=[],
        )

    def next(self):
        line = self.process.stdout.readline()
        assert line, "the agent ended"
        return json.loads(line)

    def end(self):
        self.process.kill()
        self.process.wait(30)
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.mark.many_connections
@pytest.mark.seconds(300)
@pytest.mark.settings(authorization_timeout="60min")
def test_agent_that_never_answers(bus, real_polkit, daemon, root):
    """From 300 connections: four questions wait, and nobody else for them."""
    other = daemon.client(BIN)
    before = descriptors(daemon)
    for _ in range(2):  # the second time all is as it was before the first
        agent = MuteAgent(bus, NOBODY, 300)
        try:
            said = [agent.next() for _ in range(300)]
            dialogs = [one for one in said if "action" in one]
            refusals = [one["reply"][1] for one in said if "reply" in one]
            assert len(dialogs) == 4 and refusals == [QUOTA] * 296, said
            # Others are answered, with a dialog or without.
            assert other.manager("ListProfiles") and root.manager("ListSessions") == []
            with pytest.raises(BusError) as caught:
                other.start("theirs", {"events": ["sched:sched_switch"]})
            assert caught.value.name == "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
        finally:
            agent.end()
        wait_until(lambda: descriptors(daemon) <= before, "what the calls held stays", 60)
    assert root.manager("ListSessions") == []
    other.close()


@pytest.mark.seconds(300)
@pytest.mark.settings(authorization_timeout="2s")
def test_dialog_that_is_never_answered_is_taken_back(bus, real_polkit, daemon, root):
    agent = MuteAgent(bus, NOBODY, 4)
    try:
        said = [agent.next() for _ in range(12)]
    finally:
        agent.end()
    assert len([one for one in said if "action" in one]) == 4
    assert [one["reply"][1] for one in said if "reply" in one] == [TIMED_OUT] * 4
    assert len([one for one in said if "cancelled" in one]) == 4
    assert root.manager("ListSessions") == []
