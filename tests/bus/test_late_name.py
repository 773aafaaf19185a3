# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemon's name on the bus: who may own it, and what there is before the daemon does."""

import re
import socket
import threading

import pytest
from gi.repository import Gio, GLib

from daemon import MANAGER, NAME, NOBODY, ROOT, BusError, Client
from interfaces import methods
from pipeline import message
from system_bus import wait_until

METHOD_CALL = re.compile(rb"l\x01[\x00-\x07]\x01", re.S)
DENIED = "org.freedesktop.DBus.Error.AccessDenied"


class HoldingProxy:
    """Between the daemon and the bus: passes everything on until the daemon asks for its name, and then nothing that it
    sends, until go_on()."""

    def __init__(self, bus, folder):
        self.address = f"unix:path={folder}/proxy"
        self.held = threading.Event()
        self._go_on = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"{folder}/proxy")
        self._listener.listen()
        self._bus = socket.socket(socket.AF_UNIX)
        self._bus.connect(bus.address.removeprefix("unix:path="))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        self._daemon = self._listener.accept()[0]
        threading.Thread(target=self._pass, args=(self._bus, self._daemon), daemon=True).start()
        self._pass(self._daemon, self._bus, b"RequestName")

    def _pass(self, source, target, word=None):
        try:
            while data := source.recv(65536):
                if word and word in data:
                    # What is before that message in one piece with it goes on: a method call begins like this.
                    start = [match.start() for match in METHOD_CALL.finditer(data, 0, data.index(word))][-1]
                    target.sendall(data[:start])
                    data = data[start:]
                    self.held.set()
                    self._go_on.wait(120)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def go_on(self):
        self._go_on.set()

    def close(self):
        self._go_on.set()
        for end in (self._listener, self._daemon, self._bus):
            end.close()


@pytest.fixture
def late(bus, start_daemon, folder):
    """(proxy, daemon, its unique name): the daemon has asked for its name, and the bus has not heard of it."""
    proxy = HoldingProxy(bus, folder)
    before = set(bus.ask("ListNames", "()"))
    daemon = start_daemon(environment={"DBUS_SYSTEM_BUS_ADDRESS": proxy.address}, wait=False)
    assert proxy.held.wait(60), daemon.log
    (unique,) = wait_until(lambda: set(bus.ask("ListNames", "()")) - before, "the daemon is not on the bus", 60)
    yield proxy, daemon, unique
    proxy.go_on()
    if daemon.process.poll() is None:
        daemon.stop()
    proxy.close()


def test_name_that_is_owned_late(late, bus, polkit):
    """Until then nobody reaches a method, not under the unique name either, and systemd is not told that it is ready."""
    proxy, daemon, unique = late
    polkit.mode = "no"
    client = Client(bus.connect(NOBODY), unique)
    for interface, method in methods():
        call = message(ROOT, interface, method)
        call.set_destination(unique)
        reply = client.connection.send_message_with_reply_sync(call, Gio.DBusSendMessageFlags.NONE, 60000, None)[0]
        assert reply.get_error_name() == DENIED, (method, reply.get_error_name())
    assert not bus.has_owner(NAME) and "READY=1" not in daemon.notify.messages
    assert polkit.checks == []
    proxy.go_on()
    bus.wait_for_name(NAME, daemon.process)
    wait_until(lambda: "READY=1" in daemon.notify.messages, "the daemon did not say READY=1", 60)
    # From then on by its rules, under both names.
    for name in (NAME, unique):
        client.name = name
        with pytest.raises(BusError) as caught:
            client.manager("ListSessions")
        assert caught.value.name == DENIED
    assert len(polkit.checks) == 2
    polkit.mode = "yes"
    assert client.manager("ListSessions") == []
    client.close()


def test_name_that_somebody_takes_meanwhile(late, bus):
    """A second daemon, say: this one gives way, and was never ready."""
    proxy, daemon, _unique = late
    assert bus.ask("RequestName", "(su)", NAME, 4) == 1
    proxy.go_on()
    assert daemon.process.wait(60) != 0
    assert "Another process has the name" in daemon.log and "READY=1" not in daemon.notify.messages
    bus.ask("ReleaseName", "(s)", NAME)
    daemon.notify.close()


def test_nobody_else_may_own_the_name(bus, daemon):
    connection = bus.connect(NOBODY)
    for flags in (0, 2, 4):
        with pytest.raises(GLib.Error) as caught:
            connection.call_sync(
                "org.freedesktop.DBus",
                "/org/freedesktop/DBus",
                "org.freedesktop.DBus",
                "RequestName",
                GLib.Variant("(su)", (NAME, flags)),
                None,
                Gio.DBusCallFlags.NONE,
                30000,
                None,
            )
        assert Gio.DBusError.get_remote_error(caught.value) == DENIED
    assert daemon.client(0).call(ROOT, MANAGER, "ListSessions") == []
    connection.close_sync(None)
