/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/parse.h"
#include "core/strv.h"
#include "core/text.h"
#include "model/profiles.h"
#include "model/text-file.h"

void profiles_free(Profiles *profiles) {
        if (!profiles)
                return;
        for (size_t i = 0; i < profiles->n_profiles; i++)
                profile_free(profiles->profiles[i]);
        free(profiles->profiles);
        free(profiles);
}

static int compare_profiles(const void *a, const void *b) {
        const Profile *const *x = a, *const *y = b;

        return strcmp((*x)->name, (*y)->name);
}

int profiles_find(const Profiles *profiles, const char *name, Error *error, const Profile **ret) {
        for (size_t i = 0; profiles && i < profiles->n_profiles; i++)
                if (strcmp(profiles->profiles[i]->name, name) == 0) {
                        *ret = profiles->profiles[i];
                        return 0;
                }
        return error_set(error, ERROR_NO_SUCH_PROFILE, "There is no profile '%s'", TEXT_ESCAPE(name));
}

static int add_profile(Profiles *profiles, Profile *profile) {
        Profile **grown = reallocarray(profiles->profiles, profiles->n_profiles + 1, sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        profiles->profiles = grown;
        grown[profiles->n_profiles++] = profile;
        return 0;
}

/* Returns 0 also for a bad file, whose message is then in *ret_problems. */
static int load_file(Profiles *profiles, const char *path, const char *name, char ***ret_problems) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(profile_freep) Profile *profile = NULL;
        CLEANUP_FREE char *text = NULL;

        int r = text_file_read(path, &error, &text);
        if (r >= 0)
                r = profile_parse(name, text, path, &error, &profile);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return strv_append(ret_problems, error_text(&error));

        r = add_profile(profiles, profile);
        if (r >= 0)
                STEAL_PTR(profile);
        return r;
}

static int load_directory(Profiles *profiles, const char *directory, char ***ret_problems) {
        CLEANUP(strv_freep) char **paths = NULL;

        int r = text_file_list(directory, &paths);
        if (r < 0)
                return r;
        for (char **path = paths; path && *path; path++) {
                const char *file = strrchr(*path, '/') + 1;
                CLEANUP_FREE char *name = strndup(file, strlen(file) - strlen(".json"));
                const Profile *shadowing;

                if (!name)
                        return -ENOMEM;
                if (!name_is_valid(name)) {
                        CLEANUP_FREE char *problem = NULL;

                        if (asprintf(&problem, "%s: not a name for a profile", *path) < 0)
                                return -ENOMEM;
                        r = strv_append(ret_problems, problem);
                } else if (profiles_find(profiles, name, NULL, &shadowing) < 0)
                        r = load_file(profiles, *path, name, ret_problems);
                if (r < 0)
                        return r;
        }
        return 0;
}

int profiles_read(char *const *directories, const char *name, Error *error, Profile **ret) {
        for (char *const *directory = directories; name_is_valid(name) && directory && *directory; directory++) {
                CLEANUP_FREE char *path = NULL, *text = NULL;
                int r;

                if (asprintf(&path, "%s/%s.json", *directory, name) < 0) {
                        path = NULL;
                        return error_set_errno(error, -ENOMEM, "Cannot read profile '%s'", name);
                }
                if (access(path, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR))
                        continue;
                r = text_file_read(path, error, &text);
                return r < 0 ? r : profile_parse(name, text, path, error, ret);
        }
        return error_set(error, ERROR_NO_SUCH_PROFILE, "There is no profile '%s'", TEXT_ESCAPE(name));
}

int profiles_put(Profiles *profiles, Profile *profile) {
        int r;

        for (size_t i = 0; i < profiles->n_profiles; i++)
                if (strcmp(profiles->profiles[i]->name, profile->name) == 0) {
                        profile_free(profiles->profiles[i]);
                        profiles->profiles[i] = profile;
                        return 0;
                }
        r = add_profile(profiles, profile);
        if (r >= 0)
                qsort(profiles->profiles, profiles->n_profiles, sizeof(*profiles->profiles), compare_profiles);
        return r;
}

int profiles_load(char *const *directories, Profiles **ret, char ***ret_problems) {
        CLEANUP(profiles_freep) Profiles *profiles = calloc(1, sizeof(*profiles));
        CLEANUP(strv_freep) char **problems = NULL;

        if (!profiles)
                return -ENOMEM;
        for (char *const *directory = directories; directory && *directory; directory++) {
                int r = load_directory(profiles, *directory, &problems);
                if (r < 0)
                        return r;
        }
        if (profiles->n_profiles > 0)
                qsort(profiles->profiles, profiles->n_profiles, sizeof(*profiles->profiles), compare_profiles);

        *ret = STEAL_PTR(profiles);
        *ret_problems = STEAL_PTR(problems);
        return 0;
}
