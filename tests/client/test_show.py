# SPDX-License-Identifier: LGPL-2.1-or-later
"""ktracectl show: what it prints while a session records is what ktracectl report says of it later."""

import json
import os
import re
import select
import signal
import subprocess
import threading

import pytest

from daemon import KTRACECTL, NOBODY, SANITIZERS, ktracectl, reachable
from stream import ends_of
from system_bus import wait_until

QUIET = {"events": ["sched:sched_process_exit"], "pids": [1]}


class Show:
    """ktracectl show in the background, whose lines a thread reads as they come."""

    def __init__(self, bus, *arguments, uid=0, read=True, **more):
        self.process = subprocess.Popen(
            [reachable(KTRACECTL), "show", *map(str, arguments)],
            env=bus.environment(**SANITIZERS, **more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            user=uid,
            group=uid,
            extra_groups=[],
        )
        self.lines = []
        self._thread = threading.Thread(target=self._read)
        wait_until(self._decodes, "no stream is opened", timeout=60)
        if read:
            self._thread.start()

    def _decodes(self):
        """It has a child once it has the stream."""
        tasks = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        with open(tasks, encoding="ascii") as children:
            return children.read() != "" or self.process.poll() is not None

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def start(self):
        self._thread.start()
        return self

    def signal(self, number):
        self.process.send_signal(number)
        return self

    def end(self, status=0):
        """Waits for it; what it said on standard error."""
        if self._thread.is_alive() or self.lines:
            self._thread.join(60)
            assert not self._thread.is_alive()
        said = self.process.stderr.read()
        self.process.stderr.close()
        self.process.stdout.close()
        assert self.process.wait(60) == status, said
        assert not re.search("Sanitizer|runtime error:", said), said
        return said


@pytest.fixture
def session(root, polkit):
    return root.start("followed", QUIET)


def start_writes(root, program, name="live", **more):
    return root.start(name, {"events": ["syscalls:sys_enter_write"], "pids": [program.pid], "buffer_size": "16M", **more})


def go_until_shown(program, show, text=""):
    """What comes before the stream has begun is not in it, and names may be known later."""

    def shown():
        program.go()
        return any(text in line for line in show.lines)

    wait_until(shown, "nothing is shown", timeout=60, interval=0.05)


def nameless(line):
    """Without the name of the task: the kernel may tell it after the first events, and tell an old one before."""
    return re.sub(r"^.*?-(\d+ +\[\d{3}\])", r"\1", line)


def report(bus, session, *arguments):
    done = ktracectl("report", "--no-pager", *arguments, session, bus=bus)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_lines_are_those_of_the_report(root, writer, bus, polkit):
    """Also in their order, which is that of time over all CPUs."""
    programs = [writer(400000, 100) for _ in range(2)]
    for number, program in enumerate(programs):
        os.sched_setaffinity(program.pid, {number % os.cpu_count()})
    pids = [program.pid for program in programs]
    session = root.start("live", {"events": ["syscalls:sys_enter_write"], "pids": pids, "buffer_size": "16M"})
    show = Show(bus, "-t", "live")
    go_until_shown(programs[0], show, "writer")
    for _ in range(20):
        threads = [threading.Thread(target=program.go) for program in programs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    root.session(session, "Stop")
    said = show.end()
    assert said == f"{len(show.lines)} events shown; none were missed here.\n"
    wanted = report(bus, "live", "-t")
    assert len(show.lines) >= 2 * 20 * 100
    assert [nameless(line) for line in show.lines] == [nameless(line) for line in wanted[-len(show.lines) :]]
    assert all(re.match(r" +\S+-\d+ +\[\d{3}\] +\d+\.\d{9}: sys_enter_write: ", line) for line in show.lines)
    assert any(line.startswith(f"          writer-{pids[0]}") for line in show.lines)


def test_json_is_that_of_the_report(root, writer, bus, polkit):
    program = writer(400000, 50)
    session = start_writes(root, program)
    show = Show(bus, "--json", "live")
    go_until_shown(program, show, "writer")
    program.go()
    root.session(session, "Stop")
    show.end()
    wanted = report(bus, "live", "--json")
    shown = [json.loads(line) for line in show.lines]
    assert [{**row, "comm": ""} for row in shown] == [{**json.loads(line), "comm": ""} for line in wanted[-len(shown) :]]
    assert "writer" in [row["comm"] for row in shown]


def test_names_of_tasks_that_begin_later(root, bus, polkit):
    session = root.start("names", {"events": ["syscalls:sys_enter_execve", "syscalls:sys_exit_execve"]})
    show = Show(bus, "--comm=latecomer", "-e", "sys_exit_execve", "names")

    program = "import os\nopen('/proc/self/comm', 'w').write('latecomer')\ntry: os.execv('/nonexistent', ['x'])\nexcept OSError: pass"

    def tried():
        subprocess.run(["/usr/bin/python3", "-c", program], check=True)
        return show.lines

    wait_until(tried, "the new name is not known", timeout=60)
    assert " latecomer-" in show.lines[0]
    root.session(session, "Stop")
    show.end()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it_cleanly(root, writer, bus, polkit, number):
    program = writer(400000, 10)
    start_writes(root, program)
    show = Show(bus, "live")
    go_until_shown(program, show)
    said = show.signal(number).end()
    assert said == f"{len(show.lines)} events shown; none were missed here.\n"
    program.go()
    wait_until(lambda: root.describe(root.manager("GetSession", "(s)", "live"))["events"] > 10, "the session does not go on")


def test_number_of_lines(root, writer, bus, polkit):
    program = writer(400000, 1000)
    start_writes(root, program)
    show = Show(bus, "-n", 7, "live")
    go_until_shown(program, show)
    assert show.end().startswith("7 events shown; ")
    assert len(show.lines) == 7


def test_duration(bus, session):
    done = ktracectl("show", "--duration=300ms", "followed", bus=bus)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "0 events shown; none were missed here.\n")
    done = ktracectl("show", "--quiet", "--duration=1ms", "followed", bus=bus)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_reader_of_the_output_that_goes(root, bus, daemon, session):
    """Also while nothing is printed."""
    before = ends_of(daemon)
    show = Show(bus, "followed", read=False)
    show.process.stdout.close()
    assert show.process.wait(60) == 0
    assert show.process.stderr.read() == "0 events shown; none were missed here.\n"
    show.process.stderr.close()
    # The pump keeps the pipe that it copies through.
    wait_until(lambda: ends_of(daemon) <= before + 2, "the stream stays", timeout=60)


def test_output_that_stalls(root, writer, bus, polkit):
    """The session has everything, and Ctrl-C is heard."""
    program = writer(6000000, 3000)
    session = start_writes(root, program, buffer_size="32M")
    show, told_to_end = Show(bus, "live", read=False), Show(bus, "live", read=False)
    rounds = 0

    def both_print():
        nonlocal rounds
        program.go()
        rounds += 1
        outputs = [show.process.stdout, told_to_end.process.stdout]
        return len(select.select(outputs, [], [], 0)[0]) == 2

    wait_until(both_print, "nothing is shown", timeout=60, interval=0.05)
    for _ in range(60):
        program.go()
        rounds += 1
    told_to_end.signal(signal.SIGINT)
    assert told_to_end.process.wait(60) == 0
    told_to_end.start().end()
    root.session(session, "Stop")
    said = show.start().end()
    shown, lost, pages = re.fullmatch(r"(\d+) events shown; (\d+) on (\d+) pages were missed here, .*\n", said).groups()
    assert int(pages) > 0 and int(lost) > 0 and int(shown) + int(lost) <= 3001 * rounds
    assert sum("EVENTS DROPPED" in line for line in show.lines) + int(shown) == len(show.lines)
    about = root.describe(root.capture_of(session))
    assert (about["events"], about["lost"]) == (3001 * rounds, 0)


def test_two_at_once_with_filters(root, writer, bus, polkit):
    one, two = writer(400000, 10), writer(400000, 10)
    session = root.start("live", {"events": ["syscalls:sys_*_write"], "pids": [one.pid, two.pid]})
    first = Show(bus, "-e", "sys_enter_write", "-f", "sys_enter_write: fd == 9", "-P", one.pid, "live")
    second = Show(bus, "-e", "sys_exit_write", "--comm", "wr*", "-P", two.pid, "live")
    go_until_shown(one, first)
    go_until_shown(two, second)
    nothing = Show(bus, "--comm=nobody", "live")
    one.go()
    two.go()
    root.session(session, "Stop")
    for show in (first, second, nothing):
        show.end()
    assert all(re.search(rf"-{one.pid} .* sys_enter_write: .*fd: 0x00000009", line) for line in first.lines)
    assert all(re.search(rf"writer-{two.pid} .* sys_exit_write: ", line) for line in second.lines)
    assert len(first.lines) >= 10 and len(second.lines) >= 10 and nothing.lines == []


def test_colours(root, writer, bus, polkit):
    program = writer(400000, 10)
    start_writes(root, program)
    for more, colored in (({"SYSTEMD_COLORS": "1"}, True), ({"NO_COLOR": "1"}, False), ({}, False)):
        show = Show(bus, "-n1", "live", **more)
        go_until_shown(program, show)
        show.end()
        assert ("\x1b[" in show.lines[0]) == colored


def test_own_processes(root, nobody, writer, bus, polkit):
    """The owner of a session of scope self needs nobody's leave, and nobody else gets to see it."""
    program = writer(400000, 10, uid=NOBODY)
    session = nobody.start("own", {"events": ["syscalls:sys_enter_write"], "pids": [program.pid]})
    polkit.mode = "no"
    polkit.actions = {"org.ktraced1.query": "yes"}
    show = Show(bus, "own", uid=NOBODY)
    go_until_shown(program, show)
    nobody.session(session, "Stop")
    show.end()
    of_root = root.start("roots", QUIET)
    done = ktracectl("show", of_root.rsplit("/", 1)[1], bus=bus, uid=NOBODY)
    assert done.returncode == 1 and "Failed to show session" in done.stderr


@pytest.mark.parametrize(
    "arguments,status,words",
    [
        (["nosuch"], 1, ["Failed to show session nosuch", "nosuch"]),
        (["created"], 1, ["created"]),
        (["ring"], 1, ["ring", "snapshot"]),
        (["-e", "sched:nosuch", "followed"], 1, ["sched:nosuch"]),
        (["-f", "sched_process_exit: nosuch == 1", "followed"], 1, ["nosuch == 1"]),
        (["-f", "sched_process_exit: pid ==", "followed"], 1, ["pid =="]),
        (["--pid=x", "followed"], 2, ["--pid=x"]),
        (["--cpu=x", "followed"], 2, ["--cpu=x"]),
        (["-n", "0", "followed"], 2, ["--lines=0"]),
        (["-n", "many", "followed"], 2, ["--lines=many"]),
        (["--duration=soon", "followed"], 2, ["--duration=soon"]),
        (["--duration=0", "followed"], 2, ["--duration=0"]),
        (["--since=1", "followed"], 2, ["since"]),
        ([], 2, ["Usage: ktracectl show"]),
        (["a", "b"], 2, ["Usage: ktracectl show"]),
        (["--embedded", "followed"], 2, ["--embedded"]),
    ],
)
def test_what_cannot_be_shown(root, bus, session, arguments, status, words):
    root.create("created", QUIET)
    root.start("ring", {**QUIET, "mode": "ring"})
    done = ktracectl("show", *arguments, bus=bus)
    assert done.returncode == status and done.stdout == "", done
    for word in words:
        assert word in done.stderr, done.stderr


def test_help(bus, session):
    done = ktracectl("show", "--help", bus=bus)
    assert done.returncode == 0 and "--lines" in done.stdout and done.stderr == ""
