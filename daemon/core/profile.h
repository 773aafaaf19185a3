/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Profile: a named spec from a JSON file, {"description": ..., "cost": ..., and the keys of spec.h}.
 */

#include <json-c/json.h>

#include "core/error.h"
#include "core/spec.h"

typedef enum ProfileCost {
        PROFILE_COST_LOW,    /* may run always */
        PROFILE_COST_MEDIUM, /* for minutes */
        PROFILE_COST_HIGH,   /* slows the traced programs down noticeably */
} ProfileCost;

typedef struct Profile {
        char *name;
        char *description;
        ProfileCost cost;
        Spec *spec;
        char *path; /* where it came from; NULL when parsed from text */
} Profile;

void profile_free(Profile *profile);
DEFINE_POINTER_CLEANUP(Profile, profile_free);

/* `origin` (a path) goes into messages, with the line of a syntax error or of an unknown key. */
int profile_parse(const char *name, const char *text, const char *origin, Error *error, Profile **ret);
const char *profile_cost_to_string(ProfileCost cost);
/* JSON text as DescribeProfile returns it: name, description, cost, path, spec. */
int profile_describe(const Profile *profile, char **ret);
