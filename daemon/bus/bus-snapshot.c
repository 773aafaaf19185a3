/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-snapshot.h"

#include <errno.h>
#include <string.h>

#include "bus/bus-path.h"
#include "bus/bus-spec.h"
#include "core/parse.h"
#include "core/text.h"

static int parse_reason(BusCall *call, const char *type, Error *error) {
        int r;

        if (strcmp(type, "s") != 0)
                return error_set(error, ERROR_INVALID_ARGUMENT, "reason: of type %s, wanted is s", type);
        if (call->snapshot.reason)
                return error_set(error, ERROR_INVALID_ARGUMENT, "reason: given twice");
        r = sd_bus_message_read(call->message, "s", &call->snapshot.reason);
        if (r < 0)
                return r;

        if (strlen(call->snapshot.reason) > SNAPSHOT_REASON_LENGTH)
                return error_set(error, ERROR_INVALID_ARGUMENT, "reason: longer than %u bytes",
                                 SNAPSHOT_REASON_LENGTH);
        if (call->snapshot.reason[0] == '\0' || !text_is_printable(call->snapshot.reason))
                return error_set(error, ERROR_INVALID_ARGUMENT, "reason: empty, or not printable");

        return 0;
}

static int parse_after(BusCall *call, const char *type, Error *error) {
        const char *text;
        int r;

        if (strcmp(type, "t") == 0)
                r = sd_bus_message_read(call->message, "t", &call->snapshot.after);
        else if (strcmp(type, "s") == 0) {
                r = sd_bus_message_read(call->message, "s", &text);
                if (r >= 0 && parse_span(text, &call->snapshot.after) < 0)
                        return error_set(error, ERROR_INVALID_ARGUMENT, "after: \"%s\" is no span of time such as 2s",
                                         TEXT_ESCAPE(text));
        } else
                return error_set(error, ERROR_INVALID_ARGUMENT, "after: of type %s, wanted is t or s", type);
        if (r < 0)
                return r;

        if (call->snapshot.after > SNAPSHOT_AFTER_MAX)
                return error_set(error, ERROR_INVALID_ARGUMENT, "after: more than an hour");

        return 0;
}

static int parse_journal(BusCall *call, const char *type, Error *error) {
        int r;

        if (strcmp(type, "as") != 0)
                return error_set(error, ERROR_INVALID_ARGUMENT, "journal: of type %s, wanted is as", type);
        if (call->journal)
                return error_set(error, ERROR_INVALID_ARGUMENT, "journal: given twice");
        r = sd_bus_message_read_strv(call->message, &call->journal);
        if (r < 0)
                return r;

        if (strv_length(call->journal) > SNAPSHOT_JOURNAL_LINES)
                return error_set(error, ERROR_INVALID_ARGUMENT, "journal: more than %u lines",
                                 SNAPSHOT_JOURNAL_LINES);
        for (char **line = call->journal; line && *line; line++)
                if (strlen(*line) > SNAPSHOT_JOURNAL_LENGTH || !text_is_printable(*line))
                        return error_set(error, ERROR_INVALID_ARGUMENT,
                                         "journal: a line is longer than %u bytes, or not printable",
                                         SNAPSHOT_JOURNAL_LENGTH);
        call->snapshot.journal = call->journal;
        return 0;
}

static int parse_entry(sd_bus_message *message, const char *key, const char *type, void *userdata, Error *error) {
        BusCall *call = userdata;

        if (strcmp(key, "reason") == 0)
                return parse_reason(call, type, error);
        if (strcmp(key, "journal") == 0)
                return parse_journal(call, type, error);
        if (strcmp(key, "after") == 0)
                return parse_after(call, type, error);

        return error_set(error, ERROR_INVALID_ARGUMENT, "Unknown key \"%s\" of a snapshot", TEXT_ESCAPE(key));
}

int bus_snapshot_parse(BusCall *call, Error *error) {
        return bus_entries_read(call->message, parse_entry, call, error);
}

static void on_taken(int r, const Error *error, void *result, void *userdata) {
        CLEANUP_FREE char *path = NULL;
        const Capture *capture = result;
        BusCall *call = userdata;

        if (r >= 0)
                r = bus_path_of_capture(capture->metadata->id, &path);
        if (r < 0)
                bus_call_fail(call, r, error);
        else
                bus_call_reply(call, "o", path);
}

void bus_snapshot_execute(BusCall *call) {
        Session *session = bus_call_session(call);

        if (session)
                session_snapshot(session, &call->snapshot, on_taken, call);
}
