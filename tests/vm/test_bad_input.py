# SPDX-License-Identifier: LGPL-2.1-or-later
"""What cannot be traced, under the installed unit: each is refused with an error that names the offender, and for grammars
marks the place; the kernel is left as it was."""

import json

import pytest

import tracing_state
from recording import TRACING

pytestmark = pytest.mark.seconds(600)

JOIN = "FROM sched_waking AS start JOIN sched_switch AS end ON start.pid = end.next_pid"
# (options, words of the message, what the mark stands below; None where the message has the name and no text is marked).
# Where the kernel marks the place, versions of it differ.
WRONG = [
    # functions
    ("-p function -l vfs_raed", ['"vfs_raed"', 'did you mean "vfs_read"?'], None),
    ("-p function -l 'vfs_read,vfs_zz*'", ['"vfs_zz*"'], None),
    ("-p function -l :mod:nosuch", ["nosuch"], None),
    ("-p function -l vfs_read:traceoff", ["vfs_read:traceoff"], ":traceoff"),
    ("-p function_graph -l vfs_read -g vfs_raed", ['"vfs_raed"', 'did you mean "vfs_read"?'], None),
    ("-p function_graph -l vfs_read --graph-notrace vfs_raed", ['"vfs_raed"'], None),
    ("-p functoin -l vfs_read", ['"functoin"', 'did you mean "function"?'], None),
    # whom to trace
    ("-e sched_switch --unit no-such-unit", ['"no-such-unit.service" is not running'], None),
    ("-e sched_switch --user nosuchuser", ["nosuchuser"], None),
    ("-e sched_switch -P 4000000", ["There is no process 4000000"], None),
    ("-e sched_switch -M 99", ["there is no CPU 99"], None),
    # probes
    ("--probe kprobe:ksys_raed", ['"ksys_raed"', 'did you mean "ksys_read"?'], None),
    ("--probe kprobe:no_such_module:ksys_read", ['no module "no_such_module" is loaded'], None),
    ("--probe 'kprobe:ksys_read ok=%di bad=%nosuch'", ["There is no such register"], "%nosuch"),
    ("--probe 'kprobe:ksys_read ok=%di bad=%si:u7'", ["There is no such type"], "u7"),
    ("--probe 'kprobe:ksys_read bad=$nosuch'", ["There are $retval"], "$nosuch"),
    ("--probe 'kprobe:ksys_read bad=+8(%di'", ["')' is missing"], ""),
    ("--probe 'kprobe:ksys_read bad=@no_such_symbol'", ["The kernel refused the probe", "symbol"], "ksys_read"),
    ("--probe 'kprobe:ksys_read x=%di x=%si'", ["The kernel refused the probe"], "x=%si"),
    ("--probe 'eprobe:sched:sched_switch bad=$nosuch'", ["The kernel refused the probe"], ("bad=$nosuch", "$nosuch")),
    ("--probe eprobe:sched:nosuch", ["the kernel has no event sched/nosuch"], None),
    ("--probe uprobe:libc.so.6:mallocc", ['no function "mallocc"', 'did you mean "malloc"?'], None),
    ("--probe uprobe:/bin/true:main", ["/bin/true is stripped"], None),
    ("--probe uprobe:/root/none:main", ["Cannot open /root/none: No such file"], None),
    ("--probe uprobe:/etc/hostname:main", ["/etc/hostname is no ELF program"], None),
    # where no probe can be: no code, data of the kernel, code that is gone, in the middle of an instruction
    ("--probe uprobe:libc.so.6:0x10", ["Offset 0x10 is in no part", "that can be executed"], None),
    ("--probe kprobe:jiffies", ['"jiffies" is data of the kernel and no function'], None),
    ("--probe kprobe:start_kernel", ['the function "start_kernel" of the kernel cannot be probed'], "start_kernel"),
    ("--probe kprobe:do_syscall_64", ['the function "do_syscall_64" of the kernel cannot be probed'], "do_syscall_64"),
    ("--probe kprobe:ksys_read+1", ["not an instruction boundary"], "ksys_read+1"),
    ("--probe kprobe:ksys_read+0x100000", ["The kernel refused the probe"], "ksys_read+0x100000"),
    # queries
    ("--sql 'SELECT start.pid FROMM sched_waking'", ["syntax error"], "sched_waking"),
    (f"--sql 'SELECT start.pidd {JOIN}'", ["pidd"], "start.pidd"),
    (f"--sql 'SELECT start.pid {JOIN.replace('sched_waking', 'nosuch')}'", ["nosuch", "event not found"], ""),
    (f"--sql 'SELECT start.pid {JOIN} WHERE'", ["syntax error"], ""),
    # histograms, triggers, filters, events
    ("--hist 'sched:sched_switch keys=prev_pidd'", ['no field "prev_pidd"; did you mean "prev_pid"?'], "prev_pidd"),
    ("--hist 'sched:sched_switch keys=prev_pid:vals=nosuch'", ['no field "nosuch"'], "nosuch"),
    ("--hist 'sched:sched_switch keys=prev_pid.nosuch'", ["There are .hex"], "nosuch"),
    ("--hist 'sched:sched_switch keys=prev_pid:sort=nosuch'", ['no field "nosuch"'], "nosuch"),
    ("--hist 'sched:sched_switch kyes=prev_pid'", ["keys= is missing"], ""),
    ("--hist 'sched:nosuch keys=prev_pid'", ["sched:nosuch"], None),
    ("-e sched_switch -R stacktrase", ["There are stacktrace"], "stacktrase"),
    ("-e sched_switch -R 'stacktrace if nosuch == 1'", ['no field "nosuch"'], "nosuch"),
    ("-e sched_switch -R enable_event:no:such", ['No event is called "no:such"'], None),
    ("-e sched_switch -f 'prev_pid > 0 && nosuch == 1'", ['no field "nosuch"'], "nosuch"),
    ("-e sched_switch -f 'prev_pid === 1'", ["A number is expected here"], "= 1"),
    ("-e sched:nosuch", ['"sched:nosuch"'], None),
    ("-e sched_switch -C nosuch", ['no clock "nosuch"'], None),
    ("-e sched_switch -O nosuch", ['no tracer option "nosuch"'], None),
    ("--profile nosuch", ["nosuch"], None),
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def settings(guest):
    """Compared once for all tests, since reading them takes the guest a while."""
    used = "ktracectl record -q -o /root/used.dat -e sched_switch"
    for options in ["-p function -l vfs_read", "-p function_graph -l vfs_read", "--probe kprobe:ksys_read", f"--sql 'l=SELECT start.pid {JOIN}'"]:
        guest.run(f"rm -f /root/used.dat; {used} {options} -- true", check=True)
    before = tracing_state.read_guest(guest)
    yield
    assert tracing_state.differences(before, tracing_state.read_guest(guest)) == []


def no_residue(guest):
    left = f"cd {TRACING}; cat dynamic_events enabled_functions; ls instances; ls /run/ktraced"
    assert guest.run(left, check=True).stdout == ""
    assert json.loads(guest.run("ktracectl --json=short session list", check=True).stdout) == []


def marked(output):
    """What stands above the mark, from there on; None: nothing is marked."""
    lines = output.splitlines()
    for line, below in zip(lines, lines[1:]):
        if below.strip() == "^":
            return line[below.index("^") :]
    return None


@pytest.mark.parametrize("options, words, mark", WRONG, ids=[options for options, _, _ in WRONG])
def test_refused(guest, options, words, mark):
    done = guest.run(f"ktracectl session start bad {options}")
    assert done.status in (1, 2), done.output
    for word in words:
        assert word in done.output
    if mark is not None:
        assert marked(done.output) is not None, done.output
        assert marked(done.output).startswith(mark), done.output
    no_residue(guest)


@pytest.mark.parametrize(
    "entries, word",
    [
        ("2 events as 1 sched_switch evnets as 1 x", "evnets"),
        ("1 events s sched_switch", "events"),
        ("2 events as 1 sched_switch graph_depth i -1", "graph_depth"),
        ("2 events as 1 sched_switch mode s rnig", "mode"),
    ],
)
def test_keys_and_types_of_a_message(guest, entries, word):
    call = "busctl call -- org.ktraced1 /org/ktraced1 org.ktraced1.Manager StartSession 'sa{sv}' bad"
    done = guest.run(f"{call} {entries}")
    assert done.status != 0 and word in done.output, done.output
    no_residue(guest)
