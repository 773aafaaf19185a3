# SPDX-License-Identifier: LGPL-2.1-or-later
"""Live streams and the exact truth: what readers do costs them events, and never the session."""

import os
import re
import threading

import pytest
from gi.repository import GLib

from daemon import BusError, ktracectl
from stream import Reader, ends_of
from system_bus import wait_until
from trace_file import count, validate

WRITES = 300000


def start(root, program, name="live"):
    spec = {"events": ["syscalls:sys_enter_write"], "pids": [program.pid], "buffer_size": "32M"}
    return root.start(name, spec)


def open_reader(root, session):
    reader = Reader(root.session(session, "OpenStream", "(a{sv})", {}))
    reader.read_head()
    return reader


def check_capture(root, session, folder, program, written):
    """That the session has all that was written, besides the lines with which the writer says that it is done."""
    root.session(session, "Stop")
    capture = root.capture_of(session)
    files = root.save_all(capture, folder / session.rsplit("/", 1)[1])
    for path in files:
        validate(path)
    about = root.describe(capture)
    assert about["lost"] == 0
    assert count(files, "sys_enter_write", program.pid, "fd: 0x00000009") == written
    return about["events"]


def test_readers_slow_and_fast_and_gone(root, writer, folder, daemon):
    before = ends_of(daemon)
    program = writer(WRITES, WRITES // 4)
    session = start(root, program)
    with open_reader(root, session) as stalled, open_reader(root, session) as fast:
        fast.start()
        gone = open_reader(root, session)
        for part in range(4):
            if part == 2:
                os.close(gone.fd)
            program.go()
        events = check_capture(root, session, folder, program, WRITES)
        assert events == WRITES + 4
        # Both have an account of each event, the one that did not read of its losses, too.
        assert fast.ended.wait(60)
        assert fast.events + fast.lost_events == events
        stalled.read_to_end()
        assert stalled.lost_pages > 0 and stalled.events > 0
        assert stalled.events + stalled.lost_events == events
    root.session(session, "Remove")
    wait_until(lambda: ends_of(daemon) <= before, "descriptors stay", timeout=60)


def test_a_reader_that_keeps_up_gets_everything(root, writer, folder):
    program = writer(50000, 2000)
    session = start(root, program)
    with open_reader(root, session) as first, open_reader(root, session) as second:
        first.start()
        second.start()
        for part in range(25):
            program.go()
            # So much fits into the pipe, however slow this machine is.
            wait_until(lambda: min(first.events, second.events) >= 2001 * part, "events do not come", timeout=60)
        events = check_capture(root, session, folder, program, 50000)
        assert first.ended.wait(60) and second.ended.wait(60)
        assert events == 50025 == first.events == second.events
        assert first.lost_pages == second.lost_pages == 0
        assert first.syncs > 0


def test_a_stream_has_what_comes_after_it(root, writer, folder):
    """Also with a shared source, and each ends with its own session."""
    program = writer(40000, 10000)
    spec = {"events": ["syscalls:sys_enter_write"], "buffer_size": "16M"}
    one, two = root.start("one", spec), root.start("two", spec)
    assert root.describe(one)["instance"] == root.describe(two)["instance"]
    program.go()
    with open_reader(root, one) as of_one:
        of_one.start()
        with open_reader(root, two) as of_two:
            of_two.start()
            program.go()
            root.session(one, "Stop")
            assert of_one.ended.wait(60) and not of_two.ended.is_set()
            program.go()
            root.session(two, "Stop")
    assert 10000 <= of_one.events + of_one.lost_events
    assert 20000 <= of_two.events + of_two.lost_events
    with pytest.raises(BusError) as caught:
        root.session(two, "OpenStream", "(a{sv})", {})
    assert caught.value.name == "org.ktraced1.Error.WrongState"


class TextReader:
    """Reads the lines of a stream in a thread of its own; as a context it waits for its end."""

    def __init__(self, root, session):
        fd = root.session(session, "OpenStream", "(a{sv})", {"format": GLib.Variant("s", "text")})
        self.file = os.fdopen(fd, encoding="utf-8")
        self.lines = []
        self._thread = threading.Thread(target=self._read)

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        if self._thread.ident:
            self._thread.join(60)
            assert not self._thread.is_alive()
        self.file.close()

    def start(self):
        self._thread.start()
        return self

    def _read(self):
        for line in self.file:
            self.lines.append(line.rstrip("\n"))


def nameless(line):
    """Without the name of the task, which may be known later than its first events."""
    return re.sub(r"^.*?-(\d+ +\[\d{3}\])", r"\1", line)


def test_text_is_that_of_the_report(root, writer, folder, bus):
    program = writer(400000, 50)
    session = start(root, program)
    with TextReader(root, session) as reader:
        reader.start()

        def shown():
            program.go()
            return reader.lines

        wait_until(shown, "no line comes", timeout=60, interval=0.05)
        for _ in range(20):
            program.go()
        root.session(session, "Stop")
    done = ktracectl("report", "--no-pager", "live", bus=bus)
    assert done.returncode == 0, done.stderr
    wanted = done.stdout.splitlines()[-len(reader.lines) :]
    assert len(reader.lines) >= 20 * 50
    assert [nameless(line) for line in reader.lines] == [nameless(line) for line in wanted]


def test_readers_of_text_that_stall(root, writer, folder, daemon):
    before = ends_of(daemon)
    program = writer(WRITES, WRITES // 4)
    session = start(root, program)
    with TextReader(root, session) as stalled, TextReader(root, session) as fast:
        fast.start()
        for _ in range(4):
            program.go()
        events = check_capture(root, session, folder, program, WRITES)
        assert events == WRITES + 4
        stalled.start()
    for reader in (stalled, fast):
        lost = [int(n) for n in re.findall(r"^CPU:\d+ \[(\d+) EVENTS DROPPED\]$", "\n".join(reader.lines), re.M)]
        # What came last and was lost stands before no event.
        assert len(reader.lines) - len(lost) + sum(lost) <= events
    assert len(stalled.lines) < events
    wait_until(lambda: ends_of(daemon) <= before, "ends of pipes stay", timeout=60)
