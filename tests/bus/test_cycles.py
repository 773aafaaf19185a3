# SPDX-License-Identifier: LGPL-2.1-or-later
"""Things that come and go again and again leave nothing; tests/attack/test_cycles.py does 100,000."""

import pytest

from cycles import MEGA, SMALL_QUARANTINE, clients, go, recordings, sessions

MANY = {"requests_max": 1000000, "requests_per_user_max": 1000000, "signals_max": 1000000, "signals_per_user_max": 1000000}


@pytest.mark.parametrize("what,warm_up,n", [(sessions, 500, 500), (recordings, 10, 20), (clients, 100, 100)])
def test_cycles(polkit, start_daemon, what, warm_up, n):
    daemon = start_daemon(settings=MANY, environment=SMALL_QUARANTINE)
    root = daemon.client(0)
    before, after = go(daemon, root, what, warm_up, n)
    root.close()
    assert after["descriptors"] <= before["descriptors"] and after["threads"] <= before["threads"], (before, after)
    # Pages, and with a sanitizer those of its own; what one session holds is some kilobytes.
    assert after["memory"] - before["memory"] < 2 * MEGA, (before, after)
