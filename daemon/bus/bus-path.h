/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Object paths of sessions and captures, and the objects behind them. By id alone: a path must never lead to
 * a session that merely has another's id as its name.
 */

#include "model/manager.h"

/* -ENOMEM; the caller frees. */
int bus_path_of_session(const char *id, char **ret);
int bus_path_of_capture(const char *id, char **ret);

/* The id in a path; 0 when there is none, 1 when there is, -errno. The caller frees. */
int bus_path_to_session_id(const char *path, char **ret);
int bus_path_to_capture_id(const char *path, char **ret);

/* NULL when there is none, also when `id` is NULL. */
Session *bus_path_find_session(const Manager *manager, const char *id);
Capture *bus_path_find_capture(const Manager *manager, const char *id);
