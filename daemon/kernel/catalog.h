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

/* JSON text: system, name, id, print_format, fields as [{name, type, offset, size, signed}], the common ones
 * first; for a pattern that means several events, such as a system call's name ("openat"), an array of
 * these. ERROR_NO_SUCH_EVENT; ERROR_INVALID_ARGUMENT for a pattern that means more than 16 of them. */
int catalog_describe_event(const char *pattern, Error *error, char **ret);

/* The number that events of this kind begin with on the kernel's pages. ERROR_NO_SUCH_EVENT. */
int catalog_read_id(const char *system, const char *name, Error *error, unsigned *ret);

/* Resolves the spec's events and checks everything that only the kernel knows: events exist, filters
 * suit the fields, clock, options, CPUs, tracer and functions exist, processes are alive. Changes nothing.
 * ERROR_NOT_SUPPORTED_BY_KERNEL when system calls are asked for and the kernel has no events for them. */
int catalog_resolve(const Spec *spec, Error *error, EventSelection *ret);
