# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each key of a spec does to real events what it says."""

import os
import re
import shutil
import subprocess
import time

import pytest
from gi.repository import Gio, GLib

from daemon import INSTANCES, NOBODY, SESSION, BusError
from system_bus import wait_until
from trace_file import count, events, trace_cmd, validate


def record(root, folder, spec, action, name="spec", **more):
    """Runs a session around action(); the files of the capture."""
    session = root.start(name, spec, **more)
    action()
    root.session(session, "Stop")
    files = root.save_all(root.capture_of(session), folder / name)
    for path in files:
        validate(path)
    return files


def names(files):
    return {event.name for path in files for event in events(path)}


def test_bare_syscall_name(root, writer, folder):
    program = writer(1000)
    files = record(root, folder, {"events": ["write"], "pids": [program.pid]}, program.go)
    assert names(files) == {"sys_enter_write", "sys_exit_write"}
    assert count(files, "sys_enter_write", program.pid, "fd: 0x00000009") == 1000
    assert count(files, "sys_exit_write", program.pid) == 1001


def test_globs_and_exclusion(root, folder):
    files = record(root, folder, {"events": ["sched:*wak*", "!sched:sched_wakeup"]}, lambda: time.sleep(0.2))
    found = names(files)
    assert "sched_waking" in found and "sched_wakeup" not in found and all("wak" in name for name in found)


def test_filter_lets_through_what_it_should(root, writer, folder):
    program = writer(1000)
    spec = {
        "events": ["syscalls:sys_enter_write", "syscalls:sys_enter_read"],
        "filters": {"syscalls:sys_enter_write": "fd == 9"},
        "pids": [program.pid],
    }
    files = record(root, folder, spec, program.go)
    assert count(files, "sys_enter_write") == 1000, "the line 'done' went to descriptor 1"
    assert count(files, "sys_enter_read", program.pid) >= 1, "an event without a filter is not filtered"


def test_filter_refused_by_the_kernel_tells_where(root):
    with pytest.raises(BusError) as caught:
        root.start("bad", {"events": ["sched:sched_switch"], "filters": {"sched:sched_switch": "prev_comm > 3"}})
    assert "sched:sched_switch" in caught.value.message and "prev_comm" in caught.value.message
    assert "^" in caught.value.message, "the position is marked"
    assert root.daemon.instances() == set()


def test_pids_without_children(root, writer, folder):
    program = writer("fork", 4, 1000)
    files = record(root, folder, {"events": ["syscalls:sys_enter_write"], "pids": [program.pid]}, program.go)
    assert {event.pid for path in files for event in events(path)} == {program.pid}


def test_pids_with_children(root, writer, folder):
    program = writer("fork", 4, 1000)
    spec = {"events": ["syscalls:sys_enter_write"], "pids": [program.pid], "children": True}
    files = record(root, folder, spec, program.go)
    pids = {event.pid for path in files for event in events(path)}
    assert len(pids) == 5 and program.pid in pids
    assert count(files, "sys_enter_write", text="fd: 0x00000009") == 4000


def test_all_threads_of_a_process(root, folder):
    code = (
        "import os, sys, threading\n"
        "fd = os.open('/dev/null', os.O_WRONLY)\n"
        "go = threading.Event()\n"
        "def run():\n"
        "    go.wait()\n"
        "    for _ in range(100): os.write(fd, b'x')\n"
        "threads = [threading.Thread(target=run) for _ in range(3)]\n"
        "[t.start() for t in threads]\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read(1)\n"
        "go.set()\n"
        "[t.join() for t in threads]\n"
        "print('done', flush=True)\n"
    )
    program = subprocess.Popen(["/usr/bin/python3", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    assert program.stdout.readline() == b"ready\n"

    def action():
        program.stdin.write(b"g")
        assert program.stdout.readline() == b"done\n"

    files = record(root, folder, {"events": ["syscalls:sys_enter_write"], "pids": [program.pid]}, action)
    program.communicate()
    by_pid = {}
    for path in files:
        for event in events(path):
            by_pid[event.pid] = by_pid.get(event.pid, 0) + 1
    assert sorted(n for pid, n in by_pid.items() if pid != program.pid) == [100, 100, 100]


def test_pidfds(root, writer, folder):
    program, other = writer(1000), writer(1000)
    fd = os.pidfd_open(program.pid)
    spec = {"events": ["syscalls:sys_enter_write"], "pidfds": GLib.Variant("ah", [0])}

    def action():
        program.go()
        other.go()

    files = record(root, folder, spec, action, fds=[fd])
    os.close(fd)
    assert {event.pid for path in files for event in events(path)} == {program.pid}


def test_add_process(root, writer, folder):
    program, added = writer(2000, 1000), writer(2000, 1000)
    session = root.start("add", {"events": ["syscalls:sys_enter_write"], "pids": [program.pid]})
    program.go()
    added.go()
    fd = os.pidfd_open(added.pid)
    root.session(session, "AddProcess", "(h)", 0, fds=[fd])
    os.close(fd)
    program.go()
    added.go()
    root.session(session, "Stop")
    files = root.save_all(root.capture_of(session), folder / "add")
    assert count(files, "sys_enter_write", program.pid, "fd: 0x00000009") == 2000
    assert count(files, "sys_enter_write", added.pid, "fd: 0x00000009") == 1000


def test_empty_pid_list_traces_nobody_until_one_is_added(root, writer, folder):
    program = writer(2000, 1000)
    session = root.start("empty", {"events": ["syscalls:sys_enter_write"], "pids": GLib.Variant("ai", [])})
    program.go()
    fd = os.pidfd_open(program.pid)
    root.session(session, "AddProcess", "(h)", 0, fds=[fd])
    os.close(fd)
    program.go()
    root.session(session, "Stop")
    files = root.save_all(root.capture_of(session), folder / "empty")
    assert count(files, "sys_enter_write", text="fd: 0x00000009") == 1000
    assert {event.pid for path in files for event in events(path)} == {program.pid}


def test_cpus(root, folder):
    if os.cpu_count() < 2:
        pytest.skip("one CPU only")

    def action():
        for cpu in [0, 1]:
            subprocess.run(["taskset", "-c", str(cpu), "true"], check=True)

    files = record(root, folder, {"events": ["sched:sched_process_exec"], "cpus": "1"}, action)
    assert {event.cpu for path in files for event in events(path)} == {1}


def test_clock(root, folder):
    before = time.clock_gettime(time.CLOCK_MONOTONIC)
    files = record(root, folder, {"events": ["sched:sched_switch"], "clock": "mono"}, lambda: time.sleep(0.1))
    after = time.clock_gettime(time.CLOCK_MONOTONIC)
    stamps = [event.seconds for path in files for event in events(path)]
    assert stamps and before - 0.001 <= min(stamps) and max(stamps) <= after + 0.001


def test_clock_boot_differs_from_default_in_the_file(root, folder):
    files = record(root, folder, {"events": ["sched:sched_switch"], "clock": "boot"}, lambda: time.sleep(0.1))
    done = trace_cmd("dump", "--options", "-i", files[0])
    assert "[boot]" in done.stdout + done.stderr


def test_buffer_size_reaches_the_kernel(root):
    session = root.start("buffer", {"events": ["sched:sched_switch"], "buffer_size": "3M"})
    name = root.describe(session)["instance"]
    kib = int((INSTANCES / name / "per_cpu" / "cpu0" / "buffer_size_kb").read_text().split()[0])
    assert 3072 <= kib <= 3200
    assert root.describe(root.capture_of(session))["buffer_size"] == kib * 1024
    root.session(session, "Remove")


def test_options_reach_the_kernel(root):
    session = root.start("options", {"events": ["sched:sched_switch"], "options": ["nohash-ptr", "sym-addr"]})
    path = INSTANCES / root.describe(session)["instance"] / "options"
    assert (path / "hash-ptr").read_text().strip() == "0" and (path / "sym-addr").read_text().strip() == "1"
    root.session(session, "Remove")


def test_duration(root):
    begin = time.monotonic()
    session = root.start("short", {"events": ["sched:sched_process_exit"], "duration": "700ms"})
    wait_until(lambda: root.get(session, SESSION, "State") == "stopped", "the session does not stop by itself", timeout=60)
    assert 0.6 < time.monotonic() - begin < 60
    assert root.describe(session)["reason"] == "duration"
    assert root.describe(root.capture_of(session))["state"] == "complete"
    wait_until(lambda: root.daemon.instances() == set(), "the instance is still there")


@pytest.mark.settings(captures_compress=False)
def test_symbols(root, folder):
    """Compressed, the file would not show what is in it."""
    with_symbols = record(root, folder, {"events": ["sched:sched_process_exit"], "symbols": True}, lambda: None, name="with")
    without = record(root, folder, {"events": ["sched:sched_process_exit"]}, lambda: None, name="without")
    assert b" schedule\n" in with_symbols[0].read_bytes()
    assert b" schedule\n" not in without[0].read_bytes(), "kernel addresses are only for those who asked and may"


def test_profile_and_additions(root, daemon, folder):
    files = record(root, folder, {"profile": "sched-latency", "events": ["sched:sched_process_exec"]}, lambda: subprocess.run(["true"], check=True))
    found = names(files)
    assert "sched_process_exec" in found and "sched_switch" in found


@pytest.mark.parametrize(
    "profile", ["sched-latency", "syscalls", "block-io", "irq", "network", "page-faults", "memory-pressure", "process-lifecycle"]
)
def test_shipped_profiles_run(root, folder, profile):
    def action():
        subprocess.run(["sh", "-c", "dd if=/dev/zero of=$1/f bs=64k count=4 conv=fsync 2>/dev/null; cat $1/f > /dev/null", "sh", folder], check=True)

    files = record(root, folder, {"profile": profile}, action, name=profile)
    if profile in ("sched-latency", "syscalls", "process-lifecycle"):
        assert names(files)


def test_clear_throws_away_what_was(root, writer, folder):
    program = writer(3000, 1000)
    session = root.start("clear", {"events": ["syscalls:sys_enter_write"], "pids": [program.pid]})
    program.go()
    program.go()
    root.session(session, "Clear")
    program.go()
    root.session(session, "Stop")
    files = root.save_all(root.capture_of(session), folder / "clear")
    for path in files:
        validate(path)
    assert count(files, "sys_enter_write", program.pid, "fd: 0x00000009") == 1000


def test_lost_events_are_counted_and_told(root, daemon, writer, folder):
    """The smallest buffer, and a load that no reader can follow: what was lost and what was kept is all there was."""
    total = 2000000
    program = writer(total)
    seen = []
    context = GLib.MainContext.default()
    listener = daemon.client(NOBODY)
    session = root.create("lossy", {"events": ["syscalls"], "pids": [program.pid], "buffer_size": "64k"})
    listener.connection.signal_subscribe(
        "org.ktraced1",
        SESSION,
        "EventsLost",
        session,
        None,
        Gio.DBusSignalFlags.NONE,
        lambda _c, _s, _p, _i, _n, parameters: seen.append(parameters.unpack()),
    )
    listener.get(session, SESSION, "State")
    os.sched_setaffinity(program.pid, {0})
    daemon_affinity = os.sched_getaffinity(daemon.process.pid)
    for thread in os.listdir(f"/proc/{daemon.process.pid}/task"):
        os.sched_setaffinity(int(thread), {0})
    root.session(session, "Start")
    for thread in os.listdir(f"/proc/{daemon.process.pid}/task"):
        os.sched_setaffinity(int(thread), {0})
        os.setpriority(os.PRIO_PROCESS, int(thread), 19)
    program.go()

    def told():
        while context.iteration(False):
            pass
        return seen

    wait_until(told, "no EventsLost", timeout=60)
    root.session(session, "Stop")
    for thread in os.listdir(f"/proc/{daemon.process.pid}/task"):
        os.sched_setaffinity(int(thread), daemon_affinity)
    told()
    listener.close()
    lost = root.get(session, SESSION, "Lost")
    assert lost > 0
    assert sum(new for new, _ in seen) <= lost and seen[-1][1] == sum(new for new, _ in seen)
    capture = root.capture_of(session)
    about = root.describe(capture)
    assert about["lost"] == lost == sum(cpu["lost"] for cpu in about["losses"])
    assert [cpu["cpu"] for cpu in about["losses"]] == [0]
    files = root.save_all(capture, folder / "lossy")
    kept = sum(len(events(path)) for path in files)
    assert kept == about["events"]
    # sys_enter and sys_exit of each write, of the line "done", and of the read that waits for the go and what follows.
    assert 2 * total <= kept + lost <= 2 * total + 20
    assert any("EVENTS DROPPED" in trace_cmd("report", "-i", path).stdout for path in files), "the file tells it too"


def test_disk_full(start_daemon, folder, writer):
    """The session fails and says so, what was written stays readable, and the daemon goes on."""
    disk = folder / "daemon" / "captures"
    disk.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m,mode=700", "tmpfs", disk], check=True)
    try:
        daemon = start_daemon()
        root = daemon.client(0)
        program = writer(300000)
        session = root.start("full", {"events": ["syscalls"], "buffer_size": "4M"})
        program.go()
        wait_until(lambda: root.get(session, SESSION, "State") in ("failed", "stopped"), "the session does not end", timeout=60)
        assert root.get(session, SESSION, "State") == "failed"
        assert re.search("no space|disk full", root.describe(session)["reason"], re.IGNORECASE)
        about = root.describe(root.capture_of(session))
        assert about["state"] == "failed"
        path = root.save_segment(root.capture_of(session), 0, folder / "full.dat")
        validate(path)
        root.session(session, "Remove")
        root.capture(root.manager("ListCaptures", "(a{sv})", {})[0][10], "Delete")
        # Whoever reads the file still, as the digest thread may, keeps its room.
        wait_until(lambda: shutil.disk_usage(disk).free > 4 << 20, "there is no room again", timeout=60)
        again = root.start("again", {"events": ["sched:sched_process_exit"]})
        root.session(again, "Stop")
        assert root.get(again, SESSION, "State") == "stopped"
        daemon.stop()
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_many_sessions_side_by_side(root, writer, folder):
    program = writer(1000)
    sessions = [
        root.start(f"side-{n}", {"events": ["syscalls:sys_enter_write"], "pids": [program.pid], "buffer_size": "256k"}) for n in range(12)
    ]
    assert len(root.daemon.instances()) == 12
    program.go()
    for session in sessions:
        root.session(session, "Stop")
    for number, session in enumerate(sessions):
        files = root.save_all(root.capture_of(session), folder / str(number))
        assert count(files, "sys_enter_write", program.pid, "fd: 0x00000009") == 1000


def test_nothing_outside_the_instances_is_touched(root, writer):
    """The top-level tracer, events and clock are other people's."""
    top = INSTANCES.parent

    def state():
        return [
            (top / name).read_text()
            for name in ["current_tracer", "set_event", "trace_clock", "tracing_on", "set_event_pid", "buffer_size_kb", "trace_options"]
        ]

    before = state()
    program = writer(1000)
    session = root.start("inside", {"events": ["syscalls", "sched"], "pids": [program.pid], "clock": "mono", "options": ["hash-ptr"]})
    program.go()
    assert state() == before
    root.session(session, "Stop")
    assert state() == before
