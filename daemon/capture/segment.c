/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "capture/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "capture/segment-format.h"

int write_at(int fd, const void *data, size_t size, uint64_t offset) {
        const uint8_t *p = data;

        while (size > 0) {
                ssize_t n = pwrite(fd, p, size, (off_t) offset);

                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                if (n == 0)
                        return -EIO;
                p += n;
                size -= (size_t) n;
                offset += (uint64_t) n;
        }
        return 0;
}

int read_at(int fd, void *data, size_t size, uint64_t offset) {
        uint8_t *p = data;

        while (size > 0) {
                ssize_t n = pread(fd, p, size, (off_t) offset);

                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                if (n == 0)
                        return -EIO;
                p += n;
                size -= (size_t) n;
                offset += (uint64_t) n;
        }
        return 0;
}

void segment_free(Segment *segment) {
        if (!segment)
                return;

        free(segment->sizes);
        free(segment->options);
        free(segment);
}

uint64_t segment_flyrecord_offset(const Segment *segment) {
        return segment->journal.options_offset + segment->journal.options_size;
}

uint64_t segment_region_start(const Segment *segment, size_t cpu_index) {
        return segment->journal.data_start + cpu_index * segment->journal.region_size;
}

void segment_hole(const Segment *segment, size_t cpu_index, uint64_t *ret_offset, uint64_t *ret_length) {
        uint64_t previous_end = segment->journal.data_start;

        for (size_t i = cpu_index; i-- > 0;)
                if (segment->sizes[i] > 0) {
                        previous_end = segment_region_start(segment, i) + segment->sizes[i];
                        break;
                }

        *ret_offset = previous_end;
        *ret_length = segment_region_start(segment, cpu_index) - previous_end;
}

/* How many of the holes, in the order of the CPUs, are not closed: closing goes from the last to the first. */
static size_t n_open_holes(const Segment *segment) {
        size_t n = 0;

        for (size_t i = 0; i < segment->journal.n_cpus; i++)
                if (segment->sizes[i] > 0)
                        n++;
        return n > segment->journal.n_collapsed ? n - segment->journal.n_collapsed : 0;
}

uint64_t segment_data_end(const Segment *segment) {
        uint64_t end = segment->journal.data_start, closed = 0;
        size_t n_open = n_open_holes(segment), n = 0;

        for (size_t i = 0; i < segment->journal.n_cpus; i++) {
                uint64_t offset, length;

                if (segment->sizes[i] == 0)
                        continue;
                segment_hole(segment, i, &offset, &length);
                if (n++ >= n_open)
                        closed += length;
                end = segment_region_start(segment, i) + segment->sizes[i] - closed;
        }
        return end;
}

int segment_write_options(Segment *segment, bool hide_moving, uint64_t next) {
        uint8_t *entry = segment->options + segment->journal.entries_offset;
        size_t n_open = hide_moving ? 0 : n_open_holes(segment), n = 0;
        uint64_t closed = 0;

        for (size_t i = 0; i < segment->journal.n_cpus; i++, entry += BUFFER_ENTRY_SIZE) {
                /* The place of a CPU without pages must lie in the file, too. */
                uint64_t offset = segment->journal.data_start, size = segment->sizes[i];

                if (size > 0) {
                        uint64_t hole, length;

                        segment_hole(segment, i, &hole, &length);
                        if (n++ >= n_open)
                                closed += length;
                        offset = segment_region_start(segment, i) - closed;
                        if (hide_moving && closed > 0)
                                size = 0;
                }
                memcpy(entry + sizeof(uint32_t), &offset, sizeof(offset));
                memcpy(entry + sizeof(uint32_t) + sizeof(offset), &size, sizeof(size));
        }
        memcpy(segment->options + segment->journal.next_offset, &next, sizeof(next));

        return write_at(segment->fd, segment->options, segment->journal.options_size,
                        segment->journal.options_offset);
}

/* The sizes go first: the state says that they are to be believed. */
int segment_write_journal(Segment *segment) {
        uint64_t offset = segment_flyrecord_offset(segment) + SECTION_HEADER_SIZE;
        int r;

        r = write_at(segment->fd, segment->sizes, segment->journal.n_cpus * sizeof(segment->sizes[0]),
                     offset + sizeof(segment->journal));
        if (r < 0)
                return r;
        return write_at(segment->fd, &segment->journal, sizeof(segment->journal), offset);
}

int segment_write_state(Segment *segment, SegmentState state) {
        segment->journal.state = (uint32_t) state;
        return write_at(segment->fd, &segment->journal, sizeof(segment->journal),
                        segment_flyrecord_offset(segment) + SECTION_HEADER_SIZE);
}

uint64_t segment_space(const Segment *segment, size_t cpu_index) {
        return segment->journal.region_size - segment->sizes[cpu_index];
}

uint64_t segment_bytes(const Segment *segment) {
        uint64_t bytes = 0;

        for (size_t i = 0; i < segment->journal.n_cpus; i++)
                bytes += segment->sizes[i];
        return bytes;
}

int segment_splice(Segment *segment, size_t cpu_index, int pipe_fd, size_t size) {
        loff_t offset = (loff_t) (segment_region_start(segment, cpu_index) + segment->sizes[cpu_index]);
        size_t left = size;

        if (size > segment_space(segment, cpu_index))
                return -EFBIG;

        while (left > 0) {
                ssize_t n = splice(pipe_fd, NULL, segment->fd, &offset, left, SPLICE_F_MOVE);

                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                if (n == 0)
                        return -EIO;
                left -= (size_t) n;
        }

        segment->sizes[cpu_index] += size;
        return 0;
}

int segment_write(Segment *segment, size_t cpu_index, const void *page, size_t size) {
        uint64_t offset = segment_region_start(segment, cpu_index) + segment->sizes[cpu_index];
        uint32_t page_size = segment->journal.page_size;
        int r;

        if (size > page_size)
                return -EINVAL;
        if (segment_space(segment, cpu_index) < page_size)
                return -EFBIG;

        r = write_at(segment->fd, page, size, offset);
        if (r < 0)
                return r;
        if (size < page_size) {
                CLEANUP_FREE void *zeros = calloc(1, page_size - size);

                if (!zeros)
                        return -ENOMEM;
                r = write_at(segment->fd, zeros, page_size - size, offset + size);
                if (r < 0)
                        return r;
        }

        segment->sizes[cpu_index] += page_size;
        return 0;
}

void segment_pages(const Segment *segment, size_t cpu_index, uint64_t *ret_offset, uint64_t *ret_size) {
        const uint8_t *entry =
                segment->options + segment->journal.entries_offset + cpu_index * BUFFER_ENTRY_SIZE + sizeof(uint32_t);

        memcpy(ret_offset, entry, sizeof(*ret_offset));
        memcpy(ret_size, entry + sizeof(*ret_offset), sizeof(*ret_size));
}

int segment_checkpoint(Segment *segment) {
        return segment_write_options(segment, false, 0);
}

int segment_time_span(const Segment *segment, uint64_t *ret_first, uint64_t *ret_last) {
        uint64_t first = 0, last = 0;

        for (size_t i = 0; i < segment->journal.n_cpus; i++) {
                uint64_t start = segment_region_start(segment, i), time;
                int r;

                if (segment->sizes[i] == 0)
                        continue;

                /* A page begins with its time, 64 bits wide (header_page). */
                r = read_at(segment->fd, &time, sizeof(time), start);
                if (r < 0)
                        return r;
                if (first == 0 || time < first)
                        first = time;

                r = read_at(segment->fd, &time, sizeof(time), start + segment->sizes[i] - segment->journal.page_size);
                if (r < 0)
                        return r;
                if (time > last)
                        last = time;
        }

        *ret_first = first;
        *ret_last = last;
        return 0;
}
