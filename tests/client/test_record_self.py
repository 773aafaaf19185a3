# SPDX-License-Identifier: LGPL-2.1-or-later
"""ktracectl record as an ordinary user, who records his own program and nothing else."""

import os
import re
import subprocess

import pytest

from daemon import NOBODY, ktracectl
from trace_file import report

TRACE_SELF = "org.ktraced1.trace-self"
TRACE_SYSTEM = "org.ktraced1.trace-system"
QUERY = "org.ktraced1.query"


def record(bus, *arguments, uid=NOBODY, **more):
    return ktracectl("record", *arguments, bus=bus, uid=uid, **more)


def asked(polkit):
    return [check.action for check in polkit.checks if check.action != QUERY]


def names(text):
    return set(re.findall(r"^ *(\S.*)-\d+ +\[\d+\]", text, re.MULTILINE))


def test_without_a_word_it_records_the_program_and_its_children(own_only, daemon, bus, output):
    done = record(bus, "-o", output, "--", "sh", "-c", "/bin/true; /bin/true; exit 3")
    assert done.returncode == 3, done.stderr
    assert asked(own_only) == [TRACE_SELF]
    text = report(output)
    assert len(re.findall(r"sched_process_exec:.*filename=/bin/true", text)) == 2
    assert "sys_enter_exit_group" in text or "sys_exit_group" in text
    # Also the name of the program is known, though it is over by the time anyone looks.
    assert "sh" in names(text)


def test_what_does_not_fit_is_asked_for_as_before(polkit, daemon, bus, output):
    done = record(bus, "-e", "sched:sched_switch", "-o", output, "--", "true")
    assert done.returncode == 0, done.stderr
    assert asked(polkit) == [TRACE_SYSTEM]
    assert polkit.checks[-1].details["scope"] == "system"
    assert "sched_switch" in report(output)


def test_refusal_says_what_would_need_no_authorization(own_only, daemon, bus, output):
    done = record(bus, "-e", "sched:sched_switch", "-o", output, "--", "true")
    assert done.returncode == 1
    assert asked(own_only) == [TRACE_SYSTEM]
    assert "Failed to start recording: " in done.stderr
    assert "Without authorization only your own programs can be recorded" in done.stderr
    assert "sched:sched_switch can tell about processes of others" in done.stderr
    assert not output.exists()


def test_program_alone_with_the_wider_action(polkit, daemon, bus, output):
    """Where trace-self needs a password that nobody can be asked for, and a rule grants trace-system."""
    polkit.actions = {TRACE_SELF: "challenge"}
    done = record(bus, "-e", "raw_syscalls", "-o", output, "--", "sh", "-c", "/bin/true; exit 0")
    assert done.returncode == 0, done.stderr
    assert asked(polkit) == [TRACE_SELF, TRACE_SYSTEM]
    assert names(report(output)) <= {"sh", "true", "ktracectl", "<...>"}


def test_scope_can_be_chosen(polkit, daemon, bus, output):
    done = record(bus, "--scope=system", "-e", "raw_syscalls", "-F", "-o", output, "--", "true")
    assert done.returncode == 0, done.stderr
    assert asked(polkit) == [TRACE_SYSTEM]
    polkit.forget()
    done = record(bus, "--scope=self", "-e", "sched:sched_switch", "--", "true")
    assert done.returncode == 1 and "sched:sched_switch" in done.stderr
    assert asked(polkit) == []
    done = record(bus, "--scope=mine", "-e", "raw_syscalls", "--", "true")
    assert done.returncode == 2 and "self or system" in done.stderr


@pytest.mark.parametrize("scope,value", [("self", 1), ("system", 0)])
def test_no_new_privs_only_where_it_is_needed(polkit, daemon, bus, scope, value):
    done = record(bus, f"--scope={scope}", "-e", "raw_syscalls:sys_exit", "--", "grep", "NoNewPrivs", "/proc/self/status")
    assert done.stdout.split() == ["NoNewPrivs:", str(value)], done.stderr


def test_program_of_a_request_that_does_not_fit_keeps_its_rights(polkit, daemon, bus):
    done = record(bus, "-e", "sched:sched_switch", "--", "grep", "NoNewPrivs", "/proc/self/status")
    assert done.stdout.split() == ["NoNewPrivs:", "0"], done.stderr


def test_root_gets_what_it_asks_for(polkit, daemon, bus, output):
    done = record(bus, "-e", "sched:sched_switch", "-o", output, "--", "true", uid=0)
    assert done.returncode == 0, done.stderr
    assert asked(polkit) == []
    assert len(names(report(output))) > 1


@pytest.mark.parametrize("no_new_privs", [True, False])
def test_existing_process(polkit, daemon, bus, no_new_privs):
    """Of the caller's: without no_new_privs an administrator has to agree."""
    options = ["--no-new-privs"] if no_new_privs else []
    command = ["setpriv", *options, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "sleep", "60"]
    child = subprocess.Popen(command)
    try:
        while os.readlink(f"/proc/{child.pid}/exe").rsplit("/", 1)[1] != "sleep":
            pass
        done = record(bus, "-e", "raw_syscalls", f"--pid={child.pid}", "--duration=200ms")
        assert done.returncode == 0, done.stderr
        assert asked(polkit) == [TRACE_SELF if no_new_privs else TRACE_SYSTEM]
    finally:
        child.kill()
        child.wait()


def test_session_start_takes_a_scope(own_only, daemon, bus):
    command = ["setpriv", "--no-new-privs", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "sleep", "60"]
    child = subprocess.Popen(command)
    try:
        while os.readlink(f"/proc/{child.pid}/exe").rsplit("/", 1)[1] != "sleep":
            pass
        start = ["session", "start", "mine", "-e", "raw_syscalls", f"--pid={child.pid}"]
        assert ktracectl(*start, bus=bus, uid=NOBODY).returncode == 1
        done = ktracectl(*start, "--scope=self", bus=bus, uid=NOBODY)
        assert done.returncode == 0, done.stderr
        shown = ktracectl("session", "show", "mine", "--json", bus=bus, uid=NOBODY).stdout
        assert '"scope":"self"' in shown.replace(" ", "")
        assert ktracectl("session", "remove", "mine", bus=bus, uid=NOBODY).returncode == 0
    finally:
        child.kill()
        child.wait()


def test_nothing_to_run_still_needs_to_know_what(polkit, daemon, bus):
    done = record(bus)
    assert done.returncode == 2 and "Nothing to trace" in done.stderr
