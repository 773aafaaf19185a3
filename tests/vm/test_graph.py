# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tracer "function_graph": the call tree is trace-cmd's to the line; what the kernel has only once is lent to one
session at a time, is taken from nobody else, and comes back as it was, also after the daemon was killed.

On 6.1 the tracer needs the top-level buffer, on 6.12 it runs in instances. Functions are filtered here but once, since it
takes an emulated machine seconds to patch them all."""

import collections
import json
import re

import pytest

import tracing_state

pytestmark = pytest.mark.seconds(900)

TRACING = "/sys/kernel/tracing"
# On one CPU: trace-cmd 3.1.6 mixes up the order of what follows a call that returns on another one.
READER = "taskset -c 1 dd if=/dev/zero of=/root/written bs=1 count=200 status=none"
# Of which everything is recorded.
FEW = 20
FEW_READS = f"dd if=/dev/zero of=/root/written bs=1 count={FEW} status=none"
GRAPH = "-p function_graph -l 'vfs_*'"
LINE = re.compile(r"^ *(?P<comm>.+)-\d+ +\[\d+\] +[\d.]+: (?P<event>\w+): *(?P<text>.*)$")


def in_instances(guest):
    return guest.kernel != "6.1"


@pytest.fixture(scope="module")
def started(guest):
    guest.run("systemctl start ktraced.service || { journalctl -b -u ktraced.service; exit 1; }", check=True)
    return guest


@pytest.fixture(scope="module", autouse=True)
def everything_is_as_before(started):
    """Looked at once for all tests, since it takes the guest a while."""
    started.run(f"ktracectl record -q {GRAPH} -F -o /root/first.dat -- {READER}", check=True)
    before = tracing_state.read_guest(started)
    yield
    assert tracing_state.differences(before, tracing_state.read_guest(started)) == []


def sessions(guest):
    return json.loads(guest.run("ktracectl --json=short session list", check=True).stdout)


@pytest.fixture(autouse=True)
def nothing_left(started):
    yield
    for session in sessions(started):
        started.run(["ktracectl", "session", "remove", session["id"]], check=True)
    assert started.run(f"cat {TRACING}/enabled_functions", check=True).stdout == "", "functions are still patched"
    assert started.run("ls /run/ktraced", check=True).stdout == ""


def read(guest, path, judged=True):
    """The lines of a file as (comm, event, text), after seeing that trace-cmd prints the same, which it can only when
    no call returns on another CPU than it was made on."""
    guest.run(["trace-cmd", "dump", "--validate", "-i", path], check=True)
    ours = guest.run(["ktracectl", "--no-pager", "report", path], check=True).stdout.splitlines()
    if judged:
        theirs = guest.run(["trace-cmd", "report", "-i", path], check=True).stdout.splitlines()
        assert theirs[0].startswith("cpus=")
        assert ours == theirs[1:]
    matches = [LINE.match(line) for line in ours]
    assert all(matches), ours
    return [(match["comm"], match["event"], match["text"]) for match in matches]


def record(guest, options, program=READER):
    path = "/root/graph.dat"
    done = guest.run(f"rm -f {path}; ktracectl record -q {options} -F -o {path} -- {program}")
    assert done.status == 0, done.output
    return read(guest, path)


def start(guest, name, options):
    guest.run(f"ktracectl session start {name} {options}", timeout=300, check=True)


def stop(guest, name):
    """The lines of a session that is stopped now and removed."""
    guest.run(["ktracectl", "session", "stop", name], check=True)
    (capture,) = json.loads(guest.run(f"ktracectl --json=short capture list {name}", check=True).stdout)
    guest.run(["ktracectl", "session", "remove", name], check=True)
    guest.run(f"rm -f /root/s.dat; ktracectl capture export --segment=1 {capture['id']} /root/s.dat", check=True)
    return read(guest, "/root/s.dat", judged=False)


def refused(guest, options, name="refused"):
    done = guest.run(f"ktracectl session start {name} {options}")
    assert done.status == 1, done.output
    return done.output


def calls(lines):
    """The depth and the function of each call."""
    found = []
    for _, event, text in lines:
        match = re.match(r"^.*\|  ( *)(\w[\w.]*)\(\)", text)
        if event == "funcgraph_entry":
            found.append((len(match[1]) // 2, match[2]))
    return found


def functions_of_reader(lines):
    """Not those of older tasks, which the kernel may have marked as calling from a graph function while tracing was
    off at the end of a session before: it takes one call of each for such a one (see kernel/graph.h)."""
    return {name for _, name in calls(line for line in lines if line[0] == "dd")}


def test_the_call_tree_is_that_of_trace_cmd(started):
    lines = record(started, GRAPH)
    assert {comm for comm, _, _ in lines} == {"dd"}
    found = calls(lines)
    assert found.count((0, "vfs_read")) >= 200 and found.count((0, "vfs_write")) >= 200
    assert max(depth for depth, _ in found) >= 2
    # Every call that is no leaf has its return, and the tree closes.
    assert sum(text.endswith("{") for _, _, text in lines) == sum(text.endswith("}") for _, _, text in lines)
    assert any(re.match(r"^[+!#$ ] *\d+\.\d{3} us +\|  vfs_read\(\);$", text) for _, _, text in lines)


def test_all_functions_must_be_asked_for(started):
    """Thousands of them, patched at once: the tree is still that of trace-cmd, to the line."""
    assert "all_functions" in refused(started, "-p function_graph")
    path = "/root/all.dat"
    started.run(f"taskset -c 1 ktracectl record -q -p function_graph --all-functions -b 16M -F -o {path} -- {FEW_READS}", timeout=300, check=True)
    lines = read(started, path)
    started.run(f"rm {path}", check=True)
    # Which task is recorded, the kernel decides some calls before a processor switches to it: these are another's.
    of_dd = [line for line in lines if line[0] == "dd"]
    assert len(of_dd) > 0.9 * len(lines), collections.Counter(comm for comm, _, _ in lines)
    found = calls(of_dd)
    names = [name for _, name in found]
    assert names.count("ksys_write") == names.count("vfs_write") == FEW and len(set(names)) > 300
    assert max(depth for depth, _ in found) > 10
    # The last calls of a program do not return.
    assert 0 <= sum(text.endswith("{") for _, _, text in of_dd) - sum(text.endswith("}") for _, _, text in of_dd) < 10


def test_json_has_the_duration_of_each_return(started):
    started.run(f"ktracectl record -q {GRAPH} -F -o /root/graph.dat -- {READER}; true", check=True)
    text = started.run("ktracectl --no-pager report --json /root/graph.dat", check=True).stdout
    events = [json.loads(line) for line in text.splitlines()]
    entries = [event for event in events if event["event"] == "funcgraph_entry"]
    exits = [event for event in events if event["event"] == "funcgraph_exit"]
    assert len(entries) == len(exits) > 400
    for event in exits:
        assert event["duration"] == event["fields"]["rettime"] - event["fields"]["calltime"] > 0
    started.run("rm -f /root/graph.dat", check=True)


def test_what_is_recorded_can_be_narrowed(started):
    everything = calls(record(started, GRAPH))
    (deep,) = {name for depth, name in everything if depth == 2}
    (outer,) = {name for depth, name in everything if depth == 0 and name.startswith("vfs_fstat")}
    within = calls(record(started, f"{GRAPH} -g {outer}"))
    assert {name for depth, name in within if depth == 0} == {outer}
    assert (2, deep) in within
    without = calls(record(started, f"{GRAPH} --graph-notrace {deep}"))
    assert deep not in {name for _, name in without} and (0, "vfs_read") in without
    flat = calls(record(started, f"{GRAPH} --max-graph-depth 1"))
    assert {depth for depth, _ in flat} == {0} and (0, outer) in flat


def test_options_of_the_tracer_are_the_sessions(started):
    start(started, "options", f"{GRAPH} -O nosleep-time,nofuncgraph-irqs")
    for option in ["sleep-time", "funcgraph-irqs"]:
        assert started.run(f"cat {TRACING}/options/{option}", check=True).stdout == "0\n"
    assert calls(stop(started, "options")) is not None
    message = refused(started, "-p function -l vfs_read -O nosleep-time")
    assert "sleep-time" in message and "tracer" in message


def test_events_and_probes_stand_among_the_calls(started):
    options = f"{GRAPH} -e sched:sched_process_exit -e syscalls:sys_enter_exit_group --probe 'kprobe:do_sys_openat2'"
    lines = record(started, options)
    events = {event for _, event, _ in lines}
    assert {"funcgraph_entry", "sched_process_exit"} <= events
    assert any("openat2" in event for event in events), events


def test_two_sessions_at_once(started):
    start(started, "one", "-p function_graph -l vfs_read")
    if in_instances(started):
        start(started, "two", "-p function_graph -l vfs_write")
        started.run(READER, check=True)
        first, second = calls(stop(started, "one")), calls(stop(started, "two"))
        assert {name for _, name in first} == {"vfs_read"} and len(first) >= 200
        assert {name for _, name in second} == {"vfs_write"} and len(second) >= 200
        return
    message = refused(started, "-p function_graph -l vfs_write", "two")
    assert 'in use by the session "one"' in message
    # Equal ones share.
    start(started, "three", "-p function_graph -l vfs_read")
    # Others are not concerned.
    start(started, "events", "-e sched:sched_process_exec")
    started.run(READER, check=True)
    for name in ["one", "three"]:
        assert {found for _, found in calls(stop(started, name))} == {"vfs_read"}
    assert {event for _, event, _ in stop(started, "events")} == {"sched_process_exec"}


def test_other_settings_are_refused_with_the_holders_name(started):
    start(started, "holder", "-p function_graph -l vfs_read,vfs_write -g vfs_read")
    message = refused(started, "-p function_graph -l vfs_read,vfs_write -g vfs_write")
    assert 'in use by the session "holder"' in message
    message = refused(started, "-p function_graph -l vfs_read,vfs_write")
    assert 'in use by the session "holder"' in message
    started.run(READER, check=True)
    assert functions_of_reader(stop(started, "holder")) == {"vfs_read"}
    start(started, "next", "-p function_graph -l vfs_read,vfs_write -g vfs_write")
    started.run(READER, check=True)
    assert functions_of_reader(stop(started, "next")) == {"vfs_write"}


@pytest.fixture
def used(started):
    """A function that sets something as another tool would, undone at the end."""
    undo = []

    def use(file, value, undo_value):
        undo.append((file, undo_value))
        started.run(f"echo '{value}' >{TRACING}/{file}", check=True)

    yield use
    for file, value in reversed(undo):
        started.run(f"echo {value} >{TRACING}/{file}", check=True)


def test_settings_of_others_come_back(started, used):
    used("trace_clock", "global", "local")
    used("max_graph_depth", "3", "0")
    used("set_graph_notrace", "vfs_read", "")
    used("set_ftrace_filter", "vfs_write", "")
    used("set_ftrace_notrace", "vfs_open", "")
    used("tracing_thresh", "7", "0")
    used("options/sleep-time", "0", "1")
    used("options/stacktrace", "1", "0")
    used("tracing_cpumask", "1", "3")
    used("events/sched/sched_process_exit/filter", "pid > 5", "0")
    used("set_event_pid", "1", "")
    used("set_ftrace_pid", "1", "")
    set_by_others = tracing_state.read_guest(started)
    lines = record(started, f"{GRAPH} -b 3M -C mono -e sched:sched_process_exit")
    assert calls(lines).count((0, "vfs_read")) >= 200
    assert tracing_state.differences(set_by_others, tracing_state.read_guest(started)) == []


def test_the_top_level_is_not_taken_from_another_tool(started, used):
    used("set_ftrace_filter", "vfs_open", "")
    used("current_tracer", "function_graph", "nop")
    set_by_others = tracing_state.read_guest(started)
    message = refused(started, GRAPH)
    assert "in use by another program" in message
    assert tracing_state.differences(set_by_others, tracing_state.read_guest(started)) == []


def test_events_and_readers_of_another_tool_are_left_alone(started, used):
    if in_instances(started):
        pytest.skip("the top-level buffer is not needed on this kernel")
    used("events/sched/sched_process_exec/enable", "1", "0")
    assert "events are enabled there" in refused(started, GRAPH)
    used("events/sched/sched_process_exec/enable", "0", "0")
    started.run(f"sh -c 'exec sleep 300 <{TRACING}/trace_pipe' >/dev/null 2>&1 & echo $! >/root/reader; sleep 1", check=True)
    assert "trace_pipe" in refused(started, GRAPH)
    started.run("kill $(cat /root/reader); sleep 1", check=True)


@pytest.mark.parametrize("options", ["-g vfs_raed", "--graph-notrace vfs_raed"])
def test_unknown_functions_are_refused(started, options):
    message = refused(started, f"{GRAPH} {options}")
    assert "vfs_raed" in message and "vfs_read" in message


def test_a_killed_daemon_leaves_nothing(started):
    started.run(f"echo 5 >{TRACING}/max_graph_depth", check=True)
    before = tracing_state.read_guest(started)
    start(started, "killed", f"{GRAPH} -g vfs_read -e sched:sched_process_exec -C mono")
    during = tracing_state.differences(before, tracing_state.read_guest(started))
    assert any(line.startswith("set_graph_function") for line in during)
    assert any(line.startswith("current_tracer") for line in during) != in_instances(started)
    started.run("systemctl kill --kill-whom=main --signal=KILL ktraced.service", check=True)
    started.run("for i in $(seq 60); do sleep 1; systemctl is-active --quiet ktraced.service && exit 0; done; exit 1", check=True)
    assert sessions(started) == []
    assert tracing_state.differences(before, tracing_state.read_guest(started)) == []
    journal = started.run("journalctl -b -u ktraced.service --no-pager -o cat", check=True).stdout
    assert 'Restored the kernel\'s settings that an earlier daemon had lent to the session "killed"' in journal
    started.run(f"echo 0 >{TRACING}/max_graph_depth", check=True)
