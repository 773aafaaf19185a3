# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tracer "function" and stack traces, on kernels that people run: what is recorded is what was asked for, sessions
side by side do not see each other's, trace-cmd reads the same lines, and the tracing directory is left as it was."""

import collections
import json
import re

import pytest

import image
import tracing_state
from logins import run_as_user
from programs import FOLDER, functions_of, with_programs
from recording import TRACING, parse, read, record, refused

pytestmark = pytest.mark.seconds(900)

RULES = "/etc/polkit-1/rules.d/10-functions.rules"
WRITES = 500
# A program that calls vfs_write as often as that, and no more.
WRITER = f"dd if=/dev/zero of=/root/written bs=1 count={WRITES} status=none"
# Where each call of the kernel is recorded.
FEW = 20
FEW_WRITES = WRITER.replace(str(WRITES), str(FEW))
BUFFER = "16M"
# What a script begins with that must not run before the test says so.
WAIT = "until [ -e /root/go ]; do sleep 0.1; done"


@pytest.fixture(scope="module")
def tree(installed, tmp_path_factory):
    options = ["-O1", "-fno-omit-frame-pointer", "-no-pie", "-fno-pie"]
    return with_programs(installed, tmp_path_factory.mktemp("stacked"), ("stacked", *options))


@pytest.fixture(scope="module")
def functions_of_stacked(tree):
    return functions_of(tree / FOLDER[1:] / "stacked")


@pytest.fixture(scope="module")
def started(guest):
    guest.run("systemctl start ktraced.service || { journalctl -b -u ktraced.service; exit 1; }", check=True)
    return guest


@pytest.fixture(scope="module")
def before(started):
    """The settings once everything that can be used has been used."""
    started.run(f"ktracectl record -q -p function -l vfs_write -o /root/first.dat -F -- {WRITER}", check=True)
    return tracing_state.read_guest(started)


@pytest.fixture(autouse=True)
def nothing_left(request, before, started):
    yield
    for session in json.loads(started.run("ktracectl --json=short session list", check=True).stdout):
        started.run(["ktracectl", "session", "remove", session["id"]], check=True)
    assert tracing_state.differences(before, tracing_state.read_guest(started)) == []
    assert started.run(f"cat {TRACING}/enabled_functions", check=True).stdout == "", "functions are still patched"
    assert started.run(f"ls {TRACING}/instances", check=True).stdout == ""


def functions(events):
    return collections.Counter(event.text for event in events if event.name == "function")


def start(guest, name, options):
    return guest.run(f"ktracectl session start {name} {options}", check=True).stdout.strip()


def stop(guest, name):
    """The events of a session that is stopped now and removed."""
    guest.run(["ktracectl", "session", "stop", name], check=True)
    (capture,) = json.loads(guest.run(f"ktracectl --json=short capture list {name}", check=True).stdout)
    guest.run(["ktracectl", "session", "remove", name], check=True)
    guest.run(f"rm -f /root/s.dat; ktracectl capture export --segment=1 {capture['id']} /root/s.dat", check=True)
    return read(guest, "/root/s.dat")


def listed(guest, pattern):
    return guest.run(["ktracectl", "--no-legend", "list", "functions", pattern], check=True).stdout.splitlines()


def test_functions_are_listed_as_the_kernel_has_them(started):
    kernel = started.run(f"cat {TRACING}/available_filter_functions", check=True).stdout.splitlines()
    kernel = {line for line in kernel if not line.startswith("__ftrace_invalid_address__")}
    assert set(listed(started, "*")) == kernel
    assert set(listed(started, "vfs_rea*")) == {line for line in kernel if line.startswith("vfs_rea")}
    assert listed(started, "no_such_function") == []


def test_glob_and_notrace(started):
    found = functions(record(started, "-p function -l 'vfs_w*' -l ksys_write -n vfs_writev -F", WRITER))
    assert found["vfs_write"] == found["ksys_write"] == WRITES
    assert set(found) <= {"ksys_write", *listed(started, "vfs_w*")} - {"vfs_writev"}


def test_module(started):
    """By a module's functions, which also the notrace list knows by the module."""
    started.run("modprobe configfs; mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config", check=True)
    module = {line.split()[0] for line in listed(started, ":mod:configfs")}
    assert module and all(line.endswith(" [configfs]") for line in listed(started, "*:mod:configfs"))
    found = functions(record(started, "-p function -l :mod:configfs", "ls /sys/kernel/config"))
    assert found and set(found) <= module, "it is a function of another"
    found = functions(record(started, "-p function -l '*configfs*' -n '*:mod:configfs'", "ls /sys/kernel/config"))
    assert not set(found) & module


def test_many_functions(started):
    """So many that they are set by their places in the kernel's list."""
    names = listed(started, "ext4_*")[:100]
    assert len(names) == 100
    session = start(started, "many", f"-p function -l {','.join(names)} -n ext4_a*,ext4_b*,ext4_c*,ext4_d*,ext4_e*")
    folder = f"{TRACING}/instances/ktraced-{session}"
    assert sorted(set(started.run(f"cat {folder}/set_ftrace_filter", check=True).stdout.split("\n")[:-1])) == sorted(names)
    left_out = started.run(f"cat {folder}/set_ftrace_notrace", check=True).stdout.split()
    assert set(left_out) == {line.split()[0] for line in listed(started, "ext4_[a-e]*")}
    stop(started, "many")


def test_only_the_processes(started):
    script = f"{WAIT}; echo x >/root/own; {WRITER}; echo y >/root/own"
    for options, others in [("", 0), ("-c", WRITES)]:
        (pid, _) = started.run(
            f"rm -f /root/go; sh -c '{script}' >/dev/null & echo $!;"
            f"ktracectl session start pids -p function -l vfs_write -P $! {options}; touch /root/go; wait $!",
            check=True,
        ).stdout.split()
        events = stop(started, "pids")
        counts = collections.Counter(event.pid == int(pid) for event in events)
        assert counts[True] == 2 and counts[False] == others, events


def test_a_process_that_is_added(started):
    script = f"{WAIT}; for i in 1 2 3 4 5; do echo x >/root/own; done"
    start(started, "added", "-p function -l vfs_write -P 1")
    pid = int(
        started.run(
            f"rm -f /root/go; sh -c '{script}' >/dev/null & echo $!; ktracectl session attach added $!; touch /root/go; wait $!", check=True
        ).stdout
    )
    assert functions(event for event in stop(started, "added") if event.pid == pid) == {"vfs_write": 5}


def test_stacks_of_functions(started):
    events = record(started, "-p function -l vfs_write --func-stack -F", WRITER)
    calls = [event for event in events if event.name == "function"]
    stacks = [event for event in events if event.name == "kernel_stack"]
    assert len(calls) == len(stacks) == WRITES
    assert all("ksys_write" in event.stack and "vfs_write" in event.stack for event in stacks)


def test_sessions_side_by_side(started):
    """The option for stacks is one variable in the kernel: it must not reach the other sessions, whether they are
    started before or after."""
    start(started, "before", "-p function -l vfs_write")
    start(started, "stacks", "-p function -l vfs_read --func-stack")
    start(started, "after", "-p function -l vfs_w* -n vfs_write -l ksys_write")
    start(started, "events", "-e sched:sched_process_exit")
    started.run(WRITER, check=True)
    found = {name: stop(started, name) for name in ["stacks", "after", "events", "before"]}
    assert {event.name for event in found["stacks"]} == {"function", "kernel_stack"}
    assert set(functions(found["stacks"])) == {"vfs_read"}
    assert {event.name for event in found["before"]} == {"function"}
    assert set(functions(found["before"])) == {"vfs_write"}
    assert {event.name for event in found["after"]} == {"function"}
    assert "vfs_write" not in functions(found["after"]) and functions(found["after"])["ksys_write"] >= WRITES
    assert {event.name for event in found["events"]} == {"sched_process_exit"}
    assert functions(event for event in found["before"] if event.comm == "dd") == {"vfs_write": WRITES}


def test_functions_and_events_in_one_session(started):
    events = record(started, "-p function -l vfs_write -e syscalls:sys_enter_write -F", WRITER)
    counts = collections.Counter(event.name for event in events if event.comm == "dd")
    assert counts["function"] == counts["sys_enter_write"] == WRITES


def test_stacks_with_events(started):
    events = record(started, "-e sched:sched_process_exec -T", "true")
    exec_ = next(i for i, event in enumerate(events) if event.name == "sched_process_exec")
    assert events[exec_ + 1].name == "kernel_stack" and "bprm_execve" in " ".join(events[exec_ + 1].stack)


def test_stacks_of_programs(started, functions_of_stacked):
    """Each with the functions that were being called, from the inmost one on."""
    events = record(started, "-e syscalls:sys_enter_getpgid --user-stack -F", "stacked 3")
    assert [event.name for event in events] == ["sys_enter_getpgid", "user_stack"] * 3
    for event in events[1::2]:
        # The first address is beside the name of the event.
        addresses = [int(word, 16) for word in [event.text.split()[1], *event.stack]]
        for name, address in zip(["inner", "outer", "main"], addresses):
            start, end = functions_of_stacked[name]
            assert start < address < end, f"{address:x} is not in {name}"


def test_all_functions_must_be_asked_for(started):
    assert "all_functions" in refused(started, "-p function")
    known = {line.split()[0] for line in listed(started, "*")}
    events = record(started, f"-p function --all-functions -b {BUFFER} -F", FEW_WRITES)
    found = functions(events)
    assert len({event.pid for event in events}) == 1
    # Nothing is lost: what is called once for each write is there as often as that.
    assert found["vfs_write"] == found["ksys_write"] == FEW
    assert len(found) > 300 and set(found) <= known, set(found) - known


def test_all_functions_for_a_second(started):
    """Of a process that was there before, under the name of a session; each function of the kernel is patched meanwhile."""
    (pid,) = started.run("sh -c 'while :; do echo x >/root/own; sleep 0.1; done' >/dev/null 2>&1 & echo $!", check=True).stdout.split()
    try:
        start(started, "all", f"-p function --all-functions -b {BUFFER} -P {pid}")
        patched = len(started.run(f"cat {TRACING}/enabled_functions", check=True).stdout.splitlines())
        assert patched >= len(listed(started, "*"))
        started.run("sleep 1", check=True)
        events = stop(started, "all")
    finally:
        started.run(["kill", pid], check=True)
    found = functions(events)
    assert {event.pid for event in events} == {int(pid)} and found["vfs_write"] > 0 and len(found) > 100


@pytest.mark.parametrize(
    "options,words",
    [
        ("-p function -l vfs_raed", ["functions", '"vfs_raed"', 'did you mean "vfs_read"?']),
        ("-p function -l 'vfs_zz*'", ["functions", '"vfs_zz*"']),
        ("-p function -l vfs_read -n :mod:nosuchmodule", ["functions_notrace", "nosuchmodule"]),
        ("-p function -l vfs_read:traceoff", ["functions", "vfs_read:traceoff", "^"]),
        ("-p functoin -l vfs_read", ["tracer", "functoin", 'did you mean "function"?']),
        ("-p wakeup", ["tracer: wakeup", "CONFIG_SCHED_TRACER"]),
        ("-p hwlat", ["tracer: hwlat", "CONFIG_HWLAT_TRACER"]),
        ("-p mmiotrace", ["tracer: mmiotrace", "CPUs"]),
        ("-p blk", ["tracer: blk", "block"]),
        ("-l vfs_read -e sched", ["functions", "tracer"]),
    ],
)
def test_refusals(started, options, words):
    output = refused(started, options)
    for word in words:
        assert word in output


def test_names_are_there_though_the_service_has_no_capability(started):
    pid = started.run("systemctl show --value --property MainPID ktraced.service", check=True).stdout.strip()
    assert re.search(r"^CapEff:\s*0+$", started.run(f"cat /proc/{pid}/status", check=True).stdout, re.MULTILINE)
    events = record(started, "-p function -l vfs_write --func-stack -F", WRITER)
    assert not [event for event in events if event.name == "function" and not re.fullmatch(r"[a-z_]\w*", event.text)]


def test_a_user_needs_both_actions(started):
    """Leave to trace the system and its functions is not enough: what is recorded are addresses."""
    rule = 'polkit.addRule(function(action, subject) { if (subject.user == "%s" && %s.indexOf(action.id) >= 0) return "yes"; });'
    actions = ["org.ktraced1.trace-system", "org.ktraced1.trace-functions", "org.ktraced1.kernel-addresses"]
    command = f"cd; rm -f own.dat; ktracectl --no-ask-password record -q -p function -l vfs_write -o own.dat -F -- {WRITER.replace('/root/', './')}"
    try:
        for n, expected in [(2, 1), (3, 0)]:
            started.put(RULES, rule % (image.USER, json.dumps(actions[:n])))
            started.run("systemctl reset-failed polkit.service; systemctl restart polkit.service", check=True)
            status, output = run_as_user(started, command)
            assert status == expected, output
            assert expected == 0 or "authentication is required" in output
        status, text = run_as_user(started, "trace-cmd report -i ~/own.dat")
        assert status == 0 and functions(parse(text)) == {"vfs_write": WRITES}
    finally:
        started.run(f"rm -f {RULES}; systemctl reset-failed polkit.service; systemctl restart polkit.service", check=True)


def test_a_killed_daemon_leaves_no_function_patched(started):
    start(started, "killed", "-p function -l vfs_write --func-stack")
    assert started.run(f"cat {TRACING}/enabled_functions", check=True).stdout.startswith("vfs_write")
    started.run(["systemctl", "kill", "--kill-whom=main", "--signal=KILL", "ktraced.service"], check=True)
    started.run("for i in $(seq 60); do sleep 1; ktracectl -q session list >/dev/null && exit 0; done; exit 1", check=True)
