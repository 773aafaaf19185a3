# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rings through the command line: session snapshot, session run, and the signal to the daemon."""

import json
import os
import re
import signal
import subprocess

import pytest

from daemon import KTRACECTL, NOBODY, SANITIZERS, NotifySocket, ktracectl, reachable
from system_bus import wait_until

SWITCH = "sched:sched_switch"


@pytest.fixture
def run(bus, polkit, daemon):
    """A function that runs ktracectl over the bus."""

    def run(*arguments, **more):
        return ktracectl(*arguments, bus=bus, **more)

    return run


@pytest.fixture
def ring(run):
    done = run("session", "start", "ring", "-e", SWITCH, "--ring-size=1M")
    assert done.returncode == 0, done.stderr
    return "ring"


def captures(run):
    done = run("--json=short", "capture", "list")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_snapshot_is_a_capture(run, ring):
    done = run("session", "snapshot", ring, "--reason=a test")
    assert done.returncode == 0, done.stderr
    capture = done.stdout.strip()
    assert re.fullmatch(r"\d{8}T\d{6}-[0-9a-f]{8}", capture)
    about = json.loads(run("--json=short", "capture", "show", capture).stdout)
    assert about["reason"] == "a test" and about["gaps"] == []
    assert "sched_switch" in run("report", "--first=5", capture).stdout
    assert "ring" in run("session", "list").stdout
    again = run("--json=short", "session", "snapshot", ring)
    assert json.loads(again.stdout)["session"] == "ring"
    assert len(captures(run)) == 2


def test_list_says_what_a_ring_holds(run, ring):
    assert run("session", "start", "stream", "-e", SWITCH).returncode == 0
    for rows in [sessions(run), json.loads(run("--json=short", "status").stdout)["sessions"]]:
        (recorder,) = [row for row in rows if row["name"] == "ring"]
        (stream,) = [row for row in rows if row["name"] == "stream"]
        assert 0 < recorder["fill"] <= recorder["capacity"] >= 1 << 20
        assert recorder["held"] > 0
        assert recorder["window"] is None
        assert (stream["fill"], stream["capacity"], stream["held"]) == (None, None, None)
    lines = run("session", "list").stdout.splitlines()
    assert lines[0].split()[5:] == ["FILL", "RING", "HOLDS", "WINDOW"]
    (line,) = [line for line in lines if " ring " in line and " active " in line and "stream" not in line]
    assert re.search(r"[0-9.]+K? +[0-9.]+M +\S.* +-$", line), line
    assert re.search(r"Fill: [0-9.]+", run("session", "show", ring).stdout)


def test_window(run, ring):
    done = run("session", "start", "long", "-e", "oom:mark_victim", "--window=30s", "--ring-size=64M")
    assert done.returncode == 0, done.stderr
    (row,) = [row for row in sessions(run) if row["name"] == "long"]
    assert (row["mode"], row["window"]) == ("ring", 30000000)
    assert re.search(r" 30s$", run("session", "list").stdout, re.M)
    text = run("session", "show", "long").stdout
    assert "Window: 30s" in text and "Most: 64M" in text
    done = run("session", "start", "short", "-e", SWITCH, "--window=0")
    assert done.returncode == 2 and "--window '0': expected a time such as" in done.stderr
    done = run("record", "-e", SWITCH, "--window=30s", "--", "true")
    assert done.returncode == 2 and "--window is for 'session start'" in done.stderr


@pytest.mark.settings(buffer_size=64 << 10)
def test_gaps_are_told(run):
    """Nothing is recorded while the ring grows: who looks at the ring or reads the capture learns of it."""
    done = run("session", "start", "grows", "-e", SWITCH, "--window=12h", "--ring-size=1M")
    assert done.returncode == 0, done.stderr

    def gaps(*arguments):
        about = json.loads(run("--json=short", *arguments).stdout)
        return about.get("ring", about)["gaps"]

    wait_until(lambda: gaps("session", "show", "grows"), "it does not grow", timeout=60)
    assert re.search(r"Gaps: start_realtime .*, gap_usec [0-9]+", run("session", "show", "grows").stdout)
    done = run("session", "snapshot", "grows")
    assert done.returncode == 0, done.stderr
    capture = done.stdout.strip()
    told = gaps("capture", "show", capture)
    assert told and all(0 < gap["start_trace_clock"] < gap["end_trace_clock"] for gap in told)
    done = run("report", capture)
    assert len(re.findall(r"^Warning: nothing was recorded for .+ from \d+\.\d{6} on, while the ring", done.stderr, re.M)) == len(told)
    assert run("--quiet", "report", capture).stderr == ""


@pytest.mark.skipif(not os.path.exists("/lib/systemd/systemd-journald"), reason="there is no journald")
def test_what_the_journal_says_of_a_unit(run, ring, bus, journal):
    """Its last lines are in the metadata; what others than root say about it is not, nor what is of another unit."""

    def log(unit, text, user="root"):
        entry = f"UNIT={unit}\nSYSLOG_IDENTIFIER=manager\nMESSAGE={text}\n"
        command = [*journal, "setpriv", f"--reuid={user}", "logger", "--journald"]
        subprocess.run(command, input=entry, text=True, check=True)

    for number in range(40):
        log("web.service", f"line {number}")
    log("web.service", "forged", user="nobody")
    log("other.service", "of another")
    log("web.service", "it failed\x1b")
    written = [*journal, "journalctl", "-q", "-o", "cat"]
    wait_until(lambda: "it failed" in subprocess.run(written, capture_output=True, text=True, check=False).stdout, "it is not written", timeout=60)
    command = [*journal, KTRACECTL, "session", "snapshot", "--all", "--unit=web.service"]
    done = subprocess.run(command, env=bus.environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    about = json.loads(run("--json=short", "capture", "show", done.stdout.strip()).stdout)
    assert about["reason"] == "unit web.service"
    assert [line.partition("]: ")[2] for line in about["journal"]] == [f"line {n}" for n in range(9, 40)] + ["it failed\\x1b"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ manager\[\d+\]: line 9", about["journal"][0])


def test_watch_tells_when_it_was_met(run, ring):
    """The list says so, and only where there are watches."""
    event = "syscalls:sys_enter_getppid"
    text = f"me event={event} interval=1h reason=asked if common_pid == {os.getpid()}"
    done = run("session", "start", "watching", "-e", SWITCH, "--ring-size=1M", "--watch", text)
    assert done.returncode == 0, done.stderr
    os.getppid()

    def met():
        (row,) = [row for row in sessions(run) if row["name"] == "watching"]
        return row["last_watch"] and row

    row = wait_until(met, "the watch was not met", timeout=60, interval=0.2)
    assert 3500e6 < row["next_watch"] - row["last_watch"] < 3700e6
    assert run("session", "list").stdout.splitlines()[0].split()[9:] == ["LAST", "NEXT"]
    shown = run("session", "show", "watching").stdout
    assert "name me, kind event" in shown and "fired 1," in shown, shown
    wait_until(lambda: [row for row in captures(run) if row["state"] == "complete"], "there is no capture")
    (row,) = captures(run)
    assert json.loads(run("--json=short", "capture", "show", row["id"]).stdout)["reason"] == "me: asked"
    bad = run("session", "start", "bad", "-e", SWITCH, "--ring-size=1M", "--watch", "me event=no:such")
    assert bad.returncode != 0 and 'No event is called "no:such"' in bad.stderr


def test_a_watch_that_cannot_be(run, ring):
    """It is said when the session starts, and is no failure of it."""
    done = run("session", "start", "watching", "-e", SWITCH, "--ring-size=1M", "--watch", "w event=no:such optional=yes")
    assert done.returncode == 0
    assert 'The session starts without a watch: watches: w: No event is called "no:such"' in done.stderr
    assert 'absent watches: w: No event is called "no:such"' in run("session", "show", "watching").stdout


def test_nobody_else_sees_what_a_ring_holds(run, ring, polkit):
    """Nor are they asked for a password."""
    polkit.actions["org.ktraced1.read-captures"] = "no"
    (row,) = json.loads(run("--json=short", "session", "list", uid=NOBODY).stdout)
    assert (row["mode"], row["fill"], row["held"]) == ("ring", None, None)
    assert [one.interactive for one in polkit.checks if one.action == "org.ktraced1.read-captures"] == [False]


def test_snapshot_of_all_rings(run, ring):
    assert run("session", "start", "stream", "-e", SWITCH).returncode == 0
    assert run("session", "start", "second", "-e", SWITCH, "--ring-size=1M").returncode == 0
    done = run("session", "snapshot", "--all")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 2


def test_snapshot_of_all_where_there_is_none(run):
    done = run("session", "snapshot", "--all")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "arguments, text",
    [
        ([], "Usage: ktracectl session snapshot"),
        (["ring", "--all"], "Usage: ktracectl session snapshot"),
        (["ring", "--after=soon"], "--after 'soon': expected a time such as 2s"),
        (["nowhere"], "Failed to take a snapshot of session nowhere"),
    ],
)
def test_wrong_snapshots(run, ring, arguments, text):
    done = run("session", "snapshot", *arguments)
    assert done.returncode != 0
    assert text in done.stderr


def test_record_is_no_ring(run):
    done = run("record", "-e", SWITCH, "--ring-size=1M", "--", "true")
    assert done.returncode != 0
    assert "--ring-size is for 'session start'" in done.stderr


def test_signal_takes_snapshots(run, ring, daemon):
    os.kill(daemon.process.pid, signal.SIGUSR2)
    wait_until(lambda: [one for one in captures(run) if one["state"] == "complete"], "no snapshot was taken")
    assert len(captures(run)) == 1


class Running:
    """`ktracectl session run` in the background, with the socket of a service manager."""

    def __init__(self, bus, folder, *arguments):
        self.notify = NotifySocket(folder / "notify-run")
        environment = {**bus.environment(**SANITIZERS), "NOTIFY_SOCKET": str(folder / "notify-run")}
        self.process = subprocess.Popen(
            [reachable(KTRACECTL), "session", "run", *arguments], env=environment, stderr=subprocess.PIPE, text=True
        )

    def wait_until_ready(self):
        wait_until(lambda: "READY=1" in self.notify.messages, "session run is not ready")

    def end(self):
        _, error = self.process.communicate(timeout=60)
        return self.process.returncode, error

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        self.notify.close()


@pytest.fixture
def running(bus, polkit, daemon, folder):
    started = []

    def start(*arguments):
        started.append(Running(bus, folder, *arguments))
        started[-1].wait_until_ready()
        return started[-1]

    yield start
    for one in started:
        one.close()


def sessions(run):
    return json.loads(run("--json=short", "session", "list").stdout)


def test_run_lasts_as_long_as_its_command(run, running):
    command = running("recorder", "--profile=flight-recorder")
    (session,) = sessions(run)
    assert (session["name"], session["state"], session["mode"]) == ("recorder", "active", "ring")
    assert run("session", "snapshot", "recorder").returncode == 0
    command.process.terminate()
    status, error = command.end()
    assert status == 0
    # What this kernel has not, the unit's journal is told.
    assert all(line.startswith("The session starts without a watch: ") for line in error.splitlines()), error
    assert "STOPPING=1" in command.notify.messages
    assert sessions(run) == []
    assert len(captures(run)) == 1


def test_run_ends_with_the_session(run, running):
    command = running("recorder", "-e", SWITCH, "--duration=500ms")
    assert command.end() == (0, "")
    assert sessions(run) == []


def test_run_fails_with_the_session(run, running, daemon):
    """Another tool switches tracing off: the unit has failed, and its journal says where to look."""
    command = running("recorder", "-e", SWITCH)
    (instance,) = daemon.instances()
    with open(f"/sys/kernel/tracing/instances/{instance}/tracing_on", "w", encoding="ascii") as file:
        file.write("0")
    status, error = command.end()
    assert status == 1
    assert "Session recorder failed; see the journal of ktraced.service." in error
    assert "Another tool switched tracing off" in daemon.log


def test_run_ends_when_others_remove_the_session(run, running):
    command = running("recorder", "-e", SWITCH, "--ring-size=1M")
    assert run("session", "remove", "recorder").returncode == 0
    status, error = command.end()
    assert status == 1
    assert "Failed to watch session recorder" in error


def test_run_fails_with_the_daemon(running, daemon, start_daemon):
    command = running("recorder", "-e", SWITCH, "--ring-size=1M")
    daemon.kill()
    status, error = command.end()
    assert status == 1
    assert "Failed to watch session recorder" in error
    start_daemon()  # which removes what the first one left in the kernel


def test_session_goes_with_a_command_that_is_killed(run, running):
    command = running("recorder", "-e", SWITCH, "--ring-size=1M")
    command.process.kill()
    command.end()
    wait_until(lambda: sessions(run) == [], "the session is still there")


@pytest.fixture
def several(run, ring):
    """Snapshots of two sessions; ids, oldest first."""
    assert run("session", "start", "other", "-e", SWITCH, "--ring-size=1M").returncode == 0
    taken = []
    for name, reason in [("ring", "disk was slow"), ("other", "watch oom"), ("ring", "by hand")]:
        done = run("session", "snapshot", name, f"--reason={reason}")
        assert done.returncode == 0, done.stderr
        taken.append(done.stdout.strip())
    return taken


def listed(run, *arguments):
    done = run("--json=short", "capture", "list", *arguments)
    assert done.returncode == 0, done.stderr
    return [row["id"] for row in json.loads(done.stdout)]


def test_captures_selected_and_sorted(run, several):
    first, second, third = several
    assert listed(run) == [third, second, first]
    assert listed(run, "--reverse") == [first, second, third]
    assert listed(run, "ring") == [third, first]
    assert listed(run, "--reason=disk*") == [first]
    assert listed(run, "--reason=watch *", "ring") == []
    assert listed(run, "--owner=root") == [third, second, first]
    assert listed(run, f"--owner={NOBODY}") == []
    assert listed(run, "--state=complete", "--sort=session") == [second, third, first]
    assert listed(run, "--since=1h") == [third, second, first]
    assert listed(run, "--until=1h") == []
    assert listed(run, "--since=2001-01-01", "--until=2001-01-02 13:00") == []
    rows = captures(run)
    by_size = [row["id"] for row in sorted(rows, key=lambda row: -row["bytes"])]
    sizes = {row["id"]: row["bytes"] for row in rows}
    assert [sizes[one] for one in listed(run, "--sort=size")] == [sizes[one] for one in by_size]


@pytest.mark.parametrize(
    "argument, text",
    [
        ("--since=soon", "--since 'soon': expected a time such as"),
        ("--sort=colour", "--sort 'colour': expected start, size,"),
        ("--owner=no-such-user", "--owner 'no-such-user': expected a user's name or number"),
    ],
)
def test_wrong_selections(run, argument, text):
    done = run("capture", "list", argument)
    assert (done.returncode, done.stdout) == (2, "")
    assert text in done.stderr


def test_a_state_that_there_is_not(run, ring):
    done = run("capture", "list", "--state=odd")
    assert done.returncode == 1
    assert "no such state" in done.stderr
