/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "client/render-json.h"
#include "client/render-text.h"
#include "client/report-stream.h"
#include "client/summary.h"

/* Processor time within which a file is opened, and so many records are read; more for a large file, which
 * libtracecmd may have to decompress as a whole when it opens it. */
#define STALL_SECONDS 20
#define STALL_BYTES_PER_SECOND (16U << 20)
#define STALL_RECORDS 4096U

typedef struct SegmentStart {
        const ReportSegment *segment;
        uint64_t ts; /* no record of it is earlier */
} SegmentStart;

typedef struct Input {
        const ReportOptions *options;
        const SegmentStart *starts; /* by time */
        size_t n_segments;
        volatile DecodePhase *phase;
} Input;

/* A receiver returns more than 0 when it wants no more records. */
typedef struct Receiver {
        void (*begin_segment)(void *userdata); /* may be NULL */
        /* Each record that was read, wanted or not. */
        int (*record)(void *userdata, const DecoderRecord *record, bool has_time, RecordMatch match);
        void *userdata;
} Receiver;

/* What is known before the records are printed. */
typedef struct Bounds {
        uint64_t since, until;
        uint64_t skip; /* so many wanted records are passed over */
} Bounds;

/* Libtracecmd may loop for ever on a damaged file. */
static void watch_stall(off_t size) {
        decode_watch_stall((long) (STALL_SECONDS + size / STALL_BYTES_PER_SECOND));
}

/* A segment that is being read, and its next record. */
typedef struct Window {
        Decoder *decoder; /* NULL: none is open */
        RecordFilter *filter;
        bool has_time;
        DecoderRecord head;
} Window;

static void window_close(Window *window) {
        record_filter_free(window->filter);
        decoder_free(window->decoder);
        *window = (Window){};
}

/* Closes it behind the last record. */
static void window_advance(Window *window) {
        if (decoder_next(window->decoder, &window->head) == 0)
                window_close(window);
}

static int window_open(Window *window, const Input *input, const ReportSegment *segment, const Bounds *bounds,
                       Error *error) {
        struct stat st;
        int r;

        if (fstat(segment->fd, &st) < 0)
                return error_set_errno(error, -errno, "cannot be examined");
        watch_stall(st.st_size);
        r = decoder_open(segment->fd, error, &window->decoder);
        if (r < 0)
                return r;
        *input->phase = DECODE_COMPILING;
        r = record_filter_new(&input->options->selection, window->decoder, error, &window->filter);
        *input->phase = DECODE_READING;
        if (r < 0)
                return r;
        record_filter_set_window(window->filter, bounds->since, bounds->until);
        window->has_time = decoder_has_time(window->decoder);
        if (!input->options->json)
                decoder_fold_calls(window->decoder);
        window_advance(window);
        return 0;
}

/*
 * The records of all segments by time. Segments overlap, since the daemon empties the buffer of one CPU after
 * the other, and may begin several segments on the way. Each is opened when the records come to its start, so
 * that no more are open than overlap.
 */
typedef struct Merge {
        const Input *input;
        const Bounds *bounds;
        const Receiver *receiver;
        Window *windows; /* room for all; the open ones come first, in the order in which they were opened */
        size_t n_open;
        size_t n_opened; /* of input->starts */
} Merge;

static void merge_clear(Merge *merge) {
        for (size_t i = 0; i < merge->n_open; i++)
                window_close(&merge->windows[i]);
        free(merge->windows);
}

static int merge_open_next(Merge *merge, Error *error) {
        const ReportSegment *segment = merge->input->starts[merge->n_opened++].segment;
        Window *window = &merge->windows[merge->n_open];
        int r;

        if (merge->receiver->begin_segment)
                merge->receiver->begin_segment(merge->receiver->userdata);
        r = window_open(window, merge->input, segment, merge->bounds, error);
        if (r < 0) {
                window_close(window);
                if (segment->name)
                        error_prefix(error, "%s", segment->name);
                return r;
        }
        if (window->decoder)
                merge->n_open++;
        return 0;
}

static Window *merge_earliest(Merge *merge) {
        Window *earliest = NULL;

        for (size_t i = 0; i < merge->n_open; i++)
                if (!earliest || merge->windows[i].head.record->ts < earliest->head.record->ts)
                        earliest = &merge->windows[i];
        return earliest;
}

/* The window with the next record; NULL at the end of everything. */
static int merge_choose(Merge *merge, Error *error, Window **ret) {
        for (;;) {
                Window *window = merge_earliest(merge);
                int r;

                if (merge->n_opened == merge->input->n_segments ||
                    (window && window->head.record->ts < merge->input->starts[merge->n_opened].ts)) {
                        *ret = window;
                        return 0;
                }
                r = merge_open_next(merge, error);
                if (r < 0)
                        return r;
        }
}

static void merge_advance(Merge *merge, Window *window) {
        size_t behind = (size_t) (merge->windows + merge->n_open - window) - 1;

        window_advance(window);
        if (window->decoder)
                return;
        memmove(window, window + 1, behind * sizeof(*window));
        merge->n_open--;
}

/* 0, also when the receiver had enough; or a failure. */
static int read_segments(const Input *input, const Bounds *bounds, const Receiver *receiver, Error *error) {
        CLEANUP(merge_clear) Merge merge = { .input = input, .bounds = bounds, .receiver = receiver };
        Window *window;
        int r;

        merge.windows = calloc(input->n_segments, sizeof(*merge.windows));
        if (!merge.windows)
                return -ENOMEM;
        for (uint64_t n = 1; (r = merge_choose(&merge, error, &window)) == 0 && window; n++) {
                const DecoderRecord *record = &window->head;

                if (record_filter_is_past(window->filter, record))
                        break;
                if (n % STALL_RECORDS == 0)
                        watch_stall(0);
                r = receiver->record(receiver->userdata, record, window->has_time,
                                     record_filter_match(window->filter, record));
                if (r != 0)
                        break;
                merge_advance(&merge, window);
        }
        return r < 0 ? r : 0;
}

/* Time stamp of a segment's first record; 0 when it has none. */
static int find_start(const ReportSegment *segment, uint64_t *ret) {
        CLEANUP(decoder_freep) Decoder *decoder = NULL;
        DecoderRecord record;
        struct stat st;
        int r;

        if (fstat(segment->fd, &st) < 0)
                return -errno;
        watch_stall(st.st_size);
        r = decoder_open(segment->fd, NULL, &decoder);
        if (r < 0)
                return r;
        *ret = decoder_next(decoder, &record) > 0 ? record.record->ts : 0;
        return 0;
}

static int compare_starts(const void *a, const void *b) {
        const SegmentStart *x = a, *y = b;

        if (x->ts != y->ts)
                return x->ts < y->ts ? -1 : 1;
        return (x->segment > y->segment) - (x->segment < y->segment);
}

/* The caller frees the array. */
static int find_starts(const ReportSegment *segments, size_t n_segments, SegmentStart **ret) {
        SegmentStart *starts = calloc(n_segments, sizeof(*starts));
        uint64_t ts = 0;

        if (!starts)
                return -ENOMEM;
        for (size_t i = 0; i < n_segments; i++) {
                /* One that cannot be read fails when its turn comes, after what was recorded before it. */
                if (n_segments > 1)
                        (void) find_start(&segments[i], &ts);
                starts[i] = (SegmentStart){ .segment = &segments[i], .ts = ts };
        }
        qsort(starts, n_segments, sizeof(*starts), compare_starts);
        *ret = starts;
        return 0;
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

static void printer_begin_segment(void *userdata) {
        Printer *printer = userdata;

        if (printer->summary)
                summary_begin_segment(printer->summary);
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
                  volatile DecodePhase *phase, Error *error) {
        CLEANUP_FREE SegmentStart *starts = NULL;
        CLEANUP(printer_clear) Printer printer = { .options = options, .out = out };
        int r;

        *phase = DECODE_READING;
        render_text_init(&printer.text, out, options->color, options->nanoseconds);
        render_json_init(&printer.json, out, options->pretty);
        r = find_starts(segments, n_segments, &starts);
        if (r >= 0 && options->summary)
                r = summary_new(&printer.summary);
        if (r >= 0)
                r = print(&printer, &(Input){ options, starts, n_segments, phase }, error);
        decode_watch_stall(0);
        errno = 0;
        if ((fflush(out) != 0 || ferror(out)) && r >= 0)
                r = -(errno ?: EIO);
        if (r < 0 && r != -EPIPE)
                (void) error_set_errno(error, r, "cannot be printed");
        return r;
}
