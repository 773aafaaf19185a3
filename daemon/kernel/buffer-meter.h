/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * BufferMeter: how many events an instance has recorded, by the kernel's own counters of its buffers.
 *
 * Life cycle: buffer_meter_new() opens a file for each CPU, so it must be gone before the instance can be;
 * buffer_meter_free().
 *
 * Threads: buffer_meter_read() may be called on the event loop, as the one thing below the tracing directory. The
 * kernel makes each text out of per-CPU counters, and takes nothing but the spin lock of that CPU's buffer for it
 * (tracing_stats_read(), kernel/trace/trace.c, 5.15): a few microseconds for each CPU.
 */

#include <stdint.h>

#include "core/error.h"
#include "kernel/instance.h"

typedef struct BufferMeter BufferMeter;

int buffer_meter_new(Instance *instance, Error *error, BufferMeter **ret);
void buffer_meter_free(BufferMeter *meter);
DEFINE_POINTER_CLEANUP(BufferMeter, buffer_meter_free);

/* Of all CPUs: what is in the buffers, was read, overwritten or dropped. */
int buffer_meter_read(BufferMeter *meter, uint64_t *ret);
