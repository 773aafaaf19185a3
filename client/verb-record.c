/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `ktracectl record`: a session for the length of this command.
 *
 * The course is a straight line: prepare, start, run, stop, report. While it waits for the daemon it runs the
 * event loop, whose callbacks only note what happened.
 */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "client/bus-capture.h"
#include "client/bus-manager.h"
#include "client/bus-session.h"
#include "client/exec-child.h"
#include "client/json-print.h"
#include "client/output-file.h"
#include "client/program.h"
#include "client/rates.h"
#include "client/record-scope.h"
#include "client/verb.h"
#include "core/json-text.h"
#include "core/parse.h"
#include "core/spec.h"
#include "ktraced/clock.h"

#define UPDATE_INTERVAL (1000ULL * 1000)

enum {
        OPTION_NAME = OPTION_AFTER_SPEC,
};

typedef struct Recording {
        const Globals *globals;
        SpecArgs spec;
        const char *name;
        const char *output_path;
        bool follow;
        char **program_argv; /* NULL: no program */

        OutputFile output;
        Program program;
        BusClient *client;
        sd_event_source *timer;
        char *session; /* path */
        SessionStatus status;
        CaptureStatus capture;
        uint64_t started, ended; /* monotonic, usec */
        bool starting;           /* a signal gives up instead of stopping */
        bool interrupted;
        bool needs_update;
        bool over; /* the session ended by itself, or went away */
        bool failed;
        bool showing_progress;
} Recording;

static void recording_clear(Recording *recording) {
        program_clear(&recording->program);
        sd_event_source_disable_unref(recording->timer);
        /* An attached session goes with the connection. */
        bus_client_free(recording->client);
        output_file_clear(&recording->output);
        session_status_clear(&recording->status);
        capture_status_clear(&recording->capture);
        spec_args_clear(&recording->spec);
        free(recording->session);
}

/* What happens while the loop runs. */

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        Recording *recording = userdata;

        recording->interrupted = true;
        if (recording->starting)
                bus_client_cancel(recording->client);
        /* What comes from the terminal has reached the program too; what kill(1) sent has not. */
        if (info->ssi_code <= 0)
                program_signal(&recording->program, (int) info->ssi_signo);
        return 0;
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata) {
        Recording *recording = userdata;
        int r;

        recording->needs_update = true;
        r = sd_event_source_set_time_relative(source, UPDATE_INTERVAL);
        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_change(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        Recording *recording = userdata;

        recording->needs_update = true;
        return 0;
}

/* The progress line. */

static void clear_progress(Recording *recording) {
        if (recording->showing_progress)
                fputs("\r\033[K", stderr);
        recording->showing_progress = false;
}

static void show_progress(Recording *recording) {
        const SessionStatus *status = &recording->status;
        uint64_t seconds = (clock_usec(CLOCK_MONOTONIC) - recording->started) / 1000000;
        char bytes[32];

        if (seconds == 0 || recording->globals->quiet || recording->globals->json != JSON_OFF ||
            !isatty(STDERR_FILENO))
                return;
        fprintf(stderr, "\r\033[K%" PRIu64 ":%02" PRIu64 "  %" PRIu64 " events  %s  %" PRIu64 " lost", seconds / 60,
                seconds % 60, status->events, format_size(status->bytes, bytes, sizeof(bytes)), status->lost);
        recording->showing_progress = true;
}

static void update(Recording *recording) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        int r;

        recording->needs_update = false;
        if (recording->over)
                return;
        r = bus_session_get_status(recording->client, recording->session, &error, &recording->status);
        if (r < 0) {
                clear_progress(recording);
                (void) verb_failed(&error, "ask for the state of the session");
                recording->failed = recording->over = true;
                return;
        }
        if (strcmp(recording->status.state, "stopped") == 0 || strcmp(recording->status.state, "failed") == 0)
                recording->over = true;
        show_progress(recording);
}

/* Preparing and starting. */

static int watch_events(Recording *recording) {
        sd_event *event = recording->client->event;
        int r;

        r = sd_event_add_signal(event, NULL, SIGINT, on_signal, recording);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGTERM, on_signal, recording);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGHUP, on_signal, recording);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &recording->timer, CLOCK_MONOTONIC, UPDATE_INTERVAL, 0, on_time,
                                               recording);
        return r;
}

static int prepare(Recording *recording) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        int r;

        r = exec_child_block_signals();
        if (r < 0)
                return verb_failed_errno(r, "block signals");
        if (recording->output_path) {
                r = output_file_open(&recording->output, recording->output_path, &error);
                if (r < 0)
                        return verb_failed(&error, "prepare the output file");
                recording->spec.output = recording->output.fd;
        }
        r = bus_client_new(recording->globals, &error, &recording->client);
        if (r < 0)
                return verb_failed(&error, "connect to ktraced");
        r = watch_events(recording);
        if (r < 0)
                return verb_failed_errno(r, "set the event loop up");
        return EXIT_SUCCESS;
}

static bool is_self(const Recording *recording) {
        return recording->spec.scope && strcmp(recording->spec.scope, SPEC_SCOPE_SELF) == 0;
}

/* One try with the scope as it is in the spec; 1 when it is too narrow, or polkit would have to ask and cannot. */
static int try_start(Recording *recording, Error *error) {
        bool self = is_self(recording);
        int r;

        if (recording->program_argv) {
                program_clear(&recording->program);
                r = program_fork(&recording->program, recording->client->event, recording->program_argv, self);
                if (r < 0)
                        return error_set_errno(error, r, "Cannot make a process for %s", recording->program_argv[0]);
        }
        if (recording->program_argv && (self || recording->follow))
                recording->spec.pidfd = recording->program.pidfd;
        else
                recording->spec.pidfd = -1;
        recording->starting = true;
        r = bus_manager_start_session(recording->client, recording->name, &recording->spec, error,
                                      &recording->session);
        recording->starting = false;
        return r < 0 && (error->code == ERROR_OUT_OF_SCOPE || error->code == ERROR_INTERACTION_REQUIRED) ? 1 : r;
}

static int start_with_some_scope(Recording *recording) {
        CLEANUP(error_clear) Error narrow = ERROR_INIT, error = ERROR_INIT;
        bool guessed = record_scope_may_be_self(&recording->spec, recording->globals, recording->program_argv);
        int r = 1, shown;

        if (guessed) {
                recording->spec.scope = SPEC_SCOPE_SELF;
                r = try_start(recording, &narrow);
                /* The same may be granted with the wider scope's action: by a rule, or to one who is asked. */
                if (r > 0 && narrow.code == ERROR_INTERACTION_REQUIRED)
                        recording->follow = recording->spec.children = recording->program_argv != NULL;
                if (r > 0)
                        recording->spec.scope = NULL;
                else if (r < 0)
                        error_move(&error, &narrow);
        }
        if (r > 0 && !recording->interrupted)
                r = try_start(recording, &error);
        /* The session is this user's own: nothing will be asked any more. */
        bus_client_end_agent(recording->client);
        if (r == 0)
                return EXIT_SUCCESS;
        if (recording->interrupted && error.code == ERROR_NONE)
                error_move(&error, &narrow);
        shown = verb_failed(&error, "start recording");
        if (narrow.code == ERROR_OUT_OF_SCOPE)
                fprintf(stderr,
                        "Without authorization only your own programs can be recorded, and not like this: %s\n",
                        error_text(&narrow));
        return shown;
}

static int start(Recording *recording) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        int r = start_with_some_scope(recording);

        if (r != EXIT_SUCCESS)
                return r;
        if (recording->program_argv && is_self(recording) && !recording->globals->quiet)
                record_scope_note_privileges(recording->program_argv[0]);
        recording->started = clock_usec(CLOCK_MONOTONIC);
        if (recording->output_path) {
                r = output_file_keep(&recording->output, &error);
                if (r < 0)
                        return verb_failed(&error, "put the output file in place");
        }
        r = bus_session_watch(recording->client, recording->session, on_change, recording, &error);
        if (r < 0)
                return verb_failed(&error, "watch the session");
        return EXIT_SUCCESS;
}

/* Running and stopping. */

static bool must_stop(const Recording *recording) {
        if (recording->interrupted)
                return true;
        return recording->program_argv ? recording->program.ended : recording->over;
}

static int run(Recording *recording) {
        while (!must_stop(recording)) {
                int r;

                if (recording->needs_update)
                        update(recording);
                if (must_stop(recording))
                        break;
                r = sd_event_run(recording->client->event, UINT64_MAX);
                if (r < 0)
                        return verb_failed_errno(r, "run the event loop");
        }
        return EXIT_SUCCESS;
}

/* Why a session failed, from its description. */
static void print_reason(Recording *recording) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP_JSON struct json_object *description = NULL;
        CLEANUP_FREE char *text = NULL;
        struct json_object *reason;

        if (bus_session_describe(recording->client, recording->session, &error, &text) >= 0)
                description = json_tokener_parse(text);
        if (json_object_object_get_ex(description, "reason", &reason))
                fprintf(stderr, "Recording failed: %s\n", json_object_get_string(reason));
        else
                fprintf(stderr, "Recording failed.\n");
}

/* Stops the session and reads what became of it. */
static void stop(Recording *recording) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        recording->ended = clock_usec(CLOCK_MONOTONIC);
        if (bus_session_stop(recording->client, recording->session, &error) < 0 ||
            bus_session_get_status(recording->client, recording->session, &error, &recording->status) < 0 ||
            (strcmp(recording->status.capture, "/") != 0 &&
             bus_capture_get_status(recording->client, recording->status.capture, &error, &recording->capture) < 0)) {
                clear_progress(recording);
                /* Once is enough when the session is gone altogether. */
                if (!recording->failed)
                        (void) verb_failed(&error, "stop recording");
                recording->failed = true;
                return;
        }
        clear_progress(recording);
        if (strcmp(recording->status.state, "failed") == 0) {
                print_reason(recording);
                recording->failed = true;
        }
}

static void remove_session(Recording *recording) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        if (bus_session_remove(recording->client, recording->session, &error) < 0 && !recording->failed) {
                (void) verb_failed(&error, "remove the session");
                recording->failed = true;
        }
}

/* After an interruption the program may take its time. */
static int wait_for_program(Recording *recording) {
        while (recording->program.released && !recording->program.ended) {
                int r = sd_event_run(recording->client->event, UINT64_MAX);

                if (r < 0)
                        return verb_failed_errno(r, "run the event loop");
        }
        return EXIT_SUCCESS;
}

static int print_json(const Recording *recording, int exit_status) {
        CLEANUP_JSON struct json_object *object = json_object_new_object();
        const char *capture = recording->capture.id;
        int r;

        r = json_add(object, "session", json_object_new_string(recording->status.id));
        if (r >= 0 && recording->output.path)
                r = json_add(object, "file", json_object_new_string(recording->output.path));
        if (r >= 0 && !recording->output.path && capture)
                r = json_add(object, "capture", json_object_new_string(capture));
        if (r >= 0)
                r = json_add(object, "state", json_object_new_string(recording->status.state));
        if (r >= 0)
                r = json_add(object, "events", json_object_new_uint64(recording->status.events));
        if (r >= 0)
                r = json_add(object, "bytes", json_object_new_uint64(recording->status.bytes));
        if (r >= 0)
                r = json_add(object, "lost", json_object_new_uint64(recording->status.lost));
        if (r >= 0)
                r = json_add(object, "segments", json_object_new_uint64(recording->capture.segments));
        if (r >= 0)
                r = json_add(object, "duration", json_object_new_uint64(recording->ended - recording->started));
        if (r >= 0)
                r = json_add(object, "exit_status", json_object_new_int(exit_status));
        if (r < 0)
                return verb_failed_errno(r, "print the summary");
        json_print(recording->globals, object);
        return exit_status;
}

static int print_summary(const Recording *recording, int exit_status) {
        const SessionStatus *status = &recording->status;
        char bytes[32], span[64];

        if (!status->id)
                return exit_status;
        if (status->lost > 0)
                fprintf(stderr, "Warning: %" PRIu64 " events were lost; a larger --buffer-size may help.\n",
                        status->lost);
        if (recording->globals->json != JSON_OFF)
                return print_json(recording, exit_status);
        if (recording->globals->quiet)
                return exit_status;

        fprintf(stderr, "Recorded %" PRIu64 " event%s (%s) in %s, %" PRIu64 " lost.\n", status->events,
                status->events == 1 ? "" : "s", format_size(status->bytes, bytes, sizeof(bytes)),
                format_span((recording->ended - recording->started) / 1000 * 1000, span, sizeof(span)), status->lost);
        if (recording->output.path)
                fprintf(stderr, "File: %s\n", recording->output_path);
        else if (recording->capture.id)
                fprintf(stderr, "Capture: %s (%" PRIu32 " segment%s)\n", recording->capture.id,
                        recording->capture.segments, recording->capture.segments == 1 ? "" : "s");
        return exit_status;
}

/* The program could not be run: what was recorded is of no use to anyone. Returns the exit status a shell
 * would give. */
static int give_up(Recording *recording, int r) {
        CLEANUP(error_clear) Error error = ERROR_INIT;

        (void) verb_failed_errno(r, "run %s", recording->program_argv[0]);
        stop(recording);
        recording->output.kept = false;
        if (!recording->output_path && recording->status.capture && strcmp(recording->status.capture, "/") != 0 &&
            bus_capture_delete(recording->client, recording->status.capture, &error) < 0)
                (void) verb_failed(&error, "delete the capture");
        remove_session(recording);
        return r == -ENOENT ? 127 : 126;
}

static int record(Recording *recording) {
        int exit_status, r;

        exit_status = prepare(recording);
        if (exit_status == EXIT_SUCCESS)
                exit_status = start(recording);
        if (exit_status != EXIT_SUCCESS)
                return exit_status;
        if (recording->program_argv) {
                r = program_release(&recording->program);
                if (r < 0)
                        return give_up(recording, r);
        } else if (!recording->globals->quiet && isatty(STDERR_FILENO))
                fputs("Recording; Ctrl-C ends it.\n", stderr);

        recording->needs_update = true;
        exit_status = run(recording);
        stop(recording);
        remove_session(recording);
        if (exit_status == EXIT_SUCCESS)
                exit_status = wait_for_program(recording);
        if (exit_status == EXIT_SUCCESS && recording->program_argv)
                exit_status = recording->program.exit_status;
        if (exit_status == EXIT_SUCCESS && recording->failed)
                exit_status = EXIT_FAILURE;
        return print_summary(recording, exit_status);
}

/* Without anything to record, a program's system calls and the like are. */
static bool names_anything(const SpecArgs *spec) {
        return spec->events || spec->profile || spec->queries || spec->tracer || spec->probes.definitions ||
               spec->histograms;
}

static ParseResult check(Recording *recording) {
        bool own;

        if (recording->follow && !recording->program_argv) {
                (void) verb_usage("--follow needs a program: ktracectl record --follow ... -- PROGRAM");
                return PARSE_WRONG;
        }
        if (recording->globals->host && (recording->program_argv || recording->output_path)) {
                (void) verb_usage(
                        "With --host neither a program nor --output is possible: the other host has neither.");
                return PARSE_WRONG;
        }
        if (recording->spec.ring_size > 0 || recording->spec.window > 0) {
                (void) verb_usage("%s is for 'session start'; 'session snapshot' then makes a capture.",
                                  recording->spec.window > 0 ? "--window" : "--ring-size");
                return PARSE_WRONG;
        }
        if (recording->program_argv && !names_anything(&recording->spec)) {
                if (record_scope_default_events(&recording->spec) < 0) {
                        (void) verb_usage("Out of memory.");
                        return PARSE_WRONG;
                }
                recording->follow = recording->spec.children = true;
        }
        own = recording->program_argv &&
              (is_self(recording) || record_scope_may_be_self(&recording->spec, recording->globals, true));
        return spec_args_check(&recording->spec, recording->follow || own);
}

static ParseResult parse(Recording *recording, Globals *globals, int argc, char *argv[]) {
        static const struct option options[] = {
                GLOBALS_LONG,
                SPEC_ARGS_LONG,
                { "follow", no_argument, NULL, 'F' },
                { "output", required_argument, NULL, 'o' },
                { "name", required_argument, NULL, OPTION_NAME },
                { NULL, 0, NULL, 0 },
        };
        int c;

        optind = 0;
        while ((c = getopt_long(argc, argv, "+" GLOBALS_SHORT SPEC_ARGS_SHORT "Fo:", options, NULL)) >= 0) {
                ParseResult result = PARSE_GO_ON;

                if (c == 'F')
                        recording->follow = true;
                else if (c == 'o')
                        recording->output_path = optarg;
                else if (c == OPTION_NAME)
                        recording->name = optarg;
                else
                        result = spec_args_take_option(&recording->spec, globals, c, optarg);
                if (result != PARSE_GO_ON)
                        return result;
        }
        if (optind < argc)
                recording->program_argv = argv + optind;
        return check(recording);
}

/* Of what there is: a program that does not run yet has no events that could be counted. */
static int estimate(Recording *recording) {
        if (recording->program_argv || recording->output_path)
                return verb_usage("--dry-run: not with %s.", recording->program_argv
                                                                     ? "a program, which would have to run"
                                                                     : "--output, since nothing is written");
        recording->spec.attached = false;
        if (record_scope_may_be_self(&recording->spec, recording->globals, false))
                recording->spec.scope = SPEC_SCOPE_SELF;
        return rates_estimate(recording->globals, &recording->spec);
}

int verb_record(Globals *globals, int argc, char *argv[]) {
        CLEANUP(recording_clear)
        Recording recording = {
                .globals = globals,
                .name = "",
                .output = OUTPUT_FILE_NONE,
                .program = PROGRAM_NONE,
        };
        ParseResult result;

        spec_args_init(&recording.spec);
        recording.spec.attached = true;
        result = parse(&recording, globals, argc, argv);
        if (result != PARSE_GO_ON)
                return parse_result_to_exit(result);
        if (recording.spec.dry_run)
                return estimate(&recording);
        return record(&recording);
}
