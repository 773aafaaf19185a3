# SPDX-License-Identifier: LGPL-2.1-or-later
"""One user asks without end: what others have of it. tests/attack/test_flood.py does it at full strength for a minute."""

import json

from daemon import MANAGER, ROOT
from flood import flood
from pipeline import message, pipeline


def test_few_seconds_of_requests(polkit, daemon, root, writer, folder):
    """With a sanitizer, and beside other tests: it shows that others are answered, and the recording is whole."""
    figures = flood(daemon, root, writer, folder, seconds=4, rate=1000, calls=["list", "get", "start", "silent"])
    print(json.dumps(figures))
    assert figures["flood"]["sent"] > 500 and figures["flood"]["refused"] > 0
    for call in ("list", "describe"):
        assert figures[call]["n"] > 0 and figures[call]["p99"] < 5000, figures


def test_questions_of_a_user_are_put_one_after_another(polkit, nobody):
    """polkit answers in turn: with all that one user may have pending before it, others would wait for them."""
    polkit.mode = "slow"
    for _ in range(10):
        replies = pipeline(nobody, [message(ROOT, MANAGER, "ListSessions") for _ in range(4)])
        assert [reply.get_error_name() for reply in replies] == [None] * 4
    # None, but where the answer was late for want of a CPU.
    assert len(polkit.checks) == 40 and polkit.overlaps < 20, polkit.overlaps
