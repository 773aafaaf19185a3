/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Instance: one directory below tracefs' instances/, with its own ring buffer, events and filters.
 * The daemon touches nothing in tracefs outside its instances, but for what it leases (instance_lease()).
 *
 * Life cycle: instance_create() makes it with tracing off; instance_lease(); instance_configure() once; per-CPU
 * readers are opened; instance_set_tracing(); and at the end, when all its files are closed, instance_destroy().
 * instance_free() without that leaves it in the kernel (for a restart).
 *
 * Threads: one at a time, but for instance_add_tasks(), instance_add_own_process(), instance_is_limited() and
 * instance_gave_up(), which may be called while a pump reads.
 */

#include <stdbool.h>
#include <stdint.h>

#include "core/buffer-stats.h"
#include "core/error.h"
#include "core/event.h"
#include "core/identity.h"
#include "core/spec.h"
#include "kernel/lease.h"

#define INSTANCE_PREFIX "ktraced-"

typedef struct Instance Instance;

/* `name` is the part behind INSTANCE_PREFIX. ERROR_BUSY when there is one of that name. From here on it is
 * held, so that nobody else's instance_remove_stale() takes it. */
int instance_create(const char *name, Error *error, Instance **ret);
void instance_free(Instance *instance);
DEFINE_POINTER_CLEANUP(Instance, instance_free);

/* Before the configuring: a tracer that cannot run in an instance of this kernel (function_graph before 6.11) gets
 * the top-level buffer, and the instance then stands for that; the settings of function_graph hold for all instances
 * and are set here. `holder` is the session's name. Does nothing for other specs. instance_destroy() gives it back.
 * ERROR_BUSY when another session has it, or another tool uses it. A failure leaves the instance for destroying. */
int instance_lease(Instance *instance, Lease *lease, const char *holder, const Spec *spec,
                   const EventSelection *selection, Error *error);

/* Clock, buffer size, options, CPUs, processes, functions, filters, the events, then the tracer; in that order, since
 * a change of clock or size clears the buffer. `spec` is complete (defaults filled in), `selection` resolved from it.
 * ERROR_KERNEL_REFUSED carries the error_log text. A failure leaves the instance for destroying.
 *
 * Tracing stays off, but with graph_functions, see graph_needs_tracing().
 *
 * ERROR_INVALID_ARGUMENT for an option of another tracer than the spec's.
 * Options that the spec does not name get the kernel's defaults and not what the top level has at the time.
 * Processes: the tasks that they have now, and what these start later only with spec->children, threads
 * too, since the kernel knows no difference (event-fork). Without it, the number of a task that has ended
 * stays in the filter. A spec with an empty list records nothing until instance_add_tasks(). */
int instance_configure(Instance *instance, const Spec *spec, const EventSelection *selection, Error *error);

/* Adds to the pid filter (35 ms, whatever the number). ERROR_WRONG_STATE for an instance that was configured
 * without processes, which traces all. */
int instance_add_tasks(Instance *instance, const pid_t *tasks, size_t n_tasks, Error *error);

/* Has tasks with these numbers not recorded, though they are in the pid filter, until they end. */
int instance_exclude_tasks(Instance *instance, const pid_t *tasks, size_t n_tasks, Error *error);

/* Limits the instance to processes of `owner`, which is copied; before instance_configure(). From then on only what
 * own_process_list_tasks() passes comes into the pid filter, by pidfds, and what these fork. ERROR_NOT_SUPPORTED. */
int instance_limit_to(Instance *instance, const Identity *owner, Error *error);
bool instance_is_limited(const Instance *instance);
/* For an instance that is limited: adds the threads of a process. Tracing is off meanwhile, some 40 ms, and stays off
 * after a failure by which somebody else's task may have come into the filter. */
int instance_add_own_process(Instance *instance, int pidfd, Error *error);
/* Names of tasks, of nobody but the owner, in the form of saved_cmdlines. */
int instance_read_own_names(Instance *instance, char **ret);

/* For one that was configured with a list of processes: adds all tasks that `from` records, as a copy; what ends in
 * between leaves a number that does no harm but to be somebody's later. Does nothing when `from` records everybody.
 */
int instance_copy_tasks(Instance *instance, Instance *from, Error *error);

/* Switches one event ("system:name") off, also while it records. Callable while a pump reads. */
int instance_disable_event(Instance *instance, const char *event, Error *error);

int instance_set_tracing(Instance *instance, bool on, Error *error);

/* Whether switching tracing on empties the buffers and sets their statistics to 0, which the kernel does when a
 * histogram with time stamps is set (hist_register_trigger(), trace_events_hist.c, 5.15 to 6.12). */
bool instance_begins_empty(const Instance *instance);
/* False also when another tool has switched it off or removed the instance. */
bool instance_is_tracing(Instance *instance);
/* Adding a process has ended the tracing for good, since a task in the filter could not be told from those of others.
 */
bool instance_gave_up(Instance *instance);

const char *instance_name(const Instance *instance); /* with the prefix */
const char *instance_clock(const Instance *instance);
/* The possible CPUs that have a buffer: 0 .. n-1 where the kernel has no holes. */
const CpuList *instance_cpus(const Instance *instance);
/* Bytes for each CPU. While tracing is on, the kernel keeps what the buffers hold, the oldest excepted when they
 * shrink, counts that as overwritten, and records nothing for the time that it takes, some 10 ms and more. */
int instance_resize(Instance *instance, uint64_t size, Error *error);
/* Bytes for each CPU that the kernel really gave. Callable from any thread. */
uint64_t instance_buffer_size(const Instance *instance);
uint32_t instance_page_size(const Instance *instance);

/* O_RDONLY | O_NONBLOCK | O_CLOEXEC descriptor of per_cpu/cpuN/trace_pipe_raw. */
int instance_open_raw(Instance *instance, unsigned cpu, int *ret);
/* O_RDONLY descriptor of per_cpu/cpuN/stats, for instance_read_stats(). */
int instance_open_stats(Instance *instance, unsigned cpu, int *ret);
int instance_read_stats(int fd, BufferStats *ret);

/* O_WRONLY | O_CLOEXEC descriptor of trace_marker: each write(2) becomes a print event, of INSTANCE_MARKER_MAX bytes
 * at most (TRACE_BUF_SIZE, kernel/trace/trace.h, 5.15), without waiting for anything. */
#define INSTANCE_MARKER_MAX 1000U
int instance_open_marker(Instance *instance, int *ret);

/* Gives back what it was lent, removes it from the kernel (some 35 ms) and frees it, also on failure. -EBUSY while a
 * file is open; then instance_remove_stale() can do it later. */
int instance_destroy(Instance *instance);

/* Removes the instances with our prefix that nobody holds open: left behind by a daemon that was killed.
 * Those of a live daemon are busy and stay. */
int instance_remove_stale(unsigned *ret_n_removed);
