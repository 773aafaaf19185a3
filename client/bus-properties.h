/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Reading the properties of an object of ktraced, several in one call. */

#include <stddef.h>

#include "client/bus-client.h"

typedef struct BusProperty {
        const char *name;
        char type;   /* 's', 'o': char **, the caller's to free; 't': uint64_t *; 'u': uint32_t * */
        void *value; /* NULL or 0 before the call */
} BusProperty;

/* A property that the object lacks, or that has another type, is ERROR_FAILED. */
int bus_properties_get(BusClient *client, const char *path, const char *interface, const BusProperty *properties,
                       size_t n_properties, Error *error);
