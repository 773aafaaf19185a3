/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/event-cost.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "kernel/catalog.h"
#include "kernel/instance-private.h"

#define ROUNDS 8U
#define CALLS_EACH 2000U
#define EVENTS_EACH (2U * CALLS_EACH) /* of entering and of leaving */
#define BUFFER_SIZE SPEC_BUFFER_SIZE_MIN
#define MARK "cost\n"

/* Of this thread only, so that what else runs does not count. */
static uint64_t cpu_nsec(void) {
        struct timespec now;

        (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return (uint64_t) now.tv_sec * 1000000000U + (uint64_t) now.tv_nsec;
}

/* `marker` -1: system calls that do nothing. */
static void cause_events(int marker) {
        for (unsigned i = 0; i < CALLS_EACH; i++)
                if (marker < 0)
                        (void) syscall(SYS_getppid);
                else if (write(marker, MARK, strlen(MARK)) < 0)
                        return;
}

static uint64_t fastest_round(int marker) {
        uint64_t fastest = UINT64_MAX;

        for (unsigned i = 0; i < ROUNDS; i++) {
                uint64_t begin = cpu_nsec(), took;

                cause_events(marker);
                took = cpu_nsec() - begin;
                if (took < fastest)
                        fastest = took;
        }
        return fastest;
}

static uint64_t cost_of_each(uint64_t with, uint64_t without, unsigned n_events) {
        uint64_t each = with > without ? (with - without) / n_events : 0;

        return each > 0 ? each : 1;
}

static int make_spec(Spec **ret) {
        static char *const events[] = { (char *) "raw_syscalls:sys_enter", (char *) "raw_syscalls:sys_exit", NULL };
        CLEANUP(spec_freep) Spec *spec = NULL;
        int r = spec_new(&spec);

        if (r >= 0)
                r = spec_set(spec, SPEC_EVENTS, &(SpecValue){ .has = SPEC_TYPE_STRINGS, .strings = events }, NULL);
        /* Nobody, for now. */
        if (r >= 0)
                r = spec_set(spec, SPEC_PIDS, &(SpecValue){ .has = SPEC_TYPE_NUMBERS }, NULL);
        if (r < 0)
                return r;
        spec->buffer_size = BUFFER_SIZE;
        *ret = STEAL_PTR(spec);
        return 0;
}

/* Only of this thread: the others are slowed down for some milliseconds, and not recorded. */
static int measure_calls(Instance *instance, const Spec *spec, const EventSelection *selection, Error *error,
                         uint64_t *ret) {
        const pid_t task = (pid_t) syscall(SYS_gettid);
        const uint64_t without = fastest_round(-1);
        uint64_t with;
        int r, off;

        r = instance_configure(instance, spec, selection, error);
        if (r >= 0)
                r = instance_write_tasks(instance, &task, 1, error);
        if (r >= 0)
                r = instance_set_tracing(instance, true, error);
        if (r < 0)
                return r;
        with = fastest_round(-1);
        off = instance_set_tracing(instance, false, error);
        if (off < 0)
                return off;
        *ret = cost_of_each(with, without, EVENTS_EACH);
        return 0;
}

static int measure_marks(Instance *instance, Error *error, uint64_t *ret) {
        CLEANUP_CLOSE int marker = -1;
        int r, off;

        r = instance_open_marker(instance, &marker);
        if (r < 0)
                return error_set_errno(error, r, "Cannot open the marker of %s", instance_name(instance));
        r = instance_set_tracing(instance, true, error);
        if (r < 0)
                return r;
        *ret = cost_of_each(fastest_round(marker), 0, CALLS_EACH);
        off = instance_set_tracing(instance, false, error);
        return off;
}

static int measure(Instance *instance, Error *error, uint64_t *ret) {
        CLEANUP(event_selection_clear) EventSelection selection = { 0 };
        CLEANUP(spec_freep) Spec *spec = NULL;
        int r = make_spec(&spec);

        if (r < 0)
                return error_set_errno(error, r, "Cannot measure the cost of an event");
        /* A kernel without them. */
        if (catalog_resolve(spec, NULL, &selection) < 0)
                return measure_marks(instance, error, ret);
        return measure_calls(instance, spec, &selection, error, ret);
}

int event_cost_measure(const char *name, Error *error, uint64_t *ret) {
        Instance *instance;
        uint64_t cost = 0;
        int r = instance_create(name, error, &instance), destroyed;

        if (r < 0)
                return r;
        r = measure(instance, error, &cost);
        destroyed = instance_destroy(instance);
        if (r < 0)
                return r;
        if (destroyed < 0)
                return error_set_errno(error, destroyed, "Cannot remove the instance of the measurement");
        *ret = cost;
        return 0;
}
