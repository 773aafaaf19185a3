/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The text of a probe's definition as it is read, and its arguments. For probe.c only; the grammar stands in probe.h.
 */

#include <stdbool.h>
#include <stdint.h>

#include "core/probe.h"

typedef struct ProbeText {
        const char *start;
        const char *at; /* what comes next */
        Error *error;
        bool by_name; /* so far: $arg*, or an argument or field by its name */
} ProbeText;

/* Sets the error: `why`, the definition, and a mark below `at`. Returns -EINVAL. */
int probe_text_wrong(const ProbeText *text, const char *why);

/* Takes a decimal number, or one with 0x before it. -EINVAL, and nothing taken, when there is none. */
int probe_text_number(ProbeText *text, uint64_t *ret);

/* Takes one argument, up to a space or the end. */
int probe_argument_parse(ProbeText *text, ProbeKind kind);
