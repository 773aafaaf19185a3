/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the files of spec share: the table of keys, which says where in the struct a key's value is and how it
 * gets there. Copying, merging, writing and freeing go by the same table, so that a key of a common type is one
 * row and one member.
 */

#include "core/spec.h"

#define SPEC_MODE_RING "ring"

typedef struct SpecKeyInfo SpecKeyInfo;

struct SpecKeyInfo {
        const char *name;
        SpecType type;
        /* Checks the value, whose type is right, and stores it. */
        int (*set)(Spec *spec, const SpecKeyInfo *info, const SpecValue *value, Error *error);
        size_t offset;     /* of the member, for those that are set by a function that is declared here */
        uint64_t min, max; /* numbers: the range. Lists: max is the number of entries. */
        bool zero;         /* 0 is allowed besides the range: no limit */
        bool (*is_valid)(const char *text);           /* a string */
        int (*check)(const char *text, Error *error); /* an entry of a list of strings */
};

extern const SpecKeyInfo spec_key_table[_SPEC_KEY_MAX];

int spec_set_string(Spec *spec, const SpecKeyInfo *info, const SpecValue *value, Error *error);
int spec_set_strings(Spec *spec, const SpecKeyInfo *info, const SpecValue *value, Error *error);
int spec_set_boolean(Spec *spec, const SpecKeyInfo *info, const SpecValue *value, Error *error);
int spec_set_number(Spec *spec, const SpecKeyInfo *info, const SpecValue *value, Error *error);
int spec_set_fds(Spec *spec, const SpecKeyInfo *info, const SpecValue *value, Error *error);

static inline char **spec_string_at(Spec *spec, const SpecKeyInfo *info) {
        return (char **) ((char *) spec + info->offset);
}

static inline char ***spec_strings_at(Spec *spec, const SpecKeyInfo *info) {
        return (char ***) ((char *) spec + info->offset);
}

static inline bool *spec_boolean_at(Spec *spec, const SpecKeyInfo *info) {
        return (bool *) ((char *) spec + info->offset);
}

static inline uint64_t *spec_number_at(Spec *spec, const SpecKeyInfo *info) {
        return (uint64_t *) ((char *) spec + info->offset);
}

static inline SpecFds *spec_fds_at(Spec *spec, const SpecKeyInfo *info) {
        return (SpecFds *) ((char *) spec + info->offset);
}

/* The part of spec_validate() that concerns the tracer and its functions (spec-tracer.c). */
int spec_check_tracer(const Spec *spec, Error *error);
/* The same of the scope (spec-scope.c). */
int spec_check_scope(const Spec *spec, Error *error);

/* NULL when there is none for that pattern. */
SpecFilter *spec_find_filter(const Spec *spec, const char *pattern);
int spec_add_filter(Spec *spec, const char *pattern, const char *expression);
/* Duplicates the descriptors. */
int spec_fds_append(SpecFds *to, const int *fds, size_t n);
