/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <json-c/linkhash.h>

#include "client/escape.h"
#include "client/json-print.h"
#include "client/render-json.h"
#include "client/summary.h"
#include "core/json-text.h"
#include "core/parse.h"

#define NSEC_PER_SEC UINT64_C(1000000000)
#define NSEC_PER_USEC UINT64_C(1000)

/* One row of a table: an event, a CPU or a task. */
typedef struct Count {
        char *name; /* "system:event", or the task's name; NULL for a CPU */
        int number; /* of the CPU or the process */
        uint64_t events;
        uint64_t lost;
        bool lost_more; /* and others that were not counted */
} Count;

struct Summary {
        struct lh_table *events; /* "system:event" -> Count */
        struct lh_table *cpus;   /* number + 1 -> Count */
        struct lh_table *tasks;  /* number + 1 -> Count */
        size_t n_segments;
        /* The count of the last record's event, which is often that of the next one; within a segment. */
        const struct tep_event *last_event;
        Count *last_count;
        uint64_t n_events;
        uint64_t lost;
        bool lost_more;
        bool has_time;
        uint64_t start, end; /* ns, or the clock's ticks */
};

static void free_count(struct lh_entry *entry) {
        Count *count = lh_entry_v(entry);

        free(count->name);
        free(count);
}

void summary_free(Summary *summary) {
        if (!summary)
                return;
        if (summary->events)
                lh_table_free(summary->events);
        if (summary->cpus)
                lh_table_free(summary->cpus);
        if (summary->tasks)
                lh_table_free(summary->tasks);
        free(summary);
}

int summary_new(Summary **ret) {
        CLEANUP(summary_freep) Summary *summary = calloc(1, sizeof(*summary));

        if (!summary)
                return -ENOMEM;
        summary->events = lh_kchar_table_new(256, free_count);
        summary->cpus = lh_kptr_table_new(64, free_count);
        summary->tasks = lh_kptr_table_new(256, free_count);
        if (!summary->events || !summary->cpus || !summary->tasks)
                return -ENOMEM;
        *ret = STEAL_PTR(summary);
        return 0;
}

/* The count of the CPU or task, made when there is none; `name` may be NULL. */
static Count *get_numbered(struct lh_table *table, int number, const char *name) {
        const void *key = (const void *) ((intptr_t) number + 1);
        Count *count;

        if (lh_table_lookup_ex(table, key, (void **) &count))
                return count;
        count = calloc(1, sizeof(*count));
        if (!count)
                return NULL;
        count->number = number;
        if ((name && !(count->name = strdup(name))) || lh_table_insert(table, key, count) < 0) {
                free(count->name);
                free(count);
                return NULL;
        }
        return count;
}

static Count *get_named(struct lh_table *table, const char *name) {
        Count *count;

        if (lh_table_lookup_ex(table, name, (void **) &count))
                return count;
        count = calloc(1, sizeof(*count));
        if (!count)
                return NULL;
        count->name = strdup(name);
        if (!count->name || lh_table_insert(table, count->name, count) < 0) {
                free(count->name);
                free(count);
                return NULL;
        }
        return count;
}

static Count *get_event(Summary *summary, const struct tep_event *event) {
        CLEANUP_FREE char *name = NULL;
        Count *count;

        if (event && event == summary->last_event)
                return summary->last_count;
        if (asprintf(&name, "%s:%s", event ? event->system : "unknown", event ? event->name : "unknown") < 0) {
                name = NULL;
                return NULL;
        }
        count = get_named(summary->events, name);
        summary->last_event = count ? event : NULL;
        summary->last_count = count;
        return count;
}

void summary_begin_segment(Summary *summary) {
        summary->n_segments++;
        summary->last_event = NULL;
}

int summary_add(Summary *summary, const DecoderRecord *record, bool has_time) {
        uint64_t ts = record->record->ts;
        Count *event = get_event(summary, record->event);
        Count *cpu = get_numbered(summary->cpus, record->record->cpu, NULL);
        Count *task = get_numbered(summary->tasks, record->pid, record->comm);

        if (!event || !cpu || !task)
                return -ENOMEM;
        event->events++;
        cpu->events++;
        task->events++;
        if (summary->n_events++ == 0) {
                summary->start = summary->end = ts;
                summary->has_time = has_time;
        }
        if (ts < summary->start)
                summary->start = ts;
        if (ts > summary->end)
                summary->end = ts;
        return 0;
}

int summary_lose(Summary *summary, const DecoderRecord *record) {
        Count *cpu;

        if (record->lost == 0)
                return 0;
        cpu = get_numbered(summary->cpus, record->record->cpu, NULL);
        if (!cpu)
                return -ENOMEM;
        if (record->lost > 0) {
                cpu->lost += (uint64_t) record->lost;
                summary->lost += (uint64_t) record->lost;
        } else
                cpu->lost_more = summary->lost_more = true;
        return 0;
}

/* Events in a second; 0 where there is no span to divide by. */
static double rate(const Summary *summary, uint64_t events) {
        uint64_t span = summary->end - summary->start;

        return summary->has_time && span > 0 ? (double) events * (double) NSEC_PER_SEC / (double) span : 0;
}

static int compare_events(const void *a, const void *b) {
        const Count *x = *(Count *const *) a, *y = *(Count *const *) b;

        if (x->events != y->events)
                return x->events < y->events ? 1 : -1;
        if (x->name && y->name && strcmp(x->name, y->name) != 0)
                return strcmp(x->name, y->name);
        return (x->number > y->number) - (x->number < y->number);
}

static int compare_numbers(const void *a, const void *b) {
        const Count *x = *(Count *const *) a, *y = *(Count *const *) b;

        return (x->number > y->number) - (x->number < y->number);
}

/* An array of the table's counts, sorted; the counts are borrowed, the caller frees the array. */
static int sorted(struct lh_table *table, int (*compare)(const void *, const void *), Count ***ret, size_t *ret_n) {
        struct lh_entry *entry;
        Count **counts = calloc((size_t) lh_table_length(table) + 1, sizeof(Count *));
        size_t n = 0;

        if (!counts)
                return -ENOMEM;
        lh_foreach(table, entry) counts[n++] = lh_entry_v(entry);
        qsort(counts, n, sizeof(Count *), compare);
        *ret = counts;
        *ret_n = n;
        return 0;
}

static int add_counts(struct json_object *object, const Summary *summary, const Count *count, bool lost) {
        int r = json_add(object, "events", json_object_new_uint64(count->events));

        if (r >= 0 && lost)
                r = json_add(object, "lost", json_object_new_uint64(count->lost));
        if (r >= 0 && lost)
                r = json_add(object, "lost_at_least", json_object_new_boolean(count->lost_more));
        if (r >= 0 && summary->has_time)
                r = json_add(object, "rate", json_object_new_double(rate(summary, count->events)));
        return r;
}

typedef enum Kind {
        KIND_EVENT,
        KIND_CPU,
        KIND_TASK,
} Kind;

static int count_to_json(const Summary *summary, const Count *count, Kind kind, struct json_object *array) {
        CLEANUP_JSON struct json_object *object = json_object_new_object();
        int r = object ? 0 : -ENOMEM;

        if (r >= 0 && kind != KIND_EVENT)
                r = json_add(object, kind == KIND_CPU ? "cpu" : "pid", json_object_new_int(count->number));
        if (r >= 0 && kind != KIND_CPU)
                r = json_add(object, kind == KIND_EVENT ? "event" : "comm",
                             json_string_new(count->name, strlen(count->name)));
        if (r >= 0)
                r = add_counts(object, summary, count, kind == KIND_CPU);
        return r < 0 ? r : json_add(array, NULL, STEAL_PTR(object));
}

static int add_table(struct json_object *object, const char *key, const Summary *summary, Kind kind, Count **counts,
                     size_t n) {
        CLEANUP_JSON struct json_object *array = json_object_new_array();
        int r = array ? 0 : -ENOMEM;

        for (size_t i = 0; r >= 0 && i < n; i++)
                r = count_to_json(summary, counts[i], kind, array);
        return r < 0 ? r : json_add(object, key, STEAL_PTR(array));
}

/* The counts as they are printed. */
typedef struct Tables {
        Count **events, **cpus, **tasks;
        size_t n_events, n_cpus, n_tasks;
} Tables;

static void tables_clear(Tables *tables) {
        free(tables->events);
        free(tables->cpus);
        free(tables->tasks);
}

static int print_json(const Summary *summary, const SummaryPrint *how, const Tables *tables, FILE *out) {
        CLEANUP_JSON struct json_object *object = json_object_new_object();
        char start[TIMESTAMP_LENGTH], end[TIMESTAMP_LENGTH];
        const Count all = { .events = summary->n_events, .lost = summary->lost, .lost_more = summary->lost_more };
        int r = object ? 0 : -ENOMEM;

        timestamp_format(summary->start, summary->has_time, start);
        timestamp_format(summary->end, summary->has_time, end);
        if (r >= 0)
                r = json_add(object, "source", json_string_new(how->name, strlen(how->name)));
        if (r >= 0)
                r = json_add(object, "segments", json_object_new_uint64(summary->n_segments));
        if (r >= 0 && summary->n_events > 0)
                r = json_add(object, "start", json_object_new_string(start));
        if (r >= 0 && summary->n_events > 0)
                r = json_add(object, "end", json_object_new_string(end));
        if (r >= 0)
                r = add_counts(object, summary, &all, true);
        if (r >= 0)
                r = add_table(object, "by_event", summary, KIND_EVENT, tables->events, tables->n_events);
        if (r >= 0)
                r = add_table(object, "by_cpu", summary, KIND_CPU, tables->cpus, tables->n_cpus);
        if (r >= 0)
                r = add_table(object, "by_task", summary, KIND_TASK, tables->tasks, tables->n_tasks);
        return r < 0 ? r : json_write(out, object, how->pretty);
}

static void print_lost(FILE *out, int width, uint64_t lost, bool more) {
        char text[32];

        (void) snprintf(text, sizeof(text), "%s%" PRIu64, more ? ">= " : "", lost);
        fprintf(out, "%*s", width, text);
}

static void print_head(const Summary *summary, const SummaryPrint *how, FILE *out) {
        char start[TIMESTAMP_LENGTH], end[TIMESTAMP_LENGTH], span[64];

        fputs("   Capture: ", out);
        escape_print(out, how->name, strlen(how->name));
        if (summary->n_segments > 1)
                fprintf(out, " (%zu segments)", summary->n_segments);
        fputc('\n', out);
        if (summary->n_events > 0) {
                fprintf(out, "      Time: %s to %s", timestamp_format(summary->start, summary->has_time, start),
                        timestamp_format(summary->end, summary->has_time, end));
                if (summary->has_time)
                        fprintf(out, " (%s)",
                                format_span((summary->end - summary->start) / NSEC_PER_USEC, span, sizeof(span)));
                fputc('\n', out);
        }
        fprintf(out, "    Events: %" PRIu64, summary->n_events);
        if (rate(summary, summary->n_events) > 0)
                fprintf(out, " (%.0f per second)", rate(summary, summary->n_events));
        fputs("\n      Lost: ", out);
        print_lost(out, 0, summary->lost, summary->lost_more);
        fputc('\n', out);
}

static void print_tables(const Summary *summary, const Tables *tables, FILE *out) {
        fprintf(out, "\n%12s %12s  EVENT\n", "COUNT", "PER SECOND");
        for (size_t i = 0; i < tables->n_events; i++) {
                fprintf(out, "%12" PRIu64 " %12.1f  ", tables->events[i]->events,
                        rate(summary, tables->events[i]->events));
                escape_print(out, tables->events[i]->name, strlen(tables->events[i]->name));
                fputc('\n', out);
        }
        fprintf(out, "\n%12s %12s %12s  CPU\n", "COUNT", "PER SECOND", "LOST");
        for (size_t i = 0; i < tables->n_cpus; i++) {
                fprintf(out, "%12" PRIu64 " %12.1f ", tables->cpus[i]->events,
                        rate(summary, tables->cpus[i]->events));
                print_lost(out, 12, tables->cpus[i]->lost, tables->cpus[i]->lost_more);
                fprintf(out, "  %d\n", tables->cpus[i]->number);
        }
        fprintf(out, "\n%12s %12s %12s  TASK\n", "COUNT", "PER SECOND", "PID");
        for (size_t i = 0; i < tables->n_tasks; i++) {
                fprintf(out, "%12" PRIu64 " %12.1f %12d  ", tables->tasks[i]->events,
                        rate(summary, tables->tasks[i]->events), tables->tasks[i]->number);
                escape_print(out, tables->tasks[i]->name, strlen(tables->tasks[i]->name));
                fputc('\n', out);
        }
}

int summary_print(const Summary *summary, const SummaryPrint *how, FILE *out) {
        CLEANUP(tables_clear) Tables tables = {};
        size_t all;
        int r;

        if ((r = sorted(summary->events, compare_events, &tables.events, &tables.n_events)) < 0 ||
            (r = sorted(summary->cpus, compare_numbers, &tables.cpus, &tables.n_cpus)) < 0 ||
            (r = sorted(summary->tasks, compare_events, &tables.tasks, &tables.n_tasks)) < 0)
                return r;
        all = tables.n_tasks;
        if (how->top > 0 && how->top < tables.n_tasks)
                tables.n_tasks = how->top;
        if (how->json)
                return print_json(summary, how, &tables, out);
        print_head(summary, how, out);
        if (summary->n_events > 0)
                print_tables(summary, &tables, out);
        if (all > tables.n_tasks)
                fprintf(out, "%12s %zu more; --top=0 shows all\n", "", all - tables.n_tasks);
        return 0;
}
