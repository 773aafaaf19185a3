/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `ktracectl session run`: a session for as long as this command runs, for a unit of systemd: the unit is active
 * while the session is, and fails when it fails. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "client/absent-watches.h"
#include "client/bus-manager.h"
#include "client/bus-session.h"
#include "client/exec-child.h"
#include "client/rates.h"
#include "client/verb.h"

typedef struct Run {
        BusClient *client;
        char *session; /* path */
        SessionStatus status;
        bool stopping; /* a signal came */
        bool changed;
} Run;

static void run_clear(Run *run) {
        session_status_clear(&run->status);
        free(run->session);
        /* The session is attached: it goes with the connection. */
        bus_client_free(run->client);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        Run *run = userdata;

        run->stopping = true;
        return 0;
}

static int on_change(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        Run *run = userdata;

        run->changed = true;
        return 0;
}

/* The daemon took the session with it. */
static int on_daemon_gone(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        Run *run = userdata;

        run->changed = true;
        return 0;
}

static int watch(Run *run, Error *error) {
        sd_event *event = run->client->event;
        int r;

        r = sd_event_add_signal(event, NULL, SIGTERM, on_signal, run);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGINT, on_signal, run);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGHUP, on_signal, run);
        if (r >= 0 && run->client->daemon.pid <= 0)
                r = sd_bus_match_signal_async(run->client->bus, NULL, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                              "org.freedesktop.DBus", "NameOwnerChanged", on_daemon_gone, NULL, run);
        if (r < 0)
                return error_set_errno(error, r, "Cannot set the event loop up");
        return bus_session_watch(run->client, run->session, on_change, run, error);
}

static bool is_over(const Run *run) {
        return strcmp(run->status.state, "stopped") == 0 || strcmp(run->status.state, "failed") == 0;
}

static int wait_for_end(Run *run, Error *error) {
        run->changed = true; /* it can have ended already */
        for (;;) {
                int r;

                if (run->changed) {
                        run->changed = false;
                        r = bus_session_get_status(run->client, run->session, error, &run->status);
                        if (r < 0 || is_over(run))
                                return r;
                }
                if (run->stopping)
                        return 0;
                r = sd_event_run(run->client->event, UINT64_MAX);
                if (r < 0)
                        return error_set_errno(error, r, "Cannot run the event loop");
        }
}

static int run_until_end(Run *run, const char *name) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        if (watch(run, &error) < 0)
                return verb_failed(&error, "watch session %s", name);
        (void) sd_notifyf(false, "READY=1\nSTATUS=Session %s records", name);
        if (wait_for_end(run, &error) < 0)
                return verb_failed(&error, "watch session %s", name);
        (void) sd_notify(false, "STOPPING=1");
        if (run->stopping && (bus_session_stop(run->client, run->session, &error) < 0 ||
                              bus_session_get_status(run->client, run->session, &error, &run->status) < 0))
                return verb_failed(&error, "stop session %s", name);
        if (strcmp(run->status.state, "failed") == 0) {
                fprintf(stderr, "Session %s failed; see the journal of ktraced.service.\n", name);
                return EXIT_FAILURE;
        }
        if (bus_session_remove(run->client, run->session, &error) < 0)
                return verb_failed(&error, "remove session %s", name);
        return EXIT_SUCCESS;
}

int verb_run(Globals *globals, int argc, char *argv[]) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(spec_args_clear) SpecArgs spec;
        CLEANUP(run_clear) Run run = { 0 };
        ParseResult result;
        const char *name;
        int r;

        spec_args_init(&spec);
        result = spec_args_parse(&spec, globals, argc, argv, "session run NAME --event=...|--profile=...", &name);
        if (result == PARSE_GO_ON)
                result = spec_args_check(&spec, false);
        if (result != PARSE_GO_ON)
                return parse_result_to_exit(result);
        if (spec.dry_run)
                return rates_estimate(globals, &spec);
        spec.attached = true;
        r = exec_child_block_signals();
        if (r < 0)
                return verb_failed_errno(r, "block signals");
        if (bus_client_new(globals, &error, &run.client) < 0)
                return verb_failed(&error, "connect to ktraced");
        if (bus_manager_start_session(run.client, name, &spec, &error, &run.session) < 0)
                return verb_failed(&error, "start session %s", name);
        bus_client_end_agent(run.client);
        if (spec.watches || spec.profile)
                absent_watches_print(run.client, run.session);
        return run_until_end(&run, name);
}
