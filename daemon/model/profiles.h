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
/* One of them as it is on the disk now; for a worker. ERROR_NO_SUCH_PROFILE; a bad file is an error, though a later
 * directory may have one of that name. */
int profiles_read(char *const *directories, const char *name, Error *error, Profile **ret);
/* Takes `profile` over, on success, in the place of the one of that name. */
int profiles_put(Profiles *profiles, Profile *profile);
/* ERROR_NO_SUCH_PROFILE */
int profiles_find(const Profiles *profiles, const char *name, Error *error, const Profile **ret);
