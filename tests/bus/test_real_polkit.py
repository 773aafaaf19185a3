# SPDX-License-Identifier: LGPL-2.1-or-later
"""The real polkitd with the policy file that the project ships, and a caller without privileges and without a login
session: it gets what the file says for "any"."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest
from gi.repository import GLib

from daemon import CAPTURE, MANAGER, NOBODY, ROOT, SESSION, BusError, variants
from interfaces import ACTIONS, ARGUMENTS, QUERY, Things, methods
from polkit_agent import Agent
from system_bus import SOURCE, wait_until

DENIED = "org.freedesktop.DBus.Error.AccessDenied"
INTERACTIVE = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
EVENTS = {"events": ["sched:sched_process_exit"]}
TRACING = pathlib.Path("/sys/kernel/tracing")

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
    used.add(SEVERAL)
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


MAN = SOURCE / "docs" / "man" / "ktraced-polkit.8"
PROBES = "org.ktraced1.define-probes"
SEVERAL = "org.ktraced1.several-powers"
SYSTEM = "org.ktraced1.trace-system"
ADDRESSES = "org.ktraced1.kernel-addresses"
OTHER = 1  # daemon, a user that every Debian has, and that is in none of the groups


def examples():
    """The rules of the manual page, by the sentence before each."""
    text = MAN.read_text().split(".SH EXAMPLES", 1)[1].split(".SH JOURNAL", 1)[0]
    found = re.findall(r"\.PP\n([^\n]+):\n\.PP\n\.EX\n(.*?)\.EE\n", text, re.DOTALL)
    return {sentence: rule.replace("\\-", "-") for sentence, rule in found}


def example(beginning):
    """The one whose sentence begins so."""
    return next(rule for sentence, rule in examples().items() if sentence.startswith(beginning))


def outcome(client, spec, **more):
    """None when a session can be made, else the name of the error."""
    try:
        client.session(client.create("", spec, **more), "Remove")
    except BusError as error:
        return error.name
    return None


@pytest.fixture
def other(daemon):
    client = daemon.client(OTHER)
    yield client
    client.close()


@pytest.fixture
def nginx():
    """A control group that looks like a unit's, with a process in it."""
    root = pathlib.Path("/sys/fs/cgroup")
    if not (root / "cgroup.subtree_control").exists():
        root /= "unified"
    group = root / "nginx.service"
    if not os.access(root / "cgroup.subtree_control", os.W_OK) or group.exists():
        pytest.skip("there is no cgroup2 hierarchy to make groups in")
    group.mkdir()
    child = subprocess.Popen(["sleep", "60"])
    (group / "cgroup.procs").write_text(str(child.pid))
    yield group.name
    child.kill()
    child.wait()
    wait_until(lambda: "populated 0" in (group / "cgroup.events").read_text(), "a process does not end")
    group.rmdir()


def test_each_example_has_a_test():
    with open(__file__, encoding="utf-8") as file:
        used = re.findall(r'polkit_rule\(example\("([^"]+)"\)', file.read())
    assert len(examples()) == 7
    for sentence in examples():
        assert any(sentence.startswith(beginning) for beginning in used), sentence


@pytest.mark.polkit_rule(example("Members of a group"), groups={"ktrace": "nobody"})
def test_example_group(real_polkit, nobody, other):
    assert outcome(nobody, EVENTS) is None
    assert outcome(other, EVENTS) == INTERACTIVE
    for more in [{"symbols": True}, {"options": ["stacktrace"]}]:
        assert outcome(nobody, {**EVENTS, **more}) == INTERACTIVE


@pytest.mark.polkit_rule(example("Whoever looks after"), groups={"web-admin": "nobody"})
def test_example_unit(real_polkit, nobody, other, nginx):
    assert outcome(nobody, {**EVENTS, "unit": nginx}) is None
    assert outcome(other, {**EVENTS, "unit": nginx}) == INTERACTIVE
    refused = [{}, {"pids": [1]}, {"user": 0}, {"unit": nginx, "pids": [1]}, {"unit": nginx, "user": 0}]
    for more in [*refused, {"unit": nginx, "symbols": True}]:
        assert outcome(nobody, {**EVENTS, **more}) == INTERACTIVE, more
    fd = os.pidfd_open(1)
    with_pidfd = {**EVENTS, "unit": nginx, "pidfds": GLib.Variant("ah", [0])}
    assert outcome(nobody, with_pidfd, fds=[fd]) == INTERACTIVE
    # Nor are any added later.
    session = nobody.start("unit-only", {**EVENTS, "unit": nginx})
    with pytest.raises(BusError) as caught:
        nobody.session(session, "AddProcess", "(h)", 0, fds=[fd])
    assert caught.value.name == "org.ktraced1.Error.WrongState"
    os.close(fd)


@pytest.mark.polkit_rule(example("They may also read"), groups={"web-admin": "nobody"})
def test_example_captures_of_a_unit(real_polkit, root, nobody, other, nginx):
    of_unit = root.start("of-unit", {**EVENTS, "unit": nginx})
    of_all = root.start("of-all", EVENTS)
    for session, name in [(of_unit, None), (of_all, INTERACTIVE)]:
        root.session(session, "Stop")
        for path in [session, root.capture_of(session)]:
            for client, expected in [(nobody, name), (other, INTERACTIVE)]:
                try:
                    client.describe(path)
                    assert expected is None
                except BusError as error:
                    assert error.name == expected


@pytest.mark.polkit_rule(example("A group may record one class"), groups={"scheduling": "nobody"})
def test_example_class_of_events(real_polkit, nobody, other):
    assert outcome(nobody, {"events": ["sched:sched_switch", "sched_wakeup"]}) is None
    assert outcome(nobody, {"events": ["sched"]}) is None
    assert outcome(other, EVENTS) == INTERACTIVE
    assert outcome(nobody, {"events": ["sched", "raw_syscalls:sys_enter"]}) == INTERACTIVE
    assert outcome(nobody, {"events": ["sched", "!sched:sched_switch"]}) is None
    elsewhere = {
        "triggers": "sched:sched_switch traceoff",
        "histograms": "sched:sched_switch keys=prev_pid",
        "watches": "w event=raw_syscalls:sys_enter action=stop",
    }
    for key, value in elsewhere.items():
        refusals = (INTERACTIVE, "org.ktraced1.Error.NotSupportedByKernel")
        assert outcome(nobody, {**EVENTS, key: [value]}) in refusals, key


@pytest.mark.polkit_rule(example("A group may record one class").replace("sched:", ""), groups={"scheduling": "nobody"})
def test_rule_sees_that_a_list_was_cut(real_polkit, nobody):
    """With a rule that likes every event, but wants to see them all."""
    assert outcome(nobody, EVENTS) is None
    assert outcome(nobody, {"events": ["*:*[a-m]"]}) == INTERACTIVE


@pytest.mark.polkit_rule(example("All system calls"), groups={"syscalls": "nobody"})
def test_example_system_calls(real_polkit, nobody, other):
    expected = None if (TRACING / "events" / "syscalls").exists() else "org.ktraced1.Error.NotSupportedByKernel"
    assert outcome(nobody, {"events": ["syscalls"]}) == expected
    assert outcome(nobody, {"events": ["raw_syscalls"]}) == INTERACTIVE
    if expected is None:
        assert outcome(nobody, {"events": ["syscalls", "sched:sched_switch"]}) == INTERACTIVE
        assert outcome(other, {"events": ["syscalls"]}) == INTERACTIVE


@pytest.mark.polkit_rule(example("People may trace"), groups={"developer": "nobody"})
def test_example_own_programs(real_polkit, nobody, other):
    spec = {"scope": "self", "events": ["raw_syscalls:sys_enter"], "pidfds": GLib.Variant("ah", [])}
    assert outcome(nobody, spec) is None
    assert outcome(other, spec) == INTERACTIVE
    assert outcome(nobody, EVENTS) == INTERACTIVE


@pytest.mark.polkit_rule(example("On this machine"))
def test_example_nobody_but_root(real_polkit, root, nobody):
    spec = {**EVENTS, "symbols": True}
    assert outcome(nobody, spec) == DENIED
    assert outcome(nobody, EVENTS) == INTERACTIVE
    assert outcome(root, spec) is None


def creation(spec):
    return GLib.Variant("(sa{sv})", ("asked", variants(spec)))


def ask(bus, spec, **more):
    """CreateSession by nobody, who can be asked for a password."""
    return Agent(bus, NOBODY, ROOT, MANAGER, "CreateSession", creation(spec), **more)


def test_dialog_says_what_is_asked_for(real_polkit, bus, root):
    asked = ask(bus, {**EVENTS, "pids": [1]})
    assert asked.reply[0], asked.reply
    assert [dialog["action"] for dialog in asked.dialogs] == [SYSTEM]
    message = asked.dialogs[0]["message"]
    assert message.startswith("Authentication is required to record what the kernel and the programs of all users do:")
    assert message.endswith("scope=system session=asked processes=1 events=sched:sched_process_exit")


@pytest.mark.skipif(shutil.which("msgfmt") is None, reason="gettext is not installed")
@pytest.mark.polkit_language("de")
def test_dialog_in_another_language(real_polkit, bus, root):
    asked = ask(bus, {**EVENTS, "symbols": True}, answers=["no"], locale="C.UTF-8")
    message = asked.dialogs[0]["message"]
    assert message.startswith("Legitimierung ist notwendig, um auf mehrere Arten zugleich (trace-system,kernel-addresses)")
    assert message.endswith(" scope=system session=asked events=sched:sched_process_exit")


def test_long_lists_and_odd_characters_do_not_fill_a_dialog(real_polkit, bus, root):
    asked = ask(bus, {"events": ["sched"], "pids": [1]})
    assert asked.dialogs[0]["message"].endswith(" events=sched:*")
    names = [f"sched:{name}" for name in ("sched_switch", "sched_wakeup", "sched_process_exit", "sched_process_fork")]
    asked = ask(bus, {"events": names}, answers=["no"])
    assert re.search(r" events=(sched:\w+,){3}\+1$", asked.dialogs[0]["message"])
    assert asked.reply[1] == DENIED and "dismissed" in asked.reply[2]


def test_one_dialog_for_several_powers(real_polkit, bus, root):
    asked = ask(bus, {**EVENTS, "symbols": True, "options": ["stacktrace"]})
    assert asked.reply[0], asked.reply
    assert [dialog["action"] for dialog in asked.dialogs] == [SEVERAL]
    assert "(trace-system,trace-functions,kernel-addresses): scope=system" in asked.dialogs[0]["message"]
    asked = ask(bus, {**EVENTS, "symbols": True}, answers=["no"])
    assert len(asked.dialogs) == 1 and asked.reply[1] == DENIED
    assert len(root.manager("ListSessions")) == 1


@pytest.mark.polkit_rule(example("Members of a group"), groups={"ktrace": "nobody"})
def test_dialog_only_for_what_takes_one(real_polkit, bus, root):
    """With one power by a rule the dialog is that of the other."""
    asked = ask(bus, {**EVENTS, "symbols": True})
    assert asked.reply[0], asked.reply
    assert [dialog["action"] for dialog in asked.dialogs] == [ADDRESSES]


@pytest.mark.polkit_rule(example("On this machine"))
def test_refused_power_takes_no_dialog(real_polkit, bus, root):
    asked = ask(bus, {**EVENTS, "symbols": True, "options": ["stacktrace"]})
    assert asked.dialogs == [] and asked.reply[1] == DENIED


def test_dialog_keeps_the_secrets_of_others(real_polkit, bus, root):
    """Whoever calls can also be the agent that polkit tells what to show."""
    session = root.create("secret-name", {"events": ["sched:sched_switch"], "pids": [1]})
    asked = Agent(bus, NOBODY, session, SESSION, "Start", answers=["no"])
    shown = json.dumps(asked.dialogs)
    assert "Start session=" in shown and "owner=0" in shown
    assert "secret-name" not in shown and "sched_switch" not in shown
    assert set(asked.dialogs[0]["details"]) == {"polkit.caller-pid", "polkit.subject-pid"}


def test_every_message_can_be_shown(real_polkit, bus, root):
    """Each $(detail) that a message names is there."""
    things = Things(root)
    for interface, method in [(MANAGER, "Vacuum"), (MANAGER, "Reload"), (SESSION, "Describe"), (CAPTURE, "Delete")]:
        arguments = ARGUMENTS[interface, method](things)
        parameters = arguments and GLib.Variant(*arguments)
        asked = Agent(bus, NOBODY, things.path(interface), interface, method, parameters, answers=["no"])
        assert asked.dialogs[0]["action"] == ACTIONS[interface, method]
        assert "$" not in asked.dialogs[0]["message"] and asked.reply[1] == DENIED
    root.session(things.session, "Remove")


def test_messages_name_only_details_that_are_always_there():
    tree = ElementTree.parse(SOURCE / "dbus" / "org.ktraced1.policy")
    for action in tree.iter("action"):
        names = set(re.findall(r"\$\(([^)]*)\)", action.findtext("message")))
        allowed = {"summary", "powers"} if action.get("id") == SEVERAL else {"summary"}
        assert names <= allowed, action.get("id")
        for text in ("description", "message"):
            assert action.find(text).get("gettext-domain") == "ktraced"
