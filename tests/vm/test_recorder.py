# SPDX-License-Identifier: LGPL-2.1-or-later
"""The flight recorder under systemd: a profile as a unit, and snapshots when another unit fails."""

import json

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
