#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs in the guest as root and does what vm.py asks over a virtio-serial port.

Each message, in both directions, is a line of JSON and, when it has a "size", that many bytes after it. The first
one is "ready", sent when the system has booted and the payload is in place. Requests:

    {"run": [ARGUMENT...], "timeout": SECONDS}   -> {"output": 1|2, "size": N} ..., {"status": N}
    {"get": PATH}                                -> {"size": N} or {"error": TEXT}
    {"put": PATH, "mode": MODE, "size": N}       -> {} or {"error": TEXT}
    {"poweroff": true}                           -> {}, and the system shuts down
"""

import json
import os
import pathlib
import selectors
import signal
import subprocess
import time

PORT = "/dev/virtio-ports/org.ktraced.agent"
TREE = pathlib.Path("/run/vm-agent/root")
TIMED_OUT = 124
CHUNK = 1 << 16


class Port:
    """The messages to and from the host."""

    def __init__(self):
        self.file = open(PORT, "r+b", buffering=0)
        self.rest = b""

    def send(self, header, data=None):
        if data is not None:
            header = {**header, "size": len(data)}
        view = memoryview(json.dumps(header).encode() + b"\n" + (data or b""))
        while view:
            view = view[self.file.write(view) :]

    def _fill(self):
        data = self.file.read(CHUNK)
        if not data:
            # So it is until the host opens its end.
            time.sleep(0.05)
        self.rest += data

    def receive(self):
        while b"\n" not in self.rest:
            self._fill()
        line, _, self.rest = self.rest.partition(b"\n")
        header = json.loads(line)
        size = header.get("size", 0)
        while len(self.rest) < size:
            self._fill()
        data, self.rest = self.rest[:size], self.rest[size:]
        return header, data


def run(port, arguments, timeout):
    """Sends what the command writes as it comes. Processes that it leaves behind may keep its pipes: its own end
    counts. After the time-out, its process group is killed."""
    try:
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
    except OSError as error:
        port.send({"output": 2}, f"{arguments[0]}: {error.strerror}\n".encode())
        port.send({"status": 127})
        return
    deadline = time.monotonic() + timeout
    selector = selectors.DefaultSelector()
    for number, pipe in [(1, process.stdout), (2, process.stderr)]:
        os.set_blocking(pipe.fileno(), False)
        selector.register(pipe, selectors.EVENT_READ, number)
    pidfd = os.pidfd_open(process.pid)
    selector.register(pidfd, selectors.EVENT_READ, None)
    timed_out = False
    while True:
        events = selector.select(max(0, deadline - time.monotonic()))
        if not events and not timed_out:
            timed_out = True
            os.killpg(process.pid, signal.SIGKILL)
            deadline += 5
        read_any = False
        for key, _ in events:
            if key.data is None:
                continue
            data = os.read(key.fd, CHUNK)
            if data:
                read_any = True
                port.send({"output": key.data}, data)
            else:
                selector.unregister(key.fileobj)
        if not read_any and process.poll() is not None:
            break
    os.close(pidfd)
    port.send({"status": TIMED_OUT if timed_out else process.returncode})


def answer(port, request, data):
    if "run" in request:
        run(port, request["run"], request["timeout"])
        return
    result = None
    try:
        if "get" in request:
            result = pathlib.Path(request["get"]).read_bytes()
        elif "put" in request:
            path = pathlib.Path(request["put"])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            path.chmod(request["mode"])
        else:
            subprocess.run(["systemctl", "poweroff", "--no-block"], check=True)
    except OSError as error:
        port.send({"error": str(error)})
    else:
        port.send({}, result)


def main():
    waited = subprocess.run(["systemctl", "is-system-running", "--wait"], stdout=subprocess.PIPE, text=True, check=False)
    if TREE.exists():
        # The directories of the system keep their modes.
        unpack = f"tar -C {TREE} -c . | tar -C / -x --no-overwrite-dir --keep-directory-symlink"
        subprocess.run(["sh", "-c", f"{unpack} && systemctl daemon-reload && systemctl reload dbus.service"], check=True)
    port = Port()
    port.send({"ready": waited.stdout.strip(), "uptime": time.monotonic()})
    while True:
        answer(port, *port.receive())


if __name__ == "__main__":
    main()
