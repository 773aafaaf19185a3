/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the segment-*.c files share: the numbers of the format and the state of a segment. Not for others.
 *
 *     initial header
 *     sections: headers, ftrace events, event formats, symbols, printk formats, strings
 *     options section, at a page boundary, so that rewriting it is one write into one page on machines
 *             with up to some 170 CPUs; the BUFFER option in it has an entry for each CPU
 *     flyrecord section: header, journal, padding; at data_start the regions, one for each CPU
 *     once closed: command lines, second options section
 *
 * Tools walk the sections from the first to the last by their sizes. The flyrecord section's size is
 * therefore beyond every file's end until what follows it is complete.
 *
 * The journal lies in the padding that the format asks for before the pages, where no reader looks. It is
 * what segment_repair() goes by:
 *
 *     RECORDING   the sizes in the BUFFER option are true, the regions lie where they were laid out
 *     COLLAPSING  the true sizes are in the journal, the BUFFER option hides the regions that move. The file's
 *                 size tells how many of the holes are closed, for each makes it shorter by a known length
 *     SETTLED     n_collapsed holes are closed; what follows the last page is not complete
 *     CLOSED      nothing is left to do
 */

#include <stdint.h>

#include "capture/segment.h"

/* trace-cmd.dat.v7(5) */
enum {
        TRACE_DAT_OPTIONS = 0, /* as a section */
        TRACE_DAT_DONE = 0,    /* as an option */
        TRACE_DAT_CPUSTAT = 2,
        TRACE_DAT_BUFFER = 3,
        TRACE_DAT_TRACECLOCK = 4,
        TRACE_DAT_UNAME = 5,
        TRACE_DAT_CPUCOUNT = 8,
        TRACE_DAT_VERSION = 9,
        TRACE_DAT_TRACEID = 11,
        TRACE_DAT_STRINGS = 15,
        TRACE_DAT_HEADER_INFO = 16,
        TRACE_DAT_FTRACE_EVENTS = 17,
        TRACE_DAT_EVENT_FORMATS = 18,
        TRACE_DAT_KALLSYMS = 19,
        TRACE_DAT_PRINTK = 20,
        TRACE_DAT_CMDLINES = 21,
};

/* The descriptions of the sections, as trace-cmd calls them: a section refers to one by its place in here. */
#define SECTION_STRINGS      \
        "headers\0"          \
        "ftrace events\0"    \
        "events format\0"    \
        "kallsyms\0"         \
        "printk\0"           \
        "strings\0"          \
        "options\0"          \
        "buffer flyrecord\0" \
        "command lines"
enum {
        STRING_HEADERS = 0,
        STRING_FTRACE_EVENTS = 8,
        STRING_EVENTS_FORMAT = 22,
        STRING_KALLSYMS = 36,
        STRING_PRINTK = 45,
        STRING_STRINGS = 52,
        STRING_OPTIONS = 60,
        STRING_FLYRECORD = 68,
        STRING_CMDLINES = 85,
};

#define SECTION_HEADER_SIZE 16U /* id, flags, description, size */
#define SECTION_COMPRESSED 1U   /* of the flags in the header */
#define SECTION_SIZE_OFFSET 8U  /* of the size in the header */
#define SECTION_SIZE_OPEN ((uint64_t) INT64_MAX / 2)
#define BUFFER_ENTRY_SIZE 20U /* id of the CPU, offset, size */

/* The initial header: magic, version, byte order, size of long, page size, no compression. The offset of
 * the options section follows at once. */
#define INITIAL_HEADER_MAGIC "\027\010\104tracing7" /* with its NUL */
#define INITIAL_HEADER_COMPRESSION "none\0"         /* name and version, each with its NUL */
#define INITIAL_HEADER_ZSTD "zstd"                  /* the same of a compressed file, without its version */
#define OPTIONS_START_OFFSET \
        (sizeof(INITIAL_HEADER_MAGIC) + 1 + 1 + sizeof(uint32_t) + sizeof(INITIAL_HEADER_COMPRESSION))

#define SEGMENT_JOURNAL_MAGIC "ktraced-segment"

typedef enum SegmentState {
        SEGMENT_RECORDING = 1,
        SEGMENT_COLLAPSING,
        SEGMENT_SETTLED,
        SEGMENT_CLOSED,
} SegmentState;

/* In the file, right behind the flyrecord section's header, in the byte order of the writer; the size of
 * each CPU's pages (uint64_t) follows it. */
typedef struct SegmentJournal {
        char magic[sizeof(SEGMENT_JOURNAL_MAGIC)];
        uint32_t version;
        uint32_t state;
        uint32_t page_size;
        uint32_t n_cpus;
        uint32_t entries_offset; /* of the BUFFER option's first entry, in the options section */
        uint32_t next_offset;    /* of the DONE option's value, in the options section */
        uint64_t options_offset;
        uint64_t options_size; /* with the section's header */
        uint64_t data_start;
        uint64_t region_size;
        uint64_t file_size; /* before the first hole was closed */
        uint64_t n_collapsed;
} SegmentJournal;

#define SEGMENT_JOURNAL_VERSION 1U
#define OPTIONS_SIZE_MAX (UINT64_C(1) << 20)

struct Segment {
        int fd;
        SegmentJournal journal;
        uint64_t *sizes;  /* bytes of pages, for each CPU */
        uint8_t *options; /* the options section as it stands in the file */
};

/* From a file that has been written; `fd` is borrowed. -EBADMSG when it is no segment, or compressed; -EIO when it is
 * too short for one. */
int segment_load(int fd, Segment **ret);

uint64_t segment_flyrecord_offset(const Segment *segment);
uint64_t segment_region_start(const Segment *segment, size_t cpu_index);
/* Where the last page ends, with as many holes closed as the journal says. */
uint64_t segment_data_end(const Segment *segment);

/* Fills the BUFFER option. `hide_moving`: the regions that closing the holes moves count as empty. `next`:
 * offset of the second options section, 0 for none. */
int segment_write_options(Segment *segment, bool hide_moving, uint64_t next);
int segment_write_state(Segment *segment, SegmentState state);
int segment_write_journal(Segment *segment);

/* The second half of segment_close(): what comes behind the last page. */
int segment_settle(Segment *segment, const SegmentTail *tail, uint64_t *ret_bytes);
/* Closes the holes that are still open, as far as the file system can. */
void segment_collapse(Segment *segment);
/* The hole before the pages of the CPU with this index, which has some: offset and length in the file as
 * it was laid out. */
void segment_hole(const Segment *segment, size_t cpu_index, uint64_t *ret_offset, uint64_t *ret_length);

/* pwrite(2) and pread(2) until all is done; -EIO when the file ends before. */
int write_at(int fd, const void *data, size_t size, uint64_t offset);
int read_at(int fd, void *data, size_t size, uint64_t offset);
