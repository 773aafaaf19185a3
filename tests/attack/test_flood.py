# SPDX-License-Identifier: LGPL-2.1-or-later
"""A minute of 10,000 requests a second from one user: another's are answered, and no session loses an event.

KTRACED_ATTACK_NICE is the nice value of all that takes part, for a machine that has more to do."""

import json
import os

import pytest

from flood import flood, renice

SECONDS = int(os.environ.get("KTRACED_ATTACK_SECONDS", 60))
RATE = 10000
RULE = 'polkit.addRule(function(action, subject) { if (subject.user == "bin") return polkit.Result.YES; });'
NICE = int(os.environ.get("KTRACED_ATTACK_NICE", 0))


@pytest.mark.polkit_rule(RULE)
@pytest.mark.seconds(SECONDS * 4 + 300)
@pytest.mark.parametrize("calls", [["list"], ["get", "list"], ["list", "get", "start"], ["silent"]], ids="+".join)
def test_a_minute_of_requests(real_polkit, daemon, root, writer, folder, calls):
    renice(os.getpid(), NICE)
    for process in (daemon.process, daemon.bus.process, real_polkit.process):
        renice(process.pid, NICE)
    figures = flood(daemon, root, writer, folder, SECONDS, RATE, calls, NICE)
    print(json.dumps(figures))
    sent = figures["flood"]["sent"] / figures["flood"]["seconds"]
    assert sent > 0.9 * RATE, f"only {sent:.0f} requests a second were made"
    for call in ("list", "describe"):
        assert figures[call]["p99"] < 50, figures
