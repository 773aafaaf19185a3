# SPDX-License-Identifier: LGPL-2.1-or-later
"""Probes on the kernel and on programs, under the installed unit: exact numbers, known values, no residue."""

import re

import pytest

import tracing_state

pytestmark = pytest.mark.seconds(600)

READS = 10000
DD = f"dd if=/dev/zero of=/dev/null bs=1 count={READS} status=none"


def record(guest, *options, program=DD):
    """The lines of trace-cmd's report."""
    guest.run("rm -f /root/t.dat", check=True)
    words = ["ktracectl", "record", "-F", "-b", "8M", "-o", "/root/t.dat", *options, "--", "sh", "-c", f"exec {program}"]
    guest.run(words, check=True)
    return guest.run("trace-cmd report -i /root/t.dat", check=True).stdout.splitlines()


def of(lines, event):
    return [line for line in lines if f" {event}: " in line]


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
    guest.run("timeout 30 sh -c 'while [ -s /sys/kernel/tracing/dynamic_events ]; do sleep 0.2; done'", check=True)
