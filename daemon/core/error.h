/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Error: a failure with a type that a client can act on and a sentence that a person can read.
 *
 * Functions return -errno; those whose failures a client will see also take an `Error *`, which may be
 * NULL, and fill it on failure. One table in error.c gives every code its errno and its D-Bus name.
 *
 * Life cycle: declare with ERROR_INIT and CLEANUP(error_clear); error_set() fills it once (the first
 * failure wins); error_clear() frees it.
 */

#include <stdarg.h>

#include "ktraced/cleanup.h"

typedef enum ErrorCode {
        ERROR_NONE,
        ERROR_INVALID_ARGUMENT, /* wrong type, value, range or syntax; names the offender */
        ERROR_ACCESS_DENIED,
        ERROR_INTERACTION_REQUIRED, /* polkit would have asked, the caller did not allow it */
        ERROR_NO_MEMORY,
        ERROR_TIMED_OUT,
        ERROR_NOT_SUPPORTED, /* by this daemon */
        ERROR_NO_SUCH_SESSION,
        ERROR_NO_SUCH_CAPTURE,
        ERROR_NO_SUCH_SEGMENT,
        ERROR_NO_SUCH_EVENT,
        ERROR_NO_SUCH_FUNCTION,
        ERROR_NO_SUCH_PROFILE,
        ERROR_NO_SUCH_PROCESS,
        ERROR_BAD_FILTER,     /* message holds the expression and the position, marked */
        ERROR_BAD_DESCRIPTOR, /* a file descriptor of the wrong kind or access mode */
        ERROR_SESSION_EXISTS,
        ERROR_WRONG_STATE,    /* for example Rotate on a stopped session */
        ERROR_BUSY,           /* message holds the holder's name */
        ERROR_QUOTA_EXCEEDED, /* message says which, how much is used and the limit */
        ERROR_NOT_SUPPORTED_BY_KERNEL,
        ERROR_KERNEL_REFUSED, /* message holds the kernel's error_log text */
        ERROR_NO_SPACE,
        ERROR_IO,
        ERROR_OUT_OF_SCOPE, /* not for scope "self"; message says what is */
        ERROR_CANCELLED,
        ERROR_FAILED,
        _ERROR_CODE_MAX,
} ErrorCode;

typedef struct Error {
        ErrorCode code;
        char *message; /* owned; NULL only when out of memory */
} Error;

#define ERROR_INIT ((Error){ .code = ERROR_NONE })

void error_clear(Error *error);

/* Fills `error` (unless NULL or already set) and returns the -errno that belongs to `code`. */
int error_set(Error *error, ErrorCode code, const char *format, ...) __attribute__((format(printf, 3, 4)));
int error_setv(Error *error, ErrorCode code, const char *format, va_list ap) __attribute__((format(printf, 3, 0)));

/* ERROR_INVALID_ARGUMENT of a text that was read up to `at`: the sentence, the text, which must be printable, and on
 * a line of its own '^' below the position. What stands far before it, or behind it, is left out. Returns
 * -EINVAL. */
int error_set_at(Error *error, const char *text, const char *at, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* The same for a failed system call: `r` is -errno; the code follows from it, the reason's text is
 * appended after a colon. Returns `r`. */
int error_set_errno(Error *error, int r, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Moves the content; `from` is left empty, what `to` held is freed. */
void error_move(Error *to, Error *from);

/* Puts "prefix: " before the message that is there. Does nothing on an empty error. */
void error_prefix(Error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

const char *error_code_to_dbus_name(ErrorCode code); /* never NULL */
int error_code_to_errno(ErrorCode code);             /* positive */
ErrorCode error_code_from_errno(int e);              /* takes either sign */

/* Never NULL: the message, or a general sentence for the code. */
const char *error_text(const Error *error);
