/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Spec: what to trace and how. Plain data; no I/O.
 *
 * A spec arrives as a{sv} over the bus or as a JSON object, with the same keys. Both readers turn each
 * entry into a SpecValue and hand it to spec_set(), which is the one place where keys, types and ranges
 * are checked. What only the running kernel can tell (does the event exist, does it have that field) is
 * checked later, by event.h and filter.h.
 *
 * Life cycle: spec_new(); spec_set() for each entry; spec_validate() for what concerns several keys;
 * spec_free(). A spec is not changed after it was given to a session.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/cpu-list.h"
#include "core/error.h"
#include "core/strv.h"

/* Limits on what a client may send. */
#define SPEC_EVENTS_MAX 1024U
#define SPEC_FILTERS_MAX 256U
#define SPEC_PIDS_MAX 4096U
#define SPEC_PIDFDS_MAX 64U
#define SPEC_OPTIONS_MAX 64U
#define SPEC_FUNCTIONS_MAX 4096U
#define SPEC_GRAPH_FUNCTIONS_MAX 256U /* the kernel looks at each function for each of them */
#define SPEC_FUNCTION_GLOBS_MAX 64U   /* each is compared with some 50,000 names */
#define SPEC_GRAPH_DEPTH_MAX 50U      /* FTRACE_RETFUNC_DEPTH (include/linux/ftrace.h, 5.15) */
#define SPEC_PROBES_MAX 128U
#define SPEC_TRIGGERS_MAX 64U
#define SPEC_WATCHES_MAX 16U            /* most are an instance of the kernel's each */
#define SPEC_USER_MAX (UINT32_MAX - 1U) /* the last number means no user */
#define SPEC_PATTERN_LENGTH 256U
#define SPEC_TEXT_LENGTH 1024U             /* see spec_check_text() */
#define SPEC_FILTER_LENGTH 4000U           /* the kernel takes less than one page (trace_events.c, 5.15) */
#define SPEC_BUFFER_SIZE_MIN (64ULL << 10) /* bytes for each CPU */
#define SPEC_BUFFER_SIZE_MAX (16ULL << 30)
#define SPEC_SEGMENT_SIZE_MIN (64ULL << 10)
#define SPEC_SEGMENT_SIZE_MAX (1ULL << 40)
#define SPEC_SEGMENTS_MAX 1000000U
#define SPEC_SPAN_MIN (100ULL * 1000) /* usec */
#define SPEC_EVENT_RATE_MAX 1000000000000ULL
#define SPEC_CPU_SHARE_MAX 1000U /* permille */
#define SPEC_GRACE_MIN 0U        /* usec */
#define SPEC_GRACE_MAX (3600ULL * 1000000)
#define SPEC_SPAN_MAX (366ULL * 24 * 3600 * 1000000)

/*
 * The keys:
 *
 *   key            a{sv}      JSON               meaning
 *   profile        s          string             a profile whose keys come first; lists are appended to
 *   events         as         array of strings   "system", "system:event", a syscall's or event's bare
 *                                                name, with globs; see event.h
 *   filters        a{ss}      object             event pattern -> filter expression, see filter.h
 *   scope          s          string             "self": only processes of the caller's, see spec-scope.c; or
 *                                                "system", which is what it is without
 *   pids           ai or au   array of numbers   processes to trace (all their threads)
 *   pidfds         ah         (bus only)         the same as descriptors
 *   children       b          boolean            follow what the pids fork later
 *   cpus           s          string             "0-3,8"
 *   clock          s          string             a name in trace_clock
 *   buffer_size    t or s     number or string   bytes for each CPU, "4M"
 *   options        as         array of strings   tracer options, "no" before a name switches it off
 *   segment_size   t or s     number or string   bytes after which the next segment is begun
 *   segment_age    t or s     number or string   microseconds, or a span, after which it is begun; 0: never
 *   segments       u or t     number             segments kept; the oldest goes; 0 keeps all
 *   duration       t or s     number or string   microseconds, or a span, after which the session stops; 0: never
 *   symbols        b          boolean            put the kernel's symbol table into the capture
 *   mode           s          string             "stream" (default): into segments, continuously; "ring": into the
 *                                                kernel's buffer, the oldest overwritten, until a snapshot
 *   ring_size      t or s     number or string   with mode ring: bytes on all CPUs together
 *   window         t or s     number or string   with mode ring: microseconds, or a span, that the ring is to reach
 *                                                back; its size follows, and ring_size is the most
 *   tracer         s          string             a name in available_tracers; nop when it is not given
 *   functions      as         array of strings   which functions the tracer records; see function-pattern.h
 *   functions_notrace  as     array of strings   which it leaves out
 *   graph_functions    as     array of strings   function_graph: the functions whose calls are drawn
 *   graph_notrace  as         array of strings   function_graph: functions that are left out with what they call
 *   graph_depth    u or t     number             function_graph: the deepest level that is recorded; 0: all
 *   all_functions  b          boolean            lets a function tracer run without `functions`
 *   function_stacks    b      boolean            a stack trace with each of `functions`
 *   probes         as         array of strings   events of the session's own; see probe.h
 *   probe_files    ah         (bus only)         the files that uprobes in `probes` name by number
 *   synthetic_events   as     array of strings   events that histograms record; see synthetic-event.h
 *   sql            as         array of strings   synthetic events as queries; see sql-query.h
 *   triggers       as         array of strings   "event trigger"; see trigger.h
 *   histograms     as         array of strings   "event keys=..."; see hist-trigger.h
 *   watches        as         array of strings   conditions, and what is done by itself then; see watch-spec.h
 *   unit           s          string             trace the processes of a systemd unit's control group
 *   user           u or t     number             trace the processes of a user
 *   max_event_rate u or t     number             events a second that it may record; 0: any number
 *   max_cpu_share  u or t     number             permille of the time of all CPUs that recording may take; 0: any
 *   overhead_grace t or s     number or string   microseconds, or a span, for which it may take more
 *   overhead_policy  s        string             what happens then, see overhead-guard.h: warn, thin, stop
 *   attached       b          (bus only)         the session ends when its client leaves the bus
 *   output         h          (bus only)         write the one segment into this file
 */
typedef enum SpecKey {
        SPEC_PROFILE,
        SPEC_EVENTS,
        SPEC_FILTERS,
        SPEC_PIDS,
        SPEC_PIDFDS,
        SPEC_CHILDREN,
        SPEC_CPUS,
        SPEC_CLOCK,
        SPEC_BUFFER_SIZE,
        SPEC_OPTIONS,
        SPEC_SEGMENT_SIZE,
        SPEC_SEGMENT_AGE,
        SPEC_SEGMENTS,
        SPEC_DURATION,
        SPEC_SYMBOLS,
        SPEC_MODE,
        SPEC_RING_SIZE,
        SPEC_WINDOW,
        SPEC_TRACER,
        SPEC_FUNCTIONS,
        SPEC_FUNCTIONS_NOTRACE,
        SPEC_GRAPH_FUNCTIONS,
        SPEC_GRAPH_NOTRACE,
        SPEC_GRAPH_DEPTH,
        SPEC_ALL_FUNCTIONS,
        SPEC_FUNCTION_STACKS,
        SPEC_PROBES,
        SPEC_PROBE_FILES,
        SPEC_SYNTHETIC_EVENTS,
        SPEC_SQL,
        SPEC_TRIGGERS,
        SPEC_HISTOGRAMS,
        SPEC_WATCHES,
        SPEC_UNIT,
        SPEC_USER,
        SPEC_SCOPE,
        SPEC_MAX_EVENT_RATE,
        SPEC_MAX_CPU_SHARE,
        SPEC_OVERHEAD_GRACE,
        SPEC_OVERHEAD_POLICY,
        SPEC_ATTACHED,
        SPEC_OUTPUT,
        _SPEC_KEY_MAX,
} SpecKey;

typedef enum SpecType {
        SPEC_TYPE_STRING,   /* .string */
        SPEC_TYPE_BOOLEAN,  /* .boolean */
        SPEC_TYPE_UNSIGNED, /* .number */
        SPEC_TYPE_SIZE,     /* .number in bytes, or .string */
        SPEC_TYPE_SPAN,     /* .number in usec, or .string */
        SPEC_TYPE_STRINGS,  /* .strings */
        SPEC_TYPE_MAP,      /* .strings: key, value, key, value, NULL */
        SPEC_TYPE_NUMBERS,  /* .numbers, .n_numbers */
        SPEC_TYPE_FD,       /* .fds[0] */
        SPEC_TYPE_FDS,      /* .fds, .n_fds */
} SpecType;

/* What a reader hands to spec_set(); borrowed for the call (descriptors are duplicated). A value says
 * with `has` which member is filled: a size or span may come as a number or as a string. */
typedef struct SpecValue {
        SpecType has;
        const char *string;
        char *const *strings;
        bool boolean;
        uint64_t number;
        const int64_t *numbers;
        size_t n_numbers;
        const int *fds;
        size_t n_fds;
} SpecValue;

typedef struct SpecFilter {
        char *pattern;
        char *expression;
} SpecFilter;

/* Owned, O_CLOEXEC. */
typedef struct SpecFds {
        int *fds;
        size_t n_fds;
} SpecFds;

typedef struct Spec {
        uint64_t given; /* bit (1 << SpecKey) of each key that was set */
        char *profile;
        char **events;
        SpecFilter *filters;
        size_t n_filters;
        pid_t *pids;
        size_t n_pids;
        SpecFds pidfds;
        bool children;
        CpuList cpus;
        char *clock;          /* NULL: the daemon's default */
        uint64_t buffer_size; /* 0: the daemon's default, as for the next */
        char **options;
        uint64_t segment_size;
        uint64_t segment_age; /* 0: unlimited */
        uint64_t segments;    /* 0: all */
        uint64_t duration;    /* 0: unlimited */
        bool symbols;
        char *mode;         /* NULL: stream */
        uint64_t ring_size; /* 0: buffer_size counts, or with `window`, the daemon's default */
        uint64_t window;    /* 0: the size is fixed */
        char *tracer;       /* NULL: none */
        char **functions, **functions_notrace;
        char **graph_functions, **graph_notrace;
        uint64_t graph_depth; /* 0: unlimited */
        bool all_functions;
        bool function_stacks;
        char **probes;
        SpecFds probe_files;
        char **synthetic_events;
        char **sql;
        char **triggers;
        char **histograms;
        char **watches;
        /* The daemon's defaults unless given. */
        uint64_t max_event_rate, max_cpu_share; /* 0: no limit */
        uint64_t overhead_grace;
        char *overhead_policy;
        char *unit;
        char *scope;   /* NULL: system */
        uint64_t user; /* 0 is root, when it was given */
        bool attached;
        int output; /* owned, or -1 */
} Spec;

/* Names and types; the bus reader uses them to enter a variant. */
const char *spec_key_name(SpecKey key);
SpecType spec_key_type(SpecKey key);
/* How many entries a list or map may have; 1 for everything else. */
size_t spec_key_max(SpecKey key);
/* What a client would call the type, for messages: "a list of strings". */
const char *spec_type_describe(SpecType type);
/* ERROR_INVALID_ARGUMENT names the key when there is none of that name, and the nearest that exists. */
int spec_key_from_name(const char *name, Error *error, SpecKey *ret);

bool spec_is_given(const Spec *spec, SpecKey key);

int spec_new(Spec **ret);
void spec_free(Spec *spec);
DEFINE_POINTER_CLEANUP(Spec, spec_free);

/* Sets one key; setting it a second time is refused. The message of a failure names the key. */
int spec_set(Spec *spec, SpecKey key, const SpecValue *value, Error *error);

/* What holds for the text of every probe, trigger, histogram, query and synthetic event: it is printable, and no
 * longer than SPEC_TEXT_LENGTH. ERROR_INVALID_ARGUMENT. */
int spec_check_text(const char *text, Error *error);

/* Deep copy, descriptors duplicated. */
int spec_copy(const Spec *spec, Spec **ret);

/* `base` first, then what `over` gives: lists are appended, filters and single values replaced. */
int spec_merge(const Spec *base, const Spec *over, Spec **ret);

/* Rules that concern several keys: some event or a tracer is asked for; filters, children and so on have what they
 * refer to; output excludes rotation. Call it on the merged spec. */
int spec_validate(const Spec *spec, Error *error);

/* A tracer other than nop: it records something of its own, events or not. */
bool spec_has_tracer(const Spec *spec);
/* A tracer that records functions: always, or by the way because the spec names some. */
bool spec_records_functions(const Spec *spec);
/* The capture gets the kernel's symbol table: the spec asks for it, or it asks for what is recorded as kernel
 * addresses (functions, stacks of the kernel) and would be unreadable without. */
bool spec_needs_symbols(const Spec *spec);

/* An event of that name that the session makes for itself: a probe, a query or a synthetic event. */
bool spec_has_own_event(const Spec *spec, const char *name);

/* Only processes of the owner's, and only what they know themselves. */
#define SPEC_SCOPE_SELF "self"
#define SPEC_SCOPE_SYSTEM "system"
bool spec_scope_is_valid(const char *scope);
bool spec_is_self(const Spec *spec);
const char *spec_scope(const Spec *spec); /* never NULL */

/* A unit or user is given, whose processes are traced, whatever they start, and what comes to them later. */
bool spec_has_group(const Spec *spec);
/* What the traced processes start is traced, too. */
bool spec_follows_children(const Spec *spec);
/* A session that traces only certain processes (pids or pidfds given, even an empty list, or a unit or user). */
bool spec_has_processes(const Spec *spec);
bool spec_is_ring(const Spec *spec);

/* A limit of events or of the CPUs' time, whose defaults are filled in. */
bool spec_has_overhead_limit(const Spec *spec);

/* Equal for two specs exactly when they want the same from the kernel, so that they can share a source;
 * NULL in *ret when the spec cannot share: it names processes, defines probes, is a ring, has an output, whose file
 * system is the client's and may stall, or may have events switched off while it runs. */
int spec_source_key(const Spec *spec, char **ret);

/* What a caller must be allowed to do. */
typedef enum SpecPower {
        POWER_TRACE_SYSTEM = 1 << 0,
        POWER_TRACE_FUNCTIONS = 1 << 1, /* stack traces through options count as this */
        POWER_KERNEL_ADDRESSES = 1 << 2,
        POWER_DEFINE_PROBES = 1 << 3, /* their arguments can read any memory */
        POWER_TRACE_SELF = 1 << 4,    /* scope self; excludes all others */
} SpecPower;
/* One bit twice, and one action would be asked for in place of another. */
_Static_assert((POWER_TRACE_SYSTEM ^ POWER_TRACE_FUNCTIONS ^ POWER_KERNEL_ADDRESSES ^ POWER_DEFINE_PROBES ^
                POWER_TRACE_SELF) == (1 << 5) - 1,
               "each power needs a bit of its own");
unsigned spec_powers(const Spec *spec);
