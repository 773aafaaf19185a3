# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every method of the introspection data with arguments of the right and of the wrong types, for some seconds."""

import collections
import os
import random
import string
import time

import pytest
from gi.repository import GLib

from daemon import CAPTURE, MANAGER, NOBODY, ROOT, SESSION, BusError
from interfaces import Things, described, methods, spec_keys
from system_bus import wait_until

SECONDS = float(os.environ.get("KTRACED_FUZZ_SECONDS", 5))

# Of specs, from the daemon's own table, and of what else takes a dictionary.
SPEC_KEYS = spec_keys()
KEYS = [*SPEC_KEYS, "session", "owner", "state", "since", "until", "reason", "format", "max_files", "max_use", "nosuch"]
WORDS = ["", "sched", "sched:sched_switch", "*:*", "!irq", "syscalls", "openat", "mono", "0-1", "1M", "1s", "complete", "../..", "a\nb", "\u202e", "x" * 5000, "prev_pid == 1", "stacktrace"]
TYPES = ["s", "o", "g", "b", "y", "n", "q", "i", "u", "x", "t", "d", "h", "v", "as", "ai", "au", "ah", "a{ss}", "a{sv}", "(su)", "aas", "av"]


def value(chance, kind, depth=0):
    """A random variant of a type."""
    if kind == "s":
        return GLib.Variant("s", chance.choice(WORDS + ["".join(chance.choices(string.printable, k=9))]))
    if kind == "o":
        return GLib.Variant("o", chance.choice(["/", "/org/ktraced1"]))
    if kind == "g":
        return GLib.Variant("g", chance.choice(TYPES))
    if kind == "b":
        return GLib.Variant("b", chance.random() < 0.5)
    if kind == "d":
        return GLib.Variant("d", chance.random())
    if kind == "h":
        return GLib.Variant("h", chance.randrange(4))
    if kind == "v":
        return GLib.Variant("v", value(chance, chance.choice(TYPES if depth < 4 else ["s"]), depth + 1))
    widths = {"y": (0, 8), "n": (1, 16), "q": (0, 16), "i": (1, 32), "u": (0, 32), "x": (1, 64), "t": (0, 64)}
    if kind in widths:
        signed, bits = widths[kind]
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        return GLib.Variant(kind, chance.choice([low, high, 0, 1, chance.randint(low, high)]))
    if kind.startswith("a{"):
        entries = []
        for _ in range(chance.randrange(5)):
            key = chance.choice(KEYS if kind == "a{sv}" else WORDS)
            # Half of them of the type that the key takes.
            usual = SPEC_KEYS.get(key) if kind == "a{sv}" and chance.random() < 0.5 else None
            entry = GLib.Variant("v", value(chance, usual, depth + 1)) if usual else value(chance, kind[3], depth + 1)
            entries.append(GLib.Variant.new_dict_entry(GLib.Variant("s", key), entry))
        return GLib.Variant.new_array(GLib.VariantType(kind[1:]), entries)
    if kind.startswith("a"):
        return GLib.Variant.new_array(GLib.VariantType(kind[1:]), [value(chance, kind[1:], depth + 1) for _ in range(chance.randrange(6))])
    return GLib.Variant.new_tuple(*[value(chance, part, depth + 1) for part in kind[1:-1]])


def plausible_spec(chance):
    """One that may well be taken, so that sessions come and go meanwhile."""
    spec = {"events": GLib.Variant("as", ["sched:sched_process_exit"]), "buffer_size": GLib.Variant("s", "64K")}
    for key in chance.sample(KEYS, chance.randrange(2)):
        spec[key] = value(chance, chance.choice(TYPES))
    return GLib.Variant("a{sv}", spec)


def arguments(chance, method, things):
    ids = [things.session_id, things.capture_id]
    values = []
    for argument in method.in_args:
        if argument.signature == "a{sv}" and chance.random() < 0.5:
            values.append(plausible_spec(chance))
        elif argument.signature == "s" and chance.random() < 0.3:
            values.append(GLib.Variant("s", chance.choice(ids)))
        else:
            values.append(value(chance, chance.choice(TYPES) if chance.random() < 0.1 else argument.signature))
    if chance.random() < 0.05:
        values.append(value(chance, chance.choice(TYPES)))
    return GLib.Variant.new_tuple(*values)


def objects(root, things):
    """Paths of all that there is, and of something that there is not."""
    sessions = [row[5] for row in root.manager("ListSessions")]
    captures = [row[10] for row in root.manager("ListCaptures", "(a{sv})", {})]
    return {
        MANAGER: [ROOT],
        SESSION: [*sessions, things.session, "/org/ktraced1/session/_00", ROOT],
        CAPTURE: [*captures, things.capture, "/org/ktraced1/capture/_2e_2e", ROOT],
    }


@pytest.mark.seconds(int(SECONDS) + 120)
def test_random_calls(daemon, polkit, root, folder):
    seed = int(os.environ.get("KTRACED_FUZZ_SEED", random.randrange(1 << 32)))
    print("KTRACED_FUZZ_SEED", seed)  # shown when the test fails
    chance = random.Random(seed)
    things = Things(root)
    interfaces = described()
    fds = [os.pidfd_open(os.getpid()), os.open(folder, os.O_RDONLY), os.open("/dev/null", os.O_RDWR), os.open(folder / "out", os.O_RDWR | os.O_CREAT)]
    clients = [root, daemon.client(NOBODY)]
    answered = refused = 0
    called = collections.Counter()
    before = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))

    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        paths = objects(root, things)
        for _ in range(30):
            name = chance.choice([MANAGER, SESSION, CAPTURE])
            method = chance.choice(interfaces[name].methods)
            called[name, method.name] += 1
            polkit.mode = chance.choice(["yes", "yes", "no", "challenge"])
            if chance.random() < 0.05:
                clients[1].close()  # what it began ends with it
                clients[1] = daemon.client(NOBODY)
            client = chance.choice(clients)
            try:
                client.call(chance.choice(paths[name]), name, method.name, arguments(chance, method, things), fds=fds)
                answered += 1
            except BusError as error:
                assert daemon.process.poll() is None, f"{method.name}: {error}"
                assert "NoReply" not in error.name and "Timeout" not in error.name, f"{method.name}: {error}"
                refused += 1
    print(answered, "answered,", refused, "refused,", min(called.values()), "of the rarest method")
    assert answered > 0 and refused > 0, (answered, refused)
    # On a slow machine a few seconds are too short for some.
    assert SECONDS < 60 or set(called) == set(methods())

    for row in root.manager("ListSessions"):
        root.session(row[5], "Remove")
    wait_until(lambda: not daemon.instances(), "instances were left behind")
    for fd in fds:
        os.close(fd)
    clients[1].close()
    polkit.answer_pending("no")
    # What workers and captures hold for good, and nothing for each call.
    wait_until(lambda: len(os.listdir(f"/proc/{daemon.process.pid}/fd")) <= before + 8, "descriptors were left behind", 60)
