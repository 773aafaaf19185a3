# SPDX-License-Identifier: LGPL-2.1-or-later
"""Commands as the guest's ordinary user, for each of the three ways in which polkit tells callers apart."""

import shlex

import image

# polkit's name for the caller -> the terminal that the user is logged in on. The first one is in the foreground.
TERMINALS = {"any": None, "active": "tty1", "inactive": "tty2"}
OUTPUT = "/run/login-output"


def run_as_user(guest, command, caller="any", timeout=120):
    """Runs a command, text for sh, as the ordinary user: without a session, or in one on a terminal of the seat, made
    by pam_systemd as login would. The status and what the command wrote."""
    terminal = TERMINALS[caller]
    if terminal is None:
        result = guest.run(["setpriv", f"--reuid={image.USER}", f"--regid={image.USER}", "--init-groups", "--reset-env",
                            "sh", "-c", command], timeout=timeout)  # fmt: skip
        return result.status, result.output
    properties = {
        "User": image.USER,
        "PAMName": "login",
        "TTYPath": f"/dev/{terminal}",
        "UtmpIdentifier": terminal,
        "StandardInput": "tty",
        "StandardOutput": f"truncate:{OUTPUT}",
        "StandardError": "inherit",
    }
    options = [f"--property={name}={value}" for name, value in properties.items()]
    # systemd expands variables in the command line: a $ for the shell is written twice.
    arguments = ["systemd-run", "--quiet", "--wait", "--collect", *options, "sh", "-c", command.replace("$", "$$")]
    started = guest.run(arguments, timeout=timeout)
    output = guest.run(f"cat {shlex.quote(OUTPUT)}").stdout
    return started.status, output + started.output
