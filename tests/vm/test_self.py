# SPDX-License-Identifier: LGPL-2.1-or-later
"""Scope "self" on kernels that people run: a user who is logged in on the screen records his own program without a
password, and nothing of anybody else comes with it."""

import json
import pathlib
import re
import shutil
import subprocess

import pytest

import image
from logins import run_as_user

pytestmark = pytest.mark.seconds(900)

HERE = pathlib.Path(__file__).parent
LEAVER = "/usr/local/bin/leaver"
PRIVILEGED = "/usr/local/bin/privileged"
MARK, FOREIGN_MARK = "5e1f0", "f0e0"
GETPGID = 121
EVENTS = "raw_syscalls"
OUTPUT = f"/home/{image.USER}/trace.dat"


@pytest.fixture(scope="module")
def tree(installed, tmp_path_factory):
    """The project, and the program that tries to leave."""
    folder = tmp_path_factory.mktemp("self") / "tree"
    shutil.copytree(installed, folder, symlinks=True)
    program = folder / LEAVER[1:]
    program.parent.mkdir(parents=True, exist_ok=True)
    source = HERE.parent / "lib" / "leaver.c"
    subprocess.run(["cc", "-O1", "-D_GNU_SOURCE", "-pthread", "-o", program, source], check=True)
    return folder


@pytest.fixture(scope="module")
def started(guest):
    guest.run("systemctl start ktraced.service || { journalctl -b -u ktraced.service; exit 1; }", check=True)
    return guest


def record(guest, command, *options, caller="active"):
    options = " ".join(options)
    return run_as_user(guest, f"cd; rm -f {OUTPUT}; ktracectl --no-ask-password record {options} -o {OUTPUT} -- {command}", caller)


def report(guest):
    return guest.run(["trace-cmd", "report", "-i", OUTPUT], check=True).stdout


def calls(text, mark):
    return len(re.findall(rf"sys_enter: +NR {GETPGID} \({mark},", text))


def names(text):
    return set(re.findall(r"^ *(\S.*)-\d+ +\[\d+\]", text, re.MULTILINE))


def test_who_is_logged_in_on_the_screen_needs_no_password(started):
    status, output = record(started, "sh -c '/bin/true; exit 3'")
    assert status == 3, output
    text = report(started)
    assert "sched_process_exec:" in text and "filename=/bin/true" in text
    assert "sys_enter_execve" in text or "sys_execve" in text or "sys_enter" in text
    assert names(text) <= {"sh", "true", "ktracectl", "<...>"}, names(text)
    journal = started.run("journalctl -b -u ktraced.service --no-pager -o cat", check=True).stdout
    assert "StartSession org.ktraced1.trace-self for user 1000: authorized" in journal


@pytest.mark.parametrize("caller", ["any", "inactive"])
def test_who_is_not_is_asked(started, caller):
    status, output = record(started, "true", caller=caller)
    assert status == 1 and "Interactive authentication is required" in output, output


def test_nothing_of_others_is_in_the_file(started):
    """While root traces everything, so that the kernel knows the names of all."""
    started.run(["ktracectl", "session", "start", "everything", "-e", "sched", "-e", "raw_syscalls"], check=True)
    try:
        status, output = record(started, "sh -c 'sleep 1.5; true'")
        assert status == 0, output
    finally:
        started.run(["ktracectl", "session", "remove", "everything"], check=True)
    for name in ["systemd", "polkitd", "dbus-daemon", "kworker", "rcu_", "agent"]:
        assert started.run(["grep", "-c", "-a", "-F", name, OUTPUT]).stdout.strip() == "0", name
    assert names(report(started)) <= {"sh", "sleep", "true", "ktracectl", "<...>"}


@pytest.mark.parametrize(
    "way", ["exec", "session", "double-fork", "clone-parent", "vfork", "thread-exec", "user-namespace"]
)
def test_who_leaves_stays_in(started, way):
    status, output = record(started, f"{LEAVER} {way} {LEAVER} mark", "-e", EVENTS)
    assert status == 0, output
    assert calls(report(started), MARK) == 20


def test_setuid_program_runs_without_its_rights(started):
    started.run(f"cp {LEAVER} {PRIVILEGED} && chmod 6755 {PRIVILEGED}", check=True)
    status, output = run_as_user(started, f"{PRIVILEGED} who")
    assert output.split() == ["1000", "0", "1000", "0"], output
    status, output = record(started, f"{PRIVILEGED} who", "-e", EVENTS)
    assert status == 0 and "1000 1000 1000 1000" in output and "without them" in output, output
    assert calls(report(started), MARK) == 20


def test_number_that_passes_to_root(started):
    """With so few numbers that going through them takes seconds."""
    before = started.run(["cat", "/proc/sys/kernel/pid_max"], check=True).stdout.strip()
    started.run("echo 32768 > /proc/sys/kernel/pid_max", check=True)
    script = f"""
cd /tmp; rm -f fifo ready
mkfifo fifo
setpriv --reuid={image.USER} --regid={image.USER} --init-groups --no-new-privs sleep 500 & victim=$!
sleep 1
{LEAVER} next $victim <fifo >ready & exec 3>fifo
until grep -q near ready; do sleep 0.1; done
runuser -u {image.USER} -- ktracectl session start reuse --scope=self -e {EVENTS} --pid=$victim || exit 1
kill -9 $victim; wait $victim
echo go >&3
sleep 3
cat ready
ktracectl session show reuse --json=short >state
ktracectl session remove reuse
"""
    rule = "/etc/polkit-1/rules.d/10-self.rules"
    started.put(rule, 'polkit.addRule(function(a) { if (a.id == "org.ktraced1.trace-self") return polkit.Result.YES; });')
    started.run("systemctl reset-failed polkit.service; systemctl restart polkit.service", check=True)
    try:
        result = started.run(["bash", "-c", script], timeout=600)
        assert result.status == 0, result.output
    finally:
        started.run(f"echo {before} > /proc/sys/kernel/pid_max; rm {rule}", check=True)
    if "taken" not in result.output:
        pytest.skip(f"somebody was faster: {result.output}")
    state = json.loads(started.run(["cat", "/tmp/state"], check=True).stdout)
    # The kernel takes the number out of its filter when the task ends. Where the daemon sees that before the number is given
    # again, which takes a slow machine, nobody is recorded any more, and there is nothing to end.
    if state["state"] != "active":
        assert state["state"] == "failed" and "may have passed" in state["reason"], state
    folder = "/root/reuse"
    started.run(["ktracectl", "capture", "export", state["capture"], folder], check=True)
    text = started.run(f"for file in {folder}/*.dat; do trace-cmd report -i $file || exit; done", check=True).stdout
    assert calls(text, FOREIGN_MARK) == 0
    assert started.run(f"grep -c -a -F somebody-else {folder}/*.dat").stdout.strip() == "0"
