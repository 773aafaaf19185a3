# SPDX-License-Identifier: LGPL-2.1-or-later
"""Things that come and go again and again, and what the daemon holds before and after."""

import os
import re

from daemon import NOBODY, BusError, variants
from system_bus import wait_until

QUIET = {"events": ["sched:sched_process_exit"], "pids": [1], "buffer_size": "64K"}
MEGA = 1 << 20


def is_sanitized(daemon):
    with open(f"/proc/{daemon.process.pid}/maps", encoding="utf-8", errors="replace") as file:
        return "libasan" in file.read()


def held(daemon):
    """Anonymous memory in bytes, descriptors, threads."""
    folder = f"/proc/{daemon.process.pid}"
    with open(f"{folder}/status", encoding="ascii", errors="replace") as file:
        memory = int(re.search(r"^RssAnon:\s+(\d+) kB", file.read(), re.M)[1]) << 10
    return {"memory": memory, "descriptors": len(os.listdir(f"{folder}/fd")), "threads": len(os.listdir(f"{folder}/task"))}


def sessions(daemon, root, n):
    """Made and removed."""
    spec = variants(QUIET)
    for number in range(n):
        root.session(root.create(f"cycle-{number % 10}", spec), "Remove")


def recordings(daemon, root, n):
    """Started, stopped, removed, their captures deleted."""
    for number in range(n):
        session = root.start(f"cycle-{number % 10}", QUIET)
        capture = root.capture_of(session)
        root.session(session, "Stop")
        root.session(session, "Remove")
        root.capture(capture, "Delete")
    wait_until(lambda: not daemon.instances(), "instances stay", 60)


def clients(daemon, root, n):
    """That connect, make a session that lives with them, and leave; so many of them that the budget of requests must be
    large."""
    spec = variants({**QUIET, "attached": True})
    for _ in range(n):
        client = daemon.client(NOBODY)
        try:
            client.create("", spec)
        except BusError as error:  # those of the clients before may not be gone yet
            assert error.name == "org.ktraced1.Error.QuotaExceeded", error
        client.close()
    wait_until(lambda: root.manager("ListSessions") == [], "sessions of clients that left stay", 60)


def go(daemon, root, what, warm_up, n):
    """What is held after some cycles, and after many more."""
    what(daemon, root, warm_up)
    before = settled(daemon)
    what(daemon, root, n)
    after = settled(daemon)
    return before, after


def settled(daemon):
    """Threads of workers that have ended are gone a moment later."""
    last = [held(daemon)]

    def same():
        now = held(daemon)
        found = now["descriptors"] == last[0]["descriptors"] and now["threads"] == last[0]["threads"]
        last[0] = now
        return found

    wait_until(same, "descriptors and threads do not settle", 60, 0.5)
    return last[0]
