/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `ktracectl report`: the way from the name of a capture or session to its segments; report.h does the rest. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "client/capture-source.h"
#include "client/pager.h"
#include "client/report-options.h"
#include "client/report.h"
#include "client/verb.h"
#include "core/parse.h"

#define NSEC_PER_USEC 1000U
#define NSEC_PER_SEC 1000000000U

/* Each segment is a descriptor, and a capture may have more of them than a process has by default. */
static void raise_descriptor_limit(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return;
        limit.rlim_cur = limit.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &limit);
}

/* No event and no count of lost ones tells of them. */
static void warn_of_gaps(const Globals *globals, const CaptureMetadata *metadata) {
        for (size_t i = 0; !globals->quiet && i < metadata->n_gaps; i++) {
                const RecordingGap *gap = &metadata->gaps[i];
                char span[64];

                (void) fprintf(stderr, "Warning: nothing was recorded for %s",
                               format_span(gap->gap_usec, span, sizeof(span)));
                if (gap->start_trace_clock > 0)
                        (void) fprintf(stderr, " from %" PRIu64 ".%06" PRIu64 " on",
                                       gap->start_trace_clock / NSEC_PER_SEC,
                                       gap->start_trace_clock % NSEC_PER_SEC / NSEC_PER_USEC);
                (void) fputs(", while the ring got another size.\n", stderr);
        }
}

static int open_segments(const char *name, void *userdata, int **ret_fds, size_t *ret_n_fds, Error *error) {
        CLEANUP(bus_client_freep) BusClient *client = NULL;
        CLEANUP(capture_source_clear) CaptureSource source = { 0 };
        const Globals *globals = userdata;
        int r;

        raise_descriptor_limit();
        r = bus_client_new(globals, error, &client);
        if (r >= 0)
                r = capture_source_find(client, name, error, &source);
        if (r >= 0)
                warn_of_gaps(globals, source.metadata);
        return r < 0 ? r : capture_source_open_segments(&source, client, error, ret_fds, ret_n_fds);
}

int verb_report(Globals *globals, int argc, char *argv[]) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(report_options_clear) ReportOptions options = REPORT_OPTIONS_INIT;
        CLEANUP(pager_close) Pager pager = PAGER_NONE;
        ParseResult result;
        int r;

        result = report_options_parse(globals, argc, argv, &options);
        if (result != PARSE_GO_ON)
                return parse_result_to_exit(result);
        options.open_segments = open_segments;
        options.userdata = globals;
        pager_open(&pager, globals);
        r = report_run(&options, stdout, &error);
        return r < 0 ? verb_failed(&error, "report %s", options.source) : EXIT_SUCCESS;
}
