/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "client/report-options.h"
#include "client/verb.h"
#include "core/parse.h"
#include "core/strv.h"

enum {
        OPTION_COMM = OPTION_OF_VERB,
        OPTION_FIRST,
        OPTION_LAST,
        OPTION_SUMMARY,
        OPTION_TOP,
        OPTION_DURATION,
};

/* What selects events, those of a file and those that are just recorded. clang-format sees no list in it. */
/* clang-format off */
#define SELECTION_LONG                                    \
        { "event", required_argument, NULL, 'e' },        \
        { "cpu", required_argument, NULL, 'M' },          \
        { "cpus", required_argument, NULL, 'M' },         \
        { "pid", required_argument, NULL, 'P' },          \
        { "comm", required_argument, NULL, OPTION_COMM }, \
        { "filter", required_argument, NULL, 'f' }
/* clang-format on */

/* "json" stands before the global one, since here it can go without an argument. */
static const struct option long_options[] = {
        { "json", optional_argument, NULL, OPTION_JSON },
        SELECTION_LONG,
        { "since", required_argument, NULL, 'S' },
        { "until", required_argument, NULL, 'U' },
        { "first", required_argument, NULL, OPTION_FIRST },
        { "last", required_argument, NULL, OPTION_LAST },
        { "summary", no_argument, NULL, OPTION_SUMMARY },
        { "top", required_argument, NULL, OPTION_TOP },
        { "nanoseconds", no_argument, NULL, 't' },
        GLOBALS_LONG,
        { NULL, 0, NULL, 0 },
};

static const struct option show_options[] = {
        SELECTION_LONG,
        { "lines", required_argument, NULL, 'n' },
        { "duration", required_argument, NULL, OPTION_DURATION },
        { "nanoseconds", no_argument, NULL, 't' },
        GLOBALS_LONG,
        { NULL, 0, NULL, 0 },
};

#define SELECTION_HELP                                                                              \
        "Options that select, all of which must hold:\n"                                            \
        "  -e --event=PATTERN[,...]  Events: SYSTEM, SYSTEM:EVENT, EVENT or SYSCALL, with globs;\n" \
        "                            !PATTERN takes back what patterns before it selected\n"        \
        "  -M --cpu=LIST             Events of these CPUs, for example 0-3,8\n"                     \
        "  -P --pid=PID[,...]        Events of these threads\n"                                     \
        "     --comm=GLOB            Events of threads with such a name\n"                          \
        "  -f --filter=EXPRESSION    'EVENT: CONDITION', for example 'sched_switch: prev_prio < 100'\n"

#define SELECTION_HELP_END "Given more than once, -e, -P, --comm and -f add to what is selected.\n"

static void print_help(void) {
        (void) fputs("ktracectl report [OPTIONS...] FILE|CAPTURE|SESSION\n"
                     "\n"
                     "Print recorded events: those of a trace.dat file (version 6 or 7, also compressed), of a\n"
                     "capture, or of the newest capture of a session.\n"
                     "\n" SELECTION_HELP
                     "  -S --since=TIME           From this time stamp on, in seconds (1020.911); +SPAN counts from\n"
                     "                            the start of the capture, -SPAN back from its end (-500ms)\n"
                     "  -U --until=TIME           Up to this time stamp\n"
                     "     --first=N              No more than the first N events of those\n"
                     "     --last=N               No more than the last N events of those\n" SELECTION_HELP_END "\n"
                     "Options that say what to print:\n"
                     "     --summary              Counts and rates by event, CPU and task, and what was lost\n"
                     "     --top=N                Tasks in the summary (default 10; 0: all)\n"
                     "  -t --nanoseconds          Time stamps with nine digits after the point\n"
                     "     --json[=short]         One JSON object a line\n"
                     "     --json=pretty          Indented JSON\n"
                     "     --no-pager             Do not pipe into a pager\n"
                     "  -h --help                 Show this help\n",
                     stdout);
}

static void print_show_help(void) {
        (void) fputs("ktracectl show [OPTIONS...] SESSION\n"
                     "\n"
                     "Print the events of a session as they are recorded, until it ends, or until Ctrl-C.\n"
                     "\n" SELECTION_HELP SELECTION_HELP_END "\n"
                     "Options that say when to end and what to print:\n"
                     "  -n --lines=N              End after N of those events\n"
                     "     --duration=SPAN        End after this time, for example 10s\n"
                     "  -t --nanoseconds          Time stamps with nine digits after the point\n"
                     "     --json[=short]         One JSON object a line\n"
                     "     --json=pretty          Indented JSON\n"
                     "  -q --quiet                Do not say at the end how many events were shown and missed\n"
                     "  -h --help                 Show this help\n",
                     stdout);
}

static ParseResult wrong(const char *option, const char *argument, const char *what) {
        (void) verb_usage("--%s=%s: %s.", option, argument, what);
        return PARSE_WRONG;
}

static ParseResult no_memory(void) {
        (void) verb_usage("Out of memory.");
        return PARSE_WRONG;
}

static ParseResult add_list(char ***list, const char *argument) {
        CLEANUP(strv_freep) char **words = NULL;

        if (strv_split(argument, ",", &words) < 0)
                return no_memory();
        for (char **word = words; word && *word; word++)
                if (strv_append(list, *word) < 0)
                        return no_memory();
        return PARSE_GO_ON;
}

static ParseResult add_events(RecordSelection *selection, const char *argument) {
        ParseResult result = add_list(&selection->events, argument);

        if (result == PARSE_GO_ON && !selection->events)
                return wrong("event", argument, "no pattern");
        return result;
}

static ParseResult add_pids(RecordSelection *selection, const char *argument) {
        CLEANUP(strv_freep) char **words = NULL;

        if (strv_split(argument, ",", &words) < 0)
                return no_memory();
        if (strv_length(words) == 0)
                return wrong("pid", argument, "no process id");
        for (char **word = words; *word; word++) {
                uint64_t pid;
                int *pids;

                if (parse_unsigned(*word, &pid) < 0 || pid > INT_MAX)
                        return wrong("pid", argument, "not a list of process ids");
                pids = reallocarray(selection->pids, selection->n_pids + 1, sizeof(*pids));
                if (!pids)
                        return no_memory();
                selection->pids = pids;
                selection->pids[selection->n_pids++] = (int) pid;
        }
        return PARSE_GO_ON;
}

static ParseResult set_cpus(RecordSelection *selection, const char *argument) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CpuList cpus = {};

        if (cpu_list_parse(argument, &error, &cpus) < 0)
                return wrong("cpu", argument, error_text(&error));
        cpu_list_clear(&selection->cpus);
        selection->cpus = cpus;
        if (cpus.n_cpus == 0)
                return wrong("cpu", argument, "no CPU");
        return PARSE_GO_ON;
}

static ParseResult set_time(TimeBound *bound, const char *option, const char *argument) {
        if (time_bound_parse(argument, bound) < 0)
                return wrong(option, argument,
                             "use a time stamp in seconds (1020.911), or a span with a sign (+5s, -500ms)");
        return PARSE_GO_ON;
}

static ParseResult set_count(uint64_t *count, const char *option, const char *argument, uint64_t min) {
        if (parse_unsigned(argument, count) < 0 || *count < min)
                return wrong(option, argument, min > 0 ? "use a number greater than 0" : "use a number");
        return PARSE_GO_ON;
}

static ParseResult take_json(Globals *globals, const char *argument) {
        return globals_take_option(globals, OPTION_JSON, argument ?: "short");
}

/* What both verbs have. */
static ParseResult take_common(Globals *globals, int c, const char *argument, ReportOptions *options) {
        RecordSelection *selection = &options->selection;

        switch (c) {
        case OPTION_JSON:
                return take_json(globals, argument);
        case 'e':
                return add_events(selection, argument);
        case 'M':
                return set_cpus(selection, argument);
        case 'P':
                return add_pids(selection, argument);
        case OPTION_COMM:
                return strv_append(&selection->comms, argument) < 0 ? no_memory() : PARSE_GO_ON;
        case 'f':
                return strv_append(&selection->filters, argument) < 0 ? no_memory() : PARSE_GO_ON;
        case 't':
                options->nanoseconds = true;
                return PARSE_GO_ON;
        default:
                return globals_take_option(globals, c, argument);
        }
}

static ParseResult take_option(Globals *globals, int c, const char *argument, ReportOptions *options) {
        RecordSelection *selection = &options->selection;

        switch (c) {
        case 'h':
                print_help();
                return PARSE_DONE;
        case 'S':
                return set_time(&selection->since, "since", argument);
        case 'U':
                return set_time(&selection->until, "until", argument);
        case OPTION_FIRST:
                return set_count(&options->first, "first", argument, 1);
        case OPTION_LAST:
                return set_count(&options->last, "last", argument, 1);
        case OPTION_SUMMARY:
                options->summary = true;
                return PARSE_GO_ON;
        case OPTION_TOP:
                return set_count(&options->top, "top", argument, 0);
        default:
                return take_common(globals, c, argument, options);
        }
}

static ParseResult set_duration(FollowOptions *options, const char *argument) {
        if (parse_span(argument, &options->duration) < 0 || options->duration == 0)
                return wrong("duration", argument, "use a span of time such as 10s");
        return PARSE_GO_ON;
}

static ParseResult take_show_option(Globals *globals, int c, const char *argument, FollowOptions *options) {
        switch (c) {
        case 'h':
                print_show_help();
                return PARSE_DONE;
        case 'n':
                return set_count(&options->report.first, "lines", argument, 1);
        case OPTION_DURATION:
                return set_duration(options, argument);
        default:
                return take_common(globals, c, argument, &options->report);
        }
}

static ParseResult check(const ReportOptions *options, int n_words) {
        if (n_words != 1) {
                (void) verb_usage("Usage: ktracectl report [OPTIONS...] FILE|CAPTURE|SESSION");
                return PARSE_WRONG;
        }
        if (options->first > 0 && options->last > 0) {
                (void) verb_usage("--first and --last cannot be combined.");
                return PARSE_WRONG;
        }
        return PARSE_GO_ON;
}

static void set_output(ReportOptions *options, const Globals *globals, const char *source) {
        options->source = source;
        options->json = globals->json != JSON_OFF;
        options->pretty = globals->json == JSON_PRETTY;
        options->color = globals->colors;
}

ParseResult report_options_parse(Globals *globals, int argc, char *argv[], ReportOptions *ret) {
        CLEANUP(report_options_clear) ReportOptions options = REPORT_OPTIONS_INIT;
        ParseResult result;
        int c;

        optind = 0; /* glibc: begin anew */
        while ((c = getopt_long(argc, argv, GLOBALS_SHORT "e:M:P:f:S:U:t", long_options, NULL)) >= 0) {
                result = take_option(globals, c, optarg, &options);
                if (result != PARSE_GO_ON)
                        return result;
        }
        result = check(&options, argc - optind);
        if (result != PARSE_GO_ON)
                return result;
        set_output(&options, globals, argv[optind]);
        *ret = options;
        options = REPORT_OPTIONS_INIT;
        return PARSE_GO_ON;
}

ParseResult show_options_parse(Globals *globals, int argc, char *argv[], FollowOptions *ret) {
        CLEANUP(follow_options_clear) FollowOptions options = { .report = REPORT_OPTIONS_INIT };
        ParseResult result;
        int c;

        optind = 0; /* glibc: begin anew */
        while ((c = getopt_long(argc, argv, GLOBALS_SHORT "e:M:P:f:n:t", show_options, NULL)) >= 0) {
                result = take_show_option(globals, c, optarg, &options);
                if (result != PARSE_GO_ON)
                        return result;
        }
        if (argc - optind != 1) {
                (void) verb_usage("Usage: ktracectl show [OPTIONS...] SESSION");
                return PARSE_WRONG;
        }
        set_output(&options.report, globals, argv[optind]);
        *ret = options;
        options = (FollowOptions){ .report = REPORT_OPTIONS_INIT };
        return PARSE_GO_ON;
}
