/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/event.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/suggestion.h"
#include "core/text.h"

#define SYSCALL_SYSTEM "syscalls"

/* One system's rows in the list. */
typedef struct SystemRange {
        const char *name;
        size_t start, end;
} SystemRange;

/* The list with what makes matching it many times cheap. */
typedef struct EventIndex {
        const EventList *list;
        SystemRange *ranges;
        size_t n_ranges;
} EventIndex;

/* A pattern taken apart. */
typedef struct Pattern {
        bool negative;
        char *system; /* NULL: a bare word */
        char *name;
} Pattern;

static void event_index_clear(EventIndex *index) {
        free(index->ranges);
}

static void pattern_clear(Pattern *pattern) {
        free(pattern->system);
        free(pattern->name);
}

void event_list_drop_systems(EventList *list, const char *prefix) {
        size_t n = 0;

        for (size_t i = 0; i < list->n_events; i++) {
                EventName *event = list->events + i;

                if (strncmp(event->system, prefix, strlen(prefix)) != 0) {
                        list->events[n++] = *event;
                        continue;
                }
                free(event->system);
                free(event->name);
        }
        list->n_events = n;
}

void event_list_drop_names(EventList *list, const char *system, const char *prefix) {
        size_t n = 0;

        for (size_t i = 0; i < list->n_events; i++) {
                EventName *event = list->events + i;

                if (strcmp(event->system, system) != 0 || strncmp(event->name, prefix, strlen(prefix)) != 0) {
                        list->events[n++] = *event;
                        continue;
                }
                free(event->system);
                free(event->name);
        }
        list->n_events = n;
}

void event_list_clear(EventList *list) {
        for (size_t i = 0; i < list->n_events; i++) {
                free(list->events[i].system);
                free(list->events[i].name);
        }
        free(list->events);
        *list = (EventList){ 0 };
}

static int compare_names(const void *a, const void *b) {
        const EventName *x = a, *y = b;
        int r = strcmp(x->system, y->system);

        return r != 0 ? r : strcmp(x->name, y->name);
}

/* Frees all but the first of equal rows. */
static void drop_repetitions(EventList *list) {
        size_t kept = 0;

        for (size_t i = 0; i < list->n_events; i++) {
                EventName *event = list->events + i;

                if (kept > 0 && compare_names(event, list->events + kept - 1) == 0) {
                        free(event->system);
                        free(event->name);
                } else
                        list->events[kept++] = *event;
        }
        list->n_events = kept;
}

int event_list_parse(const char *text, EventList *ret) {
        CLEANUP(event_list_clear) EventList list = { 0 };
        size_t n_lines = 1;

        for (const char *s = text; *s != '\0'; s++)
                n_lines += *s == '\n';
        list.events = calloc(n_lines, sizeof(*list.events));
        if (!list.events)
                return -ENOMEM;
        while (*text != '\0') {
                size_t length = strcspn(text, "\n");
                const char *colon = memchr(text, ':', length);
                EventName event = { 0 };

                if (length > 0) {
                        if (!colon || colon == text || colon + 1 == text + length)
                                return -EINVAL;
                        event.system = strndup(text, (size_t) (colon - text));
                        event.name = strndup(colon + 1, (size_t) (text + length - colon - 1));
                        list.events[list.n_events++] = event;
                        if (!event.system || !event.name)
                                return -ENOMEM;
                }
                text += length + (text[length] == '\n');
        }
        qsort(list.events, list.n_events, sizeof(*list.events), compare_names);
        drop_repetitions(&list);
        *ret = list;
        list = (EventList){ 0 };
        return 0;
}

void event_selection_clear(EventSelection *selection) {
        for (size_t i = 0; i < selection->n_choices; i++) {
                free(selection->choices[i].system);
                free(selection->choices[i].name);
                free(selection->choices[i].filter);
        }
        free(selection->choices);
        strv_free(selection->whole_systems);
        strv_free(selection->systems);
        *selection = (EventSelection){ 0 };
}

static int copy_choice(const EventChoice *choice, EventChoice *ret) {
        EventChoice copy = { .system = strdup(choice->system), .name = strdup(choice->name) };

        if (choice->filter)
                copy.filter = strdup(choice->filter);
        *ret = copy;
        return copy.system && copy.name && (copy.filter || !choice->filter) ? 0 : -ENOMEM;
}

/* "system:..." */
static bool has_event_of(char *const *events, const char *system) {
        const size_t length = strlen(system);

        for (; events && *events; events++)
                if (strncmp(*events, system, length) == 0 && (*events)[length] == ':')
                        return true;
        return false;
}

static bool is_in(char *const *events, const EventChoice *choice) {
        const size_t length = strlen(choice->system);

        for (; events && *events; events++)
                if (strncmp(*events, choice->system, length) == 0 && (*events)[length] == ':' &&
                    strcmp(*events + length + 1, choice->name) == 0)
                        return true;
        return false;
}

int event_selection_copy(const EventSelection *selection, char *const *without, EventSelection *ret) {
        CLEANUP(event_selection_clear) EventSelection copy = { .tells_of_memory = selection->tells_of_memory };
        int r = strv_copy(selection->systems, &copy.systems);

        for (char **system = selection->whole_systems; r >= 0 && system && *system; system++)
                if (!has_event_of(without, *system))
                        r = strv_append(&copy.whole_systems, *system);
        if (r < 0)
                return r;
        copy.choices = calloc(selection->n_choices + 1, sizeof(copy.choices[0]));
        if (!copy.choices)
                return -ENOMEM;
        for (size_t i = 0; r >= 0 && i < selection->n_choices; i++)
                if (!is_in(without, &selection->choices[i]))
                        r = copy_choice(&selection->choices[i], &copy.choices[copy.n_choices++]);
        if (r < 0)
                return r;
        *ret = copy;
        copy = (EventSelection){ 0 };
        return 0;
}

int event_selection_names(const EventSelection *selection, char ***ret) {
        CLEANUP(strv_freep) char **names = NULL;
        int r = strv_copy(NULL, &names);

        for (size_t i = 0; r >= 0 && i < selection->n_choices; i++) {
                CLEANUP_FREE char *name = NULL;

                if (asprintf(&name, "%s:%s", selection->choices[i].system, selection->choices[i].name) < 0) {
                        name = NULL;
                        return -ENOMEM;
                }
                r = strv_append(&names, name);
        }
        if (r < 0)
                return r;
        *ret = STEAL_PTR(names);
        return 0;
}

/* Every '[' has its ']' (which may stand first in the set, as for fnmatch). */
static bool brackets_are_closed(const char *s) {
        for (s = strchr(s, '['); s; s = strchr(s + 1, '[')) {
                size_t skip = 1 + (s[1] == '!' || s[1] == '^');

                s = s[skip] != '\0' ? strchr(s + skip + 1, ']') : NULL;
                if (!s)
                        return false;
        }
        return true;
}

int event_pattern_check(const char *pattern, Error *error) {
        static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-*?[]!^:";
        const char *body = pattern + (*pattern == '!'), *colon = strchr(body, ':');
        size_t length = strlen(pattern);

        if (length > SPEC_PATTERN_LENGTH)
                return error_set(error, ERROR_INVALID_ARGUMENT,
                                 "Event pattern \"%s\" is %zu characters long, at most %u are taken",
                                 TEXT_ESCAPE(pattern), length, SPEC_PATTERN_LENGTH);
        if (pattern[strspn(pattern, allowed)] != '\0')
                return error_set(error, ERROR_INVALID_ARGUMENT,
                                 "Event pattern \"%s\" has a character that is not allowed there",
                                 TEXT_ESCAPE(pattern));
        if (*body == '\0' || *body == ':' || (colon && (colon[1] == '\0' || strchr(colon + 1, ':'))))
                return error_set(error, ERROR_INVALID_ARGUMENT,
                                 "Event pattern \"%s\" is neither \"system\", \"system:event\" nor \"event\"",
                                 TEXT_ESCAPE(pattern));
        if (!brackets_are_closed(body))
                return error_set(error, ERROR_INVALID_ARGUMENT, "Event pattern \"%s\" has a '[' without its ']'",
                                 TEXT_ESCAPE(pattern));
        return 0;
}

static int pattern_parse(const char *text, Pattern *ret) {
        CLEANUP(pattern_clear) Pattern pattern = { .negative = *text == '!' };
        const char *body = text + pattern.negative, *colon = strchr(body, ':');

        if (colon) {
                pattern.system = strndup(body, (size_t) (colon - body));
                if (!pattern.system)
                        return -ENOMEM;
        }
        pattern.name = strdup(colon ? colon + 1 : body);
        if (!pattern.name)
                return -ENOMEM;
        *ret = pattern;
        pattern = (Pattern){ 0 };
        return 0;
}

static int event_index_init(const EventList *list, EventIndex *ret) {
        SystemRange *ranges = calloc(list->n_events + 1, sizeof(*ranges));
        size_t n = 0;

        if (!ranges)
                return -ENOMEM;
        for (size_t i = 0; i < list->n_events; i++) {
                if (n == 0 || strcmp(ranges[n - 1].name, list->events[i].system) != 0)
                        ranges[n++] = (SystemRange){ .name = list->events[i].system, .start = i };
                ranges[n - 1].end = i + 1;
        }
        *ret = (EventIndex){ .list = list, .ranges = ranges, .n_ranges = n };
        return 0;
}

static bool is_glob(const char *s) {
        return strpbrk(s, "*?[") != NULL;
}

static bool matches(const char *pattern, bool glob, const char *s) {
        return glob ? fnmatch(pattern, s, FNM_NOESCAPE) == 0 : strcmp(pattern, s) == 0;
}

/* Adds every event of the systems that match; returns how many. `hits` has a byte for each row. */
static size_t match_systems(const EventIndex *index, const char *system, unsigned char *hits) {
        bool glob = is_glob(system);
        size_t n = 0;

        for (size_t i = 0; i < index->n_ranges; i++) {
                const SystemRange *range = index->ranges + i;

                if (!matches(system, glob, range->name))
                        continue;
                memset(hits + range->start, 1, range->end - range->start);
                n += range->end - range->start;
        }
        return n;
}

static size_t match_in_range(const EventIndex *index, const SystemRange *range, const char *name, bool glob,
                             unsigned char *hits) {
        EventName key = { .system = (char *) range->name, .name = (char *) name };
        const EventName *events = index->list->events, *found;
        size_t n = 0;

        if (!glob) {
                found = bsearch(&key, events + range->start, range->end - range->start, sizeof(*events),
                                compare_names);
                if (found)
                        hits[found - events] = 1;
                return found != NULL;
        }
        for (size_t i = range->start; i < range->end; i++)
                if (matches(name, true, events[i].name)) {
                        hits[i] = 1;
                        n++;
                }
        return n;
}

/* Adds the events of matching name in the systems that match. */
static size_t match_names(const EventIndex *index, const char *system, const char *name, unsigned char *hits) {
        bool system_glob = is_glob(system), glob = is_glob(name);
        size_t n = 0;

        for (size_t i = 0; i < index->n_ranges; i++)
                if (matches(system, system_glob, index->ranges[i].name))
                        n += match_in_range(index, index->ranges + i, name, glob, hits);
        return n;
}

/* Adds the entry and the exit event of the system calls that match. */
static size_t match_syscalls(const EventIndex *index, const char *name, unsigned char *hits) {
        static const char *const prefixes[] = { "sys_enter_", "sys_exit_" };
        char full[SPEC_PATTERN_LENGTH + 16];
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(prefixes); i++) {
                (void) snprintf(full, sizeof(full), "%s%s", prefixes[i], name);
                n += match_names(index, SYSCALL_SYSTEM, full, hits);
        }
        return n;
}

static size_t match_pattern(const EventIndex *index, const Pattern *pattern, unsigned char *hits) {
        size_t n;

        if (!pattern->system) {
                n = match_systems(index, pattern->name, hits);
                if (n == 0)
                        n = match_names(index, "*", pattern->name, hits);
                return n > 0 ? n : match_syscalls(index, pattern->name, hits);
        }
        n = match_names(index, pattern->system, pattern->name, hits);
        if (n == 0 && strcmp(pattern->system, SYSCALL_SYSTEM) == 0)
                n = match_syscalls(index, pattern->name, hits);
        return n;
}

int event_pattern_match(const char *pattern, const EventList *list, char ***ret) {
        CLEANUP(event_index_clear) EventIndex index = { 0 };
        CLEANUP(pattern_clear) Pattern parsed = { 0 };
        CLEANUP_FREE unsigned char *hits = calloc(list->n_events + 1, 1);
        CLEANUP(strv_freep) char **names = NULL;
        size_t n = 0;
        int r;

        if (!hits)
                return -ENOMEM;
        r = event_index_init(list, &index);
        if (r < 0)
                return r;
        r = pattern_parse(pattern, &parsed);
        if (r < 0)
                return r;
        names = calloc(match_pattern(&index, &parsed, hits) + 1, sizeof(char *));
        if (!names)
                return -ENOMEM;
        for (size_t i = 0; i < list->n_events; i++)
                if (hits[i]) {
                        if (asprintf(&names[n], "%s:%s", list->events[i].system, list->events[i].name) < 0) {
                                names[n] = NULL;
                                return -ENOMEM;
                        }
                        n++;
                }
        *ret = STEAL_PTR(names);
        return 0;
}

/* Says which pattern matched nothing, and which name it may have meant. */
static int no_such_event(const EventIndex *index, const char *text, const Pattern *pattern, Error *error) {
        const char *wanted = text + pattern->negative;
        const EventList *list = index->list;
        char full[SUGGESTION_LENGTH_MAX + 2];
        Suggestion suggestion;

        if (list->n_events == 0)
                return error_set(error, ERROR_NO_SUCH_EVENT, "No event matches \"%s\": the kernel has none",
                                 TEXT_ESCAPE(text));
        if (is_glob(wanted))
                return error_set(error, ERROR_NO_SUCH_EVENT, "No event matches \"%s\"", TEXT_ESCAPE(text));

        suggestion_init(&suggestion, wanted);
        for (size_t i = 0; !pattern->system && i < index->n_ranges; i++)
                suggestion_consider(&suggestion, index->ranges[i].name);
        for (size_t i = 0; i < list->n_events; i++) {
                const EventName *event = list->events + i;

                if (pattern->system) {
                        /* What does not fit is too long to be considered. */
                        (void) snprintf(full, sizeof(full), "%s:%s", event->system, event->name);
                        suggestion_consider(&suggestion, full);
                        continue;
                }
                suggestion_consider(&suggestion, event->name);
                if (strncmp(event->name, "sys_enter_", 10) == 0)
                        suggestion_consider(&suggestion, event->name + 10);
        }
        if (!suggestion_best(&suggestion))
                return error_set(error, ERROR_NO_SUCH_EVENT, "No event is called \"%s\"", TEXT_ESCAPE(text));
        return error_set(error, ERROR_NO_SUCH_EVENT, "No event is called \"%s\"; did you mean \"%s\"?",
                         TEXT_ESCAPE(text), suggestion_best(&suggestion));
}

/* The work space of resolving; each array has an entry for each row of the list. */
typedef struct Resolution {
        EventIndex index;
        unsigned char *hits;        /* what the pattern at hand matches */
        unsigned char *selected;    /* what is left of all patterns so far */
        const SpecFilter **filters; /* NULL: none */
} Resolution;

static void resolution_clear(Resolution *resolution) {
        event_index_clear(&resolution->index);
        free(resolution->hits);
        free(resolution->selected);
        free(resolution->filters);
}

static int resolution_init(Resolution *resolution, const EventList *list) {
        resolution->hits = calloc(list->n_events + 1, 1);
        resolution->selected = calloc(list->n_events + 1, 1);
        resolution->filters = calloc(list->n_events + 1, sizeof(SpecFilter *));
        if (!resolution->hits || !resolution->selected || !resolution->filters)
                return -ENOMEM;
        return event_index_init(list, &resolution->index);
}

/* Fills `hits` from the pattern. */
static int resolution_match(Resolution *resolution, const char *text, Error *error, bool *ret_negative) {
        CLEANUP(pattern_clear) Pattern pattern = { 0 };
        int r = pattern_parse(text, &pattern);

        if (r < 0)
                return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        memset(resolution->hits, 0, resolution->index.list->n_events);
        if (match_pattern(&resolution->index, &pattern, resolution->hits) == 0)
                return no_such_event(&resolution->index, text, &pattern, error);
        *ret_negative = pattern.negative;
        return 0;
}

static int apply_pattern(Resolution *resolution, const char *text, Error *error) {
        size_t n_removed = 0;
        bool negative = false;
        int r = resolution_match(resolution, text, error, &negative);

        if (r < 0)
                return r;
        for (size_t i = 0; i < resolution->index.list->n_events; i++) {
                if (!resolution->hits[i])
                        continue;
                n_removed += resolution->selected[i];
                resolution->selected[i] = !negative;
        }
        if (negative && n_removed == 0)
                return error_set(error, ERROR_INVALID_ARGUMENT,
                                 "\"%s\" takes nothing back of what the patterns before it select",
                                 TEXT_ESCAPE(text));
        return 0;
}

static int apply_filter(Resolution *resolution, const SpecFilter *filter, Error *error) {
        const EventList *list = resolution->index.list;
        size_t n = 0;
        bool negative = false;
        int r = resolution_match(resolution, filter->pattern, error, &negative);

        if (r < 0)
                return r;
        for (size_t i = 0; i < list->n_events; i++) {
                if (!resolution->hits[i] || !resolution->selected[i])
                        continue;
                if (resolution->filters[i])
                        return error_set(error, ERROR_INVALID_ARGUMENT,
                                         "Event %s:%s has two filters, from \"%s\" and from \"%s\"",
                                         list->events[i].system, list->events[i].name,
                                         TEXT_ESCAPE(resolution->filters[i]->pattern), TEXT_ESCAPE(filter->pattern));
                resolution->filters[i] = filter;
                n++;
        }
        if (n == 0 || negative)
                return error_set(error, ERROR_INVALID_ARGUMENT,
                                 "The filter for \"%s\" is for no event of the session",
                                 TEXT_ESCAPE(filter->pattern));
        return 0;
}

static int append_choice(const Resolution *resolution, size_t row, EventSelection *selection) {
        const EventName *event = resolution->index.list->events + row;
        const SpecFilter *filter = resolution->filters[row];
        EventChoice *choice = selection->choices + selection->n_choices++;

        choice->system = strdup(event->system);
        choice->name = strdup(event->name);
        if (filter)
                choice->filter = strdup(filter->expression);
        return choice->system && choice->name && (!filter || choice->filter) ? 0 : -ENOMEM;
}

static int collect(const Resolution *resolution, EventSelection *ret) {
        CLEANUP(event_selection_clear) EventSelection selection = { 0 };
        int r = 0;

        selection.choices = calloc(resolution->index.list->n_events + 1, sizeof(EventChoice));
        if (!selection.choices)
                return -ENOMEM;
        for (size_t i = 0; i < resolution->index.n_ranges; i++) {
                const SystemRange *range = resolution->index.ranges + i;
                size_t before = selection.n_choices;

                for (size_t row = range->start; r == 0 && row < range->end; row++)
                        if (resolution->selected[row])
                                r = append_choice(resolution, row, &selection);
                if (r == 0 && selection.n_choices > before)
                        r = strv_append(&selection.systems, range->name);
                /* Those of sessions are in this system, but not in the list. */
                if (r == 0 && selection.n_choices - before == range->end - range->start &&
                    strcmp(range->name, "synthetic") != 0)
                        r = strv_append(&selection.whole_systems, range->name);
                if (r < 0)
                        return r;
        }
        *ret = selection;
        selection = (EventSelection){ 0 };
        return 0;
}

int event_selection_resolve(const Spec *spec, const EventList *list, Error *error, EventSelection *ret) {
        CLEANUP(resolution_clear) Resolution resolution = { 0 };
        CLEANUP(event_selection_clear) EventSelection selection = { 0 };
        int r = resolution_init(&resolution, list);

        if (r < 0)
                return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        for (char **pattern = spec->events; pattern && *pattern; pattern++) {
                r = apply_pattern(&resolution, *pattern, error);
                if (r < 0)
                        return r;
        }
        if (strv_length(spec->events) > 0 && !memchr(resolution.selected, 1, list->n_events))
                return error_set(error, ERROR_INVALID_ARGUMENT, "events: no event is left to record");
        for (size_t i = 0; i < spec->n_filters; i++) {
                /* Its fields are known once it is defined. */
                if (spec_has_own_event(spec, spec->filters[i].pattern))
                        continue;
                r = apply_filter(&resolution, spec->filters + i, error);
                if (r < 0)
                        return r;
        }
        r = collect(&resolution, &selection);
        if (r < 0)
                return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        *ret = selection;
        selection = (EventSelection){ 0 };
        return 0;
}
