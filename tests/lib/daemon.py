# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemon under test, and a client of it."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading

from gi.repository import Gio, GLib

from system_bus import SOURCE, wait_until

BUILD = pathlib.Path(os.environ.get("KTRACED_BUILD_DIR", SOURCE / "build-test"))
KTRACED = BUILD / "daemon" / "ktraced"
KTRACECTL = BUILD / "client" / "ktracectl"
WRITER = BUILD / "tests" / "lib" / "writer"
INSTANCES = pathlib.Path("/sys/kernel/tracing/instances")
NAME = "org.ktraced1"
ROOT = "/org/ktraced1"
MANAGER = "org.ktraced1.Manager"
SESSION = "org.ktraced1.Session"
CAPTURE = "org.ktraced1.Capture"
NOBODY = 65534

# Exit status 66 tells a sanitizer's finding from an ordinary failure.
SANITIZERS = {
    # A damaged file can make libtracecmd ask for gigabytes. Malloc then promises them, but AddressSanitizer goes through them.
    "ASAN_OPTIONS": "exitcode=66:detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1:"
    "allocator_may_return_null=1:max_allocation_size_mb=1024",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=66",
}


class BusError(Exception):
    """An error reply."""

    def __init__(self, error):
        self.name = Gio.DBusError.get_remote_error(error) or error.message
        Gio.DBusError.strip_remote_error(error)
        self.message = error.message
        super().__init__(f"{self.name}: {self.message}")


class Client:
    """A connection to the bus (or to an embedded daemon) of some user, with calls in short form."""

    def __init__(self, connection, name=NAME, daemon=None):
        self.connection = connection
        self.name = name
        self.daemon = daemon

    def call(self, path, interface, method, parameters=None, fds=(), interactive=False, timeout=60.0):
        """The unpacked reply: None, the value, or a tuple of values. Handles are replaced by descriptors."""
        flags = Gio.DBusCallFlags.NO_AUTO_START
        if interactive:
            flags |= Gio.DBusCallFlags.ALLOW_INTERACTIVE_AUTHORIZATION
        fd_list = Gio.UnixFDList.new()
        for fd in fds:
            fd_list.append(fd)
        try:
            reply, out = self.connection.call_with_unix_fd_list_sync(
                self.name, path, interface, method, parameters, None, flags, int(timeout * 1000), fd_list, None
            )
        except GLib.Error as error:
            raise BusError(error) from None
        values = reply.unpack()
        if reply.get_type_string() == "(h)":
            values = (out.get(values[0]),)
        return values[0] if len(values) == 1 else values or None

    def manager(self, method, signature=None, *arguments, **more):
        return self.call(ROOT, MANAGER, method, signature and GLib.Variant(signature, arguments), **more)

    def session(self, path, method, signature=None, *arguments, **more):
        return self.call(path, SESSION, method, signature and GLib.Variant(signature, arguments), **more)

    def capture(self, path, method, signature=None, *arguments, **more):
        return self.call(path, CAPTURE, method, signature and GLib.Variant(signature, arguments), **more)

    def start(self, name="", spec=None, **more):
        """StartSession; the values of `spec` are turned into variants by variants()."""
        return self.manager("StartSession", "(sa{sv})", name, variants(spec or {}), **more)

    def create(self, name="", spec=None, **more):
        return self.manager("CreateSession", "(sa{sv})", name, variants(spec or {}), **more)

    def get(self, path, interface, name):
        parameters = GLib.Variant("(ss)", (interface, name))
        return self.call(path, "org.freedesktop.DBus.Properties", "Get", parameters)

    def describe(self, path, interface=None):
        """The JSON of Describe, parsed."""
        if interface is None:
            interface = CAPTURE if path.startswith("/org/ktraced1/capture/") else SESSION
        return json.loads(self.call(path, interface, "Describe"))

    def capture_of(self, session):
        path = self.get(session, SESSION, "Capture")
        assert path.startswith("/org/ktraced1/capture/"), path
        return path

    def segments(self, capture):
        """Numbers of the segments of a capture that there are."""
        return [segment["number"] for segment in self.describe(capture)["segments"]]

    def wait_for_segment(self, capture):
        """Until the first segment is there, which is once its head is written, shortly after the start's answer."""

        def there():
            try:
                os.close(self.capture(capture, "Open", "(u)", 0))
            except BusError as error:
                assert error.name == "org.ktraced1.Error.NoSuchSegment", error
                return False
            return True

        wait_until(there, "the first segment does not appear")

    def save_segment(self, capture, number, path):
        """Copies a segment out of the daemon, holes and all; the size of the file."""
        fd = self.capture(capture, "Open", "(u)", number)
        with os.fdopen(fd, "rb") as source, open(path, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
        return path

    def save_all(self, capture, folder):
        folder.mkdir(exist_ok=True)
        return [self.save_segment(capture, n, folder / f"{n:06}.dat") for n in self.segments(capture)]

    def close(self):
        self.connection.close_sync(None)


def instances_of(bus):
    """Names of the kernel instances of the daemons that are or were on a bus, and of their watches."""
    return {path.name for session in bus.session_ids() for path in INSTANCES.glob(f"ktraced-{session}*")}


def variants(spec):
    """A Python dict as a{sv}: GLib.Variant values as they are, the others by the key's usual type."""

    def variant(value):
        if isinstance(value, GLib.Variant):
            return value
        if isinstance(value, bool):
            return GLib.Variant("b", value)
        if isinstance(value, int):
            return GLib.Variant("t", value)
        if isinstance(value, str):
            return GLib.Variant("s", value)
        if isinstance(value, dict):
            return GLib.Variant("a{ss}", value)
        if value and isinstance(value[0], int):
            return GLib.Variant("ai", value)
        return GLib.Variant("as", value)

    return {key: variant(value) for key, value in spec.items()}


class NotifySocket:
    """What the daemon tells the service manager."""

    def __init__(self, path):
        self.path = path
        self.messages = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while data := self._socket.recv(65536):
            self.messages += data.decode().splitlines()

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"", str(self.path))
        self._thread.join(10)
        self._socket.close()


class Daemon:
    """ktraced from the build directory, on a private bus, with a store of its own. Ends with stop().

    `settings` is a dict that becomes the settings file; `command` is what executes the daemon. Everything it writes to stderr is in `log`."""

    def __init__(self, bus, folder, settings=None, arguments=(), environment=None, wait=True, command=()):
        self.bus = bus
        self.folder = folder
        self.store = folder / "captures"
        self.settings_file = folder / "ktraced.json"
        self.profiles = folder / "profiles"
        self.profiles.mkdir(exist_ok=True)
        self.settings_file.write_text(json.dumps(settings or {}))
        self.log_file = folder / "ktraced.log"
        number = len(list(folder.glob("notify-*")))
        self.notify = NotifySocket(folder / f"notify-{number}")
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                [*command, KTRACED, *self.arguments(), *arguments],
                env=bus.environment(**{"NOTIFY_SOCKET": str(self.notify.path), **SANITIZERS, **(environment or {})}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        if wait:
            try:
                bus.wait_for_name(NAME, self.process)
                wait_until(lambda: "READY=1" in self.notify.messages, "the daemon did not say READY=1")
            except AssertionError as error:
                self.kill()
                raise AssertionError(f"{error}\n{self.log}") from None

    def arguments(self):
        return [
            f"--store={self.store}",
            f"--state={self.store.parent / 'state'}",
            f"--runtime={self.store.parent / 'runtime'}",
            f"--settings={self.settings_file}",
            f"--profiles={self.profiles}",
            f"--profiles={SOURCE / 'profiles'}",
        ]

    @property
    def log(self):
        return self.log_file.read_text(errors="replace")

    def client(self, uid=0):
        return Client(self.bus.connect(uid), daemon=self)

    def instances(self):
        """Names of its kernel instances; those of other daemons may be there beside them."""
        return instances_of(self.bus)

    def kill(self):
        """As a crash would end it."""
        self.process.kill()
        self.process.wait(10)
        self.notify.close()

    def stop(self, expected=0):
        """SIGTERM; fails unless it ends cleanly and no sanitizer found anything."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(90)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"the daemon did not end within 90 s of SIGTERM:\n{self.log}") from None
        self.notify.close()
        self.check_log()
        assert self.process.returncode == expected, f"the daemon ended with {self.process.returncode}:\n{self.log}"

    def check_log(self):
        log = self.log
        for word in ["AddressSanitizer", "LeakSanitizer", "ThreadSanitizer", "runtime error:"]:
            assert word not in log, f"{word} in the daemon's log:\n{log}"


class Writer:
    """tests/lib/writer.c as a process of some user; see there. Ends with close()."""

    def __init__(self, *arguments, uid=0):
        self.process = subprocess.Popen(
            [reachable(WRITER), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            user=uid,
            group=uid,
        )
        self.pid = self.process.pid
        assert self.process.stdout.readline() == b"ready\n"

    def go(self):
        """One chunk; returns when it is done."""
        self.process.stdin.write(b"g")
        line = self.process.stdout.readline()
        assert line == b"done\n", line

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait(10) == 0


_reachable = {}


def reachable(program):
    """A path of the program that any user can execute, also when the build directory is below /root."""
    program = pathlib.Path(program)
    if all(parent.stat().st_mode & 0o001 for parent in program.parents):
        return program
    if program not in _reachable:
        import atexit
        import tempfile

        folder = pathlib.Path(tempfile.mkdtemp(prefix="ktraced-test-"))
        folder.chmod(0o755)
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        _reachable[program] = pathlib.Path(shutil.copy(program, folder))
    return _reachable[program]


def ktracectl(*arguments, bus=None, uid=0, timeout=60, **more):
    """Runs ktracectl to its end; the subprocess.CompletedProcess with text output."""
    environment = bus.environment(**SANITIZERS) if bus else {**os.environ, **SANITIZERS}
    done = subprocess.run(
        [reachable(KTRACECTL), *map(str, arguments)],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        user=uid,
        group=uid,
        extra_groups=[],
        timeout=timeout,
        check=False,
        **more,
    )
    for word in ["AddressSanitizer", "LeakSanitizer", "runtime error:"]:
        assert word not in done.stderr, done.stderr
    return done
