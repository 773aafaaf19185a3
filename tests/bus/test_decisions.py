# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the journal gets to know of decisions: fields, and no more lines than may be."""

import socket
import struct
import threading
import time

import pytest
from gi.repository import GLib

from daemon import NOBODY, SESSION, BusError
from system_bus import wait_until

AUTHORIZED = "2ce78121defc425cb05dadc1c41af92d"
DENIED = "71d27323388847c488d798ee2fe7a157"
EVENTS = {"events": ["sched:sched_switch"]}
LOG_CONTROL = ("/org/freedesktop/LogControl1", "org.freedesktop.LogControl1")
BURST = 10
INTERVAL = 30  # seconds


class Journal:
    """A socket in place of the journal's; the entries that came are dicts."""

    def __init__(self, folder):
        self.folder = folder
        self.entries = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(folder / "socket"))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while data := self._socket.recv(65536):
            self.entries.append(dict(self.parse(data)))

    @staticmethod
    def parse(data):
        """The native protocol: FIELD=value in a line, or FIELD, a line, and the value with its length before it."""
        while data:
            line, data = data.split(b"\n", 1)
            name, equals, value = line.partition(b"=")
            if not equals:
                (size,) = struct.unpack_from("<Q", data)
                value, data = data[8 : 8 + size], data[9 + size :]
            yield name.decode(), value.decode()

    def decisions(self):
        return [entry for entry in self.entries if entry.get("KTRACED_OUTCOME")]

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"", str(self.folder / "socket"))
        self._thread.join(10)
        self._socket.close()


@pytest.fixture
def journal(folder):
    """The daemon starts in a mount namespace where this is the journal."""
    place = folder / "journal"
    place.mkdir()
    journal = Journal(place)
    yield journal
    journal.close()


@pytest.fixture
def daemon(journal, start_daemon, folder, polkit):
    wrapper = folder / "wrapper"
    wrapper.write_text(
        "#!/bin/sh\n"
        "mount -t tmpfs none /run && mkdir -p /run/systemd/journal && "
        f"mount --bind {journal.folder} /run/systemd/journal && exec \"$@\"\n"
    )
    wrapper.chmod(0o755)
    daemon = start_daemon(command=["unshare", "--mount", "--propagation", "private", wrapper])
    root = daemon.client(0)
    set_log(root, "LogTarget", "journal")
    yield daemon
    root.close()


def set_log(root, name, value):
    path, interface = LOG_CONTROL
    parameters = GLib.Variant("(ssv)", (interface, name, GLib.Variant("s", value)))
    root.call(path, "org.freedesktop.DBus.Properties", "Set", parameters)


def last(journal, **fields):
    """The entry with these fields, once it is there."""

    def there():
        found = [e for e in journal.decisions() if all(e.get(name) == value for name, value in fields.items())]
        return found and found[-1]

    return wait_until(there, f"no entry with {fields} in {journal.decisions()}", timeout=60)


def test_fields_of_decisions(journal, polkit, root, nobody):
    session = nobody.create("mine", EVENTS)
    entry = last(journal, KTRACED_SESSION_NAME="mine")
    assert entry["MESSAGE_ID"] == AUTHORIZED and entry["PRIORITY"] == "6"
    assert entry["KTRACED_ACTION"] == "org.ktraced1.trace-system"
    assert entry["KTRACED_CALLER"] == str(NOBODY) and entry["KTRACED_OUTCOME"] == "granted"
    assert entry["MESSAGE"] == f"CreateSession org.ktraced1.trace-system for user {NOBODY}: authorized"

    theirs = root.create("theirs", EVENTS)
    outcomes = {"no": "denied", "challenge": "authentication-required"}
    for mode, outcome in outcomes.items():
        polkit.mode = mode
        with pytest.raises(BusError):
            nobody.session(theirs, "Start")
        entry = last(journal, KTRACED_OUTCOME=outcome)
        assert entry["MESSAGE_ID"] == DENIED and entry["PRIORITY"] == "5"
        assert entry["KTRACED_ACTION"] == "org.ktraced1.manage-sessions"
        assert entry["KTRACED_SESSION"] == root.get(theirs, SESSION, "Id")
        assert entry["KTRACED_SESSION_NAME"] == "theirs" and entry["KTRACED_OWNER"] == "0"

    # What is not asked about is told to those who look for it.
    assert not [e for e in journal.decisions() if e["KTRACED_OUTCOME"] in ("root", "owner")]
    set_log(root, "LogLevel", "debug")
    nobody.describe(session)
    assert last(journal, KTRACED_OUTCOME="owner")["KTRACED_SESSION_NAME"] == "mine"
    root.describe(session)
    assert last(journal, KTRACED_OUTCOME="root")["KTRACED_CALLER"] == "0"


def test_flood_of_refusals_neither_fills_the_journal_nor_hides_a_grant(journal, polkit, daemon, root, nobody):
    begin = time.monotonic()
    polkit.mode = "no"
    for _ in range(100):
        with pytest.raises(BusError):
            nobody.manager("ListSessions")
    polkit.mode = "yes"
    nobody.create("found", EVENTS)
    last(journal, KTRACED_SESSION_NAME="found")
    written = [e for e in journal.decisions() if e.get("KTRACED_ACTION") == "org.ktraced1.query"]
    intervals = 1 + int((time.monotonic() - begin) / INTERVAL)
    assert BURST <= len(written) <= BURST * intervals and {e["KTRACED_OUTCOME"] for e in written} == {"denied"}
    # The rest is counted; at the latest the end of the daemon tells.
    daemon.stop()
    summaries = [e for e in journal.entries if "were not written" in e["MESSAGE"]]
    assert sum(int(e["MESSAGE"].split()[0]) for e in summaries) == 100 - len(written)
    for summary in summaries:
        assert " more decisions on org.ktraced1.query for user " in summary["MESSAGE"]
        assert summary["KTRACED_CALLER"] == str(NOBODY) and summary["KTRACED_OUTCOME"] == "denied"
