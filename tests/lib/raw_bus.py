# SPDX-License-Identifier: LGPL-2.1-or-later
"""A connection to the bus that sends any bytes: also what no library would send, or in pieces, or without ever reading."""

import array
import os
import socket
import struct

from gi.repository import Gio

from system_bus import effective_user

METHOD_RETURN, ERROR = 2, 3


class RawBus:
    """Ends with close(), or abruptly when its process does."""

    def __init__(self, bus, uid=0):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(60)
        with effective_user(uid):
            self.socket.connect(bus.address.removeprefix("unix:path="))
        self.socket.sendall(b"\0AUTH EXTERNAL " + str(uid).encode().hex().encode() + b"\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n")
        self.rest = b""
        self.serial = 0
        for word in (b"OK ", b"AGREE_UNIX_FD"):
            line = self._line()
            assert line.startswith(word), line
        hello = Gio.DBusMessage.new_method_call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello")
        reply = self.call(hello)
        self.name = reply.get_body().unpack()[0]

    def _line(self):
        while b"\r\n" not in self.rest:
            self.rest += self._receive()
        line, _, self.rest = self.rest.partition(b"\r\n")
        return line

    def _receive(self):
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the bus closed the connection")
        return data

    def bytes_of(self, message):
        """The next message as it goes over the wire."""
        self.serial += 1
        message.set_serial(self.serial)
        return message.to_blob(Gio.DBusCapabilityFlags.UNIX_FD_PASSING)

    def send(self, data, fds=()):
        """Bytes, with descriptors before the first of them."""
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        sent = self.socket.sendmsg([data[:65536]], ancillary)
        if data[sent:]:
            self.socket.sendall(data[sent:])

    def receive(self):
        """The next message."""
        while len(self.rest) < 16:
            self.rest += self._receive()
        order = "<" if self.rest[:1] == b"l" else ">"
        body, fields = struct.unpack(order + "4xI4xI", self.rest[:16])
        size = 16 + (fields + 7) // 8 * 8 + body
        while len(self.rest) < size:
            self.rest += self._receive()
        data, self.rest = self.rest[:size], self.rest[size:]
        return Gio.DBusMessage.new_from_blob(data, Gio.DBusCapabilityFlags.UNIX_FD_PASSING)

    def reply_to(self, serial):
        while True:
            message = self.receive()
            if message.get_reply_serial() == serial and int(message.get_message_type()) in (METHOD_RETURN, ERROR):
                return message

    def call(self, message, fds=()):
        """The reply, which may be an error."""
        self.send(self.bytes_of(message), fds)
        return self.reply_to(self.serial)

    def is_closed(self):
        """Reads until the bus has closed the connection."""
        try:
            while True:
                self._receive()
        except (ConnectionError, socket.timeout) as error:
            return not isinstance(error, socket.timeout)

    def close(self):
        self.socket.close()


def memory(pid):
    """Resident bytes of a process."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
