/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "capture/page-events.h"

#include <errno.h>
#include <string.h>
#include <traceevent/kbuffer.h>

/* NULL `counts`: of no interest. */
static void count_events(struct kbuffer *kbuffer, uint32_t *counts, uint64_t *ret) {
        unsigned long long time;
        uint64_t n = 0;

        for (void *event = kbuffer_read_event(kbuffer, &time); event; event = kbuffer_next_event(kbuffer, &time)) {
                uint16_t type;

                n++;
                if (!counts || kbuffer_event_size(kbuffer) < (int) sizeof(type))
                        continue;
                memcpy(&type, event, sizeof(type));
                counts[type]++;
        }
        *ret = n;
}

static int read_page(const void *page, size_t size, uint32_t *counts, uint64_t *ret, uint64_t *ret_bytes) {
        struct kbuffer *kbuffer;
        int r = 0;

        kbuffer = kbuffer_alloc(sizeof(long) == 8 ? KBUFFER_LSIZE_8 : KBUFFER_LSIZE_4,
                                __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? KBUFFER_ENDIAN_BIG : KBUFFER_ENDIAN_LITTLE);
        if (!kbuffer)
                return -ENOMEM;
        /* It takes the page for not const, but only reads. */
        if (kbuffer_load_subbuffer(kbuffer, (void *) page) < 0 ||
            (size_t) kbuffer_start_of_data(kbuffer) + (size_t) kbuffer_subbuffer_size(kbuffer) > size)
                r = -EBADMSG;
        else {
                count_events(kbuffer, counts, ret);
                *ret_bytes = (uint64_t) kbuffer_subbuffer_size(kbuffer);
        }
        kbuffer_free(kbuffer);
        return r;
}

int page_events_count(const void *page, size_t size, uint64_t *ret) {
        uint64_t bytes;

        return read_page(page, size, NULL, ret, &bytes);
}

int page_events_count_types(const void *page, size_t size, uint32_t *counts, uint64_t *ret, uint64_t *ret_bytes) {
        return read_page(page, size, counts, ret, ret_bytes);
}
