/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * BootInstance: a trace instance in memory that a reboot leaves alone, as the kernel's command line makes it
 * ("reserve_mem=" and "trace_instance=NAME^traceoff@MEMORY", Documentation/admin-guide/kernel-parameters.txt, 6.12).
 * What the boot before recorded is read from it like anything else; its file last_boot_info tells it from other
 * instances. Neither its buffer's size nor its memory can be changed, and it cannot be removed.
 *
 * Life cycle: boot_instance_open(); boot_instance_read() until it has nothing more; boot_instance_begin() to have it
 * record for the boot after this one; boot_instance_free().
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <tracefs.h>

#include "core/cpu-list.h"
#include "core/error.h"

typedef struct BootInstance BootInstance;

/* -ENOENT: there is none of that name, or it is an ordinary one. */
int boot_instance_open(const char *name, Error *error, BootInstance **ret);
void boot_instance_free(BootInstance *instance);
DEFINE_POINTER_CLEANUP(BootInstance, boot_instance_free);

/* Whether an instance is one of these: for those that remove instances. */
bool boot_instance_is(struct tracefs_instance *instance);

const CpuList *boot_instance_cpus(const BootInstance *instance);
uint64_t boot_instance_buffer_size(const BootInstance *instance); /* bytes for each CPU */
bool boot_instance_is_on(const BootInstance *instance);
/* The systems of the events that are enabled in it; the caller frees, NULL when there are none. */
int boot_instance_list_systems(const BootInstance *instance, char ***ret);

/* The next page of the CPU with this index, which is then not in the buffer any more. Returns its bytes, 0 at the
 * end; `page` has room for `size`, a whole one. */
ssize_t boot_instance_read(BootInstance *instance, size_t cpu_index, void *page, size_t size);

/* Throws away what is left in the buffer, and switches tracing on. */
int boot_instance_begin(BootInstance *instance, const char *clock, Error *error);
