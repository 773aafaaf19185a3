/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-stream.h"

#include <errno.h>
#include <string.h>

#include "bus/bus-spec.h"
#include "core/text.h"
#include "model/live-stream.h"

static int parse_entry(sd_bus_message *message, const char *key, const char *type, void *userdata, Error *error) {
        BusCall *call = userdata;
        int r;

        if (strcmp(key, "format") != 0)
                return error_set(error, ERROR_INVALID_ARGUMENT, "Unknown key \"%s\" of a stream", TEXT_ESCAPE(key));
        if (strcmp(type, "s") != 0)
                return error_set(error, ERROR_INVALID_ARGUMENT, "format: of type %s, wanted is s", type);
        if (call->text)
                return error_set(error, ERROR_INVALID_ARGUMENT, "format: given twice");
        r = sd_bus_message_read(message, "s", &call->text);
        if (r < 0)
                return r;
        if (strcmp(call->text, "pages") != 0 && strcmp(call->text, "text") != 0)
                return error_set(error, ERROR_INVALID_ARGUMENT, "format: \"%s\" is neither \"pages\" nor \"text\"",
                                 TEXT_ESCAPE(call->text));
        return 0;
}

int bus_stream_parse(BusCall *call, Error *error) {
        return bus_entries_read(call->message, parse_entry, call, error);
}

void bus_stream_execute(BusCall *call) {
        Session *session = bus_call_session(call);
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP_CLOSE int fd = -1;
        StreamFormat format = call->text && strcmp(call->text, "text") == 0 ? STREAM_TEXT : STREAM_PAGES;
        int r;

        if (!session)
                return;
        r = session_open_stream(session, call->uid, format, &error, &fd);
        if (r < 0)
                bus_call_fail(call, r, &error);
        else
                bus_call_reply(call, "h", fd);
}
