/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/event-watch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/spec.h"
#include "core/text.h"
#include "kernel/catalog.h"
#include "kernel/features.h"
#include "kernel/instance-private.h"
#include "kernel/synthetic.h"
#include "kernel/trigger-set.h"

/* Bytes for each CPU. The kernel gives two pages at least. */
#define BUFFER_SIZE 8192U
#define TEXT_SIZE 4096U
/* What the event of a latency is called, and in it the time in usec. */
#define LATENCY_NAME "late"
#define LATENCY_FIELD "usecs"
/* More text than the buffers of many CPUs hold: where events come faster than they are read, there is an end. */
#define READS_MAX 256U

struct EventWatch {
        Instance *instance;
        int pipe;
};

static int set_strings(Spec *spec, SpecKey key, SpecType type, char *const *strings) {
        return spec_set(spec, key, &(SpecValue){ .has = type, .strings = strings }, NULL);
}

/* An event of its own, made by the kernel for each two that have the same in the fields, with the time between them;
 * the filter lets those pass that took too long. */
static int set_query(Spec *spec, const WatchSpec *watch) {
        CLEANUP_FREE char *query = NULL, *filter = NULL;
        int r;

        if (asprintf(&query,
                     LATENCY_NAME
                     "=SELECT start.%s AS matched, (end.TIMESTAMP_USECS - start.TIMESTAMP_USECS) AS " LATENCY_FIELD
                     " FROM %s AS start JOIN %s AS end ON start.%s = end.%s",
                     watch->match_from, strchr(watch->from, ':') + 1, strchr(watch->to, ':') + 1, watch->match_from,
                     watch->match_to) < 0) {
                query = NULL;
                return -ENOMEM;
        }
        if (asprintf(&filter, LATENCY_FIELD " > %" PRIu64, watch->threshold) < 0) {
                filter = NULL;
                return -ENOMEM;
        }
        r = set_strings(spec, SPEC_SQL, SPEC_TYPE_STRINGS, (char *[]){ query, NULL });
        if (r < 0)
                return r;
        return set_strings(spec, SPEC_FILTERS, SPEC_TYPE_MAP, (char *[]){ (char *) LATENCY_NAME, filter, NULL });
}

/* The spec of a session that records what the watch looks for. Of a latency, `events` are the two that it is between:
 * they are looked up, and not recorded. */
static int make_spec(const WatchSpec *watch, bool events, Spec **ret) {
        CLEANUP(spec_freep) Spec *spec = NULL;
        int r = spec_new(&spec);

        if (r >= 0 && watch->kind == WATCH_LATENCY)
                r = set_query(spec, watch);
        if (r >= 0 && watch->kind == WATCH_LATENCY && events)
                r = set_strings(spec, SPEC_EVENTS, SPEC_TYPE_STRINGS, (char *[]){ watch->from, watch->to, NULL });
        if (r >= 0 && watch->kind == WATCH_EVENT)
                r = set_strings(spec, SPEC_EVENTS, SPEC_TYPE_STRINGS, (char *[]){ watch->what, NULL });
        if (r >= 0 && watch->filter)
                r = set_strings(spec, SPEC_FILTERS, SPEC_TYPE_MAP, (char *[]){ watch->what, watch->filter, NULL });
        if (r < 0)
                return r;
        spec->buffer_size = BUFFER_SIZE;
        *ret = STEAL_PTR(spec);
        return 0;
}

static int resolve(const WatchSpec *watch, bool events, Error *error, Spec **ret_spec, EventSelection *ret) {
        CLEANUP(spec_freep) Spec *spec = NULL;
        int r = make_spec(watch, events, &spec);

        if (r < 0)
                return error_set_errno(error, r, "watches: %s", watch->name);
        r = catalog_resolve(spec, error, ret);
        if (r < 0) {
                error_prefix(error, "watches: %s", watch->name);
                return r;
        }
        *ret_spec = STEAL_PTR(spec);
        return 0;
}

int event_watch_check(const WatchSpec *watch, Error *error, bool *tells_of_memory) {
        CLEANUP(event_selection_clear) EventSelection selection = { 0 };
        CLEANUP(spec_freep) Spec *spec = NULL;
        int r = 0;

        /* Otherwise the error is that of a query, which nobody has written. */
        if (watch->kind == WATCH_LATENCY)
                r = features_require("synthetic_events", "latency", error);
        if (r >= 0 && watch->kind == WATCH_LATENCY)
                r = features_require("histograms", "latency", error);
        if (r < 0) {
                error_prefix(error, "watches: %s", watch->name);
                return r;
        }
        r = resolve(watch, true, error, &spec, &selection);
        if (r >= 0)
                *tells_of_memory |= selection.tells_of_memory;
        return r;
}

/* Whoever polls it is not to wait until a part of the buffer is full. */
static int open_pipe(EventWatch *watch, Error *error) {
        struct tracefs_instance *tracefs = watch->instance->tracefs;

        if (tracefs_instance_file_write(tracefs, "buffer_percent", "0") < 0)
                return error_set_errno(error, -errno, "Cannot have each event wake the daemon");
        watch->pipe = tracefs_instance_file_open(tracefs, "trace_pipe", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (watch->pipe < 0)
                return error_set_errno(error, -errno, "Cannot open trace_pipe of %s", watch->instance->name);
        return 0;
}

static int set_up(EventWatch *watch, const char *name, const WatchSpec *spec, Error *error) {
        CLEANUP(event_selection_clear) EventSelection selection = { 0 };
        CLEANUP(spec_freep) Spec *own = NULL;
        int r = resolve(spec, false, error, &own, &selection);

        if (r >= 0)
                r = instance_create(name, error, &watch->instance);
        if (r >= 0)
                r = instance_configure(watch->instance, own, &selection, error);
        if (r >= 0) {
                r = synthetic_set(watch->instance, own, error);
                if (r < 0)
                        error_prefix(error, "watches: %s", spec->name);
        }
        if (r >= 0)
                r = open_pipe(watch, error);
        return r < 0 ? r : instance_set_tracing(watch->instance, true, error);
}

int event_watch_new(const char *name, const WatchSpec *spec, Error *error, EventWatch **ret) {
        EventWatch *watch = malloc(sizeof(*watch));
        int r;

        if (!watch)
                return error_set_errno(error, -ENOMEM, "Cannot watch events");
        *watch = (EventWatch){ .pipe = -1 };
        r = set_up(watch, name, spec, error);
        if (r < 0) {
                (void) event_watch_destroy(watch);
                return r;
        }
        *ret = watch;
        return 0;
}

int event_watch_destroy(EventWatch *watch) {
        int r;

        if (!watch)
                return 0;
        closep(&watch->pipe);
        r = watch->instance ? instance_destroy(watch->instance) : 0;
        free(watch);
        return r;
}

int event_watch_renew(EventWatch *watch) {
        return trigger_set_renew(watch->instance);
}

int event_watch_fd(const EventWatch *watch) {
        return watch->pipe;
}

/* The last line of a text whose last character ends it. */
static char *last_line(char *text, size_t length) {
        char *begin;

        while (length > 0 && text[length - 1] == '\n')
                length--;
        text[length] = '\0';
        begin = strrchr(text, '\n');
        begin = begin ? begin + 1 : text;
        return begin + strspn(begin, " ");
}

int event_watch_drain(EventWatch *watch, char **ret_last) {
        char text[TEXT_SIZE], shown[TEXT_ESCAPE_SIZE * 2];
        size_t length = 0;
        ssize_t n = 0;

        for (unsigned i = 0; i < READS_MAX; i++) {
                n = read(watch->pipe, text, sizeof(text) - 1);
                if (n <= 0)
                        break;
                length = (size_t) n;
        }
        if (n < 0 && errno != EAGAIN && errno != EINTR)
                return -errno;
        *ret_last = NULL;
        if (length == 0)
                return 0;
        *ret_last = strdup(text_escape(last_line(text, length), shown, sizeof(shown)));
        return *ret_last ? 0 : -ENOMEM;
}
