# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may call what: each method of the introspection data against a polkit that says no, asks, hangs or is not there."""

import os
import threading
import time

import pytest
from gi.repository import GLib

from daemon import MANAGER, NOBODY, SESSION, BusError
from interfaces import ACTIONS, ARGUMENTS, MORE_ACTIONS, QUERY, SPEC, Things, methods, refused, shared_daemon
from system_bus import wait_until

DENIED = "org.freedesktop.DBus.Error.AccessDenied"
INTERACTIVE = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
TIMED_OUT = "org.freedesktop.DBus.Error.TimedOut"
LOG_CONTROL = "org.freedesktop.LogControl1"
LOG_CONTROL_PATH = "/org/freedesktop/LogControl1"
# Users that every Debian has; the bus takes none that it does not know.
DAEMON, BIN = 1, 2
QUOTA = "org.ktraced1.Error.QuotaExceeded"


@pytest.fixture
def pidfd():
    fd = os.pidfd_open(os.getpid())
    yield fd
    os.close(fd)


@pytest.fixture
def things(root):
    things = Things(root)
    yield things
    for row in root.manager("ListSessions"):
        root.session(row[5], "Remove")


@pytest.fixture(scope="module")
def shared():
    with shared_daemon(authorization_timeout="1s") as shared:
        yield shared


@pytest.fixture
def refusing(shared):
    shared.polkit.forget()
    yield shared
    shared.polkit.mode = "yes"
    shared.polkit.own_name()


def action_of(interface, method):
    return ACTIONS.get((interface, method), QUERY)


def test_every_method_is_covered():
    assert set(methods()) == set(ARGUMENTS)


@pytest.mark.parametrize("interface,method", methods())
def test_no_means_access_denied(refusing, pidfd, interface, method):
    refusing.polkit.mode = "no"
    refused(DENIED, refusing.things, refusing.nobody, interface, method, pidfd)
    assert len(refusing.polkit.checks) == 1
    check = refusing.polkit.checks[0]
    assert check.action == action_of(interface, method)
    assert check.subject == ("system-bus-name", {"name": refusing.nobody.connection.get_unique_name()})
    assert not check.interactive


@pytest.mark.parametrize("interface,method", methods())
def test_without_polkit_only_root_may(refusing, pidfd, interface, method):
    refusing.polkit.release_name()
    message = refused(DENIED, refusing.things, refusing.nobody, interface, method, pidfd)
    assert "polkit" in message.lower(), message


@pytest.mark.parametrize("interface,method", methods())
def test_challenge_without_leave_to_ask(refusing, pidfd, interface, method):
    refusing.polkit.mode = "challenge"
    refused(INTERACTIVE, refusing.things, refusing.nobody, interface, method, pidfd)
    assert not refusing.polkit.checks[-1].interactive


@pytest.mark.parametrize("interface,method", methods())
def test_failing_polkit_denies(refusing, pidfd, interface, method):
    refusing.polkit.mode = "error"
    refused(DENIED, refusing.things, refusing.nobody, interface, method, pidfd)


@pytest.mark.parametrize("interface,method", methods())
def test_hanging_polkit_times_out(refusing, pidfd, interface, method):
    polkit = refusing.polkit
    polkit.mode = "hang"
    begin = time.monotonic()
    refused(TIMED_OUT, refusing.things, refusing.nobody, interface, method, pidfd)
    assert time.monotonic() - begin > 0.9
    check = polkit.checks[-1]
    assert check.cancellation_id
    wait_until(lambda: check.cancellation_id in polkit.cancelled, "no CancelCheckAuthorization was sent")
    # The answer that comes too late must do nothing.
    before = refusing.things.state()
    polkit.answer_pending("yes")
    assert refusing.things.root.manager("Describe")
    assert refusing.things.state() == before


def functions_can_be_read():
    try:
        open("/sys/kernel/tracing/available_filter_functions").close()
    except OSError:
        return False
    return True


def refusals():
    """What fails after polkit's yes: the session "things" runs already, is no ring and has no profile, and some kernels
    keep their functions to themselves."""
    wrong_state = "org.ktraced1.Error.WrongState"
    found = {(SESSION, "Start"): wrong_state, (SESSION, "Snapshot"): wrong_state, (SESSION, "Reload"): wrong_state}
    # The session has no histogram, and some kernels have none at all.
    has_histograms = os.path.exists("/sys/kernel/tracing/events/sched/sched_switch/hist")
    found[SESSION, "ReadHistogram"] = f"org.ktraced1.Error.{'NoSuchEvent' if has_histograms else 'NotSupportedByKernel'}"
    if not functions_can_be_read():
        found[MANAGER, "ListFunctions"] = "org.ktraced1.Error.NotSupportedByKernel"
    return found


@pytest.mark.parametrize("interface,method", methods())
def test_yes_means_yes(polkit, things, nobody, pidfd, interface, method):
    polkit.forget()
    refusal = refusals().get((interface, method))
    if refusal:
        with pytest.raises(BusError) as caught:
            things.call(nobody, interface, method, pidfd)
        assert caught.value.name == refusal
    else:
        reply = things.call(nobody, interface, method, pidfd)
        if method in ("Open", "OpenMarker", "OpenStream"):
            os.close(reply)
    more = MORE_ACTIONS.get((interface, method), [])
    assert [check.action for check in polkit.checks] == [action_of(interface, method), *more]


@pytest.mark.parametrize("interface,method", methods())
def test_root_is_not_asked_about(polkit, things, root, pidfd, interface, method):
    polkit.mode = "no"
    if (interface, method) not in refusals():
        reply = things.call(root, interface, method, pidfd)
        if method in ("Open", "OpenMarker", "OpenStream"):
            os.close(reply)
    assert polkit.checks == []


def test_interactive_flag_is_passed_on(polkit, nobody):
    nobody.create("one", {"events": ["sched:sched_switch"]}, interactive=True)
    nobody.create("two", {"events": ["sched:sched_switch"]})
    assert [check.interactive for check in polkit.checks] == [True, False]


def test_details_tell_polkit_what_is_asked_for(polkit, nobody):
    nobody.create("details", {"events": ["sched:sched_switch", "syscalls"], "pids": [1]})
    details = polkit.checks[-1].details
    assert details["session"] == "details"
    assert "sched:sched_switch" in details["events"] and "syscalls" in details["events"]
    assert details["scope"] == "system"


def test_tracers_take_powers_of_their_own(polkit, nobody):
    """A tracer is asked about with what polkit's rules may want to know; what it records are addresses."""
    nobody.create("none", {"events": ["sched:sched_switch"], "tracer": "nop"})
    assert [check.action for check in polkit.checks] == ["org.ktraced1.trace-system"]
    assert polkit.checks[-1].details["tracer"] == "nop" and polkit.checks[-1].details["functions"] == ""
    polkit.forget()
    spec = {"tracer": "function", "all_functions": True}
    nobody.create("all", spec)
    asked = {check.action for check in polkit.checks}
    assert asked == {"org.ktraced1.trace-system", "org.ktraced1.trace-functions", "org.ktraced1.kernel-addresses"}
    assert {check.details["tracer"] for check in polkit.checks} == {"function"}
    for action in asked:
        polkit.actions = {action: "no"}
        with pytest.raises(BusError) as caught:
            nobody.create("refused", spec)
        assert caught.value.name == DENIED
    assert len(nobody.manager("ListSessions")) == 2


@pytest.mark.skipif(not functions_can_be_read(), reason="the kernel does not show its functions to root")
def test_functions_are_told_to_polkit(polkit, nobody):
    nobody.create("some", {"tracer": "function", "functions": ["vfs_read", "vfs_w*"]})
    assert polkit.checks[-1].details["functions"] == "vfs_read,vfs_w*"


def test_each_power_is_asked_for(polkit, nobody):
    """The kernel's symbols and stack traces take actions of their own, and one no is enough."""
    nobody.create("powers", {"events": ["sched:sched_switch"], "symbols": True, "options": ["stacktrace"]})
    asked = {check.action for check in polkit.checks}
    assert asked == {"org.ktraced1.trace-system", "org.ktraced1.kernel-addresses", "org.ktraced1.trace-functions"}
    for action in asked:
        polkit.actions = {action: "no"}
        with pytest.raises(BusError) as caught:
            nobody.create("refused", {"events": ["sched:sched_switch"], "symbols": True, "options": ["stacktrace"]})
        assert caught.value.name == DENIED
    assert len(nobody.manager("ListSessions")) == 1


def test_no_dialog_where_another_power_is_refused(polkit, nobody):
    """All powers are heard of before anybody is asked for a password, and then once for those that take one."""
    spec = {"events": ["sched:sched_switch"], "symbols": True, "options": ["stacktrace"]}
    powers = ["org.ktraced1.trace-system", "org.ktraced1.trace-functions", "org.ktraced1.kernel-addresses"]
    several = "org.ktraced1.several-powers"

    def asked():
        found = [(check.action, check.interactive) for check in polkit.checks]
        polkit.forget()
        return found

    def refused_by(**actions):
        polkit.actions = {f"org.ktraced1.{name.replace('_', '-')}": mode for name, mode in actions.items()}
        with pytest.raises(BusError) as caught:
            nobody.create("refused", spec, interactive=True)
        return caught.value.name

    assert refused_by(trace_system="challenge", kernel_addresses="no") == DENIED
    assert asked() == [(power, False) for power in powers]
    assert refused_by(trace_functions="challenge", kernel_addresses="challenge", several_powers="no") == DENIED
    assert asked() == [*((power, False) for power in powers), (several, True)]
    assert refused_by(trace_functions="challenge", kernel_addresses="challenge", several_powers="challenge") == INTERACTIVE
    asked()
    polkit.actions = {"org.ktraced1.kernel-addresses": "challenge"}
    with pytest.raises(BusError):
        nobody.create("refused", spec, interactive=True)
    assert asked() == [*((power, False) for power in powers), ("org.ktraced1.kernel-addresses", True)]
    polkit.actions = {"org.ktraced1.trace-system": "challenge", "org.ktraced1.trace-functions": "challenge"}
    assert nobody.create("allowed", spec, interactive=True)
    assert asked()[-1] == (several, True)
    assert len(nobody.manager("ListSessions")) == 1


FOREIGN = "filename == \"x\""


@pytest.mark.skipif(not os.path.exists("/sys/kernel/tracing/events/syscalls/sys_enter_openat"), reason="no system calls")
def test_conditions_that_tell_of_kernel_memory_take_a_power(polkit, nobody):
    """The kernel would follow a pointer that a program makes up, and say whether the text is there."""
    for filters, more in [(FOREIGN, ["org.ktraced1.kernel-addresses"]), ("filename.ustring == \"x\"", [])]:
        polkit.forget()
        nobody.create("", {"events": ["syscalls:sys_enter_openat"], "filters": {"syscalls:sys_enter_openat": filters}})
        assert [check.action for check in polkit.checks] == ["org.ktraced1.trace-system", *more]
    polkit.actions = {"org.ktraced1.kernel-addresses": "no"}
    for key, value in [("filters", {"syscalls:sys_enter_openat": FOREIGN}), ("triggers", ["syscalls:sys_enter_openat traceoff if " + FOREIGN])]:
        with pytest.raises(BusError) as caught:
            nobody.create("", {"events": ["syscalls:sys_enter_openat"], key: value})
        assert caught.value.name in (DENIED, "org.ktraced1.Error.NotSupportedByKernel")


def test_no_answer_is_remembered(polkit, nobody):
    nobody.create("first", {"events": ["sched:sched_switch"]})
    polkit.mode = "no"
    with pytest.raises(BusError) as caught:
        nobody.create("second", {"events": ["sched:sched_switch"]})
    assert caught.value.name == DENIED


def test_owners_need_no_action_for_what_is_theirs(polkit, nobody, pidfd):
    session = nobody.create("own", {"events": ["sched:sched_process_exit"], "pids": [1]})
    polkit.mode = "no"
    polkit.forget()
    nobody.session(session, "Start")
    nobody.session(session, "AddProcess", "(h)", 0, fds=[pidfd])
    nobody.session(session, "Rotate")
    nobody.session(session, "Clear")
    assert nobody.describe(session)["owner"] == NOBODY
    nobody.session(session, "Stop")
    capture = nobody.capture_of(session)
    assert nobody.describe(capture)["owner"] == NOBODY
    os.close(nobody.capture(capture, "Open", "(u)", 0))
    nobody.capture(capture, "Delete")
    nobody.session(session, "Remove")
    assert polkit.checks == []


def test_names_are_for_those_who_may_see_them(polkit, root, nobody):
    root.create("secret-name", {"events": ["sched:sched_switch"]})
    nobody.create("public-name", {"events": ["sched:sched_switch"]})
    names = {row[2]: row[1] for row in nobody.manager("ListSessions")}
    assert names == {0: "", NOBODY: "public-name"}
    assert {row[1] for row in root.manager("ListSessions")} == {"secret-name", "public-name"}


def call_later(client, results, name):
    """Begins a CreateSession whose outcome is appended to `results`."""

    def run():
        try:
            results.append(client.create(name, {"events": ["sched:sched_switch"]}))
        except BusError as error:
            results.append(error.name)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_late_yes_is_taken(polkit, nobody):
    polkit.mode = "hang"
    results = []
    thread = call_later(nobody, results, "late")
    wait_until(lambda: polkit.pending, "polkit was not asked")
    assert results == []
    polkit.answer_pending("yes")
    thread.join(10)
    assert results[0].startswith("/org/ktraced1/session/")


def test_nothing_is_done_for_a_client_that_left(polkit, daemon, root):
    """Its check is cancelled, and a yes that comes all the same makes no session."""
    polkit.mode = "hang"
    client = daemon.client(NOBODY)
    client.connection.call(
        "org.ktraced1",
        "/org/ktraced1",
        MANAGER,
        "StartSession",
        GLib.Variant("(sa{sv})", ("gone", SPEC)),
        None,
        0,
        -1,
        None,
        None,
        None,
    )
    client.connection.flush_sync(None)
    wait_until(lambda: polkit.pending, "polkit was not asked")
    client.close()
    wait_until(lambda: polkit.cancelled, "the check was not cancelled")
    assert polkit.cancelled == [polkit.checks[0].cancellation_id]
    polkit.answer_pending("yes")
    assert root.manager("ListSessions") == []


@pytest.mark.settings(authorizations_max=3, authorizations_per_user_max=2)
def test_pending_checks_are_capped_per_user_and_in_all(polkit, daemon):
    polkit.mode = "hang"
    clients = [daemon.client(uid) for uid in [NOBODY, NOBODY, NOBODY, DAEMON, BIN]]
    results = [[] for _ in clients]
    threads = []
    for number, client in enumerate(clients):
        threads.append(call_later(client, results[number], f"cap-{number}"))
        wait_until(
            lambda: len(polkit.pending) + sum(map(len, results)) == len(threads), "the call was neither asked nor refused"
        )
    assert results[2] == [QUOTA], "the third of one user"
    assert results[4] == [QUOTA], "the fourth in all"
    assert len(polkit.pending) == 3
    polkit.answer_pending("no")
    for thread in threads:
        thread.join(10)
    assert [results[n] for n in (0, 1, 3)] == [[DENIED]] * 3
    polkit.mode = "yes"
    assert clients[0].create("again", {"events": ["sched:sched_switch"]})
    for client in clients:
        client.close()


def test_session_that_goes_while_polkit_thinks(polkit, root, nobody):
    """Everything is looked up again after the answer."""
    session = root.create("goes", {"events": ["sched:sched_switch"]})
    polkit.mode = "hang"
    outcome = []

    def run():
        try:
            nobody.session(session, "Start")
        except BusError as error:
            outcome.append(error.name)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: polkit.pending, "polkit was not asked")
    root.session(session, "Remove")
    polkit.answer_pending("yes")
    thread.join(10)
    assert outcome[0] in ("org.ktraced1.Error.NoSuchSession", "org.freedesktop.DBus.Error.UnknownObject")


def set_property(client, path, interface, name, value):
    parameters = GLib.Variant("(ssv)", (interface, name, GLib.Variant("s", value)))
    client.call(path, "org.freedesktop.DBus.Properties", "Set", parameters)


def refused_property(client, root, path, interface, name):
    before = root.get(path, interface, name)
    with pytest.raises(BusError) as caught:
        set_property(client, path, interface, name, "debug")
    assert root.get(path, interface, name) == before
    return caught.value.name


PROPERTIES = [("/org/ktraced1", MANAGER, "Version"), (LOG_CONTROL_PATH, LOG_CONTROL, "LogLevel")]


@pytest.mark.parametrize("path,interface,name", PROPERTIES)
def test_the_bus_policy_lets_nobody_set_a_property(polkit, root, nobody, path, interface, name):
    assert refused_property(nobody, root, path, interface, name) == DENIED


@pytest.mark.lax_bus
@pytest.mark.parametrize("path,interface,name", PROPERTIES)
def test_the_daemon_lets_nobody_set_a_property(polkit, root, nobody, path, interface, name):
    assert refused_property(nobody, root, path, interface, name) == DENIED


def test_root_cannot_set_what_is_read_only(root):
    assert refused_property(root, root, *PROPERTIES[0]) == "org.freedesktop.DBus.Error.PropertyReadOnly"
