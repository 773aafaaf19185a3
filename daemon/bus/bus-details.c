/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/bus-details.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bus/bus-path.h"
#include "core/json-text.h"
#include "core/strv.h"
#include "kernel/probe-set.h"
#include "kernel/process.h"

#define DETAIL_LENGTH_MAX 1024U
#define DETAIL_CUT "..."

/* In a dialog. */
#define SUMMARY_VALUES_MAX 3U
#define SUMMARY_VALUE_LENGTH 64

/* A value that is too long is cut, and says so. */
static int add(BusCall *call, const char *key, const char *value) {
        const bool fits = strlen(value) <= DETAIL_LENGTH_MAX;
        CLEANUP_FREE char *shown = NULL;
        int r;

        if (asprintf(&shown, "%.*s%s", (int) (fits ? DETAIL_LENGTH_MAX : DETAIL_LENGTH_MAX - strlen(DETAIL_CUT)),
                     value, fits ? "" : DETAIL_CUT) < 0) {
                shown = NULL;
                return -ENOMEM;
        }

        r = strv_append(&call->details, key);
        if (r < 0)
                return r;

        return strv_append(&call->details, shown);
}

static int add_list(BusCall *call, const char *key, char *const *strings, const char *separator) {
        CLEANUP_FREE char *text = NULL;
        int r;

        r = strv_join(strings, separator, &text);
        return r < 0 ? r : add(call, key, text);
}

static int add_number(BusCall *call, const char *key, uint64_t number) {
        char text[24];

        (void) snprintf(text, sizeof(text), "%" PRIu64, number);
        return add(call, key, text);
}

/* "system:*" for whole systems, then single events. */
static int list_selection(const EventSelection *selection, char ***ret) {
        CLEANUP(strv_freep) char **events = NULL;
        int r;

        for (char *const *system = selection->whole_systems; system && *system; system++) {
                CLEANUP_FREE char *pattern = NULL;

                if (asprintf(&pattern, "%s:*", *system) < 0) {
                        pattern = NULL;
                        return -ENOMEM;
                }
                r = strv_append(&events, pattern);
                if (r < 0)
                        return r;
        }

        for (size_t i = 0; i < selection->n_choices; i++) {
                const EventChoice *choice = &selection->choices[i];
                CLEANUP_FREE char *event = NULL;

                if (strv_contains(selection->whole_systems, choice->system))
                        continue;

                if (asprintf(&event, "%s:%s", choice->system, choice->name) < 0) {
                        event = NULL;
                        return -ENOMEM;
                }
                r = strv_append(&events, event);
                if (r < 0)
                        return r;
        }

        *ret = STEAL_PTR(events);
        return 0;
}

static int add_pids(BusCall *call, const Spec *spec) {
        CLEANUP(strv_freep) char **pids = NULL;
        char text[16];
        int r;

        for (size_t i = 0; i < spec->n_pids; i++) {
                (void) snprintf(text, sizeof(text), "%d", (int) spec->pids[i]);
                r = strv_append(&pids, text);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < spec->pidfds.n_fds; i++) {
                CLEANUP(error_clear) Error error = ERROR_INIT;
                pid_t pid = 0; /* one that has ended */

                (void) process_from_pidfd(spec->pidfds.fds[i], &error, &pid);
                (void) snprintf(text, sizeof(text), "%d", (int) pid);
                r = strv_append(&pids, text);
                if (r < 0)
                        return r;
        }

        return add_list(call, "pids", pids, ",");
}

/* Whatever a dialog is made with, it shows these as they are. */
static void make_plain(char *text) {
        static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 =:_.,*?@/+\\-";

        for (; *text; text++)
                if (!strchr(plain, *text))
                        *text = '_';
}

static void summarize(FILE *summary, const char *key, char *const *values) {
        const size_t n = strv_length(values);

        if (n == 0)
                return;
        (void) fprintf(summary, " %s=", key);
        for (size_t i = 0; i < n && i < SUMMARY_VALUES_MAX; i++)
                (void) fprintf(summary, "%s%.*s", i > 0 ? "," : "", SUMMARY_VALUE_LENGTH, values[i]);
        if (n > SUMMARY_VALUES_MAX)
                (void) fprintf(summary, ",+%zu", n - SUMMARY_VALUES_MAX);
}

/* Takes the text over. */
static int add_summary(BusCall *call, FILE **stream, char **text) {
        int r = fclose(STEAL_PTR(*stream)) == 0 ? 0 : -ENOMEM;

        if (r < 0)
                return r;
        make_plain(*text);
        return add(call, "summary", *text);
}

/* What the caller asks for itself: nothing in it is secret from it. Words that a translation need not touch. */
static int add_spec_summary(BusCall *call, const Spec *spec, char *const *events) {
        CLEANUP_FREE char *text = NULL;
        CLEANUP_FCLOSE FILE *stream = NULL;
        size_t size;

        stream = open_memstream(&text, &size);
        if (!stream)
                return -ENOMEM;
        (void) fprintf(stream, "scope=%s", spec_scope(spec));
        summarize(stream, "session", (char *[]){ call->text && *call->text ? (char *) call->text : NULL, NULL });
        summarize(stream, "unit", (char *[]){ spec->unit, NULL });
        if (spec_is_given(spec, SPEC_USER))
                (void) fprintf(stream, " user=%" PRIu64, spec->user);
        if (spec->n_pids + spec->pidfds.n_fds > 0)
                (void) fprintf(stream, " processes=%zu", spec->n_pids + spec->pidfds.n_fds);
        summarize(stream, "events", events);
        if (spec_has_tracer(spec))
                summarize(stream, "tracer", (char *[]){ spec->tracer, NULL });
        summarize(stream, "functions", spec->functions);
        summarize(stream, "probes", spec->probes);
        summarize(stream, "sql", spec->sql);
        summarize(stream, "synthetic_events", spec->synthetic_events);
        summarize(stream, "watches", spec->watches);
        return add_summary(call, &stream, &text);
}

static int add_powers(BusCall *call, unsigned powers) {
        CLEANUP(strv_freep) char **names = NULL;
        const char *action;
        unsigned power;

        while ((action = bus_access_next_action(&powers, &power))) {
                int r = strv_append(&names, strrchr(action, '.') + 1);

                if (r < 0)
                        return r;
        }
        return add_list(call, "powers", names, ",");
}

/* Whose processes: also of a session that there is. */
static int add_aim(BusCall *call, const Spec *spec) {
        int r;

        r = add(call, "scope", spec_scope(spec));
        if (r >= 0)
                r = add(call, "unit", spec->unit ? spec->unit : "");
        if (r >= 0)
                r = spec_is_given(spec, SPEC_USER) ? add_number(call, "user", spec->user) : add(call, "user", "");
        if (r >= 0)
                r = add(call, "tracer", spec->tracer ? spec->tracer : "nop");
        return r;
}

static int add_lists(BusCall *call, const Spec *spec) {
        CLEANUP(strv_freep) char **files = NULL;
        const struct {
                const char *key;
                char *const *strings;
                const char *separator; /* that the strings themselves do not have */
        } lists[] = {
                { "functions", spec->functions, "," },
                { "graph_functions", spec->graph_functions, "," },
                { "probes", spec->probes, "; " },
                { "triggers", spec->triggers, "; " },
                { "histograms", spec->histograms, "; " },
                { "sql", spec->sql, "; " },
                { "synthetic_events", spec->synthetic_events, " / " },
                { "options", spec->options, "," },
                { "watches", spec->watches, "\n" },
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(lists); i++)
                r = add_list(call, lists[i].key, lists[i].strings, lists[i].separator);
        if (r >= 0)
                r = probe_set_read_files(spec, &files);
        return r < 0 ? r : add_list(call, "probe_files", files, "; ");
}

static int add_spec(BusCall *call, const char *name, const ResolvedSpec *resolved, char *const *events,
                    unsigned powers) {
        const Spec *spec = resolved->spec;
        int r;

        r = add(call, "session", name);
        if (r >= 0)
                r = add_list(call, "events", events, ",");
        if (r >= 0)
                r = add_pids(call, spec);
        if (r >= 0)
                r = add_aim(call, spec);
        if (r >= 0)
                r = add_lists(call, spec);
        return r < 0 ? r : add_powers(call, powers);
}

int bus_details_add_spec(BusCall *call, const ResolvedSpec *resolved, unsigned powers) {
        CLEANUP(strv_freep) char **events = NULL;
        int r;

        r = list_selection(&resolved->selection, &events);
        if (r >= 0)
                r = add_spec(call, call->text ? call->text : "", resolved, events, powers);
        return r < 0 ? r : add_spec_summary(call, resolved->spec, events);
}

static int add_session(BusCall *call, const Session *session) {
        CLEANUP(strv_freep) char **events = NULL;
        int r;

        r = list_selection(&session->selection, &events);
        if (r >= 0)
                r = add(call, "session", session->name);
        if (r >= 0)
                r = add_number(call, "owner", session->owner);
        if (r >= 0)
                r = add_list(call, "events", events, ",");
        return r < 0 ? r : add_aim(call, session->spec);
}

/* The spec of a capture is text, which an earlier version of the daemon may have written. */
static int add_capture_aim(BusCall *call, const CaptureMetadata *metadata) {
        static const struct {
                const char *key, *otherwise;
        } keys[] = { { "scope", SPEC_SCOPE_SYSTEM }, { "unit", "" }, { "user", "" }, { "tracer", "nop" } };
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP_JSON struct json_object *spec = NULL;

        if (!metadata->spec_json || json_text_parse(metadata->spec_json, "spec", &error, &spec) < 0)
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                struct json_object *value;
                const char *text = json_object_object_get_ex(spec, keys[i].key, &value)
                                           ? json_object_get_string(value)
                                           : keys[i].otherwise;
                int r = add(call, keys[i].key, text ? text : "");

                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_capture(BusCall *call, const CaptureMetadata *metadata) {
        int r;

        r = add(call, "capture", metadata->id);
        if (r >= 0)
                r = add(call, "session", metadata->session_name);
        if (r >= 0)
                r = add_number(call, "owner", metadata->owner);
        return r < 0 ? r : add_capture_aim(call, metadata);
}

static int add_target_summary(BusCall *call, const char *kind, const uid_t *owner) {
        CLEANUP_FREE char *text = NULL;
        CLEANUP_FCLOSE FILE *stream = NULL;
        size_t size;

        stream = open_memstream(&text, &size);
        if (!stream)
                return -ENOMEM;
        (void) fputs(call->method->member, stream);
        if (owner)
                (void) fprintf(stream, " %s=%s owner=%u", kind, call->target, (unsigned) *owner);
        return add_summary(call, &stream, &text);
}

int bus_details_add_target(BusCall *call) {
        const Session *session = bus_path_find_session(call->bus->manager, call->target);
        const Capture *capture = session ? NULL : bus_path_find_capture(call->bus->manager, call->target);
        int r;

        r = add(call, "method", call->method->member);
        if (r >= 0 && session)
                r = add_session(call, session);
        if (r >= 0 && capture)
                r = add_capture(call, capture->metadata);
        /* When the object is gone there is nothing to tell; what follows says so. That of a new session comes with
         * its spec. */
        if (r < 0 || call->access->rule == ACCESS_POWERS)
                return r;
        return add_target_summary(call, session ? "session" : "capture",
                                  session   ? &session->owner
                                  : capture ? &capture->metadata->owner
                                            : NULL);
}

int bus_details_change_spec(BusCall *call, const Session *session, const ResolvedSpec *resolved, unsigned powers) {
        CLEANUP(strv_freep) char **events = NULL;
        int r;

        strv_free(STEAL_PTR(call->details));
        r = list_selection(&resolved->selection, &events);
        if (r >= 0)
                r = add(call, "method", call->method->member);
        if (r >= 0)
                r = add_number(call, "owner", session->owner);
        if (r >= 0)
                r = add_spec(call, session->name, resolved, events, powers);
        return r < 0 ? r : add_target_summary(call, "session", &session->owner);
}
