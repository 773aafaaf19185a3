/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/profile.h"

#include <errno.h>
#include <string.h>

#include "core/json-text.h"
#include "core/parse.h"
#include "core/spec-json.h"
#include "core/text.h"

static const char *const cost_names[] = {
        [PROFILE_COST_LOW] = "low",
        [PROFILE_COST_MEDIUM] = "medium",
        [PROFILE_COST_HIGH] = "high",
};

const char *profile_cost_to_string(ProfileCost cost) {
        return (unsigned) cost < ELEMENTSOF(cost_names) ? cost_names[cost] : "unknown";
}

void profile_free(Profile *profile) {
        if (!profile)
                return;
        free(profile->name);
        free(profile->description);
        spec_free(profile->spec);
        free(profile->path);
        free(profile);
}

static int set_description(Profile *profile, struct json_object *member, Error *error) {
        const char *string;

        if (json_text_get_string(member, &string) < 0 || *string == '\0' || !text_is_printable(string))
                return error_set(error, ERROR_INVALID_ARGUMENT, "description: must be a line of text");
        free(profile->description);
        profile->description = strdup(string);
        if (!profile->description)
                return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        return 0;
}

static int set_cost(Profile *profile, struct json_object *member, Error *error) {
        const char *string;

        if (json_text_get_string(member, &string) == 0)
                for (unsigned cost = 0; cost < ELEMENTSOF(cost_names); cost++)
                        if (strcmp(string, cost_names[cost]) == 0) {
                                profile->cost = (ProfileCost) cost;
                                return 0;
                        }
        return error_set(error, ERROR_INVALID_ARGUMENT, "cost: must be \"low\", \"medium\" or \"high\"");
}

static int set_member(Profile *profile, const char *key, struct json_object *member, Error *error) {
        if (strcmp(key, "description") == 0)
                return set_description(profile, member, error);
        if (strcmp(key, "cost") == 0)
                return set_cost(profile, member, error);
        if (strcmp(key, "profile") == 0)
                return error_set(error, ERROR_INVALID_ARGUMENT, "profile: a profile cannot build on another");
        return spec_set_member_from_json(profile->spec, key, member, error);
}

static int check_complete(struct json_object *object, const char *origin, Error *error) {
        static const char *const needed[] = { "description", "cost", "events" };

        for (size_t i = 0; i < ELEMENTSOF(needed); i++)
                if (!json_object_object_get_ex(object, needed[i], NULL))
                        return error_set(error, ERROR_INVALID_ARGUMENT, "%s: \"%s\" is missing", origin, needed[i]);
        return 0;
}

int profile_parse(const char *name, const char *text, const char *origin, Error *error, Profile **ret) {
        CLEANUP_JSON struct json_object *object = NULL;
        CLEANUP(profile_freep) Profile *profile = NULL;
        int r;

        if (!name_is_valid(name))
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s: \"%s\" is not a valid name for a profile",
                                 origin, TEXT_ESCAPE(name));
        r = json_text_parse(text, origin, error, &object);
        if (r < 0)
                return r;
        profile = calloc(1, sizeof(*profile));
        if (!profile)
                return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        profile->name = strdup(name);
        if (!profile->name || spec_new(&profile->spec) < 0)
                return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        json_object_object_foreach(object, key, member) {
                r = set_member(profile, key, member, error);
                if (r < 0) {
                        error_prefix(error, "%s:%u", origin, json_text_key_line(text, key));
                        return r;
                }
        }
        r = check_complete(object, origin, error);
        if (r < 0)
                return r;
        /* `children` in a profile is for the processes that the client will name. */
        *ret = STEAL_PTR(profile);
        return 0;
}

int profile_describe(const Profile *profile, char **ret) {
        CLEANUP_JSON struct json_object *object = json_object_new_object(), *spec = NULL;
        int r;

        if (!object)
                return -ENOMEM;
        r = spec_to_json(profile->spec, &spec);
        if (r == 0)
                r = json_text_add_string(object, "name", profile->name);
        if (r == 0)
                r = json_text_add_string(object, "description", profile->description);
        if (r == 0)
                r = json_text_add_string(object, "cost", profile_cost_to_string(profile->cost));
        if (r == 0)
                r = json_text_add_string(object, "path", profile->path);
        if (r == 0)
                r = json_text_add(object, "spec", json_object_get(spec));
        if (r < 0)
                return r;
        return json_text_format(object, true, ret);
}
