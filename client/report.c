/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "client/decode-child.h"
#include "client/report-stream.h"
#include "client/report.h"

typedef struct Segments {
        ReportSegment *segments;
        size_t n_segments;
} Segments;

typedef struct Report {
        const ReportOptions *options;
        Segments segments;
} Report;

void report_options_clear(ReportOptions *options) {
        record_selection_clear(&options->selection);
        *options = REPORT_OPTIONS_INIT;
}

static void segments_clear(Segments *segments) {
        for (size_t i = 0; i < segments->n_segments; i++) {
                free(segments->segments[i].name);
                closep(&segments->segments[i].fd);
        }
        free(segments->segments);
}

static void report_clear(Report *report) {
        segments_clear(&report->segments);
}

/* Takes the descriptors, also on failure. */
static int add_segments(Segments *segments, const int *fds, size_t n_fds, Error *error) {
        segments->segments = calloc(n_fds, sizeof(*segments->segments));
        if (!segments->segments) {
                for (size_t i = 0; i < n_fds; i++)
                        (void) close(fds[i]);
                return error_set(error, ERROR_NO_MEMORY, "out of memory");
        }
        segments->n_segments = n_fds;
        for (size_t i = 0; i < n_fds; i++)
                segments->segments[i].fd = fds[i];
        for (size_t i = 0; n_fds > 1 && i < n_fds; i++)
                if (asprintf(&segments->segments[i].name, "segment %zu of %zu", i + 1, n_fds) < 0) {
                        segments->segments[i].name = NULL;
                        return error_set(error, ERROR_NO_MEMORY, "out of memory");
                }
        return 0;
}

static int open_source(const ReportOptions *options, Segments *segments, Error *error) {
        CLEANUP_FREE int *fds = NULL;
        struct stat st;
        size_t n_fds = 0;
        int r;

        if (!options->open_segments || strchr(options->source, '/') || stat(options->source, &st) == 0) {
                /* Without O_NONBLOCK, opening a FIFO would wait for a writer. */
                int fd = open(options->source, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

                if (fd < 0)
                        return error_set_errno(error, -errno, "cannot be opened");
                return add_segments(segments, &fd, 1, error);
        }
        r = options->open_segments(options->source, options->userdata, &fds, &n_fds, error);
        if (r < 0)
                return error_set_errno(error, r, "cannot be opened");
        if (n_fds == 0)
                return error_set(error, ERROR_NO_SUCH_SEGMENT, "nothing was recorded");
        return add_segments(segments, fds, n_fds, error);
}

static int run(void *userdata, FILE *out, volatile DecodePhase *phase, Error *error) {
        const Report *report = userdata;

        return report_stream(report->options, report->segments.segments, report->segments.n_segments, out, phase,
                             error);
}

int report_run(const ReportOptions *options, FILE *out, Error *error) {
        CLEANUP(report_clear) Report report = { .options = options };
        int r;

        r = open_source(options, &report.segments, error);
        if (r < 0)
                return r;
        return decode_child_run(
                &(DecodeChild){ .run = run, .userdata = &report, .filters = options->selection.filters }, out, error);
}
