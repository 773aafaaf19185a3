/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * SyntheticEvent: an event of the session's own that the actions of its histograms record (Documentation/trace/
 * histogram.rst, section 2.2), as the kernel's file synthetic_events takes it:
 *
 *   NAME TYPE FIELD[; TYPE FIELD...]
 *
 *   TYPE  u8..u64, s8..s64, char, bool, int, unsigned int, long, unsigned long, pid_t, gfp_t and the like
 *         char FIELD[SIZE], char[SIZE] FIELD    text of at most SIZE - 1 bytes
 *         char FIELD[], char[] FIELD            text of any length
 *         long[] FIELD, unsigned long[] FIELD   a stack of the kernel (6.3 and later)
 *
 * (synth_field_size(), kernel/trace/trace_events_synth.c, 5.15 to 6.12.)
 *
 * Life cycle: synthetic_event_parse(), synthetic_event_clear().
 */

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

/* The kernel's names have 64 bytes (MAX_EVENT_NAME_LEN), and there is a prefix. */
#define SYNTHETIC_NAME_LENGTH 32U
#define SYNTHETIC_FIELDS_MAX 64U /* SYNTH_FIELDS_MAX, trace_synth.h, 5.15 */
#define SYNTHETIC_TEXT_MAX 256U  /* STR_VAR_LEN_MAX, trace_synth.h */
#define SYNTHETIC_FIELD_LENGTH 63U

typedef struct SyntheticEvent {
        char *name;
        char *fields; /* as the kernel takes them, "TYPE FIELD; TYPE FIELD" */
        size_t n_fields;
        bool has_stack; /* one of them is a stack of the kernel */
} SyntheticEvent;

/* ERROR_INVALID_ARGUMENT: a sentence, then the definition and, on a line of its own, '^' below the position. */
int synthetic_event_parse(const char *definition, Error *error, SyntheticEvent *ret);
void synthetic_event_clear(SyntheticEvent *event);
/* The same without a result, for the table of the spec's keys. */
int synthetic_event_check(const char *text, Error *error);

/* Is there one of that name among the definitions, all of them valid? Sets *ret_n_fields, unless it is NULL. */
bool synthetic_events_have(char *const *definitions, const char *name, size_t *ret_n_fields);
/* No two have the same name, and none that of a query or a probe. */
int synthetic_events_check(char *const *definitions, char *const *queries, char *const *probes, Error *error);
/* The name that the kernel has such an event under is PREFIX, then that of the instance ("0123456789abcdef", or of a
 * session's watch "0123456789abcdefw0"), '_' and the event's. *ret: where the instance's is in `name`. Returns its
 * length; 0: it is none of ours. */
#define SYNTHETIC_PREFIX "ktraced_"
size_t synthetic_event_instance(const char *name, const char **ret);

/* Does one of them record stacks of the kernel? */
bool synthetic_events_record_stacks(char *const *definitions);
