/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "client/decoder.h"
#include "client/graph.h"
#include "client/record-queue.h"
#include "client/trace-file.h"

#define INSTANCES_MAX 1024
#define COMM_SIZE 64 /* the kernel's TASK_COMM_LEN is 16 */

/* The records of one CPU in one buffer. */
typedef struct Stream {
        struct tracecmd_input *input; /* borrowed */
        const char *instance;         /* borrowed */
        int cpu;
        bool drained;
        struct tep_record *head; /* the next one, once it was asked for; owned */
        RecordQueue queue;       /* when live: those after it */
} Stream;

struct Decoder {
        TraceFile file;
        struct tracecmd_input *input;
        struct tracecmd_input **instances;
        size_t n_instances;
        Stream *streams;
        size_t n_streams;
        struct tep_record *record; /* that the caller has; owned */
        Stream *current;           /* the stream it came from; NULL: look at all of them next time */
        uint64_t others_ts;        /* the earliest head of all other streams; UINT64_MAX: they have none */
        bool others_first;         /* that head stands before `current`, so it wins when the times are equal */
        bool live;
        uint64_t limit;               /* later records are not given out */
        struct tep_event *graph_exit; /* NULL: the file has no calls, or they are not to be folded */
};

static void free_record(const Decoder *decoder, struct tep_record *record) {
        if (decoder->live)
                record_queue_free(record);
        else
                tracecmd_free_record(record);
}

void decoder_free(Decoder *decoder) {
        if (!decoder)
                return;
        free_record(decoder, decoder->record);
        for (size_t i = 0; i < decoder->n_streams; i++) {
                free_record(decoder, decoder->streams[i].head);
                record_queue_clear(&decoder->streams[i].queue);
        }
        for (size_t i = 0; i < decoder->n_instances; i++)
                tracecmd_close(decoder->instances[i]);
        tracecmd_close(decoder->input);
        trace_file_clear(&decoder->file);
        free(decoder->streams);
        free(decoder->instances);
        free(decoder);
}

/* Takes `fd`. */
static int open_input(int fd, Error *error, struct tracecmd_input **ret) {
        struct tracecmd_input *input;

        /* The library says in warnings, for a person, what it also returns. */
        tracecmd_set_loglevel(TEP_LOG_NONE);
        tep_set_loglevel(TEP_LOG_NONE);
        if (lseek(fd, 0, SEEK_SET) < 0) {
                int r = -errno;

                (void) close(fd);
                return error_set_errno(error, r, "cannot be read from its start");
        }
        input = tracecmd_open_fd(fd, 0);
        if (!input) {
                /* Depending on how far it came, the library has closed the descriptor. No other thread can
                 * have opened one in between. */
                if (fcntl(fd, F_GETFD) >= 0)
                        (void) close(fd);
                return error_set(error, ERROR_INVALID_ARGUMENT,
                                 "damaged, or compressed in a way that is not supported");
        }
        *ret = input;
        return 0;
}

static int open_instances(Decoder *decoder, Error *error) {
        int n = tracecmd_buffer_instances(decoder->input);

        if (n <= 0)
                return 0;
        if (n > INSTANCES_MAX)
                return error_set(error, ERROR_INVALID_ARGUMENT, "damaged: %d trace instances", n);
        decoder->instances = calloc((size_t) n, sizeof(*decoder->instances));
        if (!decoder->instances)
                return error_set(error, ERROR_NO_MEMORY, "out of memory");
        for (int i = 0; i < n; i++) {
                struct tracecmd_input *input = tracecmd_buffer_instance_handle(decoder->input, i);

                if (!input)
                        return error_set(error, ERROR_INVALID_ARGUMENT, "damaged: no data of trace instance %d",
                                         i + 1);
                decoder->instances[decoder->n_instances++] = input;
        }
        return 0;
}

static void add_streams(Decoder *decoder, struct tracecmd_input *input, const char *instance) {
        for (unsigned cpu = 0; cpu < decoder->file.n_cpus; cpu++) {
                Stream *stream = &decoder->streams[decoder->n_streams++];

                *stream = (Stream){ .input = input, .instance = instance ?: "", .cpu = (int) cpu };
                record_queue_init(&stream->queue, stream->cpu);
        }
}

static int make_streams(Decoder *decoder, Error *error) {
        decoder->streams = calloc((decoder->n_instances + 1) * decoder->file.n_cpus, sizeof(*decoder->streams));
        if (!decoder->streams)
                return error_set(error, ERROR_NO_MEMORY, "out of memory");
        add_streams(decoder, decoder->input, "");
        for (size_t i = 0; i < decoder->n_instances; i++)
                add_streams(decoder, decoder->instances[i], tracecmd_buffer_instance_name(decoder->input, (int) i));
        return 0;
}

static void fill(const Decoder *decoder, Stream *stream) {
        if (stream->head || stream->drained)
                return;
        if (decoder->live) {
                stream->head = record_queue_take(&stream->queue);
                return;
        }
        stream->head = tracecmd_read_data(stream->input, stream->cpu);
        stream->drained = !stream->head;
}

/* The stream that has the record after the present one in the same buffer. */
static Stream *find_next(Decoder *decoder, const struct tracecmd_input *input) {
        Stream *next = NULL;

        for (size_t i = 0; i < decoder->n_streams; i++) {
                Stream *stream = &decoder->streams[i];

                if (stream->input != input)
                        continue;
                fill(decoder, stream);
                if (stream->head && (!next || stream->head->ts < next->head->ts))
                        next = stream;
        }
        return next;
}

/* In place of the library's printer of calls; the one of returns shows the record alone, and stays. */
static int print_call(struct trace_seq *seq, struct tep_record *record, struct tep_event *event, void *context) {
        Decoder *decoder = context;
        struct tep_event *exit = decoder->graph_exit;
        Stream *next = NULL;

        if (exit && record == decoder->record && decoder->current)
                next = find_next(decoder, decoder->current->input);
        if (next && !graph_is_return(event, record, exit, next->head))
                next = NULL;
        graph_print_entry(seq, event, record, exit, next ? next->head : NULL);
        if (!next)
                return 0;
        /* It is in the line of its call. */
        free_record(decoder, next->head);
        next->head = NULL;
        decoder->current = NULL;
        return 0;
}

int decoder_open(int fd, Error *error, Decoder **ret) {
        CLEANUP(decoder_freep) Decoder *decoder = NULL;
        CLEANUP_CLOSE int own = -1;
        int r;

        decoder = calloc(1, sizeof(*decoder));
        if (!decoder)
                return error_set(error, ERROR_NO_MEMORY, "out of memory");
        decoder->limit = UINT64_MAX;
        own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (own < 0)
                return error_set_errno(error, -errno, "cannot be opened again");
        r = trace_file_scan(own, error, &decoder->file);
        if (r >= 0)
                r = open_input(steal_fd(&own), error, &decoder->input);
        if (r >= 0)
                r = open_instances(decoder, error);
        if (r >= 0)
                r = make_streams(decoder, error);
        if (r < 0)
                return r;
        if (tep_register_event_handler(tracecmd_get_tep(decoder->input), -1, GRAPH_SYSTEM, GRAPH_ENTRY, print_call,
                                       decoder) < 0)
                return error_set(error, ERROR_NO_MEMORY, "out of memory");
        *ret = STEAL_PTR(decoder);
        return 0;
}

/* The stream with the earliest head; the first of those whose heads are equally early. */
static Stream *choose(Decoder *decoder) {
        Stream *first = NULL, *second = NULL;

        for (size_t i = 0; i < decoder->n_streams; i++) {
                Stream *stream = &decoder->streams[i];

                fill(decoder, stream);
                if (!stream->head)
                        continue;
                if (!first || stream->head->ts < first->head->ts) {
                        second = first;
                        first = stream;
                } else if (!second || stream->head->ts < second->head->ts)
                        second = stream;
        }
        decoder->others_ts = second ? second->head->ts : UINT64_MAX;
        decoder->others_first = second && second < first;
        return first;
}

static Stream *advance(Decoder *decoder) {
        Stream *current = decoder->current;

        if (current) {
                fill(decoder, current);
                if (current->head && (current->head->ts < decoder->others_ts ||
                                      (current->head->ts == decoder->others_ts && !decoder->others_first)))
                        return current;
        }
        return choose(decoder);
}

void decoder_fold_calls(Decoder *decoder) {
        decoder->graph_exit = tep_find_event_by_name(tracecmd_get_tep(decoder->input), GRAPH_SYSTEM, GRAPH_EXIT);
}

static void learn(struct tep_handle *tep, struct tep_event *event, const struct tep_record *record,
                  const char *pid_field, const char *comm_field) {
        struct tep_format_field *pid = tep_find_field(event, pid_field), *comm = tep_find_field(event, comm_field);
        char name[COMM_SIZE];
        unsigned long long number;
        size_t n;

        if (!pid || !comm || comm->offset < 0 || comm->size <= 0 || comm->offset > record->size - comm->size ||
            tep_read_number_field(pid, record->data, &number) < 0 || number == 0 || number > INT_MAX ||
            tep_is_pid_registered(tep, (int) number))
                return;
        n = strnlen((const char *) record->data + comm->offset, (size_t) comm->size);
        if (n >= sizeof(name))
                return;
        memcpy(name, (const char *) record->data + comm->offset, n);
        name[n] = '\0';
        (void) tep_register_comm(tep, name, (int) number);
}

/* Names of threads that the file's own table does not have. libtraceevent's plugin for these events learns
 * them as well, but only when a record is printed, so that a name would depend on what is selected. */
static void learn_comms(struct tep_handle *tep, struct tep_event *event, const struct tep_record *record) {
        if (strcmp(event->system, "sched") != 0)
                return;
        if (strcmp(event->name, "sched_switch") == 0) {
                learn(tep, event, record, "prev_pid", "prev_comm");
                learn(tep, event, record, "next_pid", "next_comm");
        } else if (strcmp(event->name, "sched_wakeup") == 0 || strcmp(event->name, "sched_wakeup_new") == 0)
                learn(tep, event, record, "pid", "comm");
}

int decoder_next(Decoder *decoder, DecoderRecord *ret) {
        struct tep_handle *tep = tracecmd_get_tep(decoder->input);
        Stream *stream = advance(decoder);
        struct tep_event *event;
        const char *comm;
        int pid;

        free_record(decoder, decoder->record);
        decoder->record = NULL;
        decoder->current = stream;
        if (!stream || stream->head->ts > decoder->limit)
                return 0;
        decoder->record = STEAL_PTR(stream->head);
        pid = tep_data_pid(tep, decoder->record);
        comm = tep_data_comm_from_pid(tep, pid);
        event = tep_find_event_by_record(tep, decoder->record);
        *ret = (DecoderRecord){
                .tep = tep,
                .event = event,
                .record = decoder->record,
                .instance = stream->instance,
                .pid = pid,
                .comm = comm ?: "<...>",
                .lost = decoder->record->missed_events,
        };
        /* What a record says holds from the next one on, as in trace-cmd report. */
        if (event)
                learn_comms(tep, event, decoder->record);
        return 1;
}

void decoder_go_live(Decoder *decoder) {
        /* The file has no records. */
        decoder->live = true;
}

int decoder_add_page(Decoder *decoder, unsigned cpu, const void *page, size_t size, uint64_t *ret_last) {
        if (cpu >= decoder->file.n_cpus)
                return -EBADMSG;
        decoder->current = NULL;
        return record_queue_add_page(&decoder->streams[cpu].queue, page, size, ret_last);
}

void decoder_add_lost(Decoder *decoder, unsigned cpu, uint64_t events) {
        if (cpu < decoder->file.n_cpus)
                record_queue_add_lost(&decoder->streams[cpu].queue, events);
}

void decoder_set_limit(Decoder *decoder, uint64_t limit) {
        decoder->limit = limit;
}

int decoder_set_comm(Decoder *decoder, int pid, const char *comm) {
        struct tep_handle *tep = tracecmd_get_tep(decoder->input);
        const char *before = tep_data_comm_from_pid(tep, pid);

        /* Nearly always; and the library copies its table for each that is new. */
        if (before && strcmp(before, comm) == 0)
                return 0;
        return tep_override_comm(tep, comm, pid) < 0 ? -ENOMEM : 0;
}

struct tep_handle *decoder_tep(Decoder *decoder) {
        return tracecmd_get_tep(decoder->input);
}

bool decoder_has_time(const Decoder *decoder) {
        return trace_file_has_time(&decoder->file);
}
