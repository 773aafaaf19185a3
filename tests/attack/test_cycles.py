# SPDX-License-Identifier: LGPL-2.1-or-later
"""100,000 sessions made and removed, and fewer of what takes longer: the daemon holds what it held."""

import json
import os
import time

import pytest

from cycles import MEGA, clients, go, recordings, sessions

CYCLES = int(os.environ.get("KTRACED_ATTACK_CYCLES", 100000))


@pytest.mark.seconds(7200)
@pytest.mark.settings(
    requests_max=1000000, requests_per_user_max=1000000, signals_max=1000000, signals_per_user_max=1000000
)
@pytest.mark.parametrize(
    "what,warm_up,n", [(sessions, 2000, CYCLES), (recordings, 100, CYCLES // 100), (clients, 500, CYCLES // 10)]
)
def test_cycles(polkit, daemon, root, what, warm_up, n):
    begin = time.monotonic()
    before, after = go(daemon, root, what, warm_up, n)
    figures = {"what": what.__name__, "cycles": n, "seconds": round(time.monotonic() - begin), "before": before, "after": after}
    print(json.dumps(figures))
    assert after["descriptors"] <= before["descriptors"] and after["threads"] <= before["threads"], figures
    assert after["memory"] - before["memory"] < MEGA, figures
