/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

#include "core/parse.h"
#include "ktraced/cleanup.h"

/* MESSAGE, PRIORITY, SYSLOG_IDENTIFIER and those of LogFields. */
#define LOG_FIELDS_MAX 11U

static const char *const level_names[] = {
        [LOG_EMERG] = "emerg",     [LOG_ALERT] = "alert",   [LOG_CRIT] = "crit", [LOG_ERR] = "err",
        [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice", [LOG_INFO] = "info", [LOG_DEBUG] = "debug",
};

static const char *const target_names[_LOG_TARGET_MAX] = {
        [LOG_TARGET_CONSOLE] = "console",
        [LOG_TARGET_JOURNAL] = "journal",
        [LOG_TARGET_NULL] = "null",
};

const char *log_level_to_string(int level) {
        return level >= 0 && (size_t) level < ELEMENTSOF(level_names) ? level_names[level] : NULL;
}

int log_level_from_string(const char *text, int *ret) {
        uint64_t number;

        for (size_t i = 0; i < ELEMENTSOF(level_names); i++)
                if (strcmp(level_names[i], text) == 0) {
                        *ret = (int) i;
                        return 0;
                }

        if (parse_unsigned(text, &number) < 0 || number > LOG_DEBUG)
                return -EINVAL;

        *ret = (int) number;
        return 0;
}

/* systemd.exec(5): JOURNAL_STREAM holds the device and inode of the stream that was connected to the
 * journal; standard error may have been redirected since. */
static LogTarget log_target_auto(void) {
        const char *stream = getenv("JOURNAL_STREAM");
        CLEANUP_FREE char *expected = NULL;
        struct stat st;

        if (!stream || fstat(STDERR_FILENO, &st) < 0)
                return LOG_TARGET_CONSOLE;
        if (asprintf(&expected, "%ju:%ju", (uintmax_t) st.st_dev, (uintmax_t) st.st_ino) < 0) {
                expected = NULL;
                return LOG_TARGET_CONSOLE;
        }

        return strcmp(stream, expected) == 0 ? LOG_TARGET_JOURNAL : LOG_TARGET_CONSOLE;
}

const char *log_target_to_string(LogTarget target) {
        return target < _LOG_TARGET_MAX ? target_names[target] : NULL;
}

int log_target_from_string(const char *text, LogTarget *ret) {
        if (strcmp(text, "auto") == 0) {
                *ret = log_target_auto();
                return 0;
        }

        for (size_t i = 0; i < ELEMENTSOF(target_names); i++)
                if (strcmp(target_names[i], text) == 0) {
                        *ret = (LogTarget) i;
                        return 0;
                }

        return -EINVAL;
}

void log_init(Log *log) {
        *log = (Log){ .max_level = LOG_INFO, .target = log_target_auto() };
}

typedef struct LogEntry {
        struct iovec fields[LOG_FIELDS_MAX];
        int n_fields;
} LogEntry;

static void log_entry_clear(LogEntry *entry) {
        for (int i = 0; i < entry->n_fields; i++)
                free(entry->fields[i].iov_base);
}

static void log_entry_add(LogEntry *entry, const char *key, const char *value) {
        char *field;
        int length;

        if (!value || (size_t) entry->n_fields >= LOG_FIELDS_MAX)
                return;

        length = asprintf(&field, "%s=%s", key, value);
        if (length < 0)
                return;

        entry->fields[entry->n_fields++] = (struct iovec){ .iov_base = field, .iov_len = (size_t) length };
}

static void log_entry_add_number(LogEntry *entry, const char *key, unsigned number) {
        char text[16];

        (void) snprintf(text, sizeof(text), "%u", number);
        log_entry_add(entry, key, text);
}

static int log_to_journal(int level, const LogFields *fields, const char *message) {
        CLEANUP(log_entry_clear) LogEntry entry = { .n_fields = 0 };

        log_entry_add(&entry, "MESSAGE", message);
        log_entry_add_number(&entry, "PRIORITY", (unsigned) level);
        log_entry_add(&entry, "SYSLOG_IDENTIFIER", LOG_IDENTIFIER);
        if (fields) {
                log_entry_add(&entry, "MESSAGE_ID", fields->message_id);
                log_entry_add(&entry, "KTRACED_SESSION", fields->session);
                log_entry_add(&entry, "KTRACED_SESSION_NAME", fields->session_name);
                log_entry_add(&entry, "KTRACED_CAPTURE", fields->capture);
                log_entry_add(&entry, "KTRACED_ACTION", fields->action);
                log_entry_add(&entry, "KTRACED_OUTCOME", fields->outcome);
                if (fields->owner)
                        log_entry_add_number(&entry, "KTRACED_OWNER", *fields->owner);
                if (fields->caller)
                        log_entry_add_number(&entry, "KTRACED_CALLER", *fields->caller);
        }

        return sd_journal_sendv(entry.fields, entry.n_fields);
}

void log_write(const Log *log, int level, const LogFields *fields, const char *format, ...) {
        CLEANUP_FREE char *message = NULL;
        va_list ap;

        if (level > log->max_level || log->target == LOG_TARGET_NULL)
                return;

        va_start(ap, format);
        if (vasprintf(&message, format, ap) < 0)
                message = NULL;
        va_end(ap);
        if (!message)
                return;

        if (log->target == LOG_TARGET_JOURNAL && log_to_journal(level, fields, message) >= 0)
                return;

        (void) fprintf(stderr, LOG_IDENTIFIER ": %s\n", message);
}
