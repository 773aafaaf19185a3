/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Log: where the daemon's messages go, and from which level on. To the journal with structured fields when
 * standard error is the journal's stream, else as plain lines to standard error.
 *
 * Life cycle: log_init(); then pass it around; nothing to free. LogControl1 changes level and target.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <sys/types.h>
#include <syslog.h>

typedef enum LogTarget {
        LOG_TARGET_CONSOLE,
        LOG_TARGET_JOURNAL,
        LOG_TARGET_NULL,
        _LOG_TARGET_MAX,
} LogTarget;

typedef struct Log {
        int max_level; /* LOG_EMERG to LOG_DEBUG: less important ones are dropped */
        LogTarget target;
} Log;

#define LOG_IDENTIFIER "ktraced"

/* What an entry is about; each may be NULL. */
typedef struct LogFields {
        const char *message_id; /* from ktraced/messages.h */
        const char *session;    /* ids */
        const char *capture;
        const char *session_name;
        const uid_t *owner;
        const char *action;  /* polkit action that was asked for */
        const char *outcome; /* of the decision about it */
        const uid_t *caller; /* who asked */
} LogFields;

#define LOG_FIELDS(...) (&(const LogFields){ __VA_ARGS__ })

/* Level info; the target follows from JOURNAL_STREAM (systemd.exec(5)). */
void log_init(Log *log);

/* `fields` may be NULL. */
void log_write(const Log *log, int level, const LogFields *fields, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* The names of syslog(3) ("emerg" ... "debug") or the numbers 0 to 7; -EINVAL. */
int log_level_from_string(const char *text, int *ret);
const char *log_level_to_string(int level);
/* "console", "journal", "null", or "auto" for what log_init() chooses; -EINVAL. */
int log_target_from_string(const char *text, LogTarget *ret);
const char *log_target_to_string(LogTarget target);
