# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may have a session that does something by itself."""

import json
import subprocess
import time

import pytest

from daemon import NOBODY, BusError
from system_bus import wait_until
from systemd_mock import SystemdMock

SWITCH = "sched:sched_switch"
RING = {"events": [SWITCH], "mode": "ring", "ring_size": "1M"}
PREFIX = "org.ktraced1."


def asked(polkit):
    return {check.action.removeprefix(PREFIX) for check in polkit.checks}


def profile(daemon, name, **spec):
    text = json.dumps({"description": "Of a test", "cost": "low", **spec})
    (daemon.profiles / f"{name}.json").write_text(text)
    daemon.client(0).manager("Reload")


def test_polkit_hears_of_watches(polkit, nobody):
    watches = [f'a event={SWITCH} reason="x; y" if prev_pid == 1', "b event=sched:sched_process_exec"]
    nobody.create("ring", {**RING, "watches": watches})
    assert asked(polkit) == {"trace-system"}
    assert polkit.checks[-1].details["watches"] == "\n".join(watches)


def test_conditions_that_tell_of_the_kernel(polkit, nobody):
    """As in filters: the kernel would follow a pointer of the program's own making."""
    polkit.forget()
    nobody.create("ring", {**RING, "watches": ['a event=syscalls:sys_enter_openat if filename ~ "x*"']})
    assert asked(polkit) == {"trace-system", "kernel-addresses"}


def test_denied_is_denied(polkit, nobody, daemon):
    polkit.mode = "no"
    with pytest.raises(BusError, match="AccessDenied"):
        nobody.start("ring", {**RING, "watches": [f"a event={SWITCH}"]})
    assert not daemon.instances()


def test_a_started_profile_needs_its_own_powers(polkit, nobody, daemon):
    """Otherwise a watch would be a way to what its owner may not do."""
    profile(daemon, "addresses", events=[SWITCH], symbols=True)
    watches = [f"a event={SWITCH} action=start:addresses"]
    polkit.forget()
    nobody.create("first", {**RING, "watches": watches})
    assert asked(polkit) == {"trace-system", "kernel-addresses"}
    polkit.actions[PREFIX + "kernel-addresses"] = "no"
    with pytest.raises(BusError, match="AccessDenied"):
        nobody.create("second", {**RING, "watches": watches})


def test_not_in_scope_self(own_only, nobody):
    with pytest.raises(BusError, match='watches: not in scope "self"'):
        nobody.create("own", {"events": ["openat"], "scope": "self", "watches": [f"a event={SWITCH} action=stop"]})


def test_what_became_of_a_profile_since(polkit, nobody, root, daemon):
    """A profile that needs more when its time has come is not started."""
    profile(daemon, "later", events=[SWITCH])
    session = nobody.start("first", {**RING, "watches": [f"a event={SWITCH} action=start:later interval=10ms daily=100000"]})
    wait_until(lambda: len(root.manager("ListSessions")) == 2, "the other session was not started")
    other = root.manager("GetSession", "(s)", "first.a")
    wait_until(lambda: root.describe(other)["state"] == "active", "the other session does not record")
    assert root.describe(other)["owner"] == NOBODY
    profile(daemon, "later", events=[SWITCH], symbols=True)
    root.session(other, "Remove")
    wait_until(lambda: "more than was authorized" in daemon.log, "nobody says why it is not started")
    nobody.session(session, "Stop")
    assert [row[1] for row in root.manager("ListSessions")] == ["first"]


@pytest.fixture
def systemd(bus):
    mock = SystemdMock(bus)
    mock.units["web.service"] = {"ActiveState": "active", "Result": "success"}
    yield mock
    mock.close()


def fired(root, session):
    return {watch["name"]: watch["fired"] for watch in root.describe(session)["watches"]}


def wait_permitted(root, session):
    def permitted():
        return all(watch["next"] is None for watch in root.describe(session)["watches"])

    wait_until(permitted, "a watch is never permitted again")


def recorder(root, *watches, name="ring"):
    return root.start(name, {**RING, "watches": [f"{watch} interval=10ms daily=1000" for watch in watches]})


def test_a_unit_that_fails(systemd, root, daemon):
    """Once for each failure, however often systemd says so, and also when the unit is restarted at once."""
    session = recorder(root, "any unit=web.service", "dog unit=web.service on=watchdog")
    assert systemd.subscribers == 1
    assert fired(root, session) == {"any": 0, "dog": 0}
    systemd.change("web.service", "failed", "exit-code")
    wait_until(lambda: fired(root, session) == {"any": 1, "dog": 0}, "the failure was not seen")
    assert root.describe(session)["watches"][-1]["seen"] == "web.service: exit-code"
    wait_permitted(root, session)
    systemd.change("web.service", "failed", "exit-code")
    systemd.change("web.service", "activating")
    systemd.change("web.service", "active")
    systemd.change("web.service", "deactivating", "watchdog")
    wait_until(lambda: fired(root, session) == {"any": 2, "dog": 1}, "the watchdog was not seen")
    wait_permitted(root, session)
    systemd.change("web.service", "failed", "watchdog")
    systemd.change("web.service", "activating", "watchdog")
    systemd.change("web.service", "active")
    time.sleep(0.3)
    told = {watch["name"]: (watch["fired"], watch["suppressed"]) for watch in root.describe(session)["watches"]}
    assert told == {"any": (2, 0), "dog": (1, 0)}
    # Nobody else's.
    systemd.change("other.service", "failed", "exit-code")
    root.session(session, "Stop")
    systemd.change("web.service", "failed", "exit-code")
    assert "any: unit" in daemon.log and "dog: unit" in daemon.log


def test_one_that_has_failed_already(systemd, root):
    systemd.units["web.service"] = {"ActiveState": "failed", "Result": "exit-code"}
    session = recorder(root, "any unit=web.service")
    systemd.change("web.service", "failed", "exit-code")
    systemd.change("web.service", "active")
    systemd.change("web.service", "failed", "signal")
    wait_until(lambda: fired(root, session) == {"any": 1}, "the failure was not seen")


def test_several_sessions_follow_one_unit(systemd, root):
    first = recorder(root, "a unit=web.service", name="first")
    second = recorder(root, "b unit=web.service", "c unit=web.service", name="second")
    root.session(first, "Remove")
    systemd.change("web.service", "failed", "timeout")
    wait_until(lambda: fired(root, second) == {"b": 1, "c": 1}, "the failure was not seen")


def test_units_that_there_are_not(systemd, root, daemon):
    running = recorder(root, "any unit=web.service")
    with pytest.raises(BusError, match="watches: w: There is no unit wbe.service"):
        recorder(root, "w unit=wbe.service", name="bad")
    assert fired(root, running) == {"any": 0} and len(daemon.instances()) == 1


def test_without_systemd(root, daemon):
    with pytest.raises(BusError, match="watches: w: Cannot follow the unit web.service"):
        recorder(root, "w unit=web.service")
    assert not daemon.instances()


def watches(root, session):
    return {watch["name"]: watch for watch in root.describe(session)["watches"]}


def test_optional_ones_that_cannot_be(root, daemon):
    """They are no reason not to record: it is said why they are not there, and the others are."""
    session = recorder(
        root,
        "there event=sched:sched_process_exec optional=yes",
        "event event=no:such_event optional=yes",
        "field event=sched:sched_switch optional=yes if no_field == 1",
        "unit unit=web.service optional=yes",
    )
    told = watches(root, session)
    assert root.describe(session)["state"] == "active"
    assert told["there"]["absent"] is None
    assert told["event"]["absent"] == 'watches: event: No event is called "no:such_event"'
    assert "no_field" in told["field"]["absent"]
    assert "watches: unit: Cannot follow the unit web.service" in told["unit"]["absent"]
    for name in ("event", "unit"):
        assert f"Session ring starts without a watch: watches: {name}: " in daemon.log
    assert len(daemon.instances()) == 2
    subprocess.run(["/bin/true"], check=True)
    wait_until(lambda: watches(root, session)["there"]["fired"] > 0, "the one that is there has not fired")
    # Again, by the same spec.
    root.session(session, "Stop")
    root.session(session, "Start")
    assert [watches(root, session)[name]["absent"] is None for name in ("there", "event", "unit")] == [True, False, False]
    root.session(session, "Remove")
    wait_until(lambda: not daemon.instances(), "an instance is left")


def test_an_optional_one_that_comes_later(systemd, root):
    """It was not there at the start, and so it is not watched in this run."""
    session = recorder(root, "late unit=late.service optional=yes", "web unit=web.service optional=yes")
    assert watches(root, session)["late"]["absent"] == "watches: late: There is no unit late.service"
    systemd.units["late.service"] = {"ActiveState": "active", "Result": "success"}
    systemd.change("late.service", "failed", "exit-code")
    systemd.change("web.service", "failed", "exit-code")
    wait_until(lambda: fired(root, session) == {"late": 0, "web": 1}, "the failure was not seen")
    root.session(session, "Stop")
    root.session(session, "Start")
    assert watches(root, session)["late"]["absent"] is None


@pytest.mark.parametrize(
    "text, message",
    [
        ("w event=a:b:c optional=yes", "a:b:c"),
        ("w event=sched:sched_switch optional=perhaps", '"yes" or "no"'),
        ("w event=sched:sched_switch optional=yes action=start:nothing", "nothing"),
    ],
)
def test_a_mistake_is_not_optional(root, daemon, text, message):
    with pytest.raises(BusError, match=message):
        recorder(root, text)
    assert not daemon.instances()


def test_an_optional_one_takes_its_powers(polkit, nobody):
    """Whatever the kernel has: what was asked for is what counts."""
    polkit.forget()
    text = "a latency=1s from=sched:sched_waking to=sched:sched_switch match=pid,next_pid optional=yes"
    nobody.create("ring", {**RING, "watches": [text]})
    assert asked(polkit) == {"trace-system", "define-probes"}
    polkit.forget()
    nobody.create("other", {**RING, "watches": ['a event=syscalls:sys_enter_openat optional=yes if filename ~ "x*"']})
    assert asked(polkit) == {"trace-system", "kernel-addresses"}
