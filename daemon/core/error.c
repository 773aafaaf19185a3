/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/error.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ktraced/protocol.h"

#define DBUS_ERROR(name) "org.freedesktop.DBus.Error." name
#define OWN_ERROR(name) KTRACED_ERROR_PREFIX name
/* What is shown of a text before the position of an error, and from there on. */
#define CONTEXT_BEFORE 60
#define CONTEXT_AFTER 200

typedef struct ErrorInfo {
        int e;               /* positive errno */
        bool is_errno_home;  /* error_code_from_errno(e) is this code */
        const char *name;    /* on the bus */
        const char *general; /* a sentence for when there is no message */
} ErrorInfo;

static const ErrorInfo error_table[_ERROR_CODE_MAX] = {
        [ERROR_NONE] = { 0, true, DBUS_ERROR("Failed"), "No error" },
        [ERROR_INVALID_ARGUMENT] = { EINVAL, true, DBUS_ERROR("InvalidArgs"), "Invalid argument" },
        [ERROR_ACCESS_DENIED] = { EACCES, true, DBUS_ERROR("AccessDenied"), "Access denied" },
        [ERROR_INTERACTION_REQUIRED] = { EACCES, false, DBUS_ERROR("InteractiveAuthorizationRequired"),
                                         "Interactive authorization required" },
        [ERROR_NO_MEMORY] = { ENOMEM, true, DBUS_ERROR("NoMemory"), "Out of memory" },
        [ERROR_TIMED_OUT] = { ETIMEDOUT, true, DBUS_ERROR("TimedOut"), "Timed out" },
        [ERROR_NOT_SUPPORTED] = { EOPNOTSUPP, true, DBUS_ERROR("NotSupported"), "Not supported" },
        [ERROR_NO_SUCH_SESSION] = { ENOENT, false, OWN_ERROR("NoSuchSession"), "No such session" },
        [ERROR_NO_SUCH_CAPTURE] = { ENOENT, false, OWN_ERROR("NoSuchCapture"), "No such capture" },
        [ERROR_NO_SUCH_SEGMENT] = { ENOENT, false, OWN_ERROR("NoSuchSegment"), "No such segment" },
        [ERROR_NO_SUCH_EVENT] = { ENOENT, false, OWN_ERROR("NoSuchEvent"), "No such event" },
        [ERROR_NO_SUCH_FUNCTION] = { ENOENT, false, OWN_ERROR("NoSuchFunction"), "No such function" },
        [ERROR_NO_SUCH_PROFILE] = { ENOENT, false, OWN_ERROR("NoSuchProfile"), "No such profile" },
        [ERROR_NO_SUCH_PROCESS] = { ESRCH, true, OWN_ERROR("NoSuchProcess"), "No such process" },
        [ERROR_BAD_FILTER] = { EINVAL, false, OWN_ERROR("BadFilter"), "Bad filter expression" },
        [ERROR_BAD_DESCRIPTOR] = { EBADF, true, OWN_ERROR("BadDescriptor"), "Unsuitable file descriptor" },
        [ERROR_SESSION_EXISTS] = { EEXIST, false, OWN_ERROR("SessionExists"), "Session exists already" },
        [ERROR_WRONG_STATE] = { EBADFD, false, OWN_ERROR("WrongState"), "Not possible in this state" },
        [ERROR_BUSY] = { EBUSY, true, OWN_ERROR("Busy"), "In use by another" },
        [ERROR_QUOTA_EXCEEDED] = { EDQUOT, true, OWN_ERROR("QuotaExceeded"), "Limit reached" },
        [ERROR_NOT_SUPPORTED_BY_KERNEL] = { ENOSYS, true, OWN_ERROR("NotSupportedByKernel"),
                                            "Not supported by the running kernel" },
        [ERROR_KERNEL_REFUSED] = { EINVAL, false, OWN_ERROR("KernelRefused"), "The kernel refused" },
        [ERROR_NO_SPACE] = { ENOSPC, true, OWN_ERROR("NoSpace"), "No space left" },
        [ERROR_IO] = { EIO, true, DBUS_ERROR("IOError"), "Input/output error" },
        [ERROR_OUT_OF_SCOPE] = { EPERM, false, OWN_ERROR("OutOfScope"), "Not within the session's scope" },
        [ERROR_CANCELLED] = { ECANCELED, true, OWN_ERROR("Cancelled"), "Cancelled" },
        [ERROR_FAILED] = { EPROTO, false, DBUS_ERROR("Failed"), "Failed" },
};

static const ErrorInfo *error_info(ErrorCode code) {
        return (unsigned) code < _ERROR_CODE_MAX ? &error_table[code] : &error_table[ERROR_FAILED];
}

void error_clear(Error *error) {
        free(error->message);
        *error = ERROR_INIT;
}

int error_setv(Error *error, ErrorCode code, const char *format, va_list ap) {
        if (error && error->code == ERROR_NONE) {
                error->code = code;
                if (vasprintf(&error->message, format, ap) < 0)
                        error->message = NULL;
        }
        return -error_code_to_errno(code);
}

int error_set(Error *error, ErrorCode code, const char *format, ...) {
        va_list ap;
        int r;

        va_start(ap, format);
        r = error_setv(error, code, format, ap);
        va_end(ap);
        return r;
}

static bool is_continuation(char c) {
        return ((unsigned char) c & 0xc0U) == 0x80U;
}

int error_set_at(Error *error, const char *text, const char *at, const char *format, ...) {
        size_t before = (size_t) (at - text), cut = before > CONTEXT_BEFORE ? before - CONTEXT_BEFORE : 0;
        size_t after = strnlen(at, CONTEXT_AFTER + 1);
        CLEANUP_FREE char *why = NULL;
        va_list ap;
        int n;

        /* Not within a character of UTF-8. */
        while (cut > 0 && cut < before && is_continuation(text[cut]))
                cut++;
        while (after > CONTEXT_AFTER || (after > 0 && is_continuation(at[after])))
                after--;
        va_start(ap, format);
        n = vasprintf(&why, format, ap);
        va_end(ap);
        if (n < 0) {
                why = NULL;
                return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        }
        /* The mark may be off behind characters of several bytes. */
        return error_set(error, ERROR_INVALID_ARGUMENT, "%s\n  %s%.*s%s\n  %*s^", why, cut > 0 ? "..." : "",
                         (int) (before - cut + after), text + cut, at[after] ? "..." : "",
                         (int) (before - cut + (cut > 0 ? 3 : 0)), "");
}

int error_set_errno(Error *error, int r, const char *format, ...) {
        CLEANUP_FREE char *what = NULL;
        char reason[128];
        va_list ap;

        if (!error || error->code != ERROR_NONE)
                return r;

        va_start(ap, format);
        if (vasprintf(&what, format, ap) < 0)
                what = NULL;
        va_end(ap);

        if (what)
                (void) error_set(error, error_code_from_errno(r), "%s: %s", what,
                                 strerror_r(r < 0 ? -r : r, reason, sizeof(reason)));
        else
                error->code = error_code_from_errno(r);
        return r;
}

void error_move(Error *to, Error *from) {
        if (to == from)
                return;
        if (to) {
                error_clear(to);
                *to = *from;
                *from = ERROR_INIT;
        } else
                error_clear(from);
}

void error_prefix(Error *error, const char *format, ...) {
        CLEANUP_FREE char *prefix = NULL;
        char *joined;
        va_list ap;

        if (!error || error->code == ERROR_NONE)
                return;

        va_start(ap, format);
        if (vasprintf(&prefix, format, ap) < 0)
                prefix = NULL;
        va_end(ap);

        if (!prefix || asprintf(&joined, "%s: %s", prefix, error_text(error)) < 0)
                return;
        free(error->message);
        error->message = joined;
}

const char *error_code_to_dbus_name(ErrorCode code) {
        return error_info(code)->name;
}

int error_code_to_errno(ErrorCode code) {
        return error_info(code)->e;
}

ErrorCode error_code_from_errno(int e) {
        if (e < 0)
                e = -e;
        if (e == EPERM)
                return ERROR_ACCESS_DENIED;
        for (unsigned code = 0; code < _ERROR_CODE_MAX; code++)
                if (error_table[code].is_errno_home && error_table[code].e == e)
                        return (ErrorCode) code;
        return ERROR_FAILED;
}

const char *error_text(const Error *error) {
        if (!error)
                return error_table[ERROR_NONE].general;
        return error->message ? error->message : error_info(error->code)->general;
}
