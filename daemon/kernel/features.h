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
