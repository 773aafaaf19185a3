# SPDX-License-Identifier: LGPL-2.1-or-later
"""Probes on the kernel and on programs, under the installed unit: exact numbers, known values, no residue."""

import re
import subprocess

import pytest

import tracing_state
from programs import FOLDER, LIB, with_programs

pytestmark = pytest.mark.seconds(900)

READS = 10000
PROBED = f"{FOLDER}/probed"
# Reads of 1, 2, 3 ... bytes on descriptor 9.
READER = f"""
import os
os.dup2(os.open("/dev/zero", os.O_RDONLY), 9)
for n in range(1, {READS} + 1):
    os.read(9, n)
"""
DD = f"dd if=/dev/zero of=/dev/null bs=1 count={READS} status=none"


def record(guest, *options, program=DD):
    """The lines of trace-cmd's report."""
    guest.run("rm -f /root/t.dat", check=True)
    words = ["ktracectl", "record", "-F", "-b", "8M", "-o", "/root/t.dat", *options, "--", "sh", "-c", f"exec {program}"]
    guest.run(words, check=True)
    return guest.run("trace-cmd report -i /root/t.dat", check=True).stdout.splitlines()


def of(lines, event):
    return [line for line in lines if f" {event}: " in line]


def numbers(lines, name):
    """The values of a field, in order."""
    return [int(re.search(rf"\b{name}=(\S+)", line)[1], 0) for line in lines]


@pytest.fixture(scope="module")
def tree(installed, tmp_path_factory):
    return with_programs(installed, tmp_path_factory.mktemp("probed"), ("probed", "-O1", "-g"), ("stacked",))


@pytest.fixture(scope="module")
def before(guest):
    """The settings once probes have been used: the kernel keeps some files of the first for good."""
    record(guest, "--probe", "kprobe:ksys_read", program="true")
    return tracing_state.read_guest(guest)


@pytest.fixture(autouse=True)
def no_residue(guest, before):
    yield
    assert guest.run("cat /sys/kernel/tracing/dynamic_events; ls /sys/kernel/tracing/instances", check=True).output == ""
    assert tracing_state.differences(before, tracing_state.read_guest(guest)) == []


def test_kprobe_counts_every_call(guest):
    lines = of(record(guest, "--probe", "kprobe:ksys_read fd=%di:s32 size=%dx:u64"), "ksys_read")
    calls = [line for line in lines if "fd=0 " in line]
    assert len(calls) == READS
    assert all("size=1" in line for line in calls)


def test_kretprobe_has_every_value(guest):
    lines = of(record(guest, "--probe", "kretprobe:ksys_read value=$retval:s64"), "ksys_read")
    assert len([line for line in lines if re.search(r"value=1$", line)]) == READS


def test_kprobe_has_the_arguments_of_every_call(guest):
    guest.put("/root/reader.py", READER)
    options = ["--probe", "kprobe:ksys_read fd=%di:s32 size=%dx:u64", "-f", "fd == 9"]
    lines = of(record(guest, *options, program="python3 /root/reader.py"), "ksys_read")
    assert numbers(lines, "size") == list(range(1, READS + 1))


@pytest.mark.parametrize(
    "probe, name, step",
    [
        (f"uprobe:{PROBED}:probed_function number=%di:s64 text=+0(%si):string", "number", 1),
        (f"uretprobe:{PROBED}:probed_function value=$retval:s64", "value", 3),
    ],
)
def test_uprobe_has_the_arguments_of_every_call(guest, probe, name, step):
    guest.put("/root/byte", "g")
    lines = of(record(guest, "--probe", probe, program=f"{PROBED} {READS} </root/byte"), "probed_function")
    assert numbers(lines, name) == [step * n for n in range(READS)]
    assert name == "value" or all(line.endswith('text="a text"') for line in lines)


def start_probed(guest, program):
    """Starts the probed program, which calls its function 100 times and ends when there is /root/go."""
    guest.run(f"rm -f /root/go; (until [ -e /root/go ]; do sleep 0.1; done; echo) | {program} 100 >/root/said &", check=True)
    guest.run("timeout 60 sh -c 'until grep -q ready /root/said; do sleep 0.1; done'", check=True)


@pytest.fixture
def no_session_left(guest):
    yield
    guest.run("ktracectl --no-legend session list | awk '{ print $1 }' | xargs -r ktracectl session remove", check=True)


@pytest.mark.parametrize("change", ["stripped", "replaced", "removed"])
def test_binary_that_changes_while_it_is_traced(guest, no_session_left, tmp_path, change):
    """What was opened is probed, whatever its path means later: programs that run already and those that had it open.
    What is at the path then is another program; a new session looks its symbols up again."""
    program = "/root/changing"
    guest.run(f"cp {PROBED} {program}", check=True)
    guest.run(["ktracectl", "session", "start", "one", "--probe", f"uprobe:{program}:probed_function number=%di:s64"], check=True)
    start_probed(guest, program)
    if change == "stripped":
        copy = tmp_path / "changing"
        subprocess.run(["cc", "-D_GNU_SOURCE", "-O1", "-s", "-o", copy, LIB / "probed.c"], check=True)
        guest.put(f"{program}.new", copy.read_bytes(), 0o755)
        guest.run(f"mv {program}.new {program}", check=True)
    elif change == "replaced":
        guest.run(f"cp {FOLDER}/stacked {program}.new; mv {program}.new {program}", check=True)
    else:
        guest.run(f"rm {program}", check=True)
    guest.run("touch /root/go; timeout 60 sh -c 'until grep -q done /root/said; do sleep 0.1; done'", check=True)
    guest.run("ktracectl session stop one", check=True)
    lines = of(guest.run("ktracectl --no-pager report one", check=True).stdout.splitlines(), "probed_function")
    assert numbers(lines, "number") == list(range(100))
    done = guest.run(["ktracectl", "session", "start", "two", "--probe", f"uprobe:{program}:probed_function"])
    # The client says so, before the daemon is asked.
    assert done.status == 2, done.output
    expected = {"stripped": "is stripped", "replaced": 'no function "probed_function"', "removed": "No such file"}[change]
    assert program in done.output and expected in done.output
    # The session goes on with the file that it has.
    guest.run("ktracectl session start one && ktracectl session remove one", check=True)
    guest.run(f"rm -f {program} /root/go /root/said", check=True)


def test_uprobe_in_a_library(guest):
    lines = of(record(guest, "--probe", "uprobe:libc.so.6:read fd=%di:s32 size=%dx:u64"), "read")
    assert len([line for line in lines if "fd=0 size=1" in line]) == READS


def test_text_from_user_memory(guest):
    probe = "kprobe:do_sys_openat2 dfd=%di:s32 name=+0(%si):ustring"
    lines = of(record(guest, "--probe", probe, program="cat /etc/hostname"), "do_sys_openat2")
    assert any('dfd=-100 name="/etc/hostname"' in line for line in lines)


def test_event_probe(guest):
    lines = of(record(guest, "--probe", "mine=eprobe:syscalls:sys_enter_read fd=$fd:s32"), "mine")
    assert len([line for line in lines if re.search(r"fd=0$", line)]) == READS


def test_filter(guest):
    lines = of(record(guest, "--probe", "kprobe:ksys_read fd=%di:s32", "-f", "fd == 0"), "ksys_read")
    assert len(lines) == READS


def test_offset(guest):
    assert len(of(record(guest, "--probe", "here=kprobe:ksys_read+0"), "here")) >= READS


def test_function_of_a_module(guest):
    """Asked by whoever reads the counters of network devices."""
    guest.run("modprobe dummy numdummies=1", check=True)
    lines = of(record(guest, "--probe", "kprobe:dummy:dummy_get_stats64", program="cat /proc/net/dev"), "dummy_get_stats64")
    guest.run("rmmod dummy", check=True)
    assert len(lines) == 1


@pytest.mark.parametrize(
    "probe, text",
    [
        ("kprobe:ksys_raed", 'did you mean "ksys_read"?'),
        ("kprobe:no_such_module:ksys_read", 'no module "no_such_module" is loaded'),
        ("kprobe:ksys_read+0x100000", "The kernel refused the probe"),
        ("kprobe:ksys_read x=%nosuch", "There is no such register"),
        ("kprobe:ksys_read x=@no_such_symbol", "The kernel refused the probe"),
        ("eprobe:sched:sched_switch x=$no_such_field", "The kernel refused the probe"),
        ("kprobe:ksys_read x=%di x=%si", "The kernel refused the probe"),
    ],
)
def test_refusals(guest, probe, text):
    done = guest.run(["ktracectl", "record", "--probe", probe, "--", "true"])
    assert done.status != 0
    assert text in done.output


def test_function_that_must_not_be_probed(guest):
    black = guest.run("awk '$2 != \"\" { print $2 }' /sys/kernel/debug/kprobes/blacklist | head -1", check=True).output
    done = guest.run(["ktracectl", "record", "--probe", f"kprobe:{black.strip()}", "--", "true"])
    assert done.status != 0
    assert "cannot be probed" in done.output or "The kernel refused the probe" in done.output


def test_two_sessions_with_one_name(guest):
    guest.run("ktracectl session start one --probe 'work=kprobe:ksys_read' -P 1", check=True)
    guest.run("ktracectl session start two --probe 'work=kprobe:ksys_write' -P 1", check=True)
    defined = guest.run("cat /sys/kernel/tracing/dynamic_events", check=True).stdout
    assert len(re.findall(r"^p:ktraced_[0-9a-f]{16}/work ", defined, re.M)) == 2
    guest.run("ktracectl session remove one two", check=True)


def test_end_of_a_session_takes_nothing_from_others(guest):
    guest.run("ktracectl session start ring --probe 'kprobe:ksys_read fd=%di:s32' -f 'fd == 0' --ring-size 16M", check=True)
    guest.run(DD, check=True)
    guest.run("ktracectl session start other --probe 'kprobe:ksys_read' -e sched:sched_process_exit", check=True)
    guest.run("ktracectl session remove other", check=True)
    capture = guest.run("ktracectl session snapshot ring", check=True).stdout.split()[-1]
    lines = guest.run(f"ktracectl report --no-pager {capture}", check=True).stdout.splitlines()
    guest.run("ktracectl session remove ring", check=True)
    assert len([line for line in lines if re.search(r" dd-\d+ .* ksys_read: ", line)]) >= READS


def test_beside_function_graph(guest):
    """Before 6.11 the tracer is at the top level, and the probes with it."""
    options = ["-p", "function_graph", "-l", "vfs_read", "--probe", "kprobe:ksys_read fd=%di:s32", "-f", "fd == 0"]
    lines = record(guest, *options)
    assert len(of(lines, "ksys_read")) == READS
    assert len([line for line in lines if "vfs_read();" in line]) >= READS


def test_a_killed_daemon(guest):
    guest.run("ktracectl session start one --probe 'work=kprobe:ksys_read' -P 1", check=True)
    guest.run("systemctl kill -s KILL ktraced.service", check=True)
    guest.run("timeout 30 sh -c 'until ktracectl session list; do sleep 0.5; done'", check=True)
    guest.run("timeout 30 sh -c 'while grep -q . /sys/kernel/tracing/dynamic_events; do sleep 0.2; done'", check=True)
