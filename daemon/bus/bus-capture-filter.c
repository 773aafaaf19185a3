/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-capture-filter.h"

#include <fnmatch.h>
#include <string.h>

#include "bus/bus-spec.h"
#include "core/text.h"

static int read_owner(sd_bus_message *message, CaptureFilter *filter, Error *error) {
        uint32_t owner;
        int r = sd_bus_message_read(message, "u", &owner);

        if (r < 0)
                return r;
        filter->has_owner = true;
        filter->owner = owner;
        return 0;
}

static int read_state(sd_bus_message *message, CaptureFilter *filter, Error *error) {
        const char *text;
        int r = sd_bus_message_read(message, "s", &text);

        if (r < 0)
                return r;
        if (capture_state_from_string(text, &filter->state) < 0)
                return error_set(error, ERROR_INVALID_ARGUMENT, "state: no such state of a capture");
        filter->has_state = true;
        return 0;
}

static int read_session(sd_bus_message *message, CaptureFilter *filter, Error *error) {
        return sd_bus_message_read(message, "s", &filter->session);
}

static int read_reason(sd_bus_message *message, CaptureFilter *filter, Error *error) {
        return sd_bus_message_read(message, "s", &filter->reason);
}

static int read_since(sd_bus_message *message, CaptureFilter *filter, Error *error) {
        return sd_bus_message_read(message, "t", &filter->since);
}

static int read_until(sd_bus_message *message, CaptureFilter *filter, Error *error) {
        return sd_bus_message_read(message, "t", &filter->until);
}

static const struct {
        const char *key, *type;
        int (*read)(sd_bus_message *message, CaptureFilter *filter, Error *error);
} keys[] = {
        { "session", "s", read_session }, { "owner", "u", read_owner }, { "state", "s", read_state },
        { "reason", "s", read_reason },   { "since", "t", read_since }, { "until", "t", read_until },
};

static int read_entry(sd_bus_message *message, const char *key, const char *type, void *userdata, Error *error) {
        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                if (strcmp(key, keys[i].key) != 0)
                        continue;
                if (strcmp(type, keys[i].type) != 0)
                        return error_set(error, ERROR_INVALID_ARGUMENT, "%s: of type %s, wanted is %s", key, type,
                                         keys[i].type);
                return keys[i].read(message, userdata, error);
        }
        return error_set(error, ERROR_INVALID_ARGUMENT, "Unknown key \"%s\" of the filter", TEXT_ESCAPE(key));
}

int bus_capture_filter_parse(BusCall *call, Error *error) {
        call->filter.until = UINT64_MAX;
        return bus_entries_read(call->message, read_entry, &call->filter, error);
}

static bool reason_matches(const BusCall *call, const CaptureMetadata *metadata) {
        if (call->uid != 0 && call->uid != metadata->owner)
                return false;
        return metadata->reason && fnmatch(call->filter.reason, metadata->reason, 0) == 0;
}

bool bus_capture_filter_selects(const BusCall *call, const CaptureMetadata *metadata) {
        const CaptureFilter *filter = &call->filter;

        if (filter->session && strcmp(filter->session, metadata->session_id) != 0)
                return false;
        if (filter->has_owner && filter->owner != metadata->owner)
                return false;
        if (filter->has_state && filter->state != metadata->state)
                return false;
        if (metadata->start_realtime < filter->since || metadata->start_realtime > filter->until)
                return false;
        return !filter->reason || reason_matches(call, metadata);
}
