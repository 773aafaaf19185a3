/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "core/mailbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/eventfd.h>

struct Mailbox {
        pthread_mutex_t lock;
        MailboxItem *head;
        MailboxItem **tail; /* where the next item is linked in */
        int fd;
};

int mailbox_new(Mailbox **ret) {
        CLEANUP_FREE Mailbox *mailbox = calloc(1, sizeof(*mailbox));
        int r;

        if (!mailbox)
                return -ENOMEM;
        mailbox->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (mailbox->fd < 0)
                return -errno;
        r = pthread_mutex_init(&mailbox->lock, NULL);
        if (r != 0) {
                (void) close(mailbox->fd);
                return -r;
        }
        mailbox->tail = &mailbox->head;
        *ret = STEAL_PTR(mailbox);
        return 0;
}

void mailbox_free(Mailbox *mailbox) {
        if (!mailbox)
                return;
        for (MailboxItem *item = mailbox->head, *next; item; item = next) {
                next = item->next;
                if (item->free)
                        item->free(item);
        }
        (void) pthread_mutex_destroy(&mailbox->lock);
        (void) close(mailbox->fd);
        free(mailbox);
}

int mailbox_fd(const Mailbox *mailbox) {
        return mailbox->fd;
}

/* The descriptor is readable exactly while the queue has items; both change under the lock. */
void mailbox_post(Mailbox *mailbox, MailboxItem *item) {
        item->next = NULL;
        (void) pthread_mutex_lock(&mailbox->lock);
        if (!mailbox->head)
                (void) eventfd_write(mailbox->fd, 1);
        *mailbox->tail = item;
        mailbox->tail = &item->next;
        (void) pthread_mutex_unlock(&mailbox->lock);
}

MailboxItem *mailbox_take(Mailbox *mailbox) {
        MailboxItem *item;

        (void) pthread_mutex_lock(&mailbox->lock);
        item = mailbox->head;
        if (item) {
                mailbox->head = item->next;
                if (!mailbox->head) {
                        eventfd_t count;

                        mailbox->tail = &mailbox->head;
                        (void) eventfd_read(mailbox->fd, &count);
                }
                item->next = NULL;
        }
        (void) pthread_mutex_unlock(&mailbox->lock);
        return item;
}
