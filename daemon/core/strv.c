/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/strv.h"

#include <errno.h>
#include <string.h>

void strv_free(char **strv) {
        for (char **s = strv; s && *s; s++)
                free(*s);
        free(strv);
}

size_t strv_length(char *const *strv) {
        size_t n = 0;

        while (strv && strv[n])
                n++;
        return n;
}

bool strv_contains(char *const *strv, const char *s) {
        for (; strv && *strv; strv++)
                if (strcmp(*strv, s) == 0)
                        return true;
        return false;
}

/* The array grows by one at a time: realloc() makes that cheap, and no capacity need be known of an array
 * that came from elsewhere. */
static int append_piece(char ***strv, size_t n, const char *s, size_t length) {
        CLEANUP_FREE char *copy = strndup(s, length);
        char **grown;

        if (!copy)
                return -ENOMEM;
        grown = reallocarray(*strv, n + 2, sizeof(char *));
        if (!grown)
                return -ENOMEM;
        *strv = grown;
        grown[n] = STEAL_PTR(copy);
        grown[n + 1] = NULL;
        return 0;
}

int strv_append(char ***strv, const char *s) {
        return append_piece(strv, strv_length(*strv), s, strlen(s));
}

int strv_copy(char *const *strv, char ***ret) {
        CLEANUP(strv_freep) char **copy = NULL;
        size_t n = strv_length(strv);

        copy = calloc(n + 1, sizeof(char *));
        if (!copy)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                copy[i] = strdup(strv[i]);
                if (!copy[i])
                        return -ENOMEM;
        }
        *ret = STEAL_PTR(copy);
        return 0;
}

int strv_join(char *const *strv, const char *separator, char **ret) {
        size_t separator_length = strlen(separator), size = 1, at = 0;
        char *joined;

        for (size_t i = 0; strv && strv[i]; i++)
                size += strlen(strv[i]) + separator_length;
        joined = malloc(size);
        if (!joined)
                return -ENOMEM;
        for (size_t i = 0; strv && strv[i]; i++) {
                size_t length = strlen(strv[i]);

                if (i > 0) {
                        memcpy(joined + at, separator, separator_length);
                        at += separator_length;
                }
                memcpy(joined + at, strv[i], length);
                at += length;
        }
        joined[at] = '\0';
        *ret = joined;
        return 0;
}

int strv_split(const char *s, const char *separators, char ***ret) {
        CLEANUP(strv_freep) char **pieces = NULL;
        size_t n = 0;

        pieces = calloc(1, sizeof(char *));
        if (!pieces)
                return -ENOMEM;
        for (s += strspn(s, separators); *s != '\0'; s += strspn(s, separators)) {
                size_t length = strcspn(s, separators);
                int r = append_piece(&pieces, n, s, length);

                if (r < 0)
                        return r;
                n++;
                s += length;
        }
        *ret = STEAL_PTR(pieces);
        return 0;
}

static int compare_strings(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

void strv_sort(char **strv) {
        size_t n = strv_length(strv);

        if (n > 1)
                qsort(strv, n, sizeof(char *), compare_strings);
}
