/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "client/render-json.h"
#include "client/render-text.h"
#include "client/report-stream.h"
#include "client/summary.h"

/* Processor time within which a file is opened, and so many records are read; more for a large file, which
 * libtracecmd may have to decompress as a whole when it opens it. */
#define STALL_SECONDS 20
#define STALL_BYTES_PER_SECOND (16U << 20)
#define STALL_RECORDS 4096U

typedef struct Input {
        const ReportOptions *options;
        const ReportSegment *segments;
        size_t n_segments;
        volatile ReportPhase *phase;
} Input;

/* A receiver returns more than 0 when it wants no more records. */
typedef struct Receiver {
        int (*begin_segment)(void *userdata);
        /* Each record that was read, wanted or not. */
        int (*record)(void *userdata, const DecoderRecord *record, bool has_time, RecordMatch match);
        void *userdata;
} Receiver;

/* What is known before the records are printed. */
typedef struct Bounds {
        uint64_t since, until;
        uint64_t skip; /* so many wanted records are passed over */
} Bounds;

/* Begins the time anew; libtracecmd may loop for ever on a damaged file. */
static void watch_stall(off_t size) {
        struct itimerval timer = { .it_value.tv_sec = STALL_SECONDS + size / STALL_BYTES_PER_SECOND };

        (void) setitimer(ITIMER_PROF, &timer, NULL);
}

static void unwatch_stall(void) {
        (void) setitimer(ITIMER_PROF, &(struct itimerval){}, NULL);
}

static int read_segment(const Input *input, const ReportSegment *segment, const Bounds *bounds,
                        const Receiver *receiver, Error *error) {
        CLEANUP(decoder_freep) Decoder *decoder = NULL;
        CLEANUP(record_filter_freep) RecordFilter *filter = NULL;
        DecoderRecord record;
        struct stat st;
        uint64_t n = 0;
        bool has_time;
        int r;

        if (fstat(segment->fd, &st) < 0)
                return error_set_errno(error, -errno, "cannot be examined");
        watch_stall(st.st_size);
        r = decoder_open(segment->fd, error, &decoder);
        if (r < 0)
                return r;
        *input->phase = REPORT_COMPILING;
        r = record_filter_new(&input->options->selection, decoder, error, &filter);
        *input->phase = REPORT_READING;
        if (r < 0)
                return r;
        record_filter_set_window(filter, bounds->since, bounds->until);
        has_time = decoder_has_time(decoder);
        r = receiver->begin_segment ? receiver->begin_segment(receiver->userdata) : 0;
        while (r == 0 && decoder_next(decoder, &record) > 0) {
                if (record_filter_is_past(filter, &record))
                        return 1;
                if (++n % STALL_RECORDS == 0)
                        watch_stall(st.st_size);
                r = receiver->record(receiver->userdata, &record, has_time, record_filter_match(filter, &record));
        }
        return r;
}

/* 0, also when the receiver had enough; or a failure. */
static int read_segments(const Input *input, const Bounds *bounds, const Receiver *receiver, Error *error) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < input->n_segments; i++) {
                r = read_segment(input, &input->segments[i], bounds, receiver, error);
                if (r < 0 && input->segments[i].name)
                        error_prefix(error, "%s", input->segments[i].name);
        }
        return r < 0 ? r : 0;
}

/* The first reading: the capture's span, then the number of wanted records. */
typedef struct Survey {
        uint64_t start, end;
        uint64_t n_records;
        uint64_t n_wanted;
        bool start_only;
} Survey;

static int survey_record(void *userdata, const DecoderRecord *record, bool has_time, RecordMatch match) {
        Survey *survey = userdata;
        uint64_t ts = record->record->ts;

        if (survey->n_records++ == 0)
                survey->start = survey->end = ts;
        if (ts > survey->end)
                survey->end = ts;
        survey->n_wanted += match == RECORD_WANTED;
        return survey->start_only;
}

static uint64_t resolve(const TimeBound *bound, const Survey *survey, uint64_t otherwise) {
        uint64_t ts;

        switch (bound->kind) {
        case TIME_BOUND_ABSOLUTE:
                return bound->ns;
        case TIME_BOUND_AFTER_START:
                return __builtin_add_overflow(survey->start, bound->ns, &ts) ? UINT64_MAX : ts;
        case TIME_BOUND_BEFORE_END:
                return survey->end > bound->ns ? survey->end - bound->ns : 0;
        default:
                return otherwise;
        }
}

static int find_bounds(const Input *input, Error *error, Bounds *ret) {
        const ReportOptions *options = input->options;
        const TimeBound *since = &options->selection.since, *until = &options->selection.until;
        bool needs_end = since->kind == TIME_BOUND_BEFORE_END || until->kind == TIME_BOUND_BEFORE_END;
        bool needs_start = since->kind == TIME_BOUND_AFTER_START || until->kind == TIME_BOUND_AFTER_START;
        Bounds bounds = { .until = UINT64_MAX };
        Survey span = { .start_only = !needs_end }, wanted = {};
        int r;

        if (needs_end || needs_start) {
                r = read_segments(input, &bounds, &(Receiver){ .record = survey_record, .userdata = &span }, error);
                if (r < 0)
                        return r;
        }
        bounds.since = resolve(since, &span, 0);
        bounds.until = resolve(until, &span, UINT64_MAX);
        if (options->last > 0) {
                r = read_segments(input, &bounds, &(Receiver){ .record = survey_record, .userdata = &wanted }, error);
                if (r < 0)
                        return r;
                if (wanted.n_wanted > options->last)
                        bounds.skip = wanted.n_wanted - options->last;
        }
        *ret = bounds;
        return 0;
}

/* The second reading. */
typedef struct Printer {
        const ReportOptions *options;
        FILE *out;
        RenderText text;
        RenderJson json;
        Summary *summary; /* NULL: records are printed */
        uint64_t skip;
        uint64_t n_printed;
} Printer;

static int printer_begin_segment(void *userdata) {
        Printer *printer = userdata;

        if (printer->summary)
                summary_begin_segment(printer->summary);
        return 0;
}

static int printer_lost(Printer *printer, const DecoderRecord *record, bool has_time) {
        if (printer->summary)
                return summary_lose(printer->summary, record);
        if (printer->options->json)
                return render_json_lost(&printer->json, record, has_time);
        render_text_lost(&printer->text, record);
        return 0;
}

static int printer_print(Printer *printer, const DecoderRecord *record, bool has_time) {
        if (printer->summary)
                return summary_add(printer->summary, record, has_time);
        if (printer->options->json)
                return render_json_record(&printer->json, record, has_time);
        render_text_record(&printer->text, record, has_time);
        return 0;
}

static int printer_record(void *userdata, const DecoderRecord *record, bool has_time, RecordMatch match) {
        Printer *printer = userdata;
        int r = 0;

        if (match == RECORD_WANTED && printer->skip > 0) {
                printer->skip--;
                return 0;
        }
        if (match >= RECORD_COVERED && record->lost != 0 && printer->skip == 0)
                r = printer_lost(printer, record, has_time);
        if (r < 0 || match != RECORD_WANTED)
                return r;
        r = printer_print(printer, record, has_time);
        if (r < 0)
                return r;
        /* The stream keeps failing in the same way, so errno is that of the latest attempt to write. */
        if (ferror_unlocked(printer->out))
                return -(errno ?: EIO);
        return ++printer->n_printed == printer->options->first;
}

static void printer_clear(Printer *printer) {
        render_text_clear(&printer->text);
        render_json_clear(&printer->json);
        summary_free(printer->summary);
}

static int print(Printer *printer, const Input *input, Error *error) {
        const ReportOptions *options = printer->options;
        Bounds bounds;
        int r;

        r = find_bounds(input, error, &bounds);
        if (r < 0)
                return r;
        printer->skip = bounds.skip;
        r = read_segments(input, &bounds, &(Receiver){ printer_begin_segment, printer_record, printer }, error);
        if (r < 0 || !printer->summary)
                return r;
        return summary_print(printer->summary,
                             &(SummaryPrint){ .name = options->source,
                                              .top = options->top,
                                              .json = options->json,
                                              .pretty = options->pretty },
                             printer->out);
}

int report_stream(const ReportOptions *options, const ReportSegment *segments, size_t n_segments, FILE *out,
                  volatile ReportPhase *phase, Error *error) {
        const Input input = { options, segments, n_segments, phase };
        CLEANUP(printer_clear) Printer printer = { .options = options, .out = out };
        int r = 0;

        *phase = REPORT_READING;
        render_text_init(&printer.text, out, options->color, options->nanoseconds);
        render_json_init(&printer.json, out, options->pretty);
        if (options->summary)
                r = summary_new(&printer.summary);
        if (r >= 0)
                r = print(&printer, &input, error);
        unwatch_stall();
        errno = 0;
        if ((fflush(out) != 0 || ferror(out)) && r >= 0)
                r = -(errno ?: EIO);
        if (r < 0 && r != -EPIPE)
                (void) error_set_errno(error, r, "cannot be printed");
        return r;
}
