# SPDX-License-Identifier: LGPL-2.1-or-later
"""Scope "self": what is recorded is the caller's own, whatever his program does. The calls that tests/lib/leaver.c
makes are told by their argument."""

import os
import pathlib
import platform
import re
import shutil
import subprocess

import pytest
from gi.repository import GLib

from daemon import BUILD, NOBODY, SESSION, BusError, ktracectl, reachable
from system_bus import wait_until
from trace_file import report

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers of system calls are those of x86-64")

LEAVER = BUILD / "tests" / "lib" / "leaver"
PID_MAX = pathlib.Path("/proc/sys/kernel/pid_max")
GETPGID = 121
MARK, FOREIGN_MARK = "5e1f0", "f0e0"
TRACE_SELF = "org.ktraced1.trace-self"
OUT_OF_SCOPE = "org.ktraced1.Error.OutOfScope"
NO_NEW_PRIVS = ["setpriv", "--no-new-privs"]


def calls(text, mark):
    """How many getpgid(mark) were entered."""
    return len(re.findall(rf"sys_enter: +NR {GETPGID} \({mark},", text))


def tasks(text):
    """(name, number) of the tasks whose events there are."""
    return set(re.findall(r"^ *(\S.*)-(\d+) +\[\d+\]", text, re.MULTILINE))


def record(bus, output, *command):
    return ktracectl("record", "-e", "raw_syscalls", "-o", output, "--", *command, bus=bus, uid=NOBODY)


@pytest.mark.parametrize(
    "way", ["exec", "session", "double-fork", "clone-parent", "vfork", "thread-exec", "user-namespace"]
)
def test_who_leaves_stays_in_and_brings_nobody(own_only, daemon, bus, output, way):
    leaver = reachable(LEAVER)
    done = record(bus, output, leaver, way, leaver, "mark")
    assert done.returncode == 0, done.stderr
    assert [check.action for check in own_only.checks] == [TRACE_SELF]
    assert calls(report(output), MARK) == 20


@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o6755])
def test_setuid_program_runs_without_its_rights(own_only, daemon, bus, output, folder, mode):
    program = folder / "privileged"
    shutil.copy(LEAVER, program)
    program.chmod(mode)
    without = subprocess.run([program, "who"], user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, text=True)
    assert "0" in without.stdout.split(), f"{folder} does not honour set-user-ID: {without.stdout}"
    done = record(bus, output, program, "who")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(NOBODY)] * 4
    assert f"{program} would run with the rights of another user" in done.stderr
    assert calls(report(output), MARK) == 20


def test_nothing_of_others_is_in_the_file(own_only, root, daemon, bus, output, writer):
    """Also not names, of which the kernel's table is full, since others trace, too."""
    everything = root.start("everything", {"events": ["raw_syscalls", "sched"]})
    name = "somebody-else"
    busy = subprocess.Popen(["bash", "-c", f"echo -n {name} > /proc/self/comm; while :; do kill -0 $$; read -t 0.01; done < <(sleep 60)"])
    try:
        wait_until(lambda: name in open("/sys/kernel/tracing/saved_cmdlines", encoding="utf-8", errors="replace").read(), "no name")
        done = record(bus, output, "sh", "-c", "sleep 1.5; /bin/true; exit 0")
        assert done.returncode == 0, done.stderr
    finally:
        busy.kill()
        busy.wait()
    root.session(everything, "Remove")
    content = output.read_bytes()
    for secret in [name.encode(), b"kallsyms_lookup_name", b"dbus-daemon", b"kworker"]:
        assert secret not in content
    text = report(output)
    names = {task[0] for task in tasks(text)}
    assert names <= {"sh", "sleep", "ktracectl", "<...>"}, names
    assert "sh" in names and "sleep" in names
    numbers = {int(task[1]) for task in tasks(text)}
    assert len(numbers) == 3 and busy.pid not in numbers and daemon.process.pid not in numbers


def test_formats_of_other_events_are_not_in_the_file(own_only, daemon, bus, output):
    done = ktracectl("record", "-e", "sched:sched_process_exec", "-o", output, "--", "true", bus=bus, uid=NOBODY)
    assert done.returncode == 0, done.stderr
    content = output.read_bytes()
    assert b"name: sched_process_exec\n" in content
    assert b"name: sched_switch\n" not in content


@pytest.fixture
def few_task_numbers():
    """So that going through all of them takes seconds. The next one is well above those that are given once only: right
    behind them all may be held by tasks that stay, the bus and the daemon, and none is left to come near by."""
    before = PID_MAX.read_text()
    PID_MAX.write_text("32768")
    while (pid := os.posix_spawn("/bin/true", ["true"], {})) < 1000:
        os.waitpid(pid, 0)
    os.waitpid(pid, 0)
    yield
    PID_MAX.write_text(before)


@pytest.mark.settings(captures_compress=False)  # so that what is in a file can be found in it
@pytest.mark.seconds(200)
def test_number_that_passes_to_another_user(few_task_numbers, own_only, daemon, bus, folder):
    """The kernel records who gets the number of a task that has just ended: not for us."""
    client = daemon.client(NOBODY)
    victim = subprocess.Popen([*NO_NEW_PRIVS, "sleep", "100"], user=NOBODY, group=NOBODY, extra_groups=[])
    wait_until(lambda: open(f"/proc/{victim.pid}/comm").read() == "sleep\n", "no sleep")
    fd = os.pidfd_open(victim.pid)
    session = client.start(
        "reuse", {"scope": "self", "events": ["raw_syscalls:sys_enter"], "pidfds": GLib.Variant("ah", [0])}, fds=[fd]
    )
    other = subprocess.Popen([reachable(LEAVER), "next", str(victim.pid)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "near\n"
    assert client.get(session, SESSION, "State") == "active"
    victim.kill()
    victim.wait()
    os.close(fd)
    out, _ = other.communicate("\n", timeout=60)
    if "taken" not in out:
        pytest.skip("somebody was faster")
    wait_until(lambda: client.get(session, SESSION, "State") == "failed", "the session goes on")
    assert f"the number of task {victim.pid} may have passed" in client.describe(session)["reason"]
    capture = client.capture_of(session)
    for path in client.save_all(capture, folder / "saved"):
        assert calls(report(path), FOREIGN_MARK) == 0
        assert b"somebody-else" not in path.read_bytes()
    client.close()
