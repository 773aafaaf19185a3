# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures of the VM tier: a guest of each kernel, one a test file."""

import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))

import image  # noqa: E402
import vm  # noqa: E402


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """The project, installed into a folder."""
    folder = tmp_path_factory.mktemp("payload") / "tree"
    subprocess.run([HERE / "payload.sh", HERE.parents[1], folder], check=True)
    return folder


@pytest.fixture(scope="module")
def tree(installed):
    """What is unpacked over the root of the guests of a test file; a file may have its own."""
    return installed


@pytest.fixture(scope="module", params=image.KERNELS)
def guest(request, tree):
    with vm.Guest(request.param, tree) as guest:
        print(f"{guest.kernel}: {guest.state} after {guest.boot_seconds:.1f} s")
        if tree:
            # D-Bus would start it, but does not wait as long as that can take in a guest that has just booted.
            guest.run("systemctl start ktraced.service || { journalctl -b -u ktraced.service; exit 1; }", timeout=240, check=True)
        yield guest
