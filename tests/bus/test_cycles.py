# SPDX-License-Identifier: LGPL-2.1-or-later
"""Things that come and go again and again leave nothing; tests/attack/test_cycles.py does 100,000."""

import pytest

from cycles import MEGA, clients, go, is_sanitized, recordings, sessions

MANY = {"requests_max": 1000000, "requests_per_user_max": 1000000, "signals_max": 1000000, "signals_per_user_max": 1000000}


@pytest.mark.parametrize("what,warm_up,n", [(sessions, 50, 100), (recordings, 5, 10), (clients, 20, 40)])
def test_cycles(polkit, start_daemon, what, warm_up, n):
    daemon = start_daemon(settings=MANY)
    root = daemon.client(0)
    before, after = go(daemon, root, what, warm_up, n)
    root.close()
    # What workers have open for a moment does not grow with the number of cycles.
    assert after["descriptors"] <= before["descriptors"] + 6 and after["threads"] <= before["threads"] + 3, (before, after)
    # A sanitizer has memory of its own, and tells what is not freed by itself.
    assert is_sanitized(daemon) or after["memory"] - before["memory"] < 2 * MEGA, (before, after)
