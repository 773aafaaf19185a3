/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/session-state.h"

static const char *const state_names[_SESSION_STATE_MAX] = {
        [SESSION_CREATED] = "created",   [SESSION_STARTING] = "starting", [SESSION_ACTIVE] = "active",
        [SESSION_STOPPING] = "stopping", [SESSION_STOPPED] = "stopped",   [SESSION_FAILED] = "failed",
};

const char *session_state_to_string(SessionState state) {
        return (unsigned) state < _SESSION_STATE_MAX ? state_names[state] : "unknown";
}

bool session_state_may_become(SessionState from, SessionState to) {
        static const bool may[_SESSION_STATE_MAX][_SESSION_STATE_MAX] = {
                [SESSION_CREATED] = { [SESSION_STARTING] = true },
                [SESSION_STARTING] = { [SESSION_ACTIVE] = true, [SESSION_FAILED] = true },
                [SESSION_ACTIVE] = { [SESSION_STOPPING] = true, [SESSION_FAILED] = true },
                [SESSION_STOPPING] = { [SESSION_STOPPED] = true, [SESSION_FAILED] = true },
                [SESSION_STOPPED] = { [SESSION_STARTING] = true },
                [SESSION_FAILED] = { [SESSION_STARTING] = true },
        };

        return (unsigned) from < _SESSION_STATE_MAX && (unsigned) to < _SESSION_STATE_MAX && may[from][to];
}
