/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Counting by event, of a number of events that is known. */

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture-test.h"
#include "capture/event-counter.h"
#include "kernel/catalog.h"
#include "ktraced/clock.h"

#define DURATION UINT64_C(5000000)
#define N_EVENTS 500000U

static EventRates *make_rates(void) {
        static char *const names[] = { (char *) "sched:sched_switch", (char *) EVENT };
        EventRates *rates = NULL;
        unsigned ids[2];

        assert_int_equal(catalog_read_id("sched", "sched_switch", NULL, &ids[0]), 0);
        assert_int_equal(catalog_read_id("syscalls", "sys_enter_getppid", NULL, &ids[1]), 0);
        assert_int_equal(event_rates_new(names, ids, 2, &rates), 0);
        return rates;
}

/* Makes them once tracing is on, and ends. */
static pid_t begin_child(Instance *instance) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid > 0)
                return pid;
        while (!instance_is_tracing(instance))
                (void) usleep(1000);
        make_events(N_EVENTS);
        _exit(EXIT_SUCCESS);
}

/* In buffers of that size: what is overwritten is counted, too. */
static void count_in(uint64_t buffer_size) {
        CLEANUP(event_rates_freep) EventRates *rates = make_rates();
        CLEANUP_CLOSE int cancel = eventfd(0, EFD_CLOEXEC);
        Instance *instance = instance_for(true, buffer_size);
        pid_t pid = begin_child(instance);
        int status;

        assert_int_equal(event_counter_run(instance, DURATION, cancel, NULL, rates), 0);
        assert_false(instance_is_tracing(instance));
        assert_int_equal(waitpid(pid, &status, WNOHANG), pid);
        assert_int_equal(instance_destroy(instance), 0);

        assert_true(rates->duration >= DURATION);
        assert_int_equal(rates->events, N_EVENTS);
        assert_int_equal(rates->rates[0].counted + rates->rates[0].missed, 0);
        assert_int_equal(rates->rates[1].counted + rates->rates[1].missed, N_EVENTS);
        assert_int_equal(rates->rates[1].missed, rates->missed);
        assert_true(rates->bytes >= (uint64_t) N_EVENTS * 12);
}

static void every_event_is_counted(void **state) {
        count_in(event_counter_buffer_size(2));
}

static void what_is_overwritten_is_counted(void **state) {
        count_in(SPEC_BUFFER_SIZE_MIN);
}

static void it_can_be_cancelled(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(event_rates_freep) EventRates *rates = make_rates();
        CLEANUP_CLOSE int cancel = eventfd(1, EFD_CLOEXEC);
        Instance *instance = instance_for(true, SPEC_BUFFER_SIZE_MIN);
        uint64_t begin = clock_usec(CLOCK_MONOTONIC);

        assert_int_equal(event_counter_run(instance, UINT64_C(100000000), cancel, &error, rates), -ECANCELED);
        assert_int_equal(error.code, ERROR_CANCELLED);
        assert_true(clock_usec(CLOCK_MONOTONIC) - begin < UINT64_C(50000000));
        assert_false(instance_is_tracing(instance));
        assert_int_equal(instance_destroy(instance), 0);
}

static void buffers_suit_the_machine(void **state) {
        assert_int_equal(event_counter_buffer_size(1), 1U << 20);
        assert_int_equal(event_counter_buffer_size(256), 256U << 10);
        assert_int_equal(event_counter_buffer_size(100000), SPEC_BUFFER_SIZE_MIN);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_event_is_counted),
                cmocka_unit_test(what_is_overwritten_is_counted),
                cmocka_unit_test(it_can_be_cancelled),
                cmocka_unit_test(buffers_suit_the_machine),
        };

        return kernel_test_run("event-counter", tests, ELEMENTSOF(tests));
}
