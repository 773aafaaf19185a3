/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The triggers of a session, in its instance only; they go with it. So do its histograms, which are triggers to the
 * kernel (histogram-set.h).
 */

#include <tracefs.h>

#include "core/error.h"
#include "core/event.h"
#include "core/spec.h"
#include "kernel/instance.h"

/* Whether the kernel has what the spec's triggers need: each pattern means one event of the list or of the session's,
 * conditions suit it. Changes nothing. ERROR_NO_SUCH_EVENT, ERROR_INVALID_ARGUMENT, ERROR_BAD_FILTER,
 * ERROR_NOT_SUPPORTED_BY_KERNEL. `tells_of_memory` becomes true when a condition does; see filter.h. */
int trigger_set_check(const Spec *spec, const EventList *list, Error *error, bool *tells_of_memory);

/* Sets them, before the events are enabled. `group`: the system of the session's own probes, whose bare names the
 * patterns can be; NULL: none. ERROR_KERNEL_REFUSED carries the instance's error_log text. */
int trigger_set_apply(Instance *instance, const Spec *spec, const char *group, Error *error);

/* One that is given as the kernel takes it, histograms among them; for this layer. The instance removes it again. */
int trigger_set_write(Instance *instance, const char *system, const char *name, const char *command, Error *error);
/* For instance.c: all that the instance has, the newest first, or only switches that would begin recording again. */
void trigger_set_remove(Instance *instance);
void trigger_set_remove_traceon(Instance *instance);
/* All that are in an instance of a daemon that is gone. What cannot be removed stays. */
void trigger_set_remove_stale(struct tracefs_instance *tracefs);
/* Sets all anew: histograms begin empty. On failure some may be missing. */
int trigger_set_renew(const Instance *instance);
/* Takes all of them out of the kernel, each is tried, and sets them anew, as if nothing had happened before: those
 * that fired, or counted, since they were set, and histograms.
 *
 * While tracing is off, the kernel goes on with histograms, and takes time stamps for them from another buffer, with
 * another clock (trace_event_buffer_lock_reserve(), trace.c, 5.15 to 6.12). A histogram with variables can neither be
 * paused and continued nor cleared: its variables are then found to be there already (create_var_field(),
 * trace_events_hist.c). */
int trigger_set_suspend(const Instance *instance);
int trigger_set_resume(Instance *instance, Error *error);

/* For histograms and synthetic events, too: they are not in the top-level buffer. `key`: of the spec, for the
 * message. */
int trigger_set_check_instance(const Instance *instance, const char *key, Error *error);
