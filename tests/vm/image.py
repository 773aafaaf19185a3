#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Builds what the VM tier boots: the root file system of a small Debian with systemd, D-Bus and polkitd as an ext4
image, and the two kernels beside it, unpacked, so that no emulated processor spends its time on that.

    usage: tests/vm/image.py [--force]

prints the folder that has root.img, vmlinux-6.1 and vmlinux-6.12. It is built once for each recipe (packages, units,
RECIPE) and lives in the cache folder: $KTRACED_VM_CACHE, else $XDG_CACHE_HOME/ktraced-tests, else
/var/cache/ktraced-tests. Needs root, mmdebstrap, mke2fs and Debian 12's apt sources, which are taken from this
machine; asks nothing.
"""

import argparse
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

RECIPE = 1
# The kernels, by the names that the tests use: the package that depends on the newest build of each.
KERNELS = {"6.1": "linux-image-cloud-amd64", "6.12": "linux-image-6.12-cloud-amd64"}
PACKAGES = [
    # the system
    "systemd", "systemd-sysv", "udev", "kmod", "libpam-systemd", "dbus", "polkitd", "procps", "util-linux",
    # what the daemon and the client are linked against
    "libsystemd0", "libtracefs1", "libtraceevent1", "libtracecmd1", "libjson-c5", "libgcrypt20", "libzstd1", "libelf1",
    # what the tests use
    "trace-cmd", "python3", "python3-dbus", "python3-gi", "python3-pytest",
]  # fmt: skip
IMAGE_SIZE = "4G"

# The agent comes with the payload, so that the image does not depend on it.
AGENT_UNIT = r"""[Unit]
Description=Agent of the VM tier
Requires=dev-vda.device
After=dev-vda.device dbus.service polkit.service dev-virtio\x2dports-org.ktraced.agent.device
Requires=dev-virtio\x2dports-org.ktraced.agent.device

[Service]
Type=exec
RuntimeDirectory=vm-agent
ExecStartPre=tar -xf /dev/vda -C /run/vm-agent
ExecStart=/usr/bin/python3 /run/vm-agent/agent.py
Environment=HOME=/root LC_ALL=C.UTF-8
OOMScoreAdjust=-900

[Install]
WantedBy=multi-user.target
"""
# One user for the tests that need an ordinary one. polkit's answer depends on how that user is logged in.
USER = "tester"


def cache_folder():
    if os.environ.get("KTRACED_VM_CACHE"):
        return pathlib.Path(os.environ["KTRACED_VM_CACHE"])
    if os.environ.get("XDG_CACHE_HOME"):
        return pathlib.Path(os.environ["XDG_CACHE_HOME"]) / "ktraced-tests"
    return pathlib.Path("/var/cache/ktraced-tests")


def key():
    recipe = [RECIPE, KERNELS, PACKAGES, IMAGE_SIZE, AGENT_UNIT, USER]
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]


def apt_sources():
    """This machine's own, whatever mirror they name."""
    folder = pathlib.Path("/etc/apt")
    files = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*.list"))]
    files += sorted((folder / "sources.list.d").glob("*.sources"))
    return [str(file) for file in files if file.exists() and file.stat().st_size]


def apt_options():
    """The settings of this machine's apt that concern how packages are fetched; mmdebstrap takes over none of them."""
    dump = subprocess.run(
        ["apt-config", "dump", "--no-empty", "--format", "%F %v%n", "Acquire"], check=True, stdout=subprocess.PIPE, text=True
    )
    wanted = ("Acquire::http", "Acquire::https", "Acquire::Check-Valid-Until", "Acquire::Check-Date", "Acquire::Retries")
    for line in dump.stdout.splitlines():
        name, _, value = line.partition(" ")
        if name.startswith(wanted):
            yield f'--aptopt={name} "{value}"'


def make_root(root):
    with open("/etc/os-release", encoding="utf-8") as file:
        suite = next((line.split("=")[1].strip() for line in file if line.startswith("VERSION_CODENAME=")), "")
    if suite != "bookworm":
        sys.exit(f"image.py: the VM tier's image is made from Debian 12's apt sources; this machine has '{suite}'")
    hook = f"{sys.executable} {pathlib.Path(__file__).resolve()} --hook"
    subprocess.run(
        [
            # The mounts that it makes below the root go with it, however it ends.
            "unshare", "--mount", "--propagation=private",
            "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={','.join(PACKAGES)}",
            '--aptopt=APT::Install-Recommends "false"', *apt_options(),
            # Documentation and translations would be a third of the image.
            "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*",
            f'--customize-hook={hook} "$1"', suite, str(root), *apt_sources(),
        ],
        check=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def unpack_kernels(root):
    """Unpacks the kernels' packages into the root, called by mmdebstrap. They are not installed: that would pull in
    initramfs-tools and build an initrd for each, and the kernels need none."""
    environment = dict(os.environ, APT_CONFIG=os.environ["MMDEBSTRAP_APT_CONFIG"])
    for name, package in KERNELS.items():
        shown = subprocess.run(
            ["apt-cache", "show", "--no-all-versions", package], env=environment, check=True, stdout=subprocess.PIPE, text=True
        )
        depends = next(line for line in shown.stdout.splitlines() if line.startswith("Depends:"))
        real = depends.split()[1].rstrip(",")
        with tempfile.TemporaryDirectory() as folder:
            # Root may read the folder, apt's own user need not.
            subprocess.run(
                ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", real], cwd=folder, env=environment, check=True
            )
            # dpkg-deb -x would put a folder in the place of the link /lib.
            (package_file,) = pathlib.Path(folder).glob("*.deb")
            with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package_file], stdout=subprocess.PIPE) as unpack:
                subprocess.run(["tar", "-x", "-C", root, "--keep-directory-symlink"], stdin=unpack.stdout, check=True)
            if unpack.returncode != 0:
                raise subprocess.CalledProcessError(unpack.returncode, unpack.args)
        version = real.removeprefix("linux-image-")
        subprocess.run(["chroot", root, "depmod", version], check=True)
        os.rename(root / "boot" / f"vmlinuz-{version}", root / "boot" / f"vmlinuz-{name}")


def finish_root(root):
    """Settles what would otherwise be asked or generated at the first boot."""
    (root / "etc/hostname").write_text("guest\n", encoding="utf-8")
    (root / "etc/machine-id").write_text("b08dfa6083e7567a1921a715000001fb\n", encoding="utf-8")
    (root / "etc/fstab").write_text("", encoding="utf-8")
    units = root / "etc/systemd/system"
    (units / "vm-agent.service").write_text(AGENT_UNIT, encoding="utf-8")
    wants = units / "multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "vm-agent.service").symlink_to("../vm-agent.service")
    (units / "default.target").symlink_to("/lib/systemd/system/multi-user.target")
    # Nothing of the tests reads from a console, and tty1 belongs to the test that logs in there.
    for unit in ("getty@tty1.service", "serial-getty@ttyS0.service", "apt-daily.timer", "apt-daily-upgrade.timer",
                 "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer"):  # fmt: skip
        (units / unit).symlink_to("/dev/null")
    subprocess.run(["chroot", root, "useradd", "--create-home", "--shell", "/bin/bash", USER], check=True)


def unpack_kernel(bzimage, vmlinux):
    """Linux/x86 boot protocol (Documentation/arch/x86/boot.rst): the header says where the compressed kernel is. Its
    last four bytes are the unpacked size, which the tools take for garbage, except with gzip, which has it itself."""
    image = bzimage.read_bytes()
    if image[0x202:0x206] != b"HdrS":
        raise ValueError(f"{bzimage} is no bzImage")
    start = (image[0x1F1] + 1) * 512
    offset, length = struct.unpack_from("<II", image, 0x248)
    payload = image[start + offset : start + offset + length]
    tools = {b"\x02\x21\x4c\x18": "lz4", b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ": "xz", b"\x1f\x8b": "gzip"}
    tool = next((tool for magic, tool in tools.items() if payload.startswith(magic)), None)
    if tool is None:
        raise ValueError(f"{bzimage}: no known compression: {payload[:8].hex()}")
    if tool != "gzip":
        payload = payload[:-4]
    with open(vmlinux, "wb") as file:
        subprocess.run([tool, "-dc"], input=payload, stdout=file, check=True)
    with open(vmlinux, "rb") as file:
        if file.read(4) != b"\x7fELF":
            raise ValueError(f"{bzimage} did not unpack to an ELF file")


def build(folder):
    """Makes the image below a temporary name, so that a folder that is there is complete."""
    with tempfile.TemporaryDirectory(prefix="building-", dir=folder.parent) as temp:
        temp = pathlib.Path(temp)
        root = temp / "root"
        make_root(root)
        new = temp / "new"
        new.mkdir()
        for name in KERNELS:
            unpack_kernel(root / "boot" / f"vmlinuz-{name}", new / f"vmlinux-{name}")
            (root / "boot" / f"vmlinuz-{name}").unlink()
        image = new / "root.img"
        with open(image, "wb"):
            pass
        subprocess.run(["truncate", "-s", IMAGE_SIZE, image], check=True)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-m", "0", "-L", "root", "-d", root, image], check=True)
        new.rename(folder)


def image_folder(force=False):
    """The folder of the image; built first, where it is not in the cache. Others that need it wait meanwhile."""
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"image-{key()}"
    with open(cache / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if force and folder.exists():
            shutil.rmtree(folder)
        if not folder.exists():
            if os.geteuid() != 0:
                sys.exit("image.py: building the image needs root")
            # An ordinary user's PATH lacks mke2fs.
            os.environ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
            # A running machine keeps the files of an old one open.
            for old in [*cache.glob("image-*"), *cache.glob("building-*")]:
                shutil.rmtree(old)
            build(folder)
    return folder


def main():
    parser = argparse.ArgumentParser(description="builds the image of the VM tier and prints its folder")
    parser.add_argument("--force", action="store_true", help="build it even when it is in the cache")
    parser.add_argument("--hook", metavar="ROOT", type=pathlib.Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.hook:
        unpack_kernels(arguments.hook)
        finish_root(arguments.hook)
    else:
        print(image_folder(arguments.force))


if __name__ == "__main__":
    main()
