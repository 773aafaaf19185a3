/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/tracing-dir.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <tracefs.h>

#include "core/strv.h"
#include "kernel/kernel-text.h"

int tracing_dir_ensure(Error *error) {
        const char *path;

        /* It mounts what is not mounted. Not tracefs_tracing_dir_is_mounted(), which says so in its name but
         * leaks a string at each call (libtracefs 1.6.4). */
        errno = 0;
        path = tracefs_tracing_dir();
        if (!path)
                return error_set(error, ERROR_NOT_SUPPORTED_BY_KERNEL, "tracefs is not mounted and cannot be: %s",
                                 errno ? strerror(errno) : "the kernel has none");
        if (!tracefs_dir_exists(NULL, "instances"))
                return error_set(error, ERROR_NOT_SUPPORTED_BY_KERNEL,
                                 "%s has no trace instances: the kernel is older than 3.10 or built without tracing",
                                 path);
        return 0;
}

int tracing_dir_read_text(const char *path, char **ret) {
        return kernel_text_read_tracefs(NULL, path, ret, NULL);
}

static int list_words(const char *path, const char *separators, char ***ret) {
        CLEANUP_FREE char *text = NULL;
        int r;

        r = tracing_dir_read_text(path, &text);
        if (r < 0)
                return r;
        return strv_split(text, separators, ret);
}

int tracing_dir_list_tracers(char ***ret) {
        return list_words("available_tracers", " \n", ret);
}

int tracing_dir_list_clocks(char ***ret) {
        return list_words("trace_clock", "[] \n", ret);
}

int tracing_dir_list_options(char ***ret) {
        CLEANUP_FREE char *path = NULL;
        CLEANUP_CLOSEDIR DIR *dir = NULL;
        CLEANUP(strv_freep) char **options = NULL;
        struct dirent *entry;
        int r;

        /* The directory and not trace_options, which has the options of the current tracer only and
         * says "nofoo" for what is off. libtracefs knows the options of its own time. */
        path = tracefs_get_tracing_file("options");
        if (!path)
                return -ENOMEM;
        dir = opendir(path);
        if (!dir)
                return -errno;
        while ((entry = readdir(dir))) {
                if (entry->d_name[0] == '.')
                        continue;
                r = strv_append(&options, entry->d_name);
                if (r < 0)
                        return r;
        }

        strv_sort(options);
        *ret = STEAL_PTR(options);
        return 0;
}
