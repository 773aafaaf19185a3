/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/kernel-text.h"

#include <errno.h>
#include <string.h>

#include "ktraced/cleanup.h"

int kernel_text_read(const char *path, char **ret) {
        CLEANUP_FCLOSE FILE *file = NULL;
        CLEANUP_FREE char *text = NULL;
        size_t allocated = 0;

        file = fopen(path, "re");
        if (!file)
                return -errno;

        errno = 0;
        if (getdelim(&text, &allocated, '\0', file) < 0) {
                if (ferror(file) || errno != 0)
                        return errno ? -errno : -EIO;
                free(text);
                text = strdup("");
                if (!text)
                        return -ENOMEM;
        }

        *ret = STEAL_PTR(text);
        return 0;
}

int kernel_text_read_tracefs(struct tracefs_instance *instance, const char *path, char **ret, size_t *ret_size) {
        char *text;
        int size = 0;

        /* libtracefs returns NULL for an empty file, too, and leaves errno alone then. */
        errno = 0;
        text = tracefs_instance_file_read(instance, path, &size);
        if (!text) {
                if (errno != 0)
                        return -errno;
                size = 0;
                text = strdup("");
                if (!text)
                        return -ENOMEM;
        }

        *ret = text;
        if (ret_size)
                *ret_size = (size_t) size;
        return 0;
}
