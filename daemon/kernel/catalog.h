/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Catalog: what events the running kernel has, read anew at each call (1 ms on a kernel with 2,300
 * events), because modules come and go.
 */

#include "core/error.h"
#include "core/event.h"
#include "core/spec.h"

int catalog_read(Error *error, EventList *ret);

/* JSON text: system, name, id, print_format, fields as [{name, type, offset, size, signed}]; for a system
 * call's name ("openat") the two events as an array. ERROR_NO_SUCH_EVENT. */
int catalog_describe_event(const char *pattern, Error *error, char **ret);

/* Resolves the spec's events and checks everything that only the kernel knows: events exist, filters
 * suit the fields, clock, options and CPUs exist, processes are alive. Changes nothing. */
int catalog_resolve(const Spec *spec, Error *error, EventSelection *ret);
