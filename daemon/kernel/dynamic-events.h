/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The kernel's file dynamic_events: probes and synthetic events, those of everybody in one list. For this layer.
 */

/* Defines or removes one, as the kernel takes it. -errno. */
int dynamic_events_write(const char *command);

/* Also 0 when it is gone already. */
int dynamic_events_remove(const char *system, const char *name);

/* Takes a line of the file apart: 1 and the parts, the caller's to free, when it is an event of ours whose instance
 * is gone; 0 for others; -ENOMEM. */
typedef int (*DynamicEventsParse)(const char *line, char **ret_system, char **ret_name);

/* Removes all that `parse` says 1 of, but for those that are in use. */
int dynamic_events_remove_stale(DynamicEventsParse parse, unsigned *ret_n_removed);
