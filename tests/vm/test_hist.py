# SPDX-License-Identifier: LGPL-2.1-or-later
"""Histograms against known numbers, under the installed unit."""

import json

import pytest

pytestmark = pytest.mark.seconds(600)

READS = 5000
# `watch.py EVENT END...`: "ktracectl hist --watch" of that event of the session "watched" on a terminal. After the first
# table there are reads; after one that has them all, END is typed, or run when it is a command. Prints its exit status,
# the number of tables and the last one.
WATCHER = f"""
import json, os, pty, subprocess, sys, time
CLEAR = "\\033[H\\033[2J"
pid, terminal = pty.fork()
if pid == 0:
    os.execvp("ktracectl", ["ktracectl", "hist", "--watch=200ms", "watched", sys.argv[1]])
text = ""
def read_until(done):
    global text
    while not done(text):
        try:
            data = os.read(terminal, 65536).decode()
        except OSError:
            return
        text += data
read_until(lambda text: " dropped" in text)
subprocess.run("dd if=/dev/zero of=/dev/null bs=7 count={READS} status=none", shell=True, check=True)
read_until(lambda text: " {READS} ###" in text)
before = text.count(CLEAR)
read_until(lambda text: text.count(CLEAR) > before + 1)
if sys.argv[2] == "ctrl-c":
    os.write(terminal, b"\\x03")
else:
    subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL, check=True)
read_until(lambda text: False)
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(json.dumps(dict(status=status, tables=text.count(CLEAR), last=text.split(CLEAR)[-1])))
"""
DD = f"dd if=/dev/zero of=/dev/null bs=7 count={READS} status=none"


def histogram(guest, session, *more):
    done = guest.run(["ktracectl", "--json=short", "hist", session, *more], check=True)
    return json.loads(done.stdout)


def remove(guest, session):
    guest.run(["ktracectl", "session", "remove", session], check=True)


def test_counts_and_sums(guest):
    command = ["ktracectl", "session", "start", "sizes", "--hist", "syscalls:sys_enter_read keys=count:vals=count:sort=hitcount"]
    guest.run(command, check=True)
    guest.run(DD, check=True)
    (found,) = histogram(guest, "sizes")
    assert found["keys"] == ["count"]
    (row,) = [row for row in found["rows"] if row["key"]["count"] == 7]
    assert row["values"] == {"hitcount": READS, "count": 7 * READS}
    assert found["hits"] >= READS and found["dropped"] == 0
    text = guest.run("ktracectl hist sizes", check=True).stdout
    assert f" {READS} ###" in text
    remove(guest, "sizes")


def test_several_keys_and_a_condition(guest):
    spec = "syscalls:sys_enter_read keys=common_pid.execname,fd:sort=hitcount if count == 7"
    guest.run(["ktracectl", "session", "start", "who", "--hist", spec], check=True)
    guest.run(DD, check=True)
    (found,) = histogram(guest, "who", "syscalls:sys_enter_read")
    (row,) = found["rows"]
    assert row["key"]["common_pid"].startswith("dd") and row["key"]["fd"] == 0
    assert row["values"]["hitcount"] == READS
    remove(guest, "who")


def test_two_sessions(guest):
    for name in ["one", "two"]:
        guest.run(["ktracectl", "session", "start", name, "--hist", "syscalls:sys_enter_read keys=count if count == 7"], check=True)
        guest.run(DD, check=True)
    assert histogram(guest, "one")[0]["hits"] == 2 * READS
    assert histogram(guest, "two")[0]["hits"] == READS
    guest.run("ktracectl session remove one two", check=True)


@pytest.mark.parametrize(
    "end, said",
    [
        (["ctrl-c"], ""),
        (["ktracectl", "session", "stop", "watched"], "Session watched has ended."),
        (["ktracectl", "session", "remove", "watched"], "Session watched has ended."),
    ],
    ids=["ctrl-c", "stopped", "removed"],
)
def test_watch(guest, end, said):
    event = "syscalls:sys_enter_read"
    guest.put("/root/watch.py", WATCHER)
    guest.run(["ktracectl", "session", "start", "watched", "--hist", f"{event} keys=count if count == 7"], check=True)
    done = json.loads(guest.run(["python3", "/root/watch.py", event, *end], timeout=300, check=True).stdout)
    if end[-1] == "ctrl-c" or "stop" in end:
        remove(guest, "watched")
    assert done["status"] == 0
    assert done["tables"] >= 4
    assert f"{READS} ###" in done["last"] and f"{READS} hits" in done["last"]
    assert said in done["last"] and "Failed" not in done["last"]


@pytest.mark.parametrize(
    "spec, text",
    [
        ("syscalls:sys_enter_read keys=cuont", 'no field "cuont"; did you mean "count"?'),
        ("syscalls:sys_enter_read vals=count", "keys= is missing"),
        ("syscalls keys=fd", "name one"),
    ],
)
def test_refusals(guest, spec, text):
    done = guest.run(["ktracectl", "session", "start", "bad", "--hist", spec])
    assert done.status != 0
    assert text in done.output
    assert "ktraced-" not in guest.run("ls /sys/kernel/tracing/instances", check=True).stdout


def test_no_histogram_of_that_event(guest):
    guest.run("ktracectl session start plain -e sched_switch", check=True)
    done = guest.run("ktracectl hist plain sched:sched_switch")
    assert done.status != 0 and "has no histogram of" in done.output
    remove(guest, "plain")
