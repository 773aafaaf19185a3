# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may have a session that does something by itself."""

import json

import pytest

from daemon import NOBODY, BusError
from system_bus import wait_until

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
