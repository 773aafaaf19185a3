/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * JournalReader: the entries with one MESSAGE_ID that come into the system's journal from now on (sd-journal(3)).
 *
 * Life cycle: journal_reader_new(), journal_reader_read() when the descriptor is readable, journal_reader_free(). All
 * of them read files, and sd-journal wants them to be called by one thread; the descriptor can be polled by any.
 */

#include <stddef.h>

#include "core/error.h"

typedef struct JournalReader JournalReader;

/* `message_id`: 32 hexadecimal digits. */
int journal_reader_new(const char *message_id, Error *error, JournalReader **ret);
void journal_reader_free(JournalReader *reader);
DEFINE_POINTER_CLEANUP(JournalReader, journal_reader_free);

/* To be polled for EPOLLIN: some entry has come, which need not be one of those. */
int journal_reader_fd(const JournalReader *reader);

/* Reads on. *ret_n: how many there were; *ret_last: the MESSAGE of the newest, printable; NULL when there is none. */
int journal_reader_read(JournalReader *reader, size_t *ret_n, char **ret_last);
