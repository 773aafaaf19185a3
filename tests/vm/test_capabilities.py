# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the kernel can do, as `ktracectl status` says it: yes only for what is there, no with the reason, and a request for
what is missing is refused with that reason."""

import json

import pytest

from recording import TRACING

pytestmark = pytest.mark.seconds(600)

TRACERS = [
    "function", "function_graph", "wakeup", "wakeup_rt", "wakeup_dl", "irqsoff", "preemptoff", "preemptirqsoff", "osnoise",
    "timerlat", "hwlat", "blk",
]  # fmt: skip
# Features that are a file.
FILES = {
    "kprobes": "kprobe_events",
    "uprobes": "uprobe_events",
    "synthetic_events": "synthetic_events",
    "snapshot": "snapshot",
    "histograms": "events/sched/sched_switch/hist",
    "syscalls": "events/syscalls",
    "function_fork": "options/function-fork",
    "user_stacktrace": "options/userstacktrace",
    "error_log": "error_log",
    "markers": "trace_marker",
}
LOCKED = "kernel lockdown is in force (confidentiality)"


def features(guest):
    return json.loads(guest.run("ktracectl --json=short status", check=True).stdout)["features"]


@pytest.fixture(scope="module")
def found(guest):
    return features(guest)


def refused(guest, options):
    done = guest.run(f"ktracectl session start bad {options}")
    assert done.status == 1, done.output
    assert guest.run(f"ls {TRACING}/instances", check=True).stdout == ""
    return " ".join(done.output.split())


def test_each_is_yes_or_a_reason(found):
    assert len(found) > 30
    assert all(value is True or isinstance(value, str) and value for value in found.values()), found


def test_status_shows_all(guest, found):
    text = guest.run("ktracectl status", check=True).stdout
    for name, value in found.items():
        assert name in text
        assert value is True or value in text


def test_tracers_are_the_kernel_s(guest, found):
    kernel = guest.run(f"cat {TRACING}/available_tracers", check=True).stdout.split()
    assert {name for name in TRACERS if found[name] is True} == set(TRACERS) & set(kernel)


def test_files_are_the_kernel_s(guest, found):
    there = guest.run("cd %s; for file in %s; do [ ! -e $file ] || echo $file; done" % (TRACING, " ".join(FILES.values())), check=True)
    assert {FILES[name] for name in FILES if found[name] is True} == set(there.stdout.split())


def test_versions(guest, found):
    version = tuple(int(part) for part in guest.kernel.split("."))
    for name, since in [("function_graph_instances", (6, 11)), ("probe_arguments_by_name", (6, 5)), ("boot_instances", (6, 3))]:
        if version >= since:
            assert found[name] is True
        else:
            assert f"needs Linux {since[0]}.{since[1]} or later; this is {guest.kernel}." in found[name]


def test_what_is_missing_is_refused_with_the_reason(guest, found):
    missing = [name for name in TRACERS if found[name] is not True]
    assert "irqsoff" in missing
    for name in missing:
        assert found[name] in refused(guest, f"-p {name}")
    if found["probe_arguments_by_name"] is not True:
        assert found["probe_arguments_by_name"] in refused(guest, "--probe 'kprobe:vfs_read count=count'")


def test_permission(guest, found):
    """A unit whose rights an administrator took away."""
    folder = "/run/systemd/system/ktraced.service.d"
    guest.put(f"{folder}/less.conf", "[Service]\nReadWritePaths=\nReadWritePaths=-/sys/kernel/tracing/instances\n")
    try:
        guest.run("systemctl daemon-reload; systemctl restart ktraced.service", check=True)
        without = features(guest)
        assert without["kprobes"] == "no permission to write dynamic_events: Read-only file system"
        assert without["kprobes"] in refused(guest, "--probe kprobe:ksys_read")
        assert without["function"] is True
    finally:
        guest.run(f"rm -r {folder}; systemctl daemon-reload; systemctl restart ktraced.service", check=True)
    assert features(guest) == found


def test_lockdown(guest, found):
    """The last test: there is no way back."""
    guest.run("echo confidentiality >/sys/kernel/security/lockdown", check=True)
    locked = features(guest)
    assert {name for name, value in locked.items() if value == LOCKED} >= {*TRACERS, *FILES, "instances", "events"}
    for options in ["-e sched:sched_switch", "-p function -l vfs_read", "--probe kprobe:ksys_read"]:
        assert LOCKED in refused(guest, options)
