/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The histograms of a session, in its instance only, with the variables and actions that they have. They go with it,
 * as its triggers do (trigger-set.h).
 *
 * Life cycle: histogram_set_apply() after instance_configure(), since they depend on the clock, and after the events
 * that they name were defined: probe_set_new(), synthetic_set(). instance_destroy() removes them.
 */

#include "core/error.h"
#include "core/event.h"
#include "core/spec.h"
#include "kernel/instance.h"

/* Whether the kernel has what the spec's histograms need: each event is one of the list or of the session's, fields
 * and conditions suit it. Changes nothing. ERROR_NO_SUCH_EVENT, ERROR_INVALID_ARGUMENT, ERROR_BAD_FILTER,
 * ERROR_NOT_SUPPORTED_BY_KERNEL. `tells_of_memory` becomes true when a condition does; see filter.h. */
int histogram_set_check(const Spec *spec, const EventList *list, Error *error, bool *tells_of_memory);

/* Sets them in their order. `group`: the system of the session's own probes; NULL: none. ERROR_KERNEL_REFUSED carries
 * the instance's error_log text. */
int histogram_set_apply(Instance *instance, const Spec *spec, const char *group, Error *error);

/* The histograms of one event in the instance as text, as the kernel shows them, but that the session's own events
 * have the names that it gave them. `event`: as in a histogram. ERROR_NO_SUCH_EVENT also when it has none. The caller
 * frees. */
int histogram_set_read(Instance *instance, const Spec *spec, const char *group, const char *event, Error *error,
                       char **ret);
