/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the tests of the kernel layer share: whether they can run, instances with a name of their own, and
 * the events in the raw pages of an instance.
 */

/* cmocka.h wants these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernel/instance.h"

/* Runs the tests with TAP output, or skips all of them with the reason when this is not root or there is no
 * tracefs. Fails when the tests leave an instance behind. */
int kernel_test_run(const char *name, const struct CMUnitTest *tests, size_t n_tests);

/* A new instance. Each call of a process gives it another name. */
Instance *new_instance(void);

/* A spec with one event pattern, and its other keys. */
Spec *new_spec(const char *event);
void spec_give_strings(Spec *spec, SpecKey key, const char *const *strings);
void spec_give_string(Spec *spec, SpecKey key, const char *string);
void spec_give_number(Spec *spec, SpecKey key, uint64_t number);
void spec_give_pids(Spec *spec, const pid_t *pids, size_t n_pids, bool children);
/* catalog_resolve() and instance_configure(), which must succeed. */
void configure(Instance *instance, const Spec *spec);

/* An event as it was recorded. */
typedef struct RecordedEvent {
        char name[64];
        pid_t pid; /* common_pid */
        unsigned cpu;
        uint64_t time;
} RecordedEvent;

typedef struct Recording {
        RecordedEvent *events;
        size_t n_events;
} Recording;

/* Takes everything out of the buffers of all CPUs. `systems` are those whose events may be there. */
void drain(Instance *instance, const char *const *systems, Recording *ret);
void recording_clear(Recording *recording);
/* Those with this name; NULL: any; of this task; 0: any. */
size_t recording_count(const Recording *recording, const char *name, pid_t pid);
