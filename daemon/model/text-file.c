/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "core/strv.h"
#include "model/text-file.h"

int text_file_read(const char *path, Error *error, char **ret) {
        CLEANUP_FCLOSE FILE *file = fopen(path, "re");

        if (!file)
                return error_set_errno(error, -errno, "Cannot open %s", path);

        CLEANUP_FREE char *text = malloc(TEXT_FILE_SIZE_MAX + 2U);
        if (!text)
                return -ENOMEM;
        size_t n = fread(text, 1, TEXT_FILE_SIZE_MAX + 1U, file);
        if (ferror(file))
                return error_set_errno(error, -EIO, "Cannot read %s", path);
        if (n > TEXT_FILE_SIZE_MAX)
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s: longer than 1 MiB", path);
        if (memchr(text, 0, n))
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s: has a NUL byte", path);
        text[n] = 0;

        char *fitted = realloc(text, n + 1);
        if (!fitted)
                return -ENOMEM;
        STEAL_PTR(text);
        *ret = fitted;
        return 0;
}

static int is_json(const struct dirent *entry) {
        size_t n = strlen(entry->d_name), suffix = strlen(".json");

        return entry->d_name[0] != '.' && n > suffix && strcmp(entry->d_name + n - suffix, ".json") == 0;
}

static int append_path(char ***paths, const char *directory, const char *name) {
        CLEANUP_FREE char *path = NULL;

        if (asprintf(&path, "%s/%s", directory, name) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        return strv_append(paths, path);
}

int text_file_list(const char *path, char ***ret) {
        CLEANUP(strv_freep) char **paths = NULL;
        struct dirent **entries = NULL;
        int r = 0;

        int n = scandir(path, &entries, is_json, alphasort);
        if (n < 0 && errno == ENOTDIR)
                r = strv_append(&paths, path);
        else if (n < 0 && errno != ENOENT)
                r = -errno;
        for (int i = 0; i < n; i++) {
                if (r >= 0)
                        r = append_path(&paths, path, entries[i]->d_name);
                free(entries[i]);
        }
        free(entries);
        if (r < 0)
                return r;

        *ret = STEAL_PTR(paths);
        return 0;
}
