/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Filter expressions of the kernel's event filter (Documentation/trace/events.rst, section 5), checked
 * against the fields of an event before the kernel sees them: syntax, field names, and that operators
 * and values suit the type of the field.
 */

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

typedef struct FilterField {
        const char *name; /* borrowed */
        bool is_string;   /* char array, __data_loc string, char pointer */
        bool is_indirect; /* char pointer: the kernel compares what it points to, in its own memory */
        bool is_foreign;  /* such a pointer that the traced program made up (an argument of a system call) */
        bool is_cpumask;
        bool is_pointer; /* function addresses: .function may follow the name */
} FilterField;

/* Returns 0, or fills `error` with ERROR_BAD_FILTER: a sentence, then the expression and, on a line of its
 * own, '^' below the position. Bounds: nesting of 64, length of SPEC_FILTER_LENGTH. `common_*` and the
 * generic fields COMM, comm, CPU, cpu (5.15 and later) need not be in `fields`. */
int filter_check(const char *expression, const FilterField *fields, size_t n_fields, Error *error);

/* For an expression that filter_check() takes: whether an event passes can tell what is at an address of the kernel:
 * it follows a pointer of the program's as if it were the kernel's own, or asks in which function an address lies. */
bool filter_tells_of_memory(const char *expression, const FilterField *fields, size_t n_fields);

/* The same as filter_check(), for filters of those who may learn nothing of the kernel: whether an event passes must
 * not tell what is at an address that a program made up. ERROR_OUT_OF_SCOPE for strings behind pointers and for
 * ".function". */
int filter_check_self(const char *expression, const FilterField *fields, size_t n_fields, Error *error);
