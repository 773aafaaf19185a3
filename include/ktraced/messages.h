/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * MESSAGE_IDs of the daemon's journal entries (journalctl MESSAGE_ID=...), see systemd.journal-fields(7).
 * Beside them stand, where they apply: KTRACED_SESSION (id), KTRACED_SESSION_NAME, KTRACED_OWNER (uid),
 * KTRACED_CAPTURE (id), KTRACED_ACTION (polkit action), KTRACED_OUTCOME (of a decision: "granted", "owner", "root",
 * "denied", "authentication-required", "timed-out", "cancelled", "quota-exceeded", "failed") and KTRACED_CALLER (uid
 * of who asked). An identifier never changes its meaning.
 */

#define KTRACED_MESSAGE_SESSION_STARTED "d6263e8a287945128e6b7444599378f1"
#define KTRACED_MESSAGE_SESSION_STOPPED "1e51675208bb4d6da425af1f6133cea4"
#define KTRACED_MESSAGE_SESSION_FAILED "b18f0bcc1e3d44ee9dd317b4557abe21"
#define KTRACED_MESSAGE_CAPTURE_STARTED "6f17a6b299a24164910d5a92f307746e"
#define KTRACED_MESSAGE_CAPTURE_REMOVED "0b20c15dc5e04737a0e472bbb8da7bce"
#define KTRACED_MESSAGE_WATCH_FIRED "a7d40c40dfd04501a1e817875ef1a7c5"
#define KTRACED_MESSAGE_EVENTS_LOST "d078fe23b447491bad0ecbd4ec458d0f"
/* A session records more than its budget allows; the text says how much, of what, and what was done. */
#define KTRACED_MESSAGE_OVERHEAD "4634dfc5c8c6415ea2eabac532424c44"
#define KTRACED_MESSAGE_AUTHORIZED "2ce78121defc425cb05dadc1c41af92d"
#define KTRACED_MESSAGE_DENIED "71d27323388847c488d798ee2fe7a157"
/* How many more there were than may be written. */
#define KTRACED_MESSAGE_DECISIONS_NOT_WRITTEN "172f44654873482a925ad91d9caa59cb"
