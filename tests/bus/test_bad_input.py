# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bad input: each gets an error that names the offender, changes nothing, leaves nothing behind."""

import fcntl
import os
import pathlib
import socket

import pytest
from gi.repository import GLib

from daemon import MANAGER, ROOT, BusError

INVALID = "org.freedesktop.DBus.Error.InvalidArgs"
BAD_FILTER = "org.ktraced1.Error.BadFilter"
BAD_DESCRIPTOR = "org.ktraced1.Error.BadDescriptor"
NO_SUCH_EVENT = "org.ktraced1.Error.NoSuchEvent"
NO_SUCH_PROFILE = "org.ktraced1.Error.NoSuchProfile"
NO_SUCH_PROCESS = "org.ktraced1.Error.NoSuchProcess"

EVENTS = {"events": ["sched:sched_switch"]}


def refused(root, spec, name="bad", fds=()):
    """The error of StartSession, and of CreateSession, which must be the same; nothing may be left."""
    caught = []
    for method in [root.create, root.start]:
        with pytest.raises(BusError) as error:
            method(name, spec, fds=fds)
        caught.append(error.value)
    assert (caught[0].name, caught[0].message) == (caught[1].name, caught[1].message)
    assert root.daemon.instances() == set()
    assert root.manager("ListSessions") == []
    assert root.manager("ListCaptures", "(a{sv})", {}) == []
    return caught[0]


V = GLib.Variant

SPECS = [
    # what is wrong, spec, error, words that the message must have
    ("unknown event", {"events": ["sched:no_such_event"]}, NO_SUCH_EVENT, ["sched:no_such_event"]),
    ("unknown system", {"events": ["nosuch:*"]}, NO_SUCH_EVENT, ["nosuch:*"]),
    ("misspelt event", {"events": ["sched:sched_swich"]}, NO_SUCH_EVENT, ["sched:sched_swich", "sched_switch"]),
    ("one of many unknown", {"events": ["sched:sched_switch", "opennat"]}, NO_SUCH_EVENT, ["opennat"]),
    ("no events", {}, INVALID, ["event"]),
    ("empty events", {"events": V("as", [])}, INVALID, ["event"]),
    ("empty event", {"events": [""]}, INVALID, ["events"]),
    ("event with a slash", {"events": ["../../kprobes:x"]}, INVALID, ["../../kprobes:x"]),
    ("event with a control character", {"events": ["sched:\nx"]}, INVALID, ["events"]),
    ("event of 10 kB", {"events": ["x" * 10000]}, INVALID, ["events"]),
    ("10,000 events", {"events": [f"sched:e{n}" for n in range(10000)]}, INVALID, ["events", "1024"]),
    ("events of a wrong type", {"events": V("s", "sched")}, INVALID, ["events", "as"]),
    ("unknown key", {**EVENTS, "evnets": ["x"]}, INVALID, ["evnets"]),
    ("bad filter field", {**EVENTS, "filters": {"sched:sched_switch": "prev_pdi == 3"}}, BAD_FILTER, ["prev_pdi", "^"]),
    ("bad filter syntax", {**EVENTS, "filters": {"sched:sched_switch": "prev_pid == "}}, BAD_FILTER, ["prev_pid =="]),
    ("unbalanced filter", {**EVENTS, "filters": {"sched:sched_switch": "(prev_pid == 3"}}, BAD_FILTER, ["(prev_pid == 3"]),
    ("empty filter", {**EVENTS, "filters": {"sched:sched_switch": ""}}, None, ["sched:sched_switch"]),
    ("filter of 1 MB", {**EVENTS, "filters": {"sched:sched_switch": "prev_pid==1||" * 80000 + "prev_pid==1"}}, None, ["sched:sched_switch"]),
    ("filter with a newline", {**EVENTS, "filters": {"sched:sched_switch": "prev_pid == 1\n0"}}, None, ["sched:sched_switch"]),
    ("filter for an event that is not traced", {**EVENTS, "filters": {"irq:*": "irq == 1"}}, INVALID, ["irq:*"]),
    ("filters of a wrong type", {**EVENTS, "filters": ["x"]}, INVALID, ["filters", "a{ss}"]),
    ("pid 0", {**EVENTS, "pids": [0]}, INVALID, ["pids", "0"]),
    ("negative pid", {**EVENTS, "pids": [-5]}, INVALID, ["pids", "-5"]),
    ("pid that is not there", {**EVENTS, "pids": [4194304]}, NO_SUCH_PROCESS, ["4194304"]),
    ("5,000 pids", {**EVENTS, "pids": list(range(1, 5001))}, INVALID, ["pids", "4096"]),
    ("children of nobody", {**EVENTS, "children": True}, INVALID, ["children"]),
    ("children of a wrong type", {**EVENTS, "pids": [1], "children": V("s", "yes")}, INVALID, ["children"]),
    ("CPU that is not there", {**EVENTS, "cpus": "4000"}, INVALID, ["cpus", "4000"]),
    ("CPU list that is none", {**EVENTS, "cpus": "a-b"}, INVALID, ["cpus", "a-b"]),
    ("empty CPU list", {**EVENTS, "cpus": ""}, INVALID, ["cpus"]),
    ("reversed CPU range", {**EVENTS, "cpus": "1-0"}, INVALID, ["cpus", "1-0"]),
    ("unknown clock", {**EVENTS, "clock": "sundial"}, None, ["sundial"]),
    ("clock with a newline", {**EVENTS, "clock": "mono\nlocal"}, None, ["clock"]),
    ("buffer too small", {**EVENTS, "buffer_size": 1}, INVALID, ["buffer_size"]),
    ("buffer too large", {**EVENTS, "buffer_size": 1 << 60}, INVALID, ["buffer_size"]),
    ("buffer of words", {**EVENTS, "buffer_size": "lots"}, INVALID, ["buffer_size", "lots"]),
    ("buffer that overflows", {**EVENTS, "buffer_size": "99999999999999999999G"}, INVALID, ["buffer_size"]),
    ("buffer of a wrong type", {**EVENTS, "buffer_size": True}, INVALID, ["buffer_size"]),
    ("segment too small", {**EVENTS, "segment_size": 4096}, INVALID, ["segment_size"]),
    ("segment age of 1 usec", {**EVENTS, "segment_age": 1}, INVALID, ["segment_age"]),
    ("segments of a wrong type", {**EVENTS, "segments": "many"}, INVALID, ["segments"]),
    ("two million segments", {**EVENTS, "segments": 2000000}, INVALID, ["segments"]),
    ("duration of a hundred years", {**EVENTS, "duration": "100y"}, INVALID, ["duration"]),
    ("unknown option", {**EVENTS, "options": ["nosuchoption"]}, None, ["nosuchoption"]),
    ("option with a slash", {**EVENTS, "options": ["../tracing_on"]}, None, ["../tracing_on"]),
    ("unknown tracer", {"tracer": "functoin"}, INVALID, ["tracer", "functoin", "function"]),
    ("tracer with a slash", {"tracer": "../x"}, INVALID, ["tracer", "../x"]),
    ("tracer of a wrong type", {"tracer": ["function"]}, INVALID, ["tracer"]),
    ("nothing but nop", {"tracer": "nop"}, INVALID, ["events", "tracer"]),
    ("every function", {"tracer": "function"}, INVALID, ["tracer", "all_functions"]),
    ("functions without a tracer", {**EVENTS, "functions": ["vfs_read"]}, INVALID, ["functions", "tracer"]),
    ("functions with nop", {**EVENTS, "tracer": "nop", "functions_notrace": ["vfs_read"]}, INVALID, ["functions_notrace"]),
    ("function with a command", {"tracer": "function", "functions": ["vfs_read:traceoff"]}, INVALID, ["functions", "vfs_read:traceoff", "^"]),
    ("function with a line break", {"tracer": "function", "functions": ["vfs_read\n!vfs_read"]}, INVALID, ["functions", "^"]),
    ("function that is a position", {"tracer": "function", "functions": ["1"]}, INVALID, ["functions", "digit"]),
    ("empty function", {"tracer": "function", "functions": [""]}, INVALID, ["functions"]),
    ("5,000 functions", {"tracer": "function", "functions": ["x"] * 5000}, INVALID, ["functions", "4096"]),
    ("65 globs", {"tracer": "function", "functions": ["x*"] * 65}, INVALID, ["functions", "64"]),
    ("graph functions of another tracer", {"tracer": "function", "functions": ["vfs_read"], "graph_functions": ["vfs_read"]}, INVALID, ["graph_functions", "function_graph"]),
    ("graph function of a module", {"tracer": "function_graph", "graph_functions": ["*:mod:ext4"]}, INVALID, ["graph_functions", "*:mod:ext4"]),
    ("graph depth out of range", {"tracer": "function_graph", "functions": ["vfs_read"], "graph_depth": 51}, INVALID, ["graph_depth", "50"]),
    ("stacks of all functions", {"tracer": "function", "all_functions": True, "function_stacks": True}, INVALID, ["function_stacks"]),
    ("option that a key decides", {**EVENTS, "options": ["func_stack_trace"]}, INVALID, ["func_stack_trace", "function_stacks"]),
    ("histogram without keys", {"histograms": ["sched:sched_switch vals=prev_pid"]}, INVALID, ["histograms", "keys= is missing", "^"]),
    ("histogram with an unknown action", {"histograms": ["a:b keys=c:onfoo(c.d).trace(e,f)"]}, INVALID, ["histograms", "onmatch()", "^"]),
    ("histogram that takes the snapshot buffer", {"histograms": ["a:b keys=c:x=d:onmax($x).snapshot()"]}, INVALID, ["histograms", "snapshot", "^"]),
    ("histogram with an unknown variable", {"histograms": ["a:b keys=c:x=d-$ts0"]}, INVALID, ["histograms", "ts0", "^"]),
    ("histogram with a name for all", {"histograms": ["a:b keys=c:name=mine"]}, INVALID, ["histograms", "other sessions", "^"]),
    ("histogram of 10 kB", {"histograms": ["a:b keys=" + "c" * 10000]}, INVALID, ["histograms", "1024"]),
    ("action with no such event", {"histograms": ["a:b keys=c:onmatch(d.e).trace(wakeup,c)"]}, INVALID, ["histograms", "wakeup", "^"]),
    ("action with too few values", {"synthetic_events": ["w u64 lat; pid_t pid"], "histograms": ["a:b keys=c:onmatch(d.e).w(c)"]}, INVALID, ["2 fields", "1 values", "^"]),
    ("synthetic event of no histogram", {**EVENTS, "synthetic_events": ["w u64 lat"]}, INVALID, ["synthetic_events", '"w"', "onmatch"]),
    ("synthetic event of a wrong type", {**EVENTS, "synthetic_events": ["w u65 lat"]}, INVALID, ["synthetic_events", "u8 to u64", "^"]),
    ("synthetic event without fields", {**EVENTS, "synthetic_events": ["w"]}, INVALID, ["synthetic_events", "missing", "^"]),
    ("two synthetic events of a name", {**EVENTS, "synthetic_events": ["w u64 lat", "w u8 x"]}, INVALID, ["synthetic_events", '"w"']),
    ("synthetic event with a line break", {**EVENTS, "synthetic_events": ["w u64 lat\n-:x"]}, INVALID, ["synthetic_events", "control character"]),
    ("synthetic event called as a query", {"sql": ["w=SELECT a"], "synthetic_events": ["w u64 lat"]}, INVALID, ["synthetic_events", '"w"']),
    ("200 synthetic events", {**EVENTS, "synthetic_events": [f"w{n} u64 lat" for n in range(200)]}, INVALID, ["synthetic_events", "128"]),
    ("synthetic events as text", {**EVENTS, "synthetic_events": "w u64 lat"}, INVALID, ["synthetic_events", "as"]),
    ("unknown profile", {"profile": "nosuchprofile"}, NO_SUCH_PROFILE, ["nosuchprofile"]),
    ("profile that is a path", {"profile": "../../etc/passwd"}, None, ["../../etc/passwd"]),
    ("attached of a wrong type", {**EVENTS, "attached": V("s", "x")}, INVALID, ["attached"]),
    ("output that is no descriptor", {**EVENTS, "output": "/tmp/x"}, INVALID, ["output"]),
]


@pytest.mark.parametrize("spec,name,words", [row[1:] for row in SPECS], ids=[row[0] for row in SPECS])
def test_bad_spec(root, spec, name, words):
    error = refused(root, spec)
    assert name is None or error.name == name, error
    assert error.name.startswith(("org.ktraced1.Error.", "org.freedesktop.DBus.Error.InvalidArgs")), error
    for word in words:
        assert word in error.message, error
    assert len(error.message) < 10000, "a message that quotes a megabyte helps nobody"


def test_same_key_twice(root):
    """GLib does not mind repeated keys in a{sv}."""
    entries = V.parse(None, "[{'events', <['sched:sched_switch']>}, {'events', <['irq']>}]", None, None)
    with pytest.raises(BusError) as caught:
        root.call(ROOT, MANAGER, "CreateSession", V.new_tuple(V("s", "twice"), entries))
    assert caught.value.name == INVALID and "events" in caught.value.message


@pytest.mark.parametrize("name", ["a\nb", "a\x01b", "../up", "a/b", ".hidden", "x" * 300, "-option", "\u202eevil", "with space\t"])
def test_bad_session_name(root, name):
    error = refused(root, EVENTS, name=name)
    assert error.name == INVALID and "name" in error.message.lower(), error
    assert not any(ord(c) < 32 for c in error.message), "the message must be safe to print on a terminal"


@pytest.mark.parametrize("method,error", [("GetSession", "NoSuchSession"), ("GetCapture", "NoSuchCapture"), ("DescribeProfile", "NoSuchProfile"), ("DescribeEvent", "NoSuchEvent")])
@pytest.mark.parametrize("argument", ["nosuch", "", "../../etc", "x" * 100000, "a\nb"])
def test_bad_name_in_queries(root, method, error, argument):
    with pytest.raises(BusError) as caught:
        root.manager(method, "(s)", argument)
    assert caught.value.name in (f"org.ktraced1.Error.{error}", INVALID), caught.value
    assert len(caught.value.message) < 10000


@pytest.mark.parametrize("argument", ["a/b", "x" * 100000, ":::", "a\nb"])
def test_bad_glob(root, argument):
    try:
        assert root.manager("ListEvents", "(s)", argument) == []
    except BusError as error:
        assert error.name == INVALID


def descriptors(folder):
    """Descriptors that are no output file: what, fd."""
    path = folder / "file"
    path.write_bytes(b"")
    reader, writer = os.pipe()
    pair = socket.socketpair()
    yield "a pipe", writer
    yield "the reading end", reader
    yield "a socket", pair[0].detach()
    os.close(pair[1].detach())
    yield "a directory", os.open(folder, os.O_RDONLY)
    yield "a device", os.open("/dev/null", os.O_RDWR)
    yield "a file for reading only", os.open(path, os.O_RDONLY)
    yield "a file for writing only", os.open(path, os.O_WRONLY)
    yield "a path", os.open(path, os.O_PATH)
    yield "an append-only file", os.open(path, os.O_RDWR | os.O_APPEND)
    yield "a process", os.pidfd_open(os.getpid())


def test_output_of_the_wrong_kind(root, folder):
    for what, fd in descriptors(folder):
        print(what)  # shown when it is not refused
        error = refused(root, {**EVENTS, "output": V("h", 0)}, fds=[fd])
        os.close(fd)
        assert error.name == BAD_DESCRIPTOR, f"{what}: {error}"
        assert "output" in error.message, f"{what}: {error}"


def unsuitable_files(folder):
    """Regular files of the right access mode that only a closer look, which a start takes, tells apart."""
    full = folder / "full"
    full.write_bytes(b"something")
    yield "a file that is not empty", os.open(full, os.O_RDWR)
    yield "a file in /proc", os.open("/proc/self/comm", os.O_RDWR)


def test_output_that_is_unsuitable(root, folder):
    comm = pathlib.Path("/proc/self/comm").read_text()
    for what, fd in unsuitable_files(folder):
        print(what)
        with pytest.raises(BusError) as caught:
            root.start("bad", {**EVENTS, "output": V("h", 0)}, fds=[fd])
        os.close(fd)
        assert caught.value.name == BAD_DESCRIPTOR and "output" in caught.value.message, f"{what}: {caught.value}"
        assert root.daemon.instances() == set() and root.manager("ListSessions") == []
    assert (folder / "full").read_bytes() == b"something"
    assert pathlib.Path("/proc/self/comm").read_text() == comm


def test_output_excludes_rotation(root, folder):
    fd = os.open(folder / "out", os.O_RDWR | os.O_CREAT)
    for key, value in [("segment_size", "1M"), ("segment_age", "1s"), ("segments", 3)]:
        error = refused(root, {**EVENTS, "output": V("h", 0), key: value}, fds=[fd])
        assert error.name == INVALID and "output" in error.message and key in error.message, error
    os.close(fd)


def test_pidfds_of_the_wrong_kind(root, folder):
    path = folder / "file"
    path.write_bytes(b"")
    for fd in [os.open(path, os.O_RDONLY), os.open("/dev/null", os.O_RDONLY), os.open("/proc/self", os.O_RDONLY)]:
        error = refused(root, {**EVENTS, "pidfds": V("ah", [0])}, fds=[fd])
        assert error.name == BAD_DESCRIPTOR and "pidfds" in error.message, error
        session = root.start("takes-processes", {**EVENTS, "pids": [1]})
        with pytest.raises(BusError) as caught:
            root.session(session, "AddProcess", "(h)", 0, fds=[fd])
        assert caught.value.name == BAD_DESCRIPTOR, caught.value
        root.session(session, "Remove")
        for row in root.manager("ListCaptures", "(a{sv})", {}):
            root.capture(row[10], "Delete")
        os.close(fd)


def test_process_that_has_ended(root):
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    fd = os.pidfd_open(pid)
    os.waitpid(pid, 0)
    error = refused(root, {**EVENTS, "pidfds": V("ah", [0])}, fds=[fd])
    assert error.name == NO_SUCH_PROCESS, error
    os.close(fd)


def test_add_process_to_a_session_of_all(root):
    session = root.start("all", {"events": ["sched:sched_process_exit"]})
    fd = os.pidfd_open(os.getpid())
    with pytest.raises(BusError) as caught:
        root.session(session, "AddProcess", "(h)", 0, fds=[fd])
    assert caught.value.name == "org.ktraced1.Error.WrongState"
    os.close(fd)


def test_segment_that_is_not_there(root):
    session = root.start("one-segment", {"events": ["sched:sched_process_exit"]})
    capture = root.capture_of(session)
    for number in [2, 77, 0xFFFFFFFF]:
        with pytest.raises(BusError) as caught:
            root.capture(capture, "Open", "(u)", number)
        assert caught.value.name == "org.ktraced1.Error.NoSuchSegment" and str(number) in caught.value.message
    with pytest.raises(BusError) as caught:
        root.capture(capture, "Delete")
    assert caught.value.name == "org.ktraced1.Error.Busy", "it is being written"


def test_open_gives_no_way_to_write(root):
    session = root.start("readonly", {"events": ["sched:sched_process_exit"]})
    capture = root.capture_of(session)
    root.wait_for_segment(capture)
    fd = root.capture(capture, "Open", "(u)", 0)
    assert fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
    with pytest.raises(OSError):
        os.write(fd, b"x")
    os.close(fd)


def test_wrong_signature_is_refused(root):
    with pytest.raises(BusError) as caught:
        root.manager("StartSession", "(s)", "x")
    assert caught.value.name == INVALID


@pytest.mark.settings(sessions_per_user_max=2, sessions_max=3)
def test_session_quotas(polkit, root, nobody):
    nobody.create("1", EVENTS)
    nobody.create("2", EVENTS)
    with pytest.raises(BusError) as caught:
        nobody.create("3", EVENTS)
    assert caught.value.name == "org.ktraced1.Error.QuotaExceeded" and "2" in caught.value.message
    root.create("3", EVENTS)
    with pytest.raises(BusError) as caught:
        root.create("4", EVENTS)
    assert caught.value.name == "org.ktraced1.Error.QuotaExceeded" and "3" in caught.value.message


@pytest.mark.settings(buffer_memory_max="64M")
def test_buffer_memory_quota(root):
    session = root.create("large", {**EVENTS, "buffer_size": "1G"})
    with pytest.raises(BusError) as caught:
        root.session(session, "Start")
    assert caught.value.name == "org.ktraced1.Error.QuotaExceeded" and "64" in caught.value.message
    assert root.daemon.instances() == set() and root.describe(session)["state"] in ("created", "failed")


@pytest.mark.parametrize("pattern", ["vfs_read:traceoff", "!vfs_read", "a b", "1", "x" * 300, ":mod:", "vfs_[a"])
def test_bad_function_pattern(root, pattern):
    with pytest.raises(BusError) as caught:
        root.manager("ListFunctions", "(su)", pattern, 0)
    assert caught.value.name == INVALID, caught.value
