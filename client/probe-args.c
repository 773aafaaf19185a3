/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/probe-args.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/elf-symbol.h"
#include "core/probe.h"
#include "core/strv.h"
#include "core/text.h"
#include "ktraced/cleanup.h"

/* Where the dynamic loader looks without a configuration of its own, on Debian and on others. */
#if defined(__x86_64__)
#define MULTIARCH "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define MULTIARCH "aarch64-linux-gnu"
#else
#define MULTIARCH ""
#endif

/* The parts of "[NAME=]uprobe:FILE:PLACE ARGUMENTS". */
typedef struct Place {
        char *name; /* NULL: not given */
        const char *kind;
        char *file;
        char *symbol;    /* NULL: an offset in the file only */
        uint64_t offset; /* of the symbol, or in the file */
        const char *arguments;
} Place;

static void place_clear(Place *place) {
        free(place->name);
        free(place->file);
        free(place->symbol);
}

void probe_args_clear(ProbeArgs *args) {
        for (size_t i = 0; args->paths && args->paths[i]; i++)
                (void) close(args->fds[i]);
        free(args->fds);
        strv_free(args->paths);
        strv_free(args->definitions);
        *args = (ProbeArgs){ 0 };
}

static int out_of_memory(Error *error) {
        return error_set(error, ERROR_NO_MEMORY, "Out of memory");
}

static const char *kind_of(const char *text) {
        static const ProbeKind kinds[] = { PROBE_UPROBE, PROBE_URETPROBE };

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                const char *kind = probe_kind_to_string(kinds[i]);
                size_t length = strlen(kind);

                if (strncmp(text, kind, length) == 0 && text[length] == ':')
                        return kind;
        }
        return NULL;
}

/* Decimal, or hexadecimal with 0x. */
static int parse_offset(const char *text, Error *error, uint64_t *ret) {
        bool is_hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
        unsigned long long number;
        char *end;

        errno = 0;
        number = strtoull(text, &end, is_hex ? 16 : 10);
        if (errno != 0 || end == text || *end != '\0' || !isdigit((unsigned char) *text))
                return error_set(error, ERROR_INVALID_ARGUMENT, "\"%s\" is no offset", TEXT_ESCAPE(text));
        *ret = number;
        return 0;
}

/* "SYMBOL[+OFFSET]" or "OFFSET" */
static int parse_place(const char *text, Place *place, Error *error) {
        const char *plus = strrchr(text, '+');

        if (isdigit((unsigned char) *text))
                return parse_offset(text, error, &place->offset);
        if (plus) {
                int r = parse_offset(plus + 1, error, &place->offset);

                if (r < 0)
                        return r;
        }
        place->symbol = plus ? strndup(text, (size_t) (plus - text)) : strdup(text);
        return place->symbol ? 0 : out_of_memory(error);
}

/* Sets `file` for a uprobe, with a file to look into; all else is the daemon's to read. */
static int parse(const char *definition, Place *place, Error *error) {
        size_t length = strcspn(definition, "=: ");
        const char *at = definition, *end, *colon;
        CLEANUP_FREE char *where = NULL;

        if (at[length] == '=') {
                place->name = strndup(at, length);
                if (!place->name)
                        return out_of_memory(error);
                at += length + 1;
        }
        place->kind = kind_of(at);
        if (!place->kind)
                return 0;
        at += strlen(place->kind) + 1;
        if (*at == '@')
                return error_set(error, ERROR_INVALID_ARGUMENT, "A file is missing in \"%s\"",
                                 TEXT_ESCAPE(definition));
        end = at + strcspn(at, " ");
        colon = memrchr(at, ':', (size_t) (end - at));
        if (!colon || colon == at || colon + 1 == end)
                return error_set(error, ERROR_INVALID_ARGUMENT,
                                 "\"%s\": a probe on a program is %s:FILE:SYMBOL or %s:FILE:OFFSET",
                                 TEXT_ESCAPE(definition), place->kind, place->kind);
        place->file = strndup(at, (size_t) (colon - at));
        where = strndup(colon + 1, (size_t) (end - colon - 1));
        if (!place->file || !where)
                return out_of_memory(error);
        place->arguments = end;
        return parse_place(where, place, error);
}

/* Opens NAME in each of the directories of a list with ':'. *ret_path is the first that is there. */
static int open_in(const char *directories, const char *name, char **ret_path) {
        CLEANUP(strv_freep) char **list = NULL;
        int r = strv_split(directories, ":", &list);

        for (size_t i = 0; r >= 0 && list && list[i]; i++) {
                char path[PATH_MAX];
                int fd;

                if (snprintf(path, sizeof(path), "%s/%s", list[i], name) >= (int) sizeof(path))
                        continue;
                fd = open(path, O_RDONLY | O_CLOEXEC);
                if (fd < 0)
                        continue;
                *ret_path = strdup(path);
                return fd;
        }
        return r < 0 ? r : -ENOENT;
}

static int open_file(const char *file, Error *error, char **ret_path) {
        static const char libraries[] = "/lib/" MULTIARCH ":/usr/lib/" MULTIARCH ":/lib64:/usr/lib64:/lib:/usr/lib:"
                                        "/usr/local/lib";
        const char *programs = getenv("PATH");
        int fd;

        if (strchr(file, '/')) {
                fd = open(file, O_RDONLY | O_CLOEXEC);
                *ret_path = strdup(file);
                return fd < 0 ? error_set_errno(error, -errno, "Cannot open %s", file) : fd;
        }
        fd = programs ? open_in(programs, file, ret_path) : -ENOENT;
        if (fd < 0)
                fd = open_in(libraries, file, ret_path);
        return fd < 0 ? error_set(error, ERROR_INVALID_ARGUMENT, "There is no program and no library \"%s\"",
                                  TEXT_ESCAPE(file))
                      : fd;
}

/* Takes `fd` and `path` over. *ret is the number of the file: one for all probes on it. */
static int add_file(ProbeArgs *args, int fd, const char *path, size_t *ret) {
        CLEANUP_CLOSE int owned = fd;
        size_t n = strv_length(args->paths);
        int *grown;
        int r;

        for (size_t i = 0; i < n; i++)
                if (strcmp(args->paths[i], path) == 0) {
                        *ret = i;
                        return 0;
                }
        grown = reallocarray(args->fds, n + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        args->fds = grown;
        r = strv_append(&args->paths, path);
        if (r < 0)
                return r;
        args->fds[n] = steal_fd(&owned);
        *ret = n;
        return 0;
}

/* The symbol's, so that the event is called what the user calls the function. */
static int make_name(Place *place) {
        size_t length;

        if (place->name || !place->symbol)
                return 0;
        length = strcspn(place->symbol, "@");
        if (length > PROBE_NAME_LENGTH - 1)
                length = PROBE_NAME_LENGTH - 1;
        if (asprintf(&place->name, "%s%.*s", isdigit((unsigned char) place->symbol[0]) ? "_" : "", (int) length,
                     place->symbol) < 0) {
                place->name = NULL;
                return -ENOMEM;
        }
        for (char *c = place->name; *c != '\0'; c++)
                if (!isalnum((unsigned char) *c))
                        *c = '_';
        return 0;
}

static int add_place(ProbeArgs *args, Place *place, Error *error) {
        CLEANUP_FREE char *path = NULL, *text = NULL;
        CLEANUP_CLOSE int fd = -1;
        uint64_t start = 0;
        size_t file;
        int r;

        fd = open_file(place->file, error, &path);
        if (fd < 0)
                return fd;
        if (!path)
                return out_of_memory(error);
        if (place->symbol) {
                r = elf_symbol_find(fd, path, place->symbol, error, &start);
                if (r < 0)
                        return r;
        }
        start += place->offset;
        r = elf_symbol_check_code(fd, path, start, error);
        if (r < 0)
                return r;
        if (make_name(place) < 0 || add_file(args, steal_fd(&fd), path, &file) < 0)
                return out_of_memory(error);
        if (asprintf(&text, "%s%s%s:@%zu:0x%" PRIx64 "%s", place->name ? place->name : "", place->name ? "=" : "",
                     place->kind, file, start, place->arguments) < 0) {
                text = NULL;
                return out_of_memory(error);
        }
        return strv_append(&args->definitions, text) < 0 ? out_of_memory(error) : 0;
}

int probe_args_add(ProbeArgs *args, const char *definition, Error *error) {
        CLEANUP(place_clear) Place place = { 0 };
        int r;

        r = parse(definition, &place, error);
        if (r < 0)
                return r;
        if (place.file)
                return add_place(args, &place, error);
        return strv_append(&args->definitions, definition) < 0 ? out_of_memory(error) : 0;
}
