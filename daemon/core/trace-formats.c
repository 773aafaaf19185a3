/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/trace-formats.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int trace_formats_new(TraceFormats **ret) {
        TraceFormats *formats = calloc(1, sizeof(*formats));

        if (!formats)
                return -ENOMEM;
        *ret = formats;
        return 0;
}

static void free_texts(TraceText *texts, size_t n) {
        for (size_t i = 0; i < n; i++)
                free(texts[i].data);
        free(texts);
}

void trace_formats_free(TraceFormats *formats) {
        if (!formats)
                return;
        free(formats->header_page.data);
        free(formats->header_event.data);
        free_texts(formats->ftrace, formats->n_ftrace);
        for (size_t i = 0; i < formats->n_systems; i++) {
                free(formats->systems[i].system);
                free_texts(formats->systems[i].formats, formats->systems[i].n_formats);
        }
        free(formats->systems);
        free(formats->printk.data);
        free(formats->kallsyms.data);
        free(formats);
}

/* Offset and size of the field that ends in " <name>;". */
static int find_field(const char *header_page, const char *name, uint32_t *ret_offset, uint32_t *ret_size) {
        size_t length = strlen(name);
        int end = 0;

        for (const char *s = strchr(header_page, ';'); s; s = strchr(s + 1, ';')) {
                if ((size_t) (s - header_page) <= length || strncmp(s - length, name, length) != 0 ||
                    s[-(ptrdiff_t) length - 1] != ' ')
                        continue;
                /* The count of conversions does not tell whether what follows the last one was there. */
                return sscanf(s, "; offset:%9u; size:%9u;%n", ret_offset, ret_size, &end) == 2 && end > 0 ? 0
                                                                                                          : -EINVAL;
        }
        return -EINVAL;
}

int trace_formats_parse_page_size(const char *header_page, uint32_t *ret) {
        uint32_t commit_offset, commit_size, data_offset, data_size;
        int r = find_field(header_page, "commit", &commit_offset, &commit_size);

        if (r < 0)
                return r;
        r = find_field(header_page, "data", &data_offset, &data_size);
        if (r < 0)
                return r;
        /* sscanf() took at most nine digits each: the sum fits. */
        if (data_size == 0)
                return -EINVAL;
        *ret = commit_offset + commit_size + data_size;
        return 0;
}
