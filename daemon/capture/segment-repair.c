/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/segment-format.h"

static bool journal_is_sound(const SegmentJournal *journal, uint64_t options_offset, uint64_t options_size) {
        uint64_t entries_size = (uint64_t) journal->n_cpus * BUFFER_ENTRY_SIZE;

        return memcmp(journal->magic, SEGMENT_JOURNAL_MAGIC, sizeof(journal->magic)) == 0 &&
               journal->version == SEGMENT_JOURNAL_VERSION && journal->state >= SEGMENT_RECORDING &&
               journal->state <= SEGMENT_CLOSED && journal->n_cpus > 0 && journal->n_cpus <= CPU_LIST_CPU_MAX + 1 &&
               journal->page_size >= 1024 && (journal->page_size & (journal->page_size - 1)) == 0 &&
               journal->options_offset == options_offset && journal->options_size == options_size &&
               journal->entries_offset >= SECTION_HEADER_SIZE &&
               journal->entries_offset + entries_size <= options_size &&
               journal->next_offset >= SECTION_HEADER_SIZE &&
               (uint64_t) journal->next_offset + sizeof(uint64_t) <= options_size &&
               journal->data_start >= options_offset + options_size + SECTION_HEADER_SIZE + sizeof(*journal) +
                                              journal->n_cpus * sizeof(uint64_t) &&
               journal->data_start <= INT64_MAX / 4 &&
               journal->region_size <= (uint64_t) INT64_MAX / 4 / journal->n_cpus &&
               journal->region_size % journal->page_size == 0 && journal->n_collapsed <= journal->n_cpus;
}

/* While recording, the sizes are in the options; from then on in the journal. */
static int load_sizes(Segment *segment) {
        const SegmentJournal *journal = &segment->journal;
        const uint8_t *entry = segment->options + journal->entries_offset;
        int r;

        segment->sizes = calloc(journal->n_cpus, sizeof(segment->sizes[0]));
        if (!segment->sizes)
                return -ENOMEM;

        r = read_at(segment->fd, segment->sizes, journal->n_cpus * sizeof(segment->sizes[0]),
                    segment_flyrecord_offset(segment) + SECTION_HEADER_SIZE + sizeof(*journal));
        if (r < 0)
                return r;

        for (size_t i = 0; i < journal->n_cpus; i++, entry += BUFFER_ENTRY_SIZE) {
                if (journal->state == SEGMENT_RECORDING)
                        memcpy(&segment->sizes[i], entry + sizeof(uint32_t) + sizeof(uint64_t), sizeof(uint64_t));
                if (segment->sizes[i] > journal->region_size || segment->sizes[i] % journal->page_size != 0)
                        return -EBADMSG;
        }
        return 0;
}

int segment_load(int fd, Segment **ret) {
        CLEANUP(segment_freep) Segment *segment = NULL;
        char magic[sizeof(INITIAL_HEADER_MAGIC)], compression[sizeof(INITIAL_HEADER_COMPRESSION)];
        uint64_t options_offset, options_size;
        int r;

        r = read_at(fd, magic, sizeof(magic), 0);
        if (r < 0)
                return r;
        if (memcmp(magic, INITIAL_HEADER_MAGIC, sizeof(magic)) != 0)
                return -EBADMSG;
        r = read_at(fd, compression, sizeof(compression), OPTIONS_START_OFFSET - sizeof(compression));
        if (r < 0)
                return r;
        if (memcmp(compression, INITIAL_HEADER_COMPRESSION, sizeof(compression)) != 0)
                return -EBADMSG;
        r = read_at(fd, &options_offset, sizeof(options_offset), OPTIONS_START_OFFSET);
        if (r < 0)
                return r;
        if (options_offset < OPTIONS_START_OFFSET || options_offset > INT64_MAX / 4)
                return -EBADMSG;
        r = read_at(fd, &options_size, sizeof(options_size), options_offset + SECTION_SIZE_OFFSET);
        if (r < 0)
                return r;
        if (options_size > OPTIONS_SIZE_MAX)
                return -EBADMSG;
        options_size += SECTION_HEADER_SIZE;

        segment = calloc(1, sizeof(*segment));
        if (!segment)
                return -ENOMEM;
        segment->fd = fd;
        r = read_at(fd, &segment->journal, sizeof(segment->journal),
                    options_offset + options_size + SECTION_HEADER_SIZE);
        if (r < 0)
                return r;
        if (!journal_is_sound(&segment->journal, options_offset, options_size))
                return -EBADMSG;

        segment->options = malloc(options_size);
        if (!segment->options)
                return -ENOMEM;
        r = read_at(fd, segment->options, options_size, options_offset);
        if (r < 0)
                return r;
        r = load_sizes(segment);
        if (r < 0)
                return r;

        *ret = STEAL_PTR(segment);
        return 0;
}

/* Each closed hole makes the file shorter by its length, and nothing else changes its size meanwhile. */
static int count_collapsed(Segment *segment, uint64_t file_size) {
        uint64_t size = segment->journal.file_size;

        segment->journal.n_collapsed = 0;
        for (size_t i = segment->journal.n_cpus; i-- > 0 && size > file_size;) {
                uint64_t offset, length;

                if (segment->sizes[i] == 0)
                        continue;
                segment_hole(segment, i, &offset, &length);
                size = length < size ? size - length : 0;
                segment->journal.n_collapsed++;
        }
        return size == file_size ? 0 : -EBADMSG;
}

int segment_repair(int fd, uint64_t *ret_bytes) {
        CLEANUP(segment_freep) Segment *segment = NULL;
        struct stat st;
        int r;

        r = segment_load(fd, &segment);
        if (r == -EIO) /* too short */
                return -EBADMSG;
        if (r < 0)
                return r;
        if (fstat(fd, &st) < 0)
                return -errno;

        switch (segment->journal.state) {
        case SEGMENT_RECORDING:
                segment->journal.n_collapsed = 0;
                if (segment_data_end(segment) > (uint64_t) st.st_size)
                        return -EBADMSG;
                return segment_close(segment, NULL, ret_bytes);
        case SEGMENT_COLLAPSING:
                r = count_collapsed(segment, (uint64_t) st.st_size);
                if (r < 0)
                        return r;
                segment_collapse(segment);
                return segment_settle(segment, NULL, ret_bytes);
        case SEGMENT_SETTLED:
                if (segment_data_end(segment) > (uint64_t) st.st_size)
                        return -EBADMSG;
                if (ftruncate(fd, (off_t) segment_data_end(segment)) < 0)
                        return -errno;
                return segment_settle(segment, NULL, ret_bytes);
        default:
                if (ret_bytes)
                        *ret_bytes = (uint64_t) st.st_size;
                return 0;
        }
}
