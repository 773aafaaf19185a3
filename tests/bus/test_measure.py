# SPDX-License-Identifier: LGPL-2.1-or-later
"""MeasureEvents: how often events occur at present, against what a program is known to cause."""

import json
import os
import pathlib
import re
import subprocess
import threading
import time

import pytest
from gi.repository import GLib

from daemon import INSTANCES, MANAGER, NOBODY, ROOT, BusError, ktracectl, variants
from system_bus import wait_until

INVALID = "org.freedesktop.DBus.Error.InvalidArgs"
QUOTA = "org.ktraced1.Error.QuotaExceeded"
# A number that no kernel has a call for is still a system call, which nobody else makes.
LOOP = "import os, sys\nprint('ready', flush=True)\nwhile True:\n    os.getpriority(os.PRIO_PROCESS, 0)\n"
HOT = ["syscalls:sys_enter_getpriority", "syscalls:sys_exit_getpriority"]


def measure(client, patterns, **options):
    return json.loads(client.manager("MeasureEvents", "(asa{sv})", patterns, variants(options)))


def rows(result):
    return {row["event"]: row for row in result["rows"]}


@pytest.fixture
def loop(looping):
    """A program that makes one kind of system call without end."""
    return looping(LOOP)


def held_instances(daemon):
    """Of the kernel instances that there are, those of which the daemon has a file open."""
    found = set()
    for link in pathlib.Path(f"/proc/{daemon.process.pid}/fd").iterdir():
        try:
            match = re.search(r"/instances/(ktraced-[^/]+)/", os.readlink(link))
        except FileNotFoundError:
            continue
        if match:
            found.add(match[1])
    return found


def test_a_hot_event_is_the_first(polkit, root, loop):
    result = measure(root, ["syscalls:*getpriority", "sched:sched_process_exec"])
    assert 1_000_000 <= result["duration"] and result["cpus"] == os.sysconf("SC_NPROCESSORS_ONLN")
    assert {row["event"] for row in result["rows"][:2]} == set(HOT)
    assert [row["events"] for row in result["rows"]] == sorted((row["events"] for row in result["rows"]), reverse=True)
    enter, leave = (rows(result)[event] for event in HOT)
    assert enter["rate"] > 1000, "a loop makes more calls than this"
    assert abs(enter["events"] - leave["events"]) <= 10 + result["missed"], "each call is entered and left"
    for row in result["rows"]:
        expected = row["events"] * 1_000_000 / result["duration"]
        assert abs(row["rate"] - expected) <= 1, row
    # What was missed is divided, and loses a fraction of an event each time.
    assert 0 <= result["events"] - sum(row["events"] for row in result["rows"]) <= result["missed"]
    assert result["bytes_rate"] > 16 * result["rate"]


def test_the_share_is_by_the_cost(polkit, root, loop):
    result = measure(root, HOT, duration="200ms")
    assert 1 <= result["event_cost"] < 1_000_000, "nsec"
    expected = result["rate"] * result["event_cost"] / 1000 / result["cpus"]
    assert abs(result["cpu_share"] - expected) <= 1
    assert measure(root, HOT, duration="200ms")["event_cost"] == result["event_cost"], "measured once"


def test_all_that_is_missed_is_counted(polkit, root, loop):
    """The events of a loop are as many as its calls, also when buffers overflow: the kernel's own count is the judge."""
    result = measure(root, ["raw_syscalls"], duration="500ms")
    assert result["missed"] <= result["events"]
    assert result["missed"] >= sum(row["missed"] for row in result["rows"])
    assert sum(row["events"] for row in result["rows"]) >= 0.99 * result["events"]


def test_what_does_not_occur_is_there(polkit, root):
    result = measure(root, ["syscalls:*_swapoff", "syscalls:*_swapon"], duration=100_000)
    assert len(result["rows"]) == 4
    assert result["events"] == 0 and all(row["rate"] == 0 for row in result["rows"])


def test_nothing_is_left_in_the_kernel(polkit, daemon, root):
    result, seen = [], set()
    thread = threading.Thread(target=lambda: result.append(measure(root, ["sched"], duration="2s")))
    thread.start()
    wait_until(lambda: seen.update(held_instances(daemon)) or seen, "no instance is made")
    thread.join(30)
    assert result and seen
    wait_until(lambda: not held_instances(daemon), "an instance is still held")
    assert not [name for name in seen if (INSTANCES / name).exists()]


def test_a_client_that_leaves(polkit, daemon, root):
    """Its instance goes at once, and not when the time is over."""
    client = daemon.client()
    parameters = GLib.Variant("(asa{sv})", (["sched"], variants({"duration": "10s"})))
    client.connection.call(client.name, ROOT, MANAGER, "MeasureEvents", parameters, None, 0, -1, None, None)
    client.connection.flush_sync(None)
    seen = set()

    def counting():
        found = held_instances(daemon)
        seen.update(found)
        return any((INSTANCES / name / "tracing_on").read_text() == "1\n" for name in found if (INSTANCES / name).exists())

    wait_until(counting, "it is not counted")
    begin = time.monotonic()
    client.close()
    wait_until(lambda: not [name for name in seen if (INSTANCES / name).exists()], "the instance stays", timeout=9)
    assert time.monotonic() - begin < 9
    wait_until(lambda: used(root) == 0, "it counts though it is gone")


def used(client):
    found = json.loads(client.manager("Describe"))["budgets"]
    return next(one for one in found if one["name"] == "measurements")["used"]


def begin_measuring(client, n, expected):
    """In the background: `n` that last as long as they may."""
    parameters = GLib.Variant("(asa{sv})", (["sched:sched_process_exec"], variants({"duration": "10s"})))
    for _ in range(n):
        client.connection.call(client.name, ROOT, MANAGER, "MeasureEvents", parameters, None, 0, -1, None, None)
    wait_until(lambda: used(client) == expected, f"{expected} measurements are not under way")


@pytest.mark.settings(measurements_max=3, measurements_per_user_max=2)
def test_few_at_a_time(polkit, daemon, root, nobody):
    other = daemon.client(1)
    begin_measuring(nobody, 2, 2)
    with pytest.raises(BusError) as caught:
        measure(nobody, ["sched"])
    assert caught.value.name == QUOTA
    assert f"measurements: 1 more are wanted, but user {NOBODY} uses 2 of the 2 that measurements_per_user_max allows" in caught.value.message
    begin_measuring(root, 1, 3)
    with pytest.raises(BusError) as caught:
        measure(other, ["sched"])
    assert caught.value.name == QUOTA and "measurements_max" in caught.value.message
    other.close()
    # Meanwhile the daemon goes on answering.
    begin = time.monotonic()
    root.manager("ListSessions")
    assert time.monotonic() - begin < 5


def test_the_daemon_ends_meanwhile(polkit, daemon, root):
    begin_measuring(root, 2, 2)
    wait_until(lambda: len(held_instances(daemon)) == 2, "they do not begin")
    seen = held_instances(daemon)
    daemon.stop()
    assert not [name for name in seen if (INSTANCES / name).exists()]


@pytest.mark.parametrize(
    "patterns,options,name,words",
    [
        ([], {}, INVALID, ["patterns", "one"]),
        (["sched:nosuchevent"], {}, "org.ktraced1.Error.NoSuchEvent", ["nosuchevent"]),
        (["a/b"], {}, INVALID, ["a/b"]),
        (["sched"] * 1025, {}, INVALID, ["1024"]),
        (["sched"], {"duration": "99ms"}, INVALID, ["duration", "100ms to 10s"]),
        (["sched"], {"duration": 10_000_001}, INVALID, ["duration", "100ms to 10s"]),
        (["sched"], {"duration": "soon"}, INVALID, ["duration", "soon"]),
        (["sched"], {"duration": True}, INVALID, ["duration", "type b"]),
        (["sched"], {"filter": "x"}, INVALID, ["filter"]),
    ],
)
def test_bad_input(polkit, root, patterns, options, name, words):
    with pytest.raises(BusError) as caught:
        measure(root, patterns, **options)
    assert caught.value.name == name, caught.value
    for word in words:
        assert word in caught.value.message, caught.value


def test_polkit_is_told_which_events(polkit, nobody):
    """By the same details as for a session, so that the same rules fit."""
    measure(nobody, ["sched:sched_process_exec", "sched:sched_process_exit"], duration="100ms")
    check = polkit.checks[-1]
    assert check.action == "org.ktraced1.trace-system"
    assert check.details["events"] == "sched:sched_process_exec,sched:sched_process_exit"
    assert check.details["method"] == "MeasureEvents" and check.details["scope"] == "system"


def test_ktracectl(polkit, bus, daemon, loop):
    done = ktracectl("list", "events", "--rate", "--duration=300ms", "syscalls:*getpriority", "syscalls:*_swapoff", bus=bus)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["EVENT", "RATE", "CPU"]
    assert {line.split()[0] for line in lines[1:3]} == set(HOT)
    assert all(re.fullmatch(r"\S+ +\d+ +\d+\.\d{2}%", line) for line in lines[1:3]), lines
    assert "swapoff" not in done.stdout and "2 others did not occur" in done.stdout
    done = ktracectl("list", "events", "--rate", "--json=short", "syscalls:*_swapoff", bus=bus)
    assert [row["rate"] for row in json.loads(done.stdout)["rows"]] == [0, 0]
    done = ktracectl("list", "events", "--duration=1s", bus=bus)
    assert done.returncode == 2 and "--rate" in done.stderr
    done = ktracectl("list", "events", "--rate", "--duration=1h", "sched", bus=bus)
    assert done.returncode == 1 and "100ms to 10s" in done.stderr


def estimate(client, spec, options=None, **more):
    return json.loads(client.manager("EstimateSession", "(a{sv}a{sv})", variants(spec), variants(options or {"duration": "300ms"}), **more))


def test_an_estimate_starts_nothing(polkit, daemon, root, loop):
    result = estimate(root, {"events": HOT, "buffer_size": "2M"})
    cpus = os.sysconf("SC_NPROCESSORS_CONF")
    assert result["buffer_size"] == 2 << 20 and result["buffer_memory"] == cpus * 2 << 20
    assert result["mode"] == "stream" and result["window"] == 0
    assert result["rate"] > 1000 and {row["event"] for row in result["rows"]} == set(HOT)
    assert result["disk_rate"] == result["bytes_rate"] > 16 * result["rate"]
    assert result["max_event_rate"] == 5_000_000 and result["max_cpu_share"] == 50
    assert root.manager("ListSessions") == [] and root.manager("ListCaptures", "(a{sv})", {}) == []
    assert not daemon.store.exists() or not list(daemon.store.iterdir())
    wait_until(lambda: not held_instances(daemon), "an instance is still held")


def test_an_estimate_of_a_ring(polkit, root, loop):
    result = estimate(root, {"events": HOT, "mode": "ring", "buffer_size": "1M", "max_event_rate": 1})
    assert result["mode"] == "ring" and result["disk_rate"] == 0
    assert 0 < result["window"] <= result["buffer_memory"] * 1_000_000 // result["bytes_rate"] + 1
    assert result["over"] is True
    assert estimate(root, {"events": ["syscalls:*_swapoff"], "mode": "ring"})["window"] == 0


def test_an_estimate_is_of_the_session(polkit, root, loop):
    """Filters, processes and probes count."""
    assert estimate(root, {"events": HOT, "pids": [loop.pid]})["rate"] > 1000
    assert estimate(root, {"events": HOT, "pids": [os.getpid()]})["rate"] == 0
    assert estimate(root, {"events": HOT, "pids": [loop.pid], "filters": {"*:sys_enter_getpriority": "which == 77"}})["rows"][1]["rate"] == 0
    with open("/usr/bin/python3", "rb") as file:
        probed = {"probes": ["work=uprobe:@0:0x10"], "probe_files": GLib.Variant("ah", [0])}
        result = estimate(root, probed, fds=[file.fileno()])
    assert result["rows"] == [] and result["rate"] == 0
    assert not [line for line in pathlib.Path("/sys/kernel/tracing/uprobe_events").read_text().splitlines() if "work" in line]


def test_an_estimate_of_ones_own(polkit, nobody):
    """Takes the action of the session, and no other."""
    pidfd = os.pidfd_open(os.getpid())
    spec = {"scope": "self", "events": ["raw_syscalls:sys_enter"], "pidfds": GLib.Variant("ah", [0])}
    with pytest.raises(BusError) as caught:
        estimate(nobody, spec, fds=[pidfd])
    os.close(pidfd)
    assert caught.value.name == "org.ktraced1.Error.OutOfScope", "a process of root's"
    child = subprocess.Popen(
        ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs", "perl", "-e", "getppid while 1"]
    )
    try:
        wait_until(lambda: os.readlink(f"/proc/{child.pid}/exe").endswith("perl"), "it does not run the program")
        pidfd = os.pidfd_open(child.pid)
        result = estimate(nobody, spec, fds=[pidfd])
        os.close(pidfd)
    finally:
        child.kill()
        child.wait(10)
    assert result["rate"] > 100 and result["max_event_rate"] == 1_000_000
    assert [check.action for check in polkit.checks] == ["org.ktraced1.trace-self"]


@pytest.mark.parametrize(
    "spec,options,name,words",
    [
        ({}, {}, INVALID, ["events"]),
        ({"events": ["sched:nosuchevent"]}, {}, "org.ktraced1.Error.NoSuchEvent", ["nosuchevent"]),
        ({"events": HOT, "pids": [2**22 - 1]}, {}, "org.ktraced1.Error.NoSuchProcess", ["4194303"]),
        ({"events": HOT}, {"duration": "11s"}, INVALID, ["duration"]),
        ({"events": HOT}, {"color": "red"}, INVALID, ["color"]),
    ],
)
def test_bad_input_of_an_estimate(polkit, root, spec, options, name, words):
    with pytest.raises(BusError) as caught:
        estimate(root, spec, options)
    assert caught.value.name == name, caught.value
    for word in words:
        assert word in caught.value.message, caught.value


def test_dry_run(polkit, bus, daemon, root, loop):
    events = [f"--event={event}" for event in HOT]
    done = ktracectl("session", "start", "busy", *events, "--buffer-size=2M", "--max-event-rate=10", "--dry-run", bus=bus)
    assert done.returncode == 0, done.stderr
    for part in ["Events: ", "CPU: some ", "Memory: ", "(2M for each CPU)", "Disk: ", "an hour, before compression", "Budget: exceeded, 10 events"]:
        assert part in done.stdout, done.stdout
    assert HOT[0] in done.stdout and HOT[1] in done.stdout
    done = ktracectl("session", "start", "busy", *events, "--ring-size=4M", "--dry-run", bus=bus)
    assert "the ring would reach back" in done.stdout, done.stdout
    for verb in (["record"], ["session", "start", "x"], ["session", "create", "x"], ["session", "run", "x"]):
        done = ktracectl(*verb, *events, "--dry-run", "--json=short", bus=bus)
        assert json.loads(done.stdout)["rate"] > 1000, done.stderr
    for more in (["--", "true"], ["-o", "x.dat"]):
        done = ktracectl("record", *events, "--dry-run", *more, bus=bus)
        assert done.returncode == 2 and "--dry-run" in done.stderr
    assert root.manager("ListSessions") == []
