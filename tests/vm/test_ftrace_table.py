# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every command of docs/ftrace-by-ktracectl.md, on kernels that people run: it does what the table says where the kernel
has what it needs, and is refused with the reason that `ktracectl status` gives where the kernel has not."""

import collections
import json
import pathlib
import re
import shlex

import pytest

pytestmark = pytest.mark.seconds(900)

DOCUMENT = pathlib.Path(__file__).parents[2] / "docs" / "ftrace-by-ktracectl.md"
HEADER = ["Example", "By hand", "ktracectl", "Shows", "Needs"]
TRACING = "/sys/kernel/tracing"
DEMO = "ktracectl session start demo --ring-size=4M -e sched_process_exec"
# What the recordings find to record.
LOAD = """#!/bin/bash
while :; do
        cat /etc/hostname >/dev/null
        dd if=/dev/zero of=/var/tmp/load bs=4k count=4 conv=fsync status=none
        sleep 0.05
done
"""

CAPTURES = "ktracectl --no-legend capture list | awk '{ print $1 }'"
DELETE_ALL = f"{CAPTURES} | xargs -r ktracectl capture delete"
CLEAN = f"ktracectl --no-legend session list | awk '{{ print $1 }}' | xargs -r ktracectl session remove; {DELETE_ALL}"

Row = collections.namedtuple("Row", "example by_hand command shows needs")


def code(cell):
    return cell[1:-1] if cell.startswith("`") and cell.endswith("`") else cell


def read_rows():
    """The rows of all tables whose header is the one above."""
    found = []
    for line in DOCUMENT.read_text().splitlines():
        if not line.startswith("|"):
            continue
        cells = [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        assert len(cells) == len(HEADER), line
        if cells != HEADER and not set(cells[0]) <= {"-"}:
            found.append(Row(cells[0], cells[1], *map(code, cells[2:])))
    return found


ROWS = read_rows()


@pytest.fixture(scope="module")
def started(guest):
    guest.run("systemctl start ktraced.service || { journalctl -b -u ktraced.service; exit 1; }", check=True)
    guest.put("/usr/local/bin/ftrace-load", LOAD, 0o755)
    config = "/sys/kernel/config"
    guest.run(f"modprobe configfs; mountpoint -q {config} || mount -t configfs none {config}", check=True)
    guest.run("systemd-run --quiet --unit=ftrace-load /usr/local/bin/ftrace-load", check=True)
    yield guest
    guest.run("systemctl stop ftrace-load", check=True)
    left = f"cd {TRACING}; ls instances; cat dynamic_events set_event enabled_functions set_ftrace_filter current_tracer"
    assert set(guest.run(left, check=True).stdout.split("\n")) <= {"nop", "", "#### all functions enabled ####"}


@pytest.fixture(scope="module")
def features(started):
    return json.loads(started.run("ktracectl --json=short status", check=True).stdout)["features"]


def lacking(guest, features, needs):
    """The reason why a row's command must be refused; None: it must work."""
    if re.fullmatch(r"\d+\.\d+", needs):
        version = tuple(int(part) for part in guest.kernel.split(".")[:2])
        return None if version >= tuple(int(part) for part in needs.split(".")) else ""
    if needs:
        return None if features[needs] is True else features[needs]
    return None


def report(guest):
    """What the one capture holds that there is; it is deleted."""
    script = f"capture=$({CAPTURES}) && ktracectl --no-pager report $capture && ktracectl capture delete $capture"
    return guest.run(script, timeout=300, check=True).stdout


def shown(guest, command, output):
    """What there is to see once the command has been run. Nothing is left of it."""
    words = shlex.split(command)
    if words[1] == "record":
        return report(guest)
    if words[1:3] == ["session", "start"]:
        if "--hist" in words:
            script = f"sleep 1; ktracectl hist {words[3]} && ktracectl session remove {words[3]} && {DELETE_ALL}"
            return guest.run(script, timeout=300, check=True).stdout
        guest.run(f"sleep 1; ktracectl session remove {words[3]}", timeout=300, check=True)
        return report(guest)
    if " demo" in command:
        if words[1] == "mark":
            guest.run("ktracectl session snapshot demo", check=True)
        guest.run("ktracectl session remove demo", check=True)
        return report(guest)
    return output


def run_row(guest, features, row):
    if " demo" in row.command:
        guest.run(f"{DEMO}; sleep 0.5", check=True)
    reason = lacking(guest, features, row.needs)
    done = guest.run(row.command, timeout=300)
    if reason is not None:
        assert done.status == 1 and reason in " ".join(done.output.split()), done.output
        assert "ktraced-" not in guest.run(f"ls {TRACING}/instances", check=True).stdout
        return
    assert done.status == 0, done.output
    text = shown(guest, row.command, done.output)
    assert re.search(row.shows, text, re.M), text[:3000]


@pytest.mark.parametrize("row", ROWS, ids=[re.sub(r"\W+", "-", row.example) for row in ROWS])
def test_row(started, features, row):
    assert row.command.startswith("ktracectl ") and row.by_hand and row.shows
    try:
        run_row(started, features, row)
    except AssertionError:
        started.run(CLEAN, timeout=300)
        raise


def test_the_document_is_read_whole():
    text = DOCUMENT.read_text()
    assert DEMO in text
    assert len(ROWS) == len(re.findall(r"^\|.*`ktracectl ", text, re.M))
