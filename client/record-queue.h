/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * RecordQueue: the records of one CPU that have come in pages of the kernel's ring buffer and were not taken yet, in
 * their order.
 *
 * Pages are taken apart by libtraceevent, which believes what stands in them: whoever must outlive a hostile one does
 * it in a process of its own.
 *
 * Life cycle: zero-initialised is empty; record_queue_add_page(); record_queue_take() until NULL, each freed with
 * record_queue_free(); record_queue_clear().
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event-parse.h>

typedef struct QueuedRecord QueuedRecord;
TAILQ_HEAD(QueuedRecords, QueuedRecord);

typedef struct RecordQueue {
        int cpu;
        struct QueuedRecords records;
        long long lost; /* events that the next record stands behind; -1: it is not known how many */
} RecordQueue;

void record_queue_init(RecordQueue *queue, int cpu);
void record_queue_clear(RecordQueue *queue);
/* *ret_last: the time stamp of its last record, unchanged when it has none. Or -ENOMEM; -EBADMSG, with which nothing
 * of it is kept. */
int record_queue_add_page(RecordQueue *queue, const void *page, size_t size, uint64_t *ret_last);
/* The next record of a page, too, comes behind events that are missing. */
void record_queue_add_lost(RecordQueue *queue, uint64_t events);
/* The caller's, by record_queue_free(), which takes NULL. */
struct tep_record *record_queue_take(RecordQueue *queue);
void record_queue_free(struct tep_record *record);
