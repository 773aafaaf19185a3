/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The pump with real events: everything that was recorded is in the right sink, once.
 */

#include "capture-test.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <tracefs.h>
#include <unistd.h>

#define BUFFER (8U << 20)

static PumpReport *remove_and_wait(TestPump *pump, uint64_t sink_id) {
        assert_int_equal(pump_remove_sink(pump->pump, sink_id, "stopped"), 0);
        return pump_wait(pump, PUMP_SINK_CLOSED, sink_id);
}

static void one_sink_has_every_event(void **state) {
        char *tree = make_tree();
        TestPump pump = pump_begin(true, BUFFER, tree);
        CLEANUP_FREE char *capture = pump_add(&pump, 1, 0, 0, 0);
        CLEANUP(pump_report_freep) PumpReport *report = NULL;

        pump_expect(&pump, PUMP_SINK_READY, 1);
        make_events_in_children(4, 25000);
        report = remove_and_wait(&pump, 1);

        assert_int_equal(report->r, 0);
        assert_int_equal(report->events, 100000);
        assert_int_equal(report->metadata->state, CAPTURE_COMPLETE);
        assert_string_equal(report->metadata->reason, "stopped");
        assert_int_equal(report->metadata->n_segments, 1);
        assert_int_equal(report->metadata->events, 100000);
        assert_int_equal(report->metadata->lost, 0);
        assert_int_equal(report->metadata->bytes, report->metadata->segments[0].bytes);
        assert_true(report->metadata->start_trace_clock > 0);
        assert_true(report->metadata->end_trace_clock > report->metadata->start_trace_clock);
        assert_int_equal(count_capture(capture, report->metadata, 0), 100000);

        pump_end(&pump);
        remove_tree(tree);
}

static void rotations_lose_and_repeat_nothing(void **state) {
        char *tree = make_tree();
        TestPump pump = pump_begin(true, BUFFER, tree);
        CLEANUP_FREE char *capture = pump_add(&pump, 1, 256U << 10, 0, 0);
        CLEANUP(pump_report_freep) PumpReport *report = NULL;

        pump_expect(&pump, PUMP_SINK_READY, 1);
        for (unsigned i = 0; i < 3; i++) {
                make_events_in_children(2, 50000);
                assert_int_equal(pump_rotate(pump.pump, 1), 0);
                pump_expect(&pump, PUMP_ROTATED, 1);
        }
        report = remove_and_wait(&pump, 1);

        assert_int_equal(report->r, 0);
        assert_int_equal(report->metadata->events, 300000);
        assert_int_equal(report->metadata->lost, 0);
        assert_true(report->metadata->n_segments >= 20);
        assert_int_equal(report->metadata->n_segments, pump.n_segments);
        for (size_t i = 0; i < report->metadata->n_segments; i++)
                assert_int_equal(report->metadata->segments[i].number, i + 1);
        assert_int_equal(count_capture(capture, report->metadata, 0), 300000);

        pump_end(&pump);
        remove_tree(tree);
}

static void sinks_that_come_and_go_have_their_own_events(void **state) {
        char *tree = make_tree();
        TestPump pump = pump_begin(true, BUFFER, tree);
        char *captures[3];
        PumpReport *reports[3];
        pid_t pid = getpid(), load;

        captures[0] = pump_add(&pump, 1, 0, 0, 0);
        pump_expect(&pump, PUMP_SINK_READY, 1);
        load = begin_load();
        make_events(1001);
        captures[1] = pump_add(&pump, 2, 0, 0, 0);
        pump_expect(&pump, PUMP_SINK_READY, 2);
        make_events(2002);
        reports[0] = remove_and_wait(&pump, 1);
        make_events(3003);
        captures[2] = pump_add(&pump, 3, 1U << 20, 0, 0);
        pump_expect(&pump, PUMP_SINK_READY, 3);
        make_events(4004);
        end_load(load);
        reports[1] = remove_and_wait(&pump, 2);
        reports[2] = remove_and_wait(&pump, 3);

        for (size_t i = 0; i < 3; i++) {
                const long mine[] = { 1001 + 2002, 2002 + 3003 + 4004, 4004 };

                assert_int_equal(reports[i]->r, 0);
                assert_int_equal(reports[i]->metadata->lost, 0);
                assert_int_equal(count_capture(captures[i], reports[i]->metadata, pid), mine[i]);
                assert_int_equal(count_capture(captures[i], reports[i]->metadata, 0), reports[i]->metadata->events);
                pump_report_free(reports[i]);
                free(captures[i]);
        }

        pump_end(&pump);
        remove_tree(tree);
}

/* Between two runs nobody records; what was left in the buffers must not turn up in the second. */
static void a_later_run_begins_empty(void **state) {
        char *tree = make_tree();
        TestPump pump = pump_begin(true, BUFFER, tree);

        for (uint64_t id = 1; id <= 3; id++) {
                CLEANUP_FREE char *capture = pump_add(&pump, id, 0, 0, 0);
                CLEANUP(pump_report_freep) PumpReport *report = NULL;

                pump_expect(&pump, PUMP_SINK_READY, id);
                make_events(100);
                report = remove_and_wait(&pump, id);
                assert_int_equal(report->r, 0);
                assert_int_equal(count_capture(capture, report->metadata, 0), 100);
                make_events(1000);
        }

        pump_end(&pump);
        remove_tree(tree);
}

static void clearing_begins_anew(void **state) {
        char *tree = make_tree();
        TestPump pump = pump_begin(true, BUFFER, tree);
        CLEANUP_FREE char *capture = pump_add(&pump, 1, 256U << 10, 0, 0);
        CLEANUP_FREE char *other = pump_add(&pump, 2, 0, 0, 0);
        CLEANUP(pump_report_freep) PumpReport *report = NULL, *second = NULL;

        pump_expect(&pump, PUMP_SINK_READY, 2);
        make_events(50000);
        assert_int_equal(pump_clear(pump.pump, 1), 0);
        pump_expect(&pump, PUMP_CLEARED, 1);
        make_events(123);
        report = remove_and_wait(&pump, 1);
        second = remove_and_wait(&pump, 2);

        assert_int_equal(report->r, 0);
        assert_int_equal(report->metadata->events, 123);
        assert_int_equal(report->metadata->n_segments, 1);
        assert_int_equal(count_capture(capture, report->metadata, 0), 123);
        assert_int_equal(second->metadata->events, 50123);
        assert_int_equal(count_capture(other, second->metadata, 0), 50123);

        pump_end(&pump);
        remove_tree(tree);
}

static void output_goes_into_the_file_that_was_passed(void **state) {
        char *tree = make_tree();
        TestPump pump = pump_begin(true, BUFFER, tree);
        CLEANUP_FREE char *path = path_of(tree, "output.dat");
        CLEANUP(pump_report_freep) PumpReport *rotated = NULL, *report = NULL;
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        pump_add_output(&pump, 1, fd);
        pump_expect(&pump, PUMP_SINK_READY, 1);
        make_events(777);
        assert_int_equal(pump_rotate(pump.pump, 1), 0);
        rotated = pump_wait(&pump, PUMP_ROTATED, 1);
        assert_true(rotated->r < 0);
        assert_int_equal(rotated->error.code, ERROR_WRONG_STATE);
        assert_true(is_valid(path));
        assert_int_equal(pump_clear(pump.pump, 1), 0);
        pump_expect(&pump, PUMP_CLEARED, 1);
        make_events_in_children(4, 10000);
        report = remove_and_wait(&pump, 1);

        assert_int_equal(report->r, 0);
        assert_true(report->metadata->external);
        assert_int_equal(report->metadata->events, 40000);
        assert_true(is_valid(path));
        assert_int_equal(count_events(path, 0), 40000);
        assert_int_equal(report->metadata->bytes, file_size(path));

        pump_end(&pump);
        remove_tree(tree);
}

static void an_output_that_is_not_empty_is_refused(void **state) {
        char *tree = make_tree();
        TestPump pump = pump_begin(true, BUFFER, tree);
        CLEANUP_FREE char *path = path_of(tree, "output.dat");
        CLEANUP(pump_report_freep) PumpReport *report = NULL;
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, "mine", 4), 4);
        pump_add_output(&pump, 1, fd);
        report = pump_wait(&pump, PUMP_SINK_CLOSED, 1);
        assert_true(report->r < 0);
        assert_int_equal(report->error.code, ERROR_BAD_DESCRIPTOR);
        assert_int_equal(report->metadata->state, CAPTURE_FAILED);
        assert_int_equal(file_size(path), 4);

        pump_end(&pump);
        remove_tree(tree);
}

static void the_oldest_segments_go(void **state) {
        char *tree = make_tree();
        TestPump pump = pump_begin(true, BUFFER, tree);
        CLEANUP_FREE char *capture = pump_add(&pump, 1, 128U << 10, 0, 3);
        CLEANUP(pump_report_freep) PumpReport *report = NULL;
        CLEANUP_FREE char *first = path_of(capture, "trace-000001.dat");

        pump_expect(&pump, PUMP_SINK_READY, 1);
        make_events(100000);
        report = remove_and_wait(&pump, 1);

        assert_int_equal(report->r, 0);
        assert_int_equal(report->metadata->n_segments, 3);
        assert_true(report->metadata->segments_dropped > 3);
        assert_int_equal(report->metadata->segments[0].number, report->metadata->segments_dropped + 1);
        assert_int_equal(access(first, F_OK), -1);
        assert_true(count_capture(capture, report->metadata, 0) < 100000);
        assert_int_equal(report->metadata->events, 100000);

        pump_end(&pump);
        remove_tree(tree);
}

static void age_rotates_what_has_events(void **state) {
        char *tree = make_tree();
        TestPump pump = pump_begin(true, BUFFER, tree);
        CLEANUP_FREE char *capture = pump_add(&pump, 1, 0, 300000, 0);
        CLEANUP(pump_report_freep) PumpReport *closed = NULL, *report = NULL;

        pump_expect(&pump, PUMP_SINK_READY, 1);
        make_events(500);
        closed = pump_wait(&pump, PUMP_SEGMENT_CLOSED, 1);
        assert_int_equal(closed->segment.number, 1);
        assert_int_equal(closed->segment.events, 500);
        (void) usleep(2500000);
        report = remove_and_wait(&pump, 1);
        assert_int_equal(report->r, 0);
        assert_int_equal(report->metadata->n_segments, 2);
        assert_int_equal(report->metadata->events, 500);
        assert_int_equal(count_capture(capture, report->metadata, 0), 500);

        pump_end(&pump);
        remove_tree(tree);
}

/* Less than a page stays in the kernel unless somebody asks for it. */
static void age_rotates_the_quiet_ones_too(void **state) {
        char *tree = make_tree();
        TestPump pump = pump_begin(true, BUFFER, tree);
        CLEANUP_FREE char *capture = pump_add(&pump, 1, 0, 300000, 0);
        CLEANUP(pump_report_freep) PumpReport *closed = NULL;

        pump_expect(&pump, PUMP_SINK_READY, 1);
        make_events(3);
        closed = pump_wait(&pump, PUMP_SEGMENT_CLOSED, 1);
        assert_int_equal(closed->segment.events, 3);

        pump_end(&pump);
        remove_tree(tree);
}

static void progress_counts_what_is_in_the_buffers(void **state) {
        char *tree = make_tree();
        TestPump pump = pump_begin(true, BUFFER, tree);
        CLEANUP_FREE char *capture = pump_add(&pump, 1, 0, 0, 0);
        CLEANUP(pump_report_freep) PumpReport *report = NULL;

        pump_expect(&pump, PUMP_SINK_READY, 1);
        make_events(5); /* less than a page */
        report = pump_wait(&pump, PUMP_PROGRESS, 1);
        assert_int_equal(report->events, 5);
        assert_int_equal(report->lost, 0);

        pump_end(&pump);
        remove_tree(tree);
}

static void losses_are_counted(void **state) {
        char *tree = make_tree();
        TestPump pump = pump_begin(true, 64U << 10, tree);
        CLEANUP_FREE char *capture = pump_add(&pump, 1, 0, 0, 0);
        CLEANUP(pump_report_freep) PumpReport *report = NULL;
        uint64_t sum = 0;

        pump_expect(&pump, PUMP_SINK_READY, 1);
        make_events_in_children(2, 400000);
        report = remove_and_wait(&pump, 1);

        assert_int_equal(report->r, 0);
        assert_true(report->metadata->lost > 0);
        assert_int_equal(report->metadata->events + report->metadata->lost, 800000);
        for (size_t i = 0; i < report->metadata->n_losses; i++)
                sum += report->metadata->losses[i].lost;
        assert_int_equal(sum, report->metadata->lost);
        assert_int_equal(count_capture(capture, report->metadata, 0), report->metadata->events);

        pump_end(&pump);
        remove_tree(tree);
}

/* Tracing is on already, as function_graph with graph_functions needs it, and each page that is read is an event. */
static void reading_that_makes_events_has_an_end(void **state) {
        char *tree = make_tree();
        Instance *instance = new_instance();
        CLEANUP(spec_freep) Spec *spec = new_spec("syscalls:sys_enter_read");
        CLEANUP(pump_report_freep) PumpReport *report = NULL;
        CLEANUP_FREE char *capture = NULL;
        cpu_set_t before, one;
        pid_t pid = getpid();
        TestPump pump;

        spec_give_number(spec, SPEC_BUFFER_SIZE, 1U << 20);
        spec_give_pids(spec, &pid, 1, true);
        configure(instance, spec);
        assert_int_equal(instance_set_tracing(instance, true, NULL), 0);

        /* So that the events are where the pump reads. */
        assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
        CPU_ZERO(&one);
        CPU_SET(0, &one);
        assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
        pump = pump_begin_on(instance, tree);
        capture = pump_add(&pump, 1, 0, 0, 0);
        pump_expect(&pump, PUMP_SINK_READY, 1);
        report = remove_and_wait(&pump, 1);
        assert_int_equal(report->r, 0);
        assert_true(report->metadata->events > 0);
        assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);

        pump_end(&pump);
        remove_tree(tree);
}

static void another_tool_that_stops_it_is_noticed(void **state) {
        char *tree = make_tree();
        TestPump pump = pump_begin(true, BUFFER, tree);
        CLEANUP_FREE char *capture = pump_add(&pump, 1, 0, 0, 0);
        struct tracefs_instance *other;

        pump_expect(&pump, PUMP_SINK_READY, 1);
        other = tracefs_instance_alloc(NULL, instance_name(pump.instance));
        assert_non_null(other);
        assert_int_equal(tracefs_trace_off(other), 0);
        tracefs_instance_free(other);
        pump_expect(&pump, PUMP_TRACING_LOST, 0);

        pump_end(&pump);
        remove_tree(tree);
}

static void commands_out_of_place_are_answered(void **state) {
        char *tree = make_tree();
        TestPump pump = pump_begin(true, BUFFER, tree);
        CLEANUP(pump_report_freep) PumpReport *rotated = NULL, *cleared = NULL;

        assert_int_equal(pump_rotate(pump.pump, 7), 0);
        rotated = pump_wait(&pump, PUMP_ROTATED, 7);
        assert_int_equal(rotated->error.code, ERROR_WRONG_STATE);
        assert_int_equal(pump_clear(pump.pump, 7), 0);
        cleared = pump_wait(&pump, PUMP_CLEARED, 7);
        assert_int_equal(cleared->error.code, ERROR_WRONG_STATE);
        assert_int_equal(pump_remove_sink(pump.pump, 7, NULL), 0);

        pump_end(&pump);
        remove_tree(tree);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(one_sink_has_every_event),
                cmocka_unit_test(rotations_lose_and_repeat_nothing),
                cmocka_unit_test(sinks_that_come_and_go_have_their_own_events),
                cmocka_unit_test(a_later_run_begins_empty),
                cmocka_unit_test(clearing_begins_anew),
                cmocka_unit_test(output_goes_into_the_file_that_was_passed),
                cmocka_unit_test(an_output_that_is_not_empty_is_refused),
                cmocka_unit_test(the_oldest_segments_go),
                cmocka_unit_test(age_rotates_what_has_events),
                cmocka_unit_test(age_rotates_the_quiet_ones_too),
                cmocka_unit_test(progress_counts_what_is_in_the_buffers),
                cmocka_unit_test(losses_are_counted),
                cmocka_unit_test(reading_that_makes_events_has_an_end),
                cmocka_unit_test(another_tool_that_stops_it_is_noticed),
                cmocka_unit_test(commands_out_of_place_are_answered),
        };

        return kernel_test_run("capture-pump", tests, ELEMENTSOF(tests));
}
