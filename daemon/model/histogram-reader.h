/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Reading the histograms of a session that runs.
 */

#include "model/model.h"

/* `event`: a pattern that means one event, or the name of a probe of the session. Result: char *, JSON as in
 * core/histogram.h, borrowed. ERROR_WRONG_STATE unless active; ERROR_NO_SUCH_EVENT. */
void session_read_histogram(Session *session, const char *event, ModelDone done, void *userdata);
