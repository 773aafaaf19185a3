/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/unit-journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-journal.h>
#include <time.h>

#include "core/strv.h"
#include "core/text.h"

#define USEC_PER_SEC UINT64_C(1000000)

static int add_match(sd_journal *journal, const char *field, const char *value) {
        CLEANUP_FREE char *match = NULL;

        if (asprintf(&match, "%s=%s", field, value) < 0) {
                match = NULL;
                return -ENOMEM;
        }
        return sd_journal_add_match(journal, match, 0);
}

/* What others than root say in a field of that name is not believed. */
static int add_matches(sd_journal *journal, const char *unit) {
        int r = add_match(journal, "_SYSTEMD_UNIT", unit);

        if (r >= 0)
                r = sd_journal_add_disjunction(journal);
        if (r >= 0)
                r = add_match(journal, "UNIT", unit);
        return r < 0 ? r : add_match(journal, "_UID", "0");
}

/* The value of a field as text that the caller frees; "" where there is none. */
static int get_field(sd_journal *journal, const char *field, char **ret) {
        size_t size, skipped = strlen(field) + 1;
        const void *data;
        int r = sd_journal_get_data(journal, field, &data, &size);

        if (r < 0 && r != -ENOENT)
                return r;
        *ret = r < 0 || size < skipped ? strdup("") : strndup((const char *) data + skipped, size - skipped);
        return *ret ? 0 : -ENOMEM;
}

static int format_line(sd_journal *journal, char **ret) {
        CLEANUP_FREE char *who = NULL, *pid = NULL, *text = NULL;
        struct tm tm;
        char when[32];
        uint64_t usec;
        time_t seconds;
        int r = sd_journal_get_realtime_usec(journal, &usec);

        if (r >= 0)
                r = get_field(journal, "SYSLOG_IDENTIFIER", &who);
        if (r >= 0)
                r = get_field(journal, "_PID", &pid);
        if (r >= 0)
                r = get_field(journal, "MESSAGE", &text);
        if (r < 0)
                return r;
        seconds = (time_t) (usec / USEC_PER_SEC);
        if (!gmtime_r(&seconds, &tm) || strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
                return -ERANGE;
        return asprintf(ret, "%s %s[%s]: %s", when, who, pid, text) < 0 ? -ENOMEM : 0;
}

static int append_line(sd_journal *journal, size_t length, char ***lines) {
        CLEANUP_FREE char *line = NULL, *shown = malloc(length + 1);
        int r = shown ? format_line(journal, &line) : -ENOMEM;

        if (r < 0) {
                line = NULL;
                return r;
        }
        return strv_append(lines, text_escape(line, shown, length + 1));
}

static int read_last(sd_journal *journal, size_t max, size_t length, char ***lines) {
        size_t n = 0;
        int r = sd_journal_seek_tail(journal);

        while (r >= 0 && n < max && (r = sd_journal_previous(journal)) > 0)
                n++;
        /* Before the first of them, or on it. */
        if (r == 0)
                r = sd_journal_seek_head(journal) < 0 ? -EIO : sd_journal_next(journal);
        for (; r > 0 && n > 0; n--) {
                int added = append_line(journal, length, lines);

                if (added < 0)
                        return added;
                r = sd_journal_next(journal);
        }
        return r < 0 ? r : 0;
}

int unit_journal_read(const char *unit, size_t max, size_t length, Error *error, char ***ret) {
        CLEANUP(strv_freep) char **lines = NULL;
        sd_journal *journal = NULL;
        int r;

        r = sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);
        if (r >= 0)
                r = add_matches(journal, unit);
        if (r >= 0)
                r = read_last(journal, max, length, &lines);
        sd_journal_close(journal);
        if (r < 0)
                return error_set_errno(error, r, "Cannot read the journal");
        *ret = STEAL_PTR(lines);
        return 0;
}
