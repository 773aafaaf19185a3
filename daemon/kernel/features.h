/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Features: what the running kernel offers, and for what it lacks, why.
 */

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

typedef struct Feature {
        const char *name; /* static: "events", "syscalls", "instances", "kprobes" ... */
        bool available;
        char *reason; /* when not available: configuration, version, lockdown or permission */
} Feature;

/* Probes by looking (files, options, tracers), never by changing anything. Free with features_free(). */
int features_probe(Error *error, Feature **ret, size_t *ret_n);
void features_free(Feature *features, size_t n);

/* For a request that needs one of them: 0, or ERROR_NOT_SUPPORTED_BY_KERNEL with its reason behind `purpose`
 * (such as "tracer: function_graph"). `name` is one that features_probe() lists; -EINVAL for another. Looks at the
 * kernel anew (some ms): for the kernel worker. */
int features_require(const char *name, const char *purpose, Error *error);
/* What every request needs: that kernel lockdown leaves the tracing directory open. */
int features_require_tracing(Error *error);
