/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "core/decision-limit.h"

static const DecisionKind denied = { 1000, "org.ktraced1.trace-system", "denied" };
static const DecisionKind granted = { 1000, "org.ktraced1.trace-system", "granted" };
static const DecisionKind of_another = { 1001, "org.ktraced1.trace-system", "denied" };

static unsigned take_many(DecisionLimit *limit, const DecisionKind *kind, unsigned n, uint64_t now) {
        unsigned written = 0;

        for (unsigned i = 0; i < n; i++)
                written += decision_limit_take(limit, kind, now);
        return written;
}

static void test_flood_of_one_kind_hides_no_other(void **state) {
        CLEANUP(decision_limit_freep) DecisionLimit *limit = NULL;
        DecisionKind kind;
        uint64_t count;

        assert_int_equal(decision_limit_new(&limit), 0);
        assert_int_equal(take_many(limit, &denied, 1000, 5), DECISION_LIMIT_BURST);
        assert_true(decision_limit_take(limit, &granted, 6));
        assert_true(decision_limit_take(limit, &of_another, 6));

        assert_false(decision_limit_pop(limit, 6, false, &kind, &count));
        assert_int_equal(decision_limit_due(limit), 5 + DECISION_LIMIT_INTERVAL);
        assert_true(decision_limit_pop(limit, 5 + DECISION_LIMIT_INTERVAL, false, &kind, &count));
        assert_int_equal(count, 1000 - DECISION_LIMIT_BURST);
        assert_int_equal(kind.caller, 1000);
        assert_string_equal(kind.outcome, "denied");
        assert_false(decision_limit_pop(limit, UINT64_MAX / 2, true, &kind, &count));
        assert_true(decision_limit_due(limit) == UINT64_MAX);
}

static void test_next_interval_begins_anew(void **state) {
        CLEANUP(decision_limit_freep) DecisionLimit *limit = NULL;

        assert_int_equal(decision_limit_new(&limit), 0);
        assert_int_equal(take_many(limit, &denied, DECISION_LIMIT_BURST, 0), DECISION_LIMIT_BURST);
        assert_false(decision_limit_take(limit, &denied, DECISION_LIMIT_INTERVAL - 1));
        /* What was counted is not lost while nobody asks for it. */
        assert_false(decision_limit_take(limit, &denied, DECISION_LIMIT_INTERVAL));

        DecisionKind kind;
        uint64_t count;

        assert_true(decision_limit_pop(limit, DECISION_LIMIT_INTERVAL, false, &kind, &count));
        assert_int_equal(count, 2);
        assert_true(decision_limit_take(limit, &denied, DECISION_LIMIT_INTERVAL));
}

static void test_more_kinds_than_there_is_room_for(void **state) {
        CLEANUP(decision_limit_freep) DecisionLimit *limit = NULL;
        DecisionKind kind = denied;
        unsigned written = 0;
        uint64_t count;

        assert_int_equal(decision_limit_new(&limit), 0);
        for (unsigned i = 0; i < 2 * DECISION_LIMIT_KINDS; i++) {
                kind.caller = i;
                written += decision_limit_take(limit, &kind, 1);
        }
        assert_int_equal(written, DECISION_LIMIT_KINDS + DECISION_LIMIT_BURST);
        assert_true(decision_limit_pop(limit, 1, true, &kind, &count));
        assert_null(kind.action);
        assert_int_equal(count, DECISION_LIMIT_KINDS - DECISION_LIMIT_BURST);
        /* Those of before make room. */
        assert_true(decision_limit_take(limit, &granted, 1 + DECISION_LIMIT_INTERVAL));
        assert_int_equal(take_many(limit, &granted, DECISION_LIMIT_BURST, 1 + DECISION_LIMIT_INTERVAL),
                         DECISION_LIMIT_BURST - 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_flood_of_one_kind_hides_no_other),
                cmocka_unit_test(test_next_interval_begins_anew),
                cmocka_unit_test(test_more_kinds_than_there_is_room_for),
        };

        return cmocka_run_group_tests_name("decision-limit", tests, NULL, NULL);
}
