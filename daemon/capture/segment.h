/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Segment: one file in trace.dat format, version 7 (trace-cmd.dat.v7(5)), that is valid from its first
 * checkpoint until its end.
 *
 * The head (formats, options) comes first; then each CPU has a region of its own in the sparse file, and
 * pages are appended to regions. segment_checkpoint() brings the sizes in the BUFFER option up to date.
 * segment_close() appends what is known last and closes the holes between the regions.
 *
 * The holes are closed with FALLOC_FL_COLLAPSE_RANGE, which ext4 and XFS have; elsewhere the file stays
 * sparse. While that goes on, readers see the regions that move as empty; see segment-format.h for what a
 * crash in the midst of it leaves, and how segment_repair() brings it back.
 *
 * Life cycle: segment_begin() on an empty file; segment_splice()/segment_write() and segment_checkpoint();
 * segment_close() or, to leave the file as the last checkpoint has it, segment_free().
 *
 * Threads: one at a time, any. May block on the disk.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cpu-list.h"
#include "core/error.h"
#include "core/trace-formats.h"
#include "ktraced/cleanup.h"

typedef struct Segment Segment;

typedef struct SegmentHead {
        const TraceFormats *formats;
        const CpuList *cpus; /* those with a buffer; a region each */
        const char *clock;
        uint64_t region_size; /* bytes for each CPU, rounded up to pages; 0: as large as the file can be */
        uint64_t trace_id;
} SegmentHead;

typedef struct SegmentTail {
        const char *cmdlines;   /* in the form of saved_cmdlines, or NULL */
        char *const *cpu_stats; /* text of per_cpu/cpuN/stats for each CPU of the head, or NULL */
} SegmentTail;

/* Writes the head and a first BUFFER option with all sizes 0. `fd`: a regular file, read-write, empty;
 * borrowed, must outlive the segment. */
int segment_begin(int fd, const SegmentHead *head, Error *error, Segment **ret);
void segment_free(Segment *segment);
DEFINE_POINTER_CLEANUP(Segment, segment_free);

/* Bytes that still fit into the region of the CPU with this index into head->cpus. */
uint64_t segment_space(const Segment *segment, size_t cpu_index);
/* Bytes of pages so far, all CPUs. */
uint64_t segment_bytes(const Segment *segment);

/* Moves `size` bytes (whole pages) from a pipe to the region's end. All or -errno. */
int segment_splice(Segment *segment, size_t cpu_index, int pipe_fd, size_t size);
/* Appends a page that was read; it is padded with zeros to a whole page. */
int segment_write(Segment *segment, size_t cpu_index, const void *page, size_t size);

int segment_checkpoint(Segment *segment);

/* Where the pages of the CPU with this index are in the file at present, also after segment_close(); they may
 * be read through any descriptor of it. */
void segment_pages(const Segment *segment, size_t cpu_index, uint64_t *ret_offset, uint64_t *ret_size);

/* Times of the earliest first and the latest last page, in the clock's unit; 0 when there is none. Not
 * after segment_close(). */
int segment_time_span(const Segment *segment, uint64_t *ret_first, uint64_t *ret_last);

/* Appends command lines and CPU statistics, closes the holes where the file system can. The file is valid
 * throughout. *ret_bytes (may be NULL): the final size of the file. Frees nothing. Where something of that cannot be
 * written (-ENOSPC), all pages are in the file still, and *ret_bytes may be set. */
int segment_close(Segment *segment, const SegmentTail *tail, uint64_t *ret_bytes);

/* For a file whose writer died: sizes as of the last checkpoint are kept, the regions' hidden remainder
 * (a close that was interrupted) is brought back, the file is closed like above without a tail.
 * -EBADMSG when it is no segment of ours. */
int segment_repair(int fd, uint64_t *ret_bytes);

/* Asked by segment_compress() now and again, with the bytes written so far: a negative errno ends it. */
typedef int (*SegmentGoOn)(uint64_t written, void *userdata);

/* Writes a closed segment anew with zstd: the pages in the format's chunks, and each section of formats and names as
 * a whole. `from`: readable; `to`: read-write, empty. `go_on` may be NULL. -EBADMSG when it is no segment of ours, is
 * not closed, or is compressed already. */
int segment_compress(int from, int to, SegmentGoOn go_on, void *userdata, uint64_t *ret_bytes);
/* By its head. */
bool segment_is_compressed(int fd);
