/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/journal-reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-journal.h>

#include "core/text.h"

#define MESSAGE "MESSAGE="
#define MESSAGE_SHOWN 256U

struct JournalReader {
        sd_journal *journal;
        int fd;
};

void journal_reader_free(JournalReader *reader) {
        if (!reader)
                return;
        sd_journal_close(reader->journal);
        free(reader);
}

/* To the end of what there is. With no entry of that kind there is no such place: then all that there will be. */
static int seek_end(sd_journal *journal) {
        int r = sd_journal_seek_tail(journal);

        if (r >= 0)
                r = sd_journal_previous(journal);
        return r == 0 ? sd_journal_seek_head(journal) : r;
}

static int set_up(JournalReader *reader, const char *message_id) {
        CLEANUP_FREE char *match = NULL;
        int r;

        if (asprintf(&match, "MESSAGE_ID=%s", message_id) < 0) {
                match = NULL;
                return -ENOMEM;
        }
        r = sd_journal_open(&reader->journal, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);
        if (r >= 0)
                r = sd_journal_add_match(reader->journal, match, 0);
        if (r >= 0)
                r = seek_end(reader->journal);
        if (r >= 0)
                r = sd_journal_get_fd(reader->journal);
        if (r >= 0)
                reader->fd = r;
        return r;
}

int journal_reader_new(const char *message_id, Error *error, JournalReader **ret) {
        CLEANUP(journal_reader_freep) JournalReader *reader = calloc(1, sizeof(*reader));
        int r = reader ? set_up(reader, message_id) : -ENOMEM;

        if (r < 0)
                return error_set_errno(error, r, "Cannot read the journal");
        *ret = STEAL_PTR(reader);
        return 0;
}

int journal_reader_fd(const JournalReader *reader) {
        return reader->fd;
}

static int read_message(sd_journal *journal, char **ret) {
        char shown[MESSAGE_SHOWN], *copy;
        const void *data;
        size_t length;
        int r = sd_journal_get_data(journal, "MESSAGE", &data, &length);

        if (r == -ENOENT || length <= strlen(MESSAGE))
                return 0;
        if (r < 0)
                return r;
        copy = strndup((const char *) data + strlen(MESSAGE), length - strlen(MESSAGE));
        if (!copy)
                return -ENOMEM;
        (void) text_escape(copy, shown, sizeof(shown));
        free(copy);
        copy = strdup(shown);
        if (!copy)
                return -ENOMEM;
        free(*ret);
        *ret = copy;
        return 0;
}

int journal_reader_read(JournalReader *reader, size_t *ret_n, char **ret_last) {
        CLEANUP_FREE char *last = NULL;
        size_t n = 0;
        int r = sd_journal_process(reader->journal);

        while (r >= 0 && (r = sd_journal_next(reader->journal)) > 0) {
                n++;
                r = read_message(reader->journal, &last);
        }
        if (r < 0)
                return r;
        *ret_n = n;
        *ret_last = STEAL_PTR(last);
        return 0;
}
