# SPDX-License-Identifier: LGPL-2.1-or-later
"""ktraced installed from this tree, under systemd as its unit says, on kernels that people run: root and an ordinary
user record over the bus, polkit decides, trace-cmd judges what was recorded."""

import json
import re

import pytest

import image
import vm
from logins import run_as_user

pytestmark = pytest.mark.seconds(600)

TRACE_SYSTEM = "org.ktraced1.trace-system"
RULES = "/etc/polkit-1/rules.d/10-test.rules"
RULE = """
polkit.addRule(function(action, subject) {
        if (action.id == "%s" && subject.user == "%s" && (%s))
                return polkit.Result.%s;
        return polkit.Result.NOT_HANDLED;
});
"""
MARKER = "/usr/local/bin/marker"
RUNS = 20
RUN_MARKER = f"i=0; while [ $i -lt {RUNS} ]; do {MARKER}; i=$((i+1)); done"
EXEC = "sched:sched_process_exec"
SETTINGS = """
cd /sys/kernel/tracing
for file in $(find . -type f -perm -400 -not -path './instances/*' -not -path './events/*' -not -path './per_cpu/*' \
                -not -name '*pipe*' -not -name trace -not -name saved_cmdlines -not -name saved_tgids \
                -not -name 'snapshot*' | sort); do
        echo "== $file"
        cat "$file"
done
grep -H . events/*/enable events/enable
"""


def journal(guest):
    return guest.run("journalctl -b -u ktraced.service --no-pager -o cat", check=True).stdout


def show(guest, what):
    return guest.run(["systemctl", "show", "--value", "--property", what, "ktraced.service"], check=True).stdout.strip()


def captures(guest):
    rows = json.loads(guest.run("ktracectl --json=short capture list", check=True).stdout)
    return {row["id"]: row for row in rows}


def sessions(guest):
    return json.loads(guest.run("ktracectl --json=short session list", check=True).stdout)


def instances(guest):
    return guest.run("ls /sys/kernel/tracing/instances", check=True).stdout.split()


def count(text):
    """How many times the marker program was executed, in a report of trace-cmd."""
    return len(re.findall(rf"sched_process_exec:.*filename={MARKER}\b", text))


def report(guest, capture):
    """All segments of a capture as trace-cmd reads them; it must also find them valid."""
    folder = f"/root/{capture}"
    guest.run(["ktracectl", "capture", "export", capture, folder], check=True)
    guest.run(f"for file in {folder}/*.dat; do trace-cmd dump --validate -i $file || exit; done", check=True)
    text = guest.run(f"for file in {folder}/*.dat; do trace-cmd report -i $file || exit; done", check=True).stdout
    guest.run(["rm", "-r", folder], check=True)
    return text


def reload_rules(guest):
    """polkitd notices changed rules by itself, but says to nobody when it has."""
    guest.run("systemctl reset-failed polkit.service; systemctl restart polkit.service", check=True)


def set_rule(guest, result, action=TRACE_SYSTEM, condition="true"):
    """Has polkit answer the ordinary user so, where the condition holds."""
    guest.put(RULES, RULE % (action, image.USER, condition, result))
    reload_rules(guest)


@pytest.fixture
def no_rule(guest):
    yield
    guest.run(["rm", "-f", RULES], check=True)
    reload_rules(guest)


@pytest.fixture(scope="module")
def started(guest):
    """The guest with the service started as an administrator would."""
    guest.run(["cp", "/bin/true", MARKER], check=True)
    guest.run("systemctl start ktraced.service || { journalctl -b -u ktraced.service; exit 1; }", check=True)
    return guest


@pytest.fixture(autouse=True)
def no_session_left(request):
    """A test that fails half-way does not bring the next ones down."""
    yield
    if "started" in request.fixturenames:
        guest = request.getfixturevalue("started")
        for session in sessions(guest):
            guest.run(["ktracectl", "session", "remove", session["id"]], check=True)


def record(guest, *more):
    """Root records the marker program; the id of the capture."""
    before = captures(guest)
    guest.run(["ktracectl", "record", "-e", "sched", *more, "--", "sh", "-c", RUN_MARKER], check=True)
    (new,) = captures(guest).keys() - before.keys()
    return new


def test_the_service_runs_confined(started):
    assert show(started, "ActiveState") == "active"
    status = started.run(f"cat /proc/{show(started, 'MainPID')}/status", check=True).stdout
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    for name in ["CapEff", "CapPrm", "CapBnd", "CapAmb"]:
        assert int(fields[name], 16) == 0, f"{name}: {fields[name]}"
    assert (fields["NoNewPrivs"], fields["Seccomp"]) == ("1", "2")
    exposure = started.run("systemd-analyze security --no-pager ktraced.service | tail -1", check=True).stdout
    assert float(re.search(r"level for ktraced.service: ([0-9.]+)", exposure)[1]) <= 1.2, exposure


def test_the_unit_and_the_bus_files_are_right(started):
    verified = started.run(["systemd-analyze", "verify", "--man=no", "ktraced.service"])
    assert (verified.status, verified.output) == (0, ""), verified.output
    complaints = started.run("journalctl -b --no-pager -o cat -t dbus-daemon -t polkitd -t systemd -p warning", check=True)
    assert "ktraced" not in complaints.stdout, complaints.stdout


def test_root_records_and_trace_cmd_agrees(started):
    capture = record(started)
    row = captures(started)[capture]
    assert (row["owner"], row["state"], row["lost"]) == (0, "complete", 0)
    text = report(started, capture)
    assert count(text) == RUNS
    assert "sched_switch:" in text
    assert len(text.splitlines()) == row["events"] + 1, "trace-cmd and the daemon count differently"
    assert sessions(started) == [] and instances(started) == []


def test_a_recording_leaves_the_settings_alone(started):
    before = started.run(SETTINGS, check=True).stdout
    assert before.count("==") > 20
    record(started, "-C", "boot", "-b", "2M", "-O", "noannotate")
    assert started.run(SETTINGS, check=True).stdout == before


def test_an_ordinary_user_is_refused(started, no_rule):
    before = captures(started)
    command = f"ktracectl --no-ask-password record -e sched -o /home/{image.USER}/trace.dat -- true"
    status, output = run_as_user(started, f"cd; {command}")
    assert status == 1 and output.startswith("Failed to start recording: Interactive authentication is required\n")
    set_rule(started, "NO")
    status, output = run_as_user(started, f"cd; {command}")
    assert status == 1 and output.startswith("Failed to start recording: Not authorized\n")
    assert captures(started) == before and sessions(started) == [] and instances(started) == []
    assert f"StartSession {TRACE_SYSTEM} for user 1000: Not authorized" in journal(started)
    # What anyone may.
    status, output = run_as_user(started, "ktracectl status")
    assert status == 0 and "Kernel has:" in output, output


def test_an_ordinary_user_records_with_a_rule(started, no_rule):
    set_rule(started, "YES")
    before = captures(started)
    status, output = run_as_user(started, f"cd; ktracectl record -e sched -- sh -c '{RUN_MARKER}'")
    assert status == 0, output
    (capture,) = captures(started).keys() - before.keys()
    assert captures(started)[capture]["owner"] == 1000
    # The owner reads the capture without being asked.
    status, text = run_as_user(started, f"cd; ktracectl capture open {capture} >copy.dat && trace-cmd report -i copy.dat")
    assert status == 0, text
    assert count(text) == RUNS
    # The client's own file, in a home that the daemon cannot see.
    status, output = run_as_user(started, f"cd; ktracectl record -q -o own.dat -e {EXEC} -- sh -c '{RUN_MARKER}'")
    assert status == 0, output
    status, text = run_as_user(started, "cd; stat -c %U own.dat; trace-cmd report -i own.dat")
    assert status == 0 and text.startswith(image.USER + "\n"), text
    assert count(text) == RUNS


def test_a_user_gives_the_own_capture_to_trace_cmd(started, no_rule):
    set_rule(started, "YES")
    status, capture = run_as_user(started, "ktracectl session start own -e sched:sched_process_exec >/dev/null && "
                                  f"{RUN_MARKER} && ktracectl session stop own && "
                                  "ktracectl --json=short capture list own")  # fmt: skip
    assert status == 0, capture
    status, text = run_as_user(started, f"ktracectl capture open {json.loads(capture)[0]['id']} -- trace-cmd report -i")
    assert status == 0, text
    assert count(text) == RUNS


def test_a_user_cannot_read_the_captures_of_others(started, no_rule):
    capture = record(started)
    set_rule(started, "YES")
    status, output = run_as_user(started, f"ktracectl --no-ask-password capture open {capture} | wc -c")
    assert output.endswith("authentication is required\n0\n"), output
    status, output = run_as_user(started, f"ls /var/lib/ktraced; cat /var/lib/ktraced/*/{capture}/*")
    assert status != 0 and "Permission denied" in output


def test_the_login_decides_where_a_rule_says_so(started, no_rule):
    set_rule(started, "YES", condition="subject.active")
    command = f"cd; ktracectl --no-ask-password record -q -o login.dat -e {EXEC} -- sh -c '{RUN_MARKER}'"
    for caller, expected in [("any", 1), ("inactive", 1), ("active", 0)]:
        status, output = run_as_user(started, f"rm -f ~/login.dat; {command}", caller)
        assert status == expected, f"{caller}: {output}"
    status, text = run_as_user(started, "trace-cmd report -i ~/login.dat")
    assert count(text) == RUNS


def test_a_stop_closes_captures_and_a_call_starts_again(started):
    started.run(["ktracectl", "session", "start", "standing", "-e", EXEC], check=True)
    (session,) = sessions(started)
    assert instances(started) == [f"ktraced-{session['id']}"]
    started.run(RUN_MARKER, check=True)
    started.run(["systemctl", "stop", "ktraced.service"], check=True)
    assert show(started, "Result") == "success"
    assert instances(started) == []
    # Listing captures is a call to a name that nobody has: D-Bus has systemd start the service.
    row = next(row for row in captures(started).values() if row["session"] == session["id"])
    assert show(started, "ActiveState") == "active"
    assert row["state"] == "complete"
    assert count(report(started, row["id"])) == RUNS


def test_a_killed_daemon_comes_back_and_cleans_up(started):
    started.run(["ktracectl", "session", "start", "killed", "-e", EXEC], check=True)
    (session,) = sessions(started)
    started.run(f"{RUN_MARKER}; ktracectl session rotate killed", check=True)
    pid = show(started, "MainPID")
    started.run(["systemctl", "kill", "--kill-whom=main", "--signal=KILL", "ktraced.service"], check=True)
    started.run("for i in $(seq 60); do sleep 1; systemctl is-active --quiet ktraced.service && exit 0; done; exit 1", check=True)
    assert show(started, "MainPID") not in (pid, "0")
    row = next(row for row in captures(started).values() if row["session"] == session["id"])
    assert row["state"] == "interrupted"
    # What was recorded until the rotation is on the disk.
    assert count(report(started, row["id"])) == RUNS
    assert instances(started) == [] and sessions(started) == []


@pytest.mark.seconds(1800)
@pytest.mark.parametrize("kernel", image.KERNELS)
def test_captures_outlive_a_reboot_and_a_power_cut(kernel, installed, tmp_path):
    disk = vm.new_disk(tmp_path)
    with vm.Guest(kernel, installed, disk=disk) as guest:
        guest.run(["cp", "/bin/true", MARKER], check=True)
        guest.run("systemctl enable --now ktraced.service", check=True)
        guest.run(["ktracectl", "session", "start", "rebooted", "-e", EXEC], check=True)
        guest.run(RUN_MARKER, check=True)
        guest.power_off()
    with vm.Guest(kernel, disk=disk) as guest:
        assert guest.state == "running"
        assert show(guest, "ActiveState") == "active", "it is enabled, and was not started"
        assert sessions(guest) == [] and instances(guest) == []
        (row,) = captures(guest).values()
        assert (row["name"], row["state"]) == ("rebooted", "complete")
        assert count(report(guest, row["id"])) == RUNS
        guest.run(["ktracectl", "session", "start", "cut", "-e", EXEC], check=True)
        guest.run(f"{RUN_MARKER}; ktracectl session rotate cut; sync", check=True)
        guest.close()
    with vm.Guest(kernel, disk=disk) as guest:
        assert guest.state == "running"
        assert sessions(guest) == [] and instances(guest) == []
        rows = {row["name"]: row for row in captures(guest).values()}
        assert (rows["rebooted"]["state"], rows["cut"]["state"]) == ("complete", "interrupted")
        assert count(report(guest, rows["cut"]["id"])) == RUNS
