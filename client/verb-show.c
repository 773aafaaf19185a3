/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `ktracectl show`: the way from the name of a session to its stream; follow.h does the rest. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/bus-manager.h"
#include "client/bus-session.h"
#include "client/follow.h"
#include "client/report-options.h"
#include "client/verb.h"

/* The connection is closed again: the stream needs none. */
static int open_stream(const Globals *globals, const char *session, Error *error, int *ret_fd) {
        CLEANUP(bus_client_freep) BusClient *client = NULL;
        CLEANUP_FREE char *path = NULL;
        int r;

        r = bus_client_new(globals, error, &client);
        if (r >= 0)
                r = bus_manager_get_session(client, session, error, &path);
        return r < 0 ? r : bus_session_open_stream(client, path, error, ret_fd);
}

static void print_totals(const FollowTotals *totals) {
        if (totals->lost_pages > 0)
                fprintf(stderr,
                        "%" PRIu64 " events shown; %" PRIu64 " on %" PRIu64
                        " pages were missed here, since they came too fast; the session has them.\n",
                        totals->printed, totals->lost_events, totals->lost_pages);
        else
                fprintf(stderr, "%" PRIu64 " events shown; none were missed here.\n", totals->printed);
}

int verb_show(Globals *globals, int argc, char *argv[]) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(follow_options_clear) FollowOptions options = { .report = REPORT_OPTIONS_INIT };
        CLEANUP_CLOSE int fd = -1;
        FollowTotals totals;
        ParseResult result;
        int r;

        result = show_options_parse(globals, argc, argv, &options);
        if (result != PARSE_GO_ON)
                return parse_result_to_exit(result);
        if (globals->embedded)
                return verb_usage("A ktraced of its own (--embedded) has no session that could be shown.");
        r = open_stream(globals, options.report.source, &error, &fd);
        if (r < 0)
                return verb_failed(&error, "show session %s", options.report.source);
        r = follow_run(&options, fd, stdout, &totals, &error);
        if (!globals->quiet)
                print_totals(&totals);
        return r < 0 ? verb_failed(&error, "show session %s", options.report.source) : EXIT_SUCCESS;
}
