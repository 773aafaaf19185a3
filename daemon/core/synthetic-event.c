/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/synthetic-event.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/probe.h"
#include "core/spec.h"
#include "core/sql-query.h"
#include "core/strv.h"
#include "core/text.h"

/* Hexadecimal digits of a session's id. */
#define INSTANCE_ID_LENGTH 16U

#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

/* What is being read, and what of it is known. */
typedef struct Reader {
        const char *text;
        const char *at;
        Error *error;
        char **names;  /* of the fields so far */
        char **fields; /* "TYPE FIELD" */
        bool has_stack;
} Reader;

static void reader_clear(Reader *reader) {
        strv_free(reader->names);
        strv_free(reader->fields);
}

void synthetic_event_clear(SyntheticEvent *event) {
        free(event->name);
        free(event->fields);
        *event = (SyntheticEvent){ 0 };
}

static int wrong(const Reader *reader, const char *at, const char *why) {
        (void) error_set_at(reader->error, reader->text, at, "%s", why);
        return -EINVAL;
}

static void skip_spaces(Reader *reader) {
        reader->at += strspn(reader->at, " ");
}

static bool is_identifier(const char *s, size_t length, size_t most) {
        return length > 0 && length <= most && !isdigit((unsigned char) s[0]);
}

static bool takes_word(Reader *reader, const char *word) {
        size_t length = strlen(word);

        if (strspn(reader->at, NAME_CHARACTERS) != length || strncmp(reader->at, word, length) != 0)
                return false;
        reader->at += length;
        return true;
}

static int take_type(Reader *reader, const char **ret) {
        static const char *const types[] = {
                "u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "int", "char", "bool", "long", "pid_t", "gfp_t",
        };
        static const struct {
                const char *word, *type;
        } unsigned_types[] = {
                { "int", "unsigned int" },
                { "char", "unsigned char" },
                { "long", "unsigned long" },
        };

        if (takes_word(reader, "unsigned")) {
                skip_spaces(reader);
                for (size_t i = 0; i < ELEMENTSOF(unsigned_types); i++)
                        if (takes_word(reader, unsigned_types[i].word)) {
                                *ret = unsigned_types[i].type;
                                return 0;
                        }
                return wrong(reader, reader->at, "\"int\", \"long\" or \"char\" follows \"unsigned\"");
        }
        for (size_t i = 0; i < ELEMENTSOF(types); i++)
                if (takes_word(reader, types[i])) {
                        *ret = types[i];
                        return 0;
                }
        return wrong(reader, reader->at,
                     "The types of a field are u8 to u64, s8 to s64, int, long, unsigned int, unsigned long, char, "
                     "bool, pid_t and gfp_t");
}

/* "[SIZE]" or "[]". Sets *ret_array to where it is, whose length is *ret_length; leaves them when there is none. */
static int take_array(Reader *reader, const char *type, const char **ret_array, size_t *ret_length) {
        const char *start = reader->at;
        size_t digits;

        if (*start != '[')
                return 0;
        if (*ret_length > 0)
                return wrong(reader, start, "The size is given twice");
        digits = strspn(start + 1, "0123456789");
        if (start[1 + digits] != ']')
                return wrong(reader, start + 1, "A number of bytes and ']', or nothing and ']', follow '['");
        if (strcmp(type, "char") == 0) {
                unsigned long size = strtoul(start + 1, NULL, 10);

                if (digits > 0 && (digits > 4 || size == 0 || size > SYNTHETIC_TEXT_MAX))
                        return wrong(reader, start + 1, "A text has 1 to 256 bytes");
        } else if (strcmp(type, "long") != 0 && strcmp(type, "unsigned long") != 0)
                return wrong(reader, start, "Only char (a text) and long (a stack) can be arrays");
        else if (digits > 0)
                return wrong(reader, start + 1, "The array for a stack has no size: long[]");
        else
                reader->has_stack = true;
        reader->at = start + digits + 2;
        *ret_array = start;
        *ret_length = digits + 2;
        return 0;
}

/* "TYPE FIELD", with the array behind either. */
static int take_field(Reader *reader) {
        CLEANUP_FREE char *name = NULL, *field = NULL;
        const char *type = NULL, *array = "", *start;
        size_t n_array = 0, length;
        int r = take_type(reader, &type);

        if (r >= 0)
                r = take_array(reader, type, &array, &n_array);
        if (r < 0)
                return r;
        skip_spaces(reader);
        start = reader->at;
        length = strspn(start, NAME_CHARACTERS);
        if (!is_identifier(start, length, SYNTHETIC_FIELD_LENGTH))
                return wrong(reader, start, "The name of a field has letters, digits and '_', at most 63");
        reader->at += length;
        r = take_array(reader, type, &array, &n_array);
        if (r < 0)
                return r;
        name = strndup(start, length);
        if (!name)
                return -ENOMEM;
        if (strv_contains(reader->names, name))
                return wrong(reader, start, "Two fields have this name");
        if (asprintf(&field, "%s%.*s %s", type, (int) n_array, array, name) < 0) {
                field = NULL;
                return -ENOMEM;
        }
        r = strv_append(&reader->names, name);
        return r < 0 ? r : strv_append(&reader->fields, field);
}

static int take_fields(Reader *reader) {
        for (;;) {
                int r;

                skip_spaces(reader);
                if (*reader->at == '\0')
                        return strv_length(reader->fields) > 0
                                       ? 0
                                       : wrong(reader, reader->at, "The type and name of a field are missing");
                if (strv_length(reader->fields) == SYNTHETIC_FIELDS_MAX)
                        return wrong(reader, reader->at, "An event has at most 64 fields");
                r = take_field(reader);
                if (r < 0)
                        return r;
                skip_spaces(reader);
                if (*reader->at != ';' && *reader->at != '\0')
                        return wrong(reader, reader->at, "';' or the end is expected here");
                reader->at += *reader->at == ';';
        }
}

static int take_all(Reader *reader, SyntheticEvent *event) {
        size_t name;
        int r;

        skip_spaces(reader);
        name = strspn(reader->at, NAME_CHARACTERS);
        if (!is_identifier(reader->at, name, SYNTHETIC_NAME_LENGTH))
                return wrong(reader, reader->at, "A name comes first, of letters, digits and '_', 32 at the most");
        event->name = strndup(reader->at, name);
        if (!event->name)
                return -ENOMEM;
        reader->at += name;
        if (*reader->at != ' ' && *reader->at != '\0')
                return wrong(reader, reader->at, "A space follows the name");
        r = take_fields(reader);
        if (r >= 0)
                r = strv_join(reader->fields, "; ", &event->fields);
        event->n_fields = strv_length(reader->fields);
        event->has_stack = reader->has_stack;
        return r;
}

int synthetic_event_parse(const char *definition, Error *error, SyntheticEvent *ret) {
        CLEANUP(synthetic_event_clear) SyntheticEvent event = { 0 };
        CLEANUP(reader_clear) Reader reader = { .text = definition, .at = definition, .error = error };
        int r = spec_check_text(definition, error);

        if (r >= 0)
                r = take_all(&reader, &event);
        if (r == -ENOMEM)
                (void) error_set(error, ERROR_NO_MEMORY, "Out of memory");
        if (r < 0)
                return r;
        *ret = event;
        event = (SyntheticEvent){ 0 };
        return 0;
}

int synthetic_event_check(const char *text, Error *error) {
        CLEANUP(synthetic_event_clear) SyntheticEvent event = { 0 };

        return synthetic_event_parse(text, error, &event);
}

bool synthetic_events_have(char *const *definitions, const char *name, size_t *ret_n_fields) {
        for (; definitions && *definitions; definitions++) {
                CLEANUP(synthetic_event_clear) SyntheticEvent event = { 0 };

                if (synthetic_event_parse(*definitions, NULL, &event) < 0 || strcmp(event.name, name) != 0)
                        continue;
                if (ret_n_fields)
                        *ret_n_fields = event.n_fields;
                return true;
        }
        return false;
}

int synthetic_events_check(char *const *definitions, char *const *queries, char *const *probes, Error *error) {
        CLEANUP(strv_freep) char **names = NULL;

        for (; definitions && *definitions; definitions++) {
                CLEANUP(synthetic_event_clear) SyntheticEvent event = { 0 };
                int r = synthetic_event_parse(*definitions, error, &event);

                if (r < 0)
                        return r;
                if (strv_contains(names, event.name) || sql_queries_have(queries, event.name) ||
                    probes_have(probes, event.name))
                        return error_set(error, ERROR_INVALID_ARGUMENT,
                                         "synthetic_events: two events of the session are called \"%s\"", event.name);
                if (strv_append(&names, event.name) < 0)
                        return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        }
        return 0;
}

bool synthetic_events_record_stacks(char *const *definitions) {
        for (; definitions && *definitions; definitions++) {
                CLEANUP(synthetic_event_clear) SyntheticEvent event = { 0 };

                if (synthetic_event_parse(*definitions, NULL, &event) >= 0 && event.has_stack)
                        return true;
        }
        return false;
}

size_t synthetic_event_instance(const char *name, const char **ret) {
        const char *id;
        size_t length;

        if (strncmp(name, SYNTHETIC_PREFIX, strlen(SYNTHETIC_PREFIX)) != 0)
                return 0;
        id = name + strlen(SYNTHETIC_PREFIX);
        length = strspn(id, "0123456789abcdef");
        if (length != INSTANCE_ID_LENGTH)
                return 0;
        if (id[length] == 'w') {
                size_t digits = strspn(id + length + 1, "0123456789");

                if (digits == 0)
                        return 0;
                length += 1 + digits;
        }
        if (id[length] != '_')
                return 0;
        *ret = id;
        return length;
}
