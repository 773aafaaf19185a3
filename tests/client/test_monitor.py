# SPDX-License-Identifier: LGPL-2.1-or-later
"""ktracectl monitor: what it says of sessions, captures and the daemon, and how it ends."""

import json
import os
import re
import signal
import subprocess
import threading

import pytest

from daemon import KTRACECTL, NOBODY, SANITIZERS, ktracectl, reachable, variants
from system_bus import wait_until

SWITCH = "sched:sched_switch"
RING = {"events": [SWITCH], "mode": "ring", "ring_size": "1M"}


class Monitor:
    """`ktracectl monitor` in the background; `lines` grows as it prints them."""

    def __init__(self, bus, *arguments, uid=0):
        self.lines = []
        self.process = subprocess.Popen(
            [reachable(KTRACECTL), *arguments, "monitor"],
            env=bus.environment(**SANITIZERS),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            user=uid,
            group=uid,
            extra_groups=[],
        )
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    @property
    def events(self):
        return [json.loads(line) for line in self.lines]

    def wait_for(self, **expected):
        """The first event that has all these."""

        def found():
            return next((event for event in self.events if expected.items() <= event.items()), None)

        wait_until(found, f"no event with {expected}")
        return found()

    def end(self, how=signal.SIGINT):
        if how and self.process.poll() is None:
            self.process.send_signal(how)
        status = self.process.wait(30)
        self.thread.join()
        error = self.process.stderr.read()
        self.process.stderr.close()
        self.process.stdout.close()
        return status, error


@pytest.fixture
def monitor(bus, polkit, daemon, root):
    """A function that starts one, and waits until it hears what happens: until it has told of a session."""
    started = []

    def start(*arguments, **more):
        started.append(Monitor(bus, *arguments, **more))

        def hears():
            root.session(root.create("", {"events": [SWITCH]}), "Remove")
            return len(started[-1].lines) >= 2

        wait_until(hears, "the monitor hears nothing")
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.end(None)


def test_life_of_a_session(root, monitor):
    listening = monitor("--json=short")
    path = root.start("web", {"events": [SWITCH]})
    session = root.describe(path)
    listening.wait_for(object="session", event="new", id=session["id"], name="web")
    listening.wait_for(object="session", event="state", state="active", id=session["id"], name="web")
    listening.wait_for(object="capture", event="new", id=session["capture"], session=session["id"], name="web")
    root.session(path, "Stop")
    listening.wait_for(event="state", state="stopped", id=session["id"])
    listening.wait_for(event="state", state="complete", id=session["capture"], reason="stopped")
    root.session(path, "Remove")
    listening.wait_for(object="session", event="removed", id=session["id"], name="web")
    capture = "/org/ktraced1/capture/" + root.manager("ListCaptures", "(a{sv})", {})[0][-1].rsplit("/", 1)[1]
    root.capture(capture, "Delete")
    listening.wait_for(object="capture", event="removed", id=session["capture"])
    assert listening.end() == (0, "")
    # Each state once, in its order.
    states = [event["state"] for event in listening.events if event["event"] == "state" and event["id"] == session["id"]]
    assert states == ["starting", "active", "stopping", "stopped"]
    assert [event["time"] for event in listening.events] == sorted(event["time"] for event in listening.events)


def test_snapshots_have_their_reason(root, monitor):
    listening = monitor("--json=pretty")  # one object a line, all the same
    session = root.start("ring", RING)
    capture = root.describe(root.session(session, "Snapshot", "(a{sv})", variants({"reason": "disk was slow"})))
    listening.wait_for(event="new", id=capture["id"], name="ring")
    listening.wait_for(event="state", state="complete", id=capture["id"], reason="disk was slow")


def test_lost_events(root, monitor, writer, daemon):
    listening = monitor("--json=short")
    program = writer(100000)
    root.start("small", {"events": ["syscalls:sys_enter_write"], "buffer_size": "64K", "pids": [program.pid]})
    # While the daemon takes nothing out of them, the buffers overflow.
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        program.go()
    finally:
        daemon.process.send_signal(signal.SIGCONT)
    event = listening.wait_for(object="session", event="lost", name="small")
    assert 0 < event["new"] <= event["total"]


def test_lines_for_people(root, monitor):
    listening = monitor()
    session = root.describe(root.start("web", {"events": [SWITCH]}))
    wait_until(lambda: any("capture" in line for line in listening.lines), "no capture")
    wait_until(lambda: any("active" in line for line in listening.lines), "not active")
    time = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}"
    text = "\n".join(listening.lines)
    assert re.search(rf"^{time}  session {session['id']} \(web\): new$", text, re.M)
    assert re.search(rf"^{time}  session {session['id']} \(web\): active$", text, re.M)
    assert re.search(rf"^{time}  capture {session['capture']}: new, of session {session['id']} \(web\)$", text, re.M)
    assert "\033" not in text
    assert listening.end(signal.SIGTERM) == (0, "")


def test_others_learn_no_names(root, monitor, polkit):
    polkit.actions["org.ktraced1.read-captures"] = "no"
    polkit.actions["org.ktraced1.manage-sessions"] = "no"
    listening = monitor("--json=short", uid=NOBODY)
    session = root.start("secret", RING)
    capture = root.describe(root.session(session, "Snapshot", "(a{sv})", variants({"reason": "hidden"})))
    listening.wait_for(event="state", state="complete", id=capture["id"])
    assert "secret" not in "".join(listening.lines)
    assert "hidden" not in "".join(listening.lines)
    assert not any(check.interactive for check in polkit.checks)


def test_the_daemon_goes_and_comes_back(root, monitor, daemon, start_daemon):
    listening = monitor("--json=short")
    daemon.stop()
    listening.wait_for(object="daemon", event="gone")
    again = start_daemon()
    listening.wait_for(object="daemon", event="back")
    client = again.client(0)
    client.start("second", {"events": [SWITCH]})
    listening.wait_for(event="state", state="active", name="second")
    client.close()
    assert listening.end() == (0, "")


def test_without_a_daemon(bus, polkit):
    """It is not started for this."""
    listening = Monitor(bus, "--json=short")
    try:
        listening.wait_for(object="daemon", event="absent")
    finally:
        assert listening.end() == (0, "")


def test_it_ends_with_its_reader(bus, polkit, daemon):
    """At once, though nothing happens that it could print."""
    process = subprocess.Popen(
        [reachable(KTRACECTL), "monitor"], env=bus.environment(**SANITIZERS), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    assert process.wait(30) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


def test_embedded_has_nothing_to_monitor():
    done = ktracectl("--embedded", "monitor")
    assert (done.returncode, done.stdout) == (2, "")
    assert "An embedded ktraced has nothing to monitor." in done.stderr


def test_watches_that_fire(monitor, root, polkit):
    """It tells of whose watch, and everybody may hear it; which one it was is the owner's."""
    heard = monitor("--json=short")
    event = "syscalls:sys_enter_getppid"
    watches = [f"secret event={event} interval=10ms if common_pid == {os.getpid()}"]
    session = root.start("watching", {**RING, "watches": watches})
    os.getppid()
    fired = heard.wait_for(object="session", event="watch", id=root.describe(session)["id"])
    assert fired["total"] == 1 and fired["name"] == "watching"
    polkit.actions["org.ktraced1.read-captures"] = "no"
    text = monitor(uid=NOBODY)
    root.session(session, "Stop")
    root.session(session, "Start")
    os.getppid()
    wait_until(lambda: [line for line in text.lines if line.endswith(": a watch fired, 1 in all")], "it is not said")
    assert not [line for line in text.lines if "secret" in line]
