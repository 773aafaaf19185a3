/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The watches of a session that are optional, and which it has started without. */

#include "client/bus-client.h"

/* A line on standard error for each, with the reason. Where the session cannot be asked, nothing: it has started. */
void absent_watches_print(BusClient *client, const char *session_path);
