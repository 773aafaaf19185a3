/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include "core/session-state.h"

/* The transitions of the drawing in session-state.h, and no other. */
static void test_transitions(void **state) {
        static const SessionState may[][2] = {
                { SESSION_CREATED, SESSION_STARTING }, { SESSION_STARTING, SESSION_ACTIVE },
                { SESSION_ACTIVE, SESSION_STOPPING },  { SESSION_STOPPING, SESSION_STOPPED },
                { SESSION_STOPPED, SESSION_STARTING }, { SESSION_STARTING, SESSION_FAILED },
                { SESSION_ACTIVE, SESSION_FAILED },    { SESSION_STOPPING, SESSION_FAILED },
                { SESSION_FAILED, SESSION_STARTING },
        };
        unsigned n = 0;

        for (size_t i = 0; i < ELEMENTSOF(may); i++)
                assert_true(session_state_may_become(may[i][0], may[i][1]));
        for (unsigned from = 0; from < _SESSION_STATE_MAX; from++)
                for (unsigned to = 0; to < _SESSION_STATE_MAX; to++)
                        n += session_state_may_become((SessionState) from, (SessionState) to);
        assert_int_equal(n, ELEMENTSOF(may));
        assert_false(session_state_may_become(_SESSION_STATE_MAX, SESSION_STARTING));
        assert_false(session_state_may_become(SESSION_CREATED, _SESSION_STATE_MAX));
}

static void test_names(void **state) {
        assert_string_equal(session_state_to_string(SESSION_CREATED), "created");
        assert_string_equal(session_state_to_string(SESSION_FAILED), "failed");
        assert_string_equal(session_state_to_string(_SESSION_STATE_MAX), "unknown");
        for (unsigned a = 0; a < _SESSION_STATE_MAX; a++)
                for (unsigned b = 0; b < a; b++)
                        assert_string_not_equal(session_state_to_string((SessionState) a),
                                                session_state_to_string((SessionState) b));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_transitions),
                cmocka_unit_test(test_names),
        };

        return cmocka_run_group_tests_name("session-state", tests, NULL, NULL);
}
