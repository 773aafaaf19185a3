/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "capture/segment.h"
#include "capture/store-private.h"
#include "ktraced/clock.h"

/* A segment that is being compressed, into a file beside it. */
typedef struct Compression {
        const Store *store;
        int dir_fd, raw_fd, fd;
        char name[STORE_SEGMENT_NAME_MAX];
        char temporary[STORE_SEGMENT_NAME_MAX + sizeof(SEGMENT_TEMPORARY_SUFFIX)];
        atomic_uint_least64_t *written;
} Compression;

static void compression_clear(Compression *compression) {
        closep(&compression->dir_fd);
        closep(&compression->raw_fd);
        closep(&compression->fd);
        if (compression->written)
                atomic_store(compression->written, 0);
}

static int go_on(uint64_t written, void *userdata) {
        Compression *compression = userdata;
        struct stat st;

        if (atomic_load(&compression->store->background_cancelled))
                return -ECANCELED;
        /* Who deletes it, here or elsewhere, needs to tell nobody. */
        if (fstat(compression->raw_fd, &st) < 0)
                return -errno;
        if (st.st_nlink == 0)
                return -ECANCELED;
        if (compression->written)
                atomic_store(compression->written, written);
        return 0;
}

/* It is worth no other's room: where the segment would not fit once more, nothing is begun. */
static int check_room(int fd, uint64_t bytes) {
        struct statvfs fs;

        if (fstatvfs(fd, &fs) < 0)
                return -errno;
        return (uint64_t) fs.f_bavail * fs.f_frsize < bytes ? -ENOSPC : 0;
}

/* The lock tells store_load() that somebody is at it. */
static int create_temporary(Compression *compression) {
        compression->fd =
                openat(compression->dir_fd, compression->temporary, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (compression->fd < 0)
                return -errno;
        if (flock(compression->fd, LOCK_EX | LOCK_NB) < 0)
                return errno == EWOULDBLOCK ? -EBUSY : -errno;
        return ftruncate(compression->fd, 0) < 0 ? -errno : 0;
}

/* Exchanged, not renamed: a segment that was deleted meanwhile must not come back. */
static int put_in_place(const Compression *compression, const struct stat *raw) {
        (void) futimens(compression->fd, (const struct timespec[]){ raw->st_atim, raw->st_mtim });
        if (fsync(compression->fd) < 0)
                return -errno;
        if (renameat2(compression->dir_fd, compression->temporary, compression->dir_fd, compression->name,
                      RENAME_EXCHANGE) < 0)
                return errno == ENOENT ? -ECANCELED : -errno;
        return 0;
}

static int compress_into_temporary(Compression *compression, const struct stat *raw, StoreCompression *ret) {
        uint64_t began = clock_usec(CLOCK_MONOTONIC), bytes = 0;
        int r;

        r = segment_compress(compression->raw_fd, compression->fd, go_on, compression, &bytes);
        if (r < 0)
                return r;
        ret->bytes = bytes;
        ret->raw_bytes = (uint64_t) raw->st_size;
        /* Not worth it: the segment stays as it is, and is as large as before. */
        if (bytes >= ret->raw_bytes) {
                ret->bytes = ret->raw_bytes;
                r = store_digest(compression->store, compression->raw_fd, ret->sha256);
        } else
                r = store_digest(compression->store, compression->fd, ret->sha256);
        if (r >= 0 && bytes < ret->raw_bytes)
                r = put_in_place(compression, raw);
        ret->usec = clock_usec(CLOCK_MONOTONIC) - began;
        return r;
}

static int compress(Compression *compression, StoreCompression *ret) {
        struct stat raw;
        int r;

        compression->raw_fd = openat(compression->dir_fd, compression->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (compression->raw_fd < 0)
                return errno == ENOENT ? -ECANCELED : -errno;
        if (fstat(compression->raw_fd, &raw) < 0)
                return -errno;
        r = check_room(compression->raw_fd, (uint64_t) raw.st_size);
        if (r < 0)
                return r;
        r = create_temporary(compression);
        if (r == -EBUSY || compression->fd < 0)
                return r;
        if (r >= 0)
                r = compress_into_temporary(compression, &raw, ret);
        /* What failed, or what the segment was before. */
        (void) unlinkat(compression->dir_fd, compression->temporary, 0);
        return r;
}

int store_compress_segment(Store *store, const char *capture_id, uint64_t number, atomic_uint_least64_t *written,
                           Error *error, StoreCompression *ret) {
        CLEANUP(compression_clear)
        Compression compression = {
                .store = store,
                .dir_fd = -1,
                .raw_fd = -1,
                .fd = -1,
                .written = written,
        };
        StoreCompression result = { 0 };
        int r;

        r = store_open_capture(store, capture_id, error, &compression.dir_fd);
        if (r < 0)
                return r;
        store_segment_name(number, compression.name);
        (void) snprintf(compression.temporary, sizeof(compression.temporary), "%s" SEGMENT_TEMPORARY_SUFFIX,
                        compression.name);
        r = compress(&compression, &result);
        if (r < 0)
                return error_set_errno(error, r, "Failed to compress segment %llu of capture %s",
                                       (unsigned long long) number, capture_id);
        *ret = result;
        return 0;
}

/* Whether it was left by somebody who is gone. */
static void remove_temporary(int dir_fd, const char *name) {
        char temporary[STORE_SEGMENT_NAME_MAX + sizeof(SEGMENT_TEMPORARY_SUFFIX)];
        CLEANUP_CLOSE int fd = -1;

        (void) snprintf(temporary, sizeof(temporary), "%s" SEGMENT_TEMPORARY_SUFFIX, name);
        fd = openat(dir_fd, temporary, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) >= 0)
                (void) unlinkat(dir_fd, temporary, 0);
}

void store_note_compressed(int fd, uint64_t file_size, SegmentInfo *info) {
        if (info->raw_bytes > 0 || info->bytes <= file_size || !segment_is_compressed(fd))
                return;
        info->raw_bytes = info->bytes;
        info->bytes = file_size;
        info->sha256[0] = '\0';
}

void store_finish_compressions(int dir_fd, CaptureMetadata *metadata) {
        for (size_t i = 0; i < metadata->n_segments; i++) {
                SegmentInfo *info = metadata->segments + i;
                uint64_t before = info->bytes;
                char name[STORE_SEGMENT_NAME_MAX];
                CLEANUP_CLOSE int fd = -1;
                struct stat st;

                store_segment_name(info->number, name);
                remove_temporary(dir_fd, name);
                fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
                if (fd < 0 || fstat(fd, &st) < 0)
                        continue;
                store_note_compressed(fd, (uint64_t) st.st_size, info);
                metadata->bytes -= before - info->bytes < metadata->bytes ? before - info->bytes : metadata->bytes;
        }
}
