/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/comm-map.h"

#include <errno.h>
#include <json-c/linkhash.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct CommMap {
        struct lh_table *table; /* pid as the key itself -> owned string */
};

static const void *key_of(pid_t pid) {
        return (const void *) (uintptr_t) pid;
}

static pid_t pid_of(const struct lh_entry *entry) {
        return (pid_t) (uintptr_t) lh_entry_k(entry);
}

static void free_entry(struct lh_entry *entry) {
        free(lh_entry_v(entry));
}

int comm_map_new(CommMap **ret) {
        CLEANUP_FREE CommMap *map = calloc(1, sizeof(*map));

        if (!map)
                return -ENOMEM;
        map->table = lh_kptr_table_new(256, free_entry);
        if (!map->table)
                return -ENOMEM;
        *ret = STEAL_PTR(map);
        return 0;
}

void comm_map_free(CommMap *map) {
        if (!map)
                return;
        lh_table_free(map->table);
        free(map);
}

/* 1: it is new, or another than before. */
static int set_name(CommMap *map, pid_t pid, const char *comm, size_t length) {
        struct lh_entry *entry = lh_table_lookup_entry(map->table, key_of(pid));
        CLEANUP_FREE char *copy = NULL;

        /* Nearly always the name is the one that is there. */
        if (entry && strlen(lh_entry_v(entry)) == length && memcmp(lh_entry_v(entry), comm, length) == 0)
                return 0;
        if (!entry && comm_map_size(map) >= COMM_MAP_MAX)
                return -ENOSPC;
        copy = strndup(comm, length);
        if (!copy)
                return -ENOMEM;
        if (entry) {
                free(lh_entry_v(entry));
                entry->v = copy;
        } else if (lh_table_insert(map->table, key_of(pid), copy) < 0)
                return -ENOMEM;
        copy = NULL;
        return 1;
}

bool comm_line_next(const char **text, pid_t *ret_pid, const char **ret_comm, size_t *ret_length) {
        while (**text != '\0') {
                const char *line = *text, *end = strchrnul(line, '\n');
                long pid = -1;
                char *rest = NULL;

                *text = *end == '\n' ? end + 1 : end;
                if (*line >= '0' && *line <= '9') {
                        errno = 0;
                        pid = strtol(line, &rest, 10);
                        if (errno != 0 || pid > INT_MAX)
                                pid = -1;
                }
                if (pid >= 0 && *rest == ' ' && rest + 1 < end) {
                        *ret_pid = (pid_t) pid;
                        *ret_comm = rest + 1;
                        *ret_length = (size_t) (end - rest - 1);
                        return true;
                }
        }
        return false;
}

/* The changed lines go to `changed`, which may be NULL. */
static int add_lines(CommMap *map, const char *text, FILE *changed) {
        const char *comm;
        size_t length;
        pid_t pid;

        while (comm_line_next(&text, &pid, &comm, &length)) {
                int r = set_name(map, pid, comm, length);

                if (r < 0)
                        return r;
                if (r > 0 && changed)
                        (void) fprintf(changed, "%d %.*s\n", pid, (int) length, comm);
        }
        return 0;
}

int comm_map_add_text(CommMap *map, const char *text) {
        return add_lines(map, text, NULL);
}

int comm_map_update(CommMap *map, const char *text, char **ret_changed) {
        CLEANUP_FREE char *changed = NULL;
        size_t size = 0;
        FILE *stream;
        int r;

        stream = open_memstream(&changed, &size);
        if (!stream)
                return -ENOMEM;
        r = add_lines(map, text, stream);
        if (fclose(stream) != 0)
                return -ENOMEM;
        if (r < 0)
                return r;
        *ret_changed = STEAL_PTR(changed);
        return 0;
}

size_t comm_map_size(const CommMap *map) {
        return (size_t) lh_table_length(map->table);
}

static int compare_entries(const void *a, const void *b) {
        pid_t x = pid_of(*(struct lh_entry *const *) a), y = pid_of(*(struct lh_entry *const *) b);

        return (x > y) - (x < y);
}

int comm_map_format(const CommMap *map, char **ret) {
        CLEANUP_FREE struct lh_entry **entries = calloc(comm_map_size(map) + 1, sizeof(struct lh_entry *));
        CLEANUP_FREE char *text = NULL;
        struct lh_entry *entry;
        size_t n = 0, size = 0;
        FILE *stream;

        if (!entries)
                return -ENOMEM;
        lh_foreach(map->table, entry) {
                entries[n++] = entry;
        }
        qsort(entries, n, sizeof(struct lh_entry *), compare_entries);

        stream = open_memstream(&text, &size);
        if (!stream)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                (void) fprintf(stream, "%d %s\n", pid_of(entries[i]), (const char *) lh_entry_v(entries[i]));
        if (fclose(stream) != 0)
                return -ENOMEM;
        *ret = STEAL_PTR(text);
        return 0;
}
