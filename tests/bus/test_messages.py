# SPDX-License-Identifier: LGPL-2.1-or-later
"""Messages that no client of good will sends: deep, huge, or in pieces, to each method of the introspection data."""

import functools
import os

import pytest
from gi.repository import Gio, GLib

from daemon import MANAGER, NAME, NOBODY, ROOT, BusError
from interfaces import described, methods, shared_daemon, spec_keys
from pipeline import message
from raw_bus import RawBus, memory
from system_bus import wait_until

V = GLib.Variant
MEGA = 1 << 20
# What the bus takes at most is 64 containers in each other, and 32 MiB.
DEEP = 60
ANSWERS = "org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.Timeout", "org.freedesktop.DBus.Error.NoMemory"


def deep(depth):
    value = V("s", "bottom")
    for _ in range(depth):
        value = V("v", value)
    return value


def entry(key, value):
    return V.new_dict_entry(V("s", key), V("v", value))


def dictionary(*entries):
    return V.new_array(GLib.VariantType("{sv}"), entries)


@functools.cache
def many(kind):
    """Far more of a container's elements than any key takes, some MiB; or one that is as large."""
    if kind == "as":
        return V("as", ["sched:sched_switch"] * 100000)
    if kind == "a{ss}":
        return V("a{ss}", {f"sched:{n}": "prev_pid == 1" for n in range(50000)})
    if kind in ("ai", "ah"):
        return V.new_from_bytes(GLib.VariantType(kind), GLib.Bytes.new(bytes(MEGA)), True)
    return V("s", "x" * 2 * MEGA)


@functools.cache
def long_strings():
    return V("as", ["x" * MEGA] * 2)


@functools.cache
def many_entries():
    return dictionary(*[entry(f"{n}", V("s", "")) for n in range(50000)])


class Target:
    """Sends a body to a method and sees to it that the daemon answers, and others afterwards."""

    def __init__(self, daemon, things):
        self.daemon, self.client, self.things = daemon, things.root, things

    def send(self, interface, method, body):
        call = message(self.things.path(interface), interface, method, body=body)
        reply = self.client.connection.send_message_with_reply_sync(call, Gio.DBusSendMessageFlags.NONE, 60000, None)
        name = reply[0].get_error_name()
        assert name not in ANSWERS, f"{method}: {name}"
        if name:
            assert len(reply[0].get_body().unpack()[0]) < 10000, f"{method}: a message that quotes a megabyte helps nobody"
        assert self.daemon.process.poll() is None, f"{method}: {self.daemon.log}"
        return name


@pytest.fixture(scope="module")
def target():
    """One for all, since nothing of what is sent is taken."""
    with shared_daemon() as shared:
        before = memory(shared.daemon.process.pid)
        yield Target(shared.daemon, shared.things)
        assert len(shared.things.root.manager("ListSessions")) == 1
        # AddressSanitizer keeps 256 MiB of what was freed.
        assert memory(shared.daemon.process.pid) - before < 512 * MEGA


@pytest.mark.parametrize("interface,method", methods())
def test_arguments_that_are_deep(target, interface, method):
    """In the place of the arguments, and within those that may hold anything."""
    info = described()[interface].lookup_method(method)
    assert target.send(interface, method, V.new_tuple(deep(DEEP)))
    array = V("s", "bottom")
    for _ in range(30):
        array = V.new_array(None, [array])
    assert target.send(interface, method, V.new_tuple(array))
    signatures = [argument.signature for argument in info.in_args]
    if "a{sv}" in signatures:
        for key in ["", "nosuch", *spec_keys()]:
            values = [V("s", "deep") if kind == "s" else dictionary(entry(key, deep(DEEP - 4))) for kind in signatures]
            assert target.send(interface, method, V.new_tuple(*values))


@pytest.mark.seconds(300)
@pytest.mark.parametrize("interface,method", methods())
def test_arguments_that_are_huge(target, interface, method):
    info = described()[interface].lookup_method(method)
    signatures = [argument.signature for argument in info.in_args]
    bodies = [V.new_tuple(many("s")), V.new_tuple(many("as"))]
    for n, kind in enumerate(signatures):
        others = {"s": V("s", "huge"), "a{sv}": dictionary(), "u": V("u", 0), "b": V("b", False), "h": V("h", 0)}
        values = [
            others[other] if other in others else V.parse(GLib.VariantType(other), "[]" if other[0] == "a" else "0", None, None)
            for other in signatures
        ]
        huge = []
        if kind == "s":
            huge = [many("s"), V("s", "*" * MEGA), V("s", "\u202e" * MEGA)]
        elif kind == "a{sv}":
            huge = [dictionary(entry("x" * 8 * MEGA, V("s", ""))), many_entries()]
            if method in ("CreateSession", "StartSession"):
                huge += [dictionary(entry(key, many(kind))) for key, kind in spec_keys().items()]
                huge += [dictionary(entry(key, long_strings())) for key, kind in spec_keys().items() if kind == "as"]
        for value in huge:
            bodies.append(V.new_tuple(*values[:n], value, *values[n + 1 :]))
    for body in bodies:
        target.send(interface, method, body)


def test_properties_of_what_is_huge(target):
    for member, body in [
        ("Get", V("(ss)", ("x" * 200, "y" * 8 * MEGA))),
        ("Get", V("(ss)", (MANAGER, "y" * 8 * MEGA))),
        ("GetAll", V("(s)", ("x" * 8 * MEGA,))),
    ]:
        with pytest.raises(BusError) as caught:
            target.client.call(ROOT, "org.freedesktop.DBus.Properties", member, body)
        assert caught.value.name not in ANSWERS
    assert target.daemon.process.poll() is None


def test_deeper_than_the_bus_takes(bus, daemon, root):
    """The bus daemon ends that connection; the daemon never sees it."""
    raw = RawBus(bus, NOBODY)
    levels = 100
    # A body of nested variants by hand: signature "v" again and again, and at the bottom a string.
    body = b"\x01v\0" * levels + b"\x01s\0"
    body += b"\0" * (-len(body) % 4) + b"\x01\0\0\0x\0"
    call = message(ROOT, MANAGER, "GetSession", body=V("(v)", (V("s", "PLACE"),)))
    blob = bytearray(raw.bytes_of(call))
    header = len(blob) - int.from_bytes(blob[4:8], "little")
    blob[4:8] = len(body).to_bytes(4, "little")
    raw.send(bytes(blob[:header]) + body)
    assert raw.is_closed()
    raw.close()
    assert root.manager("ListSessions") == [] and daemon.process.poll() is None


def test_signal_in_the_name_of_the_library(bus, daemon, root):
    """What sd-bus makes up for itself when the connection is lost: the bus lets nobody send it."""
    unique = bus.ask("GetNameOwner", "(s)", NAME)
    signal = Gio.DBusMessage.new_signal("/org/freedesktop/DBus/Locax", "org.freedesktop.DBus.Locax", "Disconnected")
    signal.set_destination(unique)
    raw = RawBus(bus, NOBODY)
    raw.send(raw.bytes_of(signal).replace(b"Locax", b"Local"))
    assert raw.is_closed()
    raw.close()
    assert root.manager("ListSessions") == [] and daemon.process.poll() is None


def test_client_that_never_reads(bus, daemon, polkit, root):
    """Answers wait at the bus, not in the daemon, and the bus gives the connection up when they are too many."""
    raw = RawBus(bus, NOBODY)
    before = memory(daemon.process.pid)
    call = message(ROOT, MANAGER, "ListEvents", body=V("(s)", ("*:*",)))
    raw.socket.settimeout(5)
    sent = 0
    try:
        for _ in range(400):
            raw.send(raw.bytes_of(call))
            sent += 1
    except OSError:
        pass
    assert sent > 50 and root.manager("ListSessions") == []
    raw.close()
    wait_until(lambda: memory(daemon.process.pid) - before < 512 * MEGA, "the answers stay")
    assert root.manager("ListSessions") == []


@pytest.mark.parametrize("leave", ["shutdown", "reset"])
def test_clients_that_vanish_in_loops(bus, daemon, polkit, root, leave):
    """After each step of a request: when it is sent, when it is asked for, when there is a session already. Nothing of
    them stays, and others are served."""
    before = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
    spec = {"events": V("as", ["sched:sched_process_exit"]), "attached": V("b", True), "pids": V("ai", [1])}
    start = message(ROOT, MANAGER, "StartSession", body=V("(sa{sv})", ("", spec)))
    create = message(ROOT, MANAGER, "CreateSession", body=V("(sa{sv})", ("", spec)))
    listing = message(ROOT, MANAGER, "ListSessions")
    half = message(ROOT, MANAGER, "GetSession", body=V("(s)", ("x" * 10000,)))
    for n in range(300):
        raw = RawBus(bus, NOBODY)
        polkit.mode = ["yes", "hang", "no"][n % 3]
        calls = [[create], [start], [listing, create, start], [half], [create, create]][n % 5]
        for call in calls:
            data = raw.bytes_of(call)
            raw.send(data[: len(data) // 2] if call is half else data)
        if n % 7 == 0 and calls == [create] and polkit.mode == "yes":
            raw.reply_to(raw.serial)
        if leave == "shutdown":
            raw.socket.shutdown(2)
        raw.close()
        if n % 50 == 0:
            assert isinstance(root.manager("ListSessions"), list)
    polkit.mode = "yes"
    polkit.answer_pending("yes")
    wait_until(lambda: root.manager("ListSessions") == [], "sessions of clients that left stay", 60)
    wait_until(lambda: not daemon.instances(), "instances of clients that left stay", 60)
    for row in root.manager("ListCaptures", "(a{sv})", {}):
        root.capture(row[10], "Delete")
    wait_until(lambda: len(os.listdir(f"/proc/{daemon.process.pid}/fd")) <= before + 2, "descriptors stay", 60)
    assert daemon.process.poll() is None
