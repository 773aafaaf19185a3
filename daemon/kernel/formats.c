/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/formats.h"

#include <errno.h>
#include <string.h>
#include <tracefs.h>

#include "core/strv.h"
#include "kernel/kernel-text.h"
#include "kernel/symbols.h"
#include "kernel/synthetic.h"
#include "kernel/tracing-dir.h"

static int read_text(const char *path, TraceText *ret) {
        return kernel_text_read_tracefs(NULL, path, &ret->data, &ret->size);
}

static bool contains_event(char *const *events, const char *system, const char *name) {
        size_t length = strlen(system);

        for (; *events; events++)
                if (strncmp(*events, system, length) == 0 && (*events)[length] == ':' &&
                    strcmp(*events + length + 1, name) == 0)
                        return true;
        return false;
}

/* Takes `prefix` out of the event's name, which the format begins with. */
static int cut_name(char *text, int *size, const char *prefix) {
        static const char begin[] = "name: ";
        size_t length = strlen(prefix);
        char *name = text + strlen(begin);

        if (strncmp(text, begin, strlen(begin)) != 0 || strncmp(name, prefix, length) != 0)
                return -EBADMSG;
        memmove(name, name + length, (size_t) *size - strlen(begin) - length);
        *size -= (int) length;
        return 0;
}

/* The formats of one system, in the order of their names so that equal kernels give equal heads. */
static int read_system(const char *system, char *const *only, const char *prefix, TraceText **ret, size_t *ret_n) {
        CLEANUP(strv_freep) char **names = NULL;
        TraceText *texts;
        char **listed;
        size_t n = 0;
        int r;

        errno = 0;
        listed = tracefs_system_events(NULL, system);
        if (!listed)
                return errno ? -errno : -ENOMEM;
        r = strv_copy(listed, &names);
        tracefs_list_free(listed);
        if (r < 0)
                return r;
        strv_sort(names);

        texts = calloc(strv_length(names) + 1, sizeof(*texts));
        if (!texts)
                return -ENOMEM;
        for (size_t i = 0; names && names[i]; i++) {
                int size = 0;
                char *text;

                if (only && !contains_event(only, system, names[i]))
                        continue;
                if (prefix && strncmp(names[i], prefix, strlen(prefix)) != 0)
                        continue;
                /* Those of sessions are theirs. */
                if (!prefix && strcmp(system, SYNTHETIC_SYSTEM) == 0 &&
                    strncmp(names[i], SYNTHETIC_PREFIX, strlen(SYNTHETIC_PREFIX)) == 0)
                        continue;

                errno = 0;
                text = tracefs_event_file_read(NULL, system, names[i], "format", &size);
                if (!text && (errno == ENOENT || errno == ENODEV))
                        continue; /* Its module was just unloaded. */
                if (!text) {
                        r = errno ? -errno : -EIO;
                        break;
                }
                if (prefix) {
                        r = cut_name(text, &size, prefix);
                        if (r < 0) {
                                free(text);
                                break;
                        }
                }
                texts[n++] = (TraceText){ .data = text, .size = (size_t) size };
        }

        /* On failure, too: the caller frees what is there with the formats that hold it. */
        *ret = texts;
        *ret_n = n;
        return r;
}

static int read_systems(char *const *systems, char *const *only, TraceFormats *formats) {
        int r;

        formats->systems = calloc(strv_length(systems) + 1, sizeof(*formats->systems));
        if (!formats->systems)
                return -ENOMEM;
        for (size_t i = 0; systems && systems[i]; i++) {
                TraceSystemFormats *system = &formats->systems[formats->n_systems];
                const char *slash = strchr(systems[i], '/');

                if (strcmp(systems[i], "ftrace") == 0)
                        continue;
                system->system = strndup(systems[i], strcspn(systems[i], "/"));
                if (!system->system)
                        return -ENOMEM;
                formats->n_systems++;
                r = read_system(system->system, only, slash ? slash + 1 : NULL, &system->formats, &system->n_formats);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int collect(char *const *systems, char *const *only, bool symbols, Error *error, TraceFormats **ret) {
        CLEANUP(trace_formats_freep) TraceFormats *formats = NULL;
        int r;

        r = trace_formats_new(&formats);
        if (r >= 0)
                r = read_text("events/header_page", &formats->header_page);
        if (r >= 0)
                r = read_text("events/header_event", &formats->header_event);
        if (r >= 0)
                r = trace_formats_parse_page_size(formats->header_page.data, &formats->page_size);
        if (r >= 0)
                r = read_system("ftrace", NULL, NULL, &formats->ftrace, &formats->n_ftrace);
        if (r >= 0)
                r = read_systems(systems, only, formats);
        /* These are addresses of the kernel. */
        if (r >= 0 && !only)
                r = read_text("printk_formats", &formats->printk);
        if (r >= 0 && symbols)
                r = symbols_read(&formats->kallsyms.data, &formats->kallsyms.size);
        if (r < 0)
                return error_set_errno(error, r, "Cannot read the formats of the kernel's events");

        *ret = STEAL_PTR(formats);
        return 0;
}

int formats_collect(char *const *systems, bool symbols, Error *error, TraceFormats **ret) {
        return collect(systems, NULL, symbols, error, ret);
}

int formats_collect_events(char *const *systems, char *const *events, Error *error, TraceFormats **ret) {
        return collect(systems, events, false, error, ret);
}

int formats_read_cmdlines(char **ret) {
        return tracing_dir_read_text("saved_cmdlines", ret);
}
