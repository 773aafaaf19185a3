/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The names that the daemon and its clients agree on: bus name, objects, interfaces, error names.
 * Additive changes only; see docs/architecture.md.
 */

#define KTRACED_BUS_NAME "org.ktraced1"
#define KTRACED_OBJECT_PATH "/org/ktraced1"
#define KTRACED_SESSION_PATH "/org/ktraced1/session"
#define KTRACED_CAPTURE_PATH "/org/ktraced1/capture"

#define KTRACED_MANAGER_INTERFACE "org.ktraced1.Manager"
#define KTRACED_SESSION_INTERFACE "org.ktraced1.Session"
#define KTRACED_CAPTURE_INTERFACE "org.ktraced1.Capture"

#define KTRACED_ERROR_PREFIX "org.ktraced1.Error."

/* Signature of one row of Manager.ListSessions: id, name, owner uid, state, mode, object path. */
#define KTRACED_SESSION_ROW "(ssusso)"

/* Signature of one row of Manager.ListCaptures: id, session id, session name, owner uid, state, start
 * (CLOCK_REALTIME, usec), bytes on disk, events, lost events, number of segments, object path. */
#define KTRACED_CAPTURE_ROW "(sssusttttuo)"

/* Environment variable with the number of the inherited socket on which an embedded daemon serves. */
#define KTRACED_EMBEDDED_FD_ENV "KTRACED_EMBEDDED_FD"
