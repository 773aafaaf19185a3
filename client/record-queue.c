/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/record-queue.h"

#include <errno.h>
#include <kbuffer.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "ktraced/cleanup.h"

struct QueuedRecord {
        struct tep_record record; /* first */
        TAILQ_ENTRY(QueuedRecord) records;
        char data[];
};

void record_queue_init(RecordQueue *queue, int cpu) {
        *queue = (RecordQueue){ .cpu = cpu };
        TAILQ_INIT(&queue->records);
}

static void clear_records(struct QueuedRecords *records) {
        QueuedRecord *record;

        while ((record = TAILQ_FIRST(records))) {
                TAILQ_REMOVE(records, record, records);
                free(record);
        }
}

void record_queue_clear(RecordQueue *queue) {
        clear_records(&queue->records);
}

static int add_record(struct QueuedRecords *records, int cpu, const void *data, size_t size, unsigned long long ts) {
        QueuedRecord *record = malloc(sizeof(*record) + size);

        if (!record)
                return -ENOMEM;
        record->record = (struct tep_record){
                .ts = ts,
                .record_size = (int) size,
                .size = (int) size,
                .data = record->data,
                .cpu = cpu,
                .ref_count = 1,
        };
        memcpy(record->data, data, size);
        TAILQ_INSERT_TAIL(records, record, records);
        return 0;
}

static int read_records(struct kbuffer *kbuffer, const char *page, size_t size, int cpu,
                        struct QueuedRecords *records) {
        unsigned long long ts;

        for (const char *data = kbuffer_read_event(kbuffer, &ts); data; data = kbuffer_next_event(kbuffer, &ts)) {
                int n = kbuffer_event_size(kbuffer), r;

                if (n < 0 || data < page || data > page + size || (size_t) n > (size_t) (page + size - data))
                        return -EBADMSG;
                r = add_record(records, cpu, data, (size_t) n, ts);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int load(struct kbuffer *kbuffer, const void *page, size_t size) {
        /* It takes the page for not const, but only reads. */
        if (kbuffer_load_subbuffer(kbuffer, (void *) page) < 0 || kbuffer_subbuffer_size(kbuffer) < 0 ||
            (size_t) kbuffer_start_of_data(kbuffer) + (size_t) kbuffer_subbuffer_size(kbuffer) > size)
                return -EBADMSG;
        return 0;
}

static void set_lost(RecordQueue *queue, long long missed) {
        if (missed < 0 || queue->lost < 0)
                queue->lost = -1;
        else
                queue->lost += missed;
}

int record_queue_add_page(RecordQueue *queue, const void *page, size_t size, uint64_t *ret_last) {
        struct QueuedRecords records = TAILQ_HEAD_INITIALIZER(records);
        struct kbuffer *kbuffer;
        QueuedRecord *first;
        int r;

        /* The header: a time stamp, and how much is filled. */
        if (size < sizeof(uint64_t) + sizeof(long))
                return -EBADMSG;
        kbuffer = kbuffer_alloc(sizeof(long) == 8 ? KBUFFER_LSIZE_8 : KBUFFER_LSIZE_4,
                                __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? KBUFFER_ENDIAN_BIG : KBUFFER_ENDIAN_LITTLE);
        if (!kbuffer)
                return -ENOMEM;
        r = load(kbuffer, page, size);
        if (r >= 0) {
                set_lost(queue, kbuffer_missed_events(kbuffer));
                r = read_records(kbuffer, page, size, queue->cpu, &records);
        }
        kbuffer_free(kbuffer);
        if (r < 0) {
                clear_records(&records);
                return r;
        }
        first = TAILQ_FIRST(&records);
        if (!first)
                return 0;
        first->record.missed_events = queue->lost;
        queue->lost = 0;
        *ret_last = TAILQ_LAST(&records, QueuedRecords)->record.ts;
        TAILQ_CONCAT(&queue->records, &records, records);
        return 0;
}

void record_queue_add_lost(RecordQueue *queue, uint64_t events) {
        set_lost(queue, events > 0 && events <= LLONG_MAX / 2 ? (long long) events : -1);
}

struct tep_record *record_queue_take(RecordQueue *queue) {
        QueuedRecord *record = TAILQ_FIRST(&queue->records);

        if (!record)
                return NULL;
        TAILQ_REMOVE(&queue->records, record, records);
        return &record->record;
}

void record_queue_free(struct tep_record *record) {
        free((QueuedRecord *) record);
}
