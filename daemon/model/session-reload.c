/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A session that takes another spec: what it had is kept until the new one records. */

#include <errno.h>

#include "model/budgets.h"
#include "model/manager.h"
#include "model/session-run.h"

/* Puts `spec` in the place of what the session has, which is returned in its place. */
static void swap(Session *session, ResolvedSpec *spec) {
        const ResolvedSpec had = {
                .spec = session->spec,
                .asked = session->asked,
                .powers = session->powers,
                .selection = session->selection,
                .absent_watches = session->absent_watches,
                .owner = session->identity,
        };

        session->spec = spec->spec;
        session->asked = spec->asked;
        session->powers = spec->powers;
        session->selection = spec->selection;
        session->absent_watches = spec->absent_watches;
        session->identity = spec->owner;
        *spec = had;
}

void session_reload_clear(Session *session) {
        resolved_spec_free(STEAL_PTR(session->next));
        resolved_spec_free(STEAL_PTR(session->before));
        error_clear(&session->reload_error);
}

/* Operations that the end of the run has overtaken. */
static void cancel_waiters(Session *session) {
        static const WaitFor overtaken[] = { WAIT_ROTATE, WAIT_CLEAR, WAIT_MEASURE };
        CLEANUP(error_clear) Error error = ERROR_INIT;
        int r = error_set(&error, ERROR_CANCELLED, "The session was reloaded");

        for (size_t i = 0; i < ELEMENTSOF(overtaken); i++)
                session_answer(session, overtaken[i], r, &error, NULL);
}

static bool is_to_end(const Session *session) {
        return session->removing || session->manager->shutting_down || session_is_waited_for(session, WAIT_STOP) ||
               session_is_waited_for(session, WAIT_REMOVE);
}

bool session_reload_go_on(Session *session, const Error *error) {
        ResolvedSpec *spec;

        if (is_to_end(session) || (session->next && error->code != ERROR_NONE)) {
                session_reload_clear(session);
                return false;
        }
        if (session->next) {
                session->before = STEAL_PTR(session->next);
                swap(session, session->before);
        } else if (session->before && error->code != ERROR_NONE) {
                (void) error_set(&session->reload_error, error->code, "%s", error_text(error));
                manager_notice(session->manager, LOG_ERR, session, NULL, "Reloading failed, it goes on as it was: %s",
                               error_text(error));
                spec = STEAL_PTR(session->before);
                swap(session, spec);
                resolved_spec_free(spec);
        } else
                return false;
        cancel_waiters(session);
        session_run(session);
        return true;
}

void session_reload_done(Session *session) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        error_move(&error, &session->reload_error);
        resolved_spec_free(STEAL_PTR(session->before));
        session_answer(session, WAIT_RELOAD, -error_code_to_errno(error.code), &error, NULL);
}

void session_reload(Session *session, ResolvedSpec *taken, ModelDone done, void *userdata) {
        CLEANUP(resolved_spec_freep) ResolvedSpec *spec = taken;
        CLEANUP(error_clear) Error error = ERROR_INIT;
        int r;

        if (session->removing || session->manager->shutting_down || session->state == SESSION_STARTING ||
            session->state == SESSION_STOPPING) {
                r = error_set(&error, ERROR_WRONG_STATE, "Cannot reload session '%s': it is %s", session->name,
                              session_state_to_string(session->state));
                done(r, &error, NULL, userdata);
                return;
        }
        if (session->state != SESSION_ACTIVE) {
                swap(session, spec);
                done(0, NULL, NULL, userdata);
                return;
        }
        r = manager_check_run(session->manager, session, spec->spec, &error);
        if (r < 0) {
                done(r, &error, NULL, userdata);
                return;
        }
        if (session_wait(session, WAIT_RELOAD, done, userdata) < 0)
                return;
        session->next = STEAL_PTR(spec);
        session_end(session, "reloaded");
}
