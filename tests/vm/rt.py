#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's real-time kernel for the VM tier, beside the image: it is the one that has the latency tracers. Its drivers
are modules, so that it boots from an initrd, which is made here: an init (rt-init.c), and the modules that the disk and
the agent need.

    usage: tests/vm/rt.py

prints the folder that has vmlinux and initrd. Built once, into the cache folder of image.py. Needs root, gcc with a
static libc and Debian 12's apt sources."""

import fcntl
import hashlib
import json
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import tempfile

import image

# The name that the tests use.
KERNEL = "6.1-rt"
PACKAGE = "linux-image-rt-amd64"
# ext4 asks for crc32c by what it does, and not by name.
MODULES = ["crc32c_generic", "virtio_pci", "virtio_blk", "virtio_console", "virtio_rng", "nvme", "ext4", "configfs"]
INIT = pathlib.Path(__file__).with_name("rt-init.c")


def key():
    recipe = [PACKAGE, MODULES, INIT.read_text(encoding="utf-8"), pathlib.Path(__file__).read_text(encoding="utf-8")]
    return hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:16]


def _run(*command, **more):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **more).stdout


def _download(folder):
    """Unpacks the newest real-time kernel; its version."""
    shown = _run("apt-cache", "show", "--no-all-versions", PACKAGE)
    depends = next(line for line in shown.splitlines() if line.startswith("Depends:"))
    real = depends.split()[1].rstrip(",")
    _run("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", real, cwd=folder)
    (package,) = folder.glob("*.deb")
    _run("dpkg-deb", "-x", package, folder / "tree")
    package.unlink()
    return real.removeprefix("linux-image-")


def _modules(tree):
    """The files of MODULES and of what they need, in the order in which they can be inserted."""
    files = {path.stem.replace("-", "_"): path for path in tree.rglob("*.ko")}
    found = []

    def add(name):
        # Every module has its needs in its section .modinfo.
        depends = re.search(rb"\0depends=([^\0]*)\0", files[name].read_bytes())[1].decode()
        for other in filter(None, depends.replace("-", "_").split(",")):
            add(other)
        if files[name] not in found:
            found.append(files[name])

    for module in MODULES:
        add(module)
    return found


def _entry(number, name, mode, data=b""):
    """One file of an archive (Documentation/driver-api/early-userspace/buffer-format.rst)."""
    fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def _initrd(init, modules):
    entries = [(name, stat.S_IFDIR | 0o755, b"") for name in ("dev", "root", "modules")]
    entries.append(("init", stat.S_IFREG | 0o755, init.read_bytes()))
    entries += [(f"modules/{i:03}.ko", stat.S_IFREG | 0o644, path.read_bytes()) for i, path in enumerate(modules)]
    archive = [_entry(i + 1, *entry) for i, entry in enumerate(entries)]
    return b"".join([*archive, _entry(0, "TRAILER!!!", 0)])


def build(folder):
    with tempfile.TemporaryDirectory(prefix="building-rt-", dir=folder.parent) as temp:
        temp = pathlib.Path(temp)
        version = _download(temp)
        tree = temp / "tree"
        new = temp / "new"
        new.mkdir()
        image.unpack_kernel(tree / "boot" / f"vmlinuz-{version}", new / "vmlinux")
        init = temp / "init"
        _run("gcc", "-std=gnu17", "-O2", "-static", "-o", init, INIT)
        (new / "initrd").write_bytes(_initrd(init, _modules(tree)))
        new.rename(folder)


def rt_folder():
    """The folder of the real-time kernel; made first, where it is not in the cache."""
    cache = image.cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"rt-{key()}"
    with open(cache / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            for old in cache.glob("rt-*"):
                shutil.rmtree(old)
            build(folder)
    return folder


if __name__ == "__main__":
    sys.exit(print(rt_folder()))
