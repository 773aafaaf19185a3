# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sessions that wait for something by themselves, under the installed unit: what the host's kernel or a private bus
has not, and that nothing of the unit's sandbox is in the way."""

import json

import pytest

from system_bus import wait_until

pytestmark = pytest.mark.seconds(900)

MESSAGE_ID = "0123456789abcdef0123456789abcdef"
FAILING = "[Service]\nExecStart=/bin/false\n"
# Says that it lives once, and never again.
HANGING = """[Service]
Type=notify
NotifyAccess=all
WatchdogSec=2s
Restart=on-failure
ExecStart=/bin/sh -c 'systemd-notify --ready; exec sleep 1000'
"""
SPIN = "timeout {} sh -c 'for i in 1 2 3 4 5 6; do (while :; do :; done) & done; wait'"


@pytest.fixture(autouse=True)
def no_residue(guest):
    yield
    for row in listed(guest, "session"):
        guest.run(["ktracectl", "session", "remove", row["id"]], check=True)
    for row in listed(guest, "capture"):
        guest.run(["ktracectl", "capture", "delete", row["id"]], check=True)
    gone = "[ -z \"$(ls /sys/kernel/tracing/instances; cat /sys/kernel/tracing/dynamic_events)\" ]"
    guest.run(f"timeout 30 sh -c 'until {gone}; do sleep 0.2; done'", timeout=60, check=True)


def listed(guest, what):
    return json.loads(guest.run(f"ktracectl --json=short {what} list", check=True).stdout)


def often(text):
    """The watch with limits that do not matter: those of a name hold from one test to the next."""
    if " daily=" in text:
        return text
    what, separator, condition = text.partition(" if ")
    return f"{what} interval=1s daily=1000{separator}{condition}"


def start(guest, *watches, check=True):
    words = [f"--watch={often(watch)}" for watch in watches]
    return guest.run(
        ["ktracectl", "session", "start", "ring", "-e", "sched_process_exec", "--ring-size=1M", *words], check=check
    )


def watch(guest, name="w"):
    session = json.loads(guest.run("ktracectl --json=short session show ring", check=True).stdout)
    return next(entry for entry in session["watches"] if entry["name"] == name)


def wait_fired(guest, name="w", n=1):
    """How it is then."""
    script = f"""
import json, subprocess, sys, time
for _ in range(600):
    shown = subprocess.run(["ktracectl", "--json=short", "session", "show", "ring"], capture_output=True).stdout
    if next(watch for watch in json.loads(shown)["watches"] if watch["name"] == "{name}")["fired"] >= {n}:
        sys.exit(0)
    time.sleep(0.1)
sys.exit(1)
"""
    guest.run(["python3", "-c", script], timeout=120, check=True)
    return watch(guest, name)


def wait_captured(guest, reason):
    guest.run("timeout 60 sh -c 'until ktracectl capture list | grep -q complete; do sleep 0.2; done'", timeout=90, check=True)
    (row, *_) = listed(guest, "capture")
    about = json.loads(guest.run(["ktracectl", "--json=short", "capture", "show", row["id"]], check=True).stdout)
    assert about["reason"] == reason


def unit(guest, name, text):
    guest.run(["sh", "-c", f"cat > /run/systemd/system/{name} <<'END'\n{text}END\nsystemctl daemon-reload"], check=True)


def test_event(guest):
    start(guest, 'w event=sched:sched_process_exec reason="it was run" if filename ~ "*/uname"')
    guest.run("uname", check=True)
    assert "filename=" in wait_fired(guest)["seen"]
    wait_captured(guest, "w: it was run")
    assert "w: it was run" in guest.run("journalctl -u ktraced", check=True).stdout


def test_latency(guest):
    """Between the wakeup of a program and the switch to it, where there are more programs than processors."""
    start(guest, "w latency=1ms from=sched:sched_waking to=sched:sched_switch match=pid,next_pid")
    guest.run(SPIN.format(3))
    assert "usecs=" in wait_fired(guest)["seen"]
    wait_captured(guest, "w: latency")


def test_latency_that_there_is_not(guest):
    start(guest, "w latency=1h from=sched:sched_waking to=sched:sched_switch match=pid,next_pid")
    guest.run(SPIN.format(2))
    assert watch(guest)["fired"] == 0


LIFE = "w latency=500ms from=sched:sched_process_fork to=sched:sched_process_exit match=child_pid,pid daily=10000 interval=10ms"
FORKS = "i=0; while [ $i -lt 2600 ]; do ( : ); i=$((i+1)); done"
DROP_IN = "/etc/ktraced/ktraced.json.d/10-test.json"


def test_latency_of_what_comes_later(guest):
    """The kernel has room for 2048 values; the watch begins anew from time to time."""
    start(guest, LIFE)
    guest.run("sleep 1", check=True)
    assert watch(guest)["fired"] >= 1
    guest.run(FORKS, timeout=240, check=True)
    before = watch(guest)["fired"]
    guest.run("sleep 1; sleep 1", check=True)
    assert watch(guest)["fired"] == before
    guest.run("ktracectl session remove ring", check=True)

    guest.put(DROP_IN, '{"latency_renewal": "2s"}')
    try:
        guest.run("ktracectl reload", check=True)
        start(guest, LIFE)
        guest.run(FORKS, timeout=240, check=True)
        before = watch(guest)["fired"]
        wait_until(lambda: guest.run("sleep 1", check=True) and watch(guest)["fired"] > before, "it is not noticed", timeout=240)
    finally:
        guest.run(f"rm {DROP_IN}; ktracectl reload", check=True)
    assert "has ended" not in guest.run("journalctl -u ktraced", check=True).stdout


@pytest.mark.parametrize("window", ["2s", "1s"])
def test_pressure(guest, window):
    """The service has no capability: some kernels tell, and with some the daemon measures."""
    start(guest, f"w pressure=cpu some=100ms window={window}")
    guest.run(SPIN.format(8))
    wait_fired(guest)
    wait_captured(guest, "w: pressure")


def test_pressure_of_a_unit(guest):
    """Also when it has been stopped and started again, with another control group."""
    unit(guest, "spin.service", "[Service]\nExecStart=/bin/sh -c 'while :; do :; done & while :; do :; done & while :; do :; done'\n")
    guest.run("systemctl start spin", check=True)
    start(guest, "w pressure=cpu some=100ms unit=spin.service")
    fired = wait_fired(guest)["fired"]
    guest.run("systemctl stop spin; sleep 5; systemctl start spin", check=True)
    wait_fired(guest, n=fired + 2)
    guest.run("systemctl stop spin", check=True)


def test_unit_that_fails(guest):
    unit(guest, "failing.service", FAILING)
    start(guest, "w unit=failing.service", "other unit=polkit.service")
    guest.run("systemctl start failing.service")
    assert wait_fired(guest)["seen"] == "failing.service: exit-code"
    wait_captured(guest, "w: unit")
    assert watch(guest, "other")["fired"] == 0


def test_watchdog_of_a_unit(guest):
    """It is restarted at once, so that its state is never "failed" for long."""
    unit(guest, "hanging.service", HANGING)
    start(guest, "w unit=hanging.service on=watchdog")
    guest.run("systemctl start hanging.service", check=True)
    assert wait_fired(guest)["seen"] == "hanging.service: watchdog"
    guest.run("systemctl stop hanging.service", check=True)


def test_journal(guest):
    start(guest, f"w journal={MESSAGE_ID}")
    guest.run("echo nothing of that kind | systemd-cat", check=True)
    entry = f"MESSAGE_ID={MESSAGE_ID}\\nMESSAGE=something happened\\n"
    guest.run(["sh", "-c", f"printf '{entry}' | logger --journald"], check=True)
    assert wait_fired(guest)["seen"] == "something happened"
    wait_captured(guest, "w: journal")
    for _ in range(2):
        guest.run(["sh", "-c", f"sleep 2; printf '{entry}' | logger --journald"], check=True)
    assert wait_fired(guest, n=3)["fired"] == 3


@pytest.mark.parametrize(
    "text, message",
    [
        ("w unit=no-such-unit.service", "There is no unit no-such-unit.service"),
        ("w pressure=cpu some=1s unit=no-such-unit.service", "no-such-unit.service"),
        ("w latency=1ms from=sched:no_such to=sched:sched_switch match=pid", "sched:no_such"),
        ("w latency=1ms from=sched:sched_waking to=sched:sched_switch match=pidd", "pidd"),
    ],
)
def test_refusals(guest, text, message):
    done = start(guest, text, check=False)
    assert done.status != 0 and message in done.output
    assert listed(guest, "session") == []
