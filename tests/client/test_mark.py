# SPDX-License-Identifier: LGPL-2.1-or-later
"""Markers: lines of clients in the trace, through ktracectl, the examples, and the bus."""

import os
import pathlib
import re
import subprocess
import time

import pytest

from daemon import BUILD, NOBODY, BusError, ktracectl
from system_bus import wait_until
from trace_file import events, validate

EXAMPLES = pathlib.Path(__file__).parents[2] / "docs" / "examples"


@pytest.fixture
def session(root, polkit):
    return root.start("marked", {"events": ["sched:sched_process_exec"]})


def marks(root, session, folder):
    """The texts of the print events, once the session has ended."""
    root.session(session, "Stop")
    (path,) = root.save_all(root.capture_of(session), folder / "saved")
    validate(path)
    return [re.sub(r"^\w+: ", "", event.text) for event in events(path) if event.name == "print"]


def test_words_and_lines(bus, root, session, folder):
    assert ktracectl("mark", "marked", "one", "two", bus=bus).returncode == 0
    environment = bus.environment()
    subprocess.run([BUILD / "client" / "ktracectl", "mark", "marked", "-"], input=b"three\n\nfour\n", env=environment, check=True)
    texts = marks(root, session, folder)
    assert [re.sub(r"^ktracectl-\d+: ", "", text) for text in texts] == ["one two", "three", "four"]


@pytest.mark.parametrize("language", ["c", "python"])
def test_examples(bus, root, session, folder, language):
    if language == "c":
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libsystemd"], capture_output=True, text=True, check=True)
        subprocess.run(["cc", "-o", folder / "marker", EXAMPLES / "marker.c", *flags.stdout.split()], check=True)
        command = [folder / "marker"]
    else:
        command = ["/usr/bin/python3", EXAMPLES / "marker.py"]
    process = subprocess.Popen([*command, "marked"], env=bus.environment())
    assert process.wait(20) == 0
    assert len((EXAMPLES / f"marker.{language[0] if language == 'c' else 'py'}").read_text().splitlines()) < 30
    texts = marks(root, session, folder)
    assert [text.split(": ", 1)[1] for text in texts] == ["frame 1 begins", "frame 1 ends"]
    assert all(text.split(": ")[0].endswith(f"-{process.pid}") for text in texts)


def test_what_would_forge_lines(root, session, folder):
    fd = root.session(session, "OpenMarker")
    os.write(fd, b"a\x1b[2Jb\x00c\rd\xff\xc2\x85e\n" + b"x" * 2000 + b"\nlast without end")
    os.close(fd)
    time.sleep(0.3)
    texts = [text.split(": ", 1)[1] for text in marks(root, session, folder)]
    assert texts[0] == "a?[2Jb?c?d???e"
    assert "".join(texts[1:-1]) == "x" * 2000
    assert texts[-1] == "last without end"


def test_rate(root, session, folder):
    """What is too fast is not taken, and does not make the writer wait."""
    fd = root.session(session, "OpenMarker")
    written = refused = 0
    begin = time.monotonic()
    until = time.monotonic() + 1
    while time.monotonic() < until:
        try:
            os.write(fd, b"a line of some length, so that the pipe fills\n")
            written += 1
        except BlockingIOError:
            refused += 1
    os.close(fd)
    assert refused > 0
    texts = marks(root, session, folder)
    # A thousand at once, and as many a second.
    assert 500 < len(texts) <= 1000 * (time.monotonic() - begin + 2) + 500


def test_rate_of_nothing(root, session):
    """Empty lines are no way to keep the daemon busy, nor from ending the session."""
    fd = root.session(session, "OpenMarker")
    flood = subprocess.Popen(
        ["/usr/bin/python3", "-c", FLOOD, str(fd)], pass_fds=[fd], stdout=subprocess.PIPE, text=True
    )
    os.close(fd)
    assert flood.stdout.readline() == "begun\n"
    time.sleep(1)
    begin = time.monotonic()
    root.session(session, "Stop")
    assert time.monotonic() - begin < 60
    taken, seconds = map(float, flood.communicate(timeout=60)[0].split())
    # 900 bytes at a time, 2000 in the first second, and what fits into the pipe.
    assert taken <= 900 * 1000 * (seconds + 2) + 65536


FLOOD = r"""
import os, sys, time
print("begun", flush=True)
begin, taken = time.monotonic(), 0
try:
    while True:
        try:
            taken += os.write(int(sys.argv[1]), b"\n" * 4096)
        except BlockingIOError:
            pass
except BrokenPipeError:
    print(taken, time.monotonic() - begin)
"""


def test_many_and_their_end(root, session):
    fds = [root.session(session, "OpenMarker") for _ in range(16)]
    with pytest.raises(BusError, match="has 16 markers open"):
        root.session(session, "OpenMarker")
    os.close(fds.pop())

    def one_more():
        """The daemon sees the end of a pipe a moment after it was closed."""
        try:
            fds.append(root.session(session, "OpenMarker"))
        except BusError as error:
            assert "has 16 markers open" in str(error)
            return False
        return True

    wait_until(one_more, "no marker is free")
    root.session(session, "Stop")
    for fd in fds:
        with pytest.raises(BrokenPipeError):
            os.write(fd, b"late\n")
        os.close(fd)
    with pytest.raises(BusError, match="it is stopped"):
        root.session(session, "OpenMarker")


def test_others_need_an_action(bus, polkit, session):
    polkit.mode = "no"
    done = ktracectl("mark", "marked", "text", bus=bus, uid=NOBODY)
    assert done.returncode != 0
    assert "Failed to mark session marked" in done.stderr


def test_wrong_calls(bus, session):
    assert "Usage: ktracectl mark" in ktracectl("mark", "marked", bus=bus).stderr
    assert ktracectl("mark", "nowhere", "text", bus=bus).returncode != 0
