/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Mailbox: a queue between two threads, woken by an eventfd. It is the only thing that threads of the
 * daemon share.
 *
 * Any thread may post; one thread takes. Neither ever waits for the other, however slowly it runs. The poster embeds
 * a MailboxItem as the first member of its message and gives the message up; the taker owns it.
 *
 * Life cycle: mailbox_new(); poll mailbox_fd() for POLLIN; mailbox_take() until NULL; mailbox_free()
 * once no thread is posting or will. Items left are freed with the function that they were posted with.
 */

#include <stddef.h>

#include "ktraced/cleanup.h"

typedef struct Mailbox Mailbox;
typedef struct MailboxItem MailboxItem;

struct MailboxItem {
        MailboxItem *next;
        void (*free)(MailboxItem *item);
};

int mailbox_new(Mailbox **ret);
void mailbox_free(Mailbox *mailbox);
DEFINE_POINTER_CLEANUP(Mailbox, mailbox_free);
int mailbox_fd(const Mailbox *mailbox);
void mailbox_post(Mailbox *mailbox, MailboxItem *item); /* cannot fail */
MailboxItem *mailbox_take(Mailbox *mailbox);            /* NULL when empty; never blocks */
