# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sessions that keep what they record in the kernel's buffer, and the snapshots that are made of it."""

import contextlib
import os
import pathlib
import re
import subprocess
import threading
import time

import pytest

from daemon import BusError, variants
from system_bus import wait_until
from trace_file import count, report, validate

CPUS = os.sysconf("SC_NPROCESSORS_CONF")
INSTANCES = pathlib.Path("/sys/kernel/tracing/instances")
# For measuring: 60.
IDLE_SECONDS = float(os.environ.get("KTRACED_IDLE_SECONDS", "3"))


def ring(root, name="ring", size="4M", **more):
    spec = {"events": ["syscalls:sys_enter_write"], "mode": "ring", "ring_size": size}
    return root.start(name, {**spec, **more})


def snapshot(root, session, **options):
    return root.session(session, "Snapshot", "(a{sv})", variants(options))


def saved(root, capture, folder):
    """The one segment of a snapshot, checked."""
    (path,) = root.save_all(capture, folder)
    validate(path)
    return path


def writes(path, pid):
    return count([path], "sys_enter_write", pid, "fd: 0x00000009")


def test_snapshots_hold_the_whole_window(root, writer, folder):
    """Each has what the ring holds, also what the one before has drained; nothing is missing or there twice."""
    program = writer(2500, 500)
    session = ring(root, pids=[program.pid])
    expected = 0
    for number in range(5):
        program.go()
        expected += 500
        path = saved(root, capture := snapshot(root, session), folder / str(number))
        assert writes(path, program.pid) == expected
        # The "done" lines are write calls, too.
        assert root.describe(capture)["events"] == expected + number + 1 == count([path], "sys_enter_write", program.pid)
    assert root.describe(session)["state"] == "active"
    root.session(session, "Stop")
    assert len(root.manager("ListCaptures", "(a{sv})", {})) == 5


def test_metadata_of_a_snapshot(root):
    session = ring(root)
    about = root.describe(snapshot(root, session, reason="disk was slow"))
    assert about["state"] == "complete"
    assert about["reason"] == "disk was slow"
    assert about["session_id"] == root.describe(session)["id"]
    assert about["lost"] == 0
    assert len(about["segments"]) == 1
    assert root.describe(session)["mode"] == "ring"
    assert root.describe(session)["capture"] == about["id"]


def held(root, session):
    """Seconds that the ring reaches back."""
    return root.describe(session)["ring"]["held"] / 1e6


def test_a_ring_says_what_it_holds(root, writer):
    """All since the start while nothing was overwritten, then less; and as much after a snapshot as before it."""
    program = writer(100000)
    begin = time.monotonic()
    session = ring(root, size=f"{CPUS * 256}K", pids=[program.pid])
    started = time.monotonic()
    ring_status = root.describe(session)["ring"]
    assert ring_status["capacity"] >= CPUS * 256 << 10
    assert ring_status["fill"] < ring_status["capacity"] / 10
    # Snapshots do not make it less.
    snapshot(root, session)
    time.sleep(1)
    least, now, most = time.monotonic() - started, held(root, session), time.monotonic() - begin
    assert least - 0.1 <= now <= most + 0.1
    program.go()
    before = root.describe(session)["ring"]
    # The writer may not have been on all CPUs; the buffer of the one where it was last is full.
    assert before["fill"] > 256 << 9
    assert before["held"] / 1e6 < time.monotonic() - begin - 0.5
    taken = time.monotonic()
    snapshot(root, session)
    after = root.describe(session)["ring"]
    waited = (time.monotonic() - taken) * 1e6
    assert after["fill"] >= before["fill"] * 0.9
    assert before["held"] * 0.8 <= after["held"] <= before["held"] + waited + 100000


def test_a_clock_that_counts_no_time(root):
    session = ring(root, clock="counter")
    status = root.describe(session)["ring"]
    assert "held" not in status
    assert status["fill"] <= status["capacity"]


def test_only_an_active_ring_says_what_it_holds(root):
    session = ring(root)
    stream = root.start("stream", {"events": ["sched:sched_switch"]})
    assert "ring" in root.describe(session)
    assert "ring" not in root.describe(stream)
    root.session(session, "Stop")
    assert "ring" not in root.describe(session)


class Marks(threading.Thread):
    """Writes numbered lines into the trace of an instance, one every 100 microseconds or so."""

    def __init__(self, instance):
        super().__init__()
        self.last = 0
        self.goes_on = True
        self.fd = os.open(INSTANCES / instance / "trace_marker", os.O_WRONLY)

    def run(self):
        # The buffers of two CPUs need not reach back equally far.
        os.sched_setaffinity(0, {0})
        while self.goes_on:
            os.write(self.fd, b"mark %d" % (self.last + 1))
            self.last += 1
            time.sleep(0.0001)

    def end(self):
        self.goes_on = False
        self.join()
        os.close(self.fd)


def marks_in(path):
    return [int(number) for number in re.findall(r"print: .*mark (\d+)", report(path))]


@pytest.fixture
def load():
    """A process for each CPU that writes at full speed."""
    running = [subprocess.Popen(["dd", "if=/dev/zero", "of=/dev/null", "bs=1"], stderr=subprocess.DEVNULL) for _ in range(CPUS)]
    yield running
    for process in running:
        process.kill()
        process.wait()


def snapshots_of_marks(root, folder):
    """Four snapshots while marks are written: the last mark before each, the marks in it, and how much it lost."""
    session = ring(root, size=f"{CPUS * 4}M")
    marks = Marks(root.describe(session)["instance"])
    marks.start()
    try:
        time.sleep(1)
        taken = [(marks.last, snapshot(root, session))]
        for _ in range(3):
            time.sleep(0.05)
            taken.append((marks.last, snapshot(root, session)))
    finally:
        marks.end()
    root.session(session, "Remove")
    return [
        (before, marks_in(saved(root, capture, folder / capture.rpartition("/")[2])), root.describe(capture)["lost"])
        for before, capture in taken
    ]


def test_snapshots_under_full_load(root, load, folder):
    """Recording goes on: a snapshot has every mark between its oldest and its newest page, and so has the next. Where
    the rest of the machine keeps the daemon from the CPU for so long that the load goes round the ring, there is a gap,
    and the snapshot says that it lost events; then it is tried again."""
    for _ in range(4):
        whole = True
        for before, seen, lost in snapshots_of_marks(root, folder):
            assert seen == sorted(set(seen)), "a mark is there twice"
            assert seen[-1] >= before
            if seen != list(range(seen[0], seen[-1] + 1)):
                assert lost, "there is a gap, and nobody says so"
                whole = False
        if whole:
            return
    pytest.fail("none of four times did the snapshots have every mark")


def test_the_oldest_is_overwritten(root, writer, folder):
    program = writer(300000)
    session = ring(root, size=f"{CPUS * 128}K", pids=[program.pid])
    program.go()
    first = writes(saved(root, snapshot(root, session), folder / "1"), program.pid)
    again = writes(saved(root, snapshot(root, session), folder / "2"), program.pid)
    assert 1000 < first < 300000
    assert again >= first * 0.95, "the second one holds as much as the first"


def switches(pid):
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        total += sum(int(n) for n in re.findall(r"ctxt_switches:\s+(\d+)", (task / "status").read_text()))
    return total


def is_sanitized(pid):
    return "libasan" in pathlib.Path(f"/proc/{pid}/maps").read_text()


def test_an_idle_ring_wakes_nobody(root, daemon):
    """Nor does the daemon need much memory, but for what a sanitizer adds."""
    pid = daemon.process.pid
    root.start("recorder", {"profile": "flight-recorder"})
    time.sleep(1)
    before = switches(pid)
    time.sleep(IDLE_SECONDS)
    n_switches = switches(pid) - before
    (resident,) = re.findall(r"VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text())
    print(f"in {IDLE_SECONDS:g} s {n_switches} context switches; {resident} KiB resident")
    assert n_switches == 0
    assert int(resident) < 8 << 10 or is_sanitized(pid)


@pytest.fixture
def small_disk(folder):
    """The store of the daemon, on a file system of its own with 6 MiB."""
    store = folder / "daemon" / "captures"
    store.mkdir(parents=True, mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6M,mode=700", "ktraced-test", store], check=True)
    yield store
    subprocess.run(["umount", "--lazy", store], check=True)


@pytest.mark.settings(captures_keep_free=0, captures_max_use=0)
def test_a_full_disk(small_disk, root, daemon, writer, folder):
    """Recording goes on, what is there stays whole, it is said what happened, and snapshots work again with room."""
    program = writer(1000, 500)
    session = ring(root, size=f"{CPUS}M", pids=[program.pid])
    program.go()
    first = snapshot(root, session)
    ballast = small_disk / "ballast"
    with open(ballast, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    with pytest.raises(BusError, match="No space left on device"):
        snapshot(root, session)
    assert root.describe(session)["state"] == "active"
    assert "Snapshot failed: " in daemon.log and "No space left on device" in daemon.log
    ballast.unlink()
    assert writes(saved(root, first, folder / "1"), program.pid) == 500
    program.go()
    assert writes(saved(root, snapshot(root, session), folder / "2"), program.pid) >= 500
    states = sorted(row[4] for row in root.manager("ListCaptures", "(a{sv})", {}))
    assert states.count("complete") == 2 and set(states) <= {"complete", "failed"}


def test_snapshot_after_a_while(root, writer, folder):
    program = writer(1000, 500)
    session = ring(root, pids=[program.pid])
    result = []
    thread = threading.Thread(target=lambda: result.append(snapshot(root, session, after="3s")))
    program.go()
    thread.start()
    time.sleep(0.3)
    program.go()
    thread.join()
    assert writes(saved(root, result[0], folder / "1"), program.pid) == 1000


def test_stop_takes_the_snapshot_that_waits(root, daemon):
    session = ring(root)
    other = daemon.client(0)
    result = []
    thread = threading.Thread(target=lambda: result.append(snapshot(other, session, after="1min")))
    thread.start()
    time.sleep(0.5)
    assert thread.is_alive()
    root.session(session, "Stop")
    thread.join()
    other.close()
    assert root.describe(result[0])["state"] == "complete"


@pytest.mark.parametrize(
    "options, text",
    [
        ({"raeson": "x"}, 'Unknown key "raeson"'),
        ({"reason": 5}, "reason: of type"),
        ({"reason": "x" * 257}, "reason: longer than 256 bytes"),
        ({"reason": "a\nb"}, "reason: empty, or not printable"),
        ({"journal": "x"}, "journal: of type s, wanted is as"),
        ({"journal": ["x"] * 33}, "journal: more than 32 lines"),
        ({"journal": ["x" * 513]}, "journal: a line is longer than 512 bytes, or not printable"),
        ({"journal": ["two\nlines"]}, "journal: a line is longer than 512 bytes, or not printable"),
        ({"after": "soon"}, 'after: "soon" is no span of time'),
        ({"after": "2h"}, "after: more than an hour"),
    ],
)
def test_bad_options(root, options, text):
    session = ring(root)
    with pytest.raises(BusError, match=re.escape(text)):
        snapshot(root, session, **options)
    assert root.manager("ListCaptures", "(a{sv})", {}) == []


@pytest.mark.parametrize(
    "spec, text",
    [
        ({"mode": "rings"}, "mode"),
        ({"ring_size": "4M"}, 'ring_size: only with mode "ring"'),
        ({"mode": "ring", "segment_size": "4M"}, "segment_size: not with mode"),
        ({"mode": "ring", "segments": 3}, "segments: not with mode"),
        ({"mode": "ring", "ring_size": "4M", "buffer_size": "4M"}, "ring_size: not with buffer_size"),
    ],
)
def test_bad_specs(root, spec, text):
    with pytest.raises(BusError, match=re.escape(text)):
        root.start("bad", {"events": ["sched:sched_switch"], **spec})
    assert root.manager("ListSessions") == []


def test_what_suits_no_ring(root):
    session = ring(root)
    stream = root.start("stream", {"events": ["sched:sched_switch"]})
    for method, path in [("Rotate", session), ("Clear", session)]:
        with pytest.raises(BusError, match="it is a ring"):
            root.session(path, method)
    with pytest.raises(BusError, match="it is no ring"):
        snapshot(root, stream)
    root.session(session, "Stop")
    with pytest.raises(BusError, match="it is stopped"):
        snapshot(root, session)


def test_ring_ends_by_itself_and_starts_again(root, writer, folder):
    program = writer(1000, 500)
    session = ring(root, pids=[program.pid], duration="300ms")
    wait_until(lambda: root.describe(session)["state"] == "stopped", "the session has not stopped")
    root.session(session, "Start")
    program.go()
    assert writes(saved(root, snapshot(root, session), folder / "1"), program.pid) == 500
    root.session(session, "Remove")
    assert root.manager("ListSessions") == []
