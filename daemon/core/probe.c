/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/probe.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/probe-argument.h"
#include "core/strv.h"
#include "core/text.h"

#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
/* Symbols can have dots (foo.isra.0, foo.cold) and, in Rust, '$'. */
#define SYMBOL_CHARACTERS NAME_CHARACTERS ".$"

static const char *const kinds[_PROBE_KIND_MAX] = {
        [PROBE_KPROBE] = "kprobe",       [PROBE_KRETPROBE] = "kretprobe", [PROBE_UPROBE] = "uprobe",
        [PROBE_URETPROBE] = "uretprobe", [PROBE_EVENT] = "eprobe",
};

const char *probe_kind_to_string(ProbeKind kind) {
        return kinds[kind];
}

void probe_clear(Probe *probe) {
        free(probe->name);
        free(probe->target);
        free(probe->symbol);
        free(probe->arguments);
        *probe = (Probe){ 0 };
}

static int out_of_memory(Error *error) {
        return error_set(error, ERROR_NO_MEMORY, "Out of memory");
}

static bool is_identifier(const char *s, size_t length) {
        return length > 0 && length <= PROBE_NAME_LENGTH && !isdigit((unsigned char) s[0]) &&
               strspn(s, NAME_CHARACTERS) >= length;
}

/* "NAME=" before the kind. */
static int parse_name(ProbeText *text, Probe *probe) {
        size_t length = strcspn(text->at, "=: ");

        if (text->at[length] != '=')
                return 0;
        if (!is_identifier(text->at, length))
                return probe_text_wrong(text, "The name of a probe is made of letters, digits and '_', at most 63");
        probe->name = strndup(text->at, length);
        if (!probe->name)
                return -ENOMEM;
        text->at += length + 1;
        return 0;
}

static int parse_kind(ProbeText *text, Probe *probe) {
        size_t length = strcspn(text->at, ": ");

        for (unsigned kind = 0; kind < _PROBE_KIND_MAX; kind++)
                if (strlen(kinds[kind]) == length && strncmp(text->at, kinds[kind], length) == 0 &&
                    text->at[length] == ':') {
                        probe->kind = (ProbeKind) kind;
                        text->at += length + 1;
                        return 0;
                }
        return probe_text_wrong(text, "A probe begins with kprobe:, kretprobe:, uprobe:, uretprobe: or eprobe:");
}

/* "[MODULE:]SYMBOL[+OFFSET]" */
static int parse_kernel_target(ProbeText *text, Probe *probe) {
        const char *start = text->at, *symbol = start;
        size_t length = strspn(start, NAME_CHARACTERS "-");
        uint64_t offset = 0;

        if (length > 0 && start[length] == ':')
                symbol = start + length + 1;
        text->at = symbol;
        length = strspn(symbol, SYMBOL_CHARACTERS);
        if (length == 0)
                return probe_text_wrong(text, "The name of a function of the kernel is missing");
        text->at += length;
        if (*text->at == '+') {
                const char *plus = text->at++;

                if (probe_text_number(text, &offset) < 0)
                        return probe_text_wrong(text, "An offset is missing");
                if (offset > 0 && probe->kind == PROBE_KRETPROBE) {
                        text->at = plus;
                        return probe_text_wrong(text, "A return probe has no offset");
                }
        }
        probe->target = strndup(start, (size_t) (text->at - start));
        probe->symbol = strndup(symbol, length);
        return probe->target && probe->symbol ? 0 : -ENOMEM;
}

/* "@FILE:OFFSET" */
static int parse_file_target(ProbeText *text, Probe *probe) {
        uint64_t file = 0, offset = 0;

        if (*text->at != '@')
                return probe_text_wrong(text, "A file is named by its number in probe_files, as @0:OFFSET; "
                                              "programs and symbols are looked up by ktracectl");
        text->at++;
        if (probe_text_number(text, &file) < 0 || file > UINT16_MAX || *text->at != ':')
                return probe_text_wrong(text, "The number of a file and ':' are missing");
        text->at++;
        if (probe_text_number(text, &offset) < 0)
                return probe_text_wrong(text, "The offset in the file is missing");
        probe->file = (unsigned) file;
        return asprintf(&probe->target, "0x%llx", (unsigned long long) offset) < 0 ? (probe->target = NULL, -ENOMEM)
                                                                                   : 0;
}

/* "SYSTEM:EVENT" */
static int parse_event_target(ProbeText *text, Probe *probe) {
        const char *start = text->at;
        size_t system = strspn(start, NAME_CHARACTERS "-"), event;

        text->at += system;
        if (system == 0 || *text->at != ':')
                return probe_text_wrong(text, "An event is named as SYSTEM:EVENT");
        text->at++;
        event = strspn(text->at, NAME_CHARACTERS "-");
        if (event == 0)
                return probe_text_wrong(text, "The name of the event is missing");
        if (asprintf(&probe->target, "%.*s/%.*s", (int) system, start, (int) event, text->at) < 0) {
                probe->target = NULL;
                return -ENOMEM;
        }
        text->at += event;
        return 0;
}

static int parse_target(ProbeText *text, Probe *probe) {
        int r;

        switch (probe->kind) {
        case PROBE_KPROBE:
        case PROBE_KRETPROBE:
                r = parse_kernel_target(text, probe);
                break;
        case PROBE_UPROBE:
        case PROBE_URETPROBE:
                r = parse_file_target(text, probe);
                break;
        default:
                r = parse_event_target(text, probe);
                break;
        }
        if (r >= 0 && *text->at != ' ' && *text->at != '\0')
                return probe_text_wrong(text, "A space and arguments, or nothing, can follow here");
        return r;
}

/* The kernel would make a name of its own, which the client could not know. */
static int make_name(Probe *probe) {
        const char *source = probe->symbol ? probe->symbol : probe->target, *prefix = "";
        char *name;

        if (probe->name)
                return 0;
        if (probe->kind == PROBE_UPROBE || probe->kind == PROBE_URETPROBE)
                prefix = "at_";
        else if (probe->kind == PROBE_EVENT)
                source = strchr(source, '/') + 1;
        else if (isdigit((unsigned char) *source))
                prefix = "_";
        if (asprintf(&name, "%s%.*s", prefix, (int) (PROBE_NAME_LENGTH - strlen(prefix)), source) < 0)
                return -ENOMEM;
        for (char *c = name; *c != '\0'; c++)
                if (!isalnum((unsigned char) *c))
                        *c = '_';
        probe->name = name;
        return 0;
}

static int parse_arguments(ProbeText *text, Probe *probe) {
        CLEANUP(strv_freep) char **arguments = NULL;
        size_t n = 0;
        int r = 0;

        while (r >= 0) {
                const char *start;

                text->at += strspn(text->at, " ");
                if (*text->at == '\0')
                        return strv_join(arguments, " ", &probe->arguments);
                if (++n > PROBE_ARGUMENTS_MAX)
                        return probe_text_wrong(text, "Too many arguments");
                start = text->at;
                r = probe_argument_parse(text, probe->kind);
                if (r >= 0) {
                        CLEANUP_FREE char *argument = strndup(start, (size_t) (text->at - start));

                        r = argument ? strv_append(&arguments, argument) : -ENOMEM;
                }
        }
        return r;
}

int probe_parse(const char *definition, Error *error, Probe *ret) {
        ProbeText text = { .start = definition, .at = definition, .error = error };
        CLEANUP(probe_clear) Probe probe = { 0 };
        int r;

        if (!text_is_printable(definition))
                return error_set(error, ERROR_INVALID_ARGUMENT, "\"%s\" has a control character or bad UTF-8",
                                 TEXT_ESCAPE(definition));
        r = parse_name(&text, &probe);
        if (r >= 0)
                r = parse_kind(&text, &probe);
        if (r >= 0)
                r = parse_target(&text, &probe);
        if (r >= 0)
                r = parse_arguments(&text, &probe);
        if (r >= 0)
                r = make_name(&probe);
        if (r == -ENOMEM)
                return out_of_memory(error);
        if (r < 0)
                return r;
        probe.by_name = text.by_name;
        *ret = probe;
        probe = (Probe){ 0 };
        return 0;
}

int probe_check(const char *text, Error *error) {
        CLEANUP(probe_clear) Probe probe = { 0 };

        return probe_parse(text, error, &probe);
}

bool probes_have(char *const *probes, const char *name) {
        for (; probes && *probes; probes++) {
                CLEANUP(probe_clear) Probe probe = { 0 };

                if (probe_parse(*probes, NULL, &probe) >= 0 && strcmp(probe.name, name) == 0)
                        return true;
        }
        return false;
}

int probes_check(char *const *probes, size_t n_files, Error *error) {
        CLEANUP(strv_freep) char **names = NULL;

        for (; probes && *probes; probes++) {
                CLEANUP(probe_clear) Probe probe = { 0 };
                bool has_file;
                int r;

                r = probe_parse(*probes, error, &probe);
                if (r < 0)
                        return r;
                has_file = probe.kind == PROBE_UPROBE || probe.kind == PROBE_URETPROBE;
                if (has_file && probe.file >= n_files)
                        return error_set(error, ERROR_INVALID_ARGUMENT,
                                         "Probe \"%s\" is for file @%u, but there are only %zu in probe_files",
                                         probe.name, probe.file, n_files);
                if (strv_contains(names, probe.name))
                        return error_set(error, ERROR_INVALID_ARGUMENT,
                                         "Two probes are called \"%s\"; put a NAME= before one", probe.name);
                r = strv_append(&names, probe.name);
                if (r < 0)
                        return out_of_memory(error);
        }
        return 0;
}

int probe_format(const Probe *probe, const char *group, const char *path, char **ret) {
        static const char letters[_PROBE_KIND_MAX] = {
                [PROBE_KPROBE] = 'p',    [PROBE_KRETPROBE] = 'r', [PROBE_UPROBE] = 'p',
                [PROBE_URETPROBE] = 'r', [PROBE_EVENT] = 'e',
        };
        bool has_file = probe->kind == PROBE_UPROBE || probe->kind == PROBE_URETPROBE;
        char *command;

        /* dynamic_events wants the dot, with eprobes only. */
        if (asprintf(&command, "%c:%s/%s %s%s%s%s%s", letters[probe->kind], group, probe->name, has_file ? path : "",
                     has_file ? ":" : "", probe->target, *probe->arguments != '\0' ? " " : "", probe->arguments) < 0)
                return -ENOMEM;
        if (probe->kind == PROBE_EVENT) {
                char *slash = strchr(strchr(command, ' '), '/');

                *slash = '.';
        }
        *ret = command;
        return 0;
}
