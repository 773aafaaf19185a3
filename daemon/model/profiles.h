/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Profiles: those of all profile directories; an earlier directory overrides a later one by name.
 */

#include "core/profile.h"

typedef struct Profiles {
        Profile **profiles; /* by name */
        size_t n_profiles;
} Profiles;

void profiles_free(Profiles *profiles);
DEFINE_POINTER_CLEANUP(Profiles, profiles_free);

/* Reads files; for a worker. A bad file does not hide the good ones: it is left out and its message is
 * appended to *ret_problems. Missing directories are no problem. */
int profiles_load(char *const *directories, Profiles **ret, char ***ret_problems);
/* ERROR_NO_SUCH_PROFILE */
int profiles_find(const Profiles *profiles, const char *name, Error *error, const Profile **ret);
