# SPDX-License-Identifier: LGPL-2.1-or-later
"""A stand-in for systemd that has the units of the test, and sends the signals that systemd sends of them."""

import re

from gi.repository import Gio, GLib

NAME = "org.freedesktop.systemd1"
PATH = "/org/freedesktop/systemd1"
PROPERTIES = "org.freedesktop.DBus.Properties"
INTERFACE = "org.freedesktop.systemd1."


def path_of(unit):
    """As sd_bus_path_encode() does it."""
    return f"{PATH}/unit/" + re.sub(r"[^A-Za-z0-9]|^[0-9]", lambda c: f"_{ord(c.group()):02x}", unit)


class SystemdMock:
    """Owns org.freedesktop.systemd1 on a private bus. Ends with close().

    `units`: name -> {"ActiveState": ..., "Result": ...}; what is not there is not found. `subscribers`: how often somebody
    has asked for signals; without that none are sent, as with systemd."""

    def __init__(self, bus):
        self.units = {}
        self.subscribers = 0
        self._connection = bus.connect(0)
        self._connection.add_filter(self._on_message)
        self._connection.call_sync(
            "org.freedesktop.DBus",
            "/org/freedesktop/DBus",
            "org.freedesktop.DBus",
            "RequestName",
            GLib.Variant("(su)", (NAME, 4)),
            None,
            Gio.DBusCallFlags.NONE,
            5000,
            None,
        )

    def _on_message(self, connection, message, incoming):
        """In GDBus's own thread."""
        if not incoming or message.get_message_type() != Gio.DBusMessageType.METHOD_CALL:
            return message
        reply = Gio.DBusMessage.new_method_reply(message)
        if message.get_member() == "Subscribe":
            self.subscribers += 1
        elif (message.get_interface(), message.get_member()) == (PROPERTIES, "GetAll"):
            found = [unit for unit in self.units if path_of(unit) == message.get_path()]
            state = self.units[found[0]] if found else {"ActiveState": "inactive", "LoadState": "not-found"}
            state = {"Id": "x", "LoadState": "loaded", **state}
            values = {key: GLib.Variant("s", value) for key, value in state.items()}
            values["MainPID"] = GLib.Variant("u", 1)
            reply.set_body(GLib.Variant("(a{sv})", (values,)))
        else:
            return message
        connection.send_message(reply, Gio.DBusSendMessageFlags.NONE)
        return None

    def _emit(self, path, interface, values):
        values = {key: GLib.Variant("s", value) for key, value in values.items()}
        values["NRestarts"] = GLib.Variant("u", 0)
        parameters = GLib.Variant("(sa{sv}as)", (INTERFACE + interface, values, []))
        self._connection.emit_signal(None, path, PROPERTIES, "PropertiesChanged", parameters)

    def change(self, unit, active, result="success"):
        """First what the type has, then what all units have, and always everything."""
        self.units[unit] = {"ActiveState": active, "Result": result}
        if self.subscribers > 0:
            self._emit(path_of(unit), unit.rpartition(".")[2].title(), {"Result": result})
            self._emit(path_of(unit), "Unit", {"ActiveState": active, "LoadState": "loaded"})
        self._connection.flush_sync(None)

    def close(self):
        self._connection.close_sync(None)
