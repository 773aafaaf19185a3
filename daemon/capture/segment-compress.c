/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "capture/segment-format.h"

/* What a reader has to decompress for any of the pages in it, and what is compressed in one go. */
#define CHUNK_PAGES 64U
#define CHUNK_MIN ((size_t) 64 << 10)
#define OPTION_HEADER_SIZE (sizeof(uint16_t) + sizeof(uint32_t))

/* A section, and where it has got to. */
typedef struct Moved {
        uint64_t from, to;
} Moved;

/* The place of a CPU's pages in the compressed file, as the BUFFER option gives it. */
typedef struct Place {
        uint64_t offset, size;
} Place;

typedef struct Compressor {
        const Segment *segment;
        int to;
        uint64_t file_size; /* of the segment */
        uint64_t offset;    /* where the next byte goes */
        ZSTD_CCtx *context;
        uint8_t *plain, *packed;
        size_t plain_size, packed_size;
        Moved *moved;
        size_t n_moved;
        Place *places; /* for each CPU of the segment */
        SegmentGoOn go_on;
        void *userdata;
} Compressor;

static void compressor_clear(Compressor *compressor) {
        (void) ZSTD_freeCCtx(compressor->context);
        free(compressor->plain);
        free(compressor->packed);
        free(compressor->moved);
        free(compressor->places);
}

static int compressor_init(Compressor *compressor, const Segment *segment) {
        size_t chunk = (size_t) segment->journal.page_size * CHUNK_PAGES;

        compressor->plain_size = chunk > CHUNK_MIN ? chunk : CHUNK_MIN;
        compressor->packed_size = ZSTD_compressBound(compressor->plain_size);
        compressor->plain = malloc(compressor->plain_size);
        compressor->packed = malloc(compressor->packed_size);
        compressor->places = calloc(segment->journal.n_cpus, sizeof(compressor->places[0]));
        compressor->context = ZSTD_createCCtx();
        return compressor->plain && compressor->packed && compressor->places && compressor->context ? 0 : -ENOMEM;
}

static int put(Compressor *compressor, const void *data, size_t size) {
        int r = write_at(compressor->to, data, size, compressor->offset);

        if (r < 0)
                return r;
        compressor->offset += size;
        return 0;
}

/* What is in compressor->plain; `last`: the frame ends with it. */
static int put_packed(Compressor *compressor, size_t size, bool last) {
        ZSTD_inBuffer in = { .src = compressor->plain, .size = size };
        size_t left;

        do {
                ZSTD_outBuffer out = { .dst = compressor->packed, .size = compressor->packed_size };
                int r;

                left = ZSTD_compressStream2(compressor->context, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
                if (ZSTD_isError(left))
                        return ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation ? -ENOMEM : -EIO;
                r = put(compressor, compressor->packed, out.pos);
                if (r < 0)
                        return r;
        } while (last ? left > 0 : in.pos < in.size);
        return 0;
}

/* A block as the format has it: the compressed size, the size, one frame. */
static int put_block(Compressor *compressor, uint64_t from, uint64_t size) {
        uint64_t start = compressor->offset, left = size;
        uint32_t head[2];
        int r;

        compressor->offset += sizeof(head);
        (void) ZSTD_CCtx_reset(compressor->context, ZSTD_reset_session_only);
        do {
                size_t n = left < compressor->plain_size ? (size_t) left : compressor->plain_size;

                r = compressor->go_on ? compressor->go_on(compressor->offset, compressor->userdata) : 0;
                if (r >= 0)
                        r = read_at(compressor->segment->fd, compressor->plain, n, from);
                if (r >= 0)
                        r = put_packed(compressor, n, n == left);
                if (r < 0)
                        return r;
                from += n;
                left -= n;
        } while (left > 0);

        if (compressor->offset - start - sizeof(head) > UINT32_MAX)
                return -EFBIG;
        head[0] = (uint32_t) (compressor->offset - start - sizeof(head));
        head[1] = (uint32_t) size;
        return write_at(compressor->to, head, sizeof(head), start);
}

static int put_plain(Compressor *compressor, uint64_t from, uint64_t size) {
        while (size > 0) {
                size_t n = size < compressor->plain_size ? (size_t) size : compressor->plain_size;
                int r = read_at(compressor->segment->fd, compressor->plain, n, from);

                if (r >= 0)
                        r = put(compressor, compressor->plain, n);
                if (r < 0)
                        return r;
                from += n;
                size -= n;
        }
        return 0;
}

static int put_pages_of(Compressor *compressor, uint64_t from, uint64_t size) {
        uint64_t n_chunks = (size + compressor->plain_size - 1) / compressor->plain_size;
        uint32_t count = (uint32_t) n_chunks;
        int r;

        if (n_chunks > UINT32_MAX)
                return -EFBIG;
        r = put(compressor, &count, sizeof(count));
        while (r >= 0 && size > 0) {
                uint64_t n = size < compressor->plain_size ? size : compressor->plain_size;

                r = put_block(compressor, from, n);
                from += n;
                size -= n;
        }
        return r;
}

static int put_pages(Compressor *compressor) {
        uint64_t end = 0;

        for (size_t i = 0; i < compressor->segment->journal.n_cpus; i++) {
                uint64_t offset, size;
                int r;

                segment_pages(compressor->segment, i, &offset, &size);
                if (size > 0 &&
                    (offset < end || offset > compressor->file_size || size > compressor->file_size - offset ||
                     size % compressor->segment->journal.page_size))
                        return -EBADMSG;
                if (size > 0)
                        end = offset + size;
                compressor->places[i].offset = compressor->offset;
                r = put_pages_of(compressor, offset, size);
                if (r < 0)
                        return r;
                compressor->places[i].size = compressor->offset - compressor->places[i].offset;
        }
        return 0;
}

static int note_moved(Compressor *compressor, uint64_t from) {
        Moved *grown = reallocarray(compressor->moved, compressor->n_moved + 1, sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        grown[compressor->n_moved++] = (Moved){ .from = from, .to = compressor->offset };
        compressor->moved = grown;
        return 0;
}

typedef struct SectionHeader {
        uint16_t id, flags;
        uint32_t description;
        uint64_t size;
} SectionHeader;
_Static_assert(sizeof(SectionHeader) == SECTION_HEADER_SIZE, "the header of a section has no gaps");

/* Options, which are changed at the end, stay as they are, and strings, for which nothing else is foreseen. */
static int put_section(Compressor *compressor, uint64_t from, const SectionHeader *header) {
        uint64_t start = compressor->offset, content = from + SECTION_HEADER_SIZE;
        SectionHeader changed = *header;
        bool plain = header->id == TRACE_DAT_OPTIONS || header->id == TRACE_DAT_STRINGS ||
                     (header->id != TRACE_DAT_BUFFER && (header->size == 0 || header->size > UINT32_MAX));
        int r;

        r = note_moved(compressor, from);
        if (r < 0)
                return r;
        compressor->offset += SECTION_HEADER_SIZE;
        if (plain)
                r = put_plain(compressor, content, header->size);
        else if (header->id == TRACE_DAT_BUFFER)
                r = put_pages(compressor);
        else
                r = put_block(compressor, content, header->size);
        if (r < 0)
                return r;
        changed.flags = plain ? 0 : SECTION_COMPRESSED;
        changed.size = compressor->offset - start - SECTION_HEADER_SIZE;
        return write_at(compressor->to, &changed, sizeof(changed), start);
}

static int put_sections(Compressor *compressor) {
        uint64_t from = OPTIONS_START_OFFSET + sizeof(uint64_t);
        bool pages_seen = false;

        while (from < compressor->file_size) {
                SectionHeader header;
                int r;

                r = read_at(compressor->segment->fd, &header, sizeof(header), from);
                if (r < 0)
                        return r;
                if (header.flags != 0 || header.size > compressor->file_size - from - SECTION_HEADER_SIZE)
                        return -EBADMSG;
                if (header.id == TRACE_DAT_BUFFER) {
                        if (pages_seen || from != segment_flyrecord_offset(compressor->segment))
                                return -EBADMSG;
                        pages_seen = true;
                }
                r = put_section(compressor, from, &header);
                if (r < 0)
                        return r;
                from += SECTION_HEADER_SIZE + header.size;
        }
        return pages_seen ? 0 : -EBADMSG;
}

/* An offset that stands in the options, of a section; 0 stands for none. */
static int move_offset(const Compressor *compressor, uint8_t *at) {
        uint64_t offset;

        memcpy(&offset, at, sizeof(offset));
        if (offset == 0)
                return 0;
        for (size_t i = 0; i < compressor->n_moved; i++)
                if (compressor->moved[i].from == offset) {
                        memcpy(at, &compressor->moved[i].to, sizeof(offset));
                        return 0;
                }
        return -EBADMSG;
}

static bool option_has_offset(uint16_t id) {
        switch (id) {
        case TRACE_DAT_DONE:
        case TRACE_DAT_BUFFER:
        case TRACE_DAT_HEADER_INFO:
        case TRACE_DAT_FTRACE_EVENTS:
        case TRACE_DAT_EVENT_FORMATS:
        case TRACE_DAT_KALLSYMS:
        case TRACE_DAT_PRINTK:
        case TRACE_DAT_CMDLINES:
                return true;
        default:
                return false;
        }
}

static int move_offsets(const Compressor *compressor, uint8_t *options, size_t size) {
        for (size_t at = 0; at < size;) {
                uint32_t option_size;
                uint16_t id;

                if (size - at < OPTION_HEADER_SIZE)
                        return -EBADMSG;
                memcpy(&id, options + at, sizeof(id));
                memcpy(&option_size, options + at + sizeof(id), sizeof(option_size));
                at += OPTION_HEADER_SIZE;
                if (option_size > size - at)
                        return -EBADMSG;
                if (option_has_offset(id)) {
                        int r = option_size < sizeof(uint64_t) ? -EBADMSG : move_offset(compressor, options + at);

                        if (r < 0)
                                return r;
                }
                at += option_size;
        }
        return 0;
}

/* One of the options sections, where it has got to. */
static int change_options(const Compressor *compressor, const Moved *section) {
        const SegmentJournal *journal = &compressor->segment->journal;
        CLEANUP_FREE uint8_t *options = NULL;
        SectionHeader header;
        int r;

        r = read_at(compressor->to, &header, sizeof(header), section->to);
        if (r < 0)
                return r;
        if (header.id != TRACE_DAT_OPTIONS)
                return 0;
        if (header.size > OPTIONS_SIZE_MAX)
                return -EBADMSG;
        options = malloc(header.size > 0 ? header.size : 1);
        if (!options)
                return -ENOMEM;
        r = read_at(compressor->to, options, header.size, section->to + SECTION_HEADER_SIZE);
        if (r < 0)
                return r;
        if (section->from == journal->options_offset) {
                uint8_t *entry = options + journal->entries_offset - SECTION_HEADER_SIZE;

                for (size_t i = 0; i < journal->n_cpus; i++, entry += BUFFER_ENTRY_SIZE)
                        memcpy(entry + sizeof(uint32_t), &compressor->places[i], sizeof(compressor->places[i]));
        }
        r = move_offsets(compressor, options, header.size);
        if (r < 0)
                return r;
        return write_at(compressor->to, options, header.size, section->to + SECTION_HEADER_SIZE);
}

/* The initial header up to the name of the compression is that of the segment. */
static int put_header(Compressor *compressor, uint64_t *ret_options_at) {
        const char *version = ZSTD_versionString();
        int r;

        r = put_plain(compressor, 0, OPTIONS_START_OFFSET - sizeof(INITIAL_HEADER_COMPRESSION));
        if (r >= 0)
                r = put(compressor, INITIAL_HEADER_ZSTD, sizeof(INITIAL_HEADER_ZSTD));
        if (r >= 0)
                r = put(compressor, version, strlen(version) + 1);
        if (r < 0)
                return r;
        *ret_options_at = compressor->offset;
        compressor->offset += sizeof(uint64_t);
        return 0;
}

static int put_file(Compressor *compressor) {
        uint64_t options_offset = compressor->segment->journal.options_offset, at = 0;
        int r;

        r = put_header(compressor, &at);
        if (r >= 0)
                r = put_sections(compressor);
        for (size_t i = 0; r >= 0 && i < compressor->n_moved; i++)
                r = change_options(compressor, compressor->moved + i);
        if (r >= 0)
                r = move_offset(compressor, (uint8_t *) &options_offset);
        if (r < 0)
                return r;
        return write_at(compressor->to, &options_offset, sizeof(options_offset), at);
}

int segment_compress(int from, int to, SegmentGoOn go_on, void *userdata, uint64_t *ret_bytes) {
        CLEANUP(compressor_clear) Compressor compressor = { .to = to, .go_on = go_on, .userdata = userdata };
        CLEANUP(segment_freep) Segment *segment = NULL;
        struct stat st;
        int r;

        if (fstat(from, &st) < 0)
                return -errno;
        r = segment_load(from, &segment);
        if (r >= 0 && segment->journal.state != SEGMENT_CLOSED)
                r = -EBADMSG;
        if (r >= 0)
                r = compressor_init(&compressor, segment);
        if (r >= 0) {
                compressor.segment = segment;
                compressor.file_size = (uint64_t) st.st_size;
                r = put_file(&compressor);
        }
        /* A file that is shorter than it says. */
        if (r == -EIO && compressor.offset == 0)
                r = -EBADMSG;
        if (r < 0)
                return r;
        *ret_bytes = compressor.offset;
        return 0;
}

bool segment_is_compressed(int fd) {
        char magic[sizeof(INITIAL_HEADER_MAGIC)], name[sizeof(INITIAL_HEADER_ZSTD)];

        return read_at(fd, magic, sizeof(magic), 0) >= 0 && memcmp(magic, INITIAL_HEADER_MAGIC, sizeof(magic)) == 0 &&
               read_at(fd, name, sizeof(name), OPTIONS_START_OFFSET - sizeof(INITIAL_HEADER_COMPRESSION)) >= 0 &&
               memcmp(name, INITIAL_HEADER_ZSTD, sizeof(name)) == 0;
}
