# SPDX-License-Identifier: LGPL-2.1-or-later
"""The flight recorder under systemd: a profile as a unit, and snapshots when another unit fails."""

import json
import time

import pytest

pytestmark = pytest.mark.seconds(600)

RECORDER = "ktraced-session@flight-recorder.service"
FAILING = """[Unit]
OnFailure=ktraced-snapshot@%n.service
[Service]
Type=oneshot
ExecStart=/bin/false
"""


def listed(guest, what):
    return json.loads(guest.run(f"ktracectl --json=short {what} list", check=True).stdout)


@pytest.fixture
def recorder(guest):
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
    guest.run(f"timeout 20 sh -c 'while systemctl is-active -q {RECORDER}; do sleep 0.2; done'", check=True)
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
    guest.run("timeout 30 sh -c 'until ktracectl capture list | grep -q complete; do sleep 0.2; done'", check=True)
    (capture,) = listed(guest, "capture")
    about = json.loads(guest.run(["ktracectl", "--json=short", "capture", "show", capture["id"]], check=True).stdout)
    assert about["reason"] == "unit failing.service"
    assert about["events"] > 0
    assert "sched_switch" in guest.run(f"ktracectl report --first=200 {capture['id']}", check=True).stdout


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
