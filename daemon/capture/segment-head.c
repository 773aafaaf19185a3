/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "capture/segment-format.h"
#include "config.h"

/* Where the sections lie and what the options say about it. */
typedef struct HeadWriter {
        FILE *file; /* a duplicate of the segment's descriptor, buffered */
        const SegmentHead *head;
        uint64_t offset;   /* where `file` stands */
        uint64_t size_max; /* of a file; only where the regions are to be as large as can be */
        int r;             /* -errno of the first write that failed */
        uint64_t header_info, ftrace_events, event_formats, kallsyms, printk;
} HeadWriter;

static const char strings[] = SECTION_STRINGS;

static void put(HeadWriter *writer, const void *data, size_t size) {
        if (fwrite(data, 1, size, writer->file) != size && writer->r == 0)
                writer->r = errno > 0 ? -errno : -EIO;
        writer->offset += size;
}

static void put16(HeadWriter *writer, uint16_t value) {
        put(writer, &value, sizeof(value));
}

static void put32(HeadWriter *writer, uint32_t value) {
        put(writer, &value, sizeof(value));
}

static void put64(HeadWriter *writer, uint64_t value) {
        put(writer, &value, sizeof(value));
}

static void put_sized_text(HeadWriter *writer, const TraceText *text) {
        put64(writer, text->size);
        put(writer, text->data, text->size);
}

static void put_zeros(HeadWriter *writer, uint64_t size) {
        static const char zeros[256];

        while (size > 0) {
                size_t n = size < sizeof(zeros) ? (size_t) size : sizeof(zeros);

                put(writer, zeros, n);
                size -= n;
        }
}

/* Returns the section's offset. */
static uint64_t put_section(HeadWriter *writer, uint16_t id, uint32_t description, uint64_t size) {
        uint64_t offset = writer->offset;

        put16(writer, id);
        put16(writer, 0);
        put32(writer, description);
        put64(writer, size);
        return offset;
}

static void put_initial_header(HeadWriter *writer) {
        put(writer, INITIAL_HEADER_MAGIC, sizeof(INITIAL_HEADER_MAGIC));
        put(writer, &(uint8_t){ __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ }, 1);
        put(writer, &(uint8_t){ sizeof(long) }, 1);
        put32(writer, writer->head->formats->page_size);
        put(writer, INITIAL_HEADER_COMPRESSION, sizeof(INITIAL_HEADER_COMPRESSION));
        put64(writer, 0); /* written once the options are there */
}

static void put_header_info(HeadWriter *writer) {
        const TraceFormats *formats = writer->head->formats;
        static const char page[] = "header_page", event[] = "header_event";

        writer->header_info = put_section(writer, TRACE_DAT_HEADER_INFO, STRING_HEADERS,
                                          sizeof(page) + sizeof(uint64_t) + formats->header_page.size +
                                                  sizeof(event) + sizeof(uint64_t) + formats->header_event.size);
        put(writer, page, sizeof(page));
        put_sized_text(writer, &formats->header_page);
        put(writer, event, sizeof(event));
        put_sized_text(writer, &formats->header_event);
}

static uint64_t texts_size(const TraceText *texts, size_t n) {
        uint64_t size = 0;

        for (size_t i = 0; i < n; i++)
                size += sizeof(uint64_t) + texts[i].size;
        return size;
}

static void put_events(HeadWriter *writer) {
        const TraceFormats *formats = writer->head->formats;
        uint64_t size = sizeof(uint32_t);

        writer->ftrace_events = put_section(writer, TRACE_DAT_FTRACE_EVENTS, STRING_FTRACE_EVENTS,
                                            sizeof(uint32_t) + texts_size(formats->ftrace, formats->n_ftrace));
        put32(writer, (uint32_t) formats->n_ftrace);
        for (size_t i = 0; i < formats->n_ftrace; i++)
                put_sized_text(writer, &formats->ftrace[i]);

        for (size_t i = 0; i < formats->n_systems; i++)
                size += strlen(formats->systems[i].system) + 1 + sizeof(uint32_t) +
                        texts_size(formats->systems[i].formats, formats->systems[i].n_formats);
        writer->event_formats = put_section(writer, TRACE_DAT_EVENT_FORMATS, STRING_EVENTS_FORMAT, size);
        put32(writer, (uint32_t) formats->n_systems);
        for (size_t i = 0; i < formats->n_systems; i++) {
                const TraceSystemFormats *system = &formats->systems[i];

                put(writer, system->system, strlen(system->system) + 1);
                put32(writer, (uint32_t) system->n_formats);
                for (size_t j = 0; j < system->n_formats; j++)
                        put_sized_text(writer, &system->formats[j]);
        }
}

static uint64_t put_text_section(HeadWriter *writer, uint16_t id, uint32_t description, const TraceText *text) {
        uint64_t offset;

        if (text->size == 0)
                return 0;

        offset = put_section(writer, id, description, sizeof(uint32_t) + text->size);
        put32(writer, (uint32_t) text->size);
        put(writer, text->data, text->size);
        return offset;
}

/* The options section is to begin at a page boundary; the strings before it are followed by empty ones. */
static void put_strings(HeadWriter *writer) {
        uint64_t end = writer->offset + SECTION_HEADER_SIZE + sizeof(strings);
        uint64_t page_size = writer->head->formats->page_size;
        uint64_t padding = (page_size - end % page_size) % page_size;

        put_section(writer, TRACE_DAT_STRINGS, STRING_STRINGS, sizeof(strings) + padding);
        put(writer, strings, sizeof(strings));
        put_zeros(writer, padding);
}

static void add_option(FILE *options, uint16_t id, const void *data, size_t size) {
        uint32_t size32 = (uint32_t) size;

        (void) fwrite(&id, sizeof(id), 1, options);
        (void) fwrite(&size32, sizeof(size32), 1, options);
        (void) fwrite(data, 1, size, options);
}

static void add_option_text(FILE *options, uint16_t id, const char *text) {
        add_option(options, id, text, strlen(text) + 1);
}

static void add_option_offset(FILE *options, uint16_t id, uint64_t offset) {
        if (offset > 0)
                add_option(options, id, &offset, sizeof(offset));
}

static int add_options_about_host(FILE *options, const SegmentHead *head) {
        uint32_t n_cpus = head->cpus->n_cpus > 0 ? head->cpus->cpus[head->cpus->n_cpus - 1] + 1 : 0;
        CLEANUP_FREE char *clock = NULL, *host = NULL;
        struct utsname uts;

        if (uname(&uts) < 0)
                return -errno;
        /* The form of the file trace_clock, where brackets mark the clock in use. */
        if (asprintf(&clock, "[%s]", head->clock) < 0) {
                clock = NULL;
                return -ENOMEM;
        }
        if (asprintf(&host, "%s %s %s %s", uts.sysname, uts.nodename, uts.release, uts.machine) < 0) {
                host = NULL;
                return -ENOMEM;
        }

        add_option_text(options, TRACE_DAT_TRACECLOCK, clock);
        add_option_text(options, TRACE_DAT_UNAME, host);
        add_option_text(options, TRACE_DAT_VERSION, "ktraced " KTRACED_VERSION);
        add_option(options, TRACE_DAT_TRACEID, &head->trace_id, sizeof(head->trace_id));
        add_option(options, TRACE_DAT_CPUCOUNT, &n_cpus, sizeof(n_cpus));
        return 0;
}

/* The name of the buffer is empty, which makes it the main one: readers show its events without a prefix. */
static void add_option_buffer(FILE *options, const SegmentHead *head, uint64_t flyrecord, SegmentJournal *journal) {
        uint32_t n_cpus = (uint32_t) head->cpus->n_cpus, page_size = head->formats->page_size;
        size_t clock_size = strlen(head->clock) + 1;
        uint32_t size = (uint32_t) (sizeof(flyrecord) + 1 + clock_size + sizeof(page_size) + sizeof(n_cpus) +
                                    (size_t) n_cpus * BUFFER_ENTRY_SIZE);
        uint16_t id = TRACE_DAT_BUFFER;

        (void) fwrite(&id, sizeof(id), 1, options);
        (void) fwrite(&size, sizeof(size), 1, options);
        (void) fwrite(&flyrecord, sizeof(flyrecord), 1, options);
        (void) fwrite("", 1, 1, options);
        (void) fwrite(head->clock, 1, clock_size, options);
        (void) fwrite(&page_size, sizeof(page_size), 1, options);
        (void) fwrite(&n_cpus, sizeof(n_cpus), 1, options);

        journal->entries_offset = (uint32_t) ftello(options);
        for (size_t i = 0; i < head->cpus->n_cpus; i++) {
                uint32_t cpu = head->cpus->cpus[i];
                uint64_t place[2] = { 0, 0 };

                (void) fwrite(&cpu, sizeof(cpu), 1, options);
                (void) fwrite(place, sizeof(place), 1, options);
        }
}

/* Its size does not depend on `flyrecord`, which is known only once the size is. */
static int build_options(const HeadWriter *writer, uint64_t flyrecord, SegmentJournal *journal, char **ret,
                         size_t *ret_size) {
        CLEANUP_FREE char *data = NULL;
        uint16_t header[2] = { TRACE_DAT_OPTIONS, 0 };
        uint32_t description = STRING_OPTIONS;
        uint64_t section_size = 0, next = 0;
        size_t size = 0;
        FILE *options;
        int r;

        options = open_memstream(&data, &size);
        if (!options)
                return -errno;
        (void) fwrite(header, sizeof(header), 1, options);
        (void) fwrite(&description, sizeof(description), 1, options);
        (void) fwrite(&section_size, sizeof(section_size), 1, options);

        add_option_offset(options, TRACE_DAT_HEADER_INFO, writer->header_info);
        add_option_offset(options, TRACE_DAT_FTRACE_EVENTS, writer->ftrace_events);
        add_option_offset(options, TRACE_DAT_EVENT_FORMATS, writer->event_formats);
        add_option_offset(options, TRACE_DAT_KALLSYMS, writer->kallsyms);
        add_option_offset(options, TRACE_DAT_PRINTK, writer->printk);
        r = add_options_about_host(options, writer->head);
        add_option_buffer(options, writer->head, flyrecord, journal);
        add_option(options, TRACE_DAT_DONE, &next, sizeof(next));

        if (fclose(options) != 0)
                r = r < 0 ? r : -ENOMEM;
        if (r < 0)
                return r;

        journal->next_offset = (uint32_t) (size - sizeof(next));
        section_size = size - SECTION_HEADER_SIZE;
        memcpy(data + SECTION_SIZE_OFFSET, &section_size, sizeof(section_size));
        *ret = STEAL_PTR(data);
        *ret_size = size;
        return 0;
}

/* The size that the file system allows a file to have: half of it is found as well as all of it. The file
 * is left empty. */
static int probe_size_max(int fd, uint64_t *ret) {
        struct rlimit limit;
        uint64_t size = UINT64_C(1) << 62;

        /* Beyond the limit there would be a SIGXFSZ. */
        if (getrlimit(RLIMIT_FSIZE, &limit) < 0)
                return -errno;
        while (size > limit.rlim_cur)
                size /= 2;

        for (; size >= (UINT64_C(1) << 24); size /= 2) {
                if (ftruncate(fd, (off_t) size) < 0) {
                        if (errno == EFBIG || errno == EINVAL || errno == EOVERFLOW)
                                continue;
                        return -errno;
                }
                if (ftruncate(fd, 0) < 0)
                        return -errno;
                *ret = size;
                return 0;
        }
        return -EFBIG;
}

static int choose_region_size(const HeadWriter *writer, uint64_t data_start, uint64_t *ret) {
        const SegmentHead *head = writer->head;
        uint64_t page_size = head->formats->page_size, n_cpus = head->cpus->n_cpus, region, end;

        if (head->region_size == 0) {
                /* Half of it, so that the end of the last region leaves room for what is appended. */
                if (writer->size_max / 2 <= data_start)
                        return -EFBIG;
                region = (writer->size_max / 2 - data_start) / n_cpus / page_size * page_size;
                if (region == 0)
                        return -EFBIG;
        } else {
                if (__builtin_add_overflow(head->region_size, page_size - 1, &region))
                        return -EFBIG;
                region = region / page_size * page_size;
        }

        if (__builtin_mul_overflow(region, n_cpus, &end) || __builtin_add_overflow(end, data_start, &end) ||
            end > INT64_MAX / 2)
                return -EFBIG;
        *ret = region;
        return 0;
}

/* FAT and exFAT fill the gaps between regions with zeros, by writing them. */
static int check_file(int fd, Error *error) {
        struct statfs fs;
        off_t size;

        if (fstatfs(fd, &fs) < 0)
                return error_set_errno(error, -errno, "Failed to look at the capture's file system");
        if (fs.f_type == MSDOS_SUPER_MAGIC || fs.f_type == EXFAT_SUPER_MAGIC)
                return error_set(error, ERROR_NOT_SUPPORTED,
                                 "The file system of the capture cannot hold sparse files");

        size = lseek(fd, 0, SEEK_END);
        if (size < 0)
                return error_set_errno(error, -errno, "Failed to look at the capture's size");
        if (size > 0)
                return error_set(error, ERROR_BAD_DESCRIPTOR, "The file for the capture is not empty");
        return 0;
}

static int check_head(const SegmentHead *head, Error *error) {
        const TraceFormats *formats = head->formats;
        uint32_t page_size = formats->page_size;

        if (head->cpus->n_cpus == 0)
                return error_set(error, ERROR_INVALID_ARGUMENT, "There is no CPU to record");
        if (page_size < 1024 || (page_size & (page_size - 1)) != 0)
                return error_set(error, ERROR_NOT_SUPPORTED_BY_KERNEL, "Unsupported size of a buffer page: %u",
                                 page_size);
        if (formats->kallsyms.size > UINT32_MAX || formats->printk.size > UINT32_MAX)
                return error_set(error, ERROR_NOT_SUPPORTED, "The kernel's symbols do not fit into the format");
        return 0;
}

/* Everything up to the options section. */
static void put_formats(HeadWriter *writer) {
        const TraceFormats *formats = writer->head->formats;

        put_initial_header(writer);
        put_header_info(writer);
        put_events(writer);
        writer->kallsyms = put_text_section(writer, TRACE_DAT_KALLSYMS, STRING_KALLSYMS, &formats->kallsyms);
        writer->printk = put_text_section(writer, TRACE_DAT_PRINTK, STRING_PRINTK, &formats->printk);
        put_strings(writer);
}

/* The options section, the header of the flyrecord section and the journal. */
static int put_options(HeadWriter *writer, Segment *segment) {
        SegmentJournal *journal = &segment->journal;
        uint64_t page_size = writer->head->formats->page_size, end;
        CLEANUP_FREE char *options = NULL, *unplaced = NULL;
        size_t size = 0;
        int r;

        journal->options_offset = writer->offset;
        r = build_options(writer, 0, journal, &unplaced, &size);
        if (r < 0)
                return r;
        r = build_options(writer, writer->offset + size, journal, &options, &size);
        if (r < 0)
                return r;
        journal->options_size = size;

        end = segment_flyrecord_offset(segment) + SECTION_HEADER_SIZE + sizeof(*journal) +
              writer->head->cpus->n_cpus * sizeof(segment->sizes[0]);
        journal->data_start = (end + page_size - 1) / page_size * page_size;
        r = choose_region_size(writer, journal->data_start, &journal->region_size);
        if (r < 0)
                return r;

        segment->options = (uint8_t *) STEAL_PTR(options);
        put(writer, segment->options, size);
        put_section(writer, TRACE_DAT_BUFFER, STRING_FLYRECORD, SECTION_SIZE_OPEN);
        put(writer, journal, sizeof(*journal));
        put(writer, segment->sizes, writer->head->cpus->n_cpus * sizeof(segment->sizes[0]));
        put_zeros(writer, journal->data_start - writer->offset);
        return 0;
}

static int write_head(Segment *segment, const SegmentHead *head) {
        CLEANUP_FCLOSE FILE *file = NULL;
        CLEANUP_CLOSE int fd = -1;
        HeadWriter writer = { .head = head };
        int r;

        if (head->region_size == 0) {
                r = probe_size_max(segment->fd, &writer.size_max);
                if (r < 0)
                        return r;
        }

        fd = fcntl(segment->fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0 || lseek(fd, 0, SEEK_SET) < 0)
                return -errno;
        file = fdopen(fd, "w");
        if (!file)
                return -errno;
        (void) steal_fd(&fd);

        writer.file = file;
        put_formats(&writer);
        r = put_options(&writer, segment);
        if (r < 0)
                return r;
        if (fflush(file) != 0 && writer.r == 0)
                writer.r = -errno;
        if (writer.r < 0)
                return writer.r;

        r = segment_write_options(segment, false, 0);
        if (r < 0)
                return r;
        return write_at(segment->fd, &segment->journal.options_offset, sizeof(uint64_t), OPTIONS_START_OFFSET);
}

int segment_begin(int fd, const SegmentHead *head, Error *error, Segment **ret) {
        CLEANUP(segment_freep) Segment *segment = NULL;
        int r;

        r = check_head(head, error);
        if (r < 0)
                return r;
        r = check_file(fd, error);
        if (r < 0)
                return r;

        segment = calloc(1, sizeof(*segment));
        if (!segment)
                return error_set_errno(error, -ENOMEM, "Failed to begin a segment");
        segment->fd = fd;
        segment->sizes = calloc(head->cpus->n_cpus, sizeof(segment->sizes[0]));
        if (!segment->sizes)
                return error_set_errno(error, -ENOMEM, "Failed to begin a segment");
        segment->journal = (SegmentJournal){
                .magic = SEGMENT_JOURNAL_MAGIC,
                .version = SEGMENT_JOURNAL_VERSION,
                .state = SEGMENT_RECORDING,
                .page_size = head->formats->page_size,
                .n_cpus = (uint32_t) head->cpus->n_cpus,
        };

        r = write_head(segment, head);
        if (r < 0)
                return error_set_errno(error, r, "Failed to write the head of a segment");

        *ret = STEAL_PTR(segment);
        return 0;
}
