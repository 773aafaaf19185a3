/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * HistParser: the text of a histogram as it is read. For hist-trigger.c and hist-action.c only; the grammar stands in
 * hist-trigger.h.
 */

#include "core/hist-trigger.h"

#define HIST_NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

typedef struct HistParser {
        const char *at; /* what comes next, in trigger->text */
        HistTrigger *trigger;
        Error *error;
} HistParser;

/* Sets the error, with a mark below `at`. Returns -EINVAL. */
int hist_parser_wrong(const HistParser *parser, const char *at, const char *why);

/* Notes a word that begins at `at`. -ENOMEM. */
int hist_parser_note(const HistParser *parser, HistWordKind kind, const char *at, size_t length);

/* How long the name at `at` is; 0: there is none. */
size_t hist_name_length(const char *at);
bool hist_word_is(const char *at, size_t length, const char *word);

/* Takes "HANDLER(...).ACTION(...)". */
int hist_action_take(HistParser *parser);
bool hist_action_begins(const char *at);
void hist_action_clear(HistAction *action);
