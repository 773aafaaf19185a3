/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "client/trace-file.h"

#define NAME_LENGTH 4096U
#define FORMATS_MAX 65536U        /* an event's number has 16 bits */
#define OPTION_SECTIONS_MAX 1024U /* a chain that is longer is taken for a loop */
#define OPTION_LENGTH (4U << 20)  /* the longest is a table of time offsets */
#define PAGE_SIZE_MAX (64U << 20) /* of a ring buffer's sub-buffer */
#define SECTION_COMPRESSED (1U << 0)

typedef enum Option {
        OPTION_DONE = 0,
        OPTION_BUFFER = 3,
        OPTION_TRACECLOCK = 4,
        OPTION_CPUCOUNT = 8,
        OPTION_TSC2NSEC = 14,
        OPTION_HEADER_INFO = 16,
        OPTION_CMDLINES = 21,
} Option;

/* A place in the file; what it reads is checked against the file's size. */
typedef struct Cursor {
        int fd;
        uint64_t offset;
        uint64_t size;
        bool big_endian;
        const char *part; /* what is being read, for messages */
        Error *error;
} Cursor;

typedef struct Section {
        unsigned id;
        unsigned flags;
        uint64_t size;
} Section;

void trace_file_clear(TraceFile *file) {
        free(file->clock);
        *file = (TraceFile){};
}

static int damaged(const Cursor *c, const char *what) {
        return error_set(c->error, ERROR_INVALID_ARGUMENT, "damaged at byte %" PRIu64 ": %s", c->offset, what);
}

/* That `n` bytes from the cursor on are there. */
static int check_room(const Cursor *c, uint64_t n) {
        if (c->offset <= c->size && n <= c->size - c->offset)
                return 0;
        return error_set(c->error, ERROR_INVALID_ARGUMENT,
                         "truncated: the %s at byte %" PRIu64 " needs %" PRIu64
                         " bytes, but the file ends at byte %" PRIu64,
                         c->part, c->offset, n, c->size);
}

static int skip(Cursor *c, uint64_t n) {
        int r = check_room(c, n);

        if (r < 0)
                return r;
        c->offset += n;
        return 0;
}

static int read_bytes(Cursor *c, void *buffer, size_t n) {
        size_t done = 0;
        int r = check_room(c, n);

        if (r < 0)
                return r;
        while (done < n) {
                ssize_t k = pread(c->fd, (char *) buffer + done, n - done, (off_t) (c->offset + done));

                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return error_set_errno(c->error, -errno, "cannot be read");
                if (k == 0)
                        return error_set(c->error, ERROR_INVALID_ARGUMENT, "truncated while it was read");
                done += (size_t) k;
        }
        c->offset += n;
        return 0;
}

static uint64_t decode(const Cursor *c, const uint8_t *bytes, size_t n) {
        uint64_t value = 0;

        for (size_t i = 0; i < n; i++)
                value = value << 8 | bytes[c->big_endian ? i : n - 1 - i];
        return value;
}

static int read_number(Cursor *c, size_t n, uint64_t *ret) {
        uint8_t bytes[8];
        int r = read_bytes(c, bytes, n);

        if (r < 0)
                return r;
        *ret = decode(c, bytes, n);
        return 0;
}

/* A NUL-terminated name of less than NAME_LENGTH bytes into `buffer`, which may be NULL. */
static int read_name(Cursor *c, char *buffer, size_t size) {
        for (size_t i = 0; i < NAME_LENGTH; i++) {
                char byte;
                int r = read_bytes(c, &byte, 1);

                if (r < 0)
                        return r;
                if (buffer && i < size)
                        buffer[i] = byte;
                if (byte == '\0')
                        return !buffer || i < size ? 0 : damaged(c, "a name is too long");
        }
        return damaged(c, "a name has no end");
}

/* Passes over `length_size` bytes of length, and the text that they announce. */
static int skip_text(Cursor *c, size_t length_size) {
        uint64_t length;
        int r = read_number(c, length_size, &length);

        return r < 0 ? r : skip(c, length);
}

static int read_count(Cursor *c, uint64_t max, uint64_t *ret) {
        uint64_t count;
        int r = read_number(c, 4, &count);

        if (r < 0)
                return r;
        if (count > max)
                return damaged(c, "a count is out of range");
        *ret = count;
        return 0;
}

static int set_n_cpus(const Cursor *c, TraceFile *file, uint64_t n) {
        if (n > TRACE_FILE_CPUS_MAX)
                return damaged(c, "too many CPUs");
        if (n > file->n_cpus)
                file->n_cpus = (unsigned) n;
        return 0;
}

/* The clock in brackets, in the manner of the kernel's trace_clock: "local [global] counter". */
static int set_clock(const Cursor *c, TraceFile *file, const char *text) {
        const char *start = strchr(text, '[');
        const char *end = start ? strchr(start, ']') : NULL;
        char *clock;

        if (!end || file->clock)
                return 0;
        clock = strndup(start + 1, (size_t) (end - start - 1));
        if (!clock)
                return error_set(c->error, ERROR_NO_MEMORY, "out of memory");
        file->clock = clock;
        return 0;
}

static int read_clock(Cursor *c, uint64_t length, TraceFile *file) {
        char text[NAME_LENGTH];
        int r;

        if (length >= sizeof(text))
                return damaged(c, "the clock's name is too long");
        r = read_bytes(c, text, length);
        if (r < 0)
                return r;
        text[length] = '\0';
        return set_clock(c, file, text);
}

/* One CPU's extent: offset and size of its pages. */
static int scan_extent(Cursor *c, TraceFile *file) {
        Cursor data = *c;
        uint64_t size;
        int r;

        data.part = "recorded data";
        r = read_number(c, 8, &data.offset);
        if (r < 0)
                return r;
        r = read_number(c, 8, &size);
        if (r < 0)
                return r;
        if (size == 0)
                return 0;
        file->data_bytes += size;
        return check_room(&data, size);
}

static int read_section(Cursor *c, Section *ret) {
        uint64_t id, flags, name, size;
        int r;

        c->part = "section";
        if ((r = read_number(c, 2, &id)) < 0 || (r = read_number(c, 2, &flags)) < 0 ||
            (r = read_number(c, 4, &name)) < 0 || (r = read_number(c, 8, &size)) < 0)
                return r;
        *ret = (Section){ .id = (unsigned) id, .flags = (unsigned) flags, .size = size };
        return 0;
}

static int check_page_size(const Cursor *c, uint64_t page_size) {
        if (page_size < 256 || page_size > PAGE_SIZE_MAX || (page_size & (page_size - 1)) != 0)
                return damaged(c, "the page size is no power of two");
        return 0;
}

/* Option BUFFER of version 7: offset of its section, name, clock, page size, and the extents by CPU. */
static int scan_buffer(Cursor *c, TraceFile *file) {
        Cursor at = *c;
        Section section;
        uint64_t page_size, n = 0;
        int r;

        if ((r = read_number(c, 8, &at.offset)) < 0 || (r = read_section(&at, &section)) < 0 ||
            (r = read_name(c, NULL, 0)) < 0 || (r = read_name(c, NULL, 0)) < 0 ||
            (r = read_number(c, 4, &page_size)) < 0 || (r = check_page_size(c, page_size)) < 0 ||
            (r = read_count(c, TRACE_FILE_CPUS_MAX, &n)) < 0)
                return r;
        if (section.id != OPTION_BUFFER)
                return damaged(&at, "no buffer where one is announced");
        for (uint64_t i = 0; i < n; i++) {
                uint64_t cpu;

                if ((r = read_number(c, 4, &cpu)) < 0 || (r = set_n_cpus(c, file, cpu + 1)) < 0 ||
                    (r = scan_extent(c, file)) < 0)
                        return r;
        }
        return 0;
}

/* Options HEADER_INFO to CMDLINES of version 7: the offset of a section. */
static int scan_reference(Cursor *c, Option id) {
        Cursor at = *c;
        Section section;
        int r;

        if ((r = read_number(c, 8, &at.offset)) < 0 || (r = read_section(&at, &section)) < 0)
                return r;
        if (section.id != id)
                return damaged(&at, "another section than the announced one");
        return check_room(&at, section.size);
}

/* The content of one option; the cursor stands before it. */
static int scan_option(Cursor *c, uint64_t id, uint64_t length, TraceFile *file) {
        uint64_t n;
        int r;

        switch (id) {
        case OPTION_TRACECLOCK:
                return read_clock(c, length, file);
        case OPTION_CPUCOUNT:
                if (length != 4)
                        return 0;
                r = read_number(c, 4, &n);
                return r < 0 ? r : set_n_cpus(c, file, n);
        case OPTION_TSC2NSEC:
                file->tsc_scaled = true;
                return 0;
        case OPTION_BUFFER:
                return file->version >= 7 ? scan_buffer(c, file) : 0;
        default:
                if (file->version >= 7 && id >= OPTION_HEADER_INFO && id <= OPTION_CMDLINES)
                        return scan_reference(c, (Option) id);
                return 0;
        }
}

/* Options up to DONE; *ret_next is what DONE of version 7 refers to, 0 at the end of the chain. */
static int scan_options(Cursor *c, TraceFile *file, uint64_t *ret_next) {
        c->part = "list of options";
        for (;;) {
                uint64_t id, length = 0;
                Cursor content;
                int r;

                r = read_number(c, 2, &id);
                if (r < 0)
                        return r;
                if (id == OPTION_DONE && file->version < 7) {
                        *ret_next = 0;
                        return 0;
                }
                r = read_number(c, 4, &length);
                if (r < 0)
                        return r;
                if (length > OPTION_LENGTH)
                        return damaged(c, "an option is too long");
                if (id == OPTION_DONE) {
                        if (length < 8)
                                return damaged(c, "the last option is too short");
                        return read_number(c, 8, ret_next);
                }
                content = *c;
                r = skip(c, length);
                if (r < 0)
                        return r;
                content.part = "option";
                r = scan_option(&content, id, length, file);
                if (r < 0)
                        return r;
                if (content.offset > c->offset)
                        return damaged(c, "an option is shorter than its content");
        }
}

static int scan_v7(Cursor *c, TraceFile *file) {
        uint64_t next;
        int r;

        r = read_name(c, NULL, 0); /* of the compression */
        if (r >= 0)
                r = read_name(c, NULL, 0); /* its version */
        if (r < 0 || (r = read_number(c, 8, &next)) < 0)
                return r;
        if (next == 0)
                return error_set(c->error, ERROR_INVALID_ARGUMENT, "truncated: recording it did not come to an end");
        for (unsigned i = 0; next != 0; i++) {
                Section section;

                if (i >= OPTION_SECTIONS_MAX)
                        return damaged(c, "the lists of options form a loop");
                c->offset = next;
                r = read_section(c, &section);
                if (r < 0)
                        return r;
                if (section.id != OPTION_DONE)
                        return damaged(c, "no list of options where one is announced");
                /* No writer is known that compresses the options; what is in them is libtracecmd's then. */
                if (section.flags & SECTION_COMPRESSED)
                        return 0;
                r = scan_options(c, file, &next);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int scan_formats_v6(Cursor *c) {
        uint64_t n_systems = 0, n = 0;
        int r;

        c->part = "list of event formats";
        for (int i = 0; i < 2; i++) /* header_page, header_event */
                if ((r = read_name(c, NULL, 0)) < 0 || (r = skip_text(c, 8)) < 0)
                        return r;
        r = read_count(c, FORMATS_MAX, &n);
        if (r < 0)
                return r;
        for (uint64_t i = 0; i < n; i++)
                if ((r = skip_text(c, 8)) < 0)
                        return r;
        r = read_count(c, FORMATS_MAX, &n_systems);
        if (r < 0)
                return r;
        for (uint64_t system = 0; system < n_systems; system++) {
                if ((r = read_name(c, NULL, 0)) < 0 || (r = read_count(c, FORMATS_MAX, &n)) < 0)
                        return r;
                for (uint64_t i = 0; i < n; i++)
                        if ((r = skip_text(c, 8)) < 0)
                                return r;
        }
        return 0;
}

/* The clock's text behind the table of CPUs; early writers of version 6 left it out. */
static int scan_clock_v6(Cursor *c, TraceFile *file) {
        uint64_t length;
        Cursor end = *c;

        end.error = NULL;
        if (read_number(&end, 8, &length) < 0 || length >= NAME_LENGTH || check_room(&end, length) < 0)
                return 0;
        c->offset = end.offset;
        return read_clock(c, length, file);
}

static int scan_v6(Cursor *c, TraceFile *file) {
        char kind[10];
        uint64_t n, next;
        unsigned n_cpus;
        int r;

        r = scan_formats_v6(c);
        if (r < 0)
                return r;
        c->part = "table of names";
        r = skip_text(c, 4); /* kernel symbols */
        if (r >= 0)
                r = skip_text(c, 4);              /* formats of printk */
        if (r < 0 || (r = skip_text(c, 8)) < 0 || /* command names */
            (r = read_number(c, 4, &n)) < 0 || (r = set_n_cpus(c, file, n)) < 0 ||
            (r = read_bytes(c, kind, sizeof(kind))) < 0)
                return r;
        if (memcmp(kind, "options  ", sizeof(kind)) == 0)
                if ((r = scan_options(c, file, &next)) < 0 || (r = read_bytes(c, kind, sizeof(kind))) < 0)
                        return r;
        if (memcmp(kind, "latency  ", sizeof(kind)) == 0)
                return error_set(c->error, ERROR_NOT_SUPPORTED,
                                 "the text of a latency tracer, not events; trace-cmd report shows it");
        if (memcmp(kind, "flyrecord", sizeof(kind)) != 0)
                return damaged(c, "no recorded data where it is announced");
        c->part = "table of CPUs";
        n_cpus = file->n_cpus;
        for (unsigned cpu = 0; cpu < n_cpus; cpu++)
                if ((r = scan_extent(c, file)) < 0)
                        return r;
        return file->clock ? 0 : scan_clock_v6(c, file);
}

static int scan_head(Cursor *c, TraceFile *file) {
        static const uint8_t magic[] = { 0x17, 0x08, 0x44, 't', 'r', 'a', 'c', 'i', 'n', 'g' };
        uint8_t start[sizeof(magic)], endian, long_size;
        char version[16];
        uint64_t page_size;
        int r;

        if (c->size < sizeof(magic) || read_bytes(c, start, sizeof(start)) < 0 ||
            memcmp(start, magic, sizeof(magic)) != 0)
                return error_set(c->error, ERROR_INVALID_ARGUMENT, "not a trace.dat file");
        c->part = "head";
        r = read_name(c, version, sizeof(version));
        if (r < 0)
                return r;
        if (strcmp(version, "6") != 0 && strcmp(version, "7") != 0)
                return error_set(c->error, ERROR_NOT_SUPPORTED, "a trace.dat file of another version than 6 or 7");
        file->version = (unsigned) (version[0] - '0');
        if ((r = read_bytes(c, &endian, 1)) < 0 || (r = read_bytes(c, &long_size, 1)) < 0)
                return r;
        if (endian > 1 || (long_size != 4 && long_size != 8))
                return damaged(c, "neither byte order nor word size are known");
        c->big_endian = endian;
        r = read_number(c, 4, &page_size);
        return r < 0 ? r : check_page_size(c, page_size);
}

int trace_file_scan(int fd, Error *error, TraceFile *ret) {
        CLEANUP(trace_file_clear) TraceFile file = {};
        Cursor c = { .fd = fd, .error = error, .part = "head" };
        struct stat st;
        int r;

        if (fstat(fd, &st) < 0)
                return error_set_errno(error, -errno, "cannot be examined");
        if (!S_ISREG(st.st_mode))
                return error_set(error, ERROR_INVALID_ARGUMENT, "not a regular file");
        c.size = (uint64_t) st.st_size;
        r = scan_head(&c, &file);
        if (r < 0)
                return r;
        r = file.version >= 7 ? scan_v7(&c, &file) : scan_v6(&c, &file);
        if (r < 0)
                return r;
        if (file.n_cpus == 0)
                return damaged(&c, "no CPUs");
        *ret = file;
        file = (TraceFile){};
        return 0;
}

bool trace_file_has_time(const TraceFile *file) {
        /* The clocks whose unit is the nanosecond; kernel/trace/trace.c, trace_clocks[].in_ns. Where the file
         * does not say, it is the kernel's default, "local". */
        static const char *const names[] = { "local", "global", "perf", "boot", "tai", "tsc2nsec" };

        if (!file->clock || file->tsc_scaled || strncmp(file->clock, "mono", 4) == 0)
                return true;
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (strcmp(file->clock, names[i]) == 0)
                        return true;
        return false;
}
