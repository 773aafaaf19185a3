/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/mailbox.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/*
 * No lock: a thread of low priority that holds one can be kept from running for seconds by whoever computes
 * at normal priority, and the event loop would wait for it all that time.
 *
 * Posters push onto `posted`. The taker moves all of it at once to `taken`, in the order of posting.
 */
struct Mailbox {
        _Atomic(MailboxItem *) posted; /* newest first */
        MailboxItem *taken;            /* oldest first; the taker's alone */
        int fd;
};

int mailbox_new(Mailbox **ret) {
        CLEANUP_FREE Mailbox *mailbox = calloc(1, sizeof(*mailbox));

        if (!mailbox)
                return -ENOMEM;
        mailbox->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (mailbox->fd < 0)
                return -errno;
        atomic_init(&mailbox->posted, NULL);
        *ret = STEAL_PTR(mailbox);
        return 0;
}

void mailbox_free(Mailbox *mailbox) {
        MailboxItem *item;

        if (!mailbox)
                return;
        while ((item = mailbox_take(mailbox)))
                if (item->free)
                        item->free(item);
        (void) close(mailbox->fd);
        free(mailbox);
}

int mailbox_fd(const Mailbox *mailbox) {
        return mailbox->fd;
}

/* Each post wakes, also when the queue was not empty: whoever posted before may not have come to it yet. */
void mailbox_post(Mailbox *mailbox, MailboxItem *item) {
        item->next = atomic_load(&mailbox->posted);
        while (!atomic_compare_exchange_weak(&mailbox->posted, &item->next, item))
                ;
        (void) eventfd_write(mailbox->fd, 1);
}

static MailboxItem *take_posted(Mailbox *mailbox) {
        MailboxItem *item = atomic_exchange(&mailbox->posted, NULL), *oldest = NULL;

        while (item) {
                MailboxItem *older = item->next;

                item->next = oldest;
                oldest = item;
                item = older;
        }
        return oldest;
}

/* The queue was found empty. */
static void clear_wakeup(Mailbox *mailbox) {
        eventfd_t count;

        (void) eventfd_read(mailbox->fd, &count);
        /* Posted since then, and its wake-up may just have been taken away. */
        if (atomic_load(&mailbox->posted))
                (void) eventfd_write(mailbox->fd, 1);
}

MailboxItem *mailbox_take(Mailbox *mailbox) {
        MailboxItem *item;

        if (!mailbox->taken)
                mailbox->taken = take_posted(mailbox);
        item = mailbox->taken;
        if (item) {
                mailbox->taken = item->next;
                item->next = NULL;
        }
        if (!mailbox->taken && !atomic_load(&mailbox->posted))
                clear_wakeup(mailbox);
        return item;
}
