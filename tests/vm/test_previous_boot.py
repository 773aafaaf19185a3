# SPDX-License-Identifier: LGPL-2.1-or-later
"""A panic, and after the reboot a capture of what was recorded before it."""

import json

import pytest

import vm
from system_bus import wait_until
from trace_file import LINE

COMMAND_LINE = (
    "reserve_mem=16M:4096:ktraced trace_instance=ktraced-boot^traceoff@ktraced,sched:sched_switch,sched:sched_process_exec"
)
INSTANCE = "/sys/kernel/tracing/instances/ktraced-boot"
MARK = "the last words of"


def boot_id(guest):
    return guest.run(["cat", "/proc/sys/kernel/random/boot_id"], check=True).stdout.strip()


def is_recording(guest):
    return guest.run(["cat", f"{INSTANCE}/tracing_on"]).stdout == "1\n"


def say(guest, text):
    guest.run(f"echo '{text}' > {INSTANCE}/trace_marker", check=True)


def captures(guest):
    done = guest.run(["ktracectl", "--json=short", "capture", "list"])
    return [row for row in json.loads(done.stdout or "[]") if row["name"] == "previous-boot"] if done.status == 0 else []


def describe(guest, row):
    return json.loads(guest.run(["ktracectl", "--json=short", "capture", "show", row["id"]], check=True).stdout)


def check_capture(guest, row, boot):
    # Compression is not kept from its work by the unit's sandbox.
    wait_until(lambda: describe(guest, row)["segments"][0]["raw_bytes"], "it is not compressed", timeout=120, interval=1)
    about = describe(guest, row)
    assert about["boot_id"] == boot.replace("-", "")
    assert (about["state"], about["reason"], about["owner"]) == ("complete", "previous boot", 0)
    assert about["events"] > 0
    guest.run(["rm", "-rf", "/root/exported"])
    guest.run(["ktracectl", "capture", "export", row["id"], "/root/exported"], check=True)
    guest.run(["trace-cmd", "dump", "--validate", "-i", "/root/exported/trace-000001.dat"], check=True)
    theirs = guest.run(["trace-cmd", "report", "-i", "/root/exported/trace-000001.dat"], check=True).stdout
    ours = guest.run(["ktracectl", "report", row["id"]], check=True).stdout
    for text in (" ".join(theirs.split()), " ".join(ours.split())):
        # The name before the text is that of a function of the kernel: the symbols are there.
        assert f"tracing_mark_write: {MARK} {boot}" in text, text[-2000:]
        assert "sched_process_exec: filename=/root/witness" in text
        assert "sched_switch: " in text
    assert sum(bool(LINE.match(line)) for line in theirs.splitlines()) == about["events"]


@pytest.mark.seconds(1800)
def test_a_panic_is_read_after_the_reboot(installed):
    with vm.Guest("6.12", installed, append=COMMAND_LINE, reboots=True) as guest:
        first = boot_id(guest)
        guest.run("cp /bin/true /root/witness && systemctl enable ktraced.service && sync", check=True)
        assert not is_recording(guest)
        guest.run("systemctl start ktraced.service", check=True)
        wait_until(lambda: is_recording(guest), "the instance does not record", timeout=120, interval=1)
        assert captures(guest) == []

        # A restart leaves alone what is there.
        say(guest, f"{MARK} {first}")
        guest.run("/root/witness && systemctl restart ktraced.service", check=True)
        assert is_recording(guest) and captures(guest) == []
        guest.crash()

        second = boot_id(guest)
        assert second != first
        (row,) = wait_until(lambda: captures(guest), guest.run("journalctl -b -u ktraced").output, timeout=240, interval=2)
        check_capture(guest, row, first)
        wait_until(lambda: is_recording(guest), "the instance does not record again", timeout=120, interval=1)
        assert MARK not in guest.run(["cat", f"{INSTANCE}/trace"], check=True).stdout

        # And once more, from a boot that began with something in the instance.
        say(guest, f"{MARK} {second}")
        guest.run("/root/witness", check=True)
        guest.crash()
        assert boot_id(guest) != second
        rows = wait_until(lambda: len(captures(guest)) == 2 and captures(guest), "no second capture", timeout=240, interval=2)
        (new,) = [other for other in rows if other["id"] != row["id"]]
        check_capture(guest, new, second)
