/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Synthetic events of a session: what the kernel makes of two events that belong together, such as the latency
 * between them, by the actions of histograms: those of the session (histogram-set.h), or those that a query stands
 * for. The kernel has them in one list for all buffers, so that their names have that of the instance before them;
 * the histograms that feed them are in the instance only. libtracefs reads the queries; what it would then write into
 * the top level (tracefs_synth_create()) is taken as text and written into the instance.
 *
 * Life cycle: synthetic_set() after instance_configure(), since the histograms depend on the clock;
 * instance_destroy() removes them. After a crash synthetic_remove_stale().
 */

#include "core/error.h"
#include "core/spec.h"
#include "core/synthetic-event.h"
#include "kernel/instance.h"

/* The name of every such event begins with SYNTHETIC_PREFIX; no list of events and no pattern has them. */
#define SYNTHETIC_SYSTEM "synthetic"

/* Whether the kernel has what they need. Changes nothing. */
int synthetic_check(const Spec *spec, Error *error);

/* Defines the events of the spec's definitions and queries, sets their filters and enables them.
 * ERROR_INVALID_ARGUMENT: with the query, and the place that libtracefs marks. ERROR_KERNEL_REFUSED carries the
 * kernel's error_log text. */
int synthetic_set(Instance *instance, const Spec *spec, Error *error);

/* What stands before the names of this instance's events; the caller frees. -ENOMEM. */
int synthetic_prefix(const Instance *instance, char **ret);

/* The events that the instance has, after its triggers are gone. */
int synthetic_remove(Instance *instance);

/* Those whose instance is gone: left behind by a daemon that was killed. */
int synthetic_remove_stale(unsigned *ret_n_removed);
