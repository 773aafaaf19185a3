/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Sessions as a table, for `status` and `session list`. */

#include "client/bus-rows.h"
#include "client/table.h"

int session_table_new(const SessionRows *rows, Table **ret);
