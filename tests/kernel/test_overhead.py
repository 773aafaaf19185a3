# SPDX-License-Identifier: LGPL-2.1-or-later
"""The overhead guard: a session that records more than its budget is warned of, thinned out or stopped, whatever its mode, and says what was most."""

import json
import os
import pathlib
import re
import subprocess
import time

import pytest
from gi.repository import Gio, GLib

from daemon import INSTANCES, SESSION, BusError, ktracectl
from system_bus import wait_until

INVALID = "org.freedesktop.DBus.Error.InvalidArgs"
# Two kinds of system calls that nothing else makes so often, the one twice as often as the other.
LOOP = """
import os
print('ready', flush=True)
while True:
    os.getpriority(os.PRIO_PROCESS, 0)
    os.getpriority(os.PRIO_PROCESS, 0)
    os.getpgid(0)
"""
HOT = "syscalls:sys_enter_getpriority"
NEXT = "syscalls:sys_enter_getpgid"
EVENTS = [HOT, NEXT]
# Far less than the loop makes on any machine.
BUDGET = {"max_event_rate": 500, "overhead_grace": "100ms"}
WAIT = 60


@pytest.fixture
def loop(looping):
    return looping(LOOP)


class Signals:
    """OverheadExceeded of all sessions, as they come to a client of its own."""

    def __init__(self, daemon):
        self.client = daemon.client()
        self.seen = []
        self.context = GLib.MainContext.default()
        self.client.connection.signal_subscribe(
            None, SESSION, "OverheadExceeded", None, None, Gio.DBusSignalFlags.NONE, lambda *a: self.seen.append((a[2], *a[5].unpack()))
        )

    def wait_for(self, action):
        def there():
            while self.context.iteration(False):
                pass
            return [signal for signal in self.seen if signal[1] == action]

        wait_until(there, f"no signal of {action}; seen: {self.seen}", timeout=WAIT)
        return there()[-1]


@pytest.fixture
def signals(polkit, daemon):
    signals = Signals(daemon)
    yield signals
    signals.client.close()


def wait_for(root, session, condition, what):
    last = {}

    def there():
        last.clear()
        last.update(root.describe(session))
        return condition(last)

    wait_until(there, what, timeout=WAIT, interval=0.1)
    return last


def enabled(session_id, event):
    system, name = event.split(":")
    return (INSTANCES / f"ktraced-{session_id}" / "events" / system / name / "enable").read_text().strip() == "1"


def journal(daemon, *parts):
    wait_until(lambda: any(all(part in line for part in parts) for line in daemon.log.splitlines()), f"{parts} is not in the log", timeout=WAIT)


MODES = [pytest.param({}, id="stream"), pytest.param({"mode": "ring", "buffer_size": "1M"}, id="ring")]


def wake_up(root):
    """A ring is looked at when the daemon is awake for something else."""
    root.manager("ListSessions")


@pytest.mark.parametrize("mode", MODES)
def test_warn(daemon, root, loop, signals, mode):
    session = root.start("busy", {"events": EVENTS, **BUDGET, "overhead_policy": "warn", **mode})
    about = wait_for(root, session, lambda a: a["overhead"]["times_exceeded"] > 0, "the guard says nothing")
    path, _action, rate, share = signals.wait_for("warn")
    assert path == session and rate > BUDGET["max_event_rate"] and share >= 0
    overhead = about["overhead"]
    assert overhead["hot_event"] == HOT and overhead["hot_rate"] > 100
    assert overhead["policy"] == "warn" and overhead["max_event_rate"] == 500 and overhead["grace"] == 100_000
    assert overhead["over"] is True and overhead["rate"] > 500
    journal(daemon, "busy", "over its budget", "events a second", "% of the CPUs' time", HOT)
    # It goes on, with everything.
    assert root.describe(session)["state"] == "active" and "thinned" not in root.describe(session)
    assert all(enabled(about["id"], event) for event in EVENTS)
    assert HOT not in str(signals.seen), "signals are broadcast: nothing private in them"


@pytest.mark.parametrize("mode", MODES)
def test_thin(daemon, root, loop, signals, mode):
    """The most frequent event goes first, then the next, until it is within its budget."""
    session = root.start("busy", {"events": [*EVENTS, "sched:sched_process_exec"], **BUDGET, "overhead_policy": "thin", **mode})
    about = wait_for(root, session, lambda a: len(a.get("thinned", [])) == 2, "nothing is left out")
    assert about["thinned"] == EVENTS
    assert not any(enabled(about["id"], event) for event in EVENTS)
    assert enabled(about["id"], "sched:sched_process_exec")
    assert signals.wait_for("thin")[0] == session
    journal(daemon, "busy", f"{HOT} is left out from now on")
    about = wait_for(root, session, lambda a: not a["overhead"]["over"], "it is still over its budget")
    assert about["state"] == "active"
    if mode:
        capture = root.session(session, "Snapshot", "(a{sv})", {})
    else:
        capture = root.capture_of(session)
        assert root.describe(capture)["thinned"] == EVENTS, "while it is written"
        root.session(session, "Stop")
    about = root.describe(capture)
    assert about["thinned"] == EVENTS
    stored = json.loads((daemon.store / about["id"] / "capture.json").read_text())
    assert stored["thinned"] == EVENTS
    # The next run begins with all events.
    if mode:
        root.session(session, "Stop")
    root.session(session, "Start")
    assert "thinned" not in root.describe(session)
    root.session(session, "Stop")


@pytest.mark.parametrize("mode", MODES)
def test_stop(daemon, root, loop, signals, mode):
    session = root.start("busy", {"events": EVENTS, **BUDGET, "overhead_policy": "stop", **mode})
    about = wait_for(root, session, lambda a: a["state"] == "stopped", "it does not stop")
    assert re.fullmatch(rf"overhead: \d+ events a second.*; the most frequent is {HOT}, \d+ a second", about["reason"]), about["reason"]
    assert signals.wait_for("stop")[0] == session
    if not mode:
        capture = root.describe(root.capture_of(session))
        assert capture["state"] == "complete" and capture["reason"] == about["reason"]
        assert capture["events"] > 0


def test_nothing_is_left_to_leave_out(daemon, root, signals):
    """Where what there is so much of is no event that was chosen, here markers, thinning out would help nothing."""
    session = root.start(
        "busy", {"events": ["syscalls:sys_enter_swapoff"], "max_event_rate": 20, "overhead_grace": "100ms", "overhead_policy": "thin"}
    )
    marker = root.session(session, "OpenMarker")
    end = time.monotonic() + WAIT
    try:
        while root.describe(session)["state"] == "active" and time.monotonic() < end:
            for _ in range(10):
                os.write(marker, b"mark\n")
                time.sleep(0.01)
    except BrokenPipeError:
        pass  # it has ended
    finally:
        os.close(marker)
    about = wait_for(root, session, lambda a: a["state"] == "stopped", "it does not stop")
    assert about["reason"].startswith("overhead: ") and "thinned" not in about
    journal(daemon, "busy", "there is nothing that could be left out")


@pytest.mark.seconds(240)
def test_the_watchdog_is_enough(polkit, start_daemon, bus, loop):
    """A ring that nobody asks about is looked at whenever the daemon tells the service manager that it is alive."""
    daemon = start_daemon(environment={"WATCHDOG_USEC": "4000000"})
    root = daemon.client()
    session = root.start("busy", {"events": EVENTS, **BUDGET, "mode": "ring", "buffer_size": "1M"})
    assert root.describe(session)["state"] == "active"
    journal(daemon, "busy", "over its budget", HOT)
    root.close()


def test_an_idle_ring_with_a_budget_wakes_nobody(daemon, root, polkit):
    """In a short time; how it is in a long one, test_ring.py looks at, since every session has a budget."""

    def switches():
        total = 0
        for task in pathlib.Path(f"/proc/{daemon.process.pid}/task").iterdir():
            total += sum(int(n) for n in re.findall(r"ctxt_switches:\s+(\d+)", (task / "status").read_text()))
        return total

    session = root.start("idle", {"events": ["syscalls:sys_enter_swapoff"], "max_event_rate": 1000, "max_cpu_share": 1, "mode": "ring"})
    assert root.describe(session)["overhead"]["max_event_rate"] == 1000
    time.sleep(2)
    before = switches()
    time.sleep(10)
    assert switches() == before


def test_within_the_budget(daemon, root, signals):
    session = root.start("quiet", {"events": ["sched:sched_process_exit"], "pids": [1], "overhead_grace": "100ms", "max_event_rate": 1000})
    began = root.describe(session)["overhead"]
    assert began["times_exceeded"] == 0 and began["over"] is False and began["policy"] == "warn"
    time.sleep(2.5)
    assert root.describe(session)["overhead"]["times_exceeded"] == 0
    assert "over its budget" not in daemon.log


def test_the_share_of_the_cpus(daemon, root, loop, signals):
    """The cost of an event is measured once it may matter; then the share is known, and kept to."""
    session = root.start("busy", {"events": ["raw_syscalls"], "max_event_rate": 0, "max_cpu_share": 1, "overhead_grace": "100ms"})
    about = wait_for(root, session, lambda a: a["overhead"]["times_exceeded"] > 0, "the guard says nothing")
    overhead = about["overhead"]
    assert overhead["event_cost"] >= 1 and overhead["cpu_share"] > 1000 and overhead["max_cpu_share"] == 1
    journal(daemon, "over its budget", "% of the CPUs' time")


def test_of_certain_processes_only(daemon, root, loop, signals):
    """The measurement sees the processes that the session does, and those that these started."""
    parent = subprocess.Popen(
        ["/usr/bin/python3", "-c", f"import subprocess, sys\nsys.stdin.read(1)\nsubprocess.run([sys.executable, '-c', {LOOP!r}])"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    session = root.start(
        "busy", {"events": [*EVENTS, "syscalls:sys_enter_mmap"], "pids": [parent.pid], "children": True, **BUDGET, "overhead_policy": "stop"}
    )
    parent.stdin.write(b"g")
    parent.stdin.flush()
    assert parent.stdout.readline() == b"ready\n"
    try:
        about = wait_for(root, session, lambda a: a["state"] == "stopped", "it does not stop")
        assert HOT in about["reason"]
    finally:
        (child,) = subprocess.run(["pgrep", "-P", str(parent.pid)], capture_output=True, text=True, check=True).stdout.split()
        subprocess.run(["kill", child], check=True)
        parent.wait(10)
        parent.stdin.close()
        parent.stdout.close()


def test_the_measurement_leaves_nothing(daemon, root, loop, signals):
    session = root.start("busy", {"events": EVENTS, **BUDGET})
    wait_for(root, session, lambda a: a["overhead"]["times_exceeded"] > 0, "the guard says nothing")
    root.session(session, "Stop")

    def held():
        found = set()
        for link in pathlib.Path(f"/proc/{daemon.process.pid}/fd").iterdir():
            try:
                found.update(re.findall(r"/instances/(ktraced-[^/]+)/", str(link.readlink())))
            except FileNotFoundError:
                continue
        return found

    wait_until(lambda: not held(), "an instance is still held", timeout=WAIT)


def test_stopped_while_it_is_looked_at(daemon, root, loop, signals):
    """Again and again, at whatever point the guard is."""
    session = root.create("busy", {"events": EVENTS, **BUDGET, "overhead_grace": "0s", "overhead_policy": "thin"})
    for i in range(8):
        root.session(session, "Start")
        time.sleep(0.9 + i * 0.1)
        root.session(session, "Stop")
    root.session(session, "Remove")


def test_removed_while_it_is_looked_at(daemon, root, loop, signals):
    for i in range(4):
        session = root.start("busy", {"events": EVENTS, **BUDGET, "overhead_grace": "0s", "overhead_policy": "stop"})
        time.sleep(1 + i * 0.15)
        try:
            root.session(session, "Remove")
        except BusError as error:
            raise AssertionError(f"it cannot be removed: {error}") from None


def test_sessions_that_may_be_thinned_share_nothing(daemon, root, signals):
    spec = {"events": ["sched:sched_process_exec"], "max_event_rate": 1000}
    shared = [root.describe(root.start(name, {**spec, "overhead_policy": "warn"}))["instance"] for name in "ab"]
    own = [root.describe(root.start(name, {**spec, "overhead_policy": "thin"}))["instance"] for name in "cd"]
    assert shared[0] == shared[1] and len({*shared, *own}) == 3


@pytest.mark.settings(max_event_rate=500, overhead_grace="100ms", overhead_policy="stop", max_cpu_share=0)
def test_the_settings_are_the_default(daemon, root, loop, signals):
    session = root.start("busy", {"events": EVENTS})
    other = root.start("other", {"events": EVENTS, "max_event_rate": 0})
    assert "overhead" not in root.describe(other), "no limit, nobody who looks"
    wait_for(root, session, lambda a: a["state"] == "stopped", "it does not stop")
    assert root.describe(other)["state"] == "active"


@pytest.mark.parametrize(
    "spec,words",
    [
        ({"max_event_rate": 10**13}, ["max_event_rate"]),
        ({"max_event_rate": "many"}, ["max_event_rate"]),
        ({"max_cpu_share": 1001}, ["max_cpu_share"]),
        ({"overhead_grace": "2h"}, ["overhead_grace"]),
        ({"overhead_policy": "panic"}, ["overhead_policy", "panic"]),
        ({"overhead_policy": 1}, ["overhead_policy"]),
    ],
)
def test_bad_input(polkit, root, spec, words):
    with pytest.raises(BusError) as caught:
        root.start("bad", {"events": EVENTS, **spec})
    assert caught.value.name == INVALID, caught.value
    for word in words:
        assert word in caught.value.message, caught.value


def test_ktracectl(polkit, bus, daemon, root, loop):
    done = ktracectl(
        "session", "start", "busy", *(f"--event={event}" for event in EVENTS), "--max-event-rate=500", "--max-cpu-share=2.5%",
        "--overhead-grace=100ms", "--overhead-policy=stop", bus=bus,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    session = root.manager("GetSession", "(s)", "busy")
    spec = root.describe(session)["spec"]
    assert (spec["max_event_rate"], spec["max_cpu_share"], spec["overhead_grace"], spec["overhead_policy"]) == (500, 25, 100_000, "stop")
    wait_for(root, session, lambda a: a["state"] == "stopped", "it does not stop")
    done = ktracectl("session", "show", "busy", bus=bus)
    assert re.search(r"Max cpu share: 2\.50%\n", done.stdout) and re.search(r"Overhead grace: 100ms\n", done.stdout), done.stdout
    assert "overhead: " in done.stdout and HOT in done.stdout
    for option in ["--max-event-rate=x", "--max-cpu-share=200%", "--overhead-policy=panic", "--overhead-grace=x"]:
        done = ktracectl("session", "start", "bad", "-e", "sched", option, bus=bus)
        assert done.returncode == 2 and option.split("=")[0] in done.stderr, done.stderr
