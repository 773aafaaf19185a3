/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What all unit tests include: cmocka with the headers that it wants before it, and assertions on Error.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/error.h"

/* `text` contains `part`; both are printed when it does not. */
#define assert_contains(text, part)                                               \
        do {                                                                      \
                const char *text_ = (text), *part_ = (part);                      \
                if (!strstr(text_, part_))                                        \
                        fail_msg("\"%s\" does not contain \"%s\"", text_, part_); \
        } while (0)

/* `call`, which takes `error`, fails with `wanted`, and its message contains `part`. Empties `error`. */
#define assert_fails(call, error, wanted, part)             \
        do {                                                \
                assert_true((call) < 0);                    \
                assert_int_equal((error)->code, (wanted));  \
                assert_contains(error_text(error), (part)); \
                error_clear(error);                         \
        } while (0)

/* `call`, which takes `error`, succeeds; the message is printed when it does not. cmocka's fail_msg() does not
 * come back, but does not say so to the static analyzer: abort() does. */
#define assert_succeeds(call, error)                                          \
        do {                                                                  \
                int r_ = (call);                                              \
                if (r_ != 0) {                                                \
                        fail_msg("%s: %d, %s", #call, r_, error_text(error)); \
                        abort();                                              \
                }                                                             \
                assert_int_equal((error)->code, ERROR_NONE);                  \
        } while (0)
