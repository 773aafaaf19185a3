/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel/event-format.h"

#include <errno.h>
#include <event-parse.h>
#include <string.h>
#include <tracefs.h>

#include "core/json-text.h"

#define PRINT_FORMAT_PREFIX "\nprint fmt: "

struct EventFormat {
        struct tep_handle *tep;
        struct tep_event *event; /* owned by tep */
        char *text;              /* of the file */
};

void event_format_free(EventFormat *format) {
        if (!format)
                return;
        tep_free(format->tep);
        free(format->text);
        free(format);
}

static int read_text(const char *system, const char *name, Error *error, char **ret, size_t *ret_size) {
        int size = 0;
        char *text;

        errno = 0;
        text = tracefs_event_file_read(NULL, system, name, "format", &size);
        if (text) {
                *ret = text;
                *ret_size = (size_t) size;
                return 0;
        }
        if (errno == ENOENT || errno == ENODEV)
                return error_set(error, ERROR_NO_SUCH_EVENT, "The kernel no longer has the event %s:%s", system,
                                 name);
        return error_set_errno(error, errno ? -errno : -EIO, "Cannot read the format of %s:%s", system, name);
}

static int parse_text(EventFormat *format, size_t size, const char *system) {
        format->tep = tep_alloc();
        if (!format->tep)
                return -ENOMEM;
        /* A print format that the library cannot parse leaves an event whose fields are good. */
        (void) tep_parse_format(format->tep, &format->event, format->text, size, system);
        return format->event ? 0 : -EBADMSG;
}

int event_format_new(const char *system, const char *name, Error *error, EventFormat **ret) {
        CLEANUP(event_format_freep) EventFormat *format = NULL;
        CLEANUP_FREE char *text = NULL;
        size_t size = 0;
        int r;

        r = read_text(system, name, error, &text, &size);
        if (r < 0)
                return r;
        format = calloc(1, sizeof(*format));
        if (!format)
                return error_set_errno(error, -ENOMEM, "Cannot parse the format of %s:%s", system, name);
        format->text = STEAL_PTR(text);
        r = parse_text(format, size, system);
        if (r < 0)
                return error_set_errno(error, r, "Cannot parse the format of %s:%s", system, name);
        *ret = STEAL_PTR(format);
        return 0;
}

/* The kernel tells strings apart by the declared type (filter_assign_type(), trace_events_filter.c, 5.15 to
 * 6.18). libtraceevent's TEP_FIELD_IS_STRING also counts arrays of u8, which the kernel does not. */
static void describe_field(const struct tep_format_field *field, FilterField *ret) {
        bool is_array = (field->flags & TEP_FIELD_IS_ARRAY) != 0;
        bool is_string, is_indirect, is_cpumask;

        is_indirect = strcmp(field->type, "char *") == 0 || strcmp(field->type, "const char *") == 0;
        is_string = (is_array && strstr(field->type, "char")) || is_indirect;
        is_cpumask = strstr(field->type, "cpumask") != NULL;
        *ret = (FilterField){
                .name = field->name,
                .is_string = is_string,
                .is_indirect = is_indirect,
                .is_foreign = is_indirect && strcmp(field->event->system, "syscalls") == 0,
                .is_cpumask = is_cpumask,
                /* ".function" may follow each number of the size of an address (parse_pred()). */
                .is_pointer = !is_string && !is_cpumask && !is_array && field->size == (int) sizeof(long),
        };
}

int event_format_filter_fields(const EventFormat *format, FilterField **ret, size_t *ret_n) {
        size_t n = 0, n_all = (size_t) format->event->format.nr_common + (size_t) format->event->format.nr_fields;
        FilterField *fields;

        fields = calloc(n_all + 1, sizeof(*fields));
        if (!fields)
                return -ENOMEM;
        for (const struct tep_format_field *f = format->event->format.common_fields; f && n < n_all; f = f->next)
                describe_field(f, &fields[n++]);
        for (const struct tep_format_field *f = format->event->format.fields; f && n < n_all; f = f->next)
                describe_field(f, &fields[n++]);

        *ret = fields;
        *ret_n = n;
        return 0;
}

static int add_fields(const struct tep_format_field *fields, struct json_object *array) {
        for (const struct tep_format_field *field = fields; field; field = field->next) {
                CLEANUP_JSON struct json_object *object = json_object_new_object();
                bool is_signed = (field->flags & TEP_FIELD_IS_SIGNED) != 0;
                int r;

                if (!object)
                        return -ENOMEM;
                r = json_text_add_string(object, "name", field->name);
                if (r >= 0)
                        r = json_text_add_string(object, "type", field->type);
                if (r >= 0)
                        r = json_text_add_unsigned(object, "offset", (unsigned) field->offset);
                if (r >= 0)
                        r = json_text_add_unsigned(object, "size", (unsigned) field->size);
                if (r >= 0)
                        r = json_text_add_boolean(object, "signed", is_signed);
                if (r < 0)
                        return r;
                if (json_object_array_add(array, object) < 0)
                        return -ENOMEM;
                object = NULL;
        }
        return 0;
}

/* The kernel's own text: the format string and its arguments. */
static struct json_object *print_format_to_json(const EventFormat *format) {
        const char *start = strstr(format->text, PRINT_FORMAT_PREFIX);

        if (!start)
                return json_object_new_string("");
        start += strlen(PRINT_FORMAT_PREFIX);
        return json_object_new_string_len(start, (int) strcspn(start, "\n"));
}

int event_format_to_json(const EventFormat *format, struct json_object **ret) {
        const struct tep_event *event = format->event;
        CLEANUP_JSON struct json_object *object = NULL, *fields = NULL;
        int r;

        object = json_object_new_object();
        fields = json_object_new_array();
        if (!object || !fields)
                return -ENOMEM;
        r = json_text_add_string(object, "system", event->system);
        if (r >= 0)
                r = json_text_add_string(object, "name", event->name);
        if (r >= 0)
                r = json_text_add_unsigned(object, "id", (unsigned) event->id);
        if (r >= 0)
                r = json_text_add(object, "print_format", print_format_to_json(format));
        if (r >= 0)
                r = add_fields(event->format.common_fields, fields);
        if (r >= 0)
                r = add_fields(event->format.fields, fields);
        if (r >= 0)
                r = json_text_add(object, "fields", STEAL_PTR(fields));
        if (r < 0)
                return r;
        *ret = STEAL_PTR(object);
        return 0;
}
