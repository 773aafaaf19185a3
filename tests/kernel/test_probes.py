# SPDX-License-Identifier: LGPL-2.1-or-later
"""Probes on programs: exact numbers, exact values, and nothing that stays in the kernel."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest
from gi.repository import GLib

from daemon import BUILD, BusError, Writer, reachable
from system_bus import wait_until
from trace_file import events, validate

PROBED = BUILD / "tests" / "lib" / "probed"
CALLS = 10000
TRACING = pathlib.Path("/sys/kernel/tracing")


def offset_of(program, symbol="probed_function"):
    """Of a function in the file: by nm(1) and readelf(1), not by our own reader."""
    nm = subprocess.run(["nm", program], capture_output=True, text=True, check=True).stdout
    address = int(re.search(rf"^([0-9a-f]+) T {symbol}$", nm, re.M)[1], 16)
    for line in subprocess.run(["readelf", "-lW", program], capture_output=True, text=True, check=True).stdout.splitlines():
        if match := re.match(r"\s+LOAD\s+0x(\w+) 0x(\w+) 0x\w+ 0x(\w+)", line):
            start, virtual, size = (int(number, 16) for number in match.groups())
            if virtual <= address < virtual + size:
                return address - virtual + start
    raise AssertionError(f"{symbol} is in no segment")


class Probed(Writer):
    def __init__(self, program, calls):
        self.process = subprocess.Popen(
            [reachable(program), str(calls)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self.pid = self.process.pid
        assert self.process.stdout.readline() == b"ready\n"


@pytest.fixture
def probed():
    started = []

    def start(calls=CALLS, program=PROBED):
        started.append(Probed(program, calls))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def start(root):
    """Starts a session with probes on PROBED: definitions have {at} where the function is."""

    def start(name, *definitions, client=root, program=PROBED, **more):
        at = f"@0:0x{offset_of(program):x}"
        spec = {"probes": [one.format(at=at) for one in definitions], "probe_files": GLib.Variant("ah", [0]), **more}
        fd = os.open(program, os.O_RDONLY)
        try:
            return client.start(name, spec, fds=[fd])
        finally:
            os.close(fd)

    return start


def ours():
    """The probes of our daemons that are in the kernel."""
    return [line for line in (TRACING / "dynamic_events").read_text().splitlines() if ":ktraced_" in line]


@pytest.fixture(autouse=True)
def no_residue():
    before = ours()
    yield
    assert ours() == before


def recorded(root, session, folder):
    root.session(session, "Stop")
    (path,) = root.save_all(root.capture_of(session), folder)
    validate(path)
    return events(path)


def test_every_call_with_its_arguments(root, start, probed, folder):
    program = probed()
    session = start("calls", "work=uprobe:{at} number=%di:s64 text=+0(%si):string", buffer_size="8M")
    program.go()
    found = [event for event in recorded(root, session, folder / "1") if event.name == "work"]
    assert len(found) == CALLS
    assert {event.pid for event in found} == {program.pid}
    assert [int(re.search(r"number=(-?\d+)", event.text)[1]) for event in found] == list(range(CALLS))
    assert all('text="a text"' in event.text for event in found)


def test_every_return_with_its_value(root, start, probed, folder):
    program = probed()
    session = start("returns", "back=uretprobe:{at} value=$retval:s64", buffer_size="8M")
    program.go()
    found = [event for event in recorded(root, session, folder / "1") if event.name == "back"]
    assert [int(re.search(r"value=(-?\d+)", event.text)[1]) for event in found] == [3 * i for i in range(CALLS)]


def test_filter_of_a_probe(root, start, probed, folder):
    program = probed()
    session = start("filtered", "work=uprobe:{at} number=%di:s64", filters={"work": "number < 10"})
    program.go()
    assert len([event for event in recorded(root, session, folder / "1") if event.name == "work"]) == 10


def test_only_some_processes(root, start, probed, folder):
    chosen, other = probed(100), probed(100)
    session = start("some", "work=uprobe:{at}", pids=[chosen.pid])
    chosen.go()
    other.go()
    found = [event for event in recorded(root, session, folder / "1") if event.name == "work"]
    assert len(found) == 100 and {event.pid for event in found} == {chosen.pid}


def test_starting_again(root, start, probed, folder):
    program = probed(10)
    session = start("twice", "work=uprobe:{at}")
    root.session(session, "Stop")
    assert ours() == []
    root.session(session, "Start")
    program.go()
    assert len([event for event in recorded(root, session, folder / "1") if event.name == "work"]) == 10


def test_in_a_ring(root, start, probed, folder):
    program = probed(100)
    session = start("ring", "work=uprobe:{at} number=%di:s64", mode="ring")
    program.go()
    (path,) = root.save_all(root.session(session, "Snapshot", "(a{sv})", {}), folder / "1")
    assert [int(event.text.rpartition("=")[2]) for event in events(path) if event.name == "work"] == list(range(100))


def test_two_sessions_with_the_same_name(root, nobody, polkit, start, probed, folder):
    program = probed(500)
    first = start("one", "work=uprobe:{at} number=%di:s64")
    second = start("one", "work=uprobe:{at}", client=nobody)
    program.go()
    for client, session, field in [(root, first, True), (nobody, second, False)]:
        found = [event for event in recorded(client, session, folder / str(field)) if event.name == "work"]
        assert len(found) == 500
        assert all(("number=" in event.text) == field for event in found)


def test_others_see_no_probe_of_a_session(root, start):
    start("one", "work=uprobe:{at}")
    assert len(ours()) == 1
    assert [event for event in root.manager("ListEvents", "(s)", "") if "ktraced_" in event or event.endswith(":work")] == []
    with pytest.raises(BusError, match="No event is called"):
        root.start("two", {"events": ["work"]})


def test_no_pattern_of_others_takes_a_probe(root, start, probed, folder):
    program = probed(10)
    spec = {"events": ["*:sys_enter_write"], "pids": [program.pid]}
    sessions = [root.start("before", spec)]
    start("one", "sys_enter_write=uprobe:{at}")
    sessions.append(root.start("after", spec))
    program.go()
    for number, session in enumerate(sessions):
        found = recorded(root, session, folder / str(number))
        # "done", and no call of the function.
        assert len(found) == 1 and "fd:" in found[0].text


@pytest.mark.parametrize("mode", ["stream", "ring"])
def test_end_of_a_session_takes_nothing_from_others(root, start, probed, folder, mode):
    """The kernel clears buffers when it removes an event that was enabled there."""
    program = probed(1000)
    session = start("goes-on", "work=uprobe:{at}", mode=mode, buffer_size="1M")
    program.go()
    other = start("ends", "work=uprobe:{at}", events=["sched:sched_process_exit"])
    root.session(other, "Remove")
    if mode == "ring":
        (path,) = root.save_all(root.session(session, "Snapshot", "(a{sv})", {}), folder / "1")
        found = events(path)
    else:
        found = recorded(root, session, folder / "1")
    assert len([event for event in found if event.name == "work"]) == 1000


def test_probe_that_another_tool_uses(root, start):
    session = start("one", "work=uprobe:{at}")
    (line,) = ours()
    group = re.match(r"p:(ktraced_\w+)/work ", line)[1]
    other = TRACING / "instances" / f"other-{os.getpid()}"
    other.mkdir()
    try:
        (other / "events" / group / "work" / "enable").write_text("1")
        root.session(session, "Remove")
        assert ours() == [line]
    finally:
        (other / "events" / group / "work" / "enable").write_text("0")
        other.rmdir()
    start("two", "work=uprobe:{at}")
    assert line not in ours() and len(ours()) == 1


def test_probes_beside_events(root, start, probed, folder):
    program = probed(10)
    session = start("both", "work=uprobe:{at}", events=["syscalls:sys_enter_write"], pids=[program.pid])
    program.go()
    names = {event.name for event in recorded(root, session, folder / "1")}
    assert {"work", "sys_enter_write"} <= names


def test_event_probe(root, writer, folder):
    program = writer(100)
    spec = {"probes": ["mine=eprobe:syscalls:sys_enter_write where=$fd:u32 size=$count:u64"], "pids": [program.pid]}
    try:
        session = root.start("eprobe", spec)
    except BusError as error:
        assert "it may be built without CONFIG_EPROBE_EVENTS" in error.message
        pytest.skip("this kernel has no event probes")
    program.go()
    found = [event for event in recorded(root, session, folder / "1") if event.name == "mine"]
    assert len([event for event in found if "where=9" in event.text]) == 100


def test_a_killed_daemon_leaves_none(start, daemon, start_daemon):
    start("one", "work=uprobe:{at}")
    assert len(ours()) == 1
    daemon.kill()
    start_daemon()
    wait_until(lambda: not ours(), "the probe is still there")


def test_file_that_is_replaced(root, start, probed, folder):
    """What was opened is probed, whatever the path means later."""
    copy = folder / "program"
    shutil.copy(reachable(PROBED), copy)
    program = probed(50, copy)
    session = start("replaced", "work=uprobe:{at}", program=copy)
    copy.unlink()
    copy.write_text("something else")
    program.go()
    assert len([event for event in recorded(root, session, folder / "1") if event.name == "work"]) == 50


@pytest.mark.parametrize(
    "definition, text",
    [
        ("work=uprobe:@1:0x1000", 'Probe "work" is for file @1, but there are only 1'),
        ("uprobe:/bin/bash:readline", "A file is named by its number in probe_files"),
        ("work=probe:@0:0x1", "A probe begins with kprobe:"),
        ("work=uprobe:{at} x=%nosuch", "There is no such register"),
        ("work=uprobe:{at} x=%di:u7", "There is no such type"),
        ("work=uprobe:{at} x=+8(%di", "')' is missing"),
        ("work=uprobe:{at} x=$retval", "$retval is for return probes only"),
        ("two words=uprobe:{at}", "A probe begins with"),
        ("9x=uprobe:{at}", "The name of a probe is made of"),
        ("work=eprobe:no_such:event", "the kernel has no event no_such/event"),
    ],
)
def test_bad_definitions(root, start, definition, text):
    with pytest.raises(BusError, match=re.escape(text)):
        start("bad", definition)
    assert root.manager("ListSessions") == []


def test_positions_are_marked(start):
    with pytest.raises(BusError) as caught:
        start("bad", "work=uprobe:@0:0x1159 good=%di bad=%nosuch")
    lines = caught.value.message.splitlines()
    assert lines[-2][lines[-1].index("^") :].startswith("%nosuch")


def test_two_of_one_name(start):
    with pytest.raises(BusError, match='Two probes are called "work"'):
        start("bad", "work=uprobe:{at}", "work=uretprobe:{at}")


def test_bad_filter_of_a_probe(start):
    with pytest.raises(BusError, match="filters: work"):
        start("bad", "work=uprobe:{at} number=%di:s64", filters={"work": "nubmer < 10"})


def test_the_kernels_words(start):
    """An offset that is no place in the file."""
    with pytest.raises(BusError, match='The kernel refused (the probe "work"|to enable the probes)'):
        start("bad", "work=uprobe:@0:0x7fffffff")


def test_kernel_without_kprobes(root):
    if (TRACING / "kprobe_events").exists():
        pytest.skip("this kernel has kprobes")
    with pytest.raises(BusError) as caught:
        root.start("bad", {"probes": ["kprobe:vfs_read"]})
    assert caught.value.name == "org.ktraced1.Error.NotSupportedByKernel"
    assert "CONFIG_KPROBE_EVENTS" in caught.value.message


@pytest.mark.parametrize("kind", ["directory", "device", "fifo", "write-only", "path"])
def test_wrong_descriptors(root, folder, kind):
    file = folder / "file"
    file.write_text("x")
    if kind == "directory":
        fd = os.open(folder, os.O_RDONLY)
    elif kind == "device":
        fd = os.open("/dev/null", os.O_RDWR)
    elif kind == "fifo":
        fd, other = os.pipe()
        os.close(other)
    elif kind == "write-only":
        fd = os.open(file, os.O_WRONLY)
    else:
        fd = os.open(file, os.O_PATH)
    try:
        with pytest.raises(BusError, match="probe_files: @0"):
            root.start("bad", {"probes": ["work=uprobe:@0:0x10"], "probe_files": GLib.Variant("ah", [0])}, fds=[fd])
    finally:
        os.close(fd)


def test_polkit_decides(polkit, nobody, start):
    polkit.actions = {"org.ktraced1.define-probes": "no"}
    with pytest.raises(BusError, match="[Nn]ot authorized|denied"):
        start("denied", "work=uprobe:{at} number=%di:s64", client=nobody)
    polkit.actions = {}
    polkit.forget()
    start("allowed", "work=uprobe:{at} number=%di:s64", client=nobody)
    assert all(check.details["probe_files"] == str(PROBED) for check in polkit.checks)
    assert {check.action for check in polkit.checks} == {"org.ktraced1.trace-system", "org.ktraced1.define-probes"}
    assert "work=uprobe:@0:0x" in polkit.checks[0].details["probes"]


def try_probes(client, definitions, more=None):
    """With a descriptor of PROBED."""
    spec = {"probes": GLib.Variant("as", definitions), "probe_files": GLib.Variant("ah", [0]), **(more or {})}
    fd = os.open(PROBED, os.O_RDONLY)
    try:
        return json.loads(client.manager("TryProbes", "(a{sv})", spec, fds=[fd]))["probes"]
    finally:
        os.close(fd)


def test_trying(root):
    (one,) = try_probes(root, [f"work=uprobe:@0:0x{offset_of(PROBED):x} number=%di:s64"])
    assert one["name"] == "work" and one["fields"][-1]["name"] == "number"
    assert root.manager("ListSessions") == []


@pytest.mark.parametrize(
    "definitions, more, text",
    [
        ([], {}, "probes: at least one is needed"),
        (["work=uprobe:@0:0x10"], {"events": GLib.Variant("as", ["sched:*"])}, "events: probes are tried without it"),
        (["work=uprobe:@0:0x10"], {"tracer": GLib.Variant("s", "function")}, "tracer: probes are tried without it"),
        (["work=uprobe:@1:0x10"], {}, 'Probe "work" is for file @1'),
        (["work=uprobe:@0:0x7fffffff"], {}, "The kernel refused"),
        (["work=uprobe:@0:0x10 x=%di"], {"filters": GLib.Variant("a{ss}", {"work": "y == 1"})}, "filters: work"),
    ],
)
def test_trying_what_is_wrong(root, definitions, more, text):
    with pytest.raises(BusError, match=re.escape(text)):
        try_probes(root, definitions, more)


def test_trying_takes_the_powers_of_defining(polkit, nobody):
    polkit.actions = {"org.ktraced1.define-probes": "no"}
    with pytest.raises(BusError, match="[Nn]ot authorized|denied"):
        try_probes(nobody, ["work=uprobe:@0:0x10"])
    polkit.actions = {}
    assert try_probes(nobody, ["work=uprobe:@0:0x10"])[0]["name"] == "work"
