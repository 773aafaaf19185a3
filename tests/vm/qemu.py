#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The QEMU that guests run in: this machine's, when it is new enough, else the one of Debian's backports, beside the image.

    usage: tests/vm/qemu.py

prints the command. Version 7.2, which Debian 12 has, livelocks when the kernel patches its code on two emulated processors:
seldom when events are enabled, surely when function_graph patches some thousands of functions. 10.0 does not.

The backport is unpacked once, into the cache folder of image.py, and not installed. The libraries that it needs are those
of the installed one."""

import fcntl
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import image

PROGRAM = "qemu-system-x86_64"
OLDEST = 10
# The four parts of the program that are built from one source, or must be as new.
PACKAGES = ["qemu-system-x86", "qemu-system-common", "qemu-system-data", "seabios"]
KEYRING = pathlib.Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def _run(*command, **more):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **more).stdout


def _major(program):
    return int(re.search(r"version (\d+)\.", _run(program, "--version"))[1])


def _mirror(suite):
    """From where this machine's apt has Debian itself."""
    targets = _run("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Component: main", f"Codename: {suite}")
    return targets.split()[0]


def _download(folder):
    """Unpacks the packages; apt gets sources and lists of its own, and its settings stay as they are."""
    (suite,) = re.findall(r"^VERSION_CODENAME=(\w+)$", pathlib.Path("/etc/os-release").read_text(encoding="utf-8"), re.M)
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    for name in ["lists/partial", "cache/archives/partial"]:
        (folder / name).mkdir(parents=True)
    (folder / "sources.list").write_text(f"deb {signed}{_mirror(suite)} {suite}-backports main\n", encoding="utf-8")
    directories = {"Etc::sourcelist": "sources.list", "State::lists": "lists", "Cache": "cache"}
    options = [f"-oDir::{name}={folder / path}" for name, path in directories.items()]
    apt = ["apt-get", "-qq", "-oDir::Etc::sourceparts=/dev/null", "-oAPT::Sandbox::User=root", *options]
    _run(*apt, "update")
    _run(*apt, "download", *(f"{package}/{suite}-backports" for package in PACKAGES), cwd=folder)
    for package in folder.glob("*.deb"):
        _run("dpkg-deb", "-x", package, folder / "tree")
    return folder / "tree"


def _folder():
    """The backport; got first, where it is not in the cache."""
    cache = image.cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / "qemu"
    with open(cache / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(prefix="getting-qemu-", dir=cache) as temp:
                tree = _download(pathlib.Path(temp))
                if _major(tree / "usr/bin" / PROGRAM) < OLDEST:
                    raise OSError(f"the backport is older than {OLDEST}")
                shutil.move(tree, folder)
    return folder


def command():
    """The words that a command line begins with."""
    if os.environ.get("KTRACED_VM_QEMU"):
        return [os.environ["KTRACED_VM_QEMU"]]
    if _major(PROGRAM) >= OLDEST:
        return [PROGRAM]
    folder = _folder()
    data = [folder / "usr/share" / name for name in ("qemu", "seabios")]
    return [str(folder / "usr/bin" / PROGRAM), *(word for path in data for word in ("-L", str(path)))]


if __name__ == "__main__":
    sys.exit(print(*command()))
