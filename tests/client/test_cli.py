# SPDX-License-Identifier: LGPL-2.1-or-later
"""ktracectl through its command line: over the bus, as root and as others, and embedded; JSON parsed."""

import hashlib
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import time

import pytest

from daemon import INSTANCES, KTRACECTL, NOBODY, SANITIZERS, ktracectl, reachable
from system_bus import wait_until

SWITCH = "sched:sched_switch"


@pytest.fixture
def run(bus, polkit, daemon):
    """A function that runs ktracectl over the bus."""

    def run(*arguments, **more):
        return ktracectl(*arguments, bus=bus, **more)

    return run


@pytest.fixture
def run_json(run):
    """The same with --json=short; what was printed, parsed."""

    def run_json(*arguments, **more):
        done = run("--json=short", *arguments, **more)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run_json


class Terminal:
    """ktracectl on a terminal of its own, which also gets what it prints. Ends with close()."""

    def __init__(self, *arguments, environment, uid=0):
        program = reachable(KTRACECTL)
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.setresuid(uid, uid, uid)
            os.execve(program, [str(program), *map(str, arguments)], {"TERM": "xterm", **environment})
        self.text = ""
        self.status = None

    def read(self, seconds=0.1):
        ready, _, _ = select.select([self.master], [], [], seconds)
        if ready:
            try:
                self.text += os.read(self.master, 65536).decode(errors="replace")
            except OSError:  # the other end is closed
                time.sleep(seconds)

    def wait_for(self, pattern, timeout=60):
        def there():
            self.read()
            return re.search(pattern, self.text)

        return wait_until(there, f"no {pattern!r} in {self.text!r}", timeout=timeout)

    def write(self, data):
        os.write(self.master, data)

    def wait(self, timeout=60):
        def ended():
            self.read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            return pid

        wait_until(ended, f"ktracectl did not end: {self.text!r}", timeout=timeout)
        self.read()
        return self.status

    def close(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.master)


@pytest.fixture
def terminal(bus, polkit, daemon):
    started = []

    def start(*arguments, uid=0, **environment):
        new = Terminal(*arguments, environment={**bus.environment(**SANITIZERS), "TERM": "xterm", **environment}, uid=uid)
        started.append(new)
        return new

    yield start
    for old in started:
        old.close()


def report(path):
    """The events as trace-cmd reads them, as (task, event) pairs."""
    text = subprocess.run(["trace-cmd", "report", path], capture_output=True, text=True, check=True).stdout
    return re.findall(r"^\s*(\S.*)-\d+\s+\[\d+\].*?\s[\d.]+:\s+(\w+):", text, re.M)


# The command line.


def test_version_and_help():
    assert re.fullmatch(r"ktracectl \d+\.\d+\.\d+\n", ktracectl("--version").stdout)
    for arguments in [["--help"], ["-h"], ["record", "--help"], ["session", "list", "-h"]]:
        done = ktracectl(*arguments)
        assert done.returncode == 0
        assert done.stdout.startswith("ktracectl [OPTIONS...]")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["--nonsense"],
        ["session", "nonsense"],
        ["session", "stop"],
        ["session", "attach", "web"],
        ["status", "superfluous"],
        ["--json=xml", "status"],
        ["record"],
        ["record", "-F", "-e", "sched"],
        ["record", "-f", "pid == 1", "-e", "sched"],
        ["record", "-v", "-e", "sched", "-f", "pid == 1"],
        ["record", "-e", "sched", "-c", "--", "true"],
        ["record", "-e", "sched", "-P", "x"],
        ["record", "-e", "sched", "-P", "0"],
        ["record", "-e", "sched", "-b", "much"],
        ["record", "-e", "sched", "--duration", "soon"],
        ["record", "-e", "sched", "--segments", "0"],
        ["record", "-e", "sched", "--host", "elsewhere", "--", "true"],
        ["session", "start"],
        ["session", "start", "a", "b"],
        ["session", "create", "a"],
        ["capture", "open"],
        ["capture", "open", "--segment=0", "x"],
        ["capture", "export", "x"],
        ["list", "event"],
        ["report"],
    ],
)
def test_usage_errors(arguments):
    done = ktracectl(*arguments)
    assert done.returncode == 2, done
    assert done.stderr
    assert done.stdout == ""


def test_no_bus(folder):
    done = subprocess.run(
        [KTRACECTL, "status"],
        env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={folder}/none"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Failed to connect to ktraced: Cannot connect to the system bus: ")


def test_no_daemon(bus):
    done = ktracectl("status", bus=bus)
    assert done.returncode == 1
    assert "ktraced does not run" in done.stderr


def test_options_may_stand_anywhere(run):
    for arguments in [
        ["--no-legend", "session", "list"],
        ["session", "--no-legend", "list"],
        ["session", "list", "--no-legend"],
    ]:
        done = run(*arguments)
        assert (done.returncode, done.stdout) == (0, ""), done


# Asking.


def test_status(run, run_json, root):
    root.start("web", {"events": [SWITCH]})
    text = run("status").stdout
    assert re.search(r"Sessions: 1 \(1 active\)", text)
    assert re.search(r"Kernel has: .*instances", text)
    assert re.search(r"^[0-9a-f]{16}  web +root +active +stream( +-)+$", text, re.M)
    # What is used changes from one moment to the next.
    assert re.sub(r"\d+", "N", run().stdout) == re.sub(r"\d+", "N", text)

    status = run_json("status")
    assert status["manager"]["sessions_active"] == 1
    assert status["features"]["events"] is True
    assert all(value is True or value for value in status["features"].values())
    assert [session["name"] for session in status["sessions"]] == ["web"]


def test_json_forms(run):
    short, pretty, plain = (run(option, "list", "clocks").stdout for option in ["--json=short", "--json=pretty", "-j"])
    assert short.count("\n") == 1
    assert pretty.count("\n") > 3
    assert plain == short  # no terminal
    assert json.loads(short) == json.loads(pretty)
    assert run("--json=off", "list", "clocks").stdout.splitlines()[: len(json.loads(short))] == json.loads(short)


def test_lists(run, run_json):
    events = run_json("list", "events", "sched:*")
    assert SWITCH in events and all(event.startswith("sched:") for event in events)
    assert len(run_json("list", "events")) > len(events)
    assert len(run_json("list")) > len(events)
    assert run("list", "events", SWITCH).stdout == f"{SWITCH}\n\n1 event listed.\n"
    assert run("--no-legend", "list", "events", SWITCH).stdout == f"{SWITCH}\n"
    assert "nop" in run_json("list", "tracers")
    assert {"local", "mono"} <= set(run_json("list", "clocks"))
    assert "event-fork" in run_json("list", "options")
    assert {"name", "description"} == set(run_json("list", "profiles")[0])
    assert re.search(r"^NAME +DESCRIPTION$", run("list", "profiles").stdout, re.M)

    fields = run_json("list", "event", SWITCH)["fields"]
    assert "prev_comm" in {field["name"] for field in fields}
    assert re.search(r"^prev_pid +pid_t +\d+ +4$", run("list", "event", SWITCH).stdout, re.M)
    profile = run_json("list", "profile", "sched-latency")
    assert profile["name"] == "sched-latency" and profile["spec"]["events"]
    assert re.search(r"^ *Description: \S", run("list", "profile", "sched-latency").stdout, re.M)


def test_names_that_are_not_there(run):
    for arguments, what in [
        (["session", "show", "nobodys"], "show session nobodys"),
        (["session", "stop", "nobodys"], "stop session nobodys"),
        (["session", "start", "nobodys"], "start session nobodys"),
        (["capture", "show", "20200101T000000-00000000"], "show capture 20200101T000000-00000000"),
        (["capture", "delete", "x" * 300], "delete capture x"),
        (["report", "nobodys"], "report nobodys"),
        (["list", "event", "no:event"], "show event no:event"),
        (["list", "profile", "../passwd"], "show profile ../passwd"),
    ]:
        done = run(*arguments)
        assert done.returncode == 1, done
        assert done.stderr.startswith(f"Failed to {what}"), done.stderr
        assert done.stdout == ""


def test_reload(run, daemon):
    assert run("reload").returncode == 0
    daemon.settings_file.write_text('{ "nonsense": 1 }')
    done = run("reload")
    assert done.returncode == 1
    assert "nonsense" in done.stderr


def test_colours(run, root, daemon):
    root.start("web", {"events": [SWITCH]})

    def has_colours(**environment):
        done = subprocess.run(
            [KTRACECTL, "session", "list"],
            env=daemon.bus.environment(**environment),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0
        return "\033[" in done.stdout

    assert not has_colours()
    assert has_colours(SYSTEMD_COLORS="1")
    assert has_colours(SYSTEMD_COLORS="256", NO_COLOR="1")
    assert not has_colours(SYSTEMD_COLORS="0")


def test_colours_on_a_terminal(terminal, root):
    root.start("web", {"events": [SWITCH]})
    for environment, coloured in [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]:
        shown = terminal("--no-pager", "session", "list", **environment)
        assert shown.wait() == 0
        assert ("\033[0;1;32mactive" in shown.text) == coloured


def test_pager(terminal, folder):
    pager = folder / "pager"
    pager.write_text('#!/bin/sh\nexec sed "s/^/paged: /"\n')
    pager.chmod(0o755)
    shown = terminal("list", "clocks", SYSTEMD_PAGER=str(pager), SYSTEMD_PAGERSECURE="0")
    assert shown.wait() == 0
    assert "paged: local" in shown.text
    for arguments, environment in [(["--no-pager"], {"SYSTEMD_PAGER": str(pager)}), ([], {"SYSTEMD_PAGER": "cat"})]:
        shown = terminal(*arguments, "list", "clocks", SYSTEMD_PAGERSECURE="0", **environment)
        assert shown.wait() == 0
        assert "local" in shown.text and "paged" not in shown.text


# Sessions.


def test_life_of_a_session(run, run_json, root):
    started = run_json("session", "start", "web", "-e", SWITCH, "--segment-size=1M", "--buffer-size=512")
    assert started["state"] == "active"
    described = run_json("session", "show", "web")
    assert described["id"] == started["id"]
    assert described["spec"]["events"] == [SWITCH]
    assert described["spec"]["segment_size"] == 1 << 20
    assert described["spec"]["buffer_size"] == 512 << 10
    assert re.search(r"^ *State: active$", run("session", "show", "web").stdout, re.M)
    assert run("session", "start", "web", "-e", SWITCH).returncode == 1

    for verb in ["rotate", "clear", "stop", "stop"]:
        done = run("session", verb, "web")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done
    done = run("session", "rotate", "web")
    assert done.returncode == 1
    assert done.stderr.startswith("Failed to rotate session web: ")
    assert [row["state"] for row in run_json("session", "list")] == ["stopped"]

    assert run("session", "start", "web").stdout == f"{started['id']}\n"
    done = run("session", "remove", "web", "nobodys")
    assert done.returncode == 1
    assert "nobodys" in done.stderr and "session web" not in done.stderr
    assert run_json("session") == []
    captures = run_json("capture", "list")
    assert len(captures) == 2
    assert {row["session"] for row in captures} == {started["id"]}


def test_create_and_start(run, run_json):
    created = run("session", "create", "later", "-e", SWITCH)
    assert re.fullmatch(r"[0-9a-f]{16}\n", created.stdout)
    assert run_json("session", "list")[0]["state"] == "created"
    assert run("-q", "session", "start", "later").stdout == ""
    assert run_json("session", "list")[0]["state"] == "active"


def test_spec_options(run, run_json):
    run_json(
        "session", "create", "all", "-e", f"{SWITCH},sched:sched_wakeup", "-f", "common_pid > 1", "-f", "CPU == 0",
        "-e", "signal", "-v", "-e", "signal:signal_deliver", "-P", f"1,{os.getpid()}", "-c", "-M", "0", "-C", "mono",
        "-O", "sym-offset", "-b", "1M", "--duration=1min", "--segment-size=2M", "--segment-age=10s", "--segments=3",
        "--symbols",
    )  # fmt: skip
    spec = run_json("session", "show", "all")["spec"]
    assert spec["events"] == [SWITCH, "sched:sched_wakeup", "signal", "!signal:signal_deliver"]
    assert spec["filters"] == {
        SWITCH: "(common_pid > 1)&&(CPU == 0)",
        "sched:sched_wakeup": "(common_pid > 1)&&(CPU == 0)",
    }
    assert spec["pids"] == [1, os.getpid()]
    assert spec["children"] is True
    assert spec["cpus"] == "0"
    assert spec["clock"] == "mono"
    assert spec["options"] == ["sym-offset"]
    assert (spec["buffer_size"], spec["segment_size"], spec["segments"]) == (1 << 20, 2 << 20, 3)
    assert (spec["duration"], spec["segment_age"], spec["symbols"]) == (60_000_000, 10_000_000, True)


def test_tracer_options(run, run_json):
    """Only what a kernel takes that keeps its functions to itself."""
    run_json("session", "create", "tracer", "-p", "function", "--all-functions", "-T", "--user-stack")
    spec = run_json("session", "show", "tracer")["spec"]
    assert (spec["tracer"], spec["all_functions"]) == ("function", True)
    assert spec["options"] == ["stacktrace", "userstacktrace"]
    assert "events" not in spec or spec["events"] == []
    for words, part in [
        (["-l", "vfs_read"], "needs a tracer"),
        (["-n", ":mod:x"], "needs a tracer"),
        (["-p", "function", "-l", "a,b:traceoff"], "b:traceoff"),
        (["-p", "function", "--func-stack", "--all-functions"], "function_stacks"),
    ]:
        failed = run("session", "create", "bad", "-e", SWITCH, *words)
        assert failed.returncode == 1 and part in failed.stderr, failed
    assert run("session", "create", "bad", "-p", "function", "-l", ",").returncode == 2


def test_attach(run, run_json):
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        assert run("session", "start", "one", "-e", "syscalls", "-P", os.getpid()).returncode == 0
        assert run("session", "attach", "one", sleeper.pid).returncode == 0
        done = run("session", "attach", "one", "1x", "999999999")
        assert done.returncode == 1
        assert "attach process 1x" in done.stderr and "attach process 999999999" in done.stderr
        sleeper.send_signal(signal.SIGTERM)
    assert run("session", "stop", "one").returncode == 0


# Recording.


def test_record_a_program(run, folder):
    output = folder / "t.dat"
    done = run("record", "-e", "syscalls", "-F", "-c", "-o", output, "--", "sh", "-c", "cat /dev/null; exit 7")
    assert done.returncode == 7, done.stderr
    assert re.search(r"^Recorded [1-9]\d* events \(.*\) in .*, 0 lost\.$", done.stderr, re.M)
    assert f"File: {output}\n" in done.stderr
    tasks = {task for task, _ in report(output)}
    assert {"sh", "cat"} <= tasks, tasks
    # Tracing was on before the program began: its exec is there, in the name it had until then and the new one.
    events = [event for _, event in report(output)]
    assert "sys_enter_execve" in events and "sys_exit_execve" in events


def test_record_whole_system(run, folder):
    output = folder / "t.dat"
    done = run("-q", "record", "-e", "sched", "-v", "-e", "sched:sched_stat_*,sched:sched_wak*", "-o", output, "--", "true")
    assert (done.returncode, done.stderr) == (0, ""), done
    events = {event for _, event in report(output)}
    assert "sched_process_exec" in events and "sched_wakeup" not in events


def test_record_into_the_store(run, run_json):
    summary = run_json("record", "--name=mine", "-e", SWITCH, "--", "true")
    assert summary["state"] == "stopped" and summary["exit_status"] == 0
    assert summary["segments"] == 1 and summary["lost"] == 0
    assert run_json("session", "list") == []
    (row,) = run_json("capture", "list")
    assert (row["id"], row["name"], row["state"]) == (summary["capture"], "mine", "complete")
    assert (row["events"], row["segments"]) == (summary["events"], 1)

    for source in [summary["capture"], summary["session"], "mine"]:
        done = run("--no-pager", "report", source)
        assert done.returncode == 0, done.stderr
        assert "sched_switch" in done.stdout
        lines = done.stdout.splitlines()
    assert len([line for line in lines if "sched_switch" in line]) == summary["events"]


def test_exit_status_of_a_signal(run):
    assert run("-q", "record", "-e", SWITCH, "--", "sh", "-c", "kill -TERM $$").returncode == 128 + signal.SIGTERM


@pytest.mark.parametrize("program, status", [("/nonexistent/program", 127), ("/etc/passwd", 126)])
def test_program_that_cannot_be_run(run, run_json, folder, program, status):
    output = folder / "t.dat"
    for more in [[], ["-o", output]]:
        done = run("record", "-e", SWITCH, "-F", *more, "--", program)
        assert done.returncode == status
        assert done.stderr.startswith(f"Failed to run {program}: ")
    assert not output.exists()
    assert run_json("session", "list") == [] and run_json("capture", "list") == []


def test_program_does_not_start_without_tracing(run, folder):
    witness = folder / "witness"
    done = run("record", "-e", "no:event", "--", "touch", witness)
    assert done.returncode == 1
    assert "no:event" in done.stderr
    assert not witness.exists()


def test_bad_filter_is_marked(run):
    done = run("record", "-e", SWITCH, "-f", "prev_pid > 1 && prev_pdi < 2", "--", "true")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    expression = next(i for i, line in enumerate(lines) if line == "prev_pid > 1 && prev_pdi < 2")
    assert lines[expression + 1].index("^") == lines[expression].index("prev_pdi")


def test_output_is_replaced_only_when_accepted(run, folder):
    output = folder / "t.dat"
    output.write_text("precious")
    output.chmod(0o640)
    assert run("record", "-e", "no:event", "-o", output, "--", "true").returncode == 1
    assert output.read_text() == "precious"
    assert run("record", "-e", SWITCH, "-o", output, "--", "true").returncode == 0
    assert report(output)
    assert output.stat().st_mode & 0o777 == 0o640
    assert {path.name for path in folder.iterdir() if path.name.startswith("t.dat")} == {"t.dat"}


def test_output_that_is_no_file(run, folder):
    fifo = folder / "fifo"
    os.mkfifo(fifo)
    for path in [folder, fifo, "/dev/null"]:
        done = run("record", "-e", SWITCH, "-o", path, "--", "true")
        assert done.returncode == 1
        assert f"{path} is not a regular file" in done.stderr
    assert run("record", "-e", SWITCH, "-o", folder / "no" / "t.dat", "--", "true").returncode == 1


def test_duration(run_json):
    begin = time.monotonic()
    summary = run_json("record", "-e", SWITCH, "--duration=300ms")
    assert 0.3 <= time.monotonic() - begin < 60
    assert summary["state"] == "stopped"


# 40,000 system calls, 80,000 events, some 2 MiB in the trace.
SEGMENTED = ["-e", "syscalls", "-F", "--segment-size=256K", "--", "dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=20000"]


def test_rotation(run_json):
    summary = run_json("record", *SEGMENTED)
    assert summary["segments"] >= 3
    assert summary["events"] >= 80_000


def test_capture_stays_after_ctrl_c(terminal, run_json):
    shown = terminal("record", "-e", "sched")
    shown.wait_for("Ctrl-C ends it")
    shown.wait_for(r"0:0[1-9]  [1-9]\d* events  \S+  0 lost", timeout=60)
    shown.write(b"\x03\x03")
    assert shown.wait() == 0
    capture = re.search(r"Capture: (\S+) \(1 segment\)", shown.text)[1]
    (row,) = run_json("capture", "list")
    assert (row["id"], row["state"]) == (capture, "complete")


def test_ctrl_c_reaches_the_program(terminal, run_json):
    shown = terminal("record", "-e", "sched", "--", "sh", "-c", "trap 'exit 5' INT; echo ready; while :; do sleep 0.1; done")
    shown.wait_for("ready")
    shown.write(b"\x03")
    assert shown.wait() == 5
    (row,) = run_json("capture", "list")
    assert row["state"] == "complete"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_are_passed_on(bus, polkit, daemon, run_json, number):
    process = subprocess.Popen(
        [KTRACECTL, "record", "-e", SWITCH, "--", "sh", "-c", "echo ready; exec sleep 60"],
        env=bus.environment(**SANITIZERS),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number, errors
    (row,) = run_json("capture", "list")
    assert row["state"] == "complete"


def test_killed_client_leaves_no_session(bus, polkit, daemon, root):
    process = subprocess.Popen(
        [KTRACECTL, "-q", "record", "-e", SWITCH], env=bus.environment(), stdin=subprocess.DEVNULL
    )
    wait_until(lambda: root.manager("ListSessions"), "no session")
    process.kill()
    process.wait(10)
    wait_until(lambda: not root.manager("ListSessions"), "the session stayed")


def test_daemon_that_dies(bus, polkit, start_daemon):
    daemon = start_daemon()
    process = subprocess.Popen(
        [KTRACECTL, "record", "-e", SWITCH],
        env=bus.environment(**SANITIZERS),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    client = daemon.client()
    wait_until(lambda: [row for row in client.manager("ListSessions") if row[3] == "active"], "no session")
    client.close()
    daemon.kill()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Failed to ask for the state of the session: " in errors
    # The next daemon removes what the kernel still has.
    start_daemon()


# Captures.


@pytest.fixture
def capture(run_json):
    return run_json("record", "--name=mine", *SEGMENTED)["capture"]


def test_capture_list_and_show(run, run_json, capture):
    text = run("capture", "list").stdout
    assert re.search(rf"^{capture} +[0-9a-f]{{16}} +mine +root +complete +\d{{4}}-\d\d-\d\d ", text, re.M)
    assert text.endswith("\n1 capture listed.\n")
    (row,) = run_json("capture", "list")
    # Its size changes as long as segments are compressed in the background.
    (again,) = run_json("capture", "list", row["session"])
    assert {**again, "bytes": row["bytes"], "ratio": row["ratio"]} == row
    assert run_json("capture", "list", "0123456789abcdef") == []
    described = run_json("capture", "show", capture)
    assert described["id"] == capture and described["reason"] == "stopped"
    assert len(described["segments"]) == row["segments"] >= 3
    assert re.search(rf"^ *Id: {capture}$", run("capture", "show", capture).stdout, re.M)


def test_capture_open(daemon, run, capture, folder):
    number = json.loads(run("--json", "capture", "show", capture).stdout)["segments"][0]["number"]
    path = folder / "segment"
    with open(path, "wb") as target:
        done = subprocess.run(
            [KTRACECTL, "capture", "open", f"--segment={number}", capture],
            env=daemon.bus.environment(),
            stdout=target,
            timeout=60,
        )
    assert done.returncode == 0
    assert report(path)
    done = run("capture", "open", f"--segment={number}", capture, "--", "trace-cmd", "report")
    assert done.returncode == 0, done.stderr
    assert "sys_enter" in done.stdout
    assert run("capture", "open", capture, "--", "sh", "-c", "exit 9").returncode == 9
    assert run("capture", "open", capture, "--", "/nonexistent").returncode == 127
    done = run("capture", "open", "--segment=1000", capture, "--", "true")
    assert done.returncode == 1 and "1000" in done.stderr


def test_capture_open_spares_the_terminal(terminal, capture):
    shown = terminal("capture", "open", capture)
    assert shown.wait() == 2
    assert "A segment is no text" in shown.text


def test_capture_export(run, run_json, capture, folder):
    target = folder / "exported"

    def digested():
        return all(segment.get("sha256") for segment in run_json("capture", "show", capture)["segments"])

    wait_until(digested, "the segments have no digests")
    assert run("capture", "export", capture, target).returncode == 0
    described = json.loads((target / "capture.json").read_text())
    assert described == run_json("capture", "show", capture)
    for segment in described["segments"]:
        path = target / f"trace-{segment['number']:06}.dat"
        assert hashlib.sha256(path.read_bytes()).hexdigest() == segment["sha256"]
        subprocess.run(["trace-cmd", "dump", "--validate", path], check=True, stdout=subprocess.DEVNULL)
    done = run("capture", "export", capture, target)
    assert done.returncode == 1 and "exists" in done.stderr

    one = folder / "one.dat"
    number = described["segments"][-1]["number"]
    assert run("capture", "export", "--segment", number, capture, one).returncode == 0
    assert one.read_bytes() == (target / f"trace-{number:06}.dat").read_bytes()
    assert run("capture", "export", "--segment", number, capture, one).returncode == 1


def test_capture_delete(run, run_json, capture):
    assert run("capture", "delete", capture).returncode == 0
    assert run_json("capture") == []
    assert run("capture", "delete", capture).returncode == 1


# Others than root.


def test_ordinary_user(run, polkit, folder):
    home = folder / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    output = home / "t.dat"
    done = run("record", "-e", SWITCH, "-e", "syscalls", "-o", output, "--", "ls", "/", uid=NOBODY)
    assert done.returncode == 0, done.stderr
    assert output.stat().st_uid == NOBODY
    assert report(output)
    assert "org.ktraced1.trace-system" in [check.action for check in polkit.checks]

    done = run("record", "--name=mine", "-e", SWITCH, "--", "true", uid=NOBODY)
    assert done.returncode == 0, done.stderr
    done = run("--no-pager", "report", "mine", uid=NOBODY)
    assert done.returncode == 0, done.stderr
    assert "sched_switch" in done.stdout


def test_ordinary_user_is_refused(run, polkit, folder):
    polkit.mode = "no"
    witness = folder / "witness"
    done = run("record", "-e", SWITCH, "--", "touch", witness, uid=NOBODY)
    assert done.returncode == 1
    assert done.stderr.startswith("Failed to start recording: ")
    assert not witness.exists()


def test_ctrl_c_while_polkit_thinks(terminal, polkit, folder, root):
    polkit.mode = "hang"
    witness = folder / "witness"
    shown = terminal("--no-ask-password", "record", "-e", SWITCH, "--", "touch", witness, uid=NOBODY)
    wait_until(lambda: polkit.checks, "polkit was not asked")
    shown.write(b"\x03")
    assert shown.wait() == 1
    assert "Failed to start recording: Interrupted" in shown.text
    assert not witness.exists()
    assert root.manager("ListSessions") == []


def test_interaction(run, polkit):
    run("record", "-e", SWITCH, "--", "true", uid=NOBODY)
    assert polkit.checks[-1].interactive
    run("--no-ask-password", "record", "-e", SWITCH, "--", "true", uid=NOBODY)
    assert not [check for check in polkit.checks if check.action == "org.ktraced1.trace-system"][-1].interactive


def test_agent_on_a_terminal(terminal, polkit, folder):
    # A stand-in for pkttyagent says when it is there, and stays until it is told to go.
    programs = folder / "programs"
    programs.mkdir()
    agent = programs / "pkttyagent"
    agent.write_text('#!/bin/bash\necho "agent: $*"\neval "exec $2>&-"\ntrap "echo agent: gone; exit" TERM\nsleep 60 &\nwait\n')
    agent.chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    record = ["record", "-e", SWITCH, "--", "true"]

    shown = terminal(*record, uid=NOBODY, PATH=path)
    assert shown.wait() == 0
    assert re.search(r"agent: --notify-fd \d+", shown.text)
    assert "agent: gone" in shown.text
    for arguments, uid in [(["--no-ask-password", *record], NOBODY), (record, 0), (["session", "list"], NOBODY)]:
        shown = terminal("--no-pager", *arguments, uid=uid, PATH=path)
        assert shown.wait() == 0, shown.text
        assert "agent" not in shown.text


def test_the_real_agent_asks(bus, real_polkit, daemon):
    shown = Terminal("record", "-e", SWITCH, "--", "true", environment={**bus.environment(), "TERM": "xterm"}, uid=NOBODY)
    try:
        shown.wait_for("AUTHENTICATING FOR org.ktraced1.trace-system")
        shown.wait_for("Password: ")
        shown.write(b"\x03")
        assert shown.wait() == 1
    finally:
        shown.close()


# Another host.


@pytest.fixture
def run_remote(daemon, folder):
    """ktracectl --host=elsewhere, with a stand-in for ssh that leads to the private bus."""
    bridge = shutil.which("systemd-stdio-bridge")
    assert bridge, "systemd-stdio-bridge is not installed"
    programs = folder / "programs"
    programs.mkdir()
    ssh = programs / "ssh"
    ssh.write_text(f'#!/bin/sh\necho "$@" >{folder}/ssh-arguments\nexec {bridge} --bus-path={daemon.bus.address}\n')
    ssh.chmod(0o755)

    def run(*arguments):
        return subprocess.run(
            [KTRACECTL, "--host=someone@elsewhere", *arguments],
            env={**os.environ, **SANITIZERS, "PATH": f"{programs}:{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    yield run
    assert "someone@elsewhere" in (folder / "ssh-arguments").read_text()


def test_other_host(run_remote, root):
    root.start("web", {"events": [SWITCH]})
    done = run_remote("status")
    assert done.returncode == 0, done.stderr
    assert "on someone@elsewhere" in done.stdout and "web" in done.stdout
    done = run_remote("record", "-e", SWITCH, "--duration=200ms")
    assert done.returncode == 0, done.stderr
    capture = re.search(r"Capture: (\S+)", done.stderr)[1]
    assert capture in run_remote("capture", "list").stdout
    done = run_remote("capture", "open", capture, "--", "true")
    assert done.returncode == 1
    assert "cannot be handed over from another host" in done.stderr


# Embedded.


def instance_is_gone(text):
    session = re.search(r'"session":"([0-9a-f]{16})"', text)[1]
    return not (INSTANCES / f"ktraced-{session}").exists()


def test_embedded(folder):
    output = folder / "t.dat"
    done = ktracectl("--embedded", "--json", "record", "-e", SWITCH, "-e", "syscalls", "-o", output, "--", "ls", "/")
    assert done.returncode == 0, done.stderr
    assert "proc" in done.stdout
    assert instance_is_gone(done.stdout)
    events = {event for _, event in report(output)}
    assert "sched_switch" in events and "sys_enter_execve" in events
    done = ktracectl("--embedded", "--json", "list", "clocks")
    assert "local" in json.loads(done.stdout)


def test_embedded_survives_ctrl_c(folder):
    output = folder / "t.dat"
    arguments = ["--embedded", "--json", "record", "-e", SWITCH, "-o", output]
    shown = Terminal(*arguments, environment={**os.environ, **SANITIZERS})
    try:
        shown.wait_for("Ctrl-C ends it")
        shown.write(b"\x03\x03")
        assert shown.wait() == 0
    finally:
        shown.close()
    assert instance_is_gone(shown.text)
    assert report(output)


def test_embedded_is_for_root():
    done = ktracectl("--embedded", "status", uid=NOBODY)
    assert done.returncode == 1
    assert "--embedded needs root" in done.stderr
    assert "exclude each other" in ktracectl("--embedded", "--host=elsewhere", "status").stderr


# What is shipped beside it.


def test_completion_of_bash(bus, polkit, daemon, root, folder):
    root.start("websession", {"events": [SWITCH]})
    script = pathlib.Path(__file__).resolve().parents[2] / "client" / "completion" / "ktracectl.bash"

    def complete(*words):
        code = f"""
            source {script}
            COMP_WORDS=({' '.join(f"'{word}'" for word in words)}); COMP_CWORD={len(words) - 1}
            _ktracectl 2>/dev/null; printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        done = subprocess.run(
            ["bash", "-c", code],
            env={**bus.environment(), "PATH": f"{folder}:{reachable(KTRACECTL).parent}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout.split()

    assert complete("ktracectl", "se") == ["session"]
    assert "rotate" in complete("ktracectl", "session", "")
    assert complete("ktracectl", "session", "stop", "webs") == ["websession"]
    assert complete("ktracectl", "list", "profile", "sched-l") == ["sched-latency"]
    assert SWITCH in complete("ktracectl", "record", "-e", "sched:sched_sw")
    assert "--segment-size" in complete("ktracectl", "record", "--seg")
    assert complete("ktracectl", "record", "--user", "nobo") == ["nobody"]
    systemctl = folder / "systemctl"
    systemctl.write_text("#!/bin/sh\necho 'a\\x2db.service loaded active'\necho 'c.scope loaded active'\n")
    systemctl.chmod(0o755)
    assert complete("ktracectl", "record", "--unit", "a") == ["a\\\\x2db.service"]
    assert complete("ktracectl", "record", "--unit=c") == ["c.scope"]


def test_completion_of_zsh():
    script = pathlib.Path(__file__).resolve().parents[2] / "client" / "completion" / "_ktracectl"
    subprocess.run(["zsh", "-n", script], check=True)


def test_manual_page_names_every_option():
    page = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "man" / "ktracectl.1").read_text()
    page = page.replace("\\-", "-")
    for text in [ktracectl("--help").stdout, ktracectl("report", "--help").stdout]:
        options = re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)
        assert len(options) > 10
        for option in options:
            assert option in page, f"{option} is not in ktracectl.1"
