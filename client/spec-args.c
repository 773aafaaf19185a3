/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/spec-args.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

#include "client/verb.h"
#include "core/overhead-guard.h"
#include "core/parse.h"
#include "core/probe.h"
#include "core/spec.h"
#include "core/strv.h"
#include "core/synthetic-event.h"
#include "ktraced/cleanup.h"

/* The name that trace-cmd gives to everything there is, and its pattern. */
#define ALL_EVENTS "all"
#define ALL_EVENTS_PATTERN "*:*"

void spec_args_init(SpecArgs *args) {
        *args = (SpecArgs){ .pidfd = -1, .output = -1 };
}

void spec_args_clear(SpecArgs *args) {
        strv_free(args->events);
        strv_free(args->filters);
        strv_free(args->triggers);
        strv_free(args->histograms);
        strv_free(args->queries);
        strv_free(args->watches);
        strv_free(args->synthetic_events);
        free(args->last_own);
        strv_free(args->options);
        strv_free(args->functions);
        strv_free(args->functions_notrace);
        strv_free(args->graph_functions);
        strv_free(args->graph_notrace);
        free(args->pids);
        probe_args_clear(&args->probes);
        spec_args_init(args);
}

static ParseResult out_of_memory(void) {
        (void) verb_usage("Out of memory.");
        return PARSE_WRONG;
}

static ParseResult wrong(const char *option, const char *argument, const char *expected) {
        (void) verb_usage("%s '%s': expected %s.", option, argument, expected);
        return PARSE_WRONG;
}

static int add_event(SpecArgs *args, const char *pattern) {
        CLEANUP_FREE char *text = NULL;

        if (strcmp(pattern, ALL_EVENTS) == 0)
                pattern = ALL_EVENTS_PATTERN;
        if (asprintf(&text, "%s%s", args->excluding ? "!" : "", pattern) < 0)
                return -ENOMEM;
        return strv_append(&args->events, text);
}

static ParseResult take_events(SpecArgs *args, const char *argument) {
        CLEANUP(strv_freep) char **patterns = NULL;

        if (strv_split(argument, ",", &patterns) < 0)
                return out_of_memory();
        if (strv_length(patterns) == 0)
                return wrong("--event", argument, "an event or a pattern");
        args->last_event = strv_length(args->events);
        free(STEAL_PTR(args->last_own));
        for (size_t i = 0; patterns[i]; i++)
                if (add_event(args, patterns[i]) < 0)
                        return out_of_memory();
        return PARSE_GO_ON;
}

/* Several filters for one pattern must all let an event pass, as in trace-cmd. */
static int add_filter(SpecArgs *args, const char *pattern, const char *expression) {
        int r;

        for (size_t i = 0; args->filters && args->filters[i]; i += 2) {
                char *both;

                if (strcmp(args->filters[i], pattern) != 0)
                        continue;
                if (asprintf(&both, "(%s)&&(%s)", args->filters[i + 1], expression) < 0)
                        return -ENOMEM;
                free(args->filters[i + 1]);
                args->filters[i + 1] = both;
                return 0;
        }
        r = strv_append(&args->filters, pattern);
        return r < 0 ? r : strv_append(&args->filters, expression);
}

/* The events of the newest -e, or the name of the newest --probe or --synthetic. */
static ParseResult newest_events(const SpecArgs *args, const char *option, const char *argument, char ***ret) {
        if (!args->last_own && (!args->events || args->excluding)) {
                (void) verb_usage("%s '%s' must follow the --event, --probe or --synthetic that it is for.", option,
                                  argument);
                return PARSE_WRONG;
        }
        if (!args->last_own)
                return strv_copy(args->events + args->last_event, ret) < 0 ? out_of_memory() : PARSE_GO_ON;
        return strv_append(ret, args->last_own) < 0 ? out_of_memory() : PARSE_GO_ON;
}

static ParseResult take_filter(SpecArgs *args, const char *argument) {
        CLEANUP(strv_freep) char **events = NULL;
        ParseResult result = newest_events(args, "--filter", argument, &events);

        for (size_t n = 0; result == PARSE_GO_ON && events[n]; n++)
                if (add_filter(args, events[n], argument) < 0)
                        return out_of_memory();
        return result;
}

static ParseResult take_pids(SpecArgs *args, const char *argument) {
        CLEANUP(strv_freep) char **words = NULL;

        if (strv_split(argument, ",", &words) < 0)
                return out_of_memory();
        if (strv_length(words) == 0)
                return wrong("--pid", argument, "process ids");
        for (size_t i = 0; words[i]; i++) {
                int32_t *pids;
                uint64_t pid;

                if (parse_unsigned(words[i], &pid) < 0 || pid == 0 || pid > INT32_MAX)
                        return wrong("--pid", words[i], "a process id");
                pids = reallocarray(args->pids, args->n_pids + 1, sizeof(*pids));
                if (!pids)
                        return out_of_memory();
                args->pids = pids;
                args->pids[args->n_pids++] = (int32_t) pid;
        }
        return PARSE_GO_ON;
}

/* Appends the words of a list with commas. */
static ParseResult take_words(const char *argument, char ***to) {
        CLEANUP(strv_freep) char **words = NULL;

        if (strv_split(argument, ",", &words) < 0)
                return out_of_memory();
        for (size_t i = 0; words && words[i]; i++)
                if (strv_append(to, words[i]) < 0)
                        return out_of_memory();
        return PARSE_GO_ON;
}

static ParseResult take_functions(const char *option, const char *argument, char ***to) {
        if (argument[strspn(argument, ",")] == '\0')
                return wrong(option, argument, "a function or a pattern");
        return take_words(argument, to);
}

/* trace-cmd's -b is in KiB: so is a bare number here. */
static ParseResult take_buffer_size(SpecArgs *args, const char *argument) {
        uint64_t number;

        if (parse_unsigned(argument, &number) >= 0) {
                if (number == 0 || number > UINT64_MAX / 1024)
                        return wrong("--buffer-size", argument, "a size");
                args->buffer_size = number * 1024;
                return PARSE_GO_ON;
        }
        if (parse_size(argument, &args->buffer_size) < 0 || args->buffer_size == 0)
                return wrong("--buffer-size", argument, "KiB for each CPU, or a size such as 4M");
        return PARSE_GO_ON;
}

static ParseResult take_size(const char *option, const char *argument, uint64_t *ret) {
        if (parse_size(argument, ret) < 0 || *ret == 0)
                return wrong(option, argument, "a size such as 64M");
        return PARSE_GO_ON;
}

static ParseResult take_span(const char *option, const char *argument, uint64_t *ret) {
        if (parse_span(argument, ret) < 0 || *ret == 0)
                return wrong(option, argument, "a time such as 10s or 5min");
        return PARSE_GO_ON;
}

static ParseResult take_trigger(SpecArgs *args, const char *argument) {
        CLEANUP(strv_freep) char **events = NULL;
        ParseResult result = newest_events(args, "--trigger", argument, &events);

        for (size_t i = 0; result == PARSE_GO_ON && events[i]; i++) {
                CLEANUP_FREE char *text = NULL;

                if (asprintf(&text, "%s %s", events[i], argument) < 0) {
                        text = NULL;
                        return out_of_memory();
                }
                if (strv_append(&args->triggers, text) < 0)
                        return out_of_memory();
        }
        return result;
}

/* By name or number. */
static ParseResult take_user(SpecArgs *args, const char *argument) {
        const struct passwd *user = getpwnam(argument);
        uint64_t number;

        if (user)
                number = user->pw_uid;
        else if (parse_unsigned(argument, &number) < 0 || number > SPEC_USER_MAX)
                return wrong("--user", argument, "a user's name or number");
        args->user = (uid_t) number;
        args->has_user = true;
        return PARSE_GO_ON;
}

/* A filter or trigger can follow, which is for this event. */
static ParseResult set_last_own(SpecArgs *args, const char *name) {
        free(args->last_own);
        args->last_own = strdup(name);
        return args->last_own ? PARSE_GO_ON : out_of_memory();
}

static ParseResult take_probe(SpecArgs *args, const char *argument) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(probe_clear) Probe probe = { 0 };
        int r = probe_args_add(&args->probes, argument, &error);

        /* The definition as it was given may name a program, which the daemon's grammar does not take. */
        if (r >= 0)
                r = probe_parse(args->probes.definitions[strv_length(args->probes.definitions) - 1], &error, &probe);
        if (r >= 0)
                return set_last_own(args, probe.name);
        (void) verb_usage("--probe: %s", error_text(&error));
        return PARSE_WRONG;
}

static ParseResult take_synthetic(SpecArgs *args, const char *argument) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(synthetic_event_clear) SyntheticEvent event = { 0 };

        if (synthetic_event_parse(argument, &error, &event) < 0) {
                (void) verb_usage("--synthetic: %s", error_text(&error));
                return PARSE_WRONG;
        }
        return strv_append(&args->synthetic_events, argument) < 0 ? out_of_memory() : set_last_own(args, event.name);
}

static ParseResult take_segments(SpecArgs *args, const char *argument) {
        if (parse_unsigned(argument, &args->segments) < 0 || args->segments == 0)
                return wrong("--segments", argument, "a number of segments");
        return PARSE_GO_ON;
}

static ParseResult take_graph_depth(SpecArgs *args, const char *argument) {
        if (parse_unsigned(argument, &args->graph_depth) < 0 || args->graph_depth == 0)
                return wrong("--max-graph-depth", argument, "a number of levels");
        return PARSE_GO_ON;
}

/* Those of the tracer and of stack traces. */
static ParseResult take_tracer_option(SpecArgs *args, int c, const char *argument, bool *is_spec) {
        switch (c) {
        case 'p':
                args->tracer = argument;
                return PARSE_GO_ON;
        case 'l':
                return take_functions("--function", argument, &args->functions);
        case 'n':
                return take_functions("--notrace", argument, &args->functions_notrace);
        case 'g':
                return take_functions("--graph-function", argument, &args->graph_functions);
        case OPTION_GRAPH_NOTRACE:
                return take_functions("--graph-notrace", argument, &args->graph_notrace);
        case OPTION_MAX_GRAPH_DEPTH:
                return take_graph_depth(args, argument);
        case 'T':
                return take_words("stacktrace", &args->options);
        case OPTION_USER_STACK:
                return take_words("userstacktrace", &args->options);
        case OPTION_ALL_FUNCTIONS:
                args->all_functions = true;
                return PARSE_GO_ON;
        case OPTION_FUNC_STACK:
                args->function_stacks = true;
                return PARSE_GO_ON;
        default:
                *is_spec = false;
                return PARSE_GO_ON;
        }
}

/* Those of events of one's own, and of what happens upon events. */
static ParseResult take_event_option(SpecArgs *args, int c, const char *argument, bool *is_spec) {
        switch (c) {
        case 'R':
                return take_trigger(args, argument);
        case OPTION_HIST:
                return strv_append(&args->histograms, argument) < 0 ? out_of_memory() : PARSE_GO_ON;
        case OPTION_SQL:
                return strv_append(&args->queries, argument) < 0 ? out_of_memory() : PARSE_GO_ON;
        case OPTION_WATCH_FOR:
                return strv_append(&args->watches, argument) < 0 ? out_of_memory() : PARSE_GO_ON;
        case OPTION_SYNTHETIC:
                return take_synthetic(args, argument);
        case OPTION_PROBE:
                return take_probe(args, argument);
        default:
                return take_tracer_option(args, c, argument, is_spec);
        }
}

/* What recording may cost. */
static ParseResult take_overhead_option(SpecArgs *args, int c, const char *argument, bool *is_spec) {
        switch (c) {
        case OPTION_MAX_EVENT_RATE:
                args->has_max_event_rate = true;
                return parse_unsigned(argument, &args->max_event_rate) >= 0
                               ? PARSE_GO_ON
                               : wrong("--max-event-rate", argument, "a number of events a second, or 0");
        case OPTION_MAX_CPU_SHARE:
                args->has_max_cpu_share = true;
                return parse_percent(argument, &args->max_cpu_share) >= 0
                               ? PARSE_GO_ON
                               : wrong("--max-cpu-share", argument, "a part of the CPUs' time such as 2.5%, or 0");
        case OPTION_OVERHEAD_GRACE:
                args->has_overhead_grace = true;
                return parse_span(argument, &args->overhead_grace) >= 0
                               ? PARSE_GO_ON
                               : wrong("--overhead-grace", argument, "a time such as 10s");
        case OPTION_DRY_RUN:
                args->dry_run = true;
                return PARSE_GO_ON;
        case OPTION_OVERHEAD_POLICY:
                args->overhead_policy = argument;
                return overhead_policy_is_valid(argument)
                               ? PARSE_GO_ON
                               : wrong("--overhead-policy", argument, "warn, thin or stop");
        default:
                return take_event_option(args, c, argument, is_spec);
        }
}

static ParseResult take_spec_option(SpecArgs *args, int c, const char *argument, bool *is_spec) {
        switch (c) {
        case 'e':
                return take_events(args, argument);
        case 'f':
                return take_filter(args, argument);
        case 'v':
                args->excluding = true;
                return PARSE_GO_ON;
        case 'P':
                return take_pids(args, argument);
        case 'c':
                args->children = true;
                return PARSE_GO_ON;
        case 'M':
                args->cpus = argument;
                return PARSE_GO_ON;
        case 'C':
                args->clock = argument;
                return PARSE_GO_ON;
        case 'O':
                return take_words(argument, &args->options);
        case 'b':
                return take_buffer_size(args, argument);
        case OPTION_PROFILE:
                args->profile = argument;
                return PARSE_GO_ON;
        case OPTION_DURATION:
                return take_span("--duration", argument, &args->duration);
        case OPTION_SEGMENT_SIZE:
                return take_size("--segment-size", argument, &args->segment_size);
        case OPTION_SEGMENT_AGE:
                return take_span("--segment-age", argument, &args->segment_age);
        case OPTION_UNIT:
                args->unit = argument;
                return PARSE_GO_ON;
        case OPTION_USER:
                return take_user(args, argument);
        case OPTION_RING_SIZE:
                return take_size("--ring-size", argument, &args->ring_size);
        case OPTION_WINDOW:
                return take_span("--window", argument, &args->window);
        case OPTION_SCOPE:
                if (!spec_scope_is_valid(argument))
                        return wrong("--scope", argument, "self or system");
                args->scope = argument;
                return PARSE_GO_ON;
        case OPTION_SEGMENTS:
                return take_segments(args, argument);
        case OPTION_SYMBOLS:
                args->symbols = true;
                return PARSE_GO_ON;
        default:
                return take_overhead_option(args, c, argument, is_spec);
        }
}

ParseResult spec_args_take_option(SpecArgs *args, Globals *globals, int c, const char *argument) {
        bool is_spec = true;
        ParseResult result;

        result = take_spec_option(args, c, argument, &is_spec);
        if (!is_spec)
                return globals_take_option(globals, c, argument);
        args->given = true;
        return result;
}

ParseResult spec_args_parse(SpecArgs *args, Globals *globals, int argc, char *argv[], const char *usage,
                            const char **ret_name) {
        static const struct option options[] = { GLOBALS_LONG, SPEC_ARGS_LONG, { NULL, 0, NULL, 0 } };
        int c;

        optind = 0;
        while ((c = getopt_long(argc, argv, GLOBALS_SHORT SPEC_ARGS_SHORT, options, NULL)) >= 0) {
                ParseResult result = spec_args_take_option(args, globals, c, optarg);

                if (result != PARSE_GO_ON)
                        return result;
        }
        if (argc - optind != 1) {
                (void) verb_usage("Usage: ktracectl %s", usage);
                return PARSE_WRONG;
        }
        *ret_name = argv[optind];
        return PARSE_GO_ON;
}

ParseResult spec_args_check(const SpecArgs *args, bool has_program) {
        if (args->children && args->n_pids == 0 && !args->unit && !args->has_user && !has_program) {
                (void) verb_usage("--children needs --pid, or --follow with a program.");
                return PARSE_WRONG;
        }
        if (!args->events && !args->profile && !args->tracer && !args->probes.definitions && !args->histograms &&
            !args->queries) {
                (void) verb_usage("Nothing to trace: name events with --event, a tracer with --tracer, a probe with "
                                  "--probe or a profile with --profile.");
                return PARSE_WRONG;
        }
        return PARSE_GO_ON;
}
