/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/setting.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <tracefs.h>

#include "core/strv.h"
#include "kernel/kernel-text.h"
#include "ktraced/cleanup.h"

/* How a file that was never used says what its size will be (tracing_entries_read(), trace.c, 5.15 to 6.18). */
#define EXPANDED "(expanded: "
/* An empty set_ftrace_pid (fpid_show(), ftrace.c, 5.15 to 6.18). */
#define NO_PID "no pid"

/* Its text is what was recorded, and reading it stops the recording. */
static bool is_buffer(const char *file) {
        return strcmp(file, "trace") == 0;
}

int setting_read(const char *file, char **ret) {
        char *empty;

        if (is_buffer(file)) {
                empty = strdup("");
                if (!empty)
                        return -ENOMEM;
                *ret = empty;
                return 0;
        }
        return kernel_text_read_tracefs(NULL, file, ret, NULL);
}

static const char *base_name(const char *file) {
        const char *slash = strrchr(file, '/');

        return slash ? slash + 1 : file;
}

static int write_text(const char *file, const char *text) {
        return tracefs_instance_file_write(NULL, file, text) < 0 ? -errno : 0;
}

static bool reads_like(const char *text, const char *value) {
        size_t length = strcspn(text, "\n");

        return strlen(value) == length && strncmp(text, value, length) == 0;
}

int setting_write(const char *file, const char *value) {
        CLEANUP_FREE char *text = NULL;
        int r = setting_read(file, &text);

        if (r < 0)
                return r;
        return reads_like(text, value) ? 0 : write_text(file, value);
}

/* The kernel takes one word at a write, and lets all take effect when the file is closed (ftrace_regex_write(),
 * ftrace_graph_write(), ftrace.c; trace_pid_write(), trace.c, 5.15 to 6.18). */
int setting_write_list(const char *file, char *const *words, const char **ret_refused) {
        CLEANUP_CLOSE int fd = tracefs_instance_file_open(NULL, file, O_WRONLY | O_TRUNC | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        for (; words && *words; words++) {
                CLEANUP_FREE char *line = NULL;

                if (asprintf(&line, "%s\n", *words) < 0) {
                        line = NULL;
                        return -ENOMEM;
                }
                if (write(fd, line, strlen(line)) < 0) {
                        int r = -errno;

                        if (ret_refused)
                                *ret_refused = *words;
                        return r;
                }
        }
        return 0;
}

/* The words of "name", "name [module]" or a pid in each line; what begins with '#' is a comment, and a line with
 * a colon is a command of its own, which emptying the list does not remove. */
static int restore_list(const char *file, const char *text) {
        CLEANUP(strv_freep) char **lines = NULL, **words = NULL;
        int r;

        r = strv_split(text, "\n", &lines);
        for (size_t i = 0; r >= 0 && lines && lines[i]; i++) {
                if (lines[i][0] == '#' || strchr(lines[i], ':') || strcmp(lines[i], NO_PID) == 0)
                        continue;
                lines[i][strcspn(lines[i], " \t")] = '\0';
                r = strv_append(&words, lines[i]);
        }
        return r < 0 ? r : setting_write_list(file, words, NULL);
}

/* Copies up to `end` and writes that. */
static int write_part(const char *file, const char *start, const char *end) {
        CLEANUP_FREE char *part = strndup(start, strcspn(start, end));

        return part ? write_text(file, part) : -ENOMEM;
}

int setting_restore(const char *file, const char *text) {
        CLEANUP_FREE char *present = NULL;
        const char *name = base_name(file), *mark;
        int r;

        r = setting_read(file, &present);
        if (r < 0)
                return r;
        if (is_buffer(file))
                return setting_write_list(file, NULL, NULL);
        if (strcmp(present, text) == 0)
                return 0;
        if (strncmp(name, "set_", strlen("set_")) == 0)
                return restore_list(file, text);
        if (strcmp(name, "trace_clock") == 0) {
                mark = strchr(text, '[');
                return mark ? write_part(file, mark + 1, "]") : -EINVAL;
        }
        if (strcmp(name, "buffer_size_kb") == 0 && (mark = strstr(text, EXPANDED)))
                return write_part(file, mark + strlen(EXPANDED), ")");
        /* "0" is how a filter is removed; an event that a trigger has in use reads "0*" or "1*". */
        if (strcmp(name, "filter") == 0 && strncmp(text, "none", strlen("none")) == 0)
                return write_text(file, "0");
        return write_part(file, text, strcmp(name, "enable") == 0 ? "*\n" : "\n");
}
