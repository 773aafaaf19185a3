/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "capture/page-events.h"

#include <errno.h>
#include <traceevent/kbuffer.h>

int page_events_count(const void *page, size_t size, uint64_t *ret) {
        struct kbuffer *kbuffer;
        unsigned long long time;
        uint64_t n = 0;
        int r = 0;

        kbuffer = kbuffer_alloc(sizeof(long) == 8 ? KBUFFER_LSIZE_8 : KBUFFER_LSIZE_4,
                                __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? KBUFFER_ENDIAN_BIG : KBUFFER_ENDIAN_LITTLE);
        if (!kbuffer)
                return -ENOMEM;
        /* It takes the page for not const, but only reads. */
        if (kbuffer_load_subbuffer(kbuffer, (void *) page) < 0 ||
            (size_t) kbuffer_start_of_data(kbuffer) + (size_t) kbuffer_subbuffer_size(kbuffer) > size)
                r = -EBADMSG;
        else
                for (void *event = kbuffer_read_event(kbuffer, &time); event;
                     event = kbuffer_next_event(kbuffer, &time))
                        n++;
        kbuffer_free(kbuffer);
        if (r < 0)
                return r;
        *ret = n;
        return 0;
}
