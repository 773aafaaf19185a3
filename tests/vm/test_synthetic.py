# SPDX-License-Identifier: LGPL-2.1-or-later
"""Variables and actions of histograms, and the synthetic events that they record, under the installed unit: the examples
of the kernel's histogram.rst, with the numbers computed once more from the events of the same capture."""

import collections
import json
import re

import pytest

pytestmark = pytest.mark.seconds(900)

TRACING = "/sys/kernel/tracing"
SLEEPS = 20
SLEEPER = ["sh", "-c", f"for i in $(seq {SLEEPS}); do sleep 0.02; done"]
EVENT = "wakeup_latency u64 lat; pid_t pid; char comm[16]"
WAKING = "sched:sched_waking keys=pid:ts0=common_timestamp.usecs"
LATENCY = "sched:sched_switch keys=next_pid:wakeup_lat=common_timestamp.usecs-$ts0"
MATCH = "onmatch(sched.sched_waking).trace(wakeup_latency,$wakeup_lat,next_pid,next_comm)"
# In the syscall at the time when a session begins: each thread sleeps for a second, again and again, and one second has
# the beginnings of all of them.
SLEEPERS = 50
SLEEPING = f"""
import threading, time
def sleep(i):
    time.sleep(i / {SLEEPERS})
    while True:
        time.sleep(1)
for i in range({SLEEPERS}):
    threading.Thread(target=sleep, args=[i]).start()
"""
LINE = re.compile(r"^ *.+-\d+ +\[(\d+)\] +(\d+)\.(\d{9}): +(\w+): +(.*)$")

Event = collections.namedtuple("Event", "nanoseconds name text")


@pytest.fixture(autouse=True)
def no_residue(guest):
    yield
    left = guest.run(f"cat {TRACING}/dynamic_events; ls {TRACING}/instances", check=True).output
    assert left == ""


def read(guest, path):
    """The events of a file with time stamps in nanoseconds, as trace-cmd prints them, in their order."""
    found = []
    for line in guest.run(["trace-cmd", "report", "-t", "-i", path], check=True).stdout.splitlines():
        match = LINE.match(line)
        if match:
            found.append(Event(int(match[2]) * 10**9 + int(match[3]), match[4], match[5]))
    guest.run(["rm", path], check=True)
    return found


def field(event, name):
    return int(re.search(rf"\b{name}=(-?\d+)", event.text)[1])


def switched_to(event):
    return int(re.search(r"==> .*:(\d+) \[", event.text)[1])


def microseconds(event):
    """As the kernel makes them for histograms (ns2usecs(), kernel/trace/trace.h)."""
    return (event.nanoseconds + 500) // 1000


def expected_latencies(events):
    """What the histograms above compute: for each switch to a task the time since it was last woken."""
    woken, found = {}, []
    for event in events:
        if event.name == "sched_waking":
            woken[field(event, "pid")] = microseconds(event)
        elif event.name == "sched_switch" and switched_to(event) in woken:
            pid = switched_to(event)
            found.append((pid, microseconds(event) - woken.pop(pid)))
    return found


def latencies(events):
    return [(field(event, "pid"), field(event, "lat")) for event in events if event.name == "wakeup_latency"]


def record(guest, *options, path="/root/synthetic.dat"):
    command = ["ktracectl", "record", "-q", "-F", "-c", *options, "-o", path, "--", *SLEEPER]
    guest.run(command, check=True)
    return read(guest, path)


def start(guest, name, *options):
    guest.run(["ktracectl", "session", "start", name, *options], check=True)


def hist(guest, session, *more):
    return json.loads(guest.run(["ktracectl", "--json=short", "hist", session, *more], check=True).stdout)


def remove(guest, *sessions):
    guest.run(["ktracectl", "session", "remove", *sessions], check=True)


def saved(guest, session):
    """The events of the capture of a session, both of which are removed."""
    guest.run(["ktracectl", "session", "stop", session], timeout=300, check=True)
    remove(guest, session)
    captures = json.loads(guest.run("ktracectl --json=short capture list", check=True).stdout)
    (capture,) = [capture["id"] for capture in captures if capture["name"] == session]
    guest.run(["ktracectl", "capture", "export", "--segment=1", capture, "/root/saved.dat"], check=True)
    guest.run(["ktracectl", "capture", "delete", capture], check=True)
    return read(guest, "/root/saved.dat")


def delete_captures(guest):
    guest.run("ktracectl --no-legend capture list | awk '{ print $1 }' | xargs -r ktracectl capture delete", check=True)


def test_wakeup_latency_is_that_of_the_events(guest):
    events = record(guest, "--synthetic", EVENT, "--hist", WAKING, "--hist", f"{LATENCY}:{MATCH}", "-e", "sched_waking,sched_switch")
    assert len(latencies(events)) >= SLEEPS
    assert sorted(latencies(events)) == sorted(expected_latencies(events))
    assert any("comm=sleep" in event.text for event in events if event.name == "wakeup_latency")


def test_filter_and_fields_of_the_other_event(guest):
    """Parameters can be fields of the event that was waited for, by name or with its name before it."""
    event = "woken u64 lat; pid_t pid; int target_cpu; int prio"
    action = "onmatch(sched.sched_waking).woken($wakeup_lat,next_pid,target_cpu,sched.sched_waking.prio)"
    options = ["--synthetic", event, "-f", "lat >= 1000", "--hist", WAKING, "--hist", f"{LATENCY}:{action}", "-e", "sched_waking"]
    events = record(guest, *options)
    found = [event for event in events if event.name == "woken"]
    assert all(field(event, "lat") >= 1000 for event in found)
    places = {(field(event, "pid"), field(event, "target_cpu"), field(event, "prio")) for event in events if event.name == "sched_waking"}
    assert {(field(event, "pid"), field(event, "target_cpu"), field(event, "prio")) for event in found} <= places


def test_two_sessions_with_one_name(guest):
    """Each has its own event of that name, with other fields, and the histogram of it."""
    options = ["--hist", WAKING, "--hist", f"{LATENCY}:{MATCH} if next_comm == \"sleep\"", "--hist", "wakeup_latency keys=comm:vals=lat"]
    start(guest, "one", "--synthetic", EVENT, *options)
    start(guest, "two", "--synthetic", "wakeup_latency u64 lat", "--hist", WAKING, "--hist", f"{LATENCY}:onmatch(sched.sched_waking).wakeup_latency($wakeup_lat)")
    guest.run(SLEEPER, check=True)
    assert "wakeup_latency" not in guest.run("ktracectl list events", check=True).stdout
    text = guest.run("ktracectl hist one", check=True).stdout
    assert "ktraced_" not in text and ".trace(wakeup_latency,$wakeup_lat,next_pid,next_comm)" in text
    (found,) = hist(guest, "one", "wakeup_latency")
    (row,) = found["rows"]
    assert row["key"] == {"comm": "sleep"}
    one, two = saved(guest, "one"), saved(guest, "two")
    ours = [event for event in one if event.name == "wakeup_latency"]
    assert {"comm=sleep" in event.text for event in ours} == {True} and len(ours) >= SLEEPS
    assert row["values"] == {"hitcount": len(ours), "lat": sum(field(event, "lat") for event in ours)}
    theirs = [event.text for event in two if event.name == "wakeup_latency"]
    assert len(theirs) > len(ours) and all(re.fullmatch(r"lat=\d+", text) for text in theirs)


def test_greatest_value_and_what_was_saved(guest):
    save = f"{LATENCY}:{MATCH}:onmax($wakeup_lat).save(next_comm,prev_pid) if next_comm == \"sleep\""
    start(guest, "max", "--synthetic", EVENT, "--hist", WAKING, "--hist", save)
    guest.run(SLEEPER, check=True)
    (found,) = hist(guest, "max", "sched:sched_switch")
    text = guest.run("ktracectl hist max sched:sched_switch", check=True).stdout
    most = collections.defaultdict(int)
    for pid, lat in latencies(saved(guest, "max")):
        most[pid] = max(most[pid], lat)
    assert len(most) >= SLEEPS
    tracked = {row["key"]["next_pid"]: row["tracked"] for row in found["rows"] if row["tracked"][0]["max"] > 0}
    assert {pid: kept[0]["max"] for pid, kept in tracked.items()} == most
    for kept in tracked.values():
        (one,) = kept
        assert one["saved"]["next_comm"] == "sleep" and one["saved"]["prev_pid"] >= 0
        assert re.search(rf"^ +max {one['max']}: next_comm=sleep prev_pid={one['saved']['prev_pid']}$", text, re.M)


def test_last_value_that_changed(guest):
    what = "syscalls:sys_enter_read keys=fd:c=count:onchange($c).save(count) if comm == \"dd\" && count < 10"
    start(guest, "change", "--hist", what)
    for size in [7, 9]:
        guest.run(f"dd if=/dev/zero of=/dev/null bs={size} count=3 status=none", check=True)
    (found,) = hist(guest, "change")
    (row,) = found["rows"]
    assert row["key"] == {"fd": 0} and row["values"] == {"hitcount": 6}
    assert row["tracked"] == [{"changed": 9, "saved": {"count": 9}}]
    remove(guest, "change")
    delete_captures(guest)


def test_own_events_in_actions(guest):
    """A probe of the session starts the clock, and one of its synthetic events goes into a histogram that waits for it."""
    options = [
        "--probe", "enter=kprobe:ksys_read fd=%di:s32", "--probe", "leave=kretprobe:ksys_read got=$retval:s64",
        "--synthetic", "took u64 us; s64 got",
        "--hist", "enter keys=common_pid:ts0=common_timestamp.usecs if fd == 0",
        "--hist", "leave keys=common_pid:us=common_timestamp.usecs-$ts0:onmatch(enter).took($us,got)",
        "--hist", "took keys=got",
    ]  # fmt: skip
    start(guest, "own", *options)
    guest.run("dd if=/dev/zero of=/dev/null bs=4242 count=50 status=none", check=True)
    text = guest.run("ktracectl hist own leave", check=True).stdout
    assert "onmatch(enter).trace(took,$us,got)" in text
    (found,) = hist(guest, "own", "took")
    (row,) = [row for row in found["rows"] if row["key"]["got"] == 4242]
    assert row["values"]["hitcount"] == 50
    assert len([event for event in saved(guest, "own") if event.name == "took" and field(event, "got") == 4242]) == 50


@pytest.fixture
def sleepers(guest):
    guest.put("/root/sleep.py", SLEEPING)
    guest.run("systemd-run --quiet --unit=sleepers python3 /root/sleep.py; sleep 2", check=True)
    yield
    guest.run("systemctl stop sleepers.service")


def test_begins_with_the_recording(guest, sleepers):
    """Nothing is kept of the time before: the kernel takes time stamps for it from another clock, and this one counts
    from 1970. It does so, too, while it sets the next of several histograms; a call that began just then has a value that
    is nonsense, and only once."""
    call = "clock_nanosleep"
    options = [
        "-C", "tai", "-b", "4M",
        "--synthetic", "slept u64 us", "-e", f"syscalls:sys_enter_{call},syscalls:sys_exit_{call}",
        "--hist", f"syscalls:sys_enter_{call} keys=common_pid:ts0=common_timestamp.usecs",
        "--hist", f"syscalls:sys_exit_{call} keys=common_pid:us=common_timestamp.usecs-$ts0:onmatch(syscalls.sys_enter_{call}).slept($us)",
        # The last, since the kernel empties the buffer when it sets one with time stamps.
        "--hist", f"syscalls:sys_enter_{call} keys=common_pid",
    ]  # fmt: skip
    start(guest, "begun", *options)
    guest.run("sleep 5; systemctl stop sleepers.service", check=True)
    (entered,) = [found for found in hist(guest, "begun", f"syscalls:sys_enter_{call}") if "ts0" not in found["trigger"]]
    events = saved(guest, "begun")
    names = collections.Counter(event.name for event in events)
    assert 0 < entered["hits"] <= names[f"sys_enter_{call}"]
    # Each of them sleeps for a second, the last time until it is stopped.
    begin = min(event.nanoseconds for event in events)
    slept = [
        field(event, "us")
        for event in events
        if event.name == "slept" and 2_000_000_000 < event.nanoseconds - begin < 4_500_000_000
    ]
    assert len(slept) >= SLEEPERS and min(slept) > 900_000 and max(slept) < 120_000_000


def numbers_of_capture(guest, name):
    (capture,) = json.loads(guest.run(["ktracectl", "--json=short", "capture", "list", name], check=True).stdout)
    return capture


@pytest.mark.parametrize("more", ["-b 4M -e sched:sched_switch", "--ring-size=8M -e sched:sched_switch", "-b 4M -p function_graph -l vfs_read"])
def test_numbers_of_the_capture(guest, more):
    """The kernel empties the buffer, and sets its statistics to 0, when a histogram with time stamps is set."""
    if "graph" in more and guest.kernel == "6.1":
        pytest.skip("this kernel has no function_graph in instances, in which histograms are")
    start(guest, "counted", *more.split(), "--hist", WAKING, "--hist", LATENCY)
    guest.run(SLEEPER, check=True)
    if "--ring-size" in more:
        guest.run("ktracectl session snapshot counted", timeout=300, check=True)
    guest.run("ktracectl session stop counted", timeout=300, check=True)
    capture = numbers_of_capture(guest, "counted")
    guest.run(f"rm -f /root/saved.dat; ktracectl capture export --segment=1 {capture['id']} /root/saved.dat", check=True)
    assert capture["lost"] == 0
    # Raw: the exit of a function that called none would be in the line of its entry.
    report = guest.run("trace-cmd report -R -i /root/saved.dat", timeout=300, check=True).stdout
    assert capture["events"] == len(re.findall(r"^ *.+-\d+ +\[\d+\]", report, re.M))
    assert capture["events"] >= SLEEPS
    remove(guest, "counted")
    delete_captures(guest)


def test_a_killed_daemon_leaves_nothing(guest):
    start(guest, "one", "--synthetic", EVENT, "--hist", WAKING, "--hist", f"{LATENCY}:{MATCH}")
    guest.run("systemctl kill --signal=KILL ktraced; sleep 1; systemctl start ktraced", check=True)
    for _ in range(60):
        if not guest.run(f"cat {TRACING}/dynamic_events; ls {TRACING}/instances", check=True).output:
            break
        guest.run("sleep 1", check=True)
    guest.run("ktracectl --no-legend session list | awk '{ print $1 }' | xargs -r ktracectl session remove", check=True)
    delete_captures(guest)


@pytest.mark.parametrize(
    "options, texts",
    [
        # Refused before the kernel is asked.
        (["--hist", WAKING, "--hist", f"{LATENCY}:onmatch(sched.sched_wakin).trace(wakeup_latency,$wakeup_lat,next_pid,next_comm)"], ['No event is called "sched.sched_wakin"']),
        (["--hist", WAKING, "--hist", LATENCY + ":onmatch(sched.sched_waking).trace(wakeup_latency,$wakeup_lat,next_pdi,next_comm)"], ['field "next_pdi"; did you mean "next_pid"?', "^"]),
        (["--hist", WAKING, "--hist", LATENCY + ":onmatch(sched.sched_waking).trace(wakeup_latency,$wakeup_lat,sched.sched_waking.pdi,next_comm)"], ['That event has no field "pdi"', "^"]),
        (["--hist", WAKING, "--hist", f"{LATENCY}:{MATCH}:onmax($wakeup_lat).save(next_com)"], ['"next_com"; did you mean', "^"]),
        # By the kernel, with the names that the session gave.
        (["--hist", WAKING, "--hist", LATENCY + ":onmatch(sched.sched_waking).trace(wakeup_latency,next_comm,next_pid,next_comm)"], ["Param type doesn't match", "trace(wakeup_latency,", "^"]),
        (["--hist", WAKING, "--hist", LATENCY + ":onmatch(sched.sched_waking).trace(wakeup_latency,$wakeup_lat,sched.sched_waking.$none,next_comm)"], ["The kernel refused", "Couldn't find", "^"]),
    ],
)  # fmt: skip
def test_refusals(guest, options, texts):
    done = guest.run(["ktracectl", "session", "start", "bad", "--synthetic", EVENT, *options])
    assert done.status == 1
    for text in texts:
        assert text in done.output
    assert "ktraced_" not in done.output and "clock=" not in done.output


def test_stacks(guest):
    """From one event to the next, and with what the kernel needs for it: 6.3."""
    options = [
        "--synthetic", "blocked pid_t pid; u64 delta; unsigned long[] stack",
        "--hist", "sched:sched_switch keys=prev_pid:ts=common_timestamp.usecs,st=stacktrace if prev_comm == \"sleep\" && prev_state == 1",
        "--hist", "sched:sched_switch keys=next_pid:delta=common_timestamp.usecs-$ts,s=$st:onmatch(sched.sched_switch).trace(blocked,next_pid,$delta,$s)",
    ]  # fmt: skip
    if tuple(int(part) for part in guest.kernel.split(".")[:2]) < (6, 3):
        done = guest.run(["ktracectl", "session", "start", "bad", *options])
        assert done.status == 1 and "The kernel refused" in done.output
        return
    start(guest, "stacks", *options)
    guest.run(SLEEPER, check=True)
    text = guest.run("ktracectl session stop stacks && ktracectl --no-pager report stacks", check=True).stdout
    remove(guest, "stacks")
    delete_captures(guest)
    # libtraceevent 1.7.1 shows the addresses as bytes.
    assert len(re.findall(r"blocked: .*stack=", text)) >= SLEEPS
