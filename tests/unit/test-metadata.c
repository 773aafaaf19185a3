/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <errno.h>

#include "core/metadata.h"
#include "core/strv.h"

#define SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define MINIMAL "{\"id\": \"1\", \"owner\": 0, \"state\": \"complete\""

static CaptureMetadata *make(void) {
        CaptureMetadata *metadata = NULL;

        assert_int_equal(metadata_new(&metadata), 0);
        metadata->id = strdup("20261124T054737-3f2a9c1e");
        metadata->session_id = strdup("0123456789abcdef");
        metadata->session_name = strdup("web");
        metadata->owner = 4294967294U;
        metadata->state = CAPTURE_INTERRUPTED;
        metadata->reason = strdup("line\n\"quoted\" \\ \xc3\xbc");
        metadata->spec_json = strdup("{\"events\":[\"sched\"],\"buffer_size\":4194304}");
        metadata->kernel = strdup("6.1.0-1 #1 SMP");
        metadata->boot_id = strdup("b");
        metadata->machine_id = strdup("m");
        metadata->clock = strdup("mono");
        metadata->start_realtime = 1;
        metadata->end_realtime = UINT64_MAX;
        metadata->start_trace_clock = 3;
        metadata->end_trace_clock = 4;
        metadata->events = 5;
        metadata->bytes = 6;
        metadata->lost = 7;
        metadata->buffer_size = 8;
        metadata->segments_dropped = 9;
        metadata->pinned = true;
        metadata->external = true;
        assert_int_equal(strv_append(&metadata->thinned, "sched:sched_switch"), 0);
        assert_int_equal(strv_append(&metadata->thinned, "irq:irq_handler_entry"), 0);
        assert_int_equal(metadata_set_loss(metadata, 3, 30), 0);
        assert_int_equal(metadata_set_loss(metadata, 1, 10), 0);
        assert_int_equal(metadata_add_segment(metadata, &(SegmentInfo){ .number = 10,
                                                                        .bytes = 11,
                                                                        .events = 12,
                                                                        .start_realtime = 13,
                                                                        .end_realtime = 14,
                                                                        .raw_bytes = 176,
                                                                        .compress_usec = 15,
                                                                        .sha256 = SHA256 }),
                         0);
        assert_int_equal(metadata_add_segment(metadata, &(SegmentInfo){ .number = 11 }), 0);
        assert_int_equal(strv_append(&metadata->journal, "one"), 0);
        assert_int_equal(strv_append(&metadata->journal, "two \"2\""), 0);
        assert_int_equal(metadata_add_gap(metadata, &(RecordingGap){ .start_trace_clock = 100,
                                                                     .end_trace_clock = 200,
                                                                     .start_realtime = 300,
                                                                     .gap_usec = 400 }),
                         0);
        assert_int_equal(metadata_add_gap(metadata, &(RecordingGap){ .start_realtime = 301, .gap_usec = 1 }), 0);
        return metadata;
}

static void assert_equal(const CaptureMetadata *a, const CaptureMetadata *b) {
        assert_string_equal(a->id, b->id);
        assert_string_equal(a->session_id, b->session_id);
        assert_string_equal(a->session_name, b->session_name);
        assert_int_equal(a->owner, b->owner);
        assert_int_equal(a->state, b->state);
        assert_string_equal(a->reason, b->reason);
        assert_string_equal(a->spec_json, b->spec_json);
        assert_string_equal(a->kernel, b->kernel);
        assert_string_equal(a->boot_id, b->boot_id);
        assert_string_equal(a->machine_id, b->machine_id);
        assert_string_equal(a->clock, b->clock);
        assert_int_equal(a->start_realtime, b->start_realtime);
        assert_int_equal(a->end_realtime, b->end_realtime);
        assert_int_equal(a->start_trace_clock, b->start_trace_clock);
        assert_int_equal(a->end_trace_clock, b->end_trace_clock);
        assert_int_equal(a->events, b->events);
        assert_int_equal(a->bytes, b->bytes);
        assert_int_equal(a->lost, b->lost);
        assert_int_equal(a->buffer_size, b->buffer_size);
        assert_int_equal(a->segments_dropped, b->segments_dropped);
        assert_int_equal(a->pinned, b->pinned);
        assert_int_equal(a->external, b->external);
        assert_int_equal(strv_length(a->thinned), strv_length(b->thinned));
        for (size_t i = 0; a->thinned && a->thinned[i]; i++)
                assert_string_equal(a->thinned[i], b->thinned[i]);
        assert_int_equal(a->n_losses, b->n_losses);
        for (size_t i = 0; i < a->n_losses; i++) {
                assert_int_equal(a->losses[i].cpu, b->losses[i].cpu);
                assert_int_equal(a->losses[i].lost, b->losses[i].lost);
        }
        assert_int_equal(strv_length(a->journal), strv_length(b->journal));
        for (size_t i = 0; i < strv_length(a->journal); i++)
                assert_string_equal(a->journal[i], b->journal[i]);
        assert_int_equal(a->n_gaps, b->n_gaps);
        for (size_t i = 0; i < a->n_gaps; i++)
                assert_memory_equal(&a->gaps[i], &b->gaps[i], sizeof(a->gaps[i]));
        assert_int_equal(a->n_segments, b->n_segments);
        for (size_t i = 0; i < a->n_segments; i++) {
                assert_int_equal(a->segments[i].number, b->segments[i].number);
                assert_int_equal(a->segments[i].bytes, b->segments[i].bytes);
                assert_int_equal(a->segments[i].events, b->segments[i].events);
                assert_int_equal(a->segments[i].start_realtime, b->segments[i].start_realtime);
                assert_int_equal(a->segments[i].end_realtime, b->segments[i].end_realtime);
                assert_int_equal(a->segments[i].raw_bytes, b->segments[i].raw_bytes);
                assert_int_equal(a->segments[i].compress_usec, b->segments[i].compress_usec);
                assert_string_equal(a->segments[i].sha256, b->segments[i].sha256);
        }
}

static void test_round_trip(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(metadata_freep) CaptureMetadata *metadata = make(), *again = NULL;
        CLEANUP_FREE char *text = NULL, *text_again = NULL;

        assert_int_equal(metadata_format(metadata, &text), 0);
        assert_succeeds(metadata_parse(text, &error, &again), &error);
        assert_equal(metadata, again);
        assert_int_equal(metadata_format(again, &text_again), 0);
        assert_string_equal(text, text_again);
        assert_non_null(strstr(text, "16.00"));
        assert_int_equal(metadata_saved_bytes(again), 176 - 11);
}

static void test_copy(void **state) {
        CLEANUP(metadata_freep) CaptureMetadata *metadata = make(), *copy = NULL;

        assert_int_equal(metadata_copy(metadata, &copy), 0);
        assert_equal(metadata, copy);
        assert_ptr_not_equal(metadata->id, copy->id);
        assert_ptr_not_equal(metadata->segments, copy->segments);
        assert_ptr_not_equal(metadata->gaps, copy->gaps);
}

static void test_copy_of_empty(void **state) {
        CLEANUP(metadata_freep) CaptureMetadata *metadata = NULL, *copy = NULL;

        assert_int_equal(metadata_new(&metadata), 0);
        assert_int_equal(metadata_copy(metadata, &copy), 0);
        assert_null(copy->id);
        assert_null(copy->segments);
        assert_null(copy->losses);
        assert_null(copy->gaps);
}

static void test_losses_are_ascending(void **state) {
        CLEANUP(metadata_freep) CaptureMetadata *metadata = NULL;

        assert_int_equal(metadata_new(&metadata), 0);
        assert_int_equal(metadata_set_loss(metadata, 5, 0), 0);
        assert_int_equal(metadata->n_losses, 0);
        assert_int_equal(metadata_set_loss(metadata, 5, 50), 0);
        assert_int_equal(metadata_set_loss(metadata, 0, 1), 0);
        assert_int_equal(metadata_set_loss(metadata, 2, 20), 0);
        assert_int_equal(metadata_set_loss(metadata, 5, 51), 0);
        assert_int_equal(metadata->n_losses, 3);
        assert_int_equal(metadata->losses[0].cpu, 0);
        assert_int_equal(metadata->losses[1].cpu, 2);
        assert_int_equal(metadata->losses[2].cpu, 5);
        assert_int_equal(metadata->losses[2].lost, 51);
}

static void test_minimal(void **state) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(metadata_freep) CaptureMetadata *metadata = NULL;

        assert_succeeds(metadata_parse(MINIMAL ", \"of a later version\": []}", &error, &metadata), &error);
        assert_int_equal(metadata->state, CAPTURE_COMPLETE);
        assert_null(metadata->reason);
        assert_int_equal(metadata->n_segments, 0);
}

static void test_bad(void **state) {
        static const struct {
                const char *text, *message;
        } bad[] = {
                { "", "ends too early" },
                { "{}", "\"id\"" },
                { "{\"id\": \"../../etc\", \"owner\": 0, \"state\": \"active\"}", "\"id\"" },
                { "{\"id\": 5}", "\"id\"" },
                { "{\"id\": \"1\", \"state\": \"active\"}", "\"owner\"" },
                { "{\"id\": \"1\", \"owner\": 4294967296, \"state\": \"active\"}", "\"owner\"" },
                { "{\"id\": \"1\", \"owner\": -1, \"state\": \"active\"}", "\"owner\"" },
                { "{\"id\": \"1\", \"owner\": 0}", "\"state\"" },
                { "{\"id\": \"1\", \"owner\": 0, \"state\": \"asleep\"}", "\"state\"" },
                { MINIMAL ", \"events\": -1}", "\"events\"" },
                { MINIMAL ", \"events\": \"1\"}", "\"events\"" },
                { MINIMAL ", \"external\": 1}", "\"external\"" },
                { MINIMAL ", \"spec\": \"x\"}", "\"spec\"" },
                { MINIMAL ", \"spec\": null}", "\"spec\"" },
                { MINIMAL ", \"losses\": {}}", "\"losses\"" },
                { MINIMAL ", \"losses\": [1]}", "\"losses\"" },
                { MINIMAL ", \"losses\": [{\"cpu\": 1}]}", "\"lost\"" },
                { MINIMAL ", \"journal\": \"x\"}", "\"journal\"" },
                { MINIMAL ", \"journal\": [1]}", "\"journal\"" },
                { MINIMAL ", \"gaps\": 1}", "\"gaps\"" },
                { MINIMAL ", \"gaps\": [1]}", "\"gaps\"" },
                { MINIMAL ", \"gaps\": [{\"gap_usec\": -1}]}", "\"gap_usec\"" },
                { MINIMAL ", \"thinned\": \"a:b\"}", "\"thinned\"" },
                { MINIMAL ", \"thinned\": [1]}", "\"thinned\"" },
                { MINIMAL ", \"segments\": [null]}", "\"segments\"" },
                { MINIMAL ", \"segments\": [{\"number\": true}]}", "\"number\"" },
                { MINIMAL ", \"segments\": [{\"sha256\": \"abc\"}]}", "\"sha256\"" },
                { MINIMAL ", \"segments\": [{\"sha256\": \"Z3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7"
                          "852b855\"}]}",
                  "\"sha256\"" },
        };
        CLEANUP(error_clear) Error error = ERROR_INIT;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                CaptureMetadata *metadata = NULL;

                assert_fails(metadata_parse(bad[i].text, &error, &metadata), &error, ERROR_INVALID_ARGUMENT,
                             bad[i].message);
                assert_null(metadata);
        }
}

/* A file that was cut off at any place is refused, and nothing is read beyond it. */
static void test_truncated(void **state) {
        CLEANUP(metadata_freep) CaptureMetadata *metadata = make();
        CLEANUP_FREE char *text = NULL;
        size_t length;

        assert_int_equal(metadata_format(metadata, &text), 0);
        length = strlen(text);
        for (size_t i = 0; i + 1 < length; i++) {
                CLEANUP_FREE char *cut = strndup(text, i);
                CaptureMetadata *again = NULL;

                assert_non_null(cut);
                assert_int_equal(metadata_parse(cut, NULL, &again), -EINVAL);
                assert_null(again);
        }
}

static void test_spec_that_is_no_json(void **state) {
        CLEANUP(metadata_freep) CaptureMetadata *metadata = make();
        char *text = NULL;

        free(metadata->spec_json);
        metadata->spec_json = strdup("{");
        assert_int_equal(metadata_format(metadata, &text), -EINVAL);
        assert_null(text);
}

static void test_states(void **state) {
        CaptureState parsed;

        for (unsigned i = 0; i < _CAPTURE_STATE_MAX; i++) {
                assert_int_equal(capture_state_from_string(capture_state_to_string((CaptureState) i), &parsed), 0);
                assert_int_equal(parsed, i);
        }
        assert_int_equal(capture_state_from_string("unknown", &parsed), -EINVAL);
        assert_string_equal(capture_state_to_string(_CAPTURE_STATE_MAX), "unknown");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_copy),
                cmocka_unit_test(test_copy_of_empty), cmocka_unit_test(test_losses_are_ascending),
                cmocka_unit_test(test_minimal),       cmocka_unit_test(test_bad),
                cmocka_unit_test(test_truncated),     cmocka_unit_test(test_spec_that_is_no_json),
                cmocka_unit_test(test_states),
        };

        return cmocka_run_group_tests_name("metadata", tests, NULL, NULL);
}
