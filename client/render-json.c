/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "client/escape.h"
#include "client/graph.h"
#include "client/json-print.h"
#include "client/render-json.h"
#include "client/render-text.h"
#include "core/json-text.h"

#define NSEC_PER_SEC UINT64_C(1000000000)

void render_json_init(RenderJson *render, FILE *out, bool pretty) {
        *render = (RenderJson){ .out = out, .pretty = pretty };
        trace_seq_init(&render->info);
}

void render_json_clear(RenderJson *render) {
        trace_seq_destroy(&render->info);
}

struct json_object *json_string_new(const char *text, size_t n) {
        CLEANUP_FREE char *escaped = NULL;
        size_t length;

        if (n > INT32_MAX / 4 || escape_utf8(text, n, &escaped, &length) < 0)
                return NULL;
        return json_object_new_string_len(escaped ?: text, (int) length);
}

int json_write(FILE *out, struct json_object *object, bool pretty) {
        int flags = JSON_C_TO_STRING_NOSLASHESCAPE | (pretty ? JSON_C_TO_STRING_PRETTY : JSON_C_TO_STRING_PLAIN);
        size_t n;
        const char *text = json_object_to_json_string_length(object, flags, &n);

        if (!text)
                return -ENOMEM;
        (void) fwrite_unlocked(text, 1, n, out);
        (void) fputc_unlocked('\n', out);
        return 0;
}

char *timestamp_format(uint64_t ts, bool has_time, char buffer[static TIMESTAMP_LENGTH]) {
        if (has_time)
                (void) snprintf(buffer, TIMESTAMP_LENGTH, "%" PRIu64 ".%09" PRIu64, ts / NSEC_PER_SEC,
                                ts % NSEC_PER_SEC);
        else
                (void) snprintf(buffer, TIMESTAMP_LENGTH, "%" PRIu64, ts);
        return buffer;
}

static struct json_object *number_new(const DecoderRecord *record, const struct tep_format_field *field, size_t at,
                                      size_t size) {
        uint64_t value = tep_read_number(record->tep, (const char *) record->record->data + at, (int) size);

        if (!(field->flags & TEP_FIELD_IS_SIGNED))
                return json_object_new_uint64(value);
        if (size < sizeof(value)) {
                unsigned unused = (unsigned) (8 * (sizeof(value) - size));

                return json_object_new_int64((int64_t) (value << unused) >> unused);
        }
        return json_object_new_int64((int64_t) value);
}

static bool is_number_size(size_t size) {
        return size == 1 || size == 2 || size == 4 || size == 8;
}

/* `n` bytes at `at` of the record, which are there. */
static struct json_object *array_new(const DecoderRecord *record, const struct tep_format_field *field, size_t at,
                                     size_t n) {
        size_t element = is_number_size(field->elementsize) ? field->elementsize : 1;
        struct json_object *array;

        if (field->flags & TEP_FIELD_IS_STRING) {
                CLEANUP_FREE char *text = strndup((const char *) record->record->data + at, n);

                return text ? json_string_new(text, strlen(text)) : NULL;
        }
        array = json_object_new_array_ext((int) (n / element));
        for (size_t i = 0; array && i + element <= n; i += element) {
                struct json_object *value = number_new(record, field, at + i, element);

                if (!value || json_object_array_add(array, value) < 0) {
                        json_object_put(value);
                        json_object_put(array);
                        return NULL;
                }
        }
        return array;
}

/* *ret stays NULL for a field that is not within its record. */
static int field_new(const DecoderRecord *record, const struct tep_format_field *field, struct json_object **ret) {
        size_t have = record->record->size > 0 ? (size_t) record->record->size : 0;
        size_t at, n;

        if (field->offset < 0 || field->size < 0)
                return 0;
        at = (size_t) field->offset;
        n = (size_t) field->size;
        if (at > have || n > have - at)
                return 0;
        if (n == 0 && field->flags & TEP_FIELD_IS_ARRAY && !(field->flags & TEP_FIELD_IS_DYNAMIC))
                n = have - at; /* a flexible array, as in ftrace:print */
        if (field->flags & TEP_FIELD_IS_DYNAMIC) {
                /* __data_loc and __rel_loc (include/trace/stages/stage1_struct_define.h): length in the upper
                 * half, offset in the lower one, from the record's start or from behind the field. */
                uint64_t location;

                if (n != 4)
                        return 0;
                location = tep_read_number(record->tep, (const char *) record->record->data + at, 4);
                at = (location & 0xffff) + (field->flags & TEP_FIELD_IS_RELATIVE ? at + n : 0);
                n = location >> 16;
                if (at > have || n > have - at)
                        return 0;
        }
        if (field->flags & (TEP_FIELD_IS_ARRAY | TEP_FIELD_IS_DYNAMIC) || !is_number_size(n))
                *ret = array_new(record, field, at, n);
        else
                *ret = number_new(record, field, at, n);
        return *ret ? 0 : -ENOMEM;
}

static int fields_new(const DecoderRecord *record, struct json_object **ret) {
        CLEANUP_JSON struct json_object *fields = json_object_new_object();

        if (!fields)
                return -ENOMEM;
        for (struct tep_format_field *field = record->event->format.fields; field; field = field->next) {
                CLEANUP_JSON struct json_object *value = NULL;
                CLEANUP_FREE char *escaped = NULL;
                size_t length;
                int r;

                if ((r = field_new(record, field, &value)) < 0 ||
                    (r = escape_utf8(field->name, strlen(field->name), &escaped, &length)) < 0)
                        return r;
                if (json_object_object_add(fields, escaped ?: field->name, value) < 0)
                        return -ENOMEM;
                value = NULL;
        }
        *ret = STEAL_PTR(fields);
        return 0;
}

/* What an object for a record and one for lost events begin with. */
static int add_place(struct json_object *object, const DecoderRecord *record, bool has_time) {
        char buffer[TIMESTAMP_LENGTH];
        int r;

        r = json_add(object, "timestamp",
                     json_object_new_string(timestamp_format(record->record->ts, has_time, buffer)));
        if (r >= 0)
                r = json_add(object, "cpu", json_object_new_int(record->record->cpu));
        if (r >= 0 && *record->instance != '\0')
                r = json_add(object, "instance", json_string_new(record->instance, strlen(record->instance)));
        return r;
}

int render_json_lost(RenderJson *render, const DecoderRecord *record, bool has_time) {
        CLEANUP_JSON struct json_object *object = json_object_new_object();
        int r;

        if (!object)
                return -ENOMEM;
        r = add_place(object, record, has_time);
        if (r < 0)
                return r;
        if (record->lost > 0)
                r = json_add(object, "lost", json_object_new_int64(record->lost));
        else if (json_object_object_add(object, "lost", NULL) < 0)
                r = -ENOMEM;
        return r < 0 ? r : json_write(render->out, object, render->pretty);
}

/* system, event and fields; for the return from a call also how long it took. */
static int add_event(struct json_object *object, const DecoderRecord *record) {
        const struct tep_event *event = record->event;
        struct json_object *fields = NULL;
        uint64_t duration;
        int r;

        if (!event) {
                if (json_object_object_add(object, "system", NULL) < 0 ||
                    json_object_object_add(object, "event", NULL) < 0)
                        return -ENOMEM;
                return json_add(object, "fields", json_object_new_object());
        }
        r = json_add(object, "system", json_string_new(event->system, strlen(event->system)));
        if (r >= 0)
                r = json_add(object, "event", json_string_new(event->name, strlen(event->name)));
        if (r >= 0)
                r = fields_new(record, &fields);
        if (r >= 0)
                r = json_add(object, "fields", fields);
        if (r >= 0 && graph_duration(record->event, record->record, &duration))
                r = json_add(object, "duration", json_object_new_uint64(duration));
        return r;
}

int render_json_record(RenderJson *render, const DecoderRecord *record, bool has_time) {
        CLEANUP_JSON struct json_object *object = json_object_new_object();
        const char *info;
        size_t n;
        int r;

        if (!object)
                return -ENOMEM;
        r = add_place(object, record, has_time);
        if (r >= 0)
                r = json_add(object, "pid", json_object_new_int(record->pid));
        if (r >= 0)
                r = json_add(object, "comm", json_string_new(record->comm, strlen(record->comm)));
        if (r >= 0)
                r = add_event(object, record);
        if (r < 0)
                return r;
        info = render_info(&render->info, record, &n);
        r = json_add(object, "info", json_string_new(info, n));
        return r < 0 ? r : json_write(render->out, object, render->pretty);
}
