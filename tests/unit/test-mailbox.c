/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>

#include "core/mailbox.h"

typedef struct Letter {
        MailboxItem item;
        unsigned sender, number;
} Letter;

static void letter_free(MailboxItem *item) {
        free((Letter *) item);
}

static Letter *letter_new(unsigned sender, unsigned number) {
        Letter *letter = calloc(1, sizeof(*letter));

        assert_non_null(letter);
        *letter = (Letter){ .item.free = letter_free, .sender = sender, .number = number };
        return letter;
}

static bool is_readable(const Mailbox *mailbox) {
        struct pollfd fd = { .fd = mailbox_fd(mailbox), .events = POLLIN };

        return poll(&fd, 1, 0) == 1;
}

static void test_order_and_wakeup(void **state) {
        CLEANUP(mailbox_freep) Mailbox *mailbox = NULL;

        assert_int_equal(mailbox_new(&mailbox), 0);
        assert_false(is_readable(mailbox));
        assert_null(mailbox_take(mailbox));
        for (unsigned i = 0; i < 3; i++)
                mailbox_post(mailbox, &letter_new(0, i)->item);
        for (unsigned i = 0; i < 3; i++) {
                CLEANUP_FREE Letter *letter = NULL;

                assert_true(is_readable(mailbox));
                letter = (Letter *) mailbox_take(mailbox);
                assert_non_null(letter);
                assert_int_equal(letter->number, i);
        }
        assert_false(is_readable(mailbox));
        assert_null(mailbox_take(mailbox));

        mailbox_post(mailbox, &letter_new(0, 9)->item);
        assert_true(is_readable(mailbox));
        /* mailbox_free() releases the letter that is left; the leak checker would tell. */
}

#define N_SENDERS 4U
#define N_LETTERS 10000U

typedef struct Sender {
        Mailbox *mailbox;
        unsigned id;
} Sender;

static void *send_letters(void *data) {
        const Sender *sender = data;

        for (unsigned i = 0; i < N_LETTERS; i++) {
                Letter *letter = calloc(1, sizeof(*letter));

                if (!letter)
                        return NULL;
                *letter = (Letter){ .item.free = letter_free, .sender = sender->id, .number = i };
                mailbox_post(sender->mailbox, &letter->item);
        }
        return data;
}

/* Nothing is lost, each sender's letters keep their order, and the descriptor never sleeps on a letter. */
static void test_threads(void **state) {
        CLEANUP(mailbox_freep) Mailbox *mailbox = NULL;
        pthread_t threads[N_SENDERS];
        Sender senders[N_SENDERS];
        unsigned next[N_SENDERS] = { 0 };

        assert_int_equal(mailbox_new(&mailbox), 0);
        for (unsigned i = 0; i < N_SENDERS; i++) {
                senders[i] = (Sender){ .mailbox = mailbox, .id = i };
                assert_int_equal(pthread_create(threads + i, NULL, send_letters, senders + i), 0);
        }
        for (unsigned n = 0; n < N_SENDERS * N_LETTERS;) {
                struct pollfd fd = { .fd = mailbox_fd(mailbox), .events = POLLIN };
                MailboxItem *item;

                assert_int_equal(poll(&fd, 1, 10000), 1);
                while ((item = mailbox_take(mailbox))) {
                        CLEANUP_FREE Letter *letter = (Letter *) item;

                        assert_int_equal(letter->number, next[letter->sender]);
                        next[letter->sender]++;
                        n++;
                }
        }
        for (unsigned i = 0; i < N_SENDERS; i++) {
                void *result;

                assert_int_equal(pthread_join(threads[i], &result), 0);
                assert_ptr_equal(result, senders + i);
                assert_int_equal(next[i], N_LETTERS);
        }
        assert_null(mailbox_take(mailbox));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_order_and_wakeup),
                cmocka_unit_test(test_threads),
        };

        return cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
}
