# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sessions of different tracers, filters and probes at the same time: each has its own lines, every one of them, and not
one of another's; when all have ended, every setting of the tracing directory is what it was."""

import collections
import json
import re

import pytest

import tracing_state
from programs import with_programs
from recording import TRACING, parse, read

pytestmark = pytest.mark.seconds(900)

CALLS = 2000
PROBED = "/usr/local/bin/probed"
# A descriptor that no other program has.
FD = 900
# Reads 1, 2, 3 ... bytes on it, and has the probed program do its calls.
LOAD = f"""
import os, subprocess
os.dup2(os.open("/dev/zero", os.O_RDONLY), {FD})
for n in range(1, {CALLS} + 1):
    os.read({FD}, n)
subprocess.run(["{PROBED}", "{CALLS}"], input=b"g", stdout=subprocess.DEVNULL, check=True)
"""
QUERY = (
    "lat=SELECT start.pid, (end.TIMESTAMP_USECS - start.TIMESTAMP_USECS) AS usecs "
    "FROM sched_waking AS start JOIN sched_switch AS end ON start.pid = end.next_pid"
)
SIZES = "size=%dx:u64 fd=%di:s32"
# name: options. Those whose name begins with "graph" are at the same time only where the kernel can.
SESSIONS = {
    "execs": "-e sched:sched_process_exec",
    "reads": f"-e syscalls:sys_enter_read -f 'fd == {FD} && count <= 500'",
    "larger": f"-e syscalls:sys_enter_read -f 'fd == {FD} && count > 500'",
    "calls": "-p function -l vfs_write",
    "stacks": "-p function -l vfs_open --func-stack",
    "graph": "-p function_graph -l vfs_read",
    "graph-too": "-p function_graph -l vfs_write",
    "probe": f"--probe 'work=kprobe:ksys_read {SIZES}' -f 'fd == {FD} && size <= 700'",
    "probe-too": f"--probe 'work=kprobe:ksys_read {SIZES}' -f 'fd == {FD} && size > 700'",
    "program": f"--probe 'work=uprobe:{PROBED}:probed_function number=%di:s64'",
    "returns": f"--probe 'work=uretprobe:{PROBED}:probed_function value=$retval:s64' -f 'value >= 3000'",
    "query": f"--sql '{QUERY}'",
    "table": f"--hist 'syscalls:sys_enter_read keys=fd if fd == {FD}'",
    "trigger": "-e sched:sched_process_exit -R stacktrace:3",
}


@pytest.fixture(scope="module")
def tree(installed, tmp_path_factory):
    return with_programs(installed, tmp_path_factory.mktemp("beside"), ("probed", "-O1"))


def start_all(guest):
    graphs = [name for name in SESSIONS if name.startswith("graph")]
    left_out = graphs[1:] if guest.kernel == "6.1" else []
    names = [name for name in SESSIONS if name not in left_out]
    for name in names:
        guest.run(f"ktracectl session start {name} -b 4M {SESSIONS[name]}", timeout=300, check=True)
    return names


def end(guest, name):
    """The events of a session, which trace-cmd reads alike, where the order of what it prints is certain."""
    guest.run(["ktracectl", "session", "stop", name], timeout=300, check=True)
    (capture,) = json.loads(guest.run(f"ktracectl --json=short capture list {name}", check=True).stdout)
    assert capture["lost"] == 0
    guest.run(["ktracectl", "session", "remove", name], check=True)
    guest.run(f"rm -f /root/s.dat; ktracectl capture export --segment=1 {capture['id']} /root/s.dat", check=True)
    guest.run(["ktracectl", "capture", "delete", capture["id"]], check=True)
    return None if name.startswith("graph") else read(guest, "/root/s.dat")


def graph_functions(guest):
    """How often each function is called in a graph; the file is that of the session that was ended last."""
    events = parse(guest.run("ktracectl --no-pager report /root/s.dat", timeout=300, check=True).stdout)
    assert names(events) <= {"funcgraph_entry", "funcgraph_exit"}
    called = [re.search(r"\|  +(\w[\w.]*)\(\)", event.text) for event in events if event.name == "funcgraph_entry"]
    assert all(called)
    return collections.Counter(match[1] for match in called)


def numbers(events, name):
    """The values of a field, in order."""
    return [int(event.text.split(f"{name}=")[1].split()[0], 0) for event in events]


def names(events):
    return {event.name for event in events}


@pytest.fixture(scope="module")
def before(guest):
    """The settings once everything has been used: the kernel keeps some files of the first use for good."""
    for options in [" ".join(SESSIONS[name] for name in ["stacks", "trigger", "probe", "table", "query"]), SESSIONS["graph"]]:
        guest.run(f"ktracectl session start used {options} && ktracectl session remove used", timeout=300, check=True)
    return tracing_state.read_guest(guest)


def test_each_has_its_own(guest, before):
    started = start_all(guest)
    rows = json.loads(guest.run("ktracectl --json=short session list", check=True).stdout)
    assert {row["name"]: row["state"] for row in rows} == dict.fromkeys(started, "active")
    guest.put("/root/load.py", LOAD)
    guest.run(["python3", "/root/load.py"], timeout=300, check=True)
    table = json.loads(guest.run("ktracectl --json=short hist table", check=True).stdout)
    found, graphs = {}, {}
    for name in started:
        found[name] = end(guest, name)
        if name.startswith("graph"):
            graphs[name] = graph_functions(guest)

    assert names(found["execs"]) == {"sched_process_exec"}
    assert len([event for event in found["execs"] if f"filename={PROBED} " in event.text + " "]) == 1
    assert names(found["reads"]) == names(found["larger"]) == {"sys_enter_read"}
    assert (len(found["reads"]), len(found["larger"])) == (500, CALLS - 500)
    assert names(found["calls"]) == {"function"} and {event.text for event in found["calls"]} == {"vfs_write"}
    assert names(found["stacks"]) == {"function", "kernel_stack"}
    assert {event.text for event in found["stacks"] if event.name == "function"} == {"vfs_open"}
    assert set(graphs["graph"]) == {"vfs_read"} and graphs["graph"]["vfs_read"] >= CALLS
    if "graph-too" in graphs:
        assert set(graphs["graph-too"]) == {"vfs_write"}
    for name, expected in [("probe", range(1, 701)), ("probe-too", range(701, CALLS + 1))]:
        assert names(found[name]) == {"work"}
        assert numbers(found[name], "size") == list(expected)
    assert names(found["program"]) == names(found["returns"]) == {"work"}
    assert numbers(found["program"], "number") == list(range(CALLS))
    assert numbers(found["returns"], "value") == list(range(3000, 3 * CALLS, 3))
    assert names(found["query"]) == {"lat"}
    assert [row["values"]["hitcount"] for row in table[0]["rows"]] == [CALLS]
    assert names(found["trigger"]) == {"sched_process_exit", "kernel_stack"}
    assert len([event for event in found["trigger"] if event.name == "kernel_stack"]) == 3


def test_nothing_is_left(guest, before):
    """After the sessions of the test before, all at the same time, have ended."""
    assert tracing_state.differences(before, tracing_state.read_guest(guest)) == []
    left = f"cd {TRACING}; ls instances; cat dynamic_events enabled_functions; ls /run/ktraced"
    assert guest.run(left, check=True).stdout == ""
