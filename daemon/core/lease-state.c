/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/lease-state.h"

#include <errno.h>
#include <string.h>

#include "core/json-text.h"
#include "core/strv.h"
#include "core/text.h"

int lease_state_add(LeaseState *state, const char *file, const char *text) {
        LeaseSetting *settings = reallocarray(state->settings, state->n_settings + 1, sizeof(*settings));
        LeaseSetting setting;

        if (!settings)
                return -ENOMEM;
        state->settings = settings;
        setting = (LeaseSetting){ .file = strdup(file), .text = strdup(text) };
        if (!setting.file || !setting.text) {
                free(setting.file);
                free(setting.text);
                return -ENOMEM;
        }
        state->settings[state->n_settings++] = setting;
        return 0;
}

void lease_state_clear(LeaseState *state) {
        for (size_t i = 0; i < state->n_settings; i++) {
                free(state->settings[i].file);
                free(state->settings[i].text);
        }
        free(state->settings);
        free(state->holder);
        *state = (LeaseState){ 0 };
}

int lease_state_format(const LeaseState *state, char **ret) {
        CLEANUP_JSON struct json_object *object = json_object_new_object();
        struct json_object *settings = json_object_new_array();
        int r;

        if (!object) {
                json_object_put(settings);
                return -ENOMEM;
        }
        r = json_text_add(object, "settings", settings);
        if (r >= 0)
                r = json_text_add_string(object, "holder", state->holder);
        for (size_t i = 0; r >= 0 && i < state->n_settings; i++) {
                struct json_object *entry = json_object_new_object();

                if (!entry)
                        return -ENOMEM;
                r = json_text_add_string(entry, "file", state->settings[i].file);
                if (r >= 0)
                        r = json_text_add_string(entry, "text", state->settings[i].text);
                if (r >= 0 && json_object_array_add(settings, entry) < 0)
                        r = -ENOMEM;
                if (r < 0)
                        json_object_put(entry);
        }
        return r < 0 ? r : json_text_format(object, true, ret);
}

/* Relative, and without a way out of the tracing directory. */
static bool is_file(const char *file) {
        CLEANUP(strv_freep) char **parts = NULL;

        if (*file == '\0' || *file == '/' || strv_split(file, "/", &parts) < 0)
                return false;
        for (size_t i = 0; parts && parts[i]; i++)
                if (strcmp(parts[i], "..") == 0)
                        return false;
        return true;
}

static int parse_setting(LeaseState *state, struct json_object *entry, const char *origin, Error *error) {
        struct json_object *file_value, *text_value;
        const char *file, *text;
        int r;

        if (!json_object_is_type(entry, json_type_object) || !json_object_object_get_ex(entry, "file", &file_value) ||
            !json_object_object_get_ex(entry, "text", &text_value) || json_text_get_string(file_value, &file) < 0 ||
            json_text_get_string(text_value, &text) < 0)
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s: settings: entry %zu has no file and text",
                                 origin, state->n_settings + 1);
        if (!is_file(file))
                return error_set(error, ERROR_INVALID_ARGUMENT,
                                 "%s: settings: \"%s\" is not below the tracing "
                                 "directory",
                                 origin, TEXT_ESCAPE(file));
        r = lease_state_add(state, file, text);
        return r < 0 ? error_set_errno(error, r, "%s", origin) : 0;
}

int lease_state_parse(const char *text, const char *origin, Error *error, LeaseState *ret) {
        CLEANUP(lease_state_clear) LeaseState state = { 0 };
        CLEANUP_JSON struct json_object *object = NULL;
        struct json_object *settings, *value;
        const char *holder;
        int r;

        r = json_text_parse(text, origin, error, &object);
        if (r < 0)
                return r;
        if (json_object_object_get_ex(object, "holder", &value)) {
                if (json_text_get_string(value, &holder) < 0)
                        return error_set(error, ERROR_INVALID_ARGUMENT, "%s: holder is no string", origin);
                state.holder = strdup(holder);
                if (!state.holder)
                        return error_set_errno(error, -ENOMEM, "%s", origin);
        }
        if (!json_object_object_get_ex(object, "settings", &settings) ||
            !json_object_is_type(settings, json_type_array))
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s: settings is no list", origin);
        for (size_t i = 0; i < json_object_array_length(settings); i++) {
                r = parse_setting(&state, json_object_array_get_idx(settings, i), origin, error);
                if (r < 0)
                        return r;
        }
        *ret = state;
        state = (LeaseState){ 0 };
        return 0;
}
