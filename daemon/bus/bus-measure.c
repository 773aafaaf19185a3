/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-measure.h"

#include <errno.h>
#include <string.h>

#include "bus/bus-spec.h"
#include "core/parse.h"
#include "core/text.h"
#include "model/measure.h"

static int read_patterns(sd_bus_message *message, const char **patterns, Error *error) {
        size_t n = 0;
        int r;

        r = sd_bus_message_enter_container(message, 'a', "s");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(message, "s", &patterns[n])) > 0)
                if (++n > SPEC_EVENTS_MAX)
                        return error_set(error, ERROR_INVALID_ARGUMENT, "patterns: more than %u", SPEC_EVENTS_MAX);
        if (r < 0)
                return r;
        patterns[n] = NULL;
        if (n == 0)
                return error_set(error, ERROR_INVALID_ARGUMENT, "patterns: at least one is needed");

        return sd_bus_message_exit_container(message);
}

static int parse_patterns(BusCall *call, Error *error) {
        CLEANUP_FREE const char **patterns = calloc(SPEC_EVENTS_MAX + 2, sizeof(patterns[0]));
        int r;

        if (!patterns)
                return -ENOMEM;
        r = read_patterns(call->message, patterns, error);
        if (r < 0)
                return r;
        r = spec_new(&call->spec);
        if (r < 0)
                return r;

        return spec_set(call->spec, SPEC_EVENTS,
                        &(SpecValue){ .has = SPEC_TYPE_STRINGS, .strings = (char *const *) patterns }, error);
}

static int parse_duration(BusCall *call, const char *type, Error *error) {
        const char *text;
        int r;

        if (call->duration > 0)
                return error_set(error, ERROR_INVALID_ARGUMENT, "duration: given twice");
        if (strcmp(type, "t") == 0)
                r = sd_bus_message_read(call->message, "t", &call->duration);
        else if (strcmp(type, "s") == 0) {
                r = sd_bus_message_read(call->message, "s", &text);
                if (r >= 0 && parse_span(text, &call->duration) < 0)
                        return error_set(error, ERROR_INVALID_ARGUMENT,
                                         "duration: \"%s\" is no span of time such as 2s", TEXT_ESCAPE(text));
        } else
                return error_set(error, ERROR_INVALID_ARGUMENT, "duration: of type %s, wanted is t or s", type);
        if (r < 0)
                return r;

        if (call->duration < MEASURE_DURATION_MIN || call->duration > MEASURE_DURATION_MAX)
                return error_set(error, ERROR_INVALID_ARGUMENT, "duration: must be 100ms to 10s");
        return 0;
}

static int parse_entry(sd_bus_message *message, const char *key, const char *type, void *userdata, Error *error) {
        BusCall *call = userdata;

        if (strcmp(key, "duration") == 0)
                return parse_duration(call, type, error);

        return error_set(error, ERROR_INVALID_ARGUMENT, "Unknown option \"%s\"", TEXT_ESCAPE(key));
}

static int parse_options(BusCall *call, Error *error) {
        int r;

        r = bus_entries_read(call->message, parse_entry, call, error);
        if (r >= 0 && call->duration == 0)
                call->duration = MEASURE_DURATION_DEFAULT;
        return r;
}

int bus_measure_parse(BusCall *call, Error *error) {
        int r;

        r = parse_patterns(call, error);
        return r < 0 ? r : parse_options(call, error);
}

int bus_measure_parse_estimate(BusCall *call, Error *error) {
        int r;

        r = bus_spec_read(call->message, error, &call->spec);
        if (r >= 0 && spec_is_given(call->spec, SPEC_OUTPUT))
                return error_set(error, ERROR_INVALID_ARGUMENT, "output: nothing is written for an estimate");
        return r < 0 ? r : parse_options(call, error);
}

static void on_measured(int r, const Error *error, void *result, void *userdata) {
        CLEANUP_FREE char *json = NULL;
        BusCall *call = userdata;

        if (r < 0) {
                bus_call_fail(call, r, error);
                return;
        }

        r = event_rates_describe(result, &json);
        if (r < 0)
                bus_call_fail(call, r, NULL);
        else
                bus_call_reply(call, "s", json);
}

void bus_measure_execute(BusCall *call) {
        manager_measure(call->bus->manager, STEAL_PTR(call->resolved), call->sender, call->duration, on_measured,
                        call);
}

static void on_estimated(int r, const Error *error, void *result, void *userdata) {
        CLEANUP_FREE char *json = NULL;
        BusCall *call = userdata;

        if (r < 0) {
                bus_call_fail(call, r, error);
                return;
        }

        r = session_estimate_describe(result, &json);
        if (r < 0)
                bus_call_fail(call, r, NULL);
        else
                bus_call_reply(call, "s", json);
}

void bus_measure_execute_estimate(BusCall *call) {
        manager_estimate(call->bus->manager, STEAL_PTR(call->resolved), call->sender, call->duration, on_estimated,
                         call);
}
