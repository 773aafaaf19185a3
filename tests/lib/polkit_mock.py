# SPDX-License-Identifier: LGPL-2.1-or-later
"""A stand-in for polkitd that answers as the test says and remembers what it was asked."""

import dataclasses
import threading

from gi.repository import Gio, GLib

NAME = "org.freedesktop.PolicyKit1"
PATH = "/org/freedesktop/PolicyKit1/Authority"
INTERFACE = """
<node>
  <interface name="org.freedesktop.PolicyKit1.Authority">
    <method name="CheckAuthorization">
      <arg type="(sa{sv})" name="subject" direction="in"/>
      <arg type="s" name="action_id" direction="in"/>
      <arg type="a{ss}" name="details" direction="in"/>
      <arg type="u" name="flags" direction="in"/>
      <arg type="s" name="cancellation_id" direction="in"/>
      <arg type="(bba{ss})" name="result" direction="out"/>
    </method>
    <method name="CancelCheckAuthorization">
      <arg type="s" name="cancellation_id" direction="in"/>
    </method>
  </interface>
</node>
"""


@dataclasses.dataclass
class Check:
    """One CheckAuthorization call."""

    action: str
    subject: tuple
    details: dict
    interactive: bool
    cancellation_id: str


class PolkitMock:
    """Owns org.freedesktop.PolicyKit1 on a private bus. Ends with close().

    mode: "yes", "no", "challenge" (would have to ask the user), "hang" (no answer until answer_pending()), "slow" (yes
    after 10 ms; `overlaps` counts questions about a client that came before the last one about it was answered), "error"
    (fails). release_name() makes it as if there were no polkit, until own_name(). `checks` and `cancelled` (ids) grow as calls arrive.
    """

    def __init__(self, bus, mode="yes"):
        self.mode = mode
        self.actions = {}  # a mode for single actions
        self.checks = []
        self.cancelled = []
        self.pending = []
        self.overlaps = 0
        self._open = {}  # questions about a client that have no answer yet, in the mode "slow"
        self._context = GLib.MainContext()
        self._loop = GLib.MainLoop(self._context)
        self._connection = bus.connect(0)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10), "the polkit mock did not start"
        bus.wait_for_name(NAME)

    def _run(self):
        self._context.push_thread_default()
        info = Gio.DBusNodeInfo.new_for_xml(INTERFACE).interfaces[0]
        self._connection.register_object(PATH, info, self._on_call, None, None)
        self.own_name()
        self._ready.set()
        self._loop.run()

    def _ask_bus(self, method, parameters):
        self._connection.call_sync(
            "org.freedesktop.DBus",
            "/org/freedesktop/DBus",
            "org.freedesktop.DBus",
            method,
            parameters,
            None,
            Gio.DBusCallFlags.NONE,
            5000,
            None,
        )

    def own_name(self):
        self._ask_bus("RequestName", GLib.Variant("(su)", (NAME, 4)))

    def release_name(self):
        self._ask_bus("ReleaseName", GLib.Variant("(s)", (NAME,)))

    def _on_call(self, _connection, _sender, _path, _interface, method, parameters, invocation):
        if method == "CancelCheckAuthorization":
            self.cancelled.append(parameters.unpack()[0])
            invocation.return_value(None)
            return
        subject, action, details, flags, cancellation_id = parameters.unpack()
        self.checks.append(Check(action, subject, details, bool(flags & 1), cancellation_id))
        mode = self.actions.get(action, self.mode)
        if mode == "hang":
            self.pending.append(invocation)
        elif mode == "slow":
            self._answer_slowly(invocation, subject)
        else:
            self._answer(invocation, mode)

    def _answer_slowly(self, invocation, subject):
        name = subject[1]["name"]
        self.overlaps += self._open.get(name, 0) > 0
        self._open[name] = self._open.get(name, 0) + 1

        def answer(_data):
            self._open[name] -= 1
            self._answer(invocation, "yes")

        later = GLib.timeout_source_new(10)
        later.set_callback(answer, None)
        later.attach(self._context)

    @staticmethod
    def _answer(invocation, mode):
        if mode == "error":
            invocation.return_dbus_error("org.freedesktop.PolicyKit1.Error.Failed", "the mock was told to fail")
        else:
            invocation.return_value(GLib.Variant("((bba{ss}))", ((mode == "yes", mode == "challenge", {}),)))

    def answer_pending(self, mode):
        """The late answer to all that hang."""
        while self.pending:
            self._answer(self.pending.pop(0), mode)
        self._connection.flush_sync(None)

    def forget(self):
        self.checks.clear()
        self.cancelled.clear()

    def close(self):
        self._connection.close_sync(None)
        self._loop.quit()
        self._thread.join(10)
