/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * UnitJournal: the last lines of the system's journal about a unit of systemd's: what its processes said, and what
 * the service manager or others that run as root said of it.
 */

#include <stddef.h>

#include "core/error.h"

/* The newest last, each like "2026-11-24T18:02:12Z nginx[123]: text", printable and cut to `length` bytes; at most
 * `max`. The caller frees. None is no failure. */
int unit_journal_read(const char *unit, size_t max, size_t length, Error *error, char ***ret);
