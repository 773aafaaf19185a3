/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/watch-spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/event.h"
#include "core/parse.h"
#include "core/spec.h"
#include "core/strv.h"
#include "core/text.h"

#define FIELD_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
#define START_PREFIX "start:"
#define CONDITION "if"
#define MESSAGE_ID_LENGTH 32U

/* What a key may stand with. */
#define OF_ALL ((1U << _WATCH_KIND_MAX) - 1)
#define OF(kind) (1U << (kind))

/* The text and how far it was read. */
typedef struct Reader {
        const char *text, *at;
        Error *error;
} Reader;

static const char *const kind_names[_WATCH_KIND_MAX] = {
        [WATCH_EVENT] = "event", [WATCH_LATENCY] = "latency", [WATCH_PRESSURE] = "pressure",
        [WATCH_UNIT] = "unit",   [WATCH_JOURNAL] = "journal",
};

static const char *const action_names[_WATCH_ACTION_MAX] = {
        [WATCH_SNAPSHOT] = "snapshot",
        [WATCH_STOP] = "stop",
        [WATCH_ROTATE] = "rotate",
        [WATCH_START] = "start",
};

const char *watch_kind_to_string(WatchKind kind) {
        return kind_names[kind];
}

const char *watch_action_to_string(WatchAction action) {
        return action_names[action];
}

void watch_spec_clear(WatchSpec *watch) {
        free(watch->name);
        free(watch->what);
        free(watch->filter);
        free(watch->profile);
        free(watch->reason);
        free(watch->unit);
        free(watch->from);
        free(watch->to);
        free(watch->match_from);
        free(watch->match_to);
        *watch = (WatchSpec){ 0 };
}

static int wrong(const Reader *reader, const char *at, const char *why) {
        (void) error_set_at(reader->error, reader->text, at, "%s", why);
        return -EINVAL;
}

static void skip_spaces(Reader *reader) {
        reader->at += strspn(reader->at, " ");
}

/* What stands in quotes, without them. */
static int read_quoted(Reader *reader, char **ret) {
        CLEANUP_FREE char *value = calloc(1, strlen(reader->at) + 1);
        const char *begin = reader->at++;
        size_t n = 0;

        if (!value)
                return -ENOMEM;
        for (; *reader->at != '"'; reader->at++) {
                if (*reader->at == '\\' && reader->at[1] != '\0')
                        reader->at++;
                if (*reader->at == '\0')
                        return wrong(reader, begin, "The quotation mark that begins here has no other");
                value[n++] = *reader->at;
        }
        reader->at++;
        if (*reader->at != ' ' && *reader->at != '\0')
                return wrong(reader, reader->at, "A space, or nothing, can follow the quotation mark");
        *ret = STEAL_PTR(value);
        return 0;
}

static int read_value(Reader *reader, char **ret) {
        size_t length;

        if (*reader->at == '"')
                return read_quoted(reader, ret);
        length = strcspn(reader->at, " ");
        *ret = strndup(reader->at, length);
        reader->at += length;
        return *ret ? 0 : -ENOMEM;
}

/* Each reads a value that is not empty; `at` is where it stands. */

static int set_action(Reader *reader, const char *at, char **value, WatchSpec *watch) {
        for (unsigned action = 0; action < WATCH_START; action++)
                if (strcmp(*value, action_names[action]) == 0) {
                        watch->action = (WatchAction) action;
                        return 0;
                }
        if (strncmp(*value, START_PREFIX, strlen(START_PREFIX)) != 0)
                return wrong(reader, at, "The actions are snapshot, stop, rotate and start:PROFILE");
        if (!name_is_valid(*value + strlen(START_PREFIX)))
                return wrong(reader, at, "\"start:\" and the name of a profile is needed");
        watch->action = WATCH_START;
        watch->profile = strdup(*value + strlen(START_PREFIX));
        return watch->profile ? 0 : -ENOMEM;
}

static int set_span(Reader *reader, const char *at, const char *value, uint64_t min, uint64_t max, uint64_t *ret) {
        char least[64], most[64];
        uint64_t usec;

        if (parse_span(value, &usec) < 0)
                return wrong(reader, at, "This is no span of time such as 10s or 150ms");
        if (usec < min || usec > max) {
                CLEANUP_FREE char *why = NULL;

                if (asprintf(&why, "The span is to be from %s to %s", format_span(min, least, sizeof(least)),
                             format_span(max, most, sizeof(most))) < 0) {
                        why = NULL;
                        return -ENOMEM;
                }
                return wrong(reader, at, why);
        }
        *ret = usec;
        return 0;
}

static int set_after(Reader *reader, const char *at, char **value, WatchSpec *watch) {
        return set_span(reader, at, *value, 0, WATCH_AFTER_MAX, &watch->after);
}

static int set_interval(Reader *reader, const char *at, char **value, WatchSpec *watch) {
        return set_span(reader, at, *value, WATCH_INTERVAL_MIN, SPEC_SPAN_MAX, &watch->interval);
}

static int set_daily(Reader *reader, const char *at, char **value, WatchSpec *watch) {
        if (parse_unsigned(*value, &watch->daily) < 0 || watch->daily < 1 || watch->daily > WATCH_DAILY_MAX)
                return wrong(reader, at, "A number from 1 to 100000 is needed");
        return 0;
}

static int set_reason(Reader *reader, const char *at, char **value, WatchSpec *watch) {
        if (strlen(*value) > WATCH_REASON_LENGTH)
                return wrong(reader, at, "A reason has at most 128 bytes");
        watch->reason = STEAL_PTR(*value);
        return 0;
}

static int set_optional(Reader *reader, const char *at, char **value, WatchSpec *watch) {
        return parse_boolean(*value, &watch->optional) < 0 ? wrong(reader, at, "\"yes\" or \"no\" is needed") : 0;
}

static int set_some(Reader *reader, const char *at, char **value, WatchSpec *watch) {
        if (watch->threshold > 0)
                return wrong(reader, at, "Only one of some= and full= can be given");
        return set_span(reader, at, *value, 1, WATCH_WINDOW_MAX, &watch->threshold);
}

static int set_full(Reader *reader, const char *at, char **value, WatchSpec *watch) {
        int r = set_some(reader, at, value, watch);

        watch->full = true;
        return r;
}

static int set_window(Reader *reader, const char *at, char **value, WatchSpec *watch) {
        return set_span(reader, at, *value, WATCH_WINDOW_MIN, WATCH_WINDOW_MAX, &watch->window);
}

static int set_unit(Reader *reader, const char *at, char **value, WatchSpec *watch) {
        if (!unit_is_valid(*value))
                return wrong(reader, at, "This is no unit that has processes: a service, scope or slice");
        watch->unit = STEAL_PTR(*value);
        return 0;
}

static int set_on(Reader *reader, const char *at, char **value, WatchSpec *watch) {
        watch->watchdog = strcmp(*value, "watchdog") == 0;
        if (!watch->watchdog && strcmp(*value, "failed") != 0)
                return wrong(reader, at, "\"failed\" or \"watchdog\" is needed");
        return 0;
}

/* One event, by its full name: it becomes part of a query. */
static int set_event(Reader *reader, const char *at, char **value, char **ret) {
        size_t system = strspn(*value, FIELD_CHARACTERS "-");

        if (system == 0 || (*value)[system] != ':' || (*value)[system + 1] == '\0' ||
            (*value)[system + 1 + strspn(*value + system + 1, FIELD_CHARACTERS "-")] != '\0')
                return wrong(reader, at, "The event is named as SYSTEM:EVENT");
        *ret = STEAL_PTR(*value);
        return 0;
}

static int set_from(Reader *reader, const char *at, char **value, WatchSpec *watch) {
        return set_event(reader, at, value, &watch->from);
}

static int set_to(Reader *reader, const char *at, char **value, WatchSpec *watch) {
        return set_event(reader, at, value, &watch->to);
}

static int set_match(Reader *reader, const char *at, char **value, WatchSpec *watch) {
        size_t from = strspn(*value, FIELD_CHARACTERS);
        const char *to = (*value)[from] == ',' ? *value + from + 1 : *value;
        size_t length = strspn(to, FIELD_CHARACTERS);

        if (from == 0 || length == 0 || to[length] != '\0')
                return wrong(reader, at, "A field of both events is needed, or FIELD,FIELD");
        watch->match_from = strndup(*value, from);
        watch->match_to = strdup(to);
        return watch->match_from && watch->match_to ? 0 : -ENOMEM;
}

static const struct {
        const char *name;
        unsigned kinds;
        int (*set)(Reader *reader, const char *at, char **value, WatchSpec *watch);
} keys[] = {
        { "action", OF_ALL, set_action },
        { "after", OF_ALL, set_after },
        { "interval", OF_ALL, set_interval },
        { "daily", OF_ALL, set_daily },
        { "reason", OF_ALL, set_reason },
        { "optional", OF_ALL, set_optional },
        { "some", OF(WATCH_PRESSURE), set_some },
        { "full", OF(WATCH_PRESSURE), set_full },
        { "window", OF(WATCH_PRESSURE), set_window },
        { "unit", OF(WATCH_PRESSURE), set_unit },
        { "on", OF(WATCH_UNIT), set_on },
        { "from", OF(WATCH_LATENCY), set_from },
        { "to", OF(WATCH_LATENCY), set_to },
        { "match", OF(WATCH_LATENCY), set_match },
};

static int check_what(Reader *reader, const char *at, WatchSpec *watch) {
        static const char *const resources[] = { "cpu", "memory", "io" };

        switch (watch->kind) {
        case WATCH_EVENT:
                if (watch->what[0] == '!')
                        return wrong(reader, at, "A pattern that begins with '!' selects nothing");
                return event_pattern_check(watch->what, reader->error);
        case WATCH_LATENCY:
                return set_span(reader, at, watch->what, 1, WATCH_LATENCY_MAX, &watch->threshold);
        case WATCH_PRESSURE:
                for (size_t i = 0; i < ELEMENTSOF(resources); i++)
                        if (strcmp(watch->what, resources[i]) == 0)
                                return 0;
                return wrong(reader, at, "There is pressure on cpu, memory and io");
        case WATCH_UNIT:
                return unit_name_is_valid(watch->what) ? 0 : wrong(reader, at, "This is no name of a unit");
        case WATCH_JOURNAL:
                if (strlen(watch->what) != MESSAGE_ID_LENGTH ||
                    strspn(watch->what, "0123456789abcdef") != MESSAGE_ID_LENGTH)
                        return wrong(reader, at, "A message id has 32 of the digits 0 to 9 and a to f");
                return 0;
        case _WATCH_KIND_MAX:
                break;
        }
        return -EINVAL;
}

/* "KEY=" and the value, of which there must be one. *ret_at: where the value stands. */
static int read_pair(Reader *reader, char **ret_key, char **ret_value, const char **ret_at) {
        const char *begin = reader->at;
        size_t length = strcspn(begin, "= ");
        int r;

        if (length == 0 || begin[length] != '=')
                return wrong(reader, begin, "KEY=VALUE is needed here, or \"if\" and a filter");
        *ret_key = strndup(begin, length);
        if (!*ret_key)
                return -ENOMEM;
        reader->at = begin + length + 1;
        *ret_at = reader->at;
        r = read_value(reader, ret_value);
        if (r >= 0 && **ret_value == '\0')
                return wrong(reader, *ret_at, "A value is needed here");
        return r;
}

static int read_name(Reader *reader, WatchSpec *watch) {
        const char *begin = reader->at;
        size_t length = strcspn(begin, " ");

        watch->name = strndup(begin, length);
        if (!watch->name)
                return -ENOMEM;
        if (length > WATCH_NAME_LENGTH || !name_is_valid(watch->name))
                return wrong(reader, begin,
                             "It begins with a name: 1 to 32 characters of A-Z a-z 0-9 . _ @ - are, not beginning "
                             "with '.' or '-'");
        reader->at += length;
        skip_spaces(reader);
        return 0;
}

static int read_kind(Reader *reader, WatchSpec *watch) {
        static const char kinds[] = "event=, latency=, pressure=, unit= or journal= is needed here";
        CLEANUP_FREE char *key = NULL;
        const char *begin = reader->at, *at;
        int r;

        if (begin[strcspn(begin, "= ")] != '=')
                return wrong(reader, begin, kinds);
        r = read_pair(reader, &key, &watch->what, &at);
        if (r < 0)
                return r;
        for (unsigned kind = 0; kind < _WATCH_KIND_MAX; kind++)
                if (strcmp(key, kind_names[kind]) == 0) {
                        watch->kind = (WatchKind) kind;
                        return check_what(reader, at, watch);
                }
        return wrong(reader, begin, kinds);
}

static int read_option(Reader *reader, WatchSpec *watch, unsigned *given) {
        CLEANUP_FREE char *key = NULL, *value = NULL;
        const char *begin = reader->at, *at;
        int r = read_pair(reader, &key, &value, &at);

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(keys); i++) {
                if (strcmp(key, keys[i].name) != 0)
                        continue;
                if (!(keys[i].kinds & OF(watch->kind)))
                        return wrong(reader, begin, "That key is not for a watch of this kind");
                if (*given & (1U << i))
                        return wrong(reader, begin, "That key is there twice");
                *given |= 1U << i;
                return keys[i].set(reader, at, &value, watch);
        }
        return r < 0 ? r : wrong(reader, begin, "There is no such key");
}

static int read_condition(Reader *reader, WatchSpec *watch) {
        const char *begin = reader->at;

        reader->at += strlen(CONDITION);
        skip_spaces(reader);
        if (watch->kind != WATCH_EVENT)
                return wrong(reader, begin, "Only an event can have a filter");
        if (*reader->at == '\0')
                return wrong(reader, begin, "The filter is missing");
        watch->filter = strdup(reader->at);
        return watch->filter ? 0 : -ENOMEM;
}

/* What concerns several keys. */
static int check_together(Reader *reader, const WatchSpec *watch) {
        const char *end = reader->text + strlen(reader->text);

        if (watch->kind == WATCH_PRESSURE && watch->threshold == 0)
                return wrong(reader, end, "some= or full= is missing");
        if (watch->kind == WATCH_PRESSURE && watch->threshold > watch->window)
                return wrong(reader, end, "A stall is to be no longer than its window, which is 2s if none is given");
        if (watch->kind == WATCH_LATENCY && !(watch->from && watch->to && watch->match_from))
                return wrong(reader, end, "from=, to= and match= are needed");
        if (watch->after > 0 && watch->action != WATCH_SNAPSHOT)
                return wrong(reader, end, "after= is for snapshots only");
        return 0;
}

static int parse(Reader *reader, WatchSpec *watch) {
        unsigned given = 0;
        int r = read_name(reader, watch);

        if (r >= 0)
                r = read_kind(reader, watch);
        while (r >= 0) {
                skip_spaces(reader);
                if (*reader->at == '\0')
                        return check_together(reader, watch);
                if (strncmp(reader->at, CONDITION, strlen(CONDITION)) == 0 &&
                    (reader->at[strlen(CONDITION)] == ' ' || reader->at[strlen(CONDITION)] == '\0')) {
                        r = read_condition(reader, watch);
                        return r < 0 ? r : check_together(reader, watch);
                }
                r = read_option(reader, watch, &given);
        }
        return r;
}

int watch_spec_parse(const char *text, Error *error, WatchSpec *ret) {
        CLEANUP(watch_spec_clear)
        WatchSpec watch = {
                .interval = WATCH_INTERVAL_DEFAULT,
                .daily = WATCH_DAILY_DEFAULT,
                .window = WATCH_WINDOW_DEFAULT,
        };
        Reader reader = { .text = text, .at = text, .error = error };
        int r;

        if (strlen(text) > SPEC_FILTER_LENGTH)
                return error_set(error, ERROR_INVALID_ARGUMENT, "\"%s\" is %zu bytes long, at most %u are taken",
                                 TEXT_ESCAPE(text), strlen(text), SPEC_FILTER_LENGTH);
        if (!text_is_printable(text))
                return error_set(error, ERROR_INVALID_ARGUMENT, "\"%s\" has a control character or bad UTF-8",
                                 TEXT_ESCAPE(text));
        r = parse(&reader, &watch);
        if (r == -ENOMEM)
                return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        if (r < 0)
                return r;
        *ret = watch;
        watch = (WatchSpec){ 0 };
        return 0;
}

int watch_check(const char *text, Error *error) {
        CLEANUP(watch_spec_clear) WatchSpec watch = { 0 };

        return watch_spec_parse(text, error, &watch);
}

int watches_check(char *const *watches, bool ring, Error *error) {
        CLEANUP(strv_freep) char **names = NULL;

        for (; watches && *watches; watches++) {
                CLEANUP(watch_spec_clear) WatchSpec watch = { 0 };
                int r = watch_spec_parse(*watches, error, &watch);

                if (r < 0)
                        return r;
                if (strv_contains(names, watch.name))
                        return error_set(error, ERROR_INVALID_ARGUMENT, "watches: two are called \"%s\"", watch.name);
                if (watch.action == WATCH_SNAPSHOT && !ring)
                        return error_set(error, ERROR_INVALID_ARGUMENT,
                                         "watches: %s: a snapshot is taken of mode \"ring\" only", watch.name);
                if (watch.action == WATCH_ROTATE && ring)
                        return error_set(error, ERROR_INVALID_ARGUMENT,
                                         "watches: %s: there is nothing to rotate with mode \"ring\"", watch.name);
                if (strv_append(&names, watch.name) < 0)
                        return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        }
        return 0;
}

bool watches_define_events(char *const *watches) {
        for (; watches && *watches; watches++) {
                CLEANUP(watch_spec_clear) WatchSpec watch = { 0 };

                if (watch_spec_parse(*watches, NULL, &watch) >= 0 && watch.kind == WATCH_LATENCY)
                        return true;
        }
        return false;
}
