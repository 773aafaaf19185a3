/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/metadata.h"

#include <errno.h>
#include <string.h>

#include "core/json-text.h"
#include "core/parse.h"
#include "core/strv.h"

#define METADATA_ORIGIN "capture.json"

typedef enum MemberType {
        MEMBER_STRING,
        MEMBER_NUMBER,
        MEMBER_BOOLEAN,
} MemberType;

typedef struct Member {
        const char *key;
        MemberType type;
        size_t offset;
} Member;

/* What is a plain value of the same name; the rest (owner, state, spec and the lists) is treated by hand. */
static const Member members[] = {
        { "id", MEMBER_STRING, offsetof(CaptureMetadata, id) },
        { "session_id", MEMBER_STRING, offsetof(CaptureMetadata, session_id) },
        { "session_name", MEMBER_STRING, offsetof(CaptureMetadata, session_name) },
        { "reason", MEMBER_STRING, offsetof(CaptureMetadata, reason) },
        { "kernel", MEMBER_STRING, offsetof(CaptureMetadata, kernel) },
        { "boot_id", MEMBER_STRING, offsetof(CaptureMetadata, boot_id) },
        { "machine_id", MEMBER_STRING, offsetof(CaptureMetadata, machine_id) },
        { "clock", MEMBER_STRING, offsetof(CaptureMetadata, clock) },
        { "start_realtime", MEMBER_NUMBER, offsetof(CaptureMetadata, start_realtime) },
        { "end_realtime", MEMBER_NUMBER, offsetof(CaptureMetadata, end_realtime) },
        { "start_trace_clock", MEMBER_NUMBER, offsetof(CaptureMetadata, start_trace_clock) },
        { "end_trace_clock", MEMBER_NUMBER, offsetof(CaptureMetadata, end_trace_clock) },
        { "events", MEMBER_NUMBER, offsetof(CaptureMetadata, events) },
        { "bytes", MEMBER_NUMBER, offsetof(CaptureMetadata, bytes) },
        { "lost", MEMBER_NUMBER, offsetof(CaptureMetadata, lost) },
        { "buffer_size", MEMBER_NUMBER, offsetof(CaptureMetadata, buffer_size) },
        { "segments_dropped", MEMBER_NUMBER, offsetof(CaptureMetadata, segments_dropped) },
        { "pinned", MEMBER_BOOLEAN, offsetof(CaptureMetadata, pinned) },
        { "external", MEMBER_BOOLEAN, offsetof(CaptureMetadata, external) },
};

static const Member segment_members[] = {
        { "number", MEMBER_NUMBER, offsetof(SegmentInfo, number) },
        { "bytes", MEMBER_NUMBER, offsetof(SegmentInfo, bytes) },
        { "events", MEMBER_NUMBER, offsetof(SegmentInfo, events) },
        { "start_realtime", MEMBER_NUMBER, offsetof(SegmentInfo, start_realtime) },
        { "end_realtime", MEMBER_NUMBER, offsetof(SegmentInfo, end_realtime) },
        { "raw_bytes", MEMBER_NUMBER, offsetof(SegmentInfo, raw_bytes) },
        { "compress_usec", MEMBER_NUMBER, offsetof(SegmentInfo, compress_usec) },
};

static const Member gap_members[] = {
        { "start_trace_clock", MEMBER_NUMBER, offsetof(RecordingGap, start_trace_clock) },
        { "end_trace_clock", MEMBER_NUMBER, offsetof(RecordingGap, end_trace_clock) },
        { "start_realtime", MEMBER_NUMBER, offsetof(RecordingGap, start_realtime) },
        { "gap_usec", MEMBER_NUMBER, offsetof(RecordingGap, gap_usec) },
};

static const char *const state_names[_CAPTURE_STATE_MAX] = {
        [CAPTURE_ACTIVE] = "active",
        [CAPTURE_COMPLETE] = "complete",
        [CAPTURE_INTERRUPTED] = "interrupted",
        [CAPTURE_FAILED] = "failed",
};

const char *capture_state_to_string(CaptureState state) {
        return (unsigned) state < _CAPTURE_STATE_MAX ? state_names[state] : "unknown";
}

int capture_state_from_string(const char *text, CaptureState *ret) {
        for (unsigned state = 0; state < _CAPTURE_STATE_MAX; state++)
                if (strcmp(text, state_names[state]) == 0) {
                        *ret = (CaptureState) state;
                        return 0;
                }
        return -EINVAL;
}

int metadata_new(CaptureMetadata **ret) {
        CaptureMetadata *metadata = calloc(1, sizeof(*metadata));

        if (!metadata)
                return -ENOMEM;
        *ret = metadata;
        return 0;
}

void metadata_free(CaptureMetadata *metadata) {
        if (!metadata)
                return;
        for (size_t i = 0; i < ELEMENTSOF(members); i++)
                if (members[i].type == MEMBER_STRING)
                        free(*(char **) ((char *) metadata + members[i].offset));
        free(metadata->spec_json);
        strv_free(metadata->thinned);
        free(metadata->losses);
        free(metadata->gaps);
        strv_free(metadata->journal);
        free(metadata->segments);
        free(metadata);
}

static int copy_string(const char *string, char **ret) {
        char *copy = NULL;

        if (string) {
                copy = strdup(string);
                if (!copy)
                        return -ENOMEM;
        }
        *ret = copy;
        return 0;
}

static int copy_array(const void *array, size_t n, size_t size, void *ret) {
        void *copy = NULL;

        if (n > 0) {
                copy = calloc(n, size);
                if (!copy)
                        return -ENOMEM;
                memcpy(copy, array, n * size);
        }
        memcpy(ret, &copy, sizeof(copy));
        return 0;
}

int metadata_copy(const CaptureMetadata *metadata, CaptureMetadata **ret) {
        CLEANUP(metadata_freep) CaptureMetadata *copy = malloc(sizeof(*copy));
        int r = 0;

        if (!copy)
                return -ENOMEM;
        /* The plain values first; the pointers are cleared at once, so that a failure frees no stranger's. */
        *copy = *metadata;
        for (size_t i = 0; i < ELEMENTSOF(members); i++)
                if (members[i].type == MEMBER_STRING)
                        *(char **) ((char *) copy + members[i].offset) = NULL;
        copy->spec_json = NULL;
        copy->thinned = NULL;
        copy->losses = NULL;
        copy->gaps = NULL;
        copy->journal = NULL;
        copy->segments = NULL;

        for (size_t i = 0; r == 0 && i < ELEMENTSOF(members); i++)
                if (members[i].type == MEMBER_STRING)
                        r = copy_string(*(char *const *) ((const char *) metadata + members[i].offset),
                                        (char **) ((char *) copy + members[i].offset));
        if (r == 0)
                r = copy_string(metadata->spec_json, &copy->spec_json);
        if (r == 0)
                r = strv_copy(metadata->thinned, &copy->thinned);
        if (r == 0)
                r = copy_array(metadata->losses, metadata->n_losses, sizeof(CpuLoss), &copy->losses);
        if (r == 0)
                r = strv_copy(metadata->journal, &copy->journal);
        if (r == 0)
                r = copy_array(metadata->gaps, metadata->n_gaps, sizeof(RecordingGap), &copy->gaps);
        if (r == 0)
                r = copy_array(metadata->segments, metadata->n_segments, sizeof(SegmentInfo), &copy->segments);
        if (r < 0)
                return r;
        *ret = STEAL_PTR(copy);
        return 0;
}

int metadata_add_segment(CaptureMetadata *metadata, const SegmentInfo *segment) {
        SegmentInfo *grown = reallocarray(metadata->segments, metadata->n_segments + 1, sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        grown[metadata->n_segments++] = *segment;
        metadata->segments = grown;
        return 0;
}

int metadata_add_gap(CaptureMetadata *metadata, const RecordingGap *gap) {
        RecordingGap *grown = reallocarray(metadata->gaps, metadata->n_gaps + 1, sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        grown[metadata->n_gaps++] = *gap;
        metadata->gaps = grown;
        return 0;
}

uint64_t metadata_saved_bytes(const CaptureMetadata *metadata) {
        uint64_t saved = 0;

        for (size_t i = 0; i < metadata->n_segments; i++)
                if (metadata->segments[i].raw_bytes > metadata->segments[i].bytes)
                        saved += metadata->segments[i].raw_bytes - metadata->segments[i].bytes;
        return saved;
}

int metadata_set_loss(CaptureMetadata *metadata, unsigned cpu, uint64_t lost) {
        size_t i = 0;
        CpuLoss *grown;

        while (i < metadata->n_losses && metadata->losses[i].cpu < cpu)
                i++;
        if (i < metadata->n_losses && metadata->losses[i].cpu == cpu) {
                metadata->losses[i].lost = lost;
                return 0;
        }
        if (lost == 0)
                return 0;
        grown = reallocarray(metadata->losses, metadata->n_losses + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        memmove(grown + i + 1, grown + i, (metadata->n_losses - i) * sizeof(*grown));
        grown[i] = (CpuLoss){ .cpu = cpu, .lost = lost };
        metadata->losses = grown;
        metadata->n_losses++;
        return 0;
}

static int format_members(struct json_object *object, const Member *table, size_t n, const void *from) {
        for (size_t i = 0; i < n; i++) {
                const void *member = (const char *) from + table[i].offset;
                int r = 0;

                switch (table[i].type) {
                case MEMBER_STRING:
                        r = json_text_add_string(object, table[i].key, *(char *const *) member);
                        break;
                case MEMBER_NUMBER:
                        r = json_text_add_unsigned(object, table[i].key, *(const uint64_t *) member);
                        break;
                case MEMBER_BOOLEAN:
                        r = json_text_add_boolean(object, table[i].key, *(const bool *) member);
                        break;
                }
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Appends an empty object to `array` and lends it. */
static int append_object(struct json_object *array, struct json_object **ret) {
        struct json_object *object = json_object_new_object();

        if (!object)
                return -ENOMEM;
        if (json_object_array_add(array, object) < 0) {
                (void) json_object_put(object);
                return -ENOMEM;
        }
        *ret = object;
        return 0;
}

static int format_losses(struct json_object *object, const CaptureMetadata *metadata) {
        struct json_object *array = json_object_new_array(), *entry;
        int r = json_text_add(object, "losses", array);

        for (size_t i = 0; r == 0 && i < metadata->n_losses; i++) {
                r = append_object(array, &entry);
                if (r == 0)
                        r = json_text_add_unsigned(entry, "cpu", metadata->losses[i].cpu);
                if (r == 0)
                        r = json_text_add_unsigned(entry, "lost", metadata->losses[i].lost);
        }
        return r;
}

static int format_journal(struct json_object *object, const CaptureMetadata *metadata) {
        struct json_object *array;
        int r;

        if (strv_length(metadata->journal) == 0)
                return 0;
        array = json_object_new_array();
        r = json_text_add(object, "journal", array);
        for (char **line = metadata->journal; r == 0 && *line; line++)
                if (json_object_array_add(array, json_object_new_string(*line)) < 0)
                        r = -ENOMEM;
        return r;
}

static int format_gaps(struct json_object *object, const CaptureMetadata *metadata) {
        struct json_object *array = json_object_new_array(), *entry;
        int r = json_text_add(object, "gaps", array);

        for (size_t i = 0; r == 0 && i < metadata->n_gaps; i++) {
                r = append_object(array, &entry);
                if (r == 0)
                        r = format_members(entry, gap_members, ELEMENTSOF(gap_members), metadata->gaps + i);
        }
        return r;
}

/* Of most captures there is nothing to say. */
static int format_thinned(struct json_object *object, const CaptureMetadata *metadata) {
        CLEANUP_JSON struct json_object *array = NULL;

        if (strv_length(metadata->thinned) == 0)
                return 0;
        array = json_object_new_array();
        for (char **event = metadata->thinned; array && *event; event++)
                if (json_object_array_add(array, json_object_new_string(*event)) < 0)
                        return -ENOMEM;
        return json_text_add(object, "thinned", STEAL_PTR(array));
}

/* For those who read it; when read back it follows from the sizes. */
static int add_ratio(struct json_object *object, const SegmentInfo *segment) {
        char text[32];

        if (segment->raw_bytes == 0 || segment->bytes == 0)
                return 0;
        return json_text_add(
                object, "ratio",
                json_object_new_double_s((double) segment->raw_bytes / (double) segment->bytes,
                                         format_ratio(segment->bytes, segment->raw_bytes, text, sizeof(text))));
}

static int format_segments(struct json_object *object, const CaptureMetadata *metadata) {
        struct json_object *array = json_object_new_array(), *entry;
        int r = json_text_add(object, "segments", array);

        for (size_t i = 0; r == 0 && i < metadata->n_segments; i++) {
                const SegmentInfo *segment = metadata->segments + i;

                r = append_object(array, &entry);
                if (r == 0)
                        r = format_members(entry, segment_members, ELEMENTSOF(segment_members), segment);
                if (r == 0)
                        r = add_ratio(entry, segment);
                if (r == 0 && segment->sha256[0] != '\0')
                        r = json_text_add_string(entry, "sha256", segment->sha256);
        }
        return r;
}

int metadata_format(const CaptureMetadata *metadata, char **ret) {
        CLEANUP_JSON struct json_object *object = json_object_new_object(), *spec = NULL;
        int r;

        if (!object)
                return -ENOMEM;
        r = format_members(object, members, ELEMENTSOF(members), metadata);
        if (r == 0)
                r = json_text_add_unsigned(object, "owner", metadata->owner);
        if (r == 0)
                r = json_text_add_string(object, "state", capture_state_to_string(metadata->state));
        if (r == 0 && metadata->spec_json) {
                r = json_text_parse(metadata->spec_json, "spec", NULL, &spec);
                if (r == 0)
                        r = json_text_add(object, "spec", json_object_get(spec));
        }
        if (r == 0)
                r = format_thinned(object, metadata);
        if (r == 0)
                r = format_losses(object, metadata);
        if (r == 0)
                r = format_journal(object, metadata);
        if (r == 0)
                r = format_gaps(object, metadata);
        if (r == 0)
                r = format_segments(object, metadata);
        if (r < 0)
                return r;
        return json_text_format(object, true, ret);
}

static int bad_key(const char *key, Error *error) {
        return error_set(error, ERROR_INVALID_ARGUMENT, METADATA_ORIGIN ": bad value of \"%s\"", key);
}

/* Members that the object lacks stay as they are. */
static int parse_members(struct json_object *object, const Member *table, size_t n, Error *error, void *to) {
        for (size_t i = 0; i < n; i++) {
                void *member = (char *) to + table[i].offset;
                struct json_object *value;
                const char *string;
                int r = 0;

                if (!json_object_object_get_ex(object, table[i].key, &value))
                        continue;
                switch (table[i].type) {
                case MEMBER_STRING:
                        r = json_text_get_string(value, &string);
                        if (r == 0)
                                r = copy_string(string, member);
                        break;
                case MEMBER_NUMBER:
                        r = json_text_get_unsigned(value, member);
                        break;
                case MEMBER_BOOLEAN:
                        r = json_text_get_boolean(value, member);
                        break;
                }
                if (r == -ENOMEM)
                        return error_set(error, ERROR_NO_MEMORY, "Out of memory");
                if (r < 0)
                        return bad_key(table[i].key, error);
        }
        return 0;
}

static int parse_u32(struct json_object *object, const char *key, Error *error, uint32_t *ret) {
        uint64_t number;

        if (json_text_get_unsigned(json_object_object_get(object, key), &number) < 0 || number > UINT32_MAX)
                return bad_key(key, error);
        *ret = (uint32_t) number;
        return 0;
}

static int parse_state(struct json_object *object, Error *error, CaptureState *ret) {
        const char *string;

        if (json_text_get_string(json_object_object_get(object, "state"), &string) < 0 ||
            capture_state_from_string(string, ret) < 0)
                return bad_key("state", error);
        return 0;
}

static int parse_spec(struct json_object *object, Error *error, char **ret) {
        struct json_object *value;

        if (!json_object_object_get_ex(object, "spec", &value))
                return 0;
        if (!json_object_is_type(value, json_type_object))
                return bad_key("spec", error);
        if (json_text_format(value, false, ret) < 0)
                return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        return 0;
}

static int parse_loss(struct json_object *entry, Error *error, CaptureMetadata *metadata) {
        unsigned cpu = 0;
        uint64_t lost;
        int r;

        if (!json_object_is_type(entry, json_type_object))
                return bad_key("losses", error);
        r = parse_u32(entry, "cpu", error, &cpu);
        if (r < 0)
                return r;
        if (json_text_get_unsigned(json_object_object_get(entry, "lost"), &lost) < 0)
                return bad_key("lost", error);
        r = metadata_set_loss(metadata, cpu, lost);
        if (r < 0)
                return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        return 0;
}

static int parse_journal_line(struct json_object *entry, Error *error, CaptureMetadata *metadata) {
        const char *line;

        if (json_text_get_string(entry, &line) < 0)
                return bad_key("journal", error);
        if (strv_append(&metadata->journal, line) < 0)
                return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        return 0;
}

static int parse_gap(struct json_object *entry, Error *error, CaptureMetadata *metadata) {
        RecordingGap gap = { 0 };
        int r;

        if (!json_object_is_type(entry, json_type_object))
                return bad_key("gaps", error);
        r = parse_members(entry, gap_members, ELEMENTSOF(gap_members), error, &gap);
        if (r < 0)
                return r;
        if (metadata_add_gap(metadata, &gap) < 0)
                return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        return 0;
}

static int parse_thinned(struct json_object *entry, Error *error, CaptureMetadata *metadata) {
        const char *event;

        if (json_text_get_string(entry, &event) < 0)
                return bad_key("thinned", error);
        if (strv_append(&metadata->thinned, event) < 0)
                return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        return 0;
}

static int parse_segment(struct json_object *entry, Error *error, CaptureMetadata *metadata) {
        SegmentInfo segment = { 0 };
        struct json_object *value;
        const char *sha256;
        int r;

        if (!json_object_is_type(entry, json_type_object))
                return bad_key("segments", error);
        r = parse_members(entry, segment_members, ELEMENTSOF(segment_members), error, &segment);
        if (r < 0)
                return r;
        if (json_object_object_get_ex(entry, "sha256", &value)) {
                if (json_text_get_string(value, &sha256) < 0 || strlen(sha256) != sizeof(segment.sha256) - 1 ||
                    strspn(sha256, "0123456789abcdef") != sizeof(segment.sha256) - 1)
                        return bad_key("sha256", error);
                memcpy(segment.sha256, sha256, sizeof(segment.sha256));
        }
        r = metadata_add_segment(metadata, &segment);
        if (r < 0)
                return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        return 0;
}

static int parse_array(struct json_object *object, const char *key,
                       int (*parse)(struct json_object *entry, Error *error, CaptureMetadata *metadata), Error *error,
                       CaptureMetadata *metadata) {
        struct json_object *array;

        if (!json_object_object_get_ex(object, key, &array))
                return 0;
        if (!json_object_is_type(array, json_type_array))
                return bad_key(key, error);
        for (size_t i = 0; i < json_object_array_length(array); i++) {
                int r = parse(json_object_array_get_idx(array, i), error, metadata);

                if (r < 0)
                        return r;
        }
        return 0;
}

int metadata_parse(const char *text, Error *error, CaptureMetadata **ret) {
        CLEANUP_JSON struct json_object *object = NULL;
        CLEANUP(metadata_freep) CaptureMetadata *metadata = NULL;
        int r = json_text_parse(text, METADATA_ORIGIN, error, &object);

        if (r < 0)
                return r;
        if (metadata_new(&metadata) < 0)
                return error_set(error, ERROR_NO_MEMORY, "Out of memory");
        r = parse_members(object, members, ELEMENTSOF(members), error, metadata);
        if (r < 0)
                return r;
        if (!metadata->id || !id_is_valid(metadata->id))
                return bad_key("id", error);
        r = parse_u32(object, "owner", error, &metadata->owner);
        if (r < 0)
                return r;
        r = parse_state(object, error, &metadata->state);
        if (r < 0)
                return r;
        r = parse_spec(object, error, &metadata->spec_json);
        if (r < 0)
                return r;
        r = parse_array(object, "losses", parse_loss, error, metadata);
        if (r < 0)
                return r;
        r = parse_array(object, "journal", parse_journal_line, error, metadata);
        if (r < 0)
                return r;
        r = parse_array(object, "gaps", parse_gap, error, metadata);
        if (r < 0)
                return r;
        r = parse_array(object, "thinned", parse_thinned, error, metadata);
        if (r < 0)
                return r;
        r = parse_array(object, "segments", parse_segment, error, metadata);
        if (r < 0)
                return r;
        *ret = STEAL_PTR(metadata);
        return 0;
}
