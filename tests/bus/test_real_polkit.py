# SPDX-License-Identifier: LGPL-2.1-or-later
"""The real polkitd with the policy file that the project ships, and a caller without privileges and without a login
session: it gets what the file says for "any"."""

import xml.etree.ElementTree as ElementTree

import pytest

from daemon import MANAGER, ROOT, SESSION, BusError
from interfaces import ACTIONS, QUERY, methods, Things
from system_bus import SOURCE

DENIED = "org.freedesktop.DBus.Error.AccessDenied"
INTERACTIVE = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
EVENTS = {"events": ["sched:sched_process_exit"]}

YES_TO_NOBODY = """
polkit.addRule(function(action, subject) {
        if (action.id == "org.ktraced1.trace-system" && subject.user == "nobody" &&
            action.lookup("events") == "sched:sched_process_exit")
                return polkit.Result.YES;
        return polkit.Result.NOT_HANDLED;
});
"""

NO_TO_NOBODY = """
polkit.addRule(function(action, subject) {
        if (action.id.indexOf("org.ktraced1.") == 0 && subject.user == "nobody")
                return polkit.Result.NO;
        return polkit.Result.NOT_HANDLED;
});
"""


def policy():
    """Action -> (any, inactive, active)."""
    tree = ElementTree.parse(SOURCE / "dbus" / "org.ktraced1.policy")
    return {
        action.get("id"): tuple(action.findtext(f"defaults/allow_{who}") for who in ("any", "inactive", "active"))
        for action in tree.iter("action")
    }


def test_every_action_that_is_asked_for_is_in_the_policy_file():
    used = {QUERY, *ACTIONS.values(), "org.ktraced1.trace-functions", "org.ktraced1.kernel-addresses", "org.ktraced1.define-probes"}
    assert used <= set(policy())


def test_defaults_are_those_of_the_design():
    defaults = policy()
    assert defaults[QUERY] == ("yes", "yes", "yes")
    assert defaults["org.ktraced1.trace-self"] == ("auth_admin", "auth_admin", "yes")
    assert defaults["org.ktraced1.trace-system"] == ("auth_admin", "auth_admin", "auth_admin_keep")
    for action, values in defaults.items():
        if action not in (QUERY, "org.ktraced1.trace-system", "org.ktraced1.trace-self"):
            assert values == ("auth_admin", "auth_admin", "auth_admin"), action


def test_shipped_policy_for_a_caller_without_a_session(real_polkit, root, nobody):
    things = Things(root)
    allowed = policy()
    for interface, method in methods():
        if method == "AddProcess":
            continue  # takes a descriptor; the mock's tests have it
        action = ACTIONS.get((interface, method), QUERY)
        if allowed[action][0] == "yes":
            try:
                things.call(nobody, interface, method, None)
            except BusError as error:  # some kernels keep their functions to themselves
                assert (method, error.name) == ("ListFunctions", "org.ktraced1.Error.NotSupportedByKernel")
        else:
            with pytest.raises(BusError) as caught:
                things.call(nobody, interface, method, None)
            assert caught.value.name == INTERACTIVE, f"{interface}.{method}: {caught.value}"
    root.session(things.session, "Remove")


@pytest.mark.polkit_rule(YES_TO_NOBODY)
def test_rule_that_says_yes_to_some_events(real_polkit, root, nobody):
    session = nobody.start("allowed", EVENTS)
    nobody.session(session, "Stop")
    assert nobody.get(session, SESSION, "State") == "stopped"
    with pytest.raises(BusError) as caught:
        nobody.start("other-events", {"events": ["sched:sched_switch"]})
    assert caught.value.name == INTERACTIVE
    assert nobody.get(ROOT, MANAGER, "NSessions") == 1


@pytest.mark.polkit_rule(NO_TO_NOBODY)
def test_rule_that_says_no(real_polkit, root, nobody):
    for call in [lambda: nobody.start("denied", EVENTS), lambda: nobody.manager("ListSessions")]:
        with pytest.raises(BusError) as caught:
            call()
        assert caught.value.name == DENIED
    assert root.manager("ListSessions") == []
