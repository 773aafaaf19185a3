/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * SpecArgs: what to trace, as the command line says it, on its way into the a{sv} of the daemon's spec
 * (daemon/core/spec.h has the keys). The letters are trace-cmd's where it has them.
 *
 * Life cycle: spec_args_init(); spec_args_take_option() for each option; spec_args_check(); the record verb
 * fills in what is not an option; spec_args_append(); spec_args_clear().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "client/options.h"
#include "client/probe-args.h"

typedef struct SpecArgs {
        bool given; /* any option at all */
        char **events;
        size_t last_event; /* index of the first pattern of the newest -e */
        bool excluding;    /* -v was seen */
        char *last_own;    /* the newest of -e, --probe and --synthetic is none of -e: the name of its event */
        char **triggers, **histograms, **queries, **watches, **synthetic_events;
        char **filters; /* pattern, expression, pattern, expression ... */
        int32_t *pids;
        size_t n_pids;
        bool children;
        const char *unit; /* argv's, as it was given */
        bool has_user;
        uid_t user;
        const char *profile, *cpus, *clock; /* argv's; NULL: not given, as 0 is for the numbers */
        char **options;
        uint64_t buffer_size, segment_size; /* bytes */
        uint64_t ring_size;                 /* bytes */
        uint64_t window;                    /* usec */
        uint64_t segment_age, duration;     /* usec */
        uint64_t segments;
        bool symbols;
        bool has_max_event_rate, has_max_cpu_share, has_overhead_grace;
        uint64_t max_event_rate, max_cpu_share; /* a second; permille; 0: no limit */
        uint64_t overhead_grace;                /* usec */
        const char *overhead_policy;
        ProbeArgs probes;
        const char *scope;  /* NULL: the daemon's default */
        const char *tracer; /* argv's */
        char **functions, **functions_notrace;
        char **graph_functions, **graph_notrace;
        uint64_t graph_depth;
        bool all_functions, function_stacks;
        /* Not options of their own: */
        bool attached;
        bool dry_run; /* the verb's matter */
        int pidfd;    /* borrowed; -1: none */
        int output;   /* borrowed; -1: none */
} SpecArgs;

enum {
        OPTION_PROFILE = OPTION_OF_VERB,
        OPTION_DURATION,
        OPTION_SEGMENT_SIZE,
        OPTION_SEGMENT_AGE,
        OPTION_SEGMENTS,
        OPTION_SYMBOLS,
        OPTION_ALL_FUNCTIONS,
        OPTION_FUNC_STACK,
        OPTION_GRAPH_NOTRACE,
        OPTION_MAX_GRAPH_DEPTH,
        OPTION_USER_STACK,
        OPTION_RING_SIZE,
        OPTION_WINDOW,
        OPTION_PROBE,
        OPTION_UNIT,
        OPTION_HIST,
        OPTION_SQL,
        OPTION_WATCH_FOR,
        OPTION_SYNTHETIC,
        OPTION_USER,
        OPTION_SCOPE,
        OPTION_MAX_EVENT_RATE,
        OPTION_MAX_CPU_SHARE,
        OPTION_OVERHEAD_GRACE,
        OPTION_OVERHEAD_POLICY,
        OPTION_DRY_RUN,
        OPTION_AFTER_SPEC,
};

#define SPEC_ARGS_SHORT "e:f:vP:cM:C:O:b:p:l:n:g:TR:"
/* One row a line. */
/* clang-format off */
#define SPEC_ARGS_LONG \
        { "event", required_argument, NULL, 'e' }, \
        { "filter", required_argument, NULL, 'f' }, \
        { "exclude", no_argument, NULL, 'v' }, \
        { "pid", required_argument, NULL, 'P' }, \
        { "children", no_argument, NULL, 'c' }, \
        { "cpus", required_argument, NULL, 'M' }, \
        { "clock", required_argument, NULL, 'C' }, \
        { "option", required_argument, NULL, 'O' }, \
        { "buffer-size", required_argument, NULL, 'b' }, \
        { "profile", required_argument, NULL, OPTION_PROFILE }, \
        { "duration", required_argument, NULL, OPTION_DURATION }, \
        { "segment-size", required_argument, NULL, OPTION_SEGMENT_SIZE }, \
        { "segment-age", required_argument, NULL, OPTION_SEGMENT_AGE }, \
        { "segments", required_argument, NULL, OPTION_SEGMENTS }, \
        { "tracer", required_argument, NULL, 'p' }, \
        { "function", required_argument, NULL, 'l' }, \
        { "notrace", required_argument, NULL, 'n' }, \
        { "graph-function", required_argument, NULL, 'g' }, \
        { "graph-notrace", required_argument, NULL, OPTION_GRAPH_NOTRACE }, \
        { "max-graph-depth", required_argument, NULL, OPTION_MAX_GRAPH_DEPTH }, \
        { "stacktrace", no_argument, NULL, 'T' }, \
        { "all-functions", no_argument, NULL, OPTION_ALL_FUNCTIONS }, \
        { "func-stack", no_argument, NULL, OPTION_FUNC_STACK }, \
        { "user-stack", no_argument, NULL, OPTION_USER_STACK }, \
        { "symbols", no_argument, NULL, OPTION_SYMBOLS }, \
        { "ring-size", required_argument, NULL, OPTION_RING_SIZE }, \
                { "window", required_argument, NULL, OPTION_WINDOW }, \
        { "trigger", required_argument, NULL, 'R' }, \
        { "hist", required_argument, NULL, OPTION_HIST }, \
        { "sql", required_argument, NULL, OPTION_SQL }, \
        { "watch", required_argument, NULL, OPTION_WATCH_FOR }, \
        { "synthetic", required_argument, NULL, OPTION_SYNTHETIC }, \
        { "unit", required_argument, NULL, OPTION_UNIT }, \
        { "user", required_argument, NULL, OPTION_USER }, \
        { "probe", required_argument, NULL, OPTION_PROBE }, \
        { "max-event-rate", required_argument, NULL, OPTION_MAX_EVENT_RATE }, \
        { "max-cpu-share", required_argument, NULL, OPTION_MAX_CPU_SHARE }, \
        { "overhead-grace", required_argument, NULL, OPTION_OVERHEAD_GRACE }, \
        { "overhead-policy", required_argument, NULL, OPTION_OVERHEAD_POLICY }, \
        { "dry-run", no_argument, NULL, OPTION_DRY_RUN }, \
        { "scope", required_argument, NULL, OPTION_SCOPE }
/* clang-format on */

void spec_args_init(SpecArgs *args);
void spec_args_clear(SpecArgs *args);

/* Takes an option of SPEC_ARGS_SHORT or _LONG, or a global one. A message about a wrong one was printed. */
ParseResult spec_args_take_option(SpecArgs *args, Globals *globals, int c, const char *argument);

/* For verbs of the form NAME WHAT, in any order: takes all of argv. *ret_name is argv's. */
ParseResult spec_args_parse(SpecArgs *args, Globals *globals, int argc, char *argv[], const char *usage,
                            const char **ret_name);

/* Rules that concern several options. `has_program`: the process to trace comes later. */
ParseResult spec_args_check(const SpecArgs *args, bool has_program);

/* Appends the a{sv}. -errno of sd-bus. */
int spec_args_append(const SpecArgs *args, sd_bus_message *message);
