# SPDX-License-Identifier: LGPL-2.1-or-later
"""The flight recorder under systemd: a profile as a unit, and snapshots when something goes wrong."""

import json
import time

import pytest

import image
import vm
from system_bus import wait_until

pytestmark = pytest.mark.seconds(600)

RECORDER = "ktraced-session@flight-recorder.service"
WATCHES = ("oom", "crash", "unit", "memory", "latency")
FAILING = """[Unit]
OnFailure=ktraced-snapshot@%n.service
[Service]
Type=oneshot
ExecStart=/bin/false
"""


def listed(guest, what):
    return json.loads(guest.run(f"ktracectl --json=short {what} list", check=True).stdout)


def watches(guest):
    session = json.loads(guest.run("ktracectl --json=short session show flight-recorder", check=True).stdout)
    return {watch["name"]: watch for watch in session["watches"]}


def check_captured(guest, reason):
    """What led to it is there."""
    wait = f"until ktracectl capture list --reason='{reason}' | grep -q complete; do sleep 0.5; done"
    guest.run(["timeout", "120", "sh", "-c", wait], timeout=150, check=True)
    (capture,) = json.loads(guest.run(["ktracectl", "--json=short", "capture", "list", f"--reason={reason}"], check=True).stdout)
    about = json.loads(guest.run(["ktracectl", "--json=short", "capture", "show", capture["id"]], check=True).stdout)
    assert about["reason"] == reason and about["events"] > 0
    assert "sched_switch" in guest.run(f"ktracectl report --first=200 {capture['id']}", check=True).stdout


def wait_seen(guest, name, text):
    wait_until(lambda: text in (watches(guest)[name]["seen"] or ""), f"{name} has not seen {text}", timeout=60, interval=1)


@pytest.fixture
def recorder(guest):
    # Of what fired in another test nothing is known.
    guest.run("systemctl stop ktraced.service && rm -f /var/lib/ktraced/watches.json", check=True)
    guest.run("systemctl start ktraced.service", timeout=240, check=True)
    guest.run(f"systemctl start {RECORDER}", check=True)
    yield
    guest.run(f"systemctl stop {RECORDER}", check=True)
    for row in listed(guest, "capture"):
        guest.run(["ktracectl", "capture", "delete", row["id"]], check=True)


def test_the_unit_is_the_session(guest, recorder):
    (session,) = listed(guest, "session")
    assert (session["name"], session["state"], session["mode"]) == ("flight-recorder", "active", "ring")
    assert guest.run(f"systemctl is-active {RECORDER}").stdout.strip() == "active"
    guest.run("ktracectl session stop flight-recorder", check=True)
    guest.run(f"timeout 100 sh -c 'while systemctl is-active -q {RECORDER}; do sleep 0.2; done'", check=True)
    assert listed(guest, "session") == []


def test_it_comes_back_with_the_daemon(guest, recorder):
    guest.run("systemctl kill -s KILL ktraced.service", check=True)
    # The unit is tried again after ten seconds; on a machine that is busy with other guests, all takes its time.
    wait = "until ktracectl session list | grep flight-recorder | grep -q active; do sleep 1; done"
    guest.run(f"timeout 240 sh -c '{wait}'", timeout=300, check=True)


def test_a_unit_that_fails_leaves_a_snapshot(guest, recorder):
    guest.run(["sh", "-c", f"cat > /run/systemd/system/failing.service <<'END'\n{FAILING}END"], check=True)
    guest.run("systemctl daemon-reload", check=True)
    assert guest.run("systemctl start failing.service").status != 0
    check_captured(guest, "unit failing.service")
    # By itself, too, whichever unit it is.
    check_captured(guest, "unit: a unit failed")
    wait_seen(guest, "unit", "failing.service")


def test_enabled(guest):
    """From now on, and from each boot on; all that it waits for is there."""
    guest.run(f"systemctl enable --now {RECORDER}", check=True)
    try:
        assert guest.run(f"systemctl is-enabled {RECORDER}", check=True).stdout == "enabled\n"
        assert guest.run(f"systemctl is-active {RECORDER}", check=True).stdout == "active\n"
        assert {name: watch["absent"] for name, watch in watches(guest).items()} == dict.fromkeys(WATCHES)
    finally:
        guest.run(f"systemctl disable --now {RECORDER}", check=True)
    assert listed(guest, "session") == []


def test_a_crash(guest, recorder):
    """A signal that a program takes, or that somebody sends it to end it, is none."""
    guest.run(["python3", "-c", "import os, signal; signal.signal(11, lambda *_: 0); os.kill(os.getpid(), 11)"], check=True)
    guest.run("sh -c 'kill -TERM $$'")
    assert watches(guest)["crash"]["fired"] == 0
    assert guest.run("ulimit -c unlimited; exec python3 -c 'import os; os.abort()'").status != 0
    check_captured(guest, "crash: a program crashed")
    wait_seen(guest, "crash", "sig=6")


def test_out_of_memory(guest, recorder):
    guest.run(
        ["systemd-run", "--quiet", "--wait", "-p", "MemoryMax=32M", "python3", "-c", "bytearray(256 << 20)"], timeout=240
    )
    check_captured(guest, "oom: killed for want of memory")


@pytest.mark.parametrize("kernel", image.KERNELS)
def test_a_system_that_lacks_something(installed, kernel):
    """The recorder starts all the same, and says what it does without."""
    with vm.Guest(kernel, installed, append="psi=0") as guest:
        guest.run(f"systemctl enable --now {RECORDER}", check=True)
        told = watches(guest)
        assert set(told) == set(WATCHES)
        assert [name for name, watch in told.items() if watch["absent"]] == ["memory"]
        assert "The kernel measures no pressure" in told["memory"]["absent"]
        for unit in (RECORDER, "ktraced.service"):
            assert "starts without a watch: watches: memory: " in guest.run(f"journalctl -u {unit}", check=True).stdout
        guest.run("sh -c 'kill -SEGV $$'")
        check_captured(guest, "crash: a program crashed")


RESIZE = """
cd /sys/kernel/tracing/instances && mkdir resize && cd resize
echo 128 > buffer_size_kb
echo 1 > events/syscalls/sys_enter_read/enable
taskset -c 0 dd if=/dev/zero of=/dev/null bs=1 count=20000 status=none
echo 0 > events/syscalls/sys_enter_read/enable
head -5 per_cpu/cpu0/stats; echo 512 > buffer_size_kb
head -5 per_cpu/cpu0/stats; echo 64 > buffer_size_kb
head -5 per_cpu/cpu0/stats; cd .. && rmdir resize
"""


def test_a_change_of_size_keeps_the_newest(guest):
    """Which the kernel does not promise."""
    lines = guest.run(["sh", "-ec", RESIZE], check=True).stdout.splitlines()
    entries = [int(line.split()[-1]) for line in lines if line.startswith("entries:")]
    overrun = [int(line.split()[-1]) for line in lines if line.startswith("overrun:")]
    assert overrun[0] > 0
    assert (entries[1], overrun[1]) == (entries[0], overrun[0])
    assert 0 < entries[2] < entries[0]
    assert entries[2] + overrun[2] == entries[0] + overrun[0]


def ring(guest, session):
    return json.loads(guest.run(f"ktracectl --json=short session show {session}", check=True).stdout)["ring"]


def test_a_ring_grows_to_its_window(guest):
    guest.run("ktracectl session start window -e sys_enter_read --window=3s --ring-size=128M", check=True)
    first = ring(guest, "window")
    guest.run("taskset -c 0 dd if=/dev/zero of=/dev/null bs=1 status=none >/dev/null 2>&1 </dev/null & echo $! > /run/load.pid", check=True)
    deadline = time.monotonic() + 240
    while (now := ring(guest, "window"))["held"] < 3000000 or now["resized"] == 0:
        assert time.monotonic() < deadline, f"it does not reach back 3 s: {now}"
        time.sleep(1)
    guest.run("kill $(cat /run/load.pid)", check=True)
    assert first["capacity"] < now["capacity"]
    assert now["sufficient"]
    done = guest.run("journalctl -u ktraced.service --no-pager | grep 'The ring has'", check=True)
    assert "nothing was recorded for" in done.stdout
    print(done.stdout)
    guest.run("ktracectl session remove window", check=True)
