# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures of all Python tests: a private bus, a polkit (mock or real) and the daemon on it, one each a test."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent / "lib"))

import daemon as daemon_module  # noqa: E402
from polkit_mock import PolkitMock  # noqa: E402
from system_bus import RealPolkit, SystemBus, wait_until  # noqa: E402

TEST_SECONDS = 300

# What systemd sets. With fewer numbers a daemon that has to wait for a CPU cannot tell, in scope "self", whether
# the number of a task has gone to another, and ends the session.
PID_MAX = pathlib.Path("/proc/sys/kernel/pid_max")
MANY_NUMBERS = 4194304


@pytest.fixture(autouse=True, scope="session")
def many_task_numbers():
    before = PID_MAX.read_text()
    changed = int(before) < MANY_NUMBERS and os.access(PID_MAX, os.W_OK)
    if changed:
        PID_MAX.write_text(str(MANY_NUMBERS))
    yield
    if changed:
        PID_MAX.write_text(before)


@pytest.fixture(autouse=True)
def time_limit(request):
    """A test that hangs fails, rather than the whole tier."""
    marker = request.node.get_closest_marker("seconds")
    seconds = marker.args[0] if marker else TEST_SECONDS

    def on_alarm(_number, _frame):
        raise TimeoutError(f"the test took longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(seconds)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def folder():
    """A folder that other users can reach, unlike tmp_path."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="ktraced-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def output(folder):
    """Where any user can have a file made."""
    place = folder / "output"
    place.mkdir()
    place.chmod(0o777)
    return place / "trace.dat"


@pytest.fixture
def bus(folder, request):
    """The private bus; with the `lax_bus` marker its own policy lets everything through to the daemon, and with
    `many_connections` a user may have a thousand connections."""
    bus_folder = folder / "bus"
    bus_folder.mkdir()
    lax, many = (request.node.get_closest_marker(name) is not None for name in ("lax_bus", "many_connections"))
    bus = SystemBus(bus_folder, lax, many)
    yield bus
    bus.close()


@pytest.fixture
def polkit(bus):
    """The mock; it says yes until told otherwise."""
    mock = PolkitMock(bus)
    yield mock
    mock.close()


@pytest.fixture
def own_only(polkit):
    """A polkit that lets users trace what is theirs, as on an active session, and nothing else."""
    polkit.mode = "no"
    polkit.actions = {"org.ktraced1.trace-self": "yes", "org.ktraced1.query": "yes"}
    return polkit


@pytest.fixture
def real_polkit(bus, folder, request):
    """polkitd, with the rule that stands in the test's `polkit_rule` marker, if any, and the groups there."""
    marker = request.node.get_closest_marker("polkit_rule")
    polkit_folder = folder / "polkit"
    polkit_folder.mkdir()
    rule, groups = (marker.args[0], marker.kwargs.get("groups")) if marker else (None, None)
    language = request.node.get_closest_marker("polkit_language")
    polkit = RealPolkit(bus, polkit_folder, rule, groups, language.args[0] if language else None)
    yield polkit
    polkit.close()


@pytest.fixture
def looping():
    """A function that starts a Python program, which says "ready" and goes on without end."""
    started = []

    def start(code):
        process = subprocess.Popen(["/usr/bin/python3", "-c", code], stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout.readline() == b"ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait(60)
        process.stdout.close()


@pytest.fixture
def start_daemon(bus, folder):
    """A function that starts daemons, one after another on the same store; they are stopped, and judged, when the
    test is over, and may not leave a kernel instance behind."""
    started = []

    def start(**arguments):
        daemon_folder = folder / "daemon"
        daemon_folder.mkdir(exist_ok=True)
        new = daemon_module.Daemon(bus, daemon_folder, **arguments)
        started.append(new)
        return new

    yield start
    for old in started:
        if old.process.returncode is None:
            old.stop()
        else:
            old.check_log()
    assert not daemon_module.instances_of(bus), "a kernel instance was left behind"


@pytest.fixture
def daemon(start_daemon, request):
    """The daemon with the settings of the test's `settings` marker, if any."""
    marker = request.node.get_closest_marker("settings")
    return start_daemon(settings=marker.kwargs if marker else None)


@pytest.fixture
def root(daemon):
    """A client that is uid 0."""
    client = daemon.client(0)
    yield client
    client.close()


@pytest.fixture
def nobody(daemon):
    """A client that may do nothing but what polkit says."""
    client = daemon.client(daemon_module.NOBODY)
    yield client
    client.close()


@pytest.fixture
def writer():
    """A function that starts tests/lib/writer."""
    started = []

    def start(*arguments, **more):
        new = daemon_module.Writer(*arguments, **more)
        started.append(new)
        return new

    yield start
    for old in started:
        if old.process.returncode is None:
            old.close()


JOURNALD = "/lib/systemd/systemd-journald"
# A journal of its own, in a mount namespace of its own.
OWN_JOURNAL = f"""
for folder in /run/log /run/systemd /var/log; do mount -t tmpfs tmpfs $folder; done
mkdir -p /run/systemd/journal /run/log/journal
exec {JOURNALD}
"""


@pytest.fixture
def journal():
    """The words before a command that has that journal."""
    process = subprocess.Popen(["unshare", "-m", "sh", "-c", OWN_JOURNAL], stderr=subprocess.DEVNULL)
    inside = ["nsenter", "-t", str(process.pid), "-m", "--"]
    ready = [*inside, "test", "-S", "/run/systemd/journal/socket"]
    # Before it is in its namespace, it is the host's journal that would be seen.
    wait_until(lambda: os.readlink(f"/proc/{process.pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt"), "there is no namespace")
    wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, "journald does not listen")
    yield inside
    process.terminate()
    process.wait(10)


def pytest_configure(config):
    config.addinivalue_line("markers", "settings(**settings): the daemon's settings file")
    config.addinivalue_line("markers", "lax_bus: the bus lets everything through to the daemon")
    config.addinivalue_line("markers", "many_connections: the bus takes a thousand connections of a user")
    config.addinivalue_line("markers", "polkit_rule(text, groups={}): a rule file for the real polkitd; groups with one member each")
    config.addinivalue_line("markers", "polkit_language(name): in which the real polkitd speaks")
    config.addinivalue_line("markers", "seconds(n): how long the test may take")
