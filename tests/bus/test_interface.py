# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the daemon serves: introspection, properties, signals, queries, the service manager's protocol."""

import json
import os
import re
import signal
import subprocess

import pytest
from gi.repository import Gio, GLib

from daemon import CAPTURE, KTRACED, MANAGER, NOBODY, ROOT, SESSION, BusError
from interfaces import described, members
from system_bus import SOURCE, wait_until

LOG_CONTROL = "/org/freedesktop/LogControl1"


def introspect(client, path):
    xml = client.call(path, "org.freedesktop.DBus.Introspectable", "Introspect")
    return Gio.DBusNodeInfo.new_for_xml(xml)


@pytest.mark.parametrize(
    "interface,path", [(MANAGER, ROOT), (SESSION, "/org/ktraced1/session"), (CAPTURE, "/org/ktraced1/capture")]
)
def test_bus_introspect_prints_what_the_xml_says(interface, path):
    done = subprocess.run([KTRACED, f"--bus-introspect={path}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    printed = Gio.DBusNodeInfo.new_for_xml(done.stdout).lookup_interface(interface)
    assert printed is not None, done.stdout
    assert members(printed) == members(described()[interface])


def test_served_objects_are_what_the_xml_says(root):
    session = root.start("introspected", {"events": ["sched:sched_process_exit"]})
    capture = root.capture_of(session)
    for path, interface in [(ROOT, MANAGER), (session, SESSION), (capture, CAPTURE)]:
        served = introspect(root, path).lookup_interface(interface)
        assert members(served) == members(described()[interface])
    children = {node.path for node in introspect(root, "/org/ktraced1/session").nodes}
    assert children == {session.rsplit("/", 1)[1]}
    root.session(session, "Remove")


def test_man_page_names_every_member():
    page = re.sub(r"\\f[BIRP]", "", (SOURCE / "docs" / "man" / "ktraced.8").read_text())
    for interface, info in described().items():
        assert interface in page
        for member in [*info.methods, *info.signals, *info.properties]:
            assert re.search(rf"\b{member.name}\b", page), f"{interface}.{member.name} is not in ktraced(8)"


def test_unknown_method_and_object_are_errors(root):
    with pytest.raises(BusError) as caught:
        root.manager("NoSuchMethod")
    assert caught.value.name == "org.freedesktop.DBus.Error.UnknownMethod"
    with pytest.raises(BusError) as caught:
        root.session("/org/ktraced1/session/nope", "Describe")
    assert caught.value.name in ("org.freedesktop.DBus.Error.UnknownObject", "org.ktraced1.Error.NoSuchSession")


def test_state_machine_and_properties(root):
    session = root.create("states", {"events": ["sched:sched_process_exit"]})
    get = lambda name: root.get(session, SESSION, name)  # noqa: E731
    assert get("State") == "created" and get("Capture") == "/"
    assert get("Owner") == 0 and get("Mode") == "stream" and get("Scope") == "system"
    assert get("CreatedTimestamp") > 0 and get("StartedTimestamp") == 0
    for method in ["Rotate", "Clear"]:
        with pytest.raises(BusError) as caught:
            root.session(session, method)
        assert caught.value.name == "org.ktraced1.Error.WrongState"
    root.session(session, "Stop")  # nothing to do
    root.session(session, "Start")
    assert get("State") == "active" and get("StartedTimestamp") > 0
    first = root.capture_of(session)
    assert root.get(first, CAPTURE, "State") == "active"
    assert root.get(first, CAPTURE, "Session") == get("Id")
    root.session(session, "Stop")
    assert get("State") == "stopped" and get("StoppedTimestamp") >= get("StartedTimestamp")
    assert root.get(first, CAPTURE, "State") == "complete"
    assert root.get(first, CAPTURE, "EndTimestamp") >= root.get(first, CAPTURE, "StartTimestamp") > 0
    root.session(session, "Start")  # a second run has a capture of its own
    assert root.capture_of(session) != first
    root.session(session, "Remove")
    assert root.manager("ListSessions") == []
    assert len(root.manager("ListCaptures", "(a{sv})", {})) == 2, "captures outlive their session"


def test_descriptions_are_json_with_everything(root):
    spec = {"events": ["sched:sched_process_exit"], "filters": {"sched:sched_process_exit": "pid > 1"}, "cpus": "0"}
    session = root.start("described", spec)
    about = root.describe(session)
    assert about["name"] == "described" and about["state"] == "active" and about["owner"] == 0
    assert about["spec"]["events"] == spec["events"] and about["spec"]["filters"] == spec["filters"]
    root.session(session, "Stop")
    about = root.describe(root.capture_of(session))
    assert about["session_name"] == "described" and about["state"] == "complete"
    assert about["boot_id"] == open("/proc/sys/kernel/random/boot_id").read().strip().replace("-", "")
    assert os.uname().release in about["kernel"]
    assert len(about["segments"]) == 1
    everything = json.loads(root.manager("Describe"))
    assert everything["version"] == root.get(ROOT, MANAGER, "Version")


def test_digest_of_a_closed_segment(root, folder):
    import hashlib

    session = root.start("digest", {"events": ["sched:sched_process_exit"]})
    root.session(session, "Stop")
    capture = root.capture_of(session)
    wait_until(lambda: root.describe(capture)["segments"][0].get("sha256"), "no digest was computed")
    copy = root.save_segment(capture, 1, folder / "copy")
    assert hashlib.sha256(copy.read_bytes()).hexdigest() == root.describe(capture)["segments"][0]["sha256"]


def test_sessions_are_found_by_id_and_name(polkit, root, nobody):
    mine = root.create("twice", {"events": ["sched:sched_switch"]})
    theirs = nobody.create("twice", {"events": ["sched:sched_switch"]})
    other = nobody.create("once", {"events": ["sched:sched_switch"]})
    assert root.manager("GetSession", "(s)", "twice") == mine
    assert nobody.manager("GetSession", "(s)", "twice") == theirs
    assert root.manager("GetSession", "(s)", "once") == other
    assert root.manager("GetSession", "(s)", root.get(theirs, SESSION, "Id")) == theirs
    with pytest.raises(BusError) as caught:
        root.create("twice", {"events": ["sched:sched_switch"]})
    assert caught.value.name == "org.ktraced1.Error.SessionExists" and "twice" in caught.value.message
    named = root.create("", {"events": ["sched:sched_switch"]})
    assert root.describe(named)["name"]


def test_captures_can_be_filtered(polkit, root, nobody):
    for client, name in [(root, "a"), (nobody, "b")]:
        session = client.start(name, {"events": ["sched:sched_process_exit"]})
        client.session(session, "Stop")
    rows = root.manager("ListCaptures", "(a{sv})", {})
    assert len(rows) == 2
    for key, value, expected in [
        ("owner", GLib.Variant("u", NOBODY), 1),
        ("owner", GLib.Variant("u", 4711), 0),
        ("state", GLib.Variant("s", "complete"), 2),
        ("state", GLib.Variant("s", "active"), 0),
        ("session", GLib.Variant("s", rows[0][1]), 1),
        ("reason", GLib.Variant("s", "stopped"), 2),
        ("reason", GLib.Variant("s", "st?pp*"), 2),
        ("reason", GLib.Variant("s", "stop"), 0),
        ("since", GLib.Variant("t", rows[0][5]), sum(row[5] >= rows[0][5] for row in rows)),
        ("since", GLib.Variant("t", max(row[5] for row in rows) + 1), 0),
        ("until", GLib.Variant("t", min(row[5] for row in rows)), 1),
        ("until", GLib.Variant("t", min(row[5] for row in rows) - 1), 0),
    ]:
        assert len(root.manager("ListCaptures", "(a{sv})", {key: value})) == expected, key
    for key, value in [("colour", GLib.Variant("s", "red")), ("owner", GLib.Variant("s", "x")), ("state", GLib.Variant("s", "odd"))]:
        with pytest.raises(BusError) as caught:
            root.manager("ListCaptures", "(a{sv})", {key: value})
        assert caught.value.name == "org.freedesktop.DBus.Error.InvalidArgs" and key in caught.value.message
    # It would tell why those of others were made.
    mine = nobody.manager("ListCaptures", "(a{sv})", {"reason": GLib.Variant("s", "*")})
    assert [row[3] for row in mine] == [NOBODY]
    assert root.manager("GetCapture", "(s)", rows[0][0]) == rows[0][10]
    assert root.get(ROOT, MANAGER, "NCaptures") == 2


def test_signals_tell_of_sessions_and_captures(polkit, daemon, root, nobody):
    seen = []
    context = GLib.MainContext.default()
    listener = daemon.client(NOBODY)
    listener.connection.signal_subscribe(
        "org.ktraced1",
        None,
        None,
        None,
        None,
        Gio.DBusSignalFlags.NONE,
        lambda _c, _s, path, _i, name, parameters: seen.append((name, path, parameters.unpack())),
    )
    listener.manager("Describe")
    session = root.start("signals", {"events": ["sched:sched_process_exit"]})
    session_id = root.get(session, SESSION, "Id")
    capture = root.capture_of(session)
    capture_id = root.get(capture, CAPTURE, "Id")
    root.session(session, "Stop")
    root.session(session, "Remove")
    root.capture(capture, "Delete")

    def all_seen():
        while context.iteration(False):
            pass
        return "CaptureRemoved" in [name for name, _, _ in seen]

    wait_until(all_seen, "no CaptureRemoved")
    listener.close()
    for name, arguments in [
        ("SessionNew", (session_id, session)),
        ("SessionRemoved", (session_id, session)),
        ("CaptureNew", (capture_id, capture)),
        ("CaptureRemoved", (capture_id, capture)),
    ]:
        assert (name, ROOT, arguments) in seen
    states = [
        change[1]["State"] for name, path, change in seen if name == "PropertiesChanged" and path == session and "State" in change[1]
    ]
    assert states[-1] == "stopped" and "active" in states
    text = str(seen)
    assert "sched_process_exit" not in text and "'signals'" not in text, "signals are broadcast: nothing private in them"


def test_queries(root):
    events = root.manager("ListEvents", "(s)", "")
    available = open("/sys/kernel/tracing/available_events").read().split()
    assert sorted(events) == sorted(available)
    assert root.manager("ListEvents", "(s)", "sched:sched_switch") == ["sched:sched_switch"]
    assert root.manager("ListEvents", "(s)", "nosuchthing") == []
    about = json.loads(root.manager("DescribeEvent", "(s)", "sched:sched_switch"))
    assert about["system"] == "sched" and about["name"] == "sched_switch"
    assert {"prev_comm", "next_pid"} <= {field["name"] for field in about["fields"]}
    tracers = open("/sys/kernel/tracing/available_tracers").read().split()
    assert sorted(root.manager("ListTracers")) == sorted(set(tracers) - {"mmiotrace", "blk"}), "those are for a machine of one's own"
    capabilities = root.manager("Capabilities")
    assert "mono" in capabilities["clocks"] and capabilities["options"]
    assert all(value is True or (isinstance(value, (str, list)) and value) for value in capabilities.values())


def test_shipped_profiles(root):
    profiles = dict(root.manager("ListProfiles"))
    wanted = ["sched-latency", "syscalls", "block-io", "irq", "network", "page-faults", "memory-pressure", "process-lifecycle"]
    assert set(wanted) <= set(profiles)
    for name in wanted:
        about = json.loads(root.manager("DescribeProfile", "(s)", name))
        assert about["description"] == profiles[name] and about["cost"] in ("low", "medium", "high")
        assert about["spec"]["events"]


def test_reload_takes_new_profiles_and_keeps_old_settings_on_failure(daemon, root):
    (daemon.profiles / "mine.json").write_text('{"description": "Mine", "cost": "low", "events": ["sched:sched_switch"]}')
    root.manager("Reload")
    assert dict(root.manager("ListProfiles"))["mine"] == "Mine"
    assert any(line.startswith("RELOADING=1") for line in daemon.notify.messages)
    daemon.settings_file.write_text('{\n"sessions_max": 7,\n"no_such_key": 1\n}')
    with pytest.raises(BusError) as caught:
        root.manager("Reload")
    assert "no_such_key" in caught.value.message and f"{daemon.settings_file}:3" in caught.value.message
    daemon.settings_file.write_text('{"sessions_max": 1}')
    root.manager("Reload")
    root.create("one", {"events": ["sched:sched_switch"]})
    with pytest.raises(BusError) as caught:
        root.create("two", {"events": ["sched:sched_switch"]})
    assert caught.value.name == "org.ktraced1.Error.QuotaExceeded" and "1" in caught.value.message


def test_reload_refuses_contradictions_and_leaves_a_recorder_alone(daemon, root):
    session = root.start("ring", {"events": ["sched:sched_switch"], "mode": "ring", "ring_size": "1M"})
    before = root.describe(session)
    old = json.loads(root.manager("Describe"))["settings"]
    daemon.settings_file.write_text('{"captures_max_use": "1M", "captures_max_use_per_user": "2M"}')
    with pytest.raises(BusError) as caught:
        root.manager("Reload")
    assert caught.value.name == "org.freedesktop.DBus.Error.InvalidArgs"
    assert "captures_max_use_per_user: 2M for each user is more than the 1M" in caught.value.message
    assert json.loads(root.manager("Describe"))["settings"] == old
    after = root.describe(session)
    assert (after["state"], after["started"]) == ("active", before["started"])
    assert root.describe(root.session(session, "Snapshot", "(a{sv})", {}))["state"] == "complete"


def test_bad_profile_does_not_hide_the_good(daemon, root):
    (daemon.profiles / "broken.json").write_text('{"description": "Broken", "evnets": []}')
    root.manager("Reload")
    profiles = dict(root.manager("ListProfiles"))
    assert "broken" not in profiles and "sched-latency" in profiles
    assert "broken.json" in daemon.log and "evnets" in daemon.log


def test_wrong_settings_stop_the_start(start_daemon):
    daemon = start_daemon(settings={"sessions_max": "many"}, wait=False)
    assert daemon.process.wait(10) != 0
    assert "sessions_max" in daemon.log


def test_log_control(root):
    get = lambda name: root.get(LOG_CONTROL, "org.freedesktop.LogControl1", name)  # noqa: E731
    assert get("SyslogIdentifier") == "ktraced"
    assert get("LogTarget")
    parameters = GLib.Variant("(ssv)", ("org.freedesktop.LogControl1", "LogLevel", GLib.Variant("s", "debug")))
    root.call(LOG_CONTROL, "org.freedesktop.DBus.Properties", "Set", parameters)
    assert get("LogLevel") == "debug"
    parameters = GLib.Variant("(ssv)", ("org.freedesktop.LogControl1", "LogLevel", GLib.Variant("s", "loud")))
    with pytest.raises(BusError):
        root.call(LOG_CONTROL, "org.freedesktop.DBus.Properties", "Set", parameters)
    assert get("LogLevel") == "debug"


def test_notifications_from_start_to_end(start_daemon):
    daemon = start_daemon(environment={"WATCHDOG_USEC": "400000"})
    wait_until(lambda: daemon.notify.messages.count("WATCHDOG=1") >= 3, "no watchdog messages")
    assert "READY=1" in daemon.notify.messages
    daemon.stop()
    assert "STOPPING=1" in daemon.notify.messages


def test_termination_closes_running_sessions(start_daemon):
    daemon = start_daemon()
    client = daemon.client(0)
    client.start("cut-short", {"events": ["sched:sched_process_exit"]})
    assert daemon.instances()
    client.close()
    daemon.stop()
    metadata = [json.loads(path.read_text()) for path in daemon.store.glob("*/capture.json")]
    assert [about["state"] for about in metadata] == ["complete"]


def test_interrupt_ends_it_cleanly(start_daemon):
    daemon = start_daemon()
    daemon.process.send_signal(signal.SIGINT)
    daemon.process.wait(10)
    daemon.stop()


def test_second_daemon_gives_way(start_daemon, daemon):
    second = start_daemon(wait=False)
    assert second.process.wait(10) != 0
    assert daemon.client(0).manager("Describe")


def test_attached_session_ends_with_its_client(daemon, root):
    client = daemon.client(0)
    client.start("attached", {"events": ["sched:sched_process_exit"], "attached": True})
    client.start("detached", {"events": ["sched:sched_process_exit"]})
    client.close()
    wait_until(lambda: [row[1] for row in root.manager("ListSessions")] == ["detached"], "the attached session is still there")
    assert len(daemon.instances()) == 1
    rows = root.manager("ListCaptures", "(a{sv})", {"state": GLib.Variant("s", "complete")})
    assert [row[2] for row in rows] == ["attached"]
    assert root.describe(rows[0][10])["reason"] == "client-left"


@pytest.mark.seconds(300)
def test_more_clients_than_matches(daemon, root):
    """dbus-daemon allows 512 matches for a connection, and 256 connections for a user: the daemon must not
    add a match for each client that there was."""
    for _ in range(3):
        clients = [daemon.client(0) for _ in range(180)]
        for client in clients:
            client.manager("ListSessions")
        clients[0].create("attached", {"events": ["sched:sched_switch"], "attached": True})
        for client in clients:
            client.close()
        wait_until(lambda: root.get(ROOT, MANAGER, "NSessions") == 0, "the attached session stays")
    assert daemon.process.poll() is None


@pytest.mark.seconds(300)
@pytest.mark.settings(sessions_max=600, sessions_per_user_max=600)
def test_more_attached_sessions_than_matches(daemon, root):
    client = daemon.client(0)
    for number in range(520):
        client.create(f"many-{number}", {"events": ["sched:sched_process_exit"], "attached": True})
    assert root.get(ROOT, MANAGER, "NSessions") == 520
    client.close()
    wait_until(lambda: root.get(ROOT, MANAGER, "NSessions") == 0, "attached sessions stay")
