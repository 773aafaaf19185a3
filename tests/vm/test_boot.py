# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guests themselves: the system is whole, and polkit tells callers apart, as the other tests presume."""

import pytest

import vm
from logins import TERMINALS, run_as_user

# An action of polkit itself; its defaults are auth_admin for everyone.
ACTION = "org.freedesktop.policykit.exec"
RULE = """
polkit.addRule(function(action, subject) {
        if (action.id == "%s" && subject.user == "tester")
                return subject.active ? polkit.Result.YES : subject.local ? polkit.Result.NO : polkit.Result.NOT_HANDLED;
        return polkit.Result.NOT_HANDLED;
});
"""


@pytest.fixture(scope="module")
def tree():
    """Nothing: the guest as it is."""


def test_the_kernel_is_the_one_asked_for(guest):
    release = guest.run(["uname", "-r"], check=True).stdout
    assert release.startswith(guest.kernel + "."), release
    assert guest.run(["nproc"], check=True).stdout == "2\n"


def test_the_system_is_running(guest):
    assert guest.state == "running", guest.run("systemctl --failed; journalctl -b -p warning").output
    assert guest.run(["systemctl", "is-system-running"], check=True).stdout == "running\n"
    assert guest.run("cat /proc/1/comm", check=True).stdout == "systemd\n"


def test_tracefs_is_there_and_traces(guest):
    guest.run("mountpoint -q /sys/kernel/tracing || mount -t tracefs nodev /sys/kernel/tracing", check=True)
    tracers = guest.run("cat /sys/kernel/tracing/available_tracers", check=True).stdout.split()
    assert {"function", "function_graph", "nop"} <= set(tracers)
    recorded = guest.run("cd /root && trace-cmd record -q -e sched:sched_process_exec true && trace-cmd report", check=True)
    assert "sched_process_exec" in recorded.stdout


def test_polkit_answers_root(guest):
    guest.run(["pkcheck", "--action-id", ACTION, "--process", "1"], check=True)


def test_polkit_tells_logins_apart(guest):
    guest.put("/etc/polkit-1/rules.d/10-test.rules", RULE % ACTION)
    question = f"exec pkcheck --action-id {ACTION} --process $$"
    try:
        guest.run("systemctl restart polkit.service", check=True)
        answers = {caller: run_as_user(guest, question, caller) for caller in TERMINALS}
    finally:
        guest.run("rm /etc/polkit-1/rules.d/10-test.rules", check=True)
    # pkcheck: 0 yes, 1 no, 2 it would have to ask for a password.
    assert {caller: status for caller, (status, _) in answers.items()} == {"any": 2, "active": 0, "inactive": 1}, answers


def test_command_interface(guest):
    result = guest.run("echo out; echo err >&2; exit 7")
    assert (result.status, result.stdout, result.stderr) == (7, "out\n", "err\n")
    assert guest.run(["/nowhere"]).status == 127
    assert guest.run("sleep 60", timeout=1).status == vm.TIMED_OUT
    # A process that is left behind does not hold the command up.
    assert guest.run("sleep 300 & echo $!", timeout=60).status == 0
    guest.put("/root/some/file", bytes(range(256)) * 4096, mode=0o600)
    assert guest.get("/root/some/file") == bytes(range(256)) * 4096
    assert guest.run("stat -c %a /root/some/file").stdout == "600\n"
    with pytest.raises(OSError):
        guest.get("/nowhere")


@pytest.mark.seconds(600)
@pytest.mark.parametrize("kernel", ["6.12"])
def test_a_disk_outlives_a_boot(kernel, tmp_path):
    disk = vm.new_disk(tmp_path)
    with vm.Guest(kernel, disk=disk) as guest:
        guest.put("/var/lib/kept", "before")
        first = guest.run("cat /proc/sys/kernel/random/boot_id", check=True).stdout
        guest.power_off()
    with vm.Guest(kernel, disk=disk) as guest:
        assert guest.get("/var/lib/kept") == b"before"
        assert guest.run("cat /proc/sys/kernel/random/boot_id", check=True).stdout != first
