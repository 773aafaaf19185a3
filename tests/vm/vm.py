#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Boots Debian's kernels in QEMU, with systemd as PID 1, and runs commands in them as root.

    usage: tests/vm/vm.py run --kernel 6.1|6.12 [--payload DIR] [--timeout SECONDS] [--get PATH]... -- COMMAND...

runs one command in a fresh guest, its output as it comes, and exits with its status (124: timed out; 125: no guest).
DIR, made by payload.sh, is unpacked over the guest's root before. For tests, `Guest` does the same with any number
of commands, and `new_disk()` gives several boots one disk.

Emulation is QEMU's own (TCG), so that this runs anywhere; KTRACED_VM_ACCEL=kvm uses KVM where that works.
KTRACED_VM_QEMU names another QEMU than that of qemu.py.
"""

import argparse
import dataclasses
import io
import json
import os
import pathlib
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import image  # noqa: E402
import qemu  # noqa: E402
import rt  # noqa: E402

AGENT = pathlib.Path(__file__).with_name("agent.py")
# A boot takes some 20 s on an idle machine, minutes on a loaded one. One that hangs does so before the agent runs: it
# is tried again.
BOOT_SECONDS = 480
BOOT_TRIES = 3
# What the guest gets beyond a command's own time-out to say that it is over.
GRACE_SECONDS = 30
TIMED_OUT = 124
NO_GUEST = 125
CHUNK = 1 << 16


class GuestError(Exception):
    """The guest itself failed: it did not boot, hung, or went away."""


@dataclasses.dataclass
class Result:
    """How a command in the guest went. `status` is negative for a signal; `output` has stdout and stderr as they
    came."""

    status: int
    output: str
    stdout: str
    stderr: str


def new_disk(folder):
    """A copy of the image's file system that keeps what is written to it, for several boots."""
    disk = pathlib.Path(folder) / "root.img"
    subprocess.run(["cp", "--sparse=always", image.image_folder() / "root.img", disk], check=True)
    return disk


def payload_tar(path, tree):
    """What the guest reads at boot: the agent and, below root/, the files to put over its own, all owned by root."""

    def to_root(member):
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        return member

    with tarfile.open(path, "w") as tar:
        tar.add(AGENT, "agent.py", filter=to_root)
        if tree:
            tar.add(tree, "root", filter=to_root)
    # The disk's size must be a multiple of a sector; tar's is, of 20.


class Guest:
    """A running guest, from the constructor, which returns when it has booted, to close().

    kernel: a name in image.KERNELS, or rt.KERNEL. tree: a folder to unpack over the root. disk: from new_disk(); without one, what
    the guest writes is gone with it. append: more of the kernel's command line. reboots: a guest that reboots, or
    panics, boots again, see crash(); else it ends. `boot_seconds` is the time it took, `state` systemd's word for the result."""

    def __init__(self, kernel, tree=None, disk=None, cpus=2, memory=2048, log=None, append="", reboots=False):
        self.kernel = kernel
        self.cpus = cpus
        self.memory = memory
        self.append = f"panic={1 if reboots else -1} {append}"
        self.reboots = reboots
        self._folder = tempfile.TemporaryDirectory(prefix="ktraced-vm-")
        self.folder = pathlib.Path(self._folder.name)
        self.console = self.folder / "console.log"
        self.process = None
        self.port = None
        self.rest = b""
        self.log = log
        self.image = image.image_folder()
        payload_tar(self.folder / "payload.tar", tree)
        try:
            self._boot(disk)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _kernel(self):
        if self.kernel != rt.KERNEL:
            return ["-kernel", str(self.image / f"vmlinux-{self.kernel}")]
        folder = rt.rt_folder()
        return ["-kernel", str(folder / "vmlinux"), "-initrd", str(folder / "initrd")]

    def _command(self, disk, port):
        accelerator = os.environ.get("KTRACED_VM_ACCEL", "tcg,thread=multi")
        root = f"file={disk},snapshot=off" if disk else f"file={self.image / 'root.img'},snapshot=on"
        # QEMU ends with us, even when we are killed. tsc=reliable: the watchdog of an emulated clock can hang a boot.
        # no_timer_check: where it waits for a CPU, the kernel takes the emulated timer for broken and panics.
        # The second NVMe namespace that a payload could be races with the root: hence virtio.
        return [
            "nice", "-n", "10", "setpriv", "--pdeathsig", "KILL", "--",
            *qemu.command(),
            "-accel", accelerator, "-cpu", "max,-svm", "-machine", "q35", "-smp", str(self.cpus), "-m", str(self.memory),
            "-nodefaults", "-no-user-config", "-display", "none", "-nic", "none", *([] if self.reboots else ["-no-reboot"]),
            *self._kernel(),
            "-append", "root=/dev/nvme0n1 rw console=ttyS0 tsc=reliable no_timer_check systemd.log_target=journal "
            f"systemd.default_timeout_start_sec={BOOT_SECONDS} {self.append}",
            "-drive", f"if=none,id=root,format=raw,{root}", "-device", "nvme,drive=root,serial=root",
            "-drive", f"if=none,id=payload,format=raw,readonly=on,file={self.folder / 'payload.tar'}",
            "-device", "virtio-blk-pci,drive=payload",
            "-device", "virtio-serial-pci", "-chardev", f"socket,id=agent,fd={port}",
            "-device", "virtserialport,chardev=agent,name=org.ktraced.agent",
            "-device", "virtio-rng-pci",
            "-serial", f"file:{self.console}",
        ]  # fmt: skip

    def _start(self, disk):
        self.port, theirs = socket.socketpair()
        self.port.setblocking(False)
        self.rest = b""
        with theirs:
            self.process = subprocess.Popen(
                self._command(disk, theirs.fileno()),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, "TMPDIR": str(self.folder)},
            )

    def _boot(self, disk):
        for attempt in range(1, BOOT_TRIES + 1):
            start = time.monotonic()
            self._start(disk)
            try:
                header, _ = self._receive(start + BOOT_SECONDS)
            except GuestError as error:
                self._end()
                tail = self.console.read_text(errors="replace")[-2000:] if self.console.exists() else ""
                text = f"boot {attempt} of {BOOT_TRIES} of {self.kernel} did not get to the end: {error}\n{tail}"
                if attempt == BOOT_TRIES:
                    raise GuestError(text) from None
                print(text, file=sys.stderr)
                continue
            self.state = header["ready"]
            self.boot_seconds = time.monotonic() - start
            return

    def _fill(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0:
            raise GuestError("time is up")
        if not select.select([self.port], [], [], left)[0]:
            return
        try:
            data = self.port.recv(CHUNK)
        except ConnectionError:
            data = b""
        if not data:
            raise GuestError("QEMU ended")
        self.rest += data

    def _receive(self, deadline):
        while b"\n" not in self.rest:
            self._fill(deadline)
        line, _, self.rest = self.rest.partition(b"\n")
        header = json.loads(line)
        while len(self.rest) < header.get("size", 0):
            self._fill(deadline)
        size = header.get("size", 0)
        data, self.rest = self.rest[:size], self.rest[size:]
        return header, data

    def _send(self, header, data=b""):
        if self.process is None:
            raise GuestError("the guest is no longer there")
        self.port.setblocking(True)
        self.port.sendall(json.dumps(header).encode() + b"\n" + data)
        self.port.setblocking(False)

    def _ask(self, header, data=b"", timeout=GRACE_SECONDS):
        self._send(header, data)
        header, data = self._receive(time.monotonic() + timeout)
        if "error" in header:
            raise OSError(header["error"])
        return data

    def run(self, command, timeout=120, check=False, stream=None):
        """Runs a command, an argument list or text for sh, as root; the Result. With `check`, a status other than 0
        is an AssertionError with the output in it. `stream` is a binary file that gets the output as it comes."""
        arguments = ["sh", "-c", command] if isinstance(command, str) else [str(part) for part in command]
        self._send({"run": arguments, "timeout": timeout})
        deadline = time.monotonic() + timeout + GRACE_SECONDS
        output, streams = io.BytesIO(), {1: io.BytesIO(), 2: io.BytesIO()}
        while True:
            try:
                header, data = self._receive(deadline)
            except GuestError as error:
                said = output.getvalue().decode(errors="replace")
                console = self.console.read_text(errors="replace")[-2000:]
                self.close()
                raise GuestError(f"{error} during {shlex.join(arguments)}\n{said}\n{console}") from None
            if "status" in header:
                break
            output.write(data)
            streams[header["output"]].write(data)
            for target in filter(None, [stream, self.log]):
                target.write(data)
                target.flush()
        texts = [file.getvalue().decode(errors="replace") for file in (output, streams[1], streams[2])]
        result = Result(header["status"], *texts)
        if check and result.status != 0:
            raise AssertionError(f"{shlex.join(arguments)} ended with {result.status}:\n{result.output}")
        return result

    def get(self, path):
        """The bytes of a file of the guest."""
        return self._ask({"get": str(path)}, timeout=300)

    def put(self, path, data, mode=0o644):
        """Writes a file of the guest, and the folders to it."""
        if isinstance(data, str):
            data = data.encode()
        self._ask({"put": str(path), "mode": mode, "size": len(data)}, data, timeout=300)

    def crash(self):
        """Has the kernel panic; returns when the guest, which `reboots`, has booted again. Its memory is not cleared."""
        self._send({"run": ["sh", "-c", "echo 1 > /proc/sys/kernel/sysrq; echo c > /proc/sysrq-trigger"], "timeout": 60})
        # An answer that was cut off may come before the agent's first word.
        deadline = time.monotonic() + BOOT_SECONDS
        header = {}
        while "ready" not in header:
            try:
                header, _ = self._receive(deadline)
            except json.JSONDecodeError:
                continue
        self.state = header["ready"]

    def power_off(self, timeout=120):
        """Shuts the guest down as `systemctl poweroff` does, so that its disk can be booted again."""
        self._ask({"poweroff": True})
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise GuestError("the guest did not shut down") from None
        finally:
            self._end()

    def _end(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
        if self.port is not None:
            self.port.close()
            self.port = None

    def close(self):
        """Ends the guest as a power cut does."""
        self._end()
        self._folder.cleanup()


def run(arguments):
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        sys.exit("vm.py: no command")
    try:
        with Guest(arguments.kernel, arguments.payload) as guest:
            print(f"{guest.kernel}: {guest.state} after {guest.boot_seconds:.1f} s", file=sys.stderr)
            status = guest.run(command, timeout=arguments.timeout, stream=sys.stdout.buffer).status
            for path in arguments.get:
                shutil.copyfileobj(io.BytesIO(guest.get(path)), open(pathlib.Path(path).name, "wb"))
    except GuestError as error:
        print(f"vm.py: {error}", file=sys.stderr)
        status = NO_GUEST
    sys.exit(status if status >= 0 else 128 - status)


def main():
    parser = argparse.ArgumentParser(description="runs a command in a guest")
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("run", help="boot a guest, run a command in it as root, exit with its status")
    one.add_argument("--kernel", choices=[*image.KERNELS, rt.KERNEL], required=True)
    one.add_argument("--payload", metavar="DIR", help="tree to unpack over the guest's root")
    one.add_argument("--timeout", type=float, default=300, metavar="SECONDS", help="for the command (300)")
    one.add_argument("--get", action="append", default=[], metavar="PATH", help="copy a file out, to this folder")
    one.add_argument("command", nargs=argparse.REMAINDER)
    run(parser.parse_args())


if __name__ == "__main__":
    # So that the guest is closed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    main()
