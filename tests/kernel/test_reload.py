# SPDX-License-Identifier: LGPL-2.1-or-later
"""Profiles that change while sessions run by them."""

import json
import re
import time

import pytest
from gi.repository import GLib

from daemon import NOBODY, SESSION, BusError, ktracectl, variants
from system_bus import wait_until
from trace_file import count

RING = {"description": "Mine", "cost": "low", "mode": "ring", "ring_size": "1M"}
PROPERTIES = "org.freedesktop.DBus.Properties"
EXIT, FORK = "sched:sched_process_exit", "sched:sched_process_fork"


@pytest.fixture
def profile(daemon):
    """A function that writes the profile "mine"."""

    def write(**keys):
        text = json.dumps({**RING, **keys}) if keys else "{ half"
        (daemon.profiles / "mine.json").write_text(text)

    write(events=[EXIT])
    return write


def events_of(root, session):
    return root.describe(session)["spec"]["events"]


def test_a_ring_goes_on_by_what_the_profile_says_now(root, profile, folder):
    session = root.start("ring", {"profile": "mine"})
    first = root.describe(session)
    profile(events=[FORK], ring_size="2M")
    assert events_of(root, session) == [EXIT]
    root.session(session, "Reload")
    second = root.describe(session)
    assert second["spec"]["events"] == [FORK]
    assert (second["id"], second["name"], second["state"]) == (first["id"], "ring", "active")
    assert second["started"] > first["started"]
    assert second["ring"]["capacity"] > first["ring"]["capacity"]
    ktracectl("--version")  # a fork
    capture = root.session(session, "Snapshot", "(a{sv})", variants({}))
    paths = root.save_all(capture, folder / "saved")
    assert count(paths, "sched_process_fork") > 0
    assert count(paths, "sched_process_exit") == 0
    assert json.loads(root.manager("DescribeProfile", "(s)", "mine"))["spec"]["events"] == [FORK]


def test_it_is_never_stopped_in_between(root, profile, bus):
    """Whoever waits for the end of the session goes on waiting."""
    session = root.start("ring", {"profile": "mine"})
    states = []

    def on_changed(connection, sender, path, interface, signal, parameters):
        states.append(parameters.unpack()[1]["State"])

    root.connection.signal_subscribe(None, PROPERTIES, "PropertiesChanged", session, None, 0, on_changed)
    profile(events=[FORK])
    root.session(session, "Reload")
    def seen():
        while GLib.MainContext.default().iteration(False):
            pass
        return len(states) >= 3

    wait_until(seen, "no signals")
    assert states == ["stopping", "starting", "active"]


@pytest.mark.parametrize(
    "change, text",
    [
        ({}, "mine.json"),
        ({"events": [FORK], "evnets": []}, "mine.json"),
        ({"events": ["sched:no_such_event"]}, "no_such_event"),
        ({"events": [FORK], "ring_size": "1K"}, "ring_size"),
    ],
)
def test_a_bad_profile_changes_nothing(root, profile, change, text):
    session = root.start("ring", {"profile": "mine"})
    before = root.describe(session)
    profile(**change)
    with pytest.raises(BusError, match=re.escape(text)):
        root.session(session, "Reload")
    after = root.describe(session)
    assert (after["state"], after["started"]) == ("active", before["started"])
    assert after["spec"] == before["spec"]
    # Nor does anybody get half of it.
    with pytest.raises(BusError, match=re.escape(text)):
        root.start("second", {"profile": "mine"})


@pytest.mark.settings(buffer_memory_max=4 << 20)
def test_it_goes_on_as_it_was_when_the_new_cannot_start(root, daemon, profile):
    session = root.start("ring", {"profile": "mine"})
    profile(events=[FORK], ring_size="64M")
    with pytest.raises(BusError) as caught:
        root.session(session, "Reload")
    assert caught.value.name == "org.ktraced1.Error.QuotaExceeded"
    after = root.describe(session)
    assert (after["state"], after["spec"]["events"]) == ("active", [EXIT])
    assert "Reloading failed, it goes on as it was: " in daemon.log
    root.session(session, "Snapshot", "(a{sv})", variants({}))


def test_a_stream_gets_another_capture(root, daemon):
    path = daemon.profiles / "stream.json"
    path.write_text(json.dumps({"description": "Mine", "cost": "low", "events": [EXIT]}))
    session = root.start("stream", {"profile": "stream"})
    first = root.describe(session)["capture"]
    path.write_text(json.dumps({"description": "Mine", "cost": "low", "events": [FORK]}))
    root.session(session, "Reload")
    about = root.describe(session)
    assert about["capture"] != first
    assert (about["state"], about["spec"]["events"]) == ("active", [FORK])
    states = {row[0]: row[4] for row in root.manager("ListCaptures", "(a{sv})", {})}
    assert states == {first: "complete", about["capture"]: "active"}


def test_a_restart_has_the_new_profile(root, profile):
    """Without Reload of the manager."""
    session = root.start("ring", {"profile": "mine"})
    profile(events=[FORK])
    root.session(session, "Stop")
    root.session(session, "Reload")
    assert (root.describe(session)["state"], events_of(root, session)) == ("stopped", [FORK])
    root.session(session, "Start")
    assert events_of(root, session) == [FORK]
    profile(events=[EXIT])
    assert events_of(root, root.start("second", {"profile": "mine"})) == [EXIT]


def test_what_cannot_be_reloaded(root):
    session = root.start("plain", {"events": [EXIT]})
    with pytest.raises(BusError, match="it was made without a profile"):
        root.session(session, "Reload")
    assert root.describe(session)["state"] == "active"


def test_the_new_spec_is_authorized(polkit, root, nobody, profile):
    session = nobody.start("own", {"profile": "mine"})
    profile(events=[FORK], symbols=True)
    polkit.actions["org.ktraced1.kernel-addresses"] = "no"
    with pytest.raises(BusError, match="AccessDenied"):
        nobody.session(session, "Reload")
    assert events_of(root, session) == [EXIT]
    check = next(check for check in polkit.checks if check.action == "org.ktraced1.kernel-addresses")
    assert check.details["events"] == FORK
    assert (check.details["session"], check.details["owner"], check.details["method"]) == ("own", str(NOBODY), "Reload")
    polkit.actions["org.ktraced1.kernel-addresses"] = "yes"
    nobody.session(session, "Reload")
    assert events_of(root, session) == [FORK]


def test_remove_while_it_is_reloaded(root, daemon, profile):
    """Whichever comes first: nothing is left."""
    for delay in [0, 0.01, 0.03, 0.06]:
        session = root.start("ring", {"profile": "mine"})
        other = daemon.client(0)
        root.connection.call(root.name, session, SESSION, "Reload", None, None, 0, 30000, None, None)
        time.sleep(delay)
        other.session(session, "Remove")
        assert other.manager("ListSessions") == []
        other.close()


def test_on_the_command_line(bus, polkit, root, profile):
    session = root.start("ring", {"profile": "mine"})
    profile(events=[FORK])
    done = ktracectl("session", "reload", "ring", bus=bus)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert events_of(root, session) == [FORK]
    profile()
    done = ktracectl("session", "reload", "ring", bus=bus)
    assert done.returncode == 1
    assert done.stderr.startswith("Failed to reload session ring: ") and "mine.json" in done.stderr
