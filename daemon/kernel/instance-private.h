/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What instance.c (life cycle and descriptors), instance-configure.c (settings) and instance-tasks.c (the pid
 * filter) share.
 */

#include <tracefs.h>

#include "kernel/instance.h"

struct Instance {
        struct tracefs_instance *tracefs;
        char *name; /* with the prefix */
        char *clock;
        CpuList cpus;
        uint64_t buffer_size; /* bytes for each CPU */
        uint32_t page_size;
        int tracing_on_fd; /* open from creation to destruction, which keeps others from removing it */
        bool has_processes;
        bool has_function_processes; /* the functions are those of the processes only, too */
};

/* Brings instance->buffer_size up to date. */
int instance_read_buffer_size(Instance *instance);

/* Sets the pid filters to the tasks of the spec's processes; the options event-fork and
 * function-fork must be set before. */
int instance_configure_processes(Instance *instance, const Spec *spec, Error *error);
