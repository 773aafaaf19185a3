# SPDX-License-Identifier: LGPL-2.1-or-later
"""Closed segments become smaller in the background, and nobody who reads them can tell."""

import hashlib
import json
import os
import pathlib
import subprocess

import pytest

from daemon import ktracectl
from system_bus import wait_until
from trace_file import count, report, validate

CHUNK = 20000
WRITES = 3 * CHUNK


def recorded(root, program, name="zipped"):
    """A capture of three segments with the writer's calls."""
    session = root.start(name, {"events": ["syscalls:sys_enter_write"], "pids": [program.pid], "buffer_size": "16M"})
    for number in range(3):
        program.go()
        if number < 2:
            root.session(session, "Rotate")
    root.session(session, "Stop")
    return root.capture_of(session)


def compressed(root, capture):
    """Waits until the segments are through; returns the description."""

    def through():
        about = root.describe(capture)
        segments = about["segments"]
        return about if segments and all(segment["raw_bytes"] and segment.get("sha256") for segment in segments) else None

    return wait_until(through, "the segments are not compressed", timeout=60)


def store(folder):
    (path,) = [path for path in folder.rglob("captures") if path.is_dir()]
    return path


def check_files(root, capture, about, folder):
    """What is on disk is what the metadata say, and holds every event."""
    (directory,) = store(folder).glob(about["id"])
    names = {f"trace-{segment['number']:06}.dat" for segment in about["segments"]} | {"capture.json"}
    # The metadata are written once more, at last.
    wait_until(lambda: {path.name for path in directory.iterdir()} == names, "the capture's directory has others")
    for segment in about["segments"]:
        path = directory / f"trace-{segment['number']:06}.dat"
        assert path.stat().st_size == segment["bytes"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == segment["sha256"]
        validate(path)
    assert about["bytes"] == sum(segment["bytes"] for segment in about["segments"])
    (row,) = [row for row in root.manager("ListCaptures", "(a{sv})", {}) if row[0] == about["id"]]
    assert row[6] == about["bytes"]


def test_every_segment_is_compressed(root, writer, folder, bus):
    program = writer(WRITES, CHUNK)
    capture = recorded(root, program)
    about = compressed(root, capture)
    assert len(about["segments"]) == 3
    for segment in about["segments"]:
        assert segment["raw_bytes"] > 4 * segment["bytes"]
        assert segment["ratio"] == pytest.approx(segment["raw_bytes"] / segment["bytes"], abs=0.01)
        assert segment["compress_usec"] > 0
    check_files(root, capture, about, folder)
    files = root.save_all(capture, folder / "segments")
    assert count(files, "sys_enter_write", program.pid, "fd: 0x00000009") == WRITES
    # Our own report, through the descriptors that the daemon hands out.
    done = ktracectl("report", about["id"], bus=bus)
    assert done.returncode == 0, done.stderr
    assert sum("sys_enter_write" in line and "fd: 0x00000009" in line for line in done.stdout.splitlines()) == WRITES
    shown = ktracectl("capture", "show", about["id"], bus=bus).stdout
    assert f"ratio {about['segments'][0]['ratio']:.2f}" in shown
    (listed,) = json.loads(ktracectl("--json=short", "capture", "list", bus=bus).stdout)
    total = sum(segment["raw_bytes"] for segment in about["segments"])
    assert listed["bytes"] == about["bytes"]
    assert listed["ratio"] == pytest.approx(total / about["bytes"], abs=0.01)


@pytest.mark.settings(captures_compress=False)
def test_the_settings_can_forbid_it(root, writer, folder, daemon, start_daemon, bus):
    program = writer(WRITES, CHUNK)
    capture = recorded(root, program)
    wait_until(lambda: all(s.get("sha256") for s in root.describe(capture)["segments"]), "no digests", timeout=60)
    about = root.describe(capture)
    assert all(segment["raw_bytes"] == 0 and "ratio" not in segment for segment in about["segments"])
    (listed,) = json.loads(ktracectl("--json=short", "capture", "list", bus=bus).stdout)
    assert listed["ratio"] == 1
    before = [report(path) for path in root.save_all(capture, folder / "raw")]
    daemon.stop()

    # A daemon that may, takes what it finds.
    second = start_daemon()
    client = second.client(0)
    try:
        about = compressed(client, capture)
        check_files(client, capture, about, folder)
        assert [report(path) for path in client.save_all(capture, folder / "compressed")] == before
    finally:
        client.close()


def test_segments_of_a_running_session(root, writer, folder, daemon, start_daemon):
    """Closed ones are compressed while the next is recorded. A crash then leaves the pump's metadata, which know
    nothing of it."""
    program = writer(WRITES, CHUNK)
    session = root.start("long", {"events": ["syscalls:sys_enter_write"], "pids": [program.pid], "buffer_size": "16M"})
    for _ in range(2):
        program.go()
        root.session(session, "Rotate")
    capture = root.capture_of(session)
    about = wait_until(
        lambda: (a := root.describe(capture)) and sum(s["raw_bytes"] > 0 for s in a["segments"]) == 2 and a,
        "closed segments are not compressed while the session runs",
        timeout=60,
    )
    assert about["state"] == "active"
    program.go()
    root.session(session, "Rotate")
    daemon.kill()

    second = start_daemon()
    client = second.client(0)
    try:
        about = compressed_or_empty(client, capture)
        assert about["state"] == "interrupted"
        files = client.save_all(capture, folder / "segments")
        for path in files:
            validate(path)
        assert count(files, "sys_enter_write", program.pid, "fd: 0x00000009") == WRITES
        check_files(client, capture, about, folder)
    finally:
        client.close()


def compressed_or_empty(root, capture):
    """The same for a capture whose last segment may be nothing but a head."""

    def through():
        about = root.describe(capture)
        return about if all(segment.get("sha256") for segment in about["segments"]) else None

    return wait_until(through, "the segments have no digests", timeout=60)


def test_who_reads_goes_on_reading(root, writer, folder):
    program = writer(WRITES, CHUNK)
    session = root.start("read", {"events": ["syscalls:sys_enter_write"], "pids": [program.pid], "buffer_size": "16M"})
    program.go()
    capture = root.capture_of(session)
    root.wait_for_segment(capture)
    # The very file that is recorded into, from before it was closed.
    with os.fdopen(root.capture(capture, "Open", "(u)", 1), "rb") as opened:
        root.session(session, "Stop")
        about = compressed(root, capture)
        assert os.fstat(opened.fileno()).st_nlink == 0
        copy = folder / "copy.dat"
        copy.write_bytes(opened.read())
    assert copy.stat().st_size == about["segments"][0]["raw_bytes"]
    assert count([copy], "sys_enter_write", program.pid, "fd: 0x00000009") == CHUNK


def test_a_dropped_segment_stays_away(root, writer, folder):
    """With a limit on segments the oldest goes while it may just be compressed."""
    program = writer(WRITES, CHUNK // 20)
    spec = {"events": ["syscalls:sys_enter_write"], "pids": [program.pid], "buffer_size": "16M", "segments": 2}
    session = root.start("dropped", spec)
    for _ in range(WRITES // (CHUNK // 20)):
        program.go()
        root.session(session, "Rotate")
    root.session(session, "Stop")
    capture = root.capture_of(session)
    about = compressed_or_empty(root, capture)
    assert len(about["segments"]) == 2
    check_files(root, capture, about, folder)


def test_deletion_does_not_wait(root, writer, folder):
    program = writer(WRITES, CHUNK)
    capture = recorded(root, program)
    root.capture(capture, "Delete")
    assert root.manager("ListCaptures", "(a{sv})", {}) == []
    wait_until(lambda: list(store(folder).iterdir()) == [], "something is left of a deleted capture")


def test_the_worker_is_idle(root, daemon):
    """SCHED_IDLE, and the idle class of I/O: as the kernel says."""
    (tid,) = [
        int(path.name)
        for path in pathlib.Path(f"/proc/{daemon.process.pid}/task").iterdir()
        if (path / "comm").read_text().strip() == "kt-digest"
    ]
    assert os.sched_getscheduler(tid) == os.SCHED_IDLE
    assert subprocess.run(["ionice", "-p", str(tid)], capture_output=True, text=True, check=True).stdout.strip() == "idle"


@pytest.mark.settings(captures_max_use=2 << 20)
def test_what_is_saved_makes_room(root, writer):
    """Sizes count as they are on disk: all captures stay, of which not half would fit uncompressed."""
    program = writer(10 * CHUNK, CHUNK)
    spec = {"events": ["syscalls:sys_enter_write"], "pids": [program.pid], "mode": "ring", "ring_size": "256K"}
    session = root.start("ring", spec)
    raw = 0
    for _ in range(10):
        program.go()
        capture = root.session(session, "Snapshot", "(a{sv})", {})
        about = compressed(root, capture)
        assert about["bytes"] == sum(segment["bytes"] for segment in about["segments"])
        raw += sum(segment["raw_bytes"] for segment in about["segments"])
    rows = root.manager("ListCaptures", "(a{sv})", {})
    assert len(rows) == 10
    assert sum(row[6] for row in rows) <= 2 << 20 < raw / 2
