/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The tracer of an instance (current_tracer) and what it records. The kernel lets only some tracers run in
 * an instance (`allow_instances` of struct tracer, kernel/trace/trace.h): its file available_tracers there
 * lists just these (get_tracer_for_array(), trace.c, 5.15 to 6.18).
 */

#include <stdbool.h>

#include "core/error.h"
#include "core/spec.h"
#include "kernel/instance.h"

/* Those of the kernel that a session can have. */
int tracer_list(Error *error, char ***ret);

/* Whether the kernel has the spec's tracer, changing nothing. ERROR_NOT_SUPPORTED_BY_KERNEL says why a known
 * one is missing, ERROR_INVALID_ARGUMENT that the name is unknown, ERROR_NOT_SUPPORTED that it is none for a shared
 * machine. */
int tracer_check(const Spec *spec, Error *error);

/* Sets ret to whether the spec's tracer can run in this instance. */
int tracer_fits_instance(Instance *instance, const Spec *spec, Error *error, bool *ret);

/* The option belongs to the spec's tracer, and tracer_configure() sets it. */
bool tracer_has_option(const Spec *spec, const char *option);

/* Sets the tracer, the last step of configuring an instance. Removing the instance stops it. The
 * tracer's own options are set for it alone, though the kernel has one of each for all instances (struct
 * tracer_flags, up to 6.18): what they were is restored.
 * ERROR_NOT_SUPPORTED_BY_KERNEL for one that cannot run in an instance, ERROR_BUSY for one that can run only
 * once (hwlat), ERROR_KERNEL_REFUSED. */
int tracer_configure(Instance *instance, const Spec *spec, Error *error);
