/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/synthetic.h"

#include <ctype.h>
#include <errno.h>
#include <event-parse.h>
#include <stdio.h>
#include <string.h>
#include <trace-seq.h>
#include <tracefs.h>

#include "core/sql-query.h"
#include "core/strv.h"
#include "core/synthetic-event.h"
#include "kernel/catalog.h"
#include "kernel/dynamic-events.h"
#include "kernel/error-log.h"
#include "kernel/event-finder.h"
#include "kernel/features.h"
#include "kernel/instance-private.h"
#include "kernel/tracing-dir.h"
#include "kernel/trigger-set.h"

#define DYNAMIC_EVENTS "/dynamic_events"
#define WORD_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

int synthetic_check(const Spec *spec, Error *error) {
        const char *key = spec->sql ? "sql" : "synthetic_events";
        int r;

        if (!spec->sql && !spec->synthetic_events)
                return 0;
        r = features_require("synthetic_events", key, error);
        return r < 0 ? r : features_require("histograms", key, error);
}

int synthetic_prefix(const Instance *instance, char **ret) {
        char *prefix;

        if (asprintf(&prefix, SYNTHETIC_PREFIX "%s_", instance->name + strlen(INSTANCE_PREFIX)) < 0)
                return -ENOMEM;
        *ret = prefix;
        return 0;
}

static int no_memory(Error *error) {
        (void) error_set_errno(error, -ENOMEM, "Cannot define the synthetic events");
        return -ENOMEM;
}

static bool has_word(const char *text, const char *word) {
        size_t length = strlen(word);

        for (const char *at = text; (at = strstr(at, word)); at += length)
                if ((at == text || !strchr(WORD_CHARACTERS, at[-1])) &&
                    (at[length] == '\0' || !strchr(WORD_CHARACTERS, at[length])))
                        return true;
        return false;
}

/* Of the events that the query names only: all there are would take a second. */
static void load_formats(struct tep_handle *tep, const char *query, const EventList *list) {
        for (size_t i = 0; i < list->n_events; i++) {
                const EventName *event = &list->events[i];
                CLEANUP_FREE char *text = NULL;
                int size = 0;

                if (!has_word(query, event->name))
                        continue;
                text = tracefs_event_file_read(NULL, event->system, event->name, "format", &size);
                if (!text)
                        continue; /* Its module was just unloaded. */
                /* A print format that the library cannot parse leaves fields that are good. */
                (void) tep_parse_event(tep, text, (unsigned long) size, event->system);
        }
}

/* `kernel_name`: of the event that the command defines. */
static int define(Instance *instance, const char *command, const char *kernel_name, const char *name, Error *error) {
        CLEANUP_FREE char *log = NULL, *reason = NULL;
        int r = dynamic_events_write(command);

        if (r >= 0) {
                if (strv_append(&instance->synthetic_events, kernel_name) >= 0)
                        return 0;
                (void) dynamic_events_remove(SYNTHETIC_SYSTEM, kernel_name);
                return no_memory(error);
        }
        /* The log is everybody's: an entry counts when it is about our event. */
        log = tracefs_error_all(NULL);
        if (log && error_log_parse_last(log, &reason) >= 0 && strstr(reason, kernel_name) &&
            event_finder_show_names(instance, reason) >= 0)
                return error_set(error, ERROR_KERNEL_REFUSED, "The kernel refused the event \"%s\": %s", name,
                                 reason);
        return error_set(error, ERROR_KERNEL_REFUSED, "The kernel refused the event \"%s\": %s", name, strerror(-r));
}

static int enable(Instance *instance, const Spec *spec, const char *kernel_name, const char *name, Error *error) {
        for (size_t i = 0; i < spec->n_filters; i++) {
                int r = strcmp(spec->filters[i].pattern, name) == 0
                                ? instance_set_own_filter(instance, SYNTHETIC_SYSTEM, kernel_name, &spec->filters[i],
                                                          error)
                                : 0;

                if (r < 0)
                        return r;
        }
        if (tracefs_event_file_write(instance->tracefs, SYNTHETIC_SYSTEM, kernel_name, "enable", "1") < 0)
                return error_set_errno(error, -errno, "Cannot enable the event \"%s\"", name);
        return 0;
}

static int make_kernel_name(const Instance *instance, const char *name, Error *error, char **ret) {
        CLEANUP_FREE char *prefix = NULL;
        char *kernel_name;

        if (synthetic_prefix(instance, &prefix) < 0 || asprintf(&kernel_name, "%s%s", prefix, name) < 0)
                return no_memory(error);
        *ret = kernel_name;
        return 0;
}

/* Definitions */

static int set_definition(Instance *instance, const Spec *spec, const char *text, Error *error) {
        CLEANUP(synthetic_event_clear) SyntheticEvent event = { 0 };
        CLEANUP_FREE char *kernel_name = NULL, *command = NULL;
        int r;

        r = synthetic_event_parse(text, error, &event);
        if (r >= 0)
                r = make_kernel_name(instance, event.name, error, &kernel_name);
        if (r < 0)
                return r;
        if (asprintf(&command, "s:%s %s", kernel_name, event.fields) < 0) {
                command = NULL;
                return no_memory(error);
        }
        r = define(instance, command, kernel_name, event.name, error);
        return r < 0 ? r : enable(instance, spec, kernel_name, event.name, error);
}

/* Queries */

/* "PATH/events/SYSTEM/EVENT/trigger": cuts it to pieces. */
static int split_path(char *path, char **ret_system, char **ret_event) {
        char *slash = strrchr(path, '/');

        for (unsigned i = 0; slash && i < 2; i++) {
                *slash = '\0';
                *(i == 0 ? ret_event : ret_system) = NULL;
                slash = strrchr(path, '/');
                if (slash)
                        *(i == 0 ? ret_event : ret_system) = slash + 1;
        }
        return slash ? 0 : -EBADMSG;
}

/* "echo 'COMMAND' >> PATH", which is what libtracefs writes of a synthetic event. */
static int apply_line(Instance *instance, const SqlQuery *query, const char *kernel_name, char *line, Error *error) {
        static const char begin[] = "echo '", separator[] = "' >> ";
        char *command = line + strlen(begin), *end = NULL, *system, *event;
        int r;

        if (strncmp(line, begin, strlen(begin)) != 0)
                return 0;
        /* The last one: there may be text in a condition. */
        for (char *at = command; (at = strstr(at, separator)); at++)
                end = at;
        if (!end)
                return error_set_errno(error, -EBADMSG, "Cannot read what libtracefs makes of the query");
        *end = '\0';
        if (strstr(end + strlen(separator), DYNAMIC_EVENTS) || strstr(end + strlen(separator), "/synthetic_events")) {
                return define(instance, command, kernel_name, query->name, error);
        }
        if (split_path(end + strlen(separator), &system, &event) < 0)
                return error_set_errno(error, -EBADMSG, "Cannot read what libtracefs makes of the query");
        r = trigger_set_write(instance, system, event, command, error);
        if (r < 0)
                error_prefix(error, "sql: %s", query->name);
        return r;
}

static int apply(Instance *instance, const Spec *spec, const SqlQuery *query, const char *kernel_name, char *text,
                 Error *error) {
        char *rest, *line;
        int r = 0;

        for (line = strtok_r(text, "\n", &rest); r >= 0 && line; line = strtok_r(NULL, "\n", &rest))
                r = apply_line(instance, query, kernel_name, line, error);
        return r < 0 ? r : enable(instance, spec, kernel_name, query->name, error);
}

static int query_to_text(struct tep_handle *tep, const SqlQuery *query, const char *kernel_name, Error *error,
                         char **ret) {
        CLEANUP_FREE char *why = NULL;
        struct tracefs_synth *synth;
        struct trace_seq seq;
        int r = 0;

        synth = tracefs_sql(tep, kernel_name, query->text, &why);
        if (!synth) {
                size_t length = why ? strlen(why) : 0;

                while (length > 0 && why[length - 1] == '\n')
                        why[--length] = '\0';
                return error_set(error, ERROR_INVALID_ARGUMENT, "sql: %s: there is an error in the query\n%s",
                                 query->name, why ? why : query->text);
        }
        if (!tracefs_synth_complete(synth)) {
                tracefs_synth_free(synth);
                return error_set(error, ERROR_INVALID_ARGUMENT,
                                 "sql: %s: a query needs JOIN and ON; of one event there are histograms",
                                 query->name);
        }
        trace_seq_init(&seq);
        if (tracefs_synth_echo_cmd(&seq, synth) < 0)
                r = error_set_errno(error, -EINVAL, "sql: %s: libtracefs cannot make an event of it", query->name);
        if (r >= 0) {
                *ret = strndup(seq.buffer, seq.len);
                if (!*ret)
                        r = no_memory(error);
        }
        trace_seq_destroy(&seq);
        tracefs_synth_free(synth);
        return r;
}

static int set_query(Instance *instance, const Spec *spec, const char *text, const EventList *list, Error *error) {
        CLEANUP(sql_query_clear) SqlQuery query = { 0 };
        CLEANUP_FREE char *kernel_name = NULL, *commands = NULL;
        struct tep_handle *tep;
        int r;

        r = sql_query_parse(text, error, &query);
        if (r >= 0)
                r = make_kernel_name(instance, query.name, error, &kernel_name);
        if (r < 0)
                return r;
        tep = tep_alloc();
        if (!tep)
                return no_memory(error);
        load_formats(tep, query.text, list);
        r = query_to_text(tep, &query, kernel_name, error, &commands);
        tep_free(tep);
        return r < 0 ? r : apply(instance, spec, &query, kernel_name, commands, error);
}

int synthetic_set(Instance *instance, const Spec *spec, Error *error) {
        CLEANUP(event_list_clear) EventList list = { 0 };
        int r;

        if (!spec->sql && !spec->synthetic_events)
                return 0;
        r = trigger_set_check_instance(instance, spec->sql ? "sql" : "synthetic_events", error);
        for (char **text = spec->synthetic_events; r >= 0 && text && *text; text++)
                r = set_definition(instance, spec, *text, error);
        if (r >= 0 && spec->sql)
                r = catalog_read(error, &list);
        for (char **text = spec->sql; r >= 0 && text && *text; text++)
                r = set_query(instance, spec, *text, &list, error);
        return r;
}

/* Removing */

int synthetic_remove(Instance *instance) {
        int r = 0;

        for (char **name = instance->synthetic_events; name && *name; name++) {
                int removed = dynamic_events_remove(SYNTHETIC_SYSTEM, *name);

                if (removed < 0)
                        r = removed; /* The others are still tried. */
        }
        strv_free(instance->synthetic_events);
        instance->synthetic_events = NULL;
        return r;
}

/* A line is "s:synthetic/NAME FIELDS", older kernels leave the system out; returns 1 for one of ours without an
 * instance. */
static int parse_stale(const char *line, char **ret_system, char **ret_name) {
        const char *name = line + strlen("s:"), *id;
        CLEANUP_FREE char *path = NULL;
        size_t length;

        if (strncmp(line, "s:", strlen("s:")) != 0)
                return 0;
        if (strncmp(name, SYNTHETIC_SYSTEM "/", strlen(SYNTHETIC_SYSTEM "/")) == 0)
                name += strlen(SYNTHETIC_SYSTEM "/");
        length = synthetic_event_instance(name, &id);
        if (length == 0)
                return 0;
        *ret_system = strdup(SYNTHETIC_SYSTEM);
        *ret_name = strndup(name, strcspn(name, " \t\n"));
        if (!*ret_system || !*ret_name ||
            asprintf(&path, "instances/" INSTANCE_PREFIX "%.*s", (int) length, id) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        return !tracefs_dir_exists(NULL, path);
}

int synthetic_remove_stale(unsigned *ret_n_removed) {
        return dynamic_events_remove_stale(parse_stale, ret_n_removed);
}
