/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `ktracectl capture list`: captures, selected and sorted. */

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "client/bus-capture.h"
#include "client/bus-manager.h"
#include "client/bus-session.h"
#include "client/pager.h"
#include "client/table.h"
#include "client/verb.h"
#include "client/when.h"
#include "core/parse.h"
#include "core/spec.h"
#include "ktraced/clock.h"

enum {
        OPTION_SINCE = OPTION_OF_VERB,
        OPTION_UNTIL,
        OPTION_OWNER,
        OPTION_REASON,
        OPTION_STATE,
        OPTION_SORT,
        OPTION_REVERSE,
};

typedef int (*CompareRows)(const void *a, const void *b);

typedef struct ListArgs {
        CaptureQuery query;
        const char *session; /* as the user names it; NULL: all */
        CompareRows compare;
        bool reverse;
} ListArgs;

#define GREATEST_FIRST(a, b) (((a) < (b)) - ((a) > (b)))

static int by_start(const void *a, const void *b) {
        const CaptureRow *x = a, *y = b;

        /* The id begins with the second. */
        return x->start != y->start ? GREATEST_FIRST(x->start, y->start) : strcmp(y->id, x->id);
}

static int by_size(const void *a, const void *b) {
        const CaptureRow *x = a, *y = b;

        return x->bytes != y->bytes ? GREATEST_FIRST(x->bytes, y->bytes) : by_start(a, b);
}

static int by_events(const void *a, const void *b) {
        const CaptureRow *x = a, *y = b;

        return x->events != y->events ? GREATEST_FIRST(x->events, y->events) : by_start(a, b);
}

static int by_lost(const void *a, const void *b) {
        const CaptureRow *x = a, *y = b;

        return x->lost != y->lost ? GREATEST_FIRST(x->lost, y->lost) : by_start(a, b);
}

static int by_session(const void *a, const void *b) {
        const CaptureRow *x = a, *y = b;
        int r = strcmp(x->session_name, y->session_name);

        if (r == 0)
                r = strcmp(x->session_id, y->session_id);
        return r != 0 ? r : by_start(a, b);
}

static int by_owner(const void *a, const void *b) {
        const CaptureRow *x = a, *y = b;

        return x->owner != y->owner ? (x->owner > y->owner) - (x->owner < y->owner) : by_start(a, b);
}

static int by_state(const void *a, const void *b) {
        const CaptureRow *x = a, *y = b;
        int r = strcmp(x->state, y->state);

        return r != 0 ? r : by_start(a, b);
}

static ParseResult wrong(const char *option, const char *argument, const char *expected) {
        (void) verb_usage("%s '%s': expected %s.", option, argument, expected);
        return PARSE_WRONG;
}

static ParseResult take_sort(ListArgs *args, const char *argument) {
        static const struct {
                const char *name;
                CompareRows compare;
        } orders[] = {
                { "start", by_start },     { "size", by_size },   { "events", by_events }, { "lost", by_lost },
                { "session", by_session }, { "owner", by_owner }, { "state", by_state },
        };

        for (size_t i = 0; i < ELEMENTSOF(orders); i++)
                if (strcmp(orders[i].name, argument) == 0) {
                        args->compare = orders[i].compare;
                        return PARSE_GO_ON;
                }
        return wrong("--sort", argument, "start, size, events, lost, session, owner or state");
}

static ParseResult take_owner(CaptureQuery *query, const char *argument) {
        const struct passwd *user = getpwnam(argument);
        uint64_t number;

        if (user)
                number = user->pw_uid;
        else if (parse_unsigned(argument, &number) < 0 || number > SPEC_USER_MAX)
                return wrong("--owner", argument, "a user's name or number");
        query->has_owner = true;
        query->owner = (uid_t) number;
        return PARSE_GO_ON;
}

static ParseResult take_time(const char *option, const char *argument, uint64_t *ret) {
        if (when_parse(argument, clock_usec(CLOCK_REALTIME), ret) < 0)
                return wrong(option, argument, "a time such as '2026-11-24 13:05', or for how long ago, '2h'");
        return PARSE_GO_ON;
}

static ParseResult take_option(ListArgs *args, Globals *globals, int c, const char *argument) {
        switch (c) {
        case OPTION_SINCE:
                return take_time("--since", argument, &args->query.since);
        case OPTION_UNTIL:
                return take_time("--until", argument, &args->query.until);
        case OPTION_OWNER:
                return take_owner(&args->query, argument);
        case OPTION_REASON:
                args->query.reason = argument;
                return PARSE_GO_ON;
        case OPTION_STATE:
                args->query.state = argument;
                return PARSE_GO_ON;
        case OPTION_SORT:
                return take_sort(args, argument);
        case OPTION_REVERSE:
                args->reverse = true;
                return PARSE_GO_ON;
        default:
                return globals_take_option(globals, c, argument);
        }
}

static ParseResult parse(ListArgs *args, Globals *globals, int argc, char *argv[]) {
        static const struct option options[] = {
                GLOBALS_LONG,
                { "since", required_argument, NULL, OPTION_SINCE },
                { "until", required_argument, NULL, OPTION_UNTIL },
                { "owner", required_argument, NULL, OPTION_OWNER },
                { "reason", required_argument, NULL, OPTION_REASON },
                { "state", required_argument, NULL, OPTION_STATE },
                { "sort", required_argument, NULL, OPTION_SORT },
                { "reverse", no_argument, NULL, OPTION_REVERSE },
                { NULL, 0, NULL, 0 },
        };
        int c;

        optind = 0;
        while ((c = getopt_long(argc, argv, GLOBALS_SHORT, options, NULL)) >= 0) {
                ParseResult result = take_option(args, globals, c, optarg);

                if (result != PARSE_GO_ON)
                        return result;
        }
        if (argc - optind > 1) {
                (void) verb_usage("Usage: ktracectl capture list [SESSION] [--since=TIME] [--until=TIME] "
                                  "[--owner=USER] [--reason=PATTERN] [--state=STATE] [--sort=KEY] [--reverse]");
                return PARSE_WRONG;
        }
        args->session = argv[optind];
        return PARSE_GO_ON;
}

/* One that has gone since the list was made has no ratio any more. */
static void add_ratio(Table *table, BusClient *client, const CaptureRow *row) {
        CLEANUP(capture_status_clear) CaptureStatus status = { 0 };
        CLEANUP(error_clear) Error error = ERROR_INIT;

        if (bus_capture_get_status(client, row->path, &error, &status) < 0)
                table_add_ratio(table, 1, 1);
        else
                table_add_ratio(table, status.bytes, status.raw_bytes);
}

static int capture_table_new(BusClient *client, const CaptureRows *rows, bool reverse, Table **ret) {
        static const TableColumn columns[] = {
                { .key = "id", .title = "ID" },
                { .key = "session", .title = "SESSION" },
                { .key = "name", .title = "NAME" },
                { .key = "owner", .title = "OWNER" },
                { .key = "state", .title = "STATE" },
                { .key = "start", .title = "START" },
                { .key = "bytes", .title = "SIZE", .to_the_right = true },
                { .key = "ratio", .title = "RATIO", .to_the_right = true },
                { .key = "events", .title = "EVENTS", .to_the_right = true },
                { .key = "lost", .title = "LOST", .to_the_right = true },
                { .key = "segments", .title = "SEGMENTS", .to_the_right = true },
        };
        Table *table;
        int r;

        r = table_new(columns, ELEMENTSOF(columns), &table);
        if (r < 0)
                return r;
        for (size_t i = 0; i < rows->n_rows; i++) {
                const CaptureRow *row = &rows->rows[reverse ? rows->n_rows - 1 - i : i];

                table_begin_row(table);
                table_add_string(table, row->id);
                table_add_string(table, row->session_id);
                table_add_string(table, row->session_name);
                table_add_user(table, row->owner);
                table_add_state(table, row->state);
                table_add_time(table, row->start);
                table_add_size(table, row->bytes);
                add_ratio(table, client, row);
                table_add_number(table, row->events);
                table_add_number(table, row->lost);
                table_add_number(table, row->segments);
        }
        *ret = table;
        return 0;
}

/* The id of the session that the user names: it may have gone, then the word itself must be the id. */
static int session_id_of(BusClient *client, const char *name, Error *error, char **ret) {
        CLEANUP(error_clear) Error not_there = ERROR_INIT;
        CLEANUP(session_status_clear) SessionStatus status = { 0 };
        CLEANUP_FREE char *path = NULL;
        int r;

        r = bus_manager_get_session(client, name, &not_there, &path);
        if (r >= 0)
                r = bus_session_get_status(client, path, error, &status);
        else if (not_there.code == ERROR_NO_SUCH_SESSION) {
                status.id = strdup(name);
                r = status.id ? 0 : error_set_errno(error, -ENOMEM, "Cannot copy the name");
        } else
                error_move(error, &not_there);
        if (r >= 0)
                *ret = STEAL_PTR(status.id);
        return r;
}

int verb_capture_list(Globals *globals, int argc, char *argv[]) {
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(bus_client_freep) BusClient *client = NULL;
        CLEANUP(capture_rows_clear) CaptureRows rows = { 0 };
        CLEANUP(table_freep) Table *table = NULL;
        CLEANUP(pager_close) Pager pager = PAGER_NONE;
        CLEANUP_FREE char *session_id = NULL;
        ListArgs args = { .compare = by_start };
        ParseResult result;
        int r;

        result = parse(&args, globals, argc, argv);
        if (result != PARSE_GO_ON)
                return parse_result_to_exit(result);
        r = bus_client_new(globals, &error, &client);
        if (r < 0)
                return verb_failed(&error, "connect to ktraced");
        if (args.session)
                r = session_id_of(client, args.session, &error, &session_id);
        args.query.session_id = session_id;
        if (r >= 0)
                r = bus_manager_list_captures(client, &args.query, &error, &rows);
        if (r < 0)
                return verb_failed(&error, "list captures");
        if (rows.n_rows > 0)
                qsort(rows.rows, rows.n_rows, sizeof(rows.rows[0]), args.compare);
        r = capture_table_new(client, &rows, args.reverse, &table);
        if (r >= 0) {
                pager_open(&pager, globals);
                r = table_print(table, globals, "capture");
        }
        return r < 0 ? verb_failed_errno(r, "print the captures") : EXIT_SUCCESS;
}
