/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "capture/pump.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "capture/pump-private.h"
#include "core/strv.h"

void pump_report_free(PumpReport *report) {
        if (!report)
                return;

        error_clear(&report->error);
        free(report->losses);
        metadata_free(report->metadata);
        free(report);
}

static void pump_report_free_item(MailboxItem *item) {
        pump_report_free((PumpReport *) item);
}

PumpReport *pump_report_new(PumpReportType type, uint64_t sink_id) {
        PumpReport *report = calloc(1, sizeof(*report));

        if (!report)
                return NULL;
        report->item.free = pump_report_free_item;
        report->type = type;
        report->sink_id = sink_id;
        return report;
}

void pump_post(Pump *pump, PumpReport *report) {
        if (report)
                mailbox_post(pump->reports, &report->item);
}

static void pump_command_free(MailboxItem *item) {
        PumpCommand *command = (PumpCommand *) item;

        if (!command)
                return;
        sink_free(command->sink);
        pump_report_free(command->report);
        free(command->reason);
        closep(&command->fd);
        free(command);
}

static void pump_command_freep(PumpCommand **command) {
        pump_command_free((MailboxItem *) *command);
}

static int command_new(PumpCommandType type, uint64_t sink_id, const char *reason, PumpCommand **ret) {
        static const PumpReportType reports[] = {
                [PUMP_COMMAND_ADD] = PUMP_SINK_CLOSED,  [PUMP_COMMAND_SNAPSHOT] = PUMP_SINK_CLOSED,
                [PUMP_COMMAND_ROTATE] = PUMP_ROTATED,   [PUMP_COMMAND_CLEAR] = PUMP_CLEARED,
                [PUMP_COMMAND_MEASURE] = PUMP_MEASURED, [PUMP_COMMAND_RESIZE] = PUMP_RESIZED,
        };
        CLEANUP(pump_command_freep) PumpCommand *command = NULL;

        command = calloc(1, sizeof(*command));
        if (!command)
                return -ENOMEM;
        command->item.free = pump_command_free;
        command->type = type;
        command->fd = -1;
        command->sink_id = sink_id;
        if (type <= PUMP_COMMAND_RESIZE) {
                command->report = pump_report_new(reports[type], sink_id);
                if (!command->report)
                        return -ENOMEM;
        }
        if (reason) {
                command->reason = strdup(reason);
                if (!command->reason)
                        return -ENOMEM;
        }

        *ret = STEAL_PTR(command);
        return 0;
}

static int post_command(Pump *pump, PumpCommandType type, uint64_t sink_id, const char *reason) {
        PumpCommand *command;
        int r;

        r = command_new(type, sink_id, reason, &command);
        if (r < 0)
                return r;
        mailbox_post(pump->commands, &command->item);
        return 0;
}

int pump_add_sink(Pump *pump, uint64_t sink_id, Sink *sink) {
        PumpCommand *command;
        int r;

        r = command_new(PUMP_COMMAND_ADD, sink_id, NULL, &command);
        if (r < 0)
                return r;
        command->sink = sink;
        mailbox_post(pump->commands, &command->item);
        return 0;
}

int pump_snapshot(Pump *pump, uint64_t sink_id, const char *reason, Sink *sink) {
        PumpCommand *command;
        int r;

        r = command_new(PUMP_COMMAND_SNAPSHOT, sink_id, reason, &command);
        if (r < 0)
                return r;
        command->sink = sink;
        mailbox_post(pump->commands, &command->item);
        return 0;
}

int pump_measure(Pump *pump, uint64_t tag) {
        return post_command(pump, PUMP_COMMAND_MEASURE, tag, NULL);
}

int pump_resize(Pump *pump, uint64_t size) {
        PumpCommand *command;
        int r;

        r = command_new(PUMP_COMMAND_RESIZE, 0, NULL, &command);
        if (r < 0)
                return r;
        command->size = size;
        mailbox_post(pump->commands, &command->item);
        return 0;
}

int pump_add_stream_fd(Pump *pump, uint64_t sink_id, int fd) {
        PumpCommand *command;
        int r;

        r = command_new(PUMP_COMMAND_STREAM, sink_id, NULL, &command);
        if (r < 0)
                return r;
        command->fd = fd;
        mailbox_post(pump->commands, &command->item);
        return 0;
}

int pump_note_thinned(Pump *pump, uint64_t sink_id, const char *event) {
        return post_command(pump, PUMP_COMMAND_NOTE_THINNED, sink_id, event);
}

int pump_rotate(Pump *pump, uint64_t sink_id) {
        return post_command(pump, PUMP_COMMAND_ROTATE, sink_id, NULL);
}

int pump_clear(Pump *pump, uint64_t sink_id) {
        return post_command(pump, PUMP_COMMAND_CLEAR, sink_id, NULL);
}

int pump_remove_sink(Pump *pump, uint64_t sink_id, const char *reason) {
        return post_command(pump, PUMP_COMMAND_REMOVE, sink_id, reason);
}

int pump_stop(Pump *pump, const char *reason) {
        return post_command(pump, PUMP_COMMAND_STOP, 0, reason);
}

int pump_fd(const Pump *pump) {
        return mailbox_fd(pump->reports);
}

PumpReport *pump_take_report(Pump *pump) {
        return (PumpReport *) mailbox_take(pump->reports);
}

/* Frees a pump whose threads do not run. */
static void pump_release(Pump *pump) {
        if (!pump)
                return;

        mailbox_free(pump->commands);
        mailbox_free(pump->reports);
        mailbox_free(pump->jobs);
        mailbox_free(pump->closed);
        pump_report_free(pump->finished);
        closing_segment_free(pump->last_job);
        closing_segment_free(pump->previous);
        free(pump->previous_stats);
        free(pump->measured_stats);
        free(pump->sized_stats);
        free(pump->begins);
        error_clear(&pump->setup_error);
        trace_formats_free(pump->formats);
        comm_map_free(pump->comms);
        strv_free(pump->systems);
        strv_free(pump->events);
        free(pump->fds);
        free(pump);
}
DEFINE_POINTER_CLEANUP(Pump, pump_release);

void pump_free(Pump *pump) {
        if (!pump)
                return;

        (void) pthread_join(pump->thread, NULL);
        pump_release(pump);
}

static void closing_free_item(MailboxItem *item) {
        closing_segment_free((ClosingSegment *) item);
}

static int start_threads(Pump *pump) {
        sigset_t all, old;
        int r;

        /* The threads inherit the mask. SIGXFSZ among others: a limit on file sizes is then an EFBIG. */
        (void) sigfillset(&all);
        (void) pthread_sigmask(SIG_SETMASK, &all, &old);
        r = -pthread_create(&pump->closer, NULL, pump_closer_thread, pump);
        if (r == 0) {
                r = -pthread_create(&pump->thread, NULL, pump_thread, pump);
                if (r < 0) {
                        mailbox_post(pump->jobs, &STEAL_PTR(pump->last_job)->item);
                        (void) pthread_join(pump->closer, NULL);
                }
        }
        (void) pthread_sigmask(SIG_SETMASK, &old, NULL);
        return r;
}

int pump_new(const PumpConfig *config, Error *error, Pump **ret) {
        CLEANUP(pump_releasep) Pump *pump = NULL;
        int r;

        pump = calloc(1, sizeof(*pump));
        if (!pump)
                return error_set_errno(error, -ENOMEM, "Failed to set up the pump");
        TAILQ_INIT(&pump->sinks);
        TAILQ_INIT(&pump->streams);
        pump->instance = config->instance;
        pump->symbols = config->symbols;
        pump->ring = config->ring;
        pump->pauses = config->pauses;
        pump->finished = pump_report_new(PUMP_FINISHED, 0);
        pump->last_job = calloc(1, sizeof(*pump->last_job));
        pump->fds = calloc(2 + instance_cpus(pump->instance)->n_cpus, sizeof(pump->fds[0]));
        if (!pump->finished || !pump->last_job || !pump->fds)
                return error_set_errno(error, -ENOMEM, "Failed to set up the pump");
        pump->last_job->item.free = closing_free_item;
        pump->last_job->fd = -1;

        r = strv_copy(config->systems, &pump->systems);
        if (r >= 0 && config->events)
                r = strv_copy(config->events, &pump->events);
        if (r >= 0)
                r = comm_map_new(&pump->comms);
        if (r >= 0)
                r = mailbox_new(&pump->commands);
        if (r >= 0)
                r = mailbox_new(&pump->reports);
        if (r >= 0)
                r = mailbox_new(&pump->jobs);
        if (r >= 0)
                r = mailbox_new(&pump->closed);
        if (r >= 0)
                r = start_threads(pump);
        if (r < 0)
                return error_set_errno(error, r, "Failed to set up the pump");

        *ret = STEAL_PTR(pump);
        return 0;
}
