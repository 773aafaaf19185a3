/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/event-watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "core/spec.h"
#include "core/text.h"
#include "kernel/catalog.h"
#include "kernel/instance-private.h"

/* Bytes for each CPU. The kernel gives two pages at least. */
#define BUFFER_SIZE 8192U
#define TEXT_SIZE 4096U
/* More text than the buffers of many CPUs hold: where events come faster than they are read, there is an end. */
#define READS_MAX 256U

struct EventWatch {
        Instance *instance;
        int pipe;
};

/* The spec of a session that records what the watch looks for. */
static int make_spec(const WatchSpec *watch, Spec **ret) {
        CLEANUP(spec_freep) Spec *spec = NULL;
        char *events[] = { watch->what, NULL }, *filters[] = { watch->what, watch->filter, NULL };
        int r = spec_new(&spec);

        if (r >= 0)
                r = spec_set(spec, SPEC_EVENTS, &(SpecValue){ .has = SPEC_TYPE_STRINGS, .strings = events }, NULL);
        if (r >= 0 && watch->filter)
                r = spec_set(spec, SPEC_FILTERS, &(SpecValue){ .has = SPEC_TYPE_MAP, .strings = filters }, NULL);
        if (r < 0)
                return r;
        spec->buffer_size = BUFFER_SIZE;
        *ret = STEAL_PTR(spec);
        return 0;
}

static int resolve(const WatchSpec *watch, Error *error, Spec **ret_spec, EventSelection *ret) {
        CLEANUP(spec_freep) Spec *spec = NULL;
        int r = make_spec(watch, &spec);

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
        int r = resolve(watch, error, &spec, &selection);

        if (r >= 0)
                *tells_of_memory |= selection.tells_of_memory;
        return r;
}

/* The text of events, which is read only to be taken out of the buffer, goes by the pages of a reader of its own. */
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
        int r = resolve(spec, error, &own, &selection);

        if (r >= 0)
                r = instance_create(name, error, &watch->instance);
        if (r >= 0)
                r = instance_configure(watch->instance, own, &selection, error);
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
