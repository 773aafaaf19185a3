/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * States of a session and the transitions between them:
 *
 *   created -> starting -> active -> stopping -> stopped -> starting ...
 *                 |          |          |
 *                 +----------+----------+--> failed -> starting ...
 */

#include <stdbool.h>

typedef enum SessionState {
        SESSION_CREATED,
        SESSION_STARTING,
        SESSION_ACTIVE,
        SESSION_STOPPING,
        SESSION_STOPPED,
        SESSION_FAILED,
        _SESSION_STATE_MAX,
} SessionState;

const char *session_state_to_string(SessionState state);
bool session_state_may_become(SessionState from, SessionState to);
