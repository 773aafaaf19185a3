# SPDX-License-Identifier: LGPL-2.1-or-later
"""A private system bus for tests, connections to it as any user, and the real polkitd on it."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import time

from gi.repository import Gio, GLib

SOURCE = pathlib.Path(__file__).resolve().parents[2]

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={folder}/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
  <policy user="root">
    <allow own="org.freedesktop.PolicyKit1"/>
    <allow own="org.freedesktop.systemd1"/>
  </policy>
  <policy context="default">
    <allow send_destination="org.freedesktop.systemd1"/>
  </policy>
  <include>/usr/share/dbus-1/system.d/org.freedesktop.PolicyKit1.conf</include>
  <include>{policy}</include>
  {more}
</busconfig>
"""


def wait_until(condition, what, timeout=60.0, interval=0.01):
    """Returns the first true value of condition(); fails with `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s in vain: {what}")
        time.sleep(interval)


@contextlib.contextmanager
def effective_user(uid):
    """Runs the body with the effective uid and the group of the same number, so that sockets connected in it carry
    these."""
    groups = os.getgroups()
    os.setgroups([] if uid else groups)
    os.setegid(uid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


LAX_POLICY = '<policy context="mandatory"><allow send_destination="org.ktraced1"/></policy>'

MANY_CONNECTIONS = '<limit name="max_connections_per_user">1000</limit>'


class SystemBus:
    """dbus-daemon of type "system" with the D-Bus policy that the project ships. With `lax`, everybody may send
    anything to the daemon, so that only its own checks are left; with `many`, a user may have more connections than the
    256 that are usual. Ends with close()."""

    def __init__(self, folder, lax=False, many=False):
        self.folder = folder
        folder.chmod(0o755)
        config = folder / "bus.conf"
        more = (LAX_POLICY if lax else "") + (MANY_CONNECTIONS if many else "")
        config.write_text(BUS_CONFIG.format(folder=folder, policy=SOURCE / "dbus" / "org.ktraced1.conf", more=more))
        self.address = f"unix:path={folder}/bus"
        self.log = open(folder / "bus.log", "wb")
        self.process = subprocess.Popen(
            ["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile", "--nosyslog"],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
        )
        wait_until((folder / "bus").exists, f"dbus-daemon did not start, see {folder}/bus.log")
        # The socket is there before anyone listens.
        self.root = wait_until(self._try_connect, f"dbus-daemon does not listen, see {folder}/bus.log")
        self.sessions = set()
        self.root.signal_subscribe(
            "org.ktraced1",
            "org.ktraced1.Manager",
            "SessionNew",
            None,
            None,
            Gio.DBusSignalFlags.NONE,
            lambda _c, _s, _p, _i, _n, parameters: self.sessions.add(parameters.unpack()[0]),
        )

    def _try_connect(self):
        try:
            return self.connect(0)
        except GLib.Error as error:
            if not error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CONNECTION_REFUSED):
                raise
            return None

    def session_ids(self):
        """Ids of all sessions that there have been on this bus."""
        self.ask("GetId", "()")  # what was sent before is here by now
        context = GLib.MainContext.default()
        while context.iteration(False):
            pass
        return self.sessions

    def connect(self, uid=0):
        """A connection of its own for a user."""
        flags = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
        with effective_user(uid):
            connection = Gio.DBusConnection.new_for_address_sync(self.address, flags, None, None)
        connection.set_exit_on_close(False)
        return connection

    def environment(self, **more):
        return {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": self.address, **more}

    def ask(self, method, signature, *arguments):
        """Calls the bus driver."""
        return self.root.call_sync(
            "org.freedesktop.DBus",
            "/org/freedesktop/DBus",
            "org.freedesktop.DBus",
            method,
            GLib.Variant(signature, arguments),
            None,
            Gio.DBusCallFlags.NONE,
            5000,
            None,
        ).unpack()[0]

    def has_owner(self, name):
        return self.ask("NameHasOwner", "(s)", name)

    def wait_for_name(self, name, process=None):
        def there():
            if process is not None and process.poll() is not None:
                raise AssertionError(f"{process.args[0]} ended with {process.returncode} before it took {name}")
            return self.has_owner(name)

        wait_until(there, f"nobody took the name {name}")

    def close(self):
        self.root.close_sync(None)
        self.process.terminate()
        self.process.wait(10)
        self.log.close()


class RealPolkit:
    """Debian's polkitd on a private bus, with the actions that the project ships, the rules of the test and the groups
    (name -> member) that these speak of, and with `language` the project's translation, bind-mounted in a mount namespace of its own. Ends with close()."""

    def __init__(self, bus, folder, rule=None, groups=None, language=None):
        self.bus = bus
        actions = folder / "actions"
        rules = folder / "rules.d"
        shutil.copytree("/usr/share/polkit-1/actions", actions)
        shutil.copy(SOURCE / "dbus" / "org.ktraced1.policy", actions)
        rules.mkdir()
        if rule:
            (rules / "10-test.rules").write_text(rule)
        for path in [folder, actions, rules]:
            path.chmod(0o755)
        group_file = folder / "group"
        lines = [f"{name}:x:{60700 + n}:{member}\n" for n, (name, member) in enumerate((groups or {}).items())]
        group_file.write_text(pathlib.Path("/etc/group").read_text() + "".join(lines))
        locales = folder / "locale"
        locales.mkdir(mode=0o755)
        if language:
            catalog = locales / language / "LC_MESSAGES" / "ktraced.mo"
            catalog.parent.mkdir(parents=True)
            subprocess.run(["msgfmt", "-o", catalog, SOURCE / "po" / f"{language}.po"], check=True)
        script = (
            f"mount --bind {actions} /usr/share/polkit-1/actions && "
            f"mount --bind {rules} /etc/polkit-1/rules.d && "
            f"mount --bind {group_file} /etc/group && "
            f"mount --bind {locales} /usr/share/locale && "
            "exec /usr/lib/polkit-1/polkitd --no-debug"
        )
        self.log = open(folder / "polkitd.log", "wb")
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
            env=bus.environment(**({"LANGUAGE": language} if language else {})),
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
        )
        bus.wait_for_name("org.freedesktop.PolicyKit1", self.process)

    def close(self):
        self.process.terminate()
        self.process.wait(10)
        self.log.close()
