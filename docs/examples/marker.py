#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes into the trace of a session of one's own: marker.py SESSION; needs Debian's python3-dbus."""

import os
import sys

import dbus

bus = dbus.SystemBus()
manager = dbus.Interface(bus.get_object("org.ktraced1", "/org/ktraced1"), "org.ktraced1.Manager")
session = dbus.Interface(bus.get_object("org.ktraced1", manager.GetSession(sys.argv[1])), "org.ktraced1.Session")
marker = session.OpenMarker().take()

# From here on a line is one write(2), which never waits.
os.write(marker, b"frame 1 begins\n")
os.write(marker, b"frame 1 ends\n")
