# SPDX-License-Identifier: LGPL-2.1-or-later
"""Streams of the installed service, in whose sandbox the process that makes text of them runs, too."""

import json
import re
import subprocess

import pytest

from programs import FOLDER, with_programs

pytestmark = pytest.mark.seconds(900)

READS = 300000
# Until a reader has seen something, things happen again and again.
UNTIL = "for i in $(seq 600); do {0}; [ -s {1} ] && break; sleep 0.1; done; [ -s {1} ]"
# Nobody else reads three bytes at a time.
DD = "dd if=/dev/zero of=/dev/null bs=3 status=none count={}"


@pytest.fixture(scope="module")
def tree(installed, tmp_path_factory):
    """The project, and a program that reads text."""
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libsystemd"], capture_output=True, text=True, check=True)
    return with_programs(installed, tmp_path_factory.mktemp("live"), ("follow-text", "-O1", *flags.stdout.split()))


@pytest.fixture(scope="module", autouse=True)
def session(guest):
    guest.run("systemctl start ktraced.service || { journalctl -b -u ktraced.service; exit 1; }", check=True)
    guest.run("ktracectl session start live -e sched:sched_process_exec", check=True)
    yield
    guest.run("ktracectl session stop live && ktracectl session remove live", check=True)


def test_show(guest):
    done = guest.run(
        "rm -f /tmp/shown; ktracectl show -n 1 live >/tmp/shown 2>/tmp/said & show=$!; "
        f"{UNTIL.format('/bin/true', '/tmp/shown')} && wait $show && cat /tmp/shown /tmp/said",
        check=True,
    )
    assert "sched_process_exec:" in done.stdout and "filename=" in done.stdout, done.stdout
    assert "1 events shown; none were missed here." in done.stdout


def test_text(guest):
    """Confined by the service and by itself, and gone with its reader."""
    done = guest.run(
        "rm -f /tmp/text; path=$(busctl call org.ktraced1 /org/ktraced1 org.ktraced1.Manager GetSession s live | cut -d'\"' -f2); "
        f"{FOLDER}/follow-text $path >/tmp/text & follow=$!; {UNTIL.format('/bin/true', '/tmp/text')} "
        "&& grep Seccomp: /proc/$(pidof ktraced-render)/status; "
        "head -n1 /tmp/text; kill $follow; for i in $(seq 600); do pidof ktraced-render >/dev/null || break; sleep 0.1; done; "
        "pidof ktraced-render || echo gone",
        check=True,
    )
    assert "sched_process_exec:" in done.stdout and "filename=" in done.stdout, done.stdout
    assert "Seccomp:\t2" in done.stdout and done.stdout.endswith("gone\n"), done.stdout


def test_slow_reader(guest):
    """Loses pages of its own, and counts them; the session has them all."""
    guest.run("ktracectl session start full -b 32M -e syscalls:sys_enter_read -f 'count == 3'", check=True)
    done = guest.run(
        "cd /tmp; rm -f first rest; { ktracectl show full 2>said | { dd bs=1 count=100 of=first status=none; "
        "while [ ! -e rest ]; do sleep 0.1; done; cat >rest; }; } & "
        f"{UNTIL.format(DD.format(1), 'first')} && {DD.format(READS)} && touch rest && ktracectl session stop full; "
        "stopped=$?; wait; cat first rest | grep -c 'sys_enter_read:'; cat said; exit $stopped",
        timeout=600,
        check=True,
    )
    printed, said = done.stdout.split("\n", 1)
    shown, lost, pages = map(int, re.search(r"(\d+) events shown; (\d+) on (\d+) pages were missed here, ", said).groups())
    (capture,) = json.loads(guest.run("ktracectl --json=short capture list full", check=True).stdout)
    assert capture["lost"] == 0 and capture["events"] > READS
    assert pages > 0 and 0 < shown < READS and lost > 0 and shown + lost <= capture["events"]
    assert int(printed) == shown
    guest.run("ktracectl session remove full", check=True)
