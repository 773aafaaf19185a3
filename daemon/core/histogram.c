/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/histogram.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/json-text.h"
#include "core/strv.h"
#include "ktraced/cleanup.h"

#define TRIGGER_MARK "# trigger info: "
#define SAVED_NUMBER_WIDTH 10U
#define SAVED_TEXT_WIDTH 32U

/* One histogram as it is read. */
typedef struct Reader {
        char **keys;              /* names, as the trigger lists them */
        char **saved;             /* those of its save() */
        struct json_object *row;  /* the last one; borrowed */
        struct json_object *rows; /* borrowed */
        struct json_object *object;
} Reader;

static char *trimmed(const char *start, const char *end) {
        while (start < end && isspace((unsigned char) *start))
                start++;
        while (end > start && isspace((unsigned char) end[-1]))
                end--;
        return strndup(start, (size_t) (end - start));
}

/* Digits only, in the range of JSON's integers; else text. */
static struct json_object *value_to_json(const char *text) {
        size_t length = strlen(text), digits = strspn(text, "0123456789");

        if (length > 0 && digits == length && length <= 19)
                return json_object_new_uint64(strtoull(text, NULL, 10));
        if (length > 1 && text[0] == '-' && strspn(text + 1, "0123456789") == length - 1 && length <= 19)
                return json_object_new_int64(strtoll(text, NULL, 10));
        return json_object_new_string(text);
}

/* The frames of a stack trace, a line each. */
static int add_lines(struct json_object *object, const char *name, const char *text) {
        CLEANUP(strv_freep) char **lines = NULL;
        struct json_object *array = json_object_new_array();
        int r = json_text_add(object, name, array);

        if (r >= 0)
                r = strv_split(text, "\n", &lines);
        for (size_t i = 0; r >= 0 && lines && lines[i]; i++) {
                CLEANUP_FREE char *line = trimmed(lines[i], lines[i] + strlen(lines[i]));
                struct json_object *string = line ? json_object_new_string(line) : NULL;

                if (!string || json_object_array_add(array, string) < 0) {
                        (void) json_object_put(string);
                        r = -ENOMEM;
                }
        }
        return r;
}

static int add_value(struct json_object *object, const char *name, const char *start, const char *end) {
        CLEANUP_FREE char *text = trimmed(start, end);

        if (!text)
                return -ENOMEM;
        if (strchr(text, '\n'))
                return add_lines(object, name, text);
        return json_text_add(object, name, value_to_json(text));
}

/* "keys=a,b.hex:vals=..." up to ':' */
static int read_keys(const char *trigger, char ***ret) {
        const char *start = strstr(trigger, "keys=");
        CLEANUP(strv_freep) char **words = NULL, **keys = NULL;
        CLEANUP_FREE char *list = NULL;
        int r;

        if (!start)
                return -EINVAL;
        start += strlen("keys=");
        list = strndup(start, strcspn(start, ": "));
        if (!list)
                return -ENOMEM;
        r = strv_split(list, ",", &words);
        for (size_t i = 0; r >= 0 && words && words[i]; i++) {
                /* The rows show an expression whole. */
                if (!strpbrk(words[i], "$+*/"))
                        words[i][strcspn(words[i], ".")] = '\0';
                r = strv_append(&keys, words[i]);
        }
        if (r < 0)
                return r;
        *ret = STEAL_PTR(keys);
        return 0;
}

/* "save(a,b)" */
static int read_saved(const char *trigger, char ***ret) {
        static const char save[] = ").save(";
        const char *start = strstr(trigger, save);
        CLEANUP_FREE char *list = NULL;

        if (!start) {
                *ret = NULL;
                return 0;
        }
        start += strlen(save);
        list = strndup(start, strcspn(start, ")"));
        return list ? strv_split(list, ",", ret) : -ENOMEM;
}

/* Where the key with this name begins, "NAME:" after "{ " or ", ". */
static const char *find_key(const char *at, const char *end, const char *name) {
        size_t length = strlen(name);

        for (; at + length < end; at++)
                if (strncmp(at, name, length) == 0 && at[length] == ':')
                        return at;
        return NULL;
}

static int read_row_keys(const Reader *reader, const char *at, const char *end, struct json_object *object) {
        for (char **key = reader->keys; key && *key; key++) {
                const char *name = find_key(at, end, *key), *value, *next = NULL;
                int r;

                if (!name)
                        continue; /* a kernel that calls it otherwise */
                value = name + strlen(*key) + 1;
                if (key[1])
                        next = find_key(value, end, key[1]);
                at = next ? next : end;
                if (next) {
                        while (next > value && (next[-1] == ' ' || next[-1] == ','))
                                next--;
                }
                r = add_value(object, *key, value, next ? next : end);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* "hitcount:  5  bytes:  10" up to the end of the line. */
static int read_row_values(const char *at, const char *end, struct json_object *object) {
        while (at < end) {
                const char *colon = memchr(at, ':', (size_t) (end - at)), *next;
                CLEANUP_FREE char *name = NULL;
                int r;

                if (!colon)
                        return 0;
                name = trimmed(at, colon);
                if (!name)
                        return -ENOMEM;
                at = colon + 1;
                while (at < end && *at == ' ')
                        at++;
                /* Two spaces are between a value and the next name. */
                for (next = at; next < end && !(next[0] == ' ' && next + 1 < end && next[1] == ' '); next++)
                        ;
                r = add_value(object, name, at, next);
                if (r < 0)
                        return r;
                at = next;
        }
        return 0;
}

/* `at` is behind '{'. Sets *ret to what is behind the row. */
static int read_row(Reader *reader, const char *at, const char **ret) {
        const char *brace = strchr(at, '}'), *end;
        struct json_object *row, *key, *values;
        int r;

        if (!brace)
                return -EINVAL;
        end = brace + strcspn(brace, "\n");
        row = json_object_new_object();
        if (!row || json_object_array_add(reader->rows, row) < 0) {
                (void) json_object_put(row);
                return -ENOMEM;
        }
        key = json_object_new_object();
        r = json_text_add(row, "key", key);
        if (r >= 0)
                r = read_row_keys(reader, at, brace, key);
        values = r >= 0 ? json_object_new_object() : NULL;
        if (r >= 0)
                r = json_text_add(row, "values", values);
        if (r >= 0)
                r = read_row_values(brace + 1, end, values);
        reader->row = row;
        *ret = end;
        return r;
}

/* "  NAME: " */
static const char *find_saved(const char *at, const char *end, const char *name) {
        for (const char *found = find_key(at, end, name); found; found = find_key(found + 1, end, name))
                if (found - at >= 2 && found[-1] == ' ' && found[-2] == ' ')
                        return found;
        return NULL;
}

/* A number is set to the right in 10 columns, a text to the left in 32 (track_data_print(), trace_events_hist.c).
 * What looks like the next name within them belongs to the text. */
static size_t saved_width(const char *at, const char *end) {
        size_t spaces = strspn(at, " "), digits = strspn(at + spaces, "0123456789");
        size_t width = spaces + digits >= SAVED_NUMBER_WIDTH && digits > 0 ? spaces + digits : SAVED_TEXT_WIDTH;

        return width < (size_t) (end - at) ? width : (size_t) (end - at);
}

static int read_saved_values(const Reader *reader, const char *at, const char *end, struct json_object *object) {
        for (char **name = reader->saved; name && *name; name++) {
                const char *value = find_saved(at, end, *name), *next = NULL;
                int r;

                if (!value)
                        return 0;
                value += strlen(*name) + 1;
                value += *value == ' ';
                at = value + saved_width(value, end);
                if (name[1])
                        next = find_saved(at, end, name[1]);
                r = add_value(object, *name, value, next ? next : end);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* "<TAB>max: 27  next_comm: bash" behind a row. */
static int read_tracked(const Reader *reader, const char *line) {
        const char *start = line + 1, *end = line + strcspn(line, "\n"), *value;
        struct json_object *array, *tracked, *saved;
        size_t name = strcspn(start, ":\n");
        int r;

        if (!((name == 3 && strncmp(start, "max", name) == 0) ||
              (name == 7 && strncmp(start, "changed", name) == 0)) ||
            start[name] != ':')
                return 0;
        value = start + name + 1;
        value += strspn(value, " ");
        if (!json_object_object_get_ex(reader->row, "tracked", &array)) {
                array = json_object_new_array();
                r = json_text_add(reader->row, "tracked", array);
                if (r < 0)
                        return r;
        }
        tracked = json_object_new_object();
        if (!tracked || json_object_array_add(array, tracked) < 0) {
                (void) json_object_put(tracked);
                return -ENOMEM;
        }
        r = json_text_add_unsigned(tracked, name == 3 ? "max" : "changed", strtoull(value, NULL, 10));
        if (r < 0 || !reader->saved)
                return r;
        saved = json_object_new_object();
        r = json_text_add(tracked, "saved", saved);
        return r < 0 ? r : read_saved_values(reader, value + strspn(value, "0123456789"), end, saved);
}

/* "    Hits: 123" and the like. */
static int read_total(const Reader *reader, const char *line) {
        static const struct {
                const char *label, *name;
        } totals[] = { { "Hits:", "hits" }, { "Entries:", "entries" }, { "Dropped:", "dropped" } };

        line += strspn(line, " \t");
        for (size_t i = 0; i < ELEMENTSOF(totals); i++)
                if (strncmp(line, totals[i].label, strlen(totals[i].label)) == 0)
                        return json_text_add_unsigned(reader->object, totals[i].name,
                                                      strtoull(line + strlen(totals[i].label), NULL, 10));
        return 0;
}

static int begin(Reader *reader, const char *line, struct json_object *array) {
        const char *start = line + strlen(TRIGGER_MARK);
        CLEANUP_FREE char *trigger = strndup(start, strcspn(start, "\n"));
        struct json_object *object = json_object_new_object(), *keys;
        int r;

        if (!object || json_object_array_add(array, object) < 0) {
                (void) json_object_put(object);
                return -ENOMEM;
        }
        if (!trigger)
                return -ENOMEM;
        strv_free(STEAL_PTR(reader->keys));
        strv_free(STEAL_PTR(reader->saved));
        reader->row = NULL;
        r = read_keys(trigger, &reader->keys);
        if (r >= 0)
                r = read_saved(trigger, &reader->saved);
        if (r < 0)
                return r;
        reader->object = object;
        r = json_text_add_string(object, "trigger", trigger);
        keys = json_object_new_array();
        if (r >= 0)
                r = json_text_add(object, "keys", keys);
        else
                (void) json_object_put(keys);
        for (char **key = reader->keys; r >= 0 && key && *key; key++) {
                struct json_object *name = json_object_new_string(*key);

                if (!name || json_object_array_add(keys, name) < 0) {
                        (void) json_object_put(name);
                        r = -ENOMEM;
                }
        }
        if (r < 0)
                return r;
        reader->rows = json_object_new_array();
        return json_text_add(object, "rows", reader->rows);
}

static void reader_clear(Reader *reader) {
        strv_free(reader->keys);
        strv_free(reader->saved);
}

int histogram_text_to_json(const char *text, struct json_object **ret) {
        CLEANUP_JSON struct json_object *array = json_object_new_array();
        CLEANUP(reader_clear) Reader reader = { 0 };

        if (!array)
                return -ENOMEM;
        while (*text != '\0') {
                const char *next = text + strcspn(text, "\n");
                int r = 0;

                if (strncmp(text, TRIGGER_MARK, strlen(TRIGGER_MARK)) == 0)
                        r = begin(&reader, text, array);
                else if (*text == '{' && reader.object)
                        r = read_row(&reader, text + 1, &next);
                else if (*text == '\t' && reader.row)
                        r = read_tracked(&reader, text);
                else if (reader.object)
                        r = read_total(&reader, text);
                if (r < 0)
                        return r;
                text = *next == '\n' ? next + 1 : next;
        }
        if (json_object_array_length(array) == 0)
                return -EINVAL;
        *ret = STEAL_PTR(array);
        return 0;
}
