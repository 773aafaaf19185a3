/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Probe: an event that a session defines for itself, at an instruction of the kernel or of a program, or upon
 * another event.
 *
 *   [NAME=]kprobe:[MODULE:]SYMBOL[+OFFSET] [ARGUMENT...]
 *   [NAME=]kretprobe:[MODULE:]SYMBOL [ARGUMENT...]     when the function returns
 *   [NAME=]uprobe:@FILE:OFFSET [ARGUMENT...]           FILE: a number in probe_files; OFFSET: in bytes
 *   [NAME=]uretprobe:@FILE:OFFSET [ARGUMENT...]
 *   [NAME=]eprobe:SYSTEM:EVENT [ARGUMENT...]
 *
 *   ARGUMENT  [NAME=]FETCH[:TYPE]
 *   FETCH     %REGISTER  $retval  $stack  $stackN  $comm  $argN (functions with BTF)  $FIELD (eprobe)
 *             $arg*  ARGUMENT_NAME (of the function): with BTF, 6.5 and later, also with ->FIELD and .FIELD behind it
 *             @SYMBOL[+|-OFFSET]  @ADDRESS  @+OFFSET (in the file)  \NUMBER  \"TEXT"
 *             +|-[u]OFFSET(FETCH): what is at that offset from where FETCH points to; u: user memory
 *   TYPE      u8..u64, s8..s64, x8..x64, char, string, ustring, symbol, symstr, %pd, %pD, b<width>@<offset>/<size>,
 *             each but the strings with [N] behind it for an array
 *
 * (Documentation/trace/kprobetrace.rst, uprobetracer.rst and eprobetrace.rst, 5.15 to 6.12.) Where no NAME is given,
 * it is made of the symbol, the offset or the event. Whether the kernel has what is named is seen when it is defined.
 *
 * Life cycle: probe_parse(), probe_clear().
 */

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

#define PROBE_NAME_LENGTH 63U    /* of events and arguments (MAX_EVENT_NAME_LEN, MAX_ARG_NAME_LEN) */
#define PROBE_ARGUMENTS_MAX 128U /* MAX_TRACE_ARGS, kernel/trace/trace_probe.h */

typedef enum ProbeKind {
        PROBE_KPROBE,
        PROBE_KRETPROBE,
        PROBE_UPROBE,
        PROBE_URETPROBE,
        PROBE_EVENT,
        _PROBE_KIND_MAX,
} ProbeKind;

typedef struct Probe {
        ProbeKind kind;
        char *name;
        char *target;    /* kprobe: as written; uprobe: the offset; eprobe: "SYSTEM/EVENT" */
        char *symbol;    /* kprobe: without module and offset */
        unsigned file;   /* uprobe: which of the files */
        char *arguments; /* as written, a space between two; may be empty */
        bool by_name;    /* one of them is $arg*, or an argument or field by its name */
} Probe;

/* ERROR_INVALID_ARGUMENT: a sentence, then the definition and, on a line of its own, '^' below the position. */
int probe_parse(const char *definition, Error *error, Probe *ret);
void probe_clear(Probe *probe);
/* The same without a result, for the table of the spec's keys. */
int probe_check(const char *text, Error *error);

/* Is there one of that name among the definitions, all of them valid? */
bool probes_have(char *const *probes, const char *name);
/* No two have the same name, and none of the files that they name is beyond n_files. */
int probes_check(char *const *probes, size_t n_files, Error *error);

const char *probe_kind_to_string(ProbeKind kind);

/* The command that defines it in the kernel's dynamic_events. `group`: of the event. `path`: of the file, for
 * uprobes. The caller frees. -ENOMEM. */
int probe_format(const Probe *probe, const char *group, const char *path, char **ret);
