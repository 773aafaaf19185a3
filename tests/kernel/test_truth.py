# SPDX-License-Identifier: LGPL-2.1-or-later
"""The exact truth: what a program did is what the capture says, no more and no less, as trace-cmd counts it."""

import os
import signal
import subprocess
import threading
import time

import pytest
from gi.repository import GLib

from daemon import INSTANCES, KTRACECTL, SANITIZERS, BusError, ktracectl
from system_bus import wait_until
from trace_file import count, events, trace_cmd, validate

WRITES = 300000


def writes_of(files, pid):
    """The writer's own calls: those to its descriptor 9."""
    return count(files, "sys_enter_write", pid, "fd: 0x00000009")


def test_300000_writes_over_20_rotations(root, writer, folder):
    program = writer(WRITES, WRITES // 25)
    session = root.start("truth", {"events": ["syscalls:sys_enter_write"], "pids": [program.pid], "buffer_size": "16M"})
    for _ in range(25):
        program.go()
        root.session(session, "Rotate")
    root.session(session, "Stop")
    capture = root.capture_of(session)
    files = root.save_all(capture, folder / "segments")
    assert len(files) >= 21
    for path in files:
        validate(path)
    assert writes_of(files, program.pid) == WRITES
    about = root.describe(capture)
    assert about["lost"] == 0
    # The 25 "done" lines are write calls as well.
    assert about["events"] == WRITES + 25 == sum(segment["events"] for segment in about["segments"])


def test_rotation_in_full_flight(root, writer, folder):
    """Rotation at any moment of a running load neither loses nor repeats an event."""
    program = writer(WRITES)
    session = root.start("flight", {"events": ["syscalls:sys_enter_write"], "pids": [program.pid], "buffer_size": "32M"})
    thread = threading.Thread(target=program.go)
    thread.start()
    rotations = 0
    while thread.is_alive() or rotations < 20:
        root.session(session, "Rotate")
        rotations += 1
    thread.join()
    root.session(session, "Stop")
    files = root.save_all(root.capture_of(session), folder / "segments")
    assert rotations >= 20
    assert writes_of(files, program.pid) == WRITES
    times = [[event.seconds for event in events(path)] for path in files]
    for earlier, later in zip([t for t in times if t], [t for t in times if t][1:]):
        assert earlier[-1] <= later[0], "a segment ends before the next one begins"


def test_rotation_by_size(root, writer, folder):
    program = writer(WRITES)
    spec = {"events": ["syscalls:sys_enter_write"], "pids": [program.pid], "buffer_size": "32M", "segment_size": "512k"}
    session = root.start("size", spec)
    program.go()
    root.session(session, "Stop")
    capture = root.capture_of(session)
    files = root.save_all(capture, folder / "segments")
    about = root.describe(capture)
    assert len(files) >= 20 and len(files) == len(about["segments"])
    assert writes_of(files, program.pid) == WRITES
    for path in files:
        validate(path)
        # What the format's tables take comes on top of the recorded pages.
        assert path.stat().st_size < 4 << 20
    recorded = about["bytes"]
    pages = sum(segment["events"] for segment in about["segments"]) * 32
    assert recorded < pages * 3


def test_rotation_by_age_and_number_kept(root, writer, folder):
    program = writer(60000, 2000)
    spec = {"events": ["syscalls:sys_enter_write"], "pids": [program.pid], "segment_age": "1s", "segments": 2}
    session = root.start("age", spec)
    begin = time.monotonic()
    for _ in range(30):
        program.go()
        time.sleep(0.25)
    root.session(session, "Stop")
    most = time.monotonic() - begin + 2
    capture = root.capture_of(session)
    about = root.describe(capture)
    numbers = [segment["number"] for segment in about["segments"]]
    assert len(numbers) == 2 and numbers[1] == numbers[0] + 1 and 3 <= numbers[1] <= most
    assert about["segments_dropped"] == numbers[0] - 1
    files = root.save_all(capture, folder / "segments")
    assert 0 < writes_of(files, program.pid) < 60000
    assert sorted(path.name for path in (root.daemon.store / about["id"]).iterdir()) == [
        "capture.json",
        *(f"trace-{number:06}.dat" for number in numbers),
    ]
    with pytest.raises(BusError) as caught:
        root.capture(capture, "Open", "(u)", 1)
    assert caught.value.name == "org.ktraced1.Error.NoSuchSegment"


def test_two_sessions_at_once_have_each_exactly_their_own(root, writer, folder):
    """One after another joins the same events, and each has what happened while it ran."""
    program = writer(50000, 10000)
    spec = {"events": ["syscalls:sys_enter_write"], "buffer_size": "16M"}
    first = root.start("first", spec)
    program.go()
    second = root.start("second", spec)
    assert root.describe(first)["instance"] == root.describe(second)["instance"], "equal specs share a source"
    program.go()
    program.go()
    root.session(first, "Stop")
    program.go()
    root.session(second, "Stop")
    program.go()
    for session, chunks in [(first, 3), (second, 3)]:
        files = root.save_all(root.capture_of(session), folder / session.rsplit("/", 1)[1])
        for path in files:
            validate(path)
        assert writes_of(files, program.pid) == chunks * 10000


def test_valid_at_any_moment(root, writer, folder):
    program = writer(WRITES)
    session = root.start("moments", {"events": ["syscalls", "sched"], "buffer_size": "16M"})
    thread = threading.Thread(target=program.go)
    thread.start()
    capture = root.capture_of(session)
    root.wait_for_segment(capture)
    for moment in range(10):
        path = root.save_segment(capture, 0, folder / f"{moment}.dat")
        validate(path)
        if moment == 4:
            root.session(session, "Rotate")
    thread.join()
    # What is recorded is in the file within about a second, while the session goes on.
    more = writer(20000)
    more.go()
    wait_until(
        lambda: b"sys_enter" in root.save_segment(capture, 0, folder / "later.dat").read_bytes()
        and trace_cmd("report", "-i", folder / "later.dat").stdout.count("sys_enter_write") > 1000,
        "the open segment stays empty",
        interval=0.5,
    )
    root.session(session, "Stop")


def test_kill_9_leaves_valid_captures(start_daemon, writer, folder):
    daemon = start_daemon()
    root = daemon.client(0)
    program = writer(WRITES, WRITES // 10)
    session = root.start("killed", {"events": ["syscalls:sys_enter_write"], "pids": [program.pid], "buffer_size": "16M"})
    capture_id = root.describe(root.capture_of(session))["id"]
    for _ in range(5):
        program.go()
        root.session(session, "Rotate")
    program.go()
    files = sorted((daemon.store / capture_id).glob("trace-*.dat"))
    assert len(files) == 6
    # The pages are in the file and the table is up to date after a second, if the machine lets the daemon work.
    wanted = range(WRITES * 6 // 10 - 2 * 200, WRITES * 6 // 10 + 1)
    wait_until(lambda: writes_of(files, program.pid) in wanted, "what was recorded is not in the files", interval=0.5)
    daemon.kill()
    for path in files:
        validate(path)
    kept = writes_of(files, program.pid)
    # The last page of each CPU was still in the kernel.
    assert WRITES * 6 // 10 - 2 * 200 <= kept <= WRITES * 6 // 10

    daemon = start_daemon()  # the fixture's check that no instance is left is the other half of this test
    root = daemon.client(0)
    rows = root.manager("ListCaptures", "(a{sv})", {})
    assert [(row[0], row[4]) for row in rows] == [(capture_id, "interrupted")]
    files = root.save_all(rows[0][10], folder / "segments")
    for path in files:
        validate(path)
    assert writes_of(files, program.pid) == kept
    about = root.describe(rows[0][10])
    assert about["events"] == sum(segment["events"] for segment in about["segments"])
    root.capture(rows[0][10], "Delete")
    assert not (daemon.store / capture_id).exists()


def test_kill_9_of_daemon_and_traced_program_in_full_flight(start_daemon, writer):
    daemon = start_daemon()
    root = daemon.client(0)
    program = writer(WRITES * 10)
    session = root.start("flight", {"events": ["syscalls"], "segment_size": "1M"})
    program.process.stdin.write(b"g")
    wait_until(lambda: len(root.segments(root.capture_of(session))) >= 3, "no rotation")
    daemon.kill()
    program.process.send_signal(signal.SIGKILL)
    program.process.wait()
    files = sorted(daemon.store.glob("*/trace-*.dat"))
    assert len(files) >= 3
    for path in files:
        validate(path)
    start_daemon()


def is_traced(pid):
    """Whether an instance follows this process and records."""
    for instance in INSTANCES.glob("ktraced-*"):
        try:
            if str(pid) in (instance / "set_event_pid").read_text().split():
                return (instance / "tracing_on").read_text() == "1\n"
        except OSError:
            pass  # another's, that has just gone
    return False


def test_embedded_records_exactly(writer, folder):
    program = writer(WRITES)
    output = folder / "embedded.dat"
    client = subprocess.Popen(
        [KTRACECTL, "--embedded", "record", "-e", "syscalls:sys_enter_write", "-P", str(program.pid), "-b", "32M", "-o", output],
        env={**os.environ, **SANITIZERS},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: is_traced(program.pid), "recording did not start")
    program.go()
    client.send_signal(signal.SIGINT)
    _, text = client.communicate(timeout=60)
    assert client.returncode == 0, text
    assert "Sanitizer" not in text, text
    validate(output)
    assert writes_of([output], program.pid) == WRITES


def test_embedded_command_of_the_issue(folder):
    output = folder / "t.dat"
    done = ktracectl("--embedded", "record", "-e", "sched_switch", "-e", "syscalls", "-o", output, "--", "ls", "/")
    assert done.returncode == 0, done.stderr
    assert "etc" in done.stdout
    validate(output)
    found = events(output)
    names = {event.name for event in found}
    assert "sched_switch" in names and "sys_enter_write" in names
    assert any(event.comm == "ls" for event in found)


def test_output_is_written_into_the_callers_file(root, writer, folder):
    program = writer(WRITES)
    path = folder / "mine.dat"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    spec = {
        "events": ["syscalls:sys_enter_write"],
        "pids": [program.pid],
        "buffer_size": "32M",
        "output": GLib.Variant("h", 0),
    }
    session = root.start("mine", spec, fds=[fd])
    program.go()
    root.session(session, "Stop")
    validate(path)
    assert writes_of([path], program.pid) == WRITES
    capture = root.capture_of(session)
    about = root.describe(capture)
    assert about["external"] is True and about["lost"] == 0
    assert root.manager("ListCaptures", "(a{sv})", {}) == [] or about["id"] in [
        row[0] for row in root.manager("ListCaptures", "(a{sv})", {})
    ]
    # Bytes on disk: at most 1.05 for each byte recorded, plus the tables.
    assert path.stat().st_blocks * 512 <= about["bytes"] * 1.05 + (4 << 20)
    os.close(fd)
