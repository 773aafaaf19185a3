/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Sessions as a table, for `status` and `session list`. */

#include "client/bus-client.h"
#include "client/bus-rows.h"
#include "client/table.h"

/* Asks for the rings among `rows`; what the caller may not see, or is not to be had, is left out. */
int session_table_new(BusClient *client, SessionRows *rows, Table **ret);
