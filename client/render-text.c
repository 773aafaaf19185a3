/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <inttypes.h>
#include <string.h>

#include "client/escape.h"
#include "client/render-text.h"

#define NSEC_PER_SEC UINT64_C(1000000000)
#define NSEC_PER_USEC UINT64_C(1000)
#define COMM_WIDTH 16U
#define EVENT_WIDTH 20U

#define COLOR_OFF "\x1b[0m"
#define COLOR_LOST "\x1b[1;31m"
#define COLOR_TIME "\x1b[90m"
#define COLOR_EVENT "\x1b[1m"

void render_text_init(RenderText *render, FILE *out, bool color, bool nanoseconds) {
        *render = (RenderText){ .out = out, .color = color, .nanoseconds = nanoseconds };
        trace_seq_init(&render->info);
}

void render_text_clear(RenderText *render) {
        trace_seq_destroy(&render->info);
}

const char *render_info(struct trace_seq *seq, const DecoderRecord *record, size_t *ret_n) {
        trace_seq_reset(seq);
        tep_print_event(record->tep, seq, record->record, "%s", TEP_PRINT_INFO);
        /* Out of memory: there may be no buffer. */
        if (seq->state != TRACE_SEQ__GOOD) {
                *ret_n = 0;
                return "";
        }
        if (seq->len > 0 && seq->buffer[seq->len - 1] == '\n')
                seq->len--;
        trace_seq_terminate(seq);
        *ret_n = seq->len;
        return seq->buffer;
}

static void set_color(const RenderText *render, const char *color) {
        if (render->color)
                (void) fputs_unlocked(color, render->out);
}

static void print_padded(const RenderText *render, const char *text, size_t width, bool right) {
        size_t n = strlen(text);
        int padding = n < width ? (int) (width - n) : 0;

        if (right)
                fprintf(render->out, "%*s", padding, "");
        escape_print(render->out, text, n);
        if (!right)
                fprintf(render->out, "%*s", padding, "");
}

static void print_instance(const RenderText *render, const DecoderRecord *record) {
        if (*record->instance == '\0')
                return;
        escape_print(render->out, record->instance, strlen(record->instance));
        (void) fputs_unlocked(": ", render->out);
}

void render_text_lost(RenderText *render, const DecoderRecord *record) {
        print_instance(render, record);
        set_color(render, COLOR_LOST);
        if (record->lost > 0)
                fprintf(render->out, "CPU:%d [%" PRIi64 " EVENTS DROPPED]", record->record->cpu, record->lost);
        else
                fprintf(render->out, "CPU:%d [EVENTS DROPPED]", record->record->cpu);
        set_color(render, COLOR_OFF);
        (void) fputc_unlocked('\n', render->out);
}

static void print_time(const RenderText *render, uint64_t ts, bool has_time) {
        if (!has_time)
                fprintf(render->out, " %12" PRIu64 ":", ts);
        else if (render->nanoseconds)
                fprintf(render->out, " %5" PRIu64 ".%09" PRIu64 ":", ts / NSEC_PER_SEC, ts % NSEC_PER_SEC);
        else {
                /* Rounded, as trace-cmd does. */
                uint64_t usec = ts / NSEC_PER_USEC + (ts % NSEC_PER_USEC >= NSEC_PER_USEC / 2);

                fprintf(render->out, " %5" PRIu64 ".%06" PRIu64 ":", usec / (NSEC_PER_SEC / NSEC_PER_USEC),
                        usec % (NSEC_PER_SEC / NSEC_PER_USEC));
        }
}

void render_text_record(RenderText *render, const DecoderRecord *record, bool has_time) {
        const char *name = record->event ? record->event->name : "(NULL)", *info;
        size_t n;

        print_instance(render, record);
        print_padded(render, record->comm, COMM_WIDTH, true);
        fprintf(render->out, "-%-5d [%03d]", record->pid, record->record->cpu);
        set_color(render, COLOR_TIME);
        print_time(render, record->record->ts, has_time);
        set_color(render, COLOR_OFF);
        (void) fputc_unlocked(' ', render->out);
        set_color(render, COLOR_EVENT);
        escape_print(render->out, name, strlen(name));
        set_color(render, COLOR_OFF);
        (void) fputs_unlocked(": ", render->out);
        if (strlen(name) < EVENT_WIDTH)
                fprintf(render->out, "%*s", (int) (EVENT_WIDTH - strlen(name)), "");
        info = render_info(&render->info, record, &n);
        escape_print(render->out, info, n);
        (void) fputc_unlocked('\n', render->out);
}
