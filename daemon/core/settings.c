/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/settings.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/json-text.h"
#include "core/overhead-guard.h"
#include "core/parse.h"
#include "core/safe-events.h"
#include "core/spec.h"
#include "core/strv.h"
#include "core/suggestion.h"
#include "core/text.h"

#define DEFAULT_CLOCK "mono"
#define DEFAULT_PREVIOUS_BOOT_INSTANCE "ktraced-boot"
#define DEFAULT_OVERHEAD_POLICY "warn"
#define USEC_PER_SEC 1000000ULL

typedef struct SettingInfo {
        const char *name;
        SpecType type;
        size_t offset;
        uint64_t default_value, min, max;
} SettingInfo;

static const SettingInfo setting_table[] = {
        { "sessions_max", SPEC_TYPE_UNSIGNED, offsetof(Settings, sessions_max), 64, 1, 4096 },
        { "sessions_per_user_max", SPEC_TYPE_UNSIGNED, offsetof(Settings, sessions_per_user_max), 16, 1, 4096 },
        { "buffer_memory_max", SPEC_TYPE_SIZE, offsetof(Settings, buffer_memory_max), 0, 1ULL << 20, 1ULL << 50 },
        { "buffer_memory_per_user_max", SPEC_TYPE_SIZE, offsetof(Settings, buffer_memory_per_user_max), 0, 1ULL << 20,
          1ULL << 50 },
        { "memory_keep_available", SPEC_TYPE_SIZE, offsetof(Settings, memory_keep_available), 0, 1ULL << 20,
          1ULL << 50 },
        { "segments_max", SPEC_TYPE_UNSIGNED, offsetof(Settings, segments_max), 100000, 0, 10000000 },
        { "segments_per_user_max", SPEC_TYPE_UNSIGNED, offsetof(Settings, segments_per_user_max), 20000, 0,
          10000000 },
        { "histograms_max", SPEC_TYPE_UNSIGNED, offsetof(Settings, histograms_max), 128, 1, 4096 },
        { "histograms_per_user_max", SPEC_TYPE_UNSIGNED, offsetof(Settings, histograms_per_user_max), 32, 1, 4096 },
        { "probes_max", SPEC_TYPE_UNSIGNED, offsetof(Settings, probes_max), 1024, 1, 65536 },
        { "probes_per_user_max", SPEC_TYPE_UNSIGNED, offsetof(Settings, probes_per_user_max), 256, 1, 65536 },
        { "markers_max", SPEC_TYPE_UNSIGNED, offsetof(Settings, markers_max), 128, 1, 4096 },
        { "markers_per_user_max", SPEC_TYPE_UNSIGNED, offsetof(Settings, markers_per_user_max), 32, 1, 4096 },
        { "streams_max", SPEC_TYPE_UNSIGNED, offsetof(Settings, streams_max), 32, 1, 4096 },
        { "streams_per_user_max", SPEC_TYPE_UNSIGNED, offsetof(Settings, streams_per_user_max), 16, 1, 4096 },
        { "measurements_max", SPEC_TYPE_UNSIGNED, offsetof(Settings, measurements_max), 4, 1,
          SETTINGS_MEASUREMENTS_MAX },
        { "measurements_per_user_max", SPEC_TYPE_UNSIGNED, offsetof(Settings, measurements_per_user_max), 2, 1,
          SETTINGS_MEASUREMENTS_MAX },
        { "requests_max", SPEC_TYPE_UNSIGNED, offsetof(Settings, requests_max), 2000, 1, 1000000 },
        { "requests_per_user_max", SPEC_TYPE_UNSIGNED, offsetof(Settings, requests_per_user_max), 500, 1, 1000000 },
        { "signals_max", SPEC_TYPE_UNSIGNED, offsetof(Settings, signals_max), 1000, 1, 1000000 },
        { "signals_per_user_max", SPEC_TYPE_UNSIGNED, offsetof(Settings, signals_per_user_max), 200, 1, 1000000 },
        { "buffer_size", SPEC_TYPE_SIZE, offsetof(Settings, buffer_size), 4ULL << 20, SPEC_BUFFER_SIZE_MIN,
          SPEC_BUFFER_SIZE_MAX },
        { "segment_size", SPEC_TYPE_SIZE, offsetof(Settings, segment_size), 64ULL << 20, SPEC_SEGMENT_SIZE_MIN,
          SPEC_SEGMENT_SIZE_MAX },
        { "authorization_timeout", SPEC_TYPE_SPAN, offsetof(Settings, authorization_timeout), 120 * USEC_PER_SEC,
          USEC_PER_SEC, 3600 * USEC_PER_SEC },
        { "authorizations_max", SPEC_TYPE_UNSIGNED, offsetof(Settings, authorizations_max), 32, 1, 4096 },
        { "authorizations_per_user_max", SPEC_TYPE_UNSIGNED, offsetof(Settings, authorizations_per_user_max), 4, 1,
          4096 },
        { "self_buffer_size", SPEC_TYPE_SIZE, offsetof(Settings, self_buffer_size), 1ULL << 20, SPEC_BUFFER_SIZE_MIN,
          SPEC_BUFFER_SIZE_MAX },
        { "self_buffer_size_max", SPEC_TYPE_SIZE, offsetof(Settings, self_buffer_size_max), 16ULL << 20,
          SPEC_BUFFER_SIZE_MIN, SPEC_BUFFER_SIZE_MAX },
        { "max_event_rate", SPEC_TYPE_UNSIGNED, offsetof(Settings, max_event_rate), 5000000, 0, SPEC_EVENT_RATE_MAX },
        { "max_cpu_share", SPEC_TYPE_UNSIGNED, offsetof(Settings, max_cpu_share), 50, 0, SPEC_CPU_SHARE_MAX },
        { "overhead_grace", SPEC_TYPE_SPAN, offsetof(Settings, overhead_grace), 10 * USEC_PER_SEC, SPEC_GRACE_MIN,
          SPEC_GRACE_MAX },
        { "overhead_policy", SPEC_TYPE_STRING, offsetof(Settings, overhead_policy), 0, 0, 0 },
        { "self_max_event_rate", SPEC_TYPE_UNSIGNED, offsetof(Settings, self_max_event_rate), 1000000, 1,
          SPEC_EVENT_RATE_MAX },
        { "self_max_cpu_share", SPEC_TYPE_UNSIGNED, offsetof(Settings, self_max_cpu_share), 250, 1,
          SPEC_CPU_SHARE_MAX },
        { "safe_events", SPEC_TYPE_STRINGS, offsetof(Settings, safe_events), 0, 0, 0 },
        { "captures_max_use", SPEC_TYPE_SIZE, offsetof(Settings, captures_max_use), 4ULL << 30, 0, 1ULL << 60 },
        { "captures_max_use_per_user", SPEC_TYPE_SIZE, offsetof(Settings, captures_max_use_per_user), 0, 0,
          1ULL << 60 },
        { "captures_keep_free", SPEC_TYPE_SIZE, offsetof(Settings, captures_keep_free), 1ULL << 30, 0, 1ULL << 60 },
        { "captures_max_files", SPEC_TYPE_UNSIGNED, offsetof(Settings, captures_max_files), 0, 0, 1000000 },
        { "captures_max_age", SPEC_TYPE_SPAN, offsetof(Settings, captures_max_age), 0, 0, SPEC_SPAN_MAX },
        { "latency_renewal", SPEC_TYPE_SPAN, offsetof(Settings, latency_renewal), 600 * USEC_PER_SEC, USEC_PER_SEC,
          86400 * USEC_PER_SEC },
        { "captures_compress", SPEC_TYPE_BOOLEAN, offsetof(Settings, captures_compress), 1, 0, 1 },
        { "clock", SPEC_TYPE_STRING, offsetof(Settings, clock), 0, 0, 0 },
        { "previous_boot_instance", SPEC_TYPE_STRING, offsetof(Settings, previous_boot_instance), 0, 0, 0 },
};

static uint64_t *number_of(Settings *settings, const SettingInfo *info) {
        return (uint64_t *) ((char *) settings + info->offset);
}

static char **string_of(Settings *settings, const SettingInfo *info) {
        return (char **) ((char *) settings + info->offset);
}

static bool *boolean_of(Settings *settings, const SettingInfo *info) {
        return (bool *) ((char *) settings + info->offset);
}

int settings_init(Settings *settings) {
        Settings defaults = {
                .clock = strdup(DEFAULT_CLOCK),
                .previous_boot_instance = strdup(DEFAULT_PREVIOUS_BOOT_INSTANCE),
                .overhead_policy = strdup(DEFAULT_OVERHEAD_POLICY),
        };

        if (!defaults.clock || !defaults.previous_boot_instance || !defaults.overhead_policy) {
                settings_clear(&defaults);
                return -ENOMEM;
        }
        for (size_t i = 0; i < ELEMENTSOF(setting_table); i++)
                switch (setting_table[i].type) {
                case SPEC_TYPE_STRING:
                case SPEC_TYPE_STRINGS:
                        break;
                case SPEC_TYPE_BOOLEAN:
                        *boolean_of(&defaults, setting_table + i) = setting_table[i].default_value != 0;
                        break;
                default:
                        *number_of(&defaults, setting_table + i) = setting_table[i].default_value;
                        break;
                }
        *settings = defaults;
        return 0;
}

void settings_clear(Settings *settings) {
        free(settings->clock);
        free(settings->previous_boot_instance);
        free(settings->overhead_policy);
        strv_free(settings->safe_events);
        *settings = (Settings){ 0 };
}

static int unknown_key(const char *key, Error *error) {
        Suggestion suggestion;

        suggestion_init(&suggestion, key);
        for (size_t i = 0; i < ELEMENTSOF(setting_table); i++)
                suggestion_consider(&suggestion, setting_table[i].name);
        if (suggestion_best(&suggestion))
                return error_set(error, ERROR_INVALID_ARGUMENT, "Unknown key \"%s\"; did you mean \"%s\"?",
                                 TEXT_ESCAPE(key), suggestion_best(&suggestion));
        return error_set(error, ERROR_INVALID_ARGUMENT, "Unknown key \"%s\"", TEXT_ESCAPE(key));
}

/* A number, or where the type has units, a string. */
static int read_number(struct json_object *value, SpecType type, uint64_t *ret) {
        const char *string;

        if (type == SPEC_TYPE_UNSIGNED || json_text_get_string(value, &string) < 0)
                return json_text_get_unsigned(value, ret);
        return type == SPEC_TYPE_SIZE ? parse_size(string, ret) : parse_span(string, ret);
}

/* A file of its own name in tracefs, or "" for none. */
static bool instance_name_is_valid(const char *name) {
        return !*name || name_is_valid(name);
}

static int set_string(Settings *settings, const SettingInfo *info, struct json_object *value, Error *error) {
        char **member = string_of(settings, info);
        bool (*is_valid)(const char *text) = member == &settings->clock             ? clock_is_valid
                                             : member == &settings->overhead_policy ? overhead_policy_is_valid
                                                                                    : instance_name_is_valid;
        const char *string;
        char *copy;

        if (json_text_get_string(value, &string) < 0)
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s: must be a string", info->name);
        if (!is_valid(string))
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s: \"%s\" is not a valid name", info->name,
                                 TEXT_ESCAPE(string));
        copy = strdup(string);
        if (!copy)
                return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        free(*member);
        *member = copy;
        return 0;
}

/* The list as a whole, as every other key: a later file's takes the place of an earlier one's. */
static int set_safe_events(Settings *settings, struct json_object *value, Error *error) {
        CLEANUP(strv_freep) char **events = NULL;
        const char *pattern;
        int r;

        if (!json_object_is_type(value, json_type_array))
                return error_set(error, ERROR_INVALID_ARGUMENT, "safe_events: must be a list of strings");
        for (size_t i = 0; i < json_object_array_length(value); i++) {
                if (json_text_get_string(json_object_array_get_idx(value, i), &pattern) < 0)
                        return error_set(error, ERROR_INVALID_ARGUMENT, "safe_events: must be a list of strings");
                r = safe_events_check_pattern(pattern, error);
                if (r < 0) {
                        error_prefix(error, "safe_events");
                        return r;
                }
                if (strv_append(&events, pattern) < 0)
                        return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        }
        strv_free(settings->safe_events);
        settings->safe_events = STEAL_PTR(events);
        return 0;
}

static int set_number(Settings *settings, const SettingInfo *info, struct json_object *value, Error *error) {
        uint64_t number;
        int r = read_number(value, info->type, &number);

        if (r == -EINVAL)
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s: must be %s", info->name,
                                 spec_type_describe(info->type));
        if (r < 0 || number < info->min || number > info->max)
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s: %s is out of range, which is %llu to %llu",
                                 info->name, TEXT_ESCAPE(json_object_get_string(value)),
                                 (unsigned long long) info->min, (unsigned long long) info->max);
        *number_of(settings, info) = number;
        return 0;
}

static int set_boolean(Settings *settings, const SettingInfo *info, struct json_object *value, Error *error) {
        if (json_text_get_boolean(value, boolean_of(settings, info)) < 0)
                return error_set(error, ERROR_INVALID_ARGUMENT, "%s: must be %s", info->name,
                                 spec_type_describe(info->type));
        return 0;
}

static int set_member(Settings *settings, const char *key, struct json_object *value, Error *error) {
        for (size_t i = 0; i < ELEMENTSOF(setting_table); i++)
                if (strcmp(setting_table[i].name, key) == 0)
                        switch (setting_table[i].type) {
                        case SPEC_TYPE_STRING:
                                return set_string(settings, setting_table + i, value, error);
                        case SPEC_TYPE_STRINGS:
                                return set_safe_events(settings, value, error);
                        case SPEC_TYPE_BOOLEAN:
                                return set_boolean(settings, setting_table + i, value, error);
                        default:
                                return set_number(settings, setting_table + i, value, error);
                        }
        return unknown_key(key, error);
}

int settings_parse(Settings *settings, const char *text, const char *origin, Error *error) {
        CLEANUP_JSON struct json_object *object = NULL;
        CLEANUP(settings_clear) Settings changed = *settings;
        int r;

        changed.clock = strdup(settings->clock);
        changed.previous_boot_instance = strdup(settings->previous_boot_instance);
        changed.overhead_policy = strdup(settings->overhead_policy);
        changed.safe_events = NULL;
        if (!changed.clock || !changed.previous_boot_instance || !changed.overhead_policy ||
            strv_copy(settings->safe_events, &changed.safe_events) < 0)
                return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        r = json_text_parse(text, origin, error, &object);
        if (r < 0)
                return r;
        json_object_object_foreach(object, key, value) {
                r = set_member(&changed, key, value, error);
                if (r < 0) {
                        error_prefix(error, "%s:%u", origin, json_text_key_line(text, key));
                        return r;
                }
        }
        settings_clear(settings);
        *settings = changed;
        changed = (Settings){ 0 };
        return 0;
}

int settings_check(const Settings *settings, Error *error) {
        char user[16], all[16];

        if (settings->captures_max_use > 0 && settings->captures_max_use_per_user > settings->captures_max_use)
                return error_set(error, ERROR_INVALID_ARGUMENT,
                                 "captures_max_use_per_user: %s for each user is more than the %s that "
                                 "captures_max_use gives to all",
                                 format_size(settings->captures_max_use_per_user, user, sizeof(user)),
                                 format_size(settings->captures_max_use, all, sizeof(all)));
        return 0;
}

int settings_describe(const Settings *settings, struct json_object **ret) {
        CLEANUP_JSON struct json_object *object = json_object_new_object();

        for (size_t i = 0; i < ELEMENTSOF(setting_table); i++) {
                const SettingInfo *info = setting_table + i;
                struct json_object *value;
                int r;

                switch (info->type) {
                case SPEC_TYPE_BOOLEAN:
                        value = json_object_new_boolean(*boolean_of((Settings *) settings, info));
                        break;
                case SPEC_TYPE_STRING:
                        value = json_object_new_string(*string_of((Settings *) settings, info));
                        break;
                case SPEC_TYPE_STRINGS:
                        value = json_object_new_array();
                        for (char **event = settings->safe_events; value && event && *event; event++)
                                if (json_object_array_add(value, json_object_new_string(*event)) < 0)
                                        return -ENOMEM;
                        break;
                default:
                        value = json_object_new_uint64(*number_of((Settings *) settings, info));
                }
                r = json_text_add(object, info->name, value);
                if (r < 0)
                        return r;
        }
        *ret = STEAL_PTR(object);
        return 0;
}
