# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls that are sent by hand, many at once."""

from gi.repository import Gio, GLib

from daemon import NAME
from system_bus import wait_until


def message(path, interface, method, signature=None, *arguments, body=None, fds=(), reply=True):
    """A call that is sent by hand, so that the next one need not wait for its answer."""
    call = Gio.DBusMessage.new_method_call(NAME, path, interface, method)
    if signature:
        body = GLib.Variant(signature, arguments)
    if body:
        call.set_body(body)
    if fds:
        fd_list = Gio.UnixFDList.new()
        for fd in fds:
            fd_list.append(fd)
        call.set_unix_fd_list(fd_list)
    if not reply:
        call.set_flags(Gio.DBusMessageFlags.NO_REPLY_EXPECTED)
    return call


def pipeline(client, messages, between=lambda replies: None):
    """Sends all messages at once; their replies, in the order of the messages. `between` sees those that are there,
    None for the others, while it waits."""
    replies = [None] * len(messages)
    done = []

    def on_reply(connection, result, number):
        replies[number] = connection.send_message_with_reply_finish(result)  # an error reply, too
        done.append(number)

    for number, call in enumerate(messages):
        client.connection.send_message_with_reply(call, Gio.DBusSendMessageFlags.NONE, 30000, None, on_reply, number)
    context = GLib.MainContext.default()
    wait_until(lambda: context.iteration(False) or len(done) == len(messages) or None, "no reply", 40, 0.001)
    while len(done) < len(messages):
        context.iteration(True)
        between(replies)
    return replies
