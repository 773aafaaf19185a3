/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * TracerKind: what a tracer of the kernel is, by its name. Pure; whether the running kernel has it is for
 * kernel/tracer.h.
 */

typedef enum TracerKind {
        TRACER_NONE,      /* no name (NULL), or nop */
        TRACER_FUNCTIONS, /* it records functions, as many as the filter lets through */
        TRACER_LATENCY,   /* it looks for a maximum, and can record functions on the way (option function-trace) */
        TRACER_OTHER,     /* it has no use for functions */
        TRACER_UNKNOWN,   /* nothing is known of it: misspelt, or newer than this table */
} TracerKind;

TracerKind tracer_kind(const char *tracer);
