# SPDX-License-Identifier: LGPL-2.1-or-later
"""A user at a terminal: a program that answers for polkit's dialogs, and calls the daemon with leave to ask.

polkit takes an agent only from the user whose process it is for, so that this runs as a process of that user:

    polkit_agent.py ADDRESS OBJECT INTERFACE METHOD [SIGNATURE ARGUMENTS]

ARGUMENTS is a tuple in GVariant's text format. On standard output is a line of JSON for each dialog, with what polkit
shows, and one for the reply to the call; on standard input a line is read for each dialog: "yes" once the answer has
been given to polkit (which only root may do: see Agent), "no" to dismiss it.

With --mute=CONNECTIONS before the address it calls from so many connections, answers no dialog, says when polkit takes
one back, and ends when it is killed."""

import json
import os
import subprocess
import sys
import threading

from gi.repository import Gio, GLib

AUTHORITY = "org.freedesktop.PolicyKit1"
AUTHORITY_PATH = "/org/freedesktop/PolicyKit1/Authority"
AUTHORITY_INTERFACE = "org.freedesktop.PolicyKit1.Authority"
AGENT_PATH = "/org/ktraced1/test/agent"
AGENT = """
<node>
  <interface name="org.freedesktop.PolicyKit1.AuthenticationAgent">
    <method name="BeginAuthentication">
      <arg type="s" name="action_id" direction="in"/>
      <arg type="s" name="message" direction="in"/>
      <arg type="s" name="icon_name" direction="in"/>
      <arg type="a{ss}" name="details" direction="in"/>
      <arg type="s" name="cookie" direction="in"/>
      <arg type="a(sa{sv})" name="identities" direction="in"/>
    </method>
    <method name="CancelAuthentication">
      <arg type="s" name="cookie" direction="in"/>
    </method>
  </interface>
</node>
"""


def authority(connection, method, parameters):
    connection.call_sync(
        AUTHORITY, AUTHORITY_PATH, AUTHORITY_INTERFACE, method, parameters, None, Gio.DBusCallFlags.NONE, 30000, None
    )


class Agent:
    """Such a program, as a user. `dialogs` are those that were shown, `reply` is (True, values) or (False, error's name,
    message). Dialogs are answered with `answers`, one after another; "no" dismisses."""

    def __init__(self, bus, uid, path, interface, method, parameters=None, answers=("yes",), locale="C.UTF-8"):
        from daemon import reachable  # what runs as another user has none of this folder

        arguments = [bus.address, path, interface, method]
        if parameters is not None:
            arguments += [parameters.get_type_string(), parameters.print_(False)]
        self.dialogs = []
        answers = list(answers)
        process = subprocess.Popen(
            ["/usr/bin/python3", reachable(__file__), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TEST_LOCALE": locale},
            user=uid,
            group=uid,
            extra_groups=[],
        )
        with process:
            for line in process.stdout:
                said = json.loads(line)
                if "reply" in said:
                    self.reply = tuple(said["reply"])
                    break
                self.dialogs.append(said)
                answer = answers.pop(0)
                if answer == "yes":
                    kind, details = said["identities"][0]
                    identity = (kind, {key: GLib.Variant("u", value) for key, value in details.items()})
                    authority(
                        bus.root,
                        "AuthenticationAgentResponse2",
                        GLib.Variant("(us(sa{sv}))", (uid, said["cookie"], identity)),
                    )
                process.stdin.write(f"{answer}\n")
                process.stdin.flush()
        assert process.returncode == 0, process.returncode


_telling = threading.Lock()


def tell(what):
    with _telling:
        print(json.dumps(what), flush=True)


def on_call(_connection, _sender, _path, _interface, method, parameters, invocation):
    if method == "BeginAuthentication":
        action, message, _icon, details, cookie, identities = parameters.unpack()
        tell({"action": action, "message": message, "details": details, "cookie": cookie, "identities": identities})
        if sys.stdin.readline() != "yes\n":
            invocation.return_dbus_error("org.freedesktop.PolicyKit1.Error.Cancelled", "dismissed")
            return
    invocation.return_value(None)


def serve(connection, ready, handler):
    context = GLib.MainContext()
    context.push_thread_default()
    info = Gio.DBusNodeInfo.new_for_xml(AGENT).interfaces[0]
    connection.register_object(AGENT_PATH, info, handler, None, None)
    ready.set()
    GLib.MainLoop(context).run()


def connect(address):
    flags = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
    return Gio.DBusConnection.new_for_address_sync(address, flags, None, None)


def register(connection, handler):
    ready = threading.Event()
    threading.Thread(target=serve, args=(connection, ready, handler), daemon=True).start()
    ready.wait()
    with open("/proc/self/stat", encoding="ascii") as stat:
        started = int(stat.read().rsplit(")", 1)[1].split()[19])
    subject = {
        "pid": GLib.Variant("u", os.getpid()),
        "start-time": GLib.Variant("t", started),
        "uid": GLib.Variant("i", os.getuid()),
    }
    authority(
        connection,
        "RegisterAuthenticationAgent",
        GLib.Variant("((sa{sv})ss)", (("unix-process", subject), os.environ["TEST_LOCALE"], AGENT_PATH)),
    )


def tell_reply(finish, *arguments):
    try:
        tell({"reply": (True, finish(*arguments).unpack())})
    except GLib.Error as error:
        name = Gio.DBusError.get_remote_error(error)
        Gio.DBusError.strip_remote_error(error)
        tell({"reply": (False, name, error.message)})


def call_of(path, interface, method, signature=None, text=None, timeout=60000):
    """The arguments of a call, but the last ones."""
    parameters = signature and GLib.Variant.parse(GLib.VariantType(signature), text, None, None)
    flag = Gio.DBusCallFlags.ALLOW_INTERACTIVE_AUTHORIZATION
    return "org.ktraced1", path, interface, method, parameters, None, flag, timeout, None


def main(address, *call):
    connection = connect(address)
    register(connection, on_call)
    tell_reply(connection.call_sync, *call_of(*call))


def on_mute_call(_connection, _sender, _path, _interface, method, parameters, invocation):
    if method == "BeginAuthentication":
        tell({"action": parameters.unpack()[0]})
        return
    tell({"cancelled": parameters.unpack()[0]})
    invocation.return_value(None)


def mute(n, address, *call):
    register(connect(address), on_mute_call)
    arguments = call_of(*call, timeout=GLib.MAXINT)
    connections = [connect(address) for _ in range(n)]
    for connection in connections:
        connection.call(*arguments, lambda source, result: tell_reply(source.call_finish, result))
    GLib.MainLoop().run()


if __name__ == "__main__":
    if sys.argv[1].startswith("--mute="):
        mute(int(sys.argv[1].partition("=")[2]), *sys.argv[2:])
    else:
        main(*sys.argv[1:])
