/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "capture/segment-format.h"

/* Holes of less than that part of the pages stay. */
#define HOLES_SHARE 8U

static void put_section(FILE *file, uint16_t id, uint32_t description, uint64_t size) {
        uint16_t head[2] = { id, 0 };

        (void) fwrite(head, sizeof(head), 1, file);
        (void) fwrite(&description, sizeof(description), 1, file);
        (void) fwrite(&size, sizeof(size), 1, file);
}

static void put_option(FILE *file, uint16_t id, const void *data, size_t size) {
        uint32_t size32 = (uint32_t) size;

        (void) fwrite(&id, sizeof(id), 1, file);
        (void) fwrite(&size32, sizeof(size32), 1, file);
        (void) fwrite(data, 1, size, file);
}

/* The command lines and the second options section as they will lie at `offset`. */
static int build_tail(const Segment *segment, const SegmentTail *tail, uint64_t offset, char **ret, size_t *ret_size,
                      size_t *ret_options) {
        CLEANUP_FREE char *data = NULL;
        uint64_t cmdlines_size = tail->cmdlines ? strlen(tail->cmdlines) : 0, section_size, next = 0;
        size_t size = 0, options;
        FILE *file;

        file = open_memstream(&data, &size);
        if (!file)
                return -errno;

        if (cmdlines_size > 0) {
                put_section(file, TRACE_DAT_CMDLINES, STRING_CMDLINES, sizeof(cmdlines_size) + cmdlines_size);
                (void) fwrite(&cmdlines_size, sizeof(cmdlines_size), 1, file);
                (void) fwrite(tail->cmdlines, 1, cmdlines_size, file);
        }

        options = (size_t) ftello(file);
        put_section(file, TRACE_DAT_OPTIONS, STRING_OPTIONS, 0);
        for (size_t i = 0; tail->cpu_stats && i < segment->journal.n_cpus; i++)
                if (tail->cpu_stats[i])
                        put_option(file, TRACE_DAT_CPUSTAT, tail->cpu_stats[i], strlen(tail->cpu_stats[i]) + 1);
        if (cmdlines_size > 0)
                put_option(file, TRACE_DAT_CMDLINES, &offset, sizeof(offset));
        put_option(file, TRACE_DAT_DONE, &next, sizeof(next));

        if (fclose(file) != 0)
                return -ENOMEM;

        section_size = size - options - SECTION_HEADER_SIZE;
        memcpy(data + options + SECTION_SIZE_OFFSET, &section_size, sizeof(section_size));
        *ret = STEAL_PTR(data);
        *ret_size = size;
        *ret_options = options;
        return 0;
}

/* Behind the pages, at `end`. Without names and statistics it is a capture still: what did not fit goes. */
static int write_tail(Segment *segment, const SegmentTail *tail, uint64_t end, uint64_t *ret_next,
                      uint64_t *ret_end) {
        CLEANUP_FREE char *data = NULL;
        size_t size = 0, options = 0;
        int r;

        r = build_tail(segment, tail, end, &data, &size, &options);
        if (r >= 0)
                r = write_at(segment->fd, data, size, end);
        if (r < 0) {
                (void) !ftruncate(segment->fd, (off_t) end);
                return r;
        }
        *ret_next = end + options;
        *ret_end = end + size;
        return 0;
}

int segment_settle(Segment *segment, const SegmentTail *tail, uint64_t *ret_bytes) {
        uint64_t flyrecord = segment_flyrecord_offset(segment), end = segment_data_end(segment), next = 0, size,
                 file_end = end;
        int tail_r = 0, r;

        r = segment_write_state(segment, SEGMENT_SETTLED);
        if (r < 0)
                return r;
        if (tail)
                tail_r = write_tail(segment, tail, end, &next, &file_end);

        /* Only now may the walk over the sections come to what is behind the pages. */
        size = end - flyrecord - SECTION_HEADER_SIZE;
        r = write_at(segment->fd, &size, sizeof(size), flyrecord + SECTION_SIZE_OFFSET);
        if (r < 0)
                return r;
        r = segment_write_options(segment, false, next);
        if (r < 0)
                return r;
        r = segment_write_state(segment, SEGMENT_CLOSED);
        if (r < 0)
                return r;

        if (ret_bytes)
                *ret_bytes = file_end;
        return tail_r;
}

/* From the last hole to the first, so that those still to come stay where they were laid out. Stops at
 * the first that the file system refuses: for all of them, mostly, because it cannot do such a thing. */
void segment_collapse(Segment *segment) {
        size_t n = 0;

        for (size_t i = segment->journal.n_cpus; i-- > 0;) {
                uint64_t offset, length;

                if (segment->sizes[i] == 0 || n++ < segment->journal.n_collapsed)
                        continue;
                segment_hole(segment, i, &offset, &length);
                if (length > 0 &&
                    fallocate(segment->fd, FALLOC_FL_COLLAPSE_RANGE, (off_t) offset, (off_t) length) < 0)
                        return;
                segment->journal.n_collapsed++;
        }
}

/* Closing holes takes as long as writing out the pages. Where these are nearly all of the file, as in a snapshot of a
 * full ring, there is nothing to be gained. */
static bool should_close_holes(const Segment *segment) {
        uint64_t holes = 0;

        for (size_t i = 0; i < segment->journal.n_cpus; i++) {
                uint64_t offset, length;

                if (segment->sizes[i] == 0)
                        continue;
                segment_hole(segment, i, &offset, &length);
                holes += length;
        }
        return holes > segment_bytes(segment) / HOLES_SHARE;
}

/* Closing a hole is durable by the file system's own journal, which knows nothing of the order in which it and the
 * file's content were changed: what is written before and after it must not come to the disk on the other side of
 * it. */
static int close_holes(Segment *segment) {
        int r = segment_write_options(segment, true, 0);

        if (r < 0)
                return r;
        if (fdatasync(segment->fd) < 0)
                return -errno;
        segment_collapse(segment);
        return fdatasync(segment->fd) < 0 ? -errno : 0;
}

int segment_close(Segment *segment, const SegmentTail *tail, uint64_t *ret_bytes) {
        int holes_r = 0, r;

        /* What a write that failed may have left behind the last page. */
        segment->journal.file_size = segment_data_end(segment);
        if (ftruncate(segment->fd, (off_t) segment->journal.file_size) < 0)
                return -errno;

        /* From the next state on segment_repair() takes the sizes from the journal. */
        if (should_close_holes(segment))
                segment->journal.state = SEGMENT_COLLAPSING;
        r = segment_write_journal(segment);
        if (r < 0)
                return r;

        /* Whatever fails from here on: the pages that were hidden while they move are shown again. */
        if (segment->journal.state == SEGMENT_COLLAPSING)
                holes_r = close_holes(segment);
        r = segment_settle(segment, tail, ret_bytes);
        return holes_r < 0 ? holes_r : r;
}
