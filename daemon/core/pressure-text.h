/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The text of the kernel's pressure files (Documentation/accounting/psi.rst), a line for each kind of stall:
 *
 *   some avg10=0.00 avg60=0.00 avg300=0.00 total=0
 *   full avg10=0.00 avg60=0.00 avg300=0.00 total=0
 */

#include <stdbool.h>
#include <stdint.h>

/* The time stalled in all, in usec, of the line "full" or "some". -EBADMSG when there is no such line. */
int pressure_parse_total(const char *text, bool full, uint64_t *ret);
