# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs of tests/lib for the guests, which have no compiler."""

import pathlib
import re
import shutil
import subprocess

LIB = pathlib.Path(__file__).parents[1] / "lib"
FOLDER = "/usr/local/bin"


def with_programs(installed, folder, *programs):
    """The installed project with these as well, each (name, options of cc): a tree for the guests."""
    tree = folder / "tree"
    shutil.copytree(installed, tree, symlinks=True)
    (tree / FOLDER[1:]).mkdir(parents=True, exist_ok=True)
    for name, *options in programs:
        target = tree / FOLDER[1:] / name
        subprocess.run(["cc", "-D_GNU_SOURCE", "-o", target, LIB / f"{name}.c", *options], check=True)
    return tree


def functions_of(program):
    """{name: (first address, address after the last)} of the functions of a program that is not position independent."""
    nm = subprocess.run(["nm", "--print-size", program], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^([0-9a-f]+) ([0-9a-f]+) [tT] (\w+)$", nm, re.M)
    return {name: (int(start, 16), int(start, 16) + int(size, 16)) for start, size, name in found}
