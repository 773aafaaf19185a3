/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Scope-bound clean-up for plain C resources.
 *
 * A variable declared with one of the CLEANUP_* attributes is released when it goes out of scope. To
 * hand the resource on, take it out of the variable with steal_fd() or STEAL_PTR().
 */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

/* Defines <function>p(), usable with CLEANUP(), for a destructor that accepts NULL. */
#define DEFINE_POINTER_CLEANUP(type, function)           \
        static inline void function##p(type **pointer) { \
                function(*pointer);                      \
        }                                                \
        struct function##p_wants_a_semicolon

static inline void freep(void *pointer) {
        free(*(void **) pointer);
}

static inline void closep(const int *fd) {
        if (*fd >= 0)
                (void) close(*fd);
}

static inline void fclosep(FILE **file) {
        if (*file)
                (void) fclose(*file);
}

static inline void closedirp(DIR **dir) {
        if (*dir)
                (void) closedir(*dir);
}

#define CLEANUP_FREE CLEANUP(freep)
#define CLEANUP_CLOSE CLEANUP(closep)
#define CLEANUP_FCLOSE CLEANUP(fclosep)
#define CLEANUP_CLOSEDIR CLEANUP(closedirp)

/* Takes the value out of a cleanup variable: the caller's copy becomes the only one. */
static inline int steal_fd(int *fd) {
        int taken = *fd;

        *fd = -1;
        return taken;
}

#define STEAL_PTR(pointer)                               \
        ({                                               \
                __typeof__(pointer) *slot_ = &(pointer); \
                __typeof__(pointer) taken_ = *slot_;     \
                *slot_ = NULL;                           \
                taken_;                                  \
        })

#define ELEMENTSOF(array) (sizeof(array) / sizeof((array)[0]))
