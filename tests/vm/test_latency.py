# SPDX-License-Identifier: LGPL-2.1-or-later
"""The latency tracers, on Debian's real-time kernel, which is the one that has them (no irqsoff and preemptoff, though)."""

import collections
import itertools

import pytest

import rt
import tracing_state
import vm
from recording import TRACING, read, record, refused

pytestmark = pytest.mark.seconds(900)

# Wakes real-time tasks again and again.
LOAD = "sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do chrt -f 50 sleep 0.02; done'"


@pytest.fixture(scope="module")
def guest(tree):
    with vm.Guest(rt.KERNEL, tree) as guest:
        yield guest


@pytest.fixture(scope="module")
def started(guest):
    guest.run("systemctl start ktraced.service || { journalctl -b -u ktraced.service; exit 1; }", check=True)
    return guest


@pytest.fixture(scope="module")
def before(started):
    """The settings once everything that can be used has been used."""
    record(started, "-p wakeup_rt", LOAD)
    return tracing_state.read_guest(started)


@pytest.fixture(autouse=True)
def nothing_left(before, started):
    yield
    assert tracing_state.differences(before, tracing_state.read_guest(started)) == []
    assert started.run(f"cat {TRACING}/enabled_functions; ls {TRACING}/instances", check=True).stdout == ""


def names(events):
    return collections.Counter(event.name for event in events)


@pytest.mark.parametrize("tracer", ["wakeup", "wakeup_rt"])
def test_wakeups(started, tracer):
    """All of them, one after the other, and not what is left when each new maximum has taken the buffer away."""
    found = record(started, f"-p {tracer} -e sched:sched_process_exit", LOAD)
    count = names(found)
    assert count["wakeup"] > 10 and count["context_switch"] > 10, count
    # A wakeup is followed by the switch to that task, also where the latency is not the longest so far.
    kinds = [event.name for event in found if event.name in ("wakeup", "context_switch")]
    pairs = collections.Counter(itertools.pairwise(kinds))
    assert pairs["wakeup", "context_switch"] > 0.9 * count["context_switch"], pairs
    assert sum(event.comm == "sleep" for event in found if event.name == "sched_process_exit") == 10


def test_functions_on_the_way(started):
    """Only with some that are named, and only these; without, no function of the kernel is patched. (The tracer itself
    records two functions at each wakeup, where it begins and where it ends.)"""
    own = {event.text for event in record(started, "-p wakeup_rt", LOAD) if event.name == "function"}
    found = {event.text for event in record(started, "-p wakeup_rt -l schedule -l enqueue_task_rt", LOAD) if event.name == "function"}
    assert found - own and found - own <= {"schedule", "enqueue_task_rt"}


@pytest.mark.parametrize("tracer", ["hwlat", "osnoise", "timerlat"])
def test_noise(started, tracer):
    found = record(started, f"-p {tracer}", "sleep 5")
    assert names(found)[tracer] >= 2, found
    assert set(names(found)) == {tracer}


def test_deadline_tasks(started):
    # A program that does not fork, which such a task may not.
    program = "python3 -c 'import time; [time.sleep(0.02) for _ in range(8)]'"
    found = record(started, "-p wakeup_dl", f"chrt -d -T 1000000 -P 50000000 -D 50000000 0 {program}")
    assert "wakeup" in names(found), found


@pytest.mark.parametrize("tracer,other", [("hwlat", "hwlat"), ("wakeup", "wakeup_rt")])
def test_only_one_at_a_time(started, tracer, other):
    started.run(f"ktracectl session start first -p {tracer}", check=True)
    # Not with the same spec, which would share what the first has.
    done = started.run(f"ktracectl session start second -p {other} -e sched:sched_process_exit")
    assert done.status == 1 and f"tracer: {other} runs already" in done.output, done.output
    started.run("ktracectl session remove first", check=True)


def test_an_event_session_beside_it_sees_nothing_of_it(started):
    started.run("ktracectl session start events -e sched:sched_process_exit", check=True)
    record(started, "-p wakeup", LOAD)
    started.run("ktracectl session stop events", check=True)
    capture = started.run("ktracectl --no-legend capture list events", check=True).stdout.split()[0]
    started.run(f"rm -f /root/e.dat; ktracectl capture export --segment=1 {capture} /root/e.dat; ktracectl session remove events", check=True)
    assert set(names(read(started, "/root/e.dat"))) == {"sched_process_exit"}


def test_what_the_kernel_lacks(started):
    assert "CONFIG_IRQSOFF_TRACER" in refused(started, "-p irqsoff")
    assert "functions: needs a tracer" in refused(started, "-p hwlat -l vfs_read")
