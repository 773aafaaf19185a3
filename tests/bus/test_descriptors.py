# SPDX-License-Identifier: LGPL-2.1-or-later
"""Descriptors of every kind in every place that takes one, found in the introspection data and in the table of a spec's
keys: only what is suitable is taken, nothing blocks, and none stays."""

import ctypes
import fcntl
import os
import select
import signal
import socket
import stat
import subprocess

import pytest
from gi.repository import GLib

from daemon import MANAGER, SESSION, BusError
from interfaces import described, spec_keys
from system_bus import wait_until

V = GLib.Variant
EVENTS = {"events": V("as", ["sched:sched_process_exit"])}
BAD_DESCRIPTOR = "org.ktraced1.Error.BadDescriptor"
LIBC = ctypes.CDLL(None, use_errno=True)
# Where a kernel lacks a kind, there is nothing to try.
SYS_MEMFD_SECRET = 447


def file(folder, name, flags, content=b""):
    path = folder / name
    path.write_bytes(content)
    return os.open(path, flags)


def fifo(folder, name, flags):
    os.mkfifo(folder / name)
    return os.open(folder / name, flags)


def memfd(seals=0, content=b""):
    fd = os.memfd_create("attack", os.MFD_ALLOW_SEALING)
    os.write(fd, content)
    if seals:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


def leased(folder):
    """Whoever opens it waits until the lease is given back, or for 45 seconds."""
    fd = file(folder, "leased", os.O_RDWR)
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    return fd


def locked(folder):
    fd = file(folder, "locked", os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    fcntl.lockf(fd, fcntl.LOCK_EX)
    return fd


def symlink(folder):
    os.symlink("/etc/passwd", folder / "link")
    return os.open(folder / "link", os.O_PATH | os.O_NOFOLLOW)


def listening():
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("\0ktraced-test-attack")
    listener.listen()
    return listener.detach()


def ended():
    child = subprocess.Popen(["true"])
    fd = os.pidfd_open(child.pid)
    child.wait()
    return fd


def epoll():
    with select.epoll() as instance:
        return os.dup(instance.fileno())


def secret():
    fd = LIBC.syscall(SYS_MEMFD_SECRET, 0)
    return fd if fd >= 0 else None


KINDS = {
    "a directory": lambda folder: os.open(folder, os.O_RDONLY),
    "a directory's path": lambda folder: os.open(folder, os.O_PATH | os.O_DIRECTORY),
    "the root directory": lambda folder: os.open("/", os.O_RDONLY),
    "null": lambda folder: os.open("/dev/null", os.O_RDWR),
    "zero": lambda folder: os.open("/dev/zero", os.O_RDWR),
    "full": lambda folder: os.open("/dev/full", os.O_RDWR),
    "a terminal": lambda folder: os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY),
    "a stream socket": lambda folder: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).detach(),
    "a datagram socket": lambda folder: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).detach(),
    "a listening socket": lambda folder: listening(),
    "a memfd": lambda folder: memfd(),
    "a memfd sealed against all": lambda folder: memfd(fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE),
    "a memfd sealed against growing": lambda folder: memfd(fcntl.F_SEAL_GROW),
    "a memfd with something in it": lambda folder: memfd(0, b"content"),
    "secret memory": lambda folder: secret(),
    "a path": lambda folder: file(folder, "path", os.O_PATH),
    "a symbolic link": symlink,
    "a file for reading": lambda folder: file(folder, "reading", os.O_RDONLY),
    "a file for writing": lambda folder: file(folder, "writing", os.O_WRONLY),
    "a file for appending": lambda folder: file(folder, "appending", os.O_RDWR | os.O_APPEND),
    "a file for direct writing": lambda folder: file(folder, "direct", os.O_RDWR | os.O_DIRECT),
    "a file": lambda folder: file(folder, "file", os.O_RDWR),
    "a file with something in it": lambda folder: file(folder, "content", os.O_RDWR, b"content"),
    "a file without a name": lambda folder: os.open(folder, os.O_RDWR | os.O_TMPFILE),
    "a file with a lease": leased,
    "a locked file": locked,
    "a FIFO nobody reads": lambda folder: fifo(folder, "fifo", os.O_RDWR),
    "the path of a FIFO": lambda folder: fifo(folder, "fifo-path", os.O_PATH),
    "a FIFO for reading": lambda folder: fifo(folder, "fifo-read", os.O_RDONLY | os.O_NONBLOCK),
    "a process": lambda folder: os.pidfd_open(os.getpid()),
    "a process that has ended": lambda folder: ended(),
    "a file of /proc": lambda folder: os.open("/proc/self/comm", os.O_RDWR),
    "a directory of /proc": lambda folder: os.open("/proc/self", os.O_RDONLY),
    "memory": lambda folder: os.open("/proc/self/mem", os.O_RDWR),
    "a namespace": lambda folder: os.open("/proc/self/ns/mnt", os.O_RDONLY),
    "an event counter": lambda folder: os.eventfd(0),
    "an epoll instance": lambda folder: epoll(),
}
# Of these each place may take some; what else is there is refused as such.
TAKEN = {
    "AddProcess": {"a process"},
    "pidfds": {"a process"},
    "output": {
        "a memfd",
        "a memfd sealed against growing",
        "a file",
        "a file without a name",
        "a file with a lease",
        "a locked file",
        "a file for direct writing",
    },
    # The kernel finds the file by itself, and whoever may define a probe may read all memory.
    "probe_files": set(KINDS),
}
# A session that is only made has not looked at the file yet but at what kind of descriptor it is.
TAKEN_UNSEEN = {kind for kind in KINDS if "file" in kind or "mem" in kind} - {
    "a file for reading",
    "a file for writing",
    "a file for appending",
}

MAKES = {"CreateSession", "StartSession"}
# At the content, too.
LOOKS = {"StartSession", "AddProcess"}


def places():
    """(interface, method, key of a spec or "") of all that take a descriptor."""
    found = []
    for interface, info in described().items():
        for method in info.methods:
            signatures = [argument.signature for argument in method.in_args]
            assert not any("h" in signature.replace("(h)", "") for signature in signatures if signature != "h"), method.name
            if "h" in signatures:
                found.append((interface, method.name, ""))
            if any(argument.name == "spec" for argument in method.in_args):
                found += [(interface, method.name, key) for key, kind in spec_keys().items() if "h" in kind]
    return found


def test_places_are_known():
    assert {key or method for _interface, method, key in places()} == set(TAKEN)


def call(root, interface, method, key, fd):
    """The name of the error, or None; the session that was made is gone again."""
    try:
        if interface == SESSION:
            (row,) = root.manager("ListSessions", timeout=10)
            root.session(row[5], method, "(h)", 0, fds=[fd], timeout=60)
            return None
        spec = dict(EVENTS) if method != "TryProbes" else {}
        spec[key] = V("h" if spec_keys()[key] == "h" else "ah", 0 if spec_keys()[key] == "h" else [0])
        if key == "probe_files" or method == "TryProbes":
            spec["probes"] = V("as", ["work=uprobe:@0:0x10"])
        arguments = described()[interface].lookup_method(method).in_args
        signature = "".join(argument.signature for argument in arguments)
        values = ["attack" if argument.signature == "s" else spec if argument.name == "spec" else {} for argument in arguments]
        reply = root.manager(method, f"({signature})", *values, fds=[fd], timeout=60)
        if method in MAKES:
            root.session(reply, "Remove")
    except BusError as error:
        assert "NoReply" not in error.name and "Timeout" not in error.name, error
        return error.name
    return None


@pytest.mark.parametrize("interface,method,key", places())
def test_each_kind(daemon, root, folder, interface, method, key):
    assert interface in (MANAGER, SESSION)
    place = folder / "kinds"
    place.mkdir()
    # What the daemon opens when it is first needed.
    root.session(root.start("first", EVENTS), "Remove")
    wait_until(lambda: not daemon.instances(), "the first instance stays", 60)
    there = 0
    if interface == SESSION:
        root.start("attacked", {**EVENTS, "pids": V("ai", [1])})
        there = 1
    fd = os.memfd_create("first")
    call(root, interface, method, key, fd)
    os.close(fd)
    wait_until(lambda: len(daemon.instances()) == there, "the first instance stays", 60)
    before = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
    for kind, make in KINDS.items():
        fd = make(place)
        if fd is None:
            continue
        print(kind)  # shown when it fails
        is_regular = stat.S_ISREG(os.fstat(fd).st_mode)
        name = call(root, interface, method, key, fd)
        if kind not in TAKEN[key or method] and not (method not in LOOKS and kind in TAKEN_UNSEEN):
            assert name is not None, f"{method} {key}: {kind} was taken"
        if key == "probe_files" and not is_regular:
            assert name == BAD_DESCRIPTOR, f"{kind}: {name}"
        # Others are served, and nothing of it is left.
        assert len(root.manager("ListSessions", timeout=10)) == there
        os.close(fd)
        wait_until(lambda: len(daemon.instances()) == there, f"{kind}: an instance stays", 60)
        # Two for what a worker has open for a moment: with one left by each kind there would be more.
        wait_until(lambda: len(os.listdir(f"/proc/{daemon.process.pid}/fd")) <= before + 2, f"{kind}: a descriptor stays", 60)
