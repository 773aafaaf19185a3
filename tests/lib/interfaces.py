# SPDX-License-Identifier: LGPL-2.1-or-later
"""The interfaces as dbus/*.xml describes them, and arguments with which each method can be called."""

import contextlib
import pathlib
import re
import tempfile
import types

import pytest
from gi.repository import Gio, GLib

from daemon import CAPTURE, MANAGER, NOBODY, ROOT, SESSION, BusError, Daemon
from pipeline import message
from polkit_mock import PolkitMock
from system_bus import SOURCE, SystemBus

SPEC = {"events": GLib.Variant("as", ["sched:sched_switch"])}
# On a file that no program maps: the kernel takes it.
PROBES = {"probes": GLib.Variant("as", ["work=uprobe:@0:0x10"]), "probe_files": GLib.Variant("ah", [0])}

# Valid arguments for each method, as a function of the things there are (see Things).
ARGUMENTS = {
    (MANAGER, "CreateSession"): lambda things: ("(sa{sv})", ("mine", SPEC)),
    (MANAGER, "StartSession"): lambda things: ("(sa{sv})", ("mine", SPEC)),
    (MANAGER, "TryProbes"): lambda things: ("(a{sv})", (PROBES,)),
    (MANAGER, "EstimateSession"): lambda things: ("(a{sv}a{sv})", (SPEC, {"duration": GLib.Variant("s", "100ms")})),
    (MANAGER, "MeasureEvents"): lambda things: ("(asa{sv})", (["sched:sched_process_exit"], {"duration": GLib.Variant("s", "100ms")})),
    (MANAGER, "GetSession"): lambda things: ("(s)", (things.session_id,)),
    (MANAGER, "ListSessions"): lambda things: None,
    (MANAGER, "ListCaptures"): lambda things: ("(a{sv})", ({},)),
    (MANAGER, "GetCapture"): lambda things: ("(s)", (things.capture_id,)),
    (MANAGER, "ListEvents"): lambda things: ("(s)", ("sched:*",)),
    (MANAGER, "DescribeEvent"): lambda things: ("(s)", ("sched:sched_switch",)),
    (MANAGER, "ListTracers"): lambda things: None,
    (MANAGER, "ListFunctions"): lambda things: ("(su)", ("vfs_*", 10)),
    (MANAGER, "ListProfiles"): lambda things: None,
    (MANAGER, "DescribeProfile"): lambda things: ("(s)", ("sched-latency",)),
    (MANAGER, "Capabilities"): lambda things: None,
    (MANAGER, "Describe"): lambda things: None,
    (MANAGER, "Vacuum"): lambda things: ("(a{sv})", ({"max_files": GLib.Variant("t", 1000000)},)),
    (MANAGER, "Reload"): lambda things: None,
    (SESSION, "Start"): lambda things: None,
    (SESSION, "Stop"): lambda things: None,
    (SESSION, "Reload"): lambda things: None,
    (SESSION, "Rotate"): lambda things: None,
    (SESSION, "Snapshot"): lambda things: ("(a{sv})", ({},)),
    (SESSION, "Clear"): lambda things: None,
    (SESSION, "Remove"): lambda things: None,
    (SESSION, "AddProcess"): lambda things: ("(h)", (0,)),
    (SESSION, "ReadHistogram"): lambda things: ("(s)", ("sched:sched_process_exit",)),
    (SESSION, "OpenStream"): lambda things: ("(a{sv})", ({},)),
    (SESSION, "OpenMarker"): lambda things: None,
    (SESSION, "Describe"): lambda things: None,
    (CAPTURE, "Describe"): lambda things: None,
    (CAPTURE, "Open"): lambda things: ("(u)", (0,)),
    (CAPTURE, "Pin"): lambda things: ("(b)", (True,)),
    (CAPTURE, "Delete"): lambda things: None,
}

# The polkit action of each method for a caller who owns nothing.
ACTIONS = {
    (MANAGER, "CreateSession"): "org.ktraced1.trace-system",
    (MANAGER, "StartSession"): "org.ktraced1.trace-system",
    (MANAGER, "EstimateSession"): "org.ktraced1.trace-system",
    (MANAGER, "MeasureEvents"): "org.ktraced1.trace-system",
    (MANAGER, "Vacuum"): "org.ktraced1.manage-captures",
    (MANAGER, "TryProbes"): "org.ktraced1.trace-system",
    (MANAGER, "Reload"): "org.ktraced1.manage-daemon",
    (SESSION, "Start"): "org.ktraced1.manage-sessions",
    (SESSION, "Stop"): "org.ktraced1.manage-sessions",
    (SESSION, "Reload"): "org.ktraced1.manage-sessions",
    (SESSION, "Rotate"): "org.ktraced1.manage-sessions",
    (SESSION, "Snapshot"): "org.ktraced1.manage-sessions",
    (SESSION, "Clear"): "org.ktraced1.manage-sessions",
    (SESSION, "Remove"): "org.ktraced1.manage-sessions",
    (SESSION, "AddProcess"): "org.ktraced1.manage-sessions",
    (SESSION, "ReadHistogram"): "org.ktraced1.read-captures",
    (SESSION, "OpenStream"): "org.ktraced1.read-captures",
    (SESSION, "OpenMarker"): "org.ktraced1.manage-sessions",
    (SESSION, "Describe"): "org.ktraced1.read-captures",
    (CAPTURE, "Describe"): "org.ktraced1.read-captures",
    (CAPTURE, "Open"): "org.ktraced1.read-captures",
    (CAPTURE, "Pin"): "org.ktraced1.manage-captures",
    (CAPTURE, "Delete"): "org.ktraced1.manage-captures",
}
QUERY = "org.ktraced1.query"
# What is asked about besides.
MORE_ACTIONS = {(MANAGER, "TryProbes"): ["org.ktraced1.define-probes"]}


def described():
    """Interface name -> Gio.DBusInterfaceInfo, from dbus/*.xml."""
    found = {}
    for name in [MANAGER, SESSION, CAPTURE]:
        info = Gio.DBusNodeInfo.new_for_xml((SOURCE / "dbus" / f"{name}.xml").read_text())
        found[name] = info.lookup_interface(name)
    return found


def methods():
    """All (interface, method) pairs that dbus/*.xml has."""
    return [(name, method.name) for name, info in described().items() for method in info.methods]


def spec_keys():
    """The keys of a spec and their D-Bus types, from the daemon's own table."""
    types = {
        "STRING": "s",
        "BOOLEAN": "b",
        "UNSIGNED": "t",
        "SIZE": "s",
        "SPAN": "s",
        "STRINGS": "as",
        "MAP": "a{ss}",
        "NUMBERS": "ai",
        "FD": "h",
        "FDS": "ah",
    }
    source = (SOURCE / "daemon" / "core" / "spec-keys.c").read_text()
    found = re.findall(r'\.name = "(\w+)",\s*\.type = SPEC_TYPE_(\w+)', source)
    return {name: types[kind] for name, kind in found}


def members(info):
    """A comparable form of an interface: methods, signals and properties with names and types."""
    annotations = {p.name: sorted((a.key, a.value) for a in p.annotations) for p in info.properties}
    return {
        "methods": {m.name: [(a.name, a.signature) for a in [*m.in_args, *m.out_args]] for m in info.methods},
        "n_in": {m.name: len(m.in_args) for m in info.methods},
        "signals": {s.name: [(a.name, a.signature) for a in s.args] for s in info.signals},
        "properties": {p.name: (p.signature, int(p.flags), annotations[p.name]) for p in info.properties},
    }


class Things:
    """A running session of root's, and a complete capture of root's, for calls that need an object."""

    def __init__(self, root):
        self.root = root
        self.file = open(__file__, "rb")
        done = root.start("things-done", {"events": ["sched:sched_process_exit"]})
        root.session(done, "Stop")
        self.capture = root.capture_of(done)
        self.capture_id = root.get(self.capture, CAPTURE, "Id")
        root.session(done, "Remove")
        self.session = root.start("things", {"events": ["sched:sched_process_exit"], "pids": [1]})
        self.session_id = root.get(self.session, SESSION, "Id")

    def path(self, interface):
        return {MANAGER: ROOT, SESSION: self.session, CAPTURE: self.capture}[interface]

    def state(self):
        """What a refused call must not have changed."""
        return (
            sorted(self.root.manager("ListSessions")),
            sorted((row[0], row[4], row[9]) for row in self.root.manager("ListCaptures", "(a{sv})", {})),
            self.root.describe(self.session)["state"],
        )

    def arguments(self, interface, method, pidfd):
        """The body, or None, and the descriptors."""
        arguments = ARGUMENTS[interface, method](self)
        fds = {"AddProcess": (pidfd,), "TryProbes": (self.file.fileno(),)}.get(method, ())
        return arguments and GLib.Variant(*arguments), fds

    def call(self, client, interface, method, pidfd, **more):
        parameters, fds = self.arguments(interface, method, pidfd)
        return client.call(self.path(interface), interface, method, parameters, fds=fds, **more)

    def send(self, client, interface, method, pidfd):
        """The same, without waiting for the answer."""
        parameters, fds = self.arguments(interface, method, pidfd)
        call = message(self.path(interface), interface, method, body=parameters, fds=fds)
        client.connection.send_message(call, Gio.DBusSendMessageFlags.NONE)
        client.connection.flush_sync(None)


@contextlib.contextmanager
def shared_daemon(**settings):
    """One daemon for many calls that are refused, since these change nothing: with `bus`, the mocked `polkit`, `daemon`,
    `things` and the client `nobody`."""
    with tempfile.TemporaryDirectory(prefix="ktraced-test-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        (folder / "bus").mkdir()
        (folder / "daemon").mkdir()
        bus = SystemBus(folder / "bus")
        polkit = PolkitMock(bus)
        daemon = Daemon(bus, folder / "daemon", settings=settings)
        things = Things(daemon.client(0))
        shared = types.SimpleNamespace(bus=bus, polkit=polkit, daemon=daemon, things=things, nobody=daemon.client(NOBODY))
        yield shared
        daemon.stop()
        shared.polkit.close()
        bus.close()


def refused(name, things, client, interface, method, pidfd, **more):
    """The message of the refusal, after seeing that nothing changed."""
    before = things.state()
    with pytest.raises(BusError) as caught:
        things.call(client, interface, method, pidfd, **more)
    assert caught.value.name == name, caught.value
    assert things.state() == before
    return caught.value.message
