/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * TraceFile: the skeleton of a trace.dat file, versions 6 and 7: what stands where, and that all of it is
 * there.
 *
 * libtracecmd trusts a file's offsets, sizes and counts; this is looked at before the library sees the
 * file, so that one that is no trace, or is cut off, gets an error that says so. It also holds what the
 * library does not tell through its public interface: the clock and the number of CPUs.
 *
 * The format: trace-cmd.dat.v6(5), trace-cmd.dat.v7(5).
 *
 * Life cycle: trace_file_scan() fills it; trace_file_clear() frees it; zero-initialised is empty.
 */

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

#define TRACE_FILE_CPUS_MAX 8192U /* the kernel's largest NR_CPUS on any architecture */

typedef struct TraceFile {
        unsigned version;    /* 6 or 7 */
        unsigned n_cpus;     /* the highest number of a CPU, plus 1 */
        uint64_t data_bytes; /* recorded pages, as they are on disk */
        char *clock;         /* NULL: not said */
        bool tsc_scaled;     /* the reader turns the clock's ticks into nanoseconds */
} TraceFile;

void trace_file_clear(TraceFile *file);

/* Reads `fd`, a regular file, with pread(2). ERROR_INVALID_ARGUMENT when it is no trace.dat file, ends too
 * early, contradicts itself or holds the text of a latency tracer; the message says which, without the name
 * of the file. Allocates no more than the length of a name. */
int trace_file_scan(int fd, Error *error, TraceFile *ret);

/* The time stamps are nanoseconds, and not a counter's ticks. */
bool trace_file_has_time(const TraceFile *file);
