# SPDX-License-Identifier: LGPL-2.1-or-later
"""Scope "self" on the bus: which processes, events and keys it takes, and what polkit is asked."""

import contextlib
import os
import subprocess
import tempfile

import pytest
from gi.repository import GLib

from daemon import INSTANCES, MANAGER, NOBODY, ROOT, SESSION, BusError
from system_bus import wait_until

DENIED = "org.freedesktop.DBus.Error.AccessDenied"
INTERACTIVE = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
INVALID = "org.freedesktop.DBus.Error.InvalidArgs"
OUT_OF_SCOPE = "org.ktraced1.Error.OutOfScope"
NO_SUCH_PROCESS = "org.ktraced1.Error.NoSuchProcess"
BAD_DESCRIPTOR = "org.ktraced1.Error.BadDescriptor"
QUOTA = "org.ktraced1.Error.QuotaExceeded"
TRACE_SELF = "org.ktraced1.trace-self"
TRACE_SYSTEM = "org.ktraced1.trace-system"
EVENTS = ["raw_syscalls:sys_enter"]
DAEMON = 1
PR_SET_DUMPABLE = 4


@contextlib.contextmanager
def process(*options, program=("sleep", "60"), no_new_privs=True):
    """A process, made what it is by setpriv, as (Popen, pidfd); of nobody when there are no options."""
    options = options or (f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    more = ["--no-new-privs"] if no_new_privs else []
    child = subprocess.Popen(["setpriv", *more, *options, *program])
    fd = os.pidfd_open(child.pid)
    try:
        wait_until(lambda: os.readlink(f"/proc/{child.pid}/exe").endswith(program[0]), "it does not run the program")
        yield child, fd
    finally:
        os.close(fd)
        child.kill()
        child.wait()


def spec(n_fds=1, **more):
    return {"scope": "self", "events": EVENTS, "pidfds": GLib.Variant("ah", range(n_fds)), **more}


def refused(client, *fds, **more):
    """The name and message of the refusal; nothing is left of what was tried."""
    with pytest.raises(BusError) as caught:
        client.start("refused", spec(len(fds), **more), fds=fds)
    assert client.get(ROOT, MANAGER, "NSessions") == 0
    return caught.value.name, caught.value.message


@pytest.fixture
def own():
    with process() as (_child, fd):
        yield fd


def test_trace_self_is_asked_for_with_details(polkit, nobody, own):
    session = nobody.create("mine", spec(), fds=[own])
    assert [check.action for check in polkit.checks] == [TRACE_SELF]
    assert polkit.checks[0].details["scope"] == "self"
    assert polkit.checks[0].details["events"] == EVENTS[0]
    assert polkit.checks[0].details["session"] == "mine"
    assert nobody.get(session, SESSION, "Scope") == "self"
    assert nobody.describe(session)["scope"] == "self"
    assert nobody.describe(session)["spec"]["children"] is True


def test_system_is_what_it_is_without_a_word(polkit, nobody, own):
    session = nobody.create("all", {"events": EVENTS})
    assert nobody.get(session, SESSION, "Scope") == "system"
    session = nobody.create("some", {"events": EVENTS, "pidfds": GLib.Variant("ah", [0])}, fds=[own])
    assert nobody.get(session, SESSION, "Scope") == "system"
    assert [check.action for check in polkit.checks] == [TRACE_SYSTEM] * 2


@pytest.mark.parametrize("mode,name", [("no", DENIED), ("challenge", INTERACTIVE)])
def test_polkit_refuses(polkit, nobody, own, mode, name):
    polkit.actions = {TRACE_SELF: mode}
    assert refused(nobody, own)[0] == name


@pytest.mark.parametrize(
    "options,message",
    [
        ((f"--reuid={DAEMON}", f"--regid={NOBODY}", "--clear-groups"), "user ids"),
        (("--reuid=0", f"--regid={NOBODY}", "--clear-groups"), "user ids"),
        ((f"--ruid={NOBODY}", "--euid=0", f"--regid={NOBODY}", "--clear-groups"), "user ids"),
        (("--ruid=0", f"--euid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"), "user ids"),
        ((f"--reuid={NOBODY}", f"--regid={DAEMON}", "--clear-groups"), "group ids"),
        ((f"--reuid={NOBODY}", f"--rgid={NOBODY}", f"--egid={DAEMON}", "--clear-groups"), "group ids"),
        (
            (f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=+setuid", "--ambient-caps=+setuid"),
            "capabilities",
        ),
    ],
)
def test_process_that_is_or_can_become_somebody_else(polkit, nobody, options, message):
    with process(*options) as (_child, fd):
        name, text = refused(nobody, fd)
        assert name == OUT_OF_SCOPE and message in text
    assert polkit.checks == []


def test_process_without_no_new_privs(polkit, nobody):
    with process(no_new_privs=False) as (_child, fd):
        name, text = refused(nobody, fd)
        assert name == OUT_OF_SCOPE and "no_new_privs" in text and TRACE_SYSTEM in text
        assert polkit.checks == []


def test_one_thread_is_enough(polkit, nobody):
    """The first thread is the caller's in all ids, another one still root's: what the system calls themselves do,
    without the C library, which changes all threads."""
    code = f"""
import ctypes, threading, time
libc = ctypes.CDLL(None)
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
assert libc.syscall(119, {NOBODY}, {NOBODY}, {NOBODY}) == 0  # setresgid
assert libc.syscall(117, {NOBODY}, {NOBODY}, {NOBODY}) == 0  # setresuid
libc.prctl({PR_SET_DUMPABLE}, 1)
print("ready", flush=True)
time.sleep(60)
"""
    command = ["setpriv", "--no-new-privs", "--clear-groups", "/usr/bin/python3", "-c"]
    child = subprocess.Popen([*command, code], stdout=subprocess.PIPE, text=True)
    fd = os.pidfd_open(child.pid)
    try:
        assert child.stdout.readline() == "ready\n"
        name, text = refused(nobody, fd)
        assert name == OUT_OF_SCOPE and f"task {child.pid} " not in text and "user ids" in text
    finally:
        os.close(fd)
        child.kill()
        child.wait()


def test_undumpable_process(polkit, nobody):
    code = f"import ctypes, time; ctypes.CDLL(None).prctl({PR_SET_DUMPABLE}, 0); print('ready', flush=True); time.sleep(60)"
    command = ["setpriv", "--no-new-privs", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    child = subprocess.Popen([*command, "/usr/bin/python3", "-c", code], stdout=subprocess.PIPE, text=True)
    fd = os.pidfd_open(child.pid)
    try:
        assert child.stdout.readline() == "ready\n"
        name, text = refused(nobody, fd)
        assert name == OUT_OF_SCOPE and "undumpable" in text
    finally:
        os.close(fd)
        child.kill()
        child.wait()


def test_one_foreign_process_among_own_ones(polkit, nobody, own):
    with process(f"--reuid={DAEMON}", f"--regid={DAEMON}", "--clear-groups") as (_child, fd):
        assert refused(nobody, own, fd)[0] == OUT_OF_SCOPE


def test_wrong_descriptors(polkit, nobody):
    for path in ["/dev/null", "/", "/proc/self/status"]:
        fd = os.open(path, os.O_RDONLY)
        assert refused(nobody, fd)[0] == BAD_DESCRIPTOR
        os.close(fd)
    with tempfile.TemporaryFile() as file:
        # What reads like the line of a pidfd is in the file and not in its fdinfo.
        file.write(b"pos:\t0\nPid:\t1\n")
        assert refused(nobody, file.fileno())[0] == BAD_DESCRIPTOR


def test_process_that_has_ended(polkit, nobody):
    with process(program=("sleep", "0.2")) as (child, fd):
        os.waitid(os.P_PIDFD, fd, os.WEXITED | os.WNOWAIT)
        assert refused(nobody, fd)[0] == NO_SUCH_PROCESS
        child.wait()
        assert refused(nobody, fd)[0] == NO_SUCH_PROCESS


def test_it_is_checked_again_when_polkit_has_answered(polkit, daemon, nobody):
    """Meanwhile the process may have ended, and its number gone to another."""
    with process() as (child, fd):
        session = nobody.create("later", spec(), fds=[fd])
        child.kill()
        child.wait()
        with pytest.raises(BusError) as caught:
            nobody.session(session, "Start")
        assert caught.value.name == NO_SUCH_PROCESS
    assert not daemon.instances()


@pytest.mark.parametrize(
    "event",
    ["sched:sched_switch", "sched:sched_wakeup", "sched", "signal:signal_generate", "*:*", "sched:sched_process_free"],
)
def test_events_that_tell_of_others(polkit, nobody, own, event):
    name, text = refused(nobody, own, events=[event])
    assert name == OUT_OF_SCOPE and "can tell about processes of others" in text and TRACE_SYSTEM in text
    assert polkit.checks == []


@pytest.mark.settings(safe_events=["sched:sched_sw*"], self_buffer_size="256K", self_buffer_size_max="1M")
def test_what_the_administrator_settles(polkit, root, nobody, own):
    session = nobody.create("switches", spec(events=["sched:sched_switch"]), fds=[own])
    assert refused_event(nobody, own, "sched:sched_waking") == OUT_OF_SCOPE
    nobody.session(session, "Start")
    assert nobody.describe(session)["buffer_size"] < 1 << 20
    with pytest.raises(BusError) as caught:
        nobody.create("large", spec(buffer_size="2M"), fds=[own])
    assert caught.value.name == QUOTA and "self_buffer_size_max" in caught.value.message
    nobody.session(session, "Remove")


@pytest.mark.settings(self_max_event_rate=5000, self_max_cpu_share=100, overhead_grace="1s")
def test_what_it_may_cost(polkit, nobody, own):
    """What needs no authorization has limits, which it can lower and not raise."""
    session = nobody.start("mine", spec(), fds=[own])
    overhead = nobody.describe(session)["overhead"]
    assert (overhead["max_event_rate"], overhead["max_cpu_share"], overhead["policy"]) == (5000, 50, "thin")
    nobody.session(session, "Remove")
    for more, words in [
        ({"max_event_rate": 5001}, ["max_event_rate: 5001", "self_max_event_rate allows 5000"]),
        ({"max_event_rate": 0}, ["max_event_rate: 0", "no limit", "self_max_event_rate"]),
        ({"max_cpu_share": 101}, ["max_cpu_share: 101", "self_max_cpu_share allows 100"]),
        ({"overhead_grace": "2s"}, ["overhead_grace: 2s", "1s"]),
    ]:
        name, text = refused(nobody, own, **more)
        assert name == QUOTA and all(word in text for word in words), text
    name, text = refused(nobody, own, overhead_policy="warn")
    assert name == OUT_OF_SCOPE and "overhead_policy" in text
    assert polkit.checks[1:] == [], "refused before anybody is asked"
    session = nobody.start("mine", spec(max_event_rate=10, max_cpu_share=5, overhead_grace="500ms", overhead_policy="stop"), fds=[own])
    assert nobody.describe(session)["overhead"]["max_event_rate"] == 10


def test_too_much_is_left_out(polkit, nobody):
    with process(program=("perl", "-e", "getppid while 1")) as (_child, fd):
        session = nobody.start("mine", spec(max_event_rate=500, overhead_grace="100ms"), fds=[fd])
        wait_until(lambda: nobody.describe(session).get("thinned") == EVENTS, "it is not left out", timeout=60, interval=0.1)
        assert nobody.describe(session)["state"] == "active"


def refused_event(client, fd, event):
    with pytest.raises(BusError) as caught:
        client.create("refused", spec(events=[event]), fds=[fd])
    return caught.value.name


@pytest.mark.parametrize(
    "more,action",
    [
        ({"symbols": True}, "kernel-addresses"),
        ({"options": ["stacktrace"]}, "trace-system"),
        ({"options": ["userstacktrace"]}, "trace-system"),
        ({"tracer": "function", "all_functions": True}, "trace-functions"),
        ({"mode": "ring"}, "trace-system"),
        ({"probes": ["kprobe:vfs_read"]}, "define-probes"),
    ],
)
def test_keys_that_reveal(polkit, nobody, own, more, action):
    name, text = refused(nobody, own, **more)
    assert name == OUT_OF_SCOPE and f"org.ktraced1.{action}" in text
    assert polkit.checks == []


def test_processes_come_as_descriptors(polkit, nobody, own):
    assert refused(nobody, own, pids=[1])[0] == OUT_OF_SCOPE
    with pytest.raises(BusError) as caught:
        nobody.create("none", {"scope": "self", "events": EVENTS})
    assert caught.value.name == OUT_OF_SCOPE
    with pytest.raises(BusError) as caught:
        nobody.create("none", {"scope": "everything", "events": EVENTS})
    assert caught.value.name == INVALID


def test_filters_cannot_look_at_memory_of_the_kernel(polkit, nobody, own):
    """Whether an event passes must not depend on what is at an address that the program made up."""
    events = ["syscalls:sys_enter_openat"]
    for expression in ['filename ~ "a*"', "dfd == 3 || filename == \"x\"", "flags.function == schedule"]:
        name, text = refused(nobody, own, events=events, filters={events[0]: expression})
        assert name == OUT_OF_SCOPE and "kernel's memory" in text
    for expression in ['filename.ustring ~ "a*"', "flags == 0", 'comm == "cat"']:
        session = nobody.create("fine", spec(events=events, filters={events[0]: expression}), fds=[own])
        nobody.session(session, "Remove")


def in_filter(session, nobody):
    name = nobody.describe(session)["instance"]
    return set(map(int, (INSTANCES / name / "set_event_pid").read_text().split()))


def test_add_process(polkit, daemon, nobody, own):
    session = nobody.start("grows", spec(0))
    assert nobody.get(session, SESSION, "State") == "active"
    nobody.session(session, "AddProcess", "(h)", 0, fds=[own])
    with process(f"--reuid={DAEMON}", f"--regid={DAEMON}", "--clear-groups") as (foreign, fd):
        with pytest.raises(BusError) as caught:
            nobody.session(session, "AddProcess", "(h)", 0, fds=[fd])
        assert caught.value.name == OUT_OF_SCOPE
        assert foreign.pid not in in_filter(session, nobody)
    with process(no_new_privs=False) as (plain, fd):
        with pytest.raises(BusError) as caught:
            nobody.session(session, "AddProcess", "(h)", 0, fds=[fd])
        assert caught.value.name == OUT_OF_SCOPE
        assert plain.pid not in in_filter(session, nobody)
    with process() as (second, fd):
        nobody.session(session, "AddProcess", "(h)", 0, fds=[fd])
        assert second.pid in in_filter(session, nobody)
        assert nobody.get(session, SESSION, "State") == "active"
        name = nobody.describe(session)["instance"]
        assert (INSTANCES / name / "tracing_on").read_text() == "1\n"
    nobody.session(session, "Remove")


def test_root_cannot_add_what_is_not_the_owners(polkit, root, nobody, own):
    session = nobody.start("mine", spec(), fds=[own])
    with process("--reuid=0", "--bounding-set=-all") as (_child, fd):
        with pytest.raises(BusError) as caught:
            root.session(session, "AddProcess", "(h)", 0, fds=[fd])
        assert caught.value.name == OUT_OF_SCOPE
    nobody.session(session, "Remove")


def test_sessions_do_not_share(polkit, daemon, nobody, own):
    sessions = [nobody.start(name, spec(), fds=[own]) for name in ("one", "two")]
    assert len({nobody.describe(session)["instance"] for session in sessions}) == 2
    for session in sessions:
        nobody.session(session, "Remove")


def test_others_cannot_read_the_description(polkit, daemon, nobody, own):
    session = nobody.create("mine", spec(), fds=[own])
    other = daemon.client(DAEMON)
    polkit.mode = "no"
    with pytest.raises(BusError) as caught:
        other.describe(session)
    assert caught.value.name == DENIED
    other.close()
