# SPDX-License-Identifier: LGPL-2.1-or-later
"""Signals that a user makes up and sends to one connection alone. The bus daemon compares only broadcasts with matches,
and sd-bus takes the unique name of any sender for the name that a match wants."""

import json
import select
import subprocess

import pytest
from gi.repository import GLib

from daemon import KTRACECTL, MANAGER, NAME, NOBODY, ROOT, SANITIZERS, SESSION, instances_of, reachable
from system_bus import wait_until
from systemd_mock import INTERFACE, PROPERTIES, SystemdMock, path_of

QUIET = {"events": ["sched:sched_process_exit"]}
DRIVER, DRIVER_PATH = "org.freedesktop.DBus", "/org/freedesktop/DBus"

# Once as it is installed, and once with a bus that would deliver them.
on_both_buses = pytest.mark.parametrize("policy", ["shipped", pytest.param("lax", marks=pytest.mark.lax_bus)])


def forge(client, destination, path, interface, member, signature, *arguments):
    """Returns when the daemon has dealt with it, or the bus has dropped it."""
    client.connection.emit_signal(destination, path, interface, member, GLib.Variant(signature, arguments))
    client.get(ROOT, MANAGER, "Version")


@pytest.fixture
def unique(daemon):
    return daemon.bus.ask("GetNameOwner", "(s)", NAME)


@on_both_buses
def test_the_name_is_lost(daemon, polkit, nobody, unique, policy):
    """Anybody could have ended the daemon."""
    forge(nobody, unique, DRIVER_PATH, DRIVER, "NameLost", "(s)", NAME)
    forge(nobody, NAME, DRIVER_PATH, DRIVER, "NameLost", "(s)", NAME)
    assert nobody.manager("ListSessions") == []
    assert daemon.process.poll() is None


@on_both_buses
def test_another_client_is_gone(polkit, root, nobody, unique, policy):
    """Anybody could have ended the sessions that live with their client."""
    root.create("attached", {**QUIET, "attached": True})
    name = root.connection.get_unique_name()
    forge(nobody, unique, DRIVER_PATH, DRIVER, "NameOwnerChanged", "(sss)", name, name, "")
    assert [row[1] for row in root.manager("ListSessions")] == ["attached"]


@on_both_buses
def test_a_unit_has_failed(bus, polkit, root, nobody, unique, policy):
    """Anybody could have made the snapshots of others."""
    systemd = SystemdMock(bus)
    systemd.units["web.service"] = {"ActiveState": "active", "Result": "success"}
    watch = "any unit=web.service interval=10ms daily=1000"
    session = root.start("ring", {**QUIET, "mode": "ring", "ring_size": "1M", "watches": [watch]})
    values = {"ActiveState": GLib.Variant("s", "failed"), "Result": GLib.Variant("s", "forged")}
    changed = (INTERFACE + "Unit", values, [])
    forge(nobody, unique, path_of("web.service"), PROPERTIES, "PropertiesChanged", "(sa{sv}as)", *changed)
    assert root.describe(session)["watches"][0]["fired"] == 0
    systemd.change("web.service", "failed", "exit-code")
    wait_until(lambda: root.describe(session)["watches"][0]["fired"] == 1, "the true failure was not seen")
    assert root.describe(session)["watches"][0]["seen"] == "web.service: exit-code"
    root.session(session, "Remove")
    wait_until(lambda: not instances_of(bus), "the ring stays")
    systemd.close()


def test_what_the_client_is_told(bus, daemon, polkit, root, nobody):
    """ktracectl listens to the daemon, and not to whoever writes to it."""
    before = set(bus.ask("ListNames", "()"))
    monitor = subprocess.Popen(
        [reachable(KTRACECTL), "--json=short", "monitor"],
        env=bus.environment(**SANITIZERS),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        (name,) = wait_until(lambda: set(bus.ask("ListNames", "()")) - before, "ktracectl is not on the bus")

        def listens():
            """It is on the bus before it listens: when a true event is there, it does."""
            root.session(root.create("first", QUIET), "Remove")
            return select.select([monitor.stdout], [], [], 1)[0]

        wait_until(listens, "ktracectl tells of nothing")
        lines = [monitor.stdout.readline()]
        while "first" not in lines[-1]:
            lines.append(monitor.stdout.readline())
        for member, signature, arguments in [
            ("SessionNew", "(so)", ("f0f0f0f0f0f0f0f0", "/org/ktraced1/session/f0f0f0f0f0f0f0f0")),
            ("SessionRemoved", "(so)", ("f0f0f0f0f0f0f0f0", "/org/ktraced1/session/f0f0f0f0f0f0f0f0")),
        ]:
            forge(nobody, name, ROOT, MANAGER, member, signature, *arguments)
        changed = (SESSION, {"State": GLib.Variant("s", "failed")}, [])
        forge(nobody, name, "/org/ktraced1/session/f0f0f0f0f0f0f0f0", PROPERTIES, "PropertiesChanged", "(sa{sv}as)", *changed)
        # The bus daemon keeps the order of what it was sent: these come later.
        root.session(root.create("last", QUIET), "Remove")
        while "last" not in lines[-1]:
            lines.append(monitor.stdout.readline())
        assert all(json.loads(line) for line in lines)
        assert "f0f0" not in "".join(lines), lines
    finally:
        monitor.terminate()
        monitor.wait(30)
        monitor.stdout.close()
