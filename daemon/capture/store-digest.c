/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <gcrypt.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "capture/store-private.h"

#define CHUNK_SIZE ((size_t) 256 << 10)
#define SHA256_SIZE ((size_t) 32)

/* The library wants its version checked before anything else, and once. Digests need no secure memory. */
static void initialize_gcrypt(void) {
        if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P))
                return;
        if (!gcry_check_version(NULL))
                return;
        (void) gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
        (void) gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
}

static void md_closep(gcry_md_hd_t *md) {
        gcry_md_close(*md);
}

int store_digest(const Store *store, int fd, char ret[static 2 * SHA256_SIZE + 1]) {
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        CLEANUP(md_closep) gcry_md_hd_t md = NULL;
        CLEANUP_FREE uint8_t *chunk = malloc(CHUNK_SIZE);
        const uint8_t *bytes;

        if (!chunk)
                return -ENOMEM;
        (void) pthread_once(&once, initialize_gcrypt);
        if (gcry_md_open(&md, GCRY_MD_SHA256, 0) != 0)
                return -ENOTSUP;

        if (lseek(fd, 0, SEEK_SET) < 0)
                return -errno;
        /* The pages stay in the cache: whoever records a trace will mostly read it soon. */
        (void) posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
        for (;;) {
                ssize_t n;

                if (atomic_load(&store->background_cancelled))
                        return -ECANCELED;
                n = read(fd, chunk, CHUNK_SIZE);

                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                if (n == 0)
                        break;
                gcry_md_write(md, chunk, (size_t) n);
        }

        bytes = gcry_md_read(md, GCRY_MD_SHA256);
        if (!bytes)
                return -EIO;
        for (size_t i = 0; i < SHA256_SIZE; i++)
                (void) snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
        return 0;
}

void store_cancel_background(Store *store) {
        atomic_store(&store->background_cancelled, true);
}

int store_digest_segment(Store *store, const char *capture_id, uint64_t number, Error *error, char ret[static 65]) {
        char text[2 * SHA256_SIZE + 1];
        CLEANUP_CLOSE int fd = -1;
        int r;

        r = store_open_segment(store, capture_id, number, error, &fd);
        if (r < 0)
                return r;
        /* Not every segment was synced when it was closed; a digest of what a power cut can take is worth nothing. */
        r = fdatasync(fd) < 0 ? -errno : store_digest(store, fd, text);
        if (r < 0)
                return error_set_errno(error, r, "Failed to compute the checksum of segment %llu of capture %s",
                                       (unsigned long long) number, capture_id);
        memcpy(ret, text, sizeof(text));
        return 0;
}
