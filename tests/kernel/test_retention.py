# SPDX-License-Identifier: LGPL-2.1-or-later
"""Captures make room for new ones by rules, on a real store."""

import json
import time

import pytest

from daemon import NOBODY, BusError, ktracectl, variants
from system_bus import wait_until
from trace_file import validate

SWITCH = "sched:sched_switch"


def ring(client, name="ring"):
    return client.start(name, {"events": [SWITCH], "mode": "ring", "ring_size": "256K"})


def snapshots(client, session, n):
    """Their ids, oldest first."""
    return [client.describe(client.session(session, "Snapshot", "(a{sv})", {}))["id"] for _ in range(n)]


def ids(root):
    return {row[0] for row in root.manager("ListCaptures", "(a{sv})", {})}


def wait_for(root, expected):
    wait_until(lambda: ids(root) == set(expected), f"the captures are {ids(root)}, not {set(expected)}")


@pytest.mark.settings(captures_max_files=3)
def test_number(root, daemon):
    taken = snapshots(root, ring(root), 6)
    wait_for(root, taken[-3:])


@pytest.mark.settings(captures_max_use=3 << 20, captures_compress=False)
def test_use(root, daemon):
    session = ring(root)
    taken = snapshots(root, session, 12)

    def use():
        return sum(row[6] for row in root.manager("ListCaptures", "(a{sv})", {}))

    wait_until(lambda: use() <= 3 << 20, f"the captures take {use()}")
    left = ids(root)
    assert left == set(taken[-len(left) :]), "the oldest went first"


@pytest.mark.settings(captures_max_files=2)
def test_pinned_captures_stay(root, daemon):
    session = ring(root)
    (first,) = snapshots(root, session, 1)
    root.capture(root.manager("GetCapture", "(s)", first), "Pin", "(b)", True)
    assert root.describe(root.manager("GetCapture", "(s)", first))["pinned"]
    later = snapshots(root, session, 4)
    wait_for(root, [first, later[-1]])
    root.capture(root.manager("GetCapture", "(s)", first), "Pin", "(b)", False)
    newest = snapshots(root, session, 2)
    wait_for(root, newest)


@pytest.mark.settings(captures_max_use_per_user=1 << 20, captures_compress=False)
def test_a_noisy_user_evicts_nobody_else(root, nobody, polkit, daemon):
    quiet = snapshots(root, ring(root, "quiet"), 1)
    noisy = ring(nobody, "noisy")
    taken = snapshots(nobody, noisy, 12)

    def use():
        sizes = [row[6] for row in root.manager("ListCaptures", "(a{sv})", {}) if row[3] == NOBODY]
        return sum(sizes) if len(sizes) > 1 else 0

    wait_until(lambda: use() <= 1 << 20, "the noisy user has too much")
    assert not set(taken) <= ids(root)
    assert set(quiet) <= ids(root)
    assert taken[-1] in ids(root)


def test_a_restart_keeps_pins_and_limits(root, daemon, start_daemon):
    session = ring(root)
    taken = snapshots(root, session, 4)
    root.capture(root.manager("GetCapture", "(s)", taken[0]), "Pin", "(b)", True)
    daemon.stop()
    second = start_daemon(settings={"captures_max_files": 2})
    client = second.client(0)
    try:
        wait_for(client, [taken[0], taken[3]])
    finally:
        client.close()


@pytest.mark.settings(captures_max_age="5s")
def test_age(root, daemon):
    session = ring(root)
    old = snapshots(root, session, 2)
    time.sleep(5.5)
    new = snapshots(root, session, 1)
    wait_for(root, new)
    assert not ids(root) & set(old)


def test_vacuum(root, daemon, bus, polkit):
    session = ring(root)
    taken = snapshots(root, session, 5)
    done = ktracectl("--json=short", "capture", "vacuum", "--keep=2", bus=bus)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["bytes"] > 0
    assert ids(root) == set(taken[-2:])
    assert "Freed 0B." in ktracectl("capture", "vacuum", "--max-age=1d", bus=bus).stdout
    assert ktracectl("capture", "pin", taken[3], bus=bus).returncode == 0
    assert ktracectl("capture", "vacuum", "--max-use=1K", bus=bus).returncode == 0
    assert ids(root) == set(taken[-2:]), "one is pinned, the other the newest"
    assert ktracectl("capture", "unpin", taken[3], bus=bus).returncode == 0
    assert ktracectl("capture", "vacuum", "--max-use=1K", bus=bus).returncode == 0
    assert ids(root) == {taken[4]}


@pytest.mark.parametrize(
    "limits, text",
    [
        ({}, "One of max_use"),
        ({"max_use": "much"}, 'max_use: cannot read "much"'),
        ({"max_files": "3"}, "max_files: of type s"),
        ({"max_age": 0}, "max_age: must be more than 0"),
        ({"keep": 3}, 'Unknown key "keep"'),
    ],
)
def test_bad_limits(root, limits, text):
    with pytest.raises(BusError, match=text):
        root.manager("Vacuum", "(a{sv})", variants(limits))


def test_wrong_command_lines(bus, polkit, daemon):
    for options in [[], ["--keep=none"], ["--max-use=x"], ["capture"]]:
        assert ktracectl("capture", "vacuum", *options, bus=bus).returncode == 2


def test_others_may_not(root, nobody, polkit, daemon, bus):
    snapshots(root, ring(root), 2)
    polkit.mode = "no"
    done = ktracectl("capture", "vacuum", "--keep=1", bus=bus, uid=NOBODY)
    assert done.returncode != 0
    assert len(ids(root)) == 2


BUDGET = 6 << 20


@pytest.mark.settings(captures_max_use=BUDGET, captures_compress=False)
@pytest.mark.seconds(900)
def test_two_hundred_snapshots_under_a_budget(root, daemon, folder):
    """Use is never over the budget by more than what is being made; every capture that is listed can be read, none is
    half there."""
    session = ring(root, "many")
    largest = 0

    def sizes():
        return [row[6] for row in root.manager("ListCaptures", "(a{sv})", {})]

    for _ in range(200):
        root.session(session, "Snapshot", "(a{sv})", {})
        largest = max(largest, *sizes())
        # The newest, and one whose deletion is under way.
        assert sum(sizes()) <= BUDGET + 2 * largest
    wait_until(lambda: sum(sizes()) <= BUDGET, "too much is left")
    for row in root.manager("ListCaptures", "(a{sv})", {}):
        assert root.describe(row[-1])["state"] == "complete"
        for path in root.save_all(row[-1], folder / row[0]):
            validate(path)
    (store,) = [path for path in folder.rglob("captures") if path.is_dir()]
    wait_until(lambda: {path.name for path in store.iterdir()} == ids(root), "the store has others")
