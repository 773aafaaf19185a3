# SPDX-License-Identifier: LGPL-2.1-or-later
"""A file system of our own, on a loop device, whose disk can be counted and made to stall."""

import ctypes
import fcntl
import os
import pathlib
import subprocess
import threading

SECTOR = 512
# _IOWR('X', 119, int) and 120 of linux/fs.h. Not fsfreeze(8): starting a program holds up all threads of Python.
FIFREEZE, FITHAW = 0xC0045877, 0xC0045878
LIBC = ctypes.CDLL(None, use_errno=True)


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout


class LoopDisk:
    """ext4 in a file in `folder`, mounted at `path`. Ends with close(), also when it is frozen."""

    def __init__(self, folder, path, size):
        self.path = path
        self.path.mkdir()
        self.image = folder / "disk.img"
        with open(self.image, "xb") as image:
            image.truncate(size)
        run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image)
        self.device = pathlib.Path(run("losetup", "--find", "--show", self.image).strip())
        try:
            run("mount", self.device, self.path)
        except RuntimeError:
            run("losetup", "--detach", self.device)
            raise
        (self.path / "lost+found").rmdir()
        self._fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        self._frozen = False

    def sync(self):
        if LIBC.syncfs(self._fd) < 0:
            raise OSError(ctypes.get_errno(), "syncfs")

    def written(self):
        """Bytes that were written to the device since it was made, after a sync."""
        self.sync()
        fields = pathlib.Path(f"/sys/block/{self.device.name}/stat").read_text().split()
        return int(fields[6]) * SECTOR

    def freeze(self):
        self._frozen = True
        fcntl.ioctl(self._fd, FIFREEZE, 0)

    def thaw(self):
        if self._frozen:
            fcntl.ioctl(self._fd, FITHAW, 0)
            self._frozen = False

    def close(self):
        self.thaw()
        os.close(self._fd)
        run("umount", self.path)
        run("losetup", "--detach", self.device)
        self.image.unlink()


class Stalls:
    """Freezes a LoopDisk for `seconds`, lets it go on for as long, and so on, until close()."""

    def __init__(self, disk, seconds):
        self.disk = disk
        self.seconds = seconds
        self.number = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        try:
            while not self._end.is_set():
                self.disk.freeze()
                self.number += 1
                self._end.wait(self.seconds)
                self.disk.thaw()
                self._end.wait(self.seconds)
        finally:
            self.disk.thaw()

    def close(self):
        self._end.set()
        self._thread.join()
