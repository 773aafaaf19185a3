/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fuzz.h"

#include "core/hist-trigger.h"

/* What was made for the kernel is a histogram of its own, and makes the same again. */
static void check_format(const HistTrigger *trigger) {
        CLEANUP(hist_trigger_clear) HistTrigger again = { 0 };
        CLEANUP_FREE char *command = NULL, *text = NULL, *second = NULL;

        FUZZ_CHECK(hist_trigger_format(trigger, &command) == 0);
        FUZZ_CHECK(strncmp(command, "hist:", 5) == 0);
        text = malloc(strlen(command) + 1);
        FUZZ_CHECK(text);
        strcpy(stpcpy(text, "a "), command + 5);
        /* It may have become longer than a client's may be. */
        if (hist_trigger_parse(text, NULL, &again) < 0)
                return;
        FUZZ_CHECK(hist_trigger_format(&again, &second) == 0 && strcmp(command, second) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const FilterField fields[] = { { .name = "pid" } };
        CLEANUP_FREE char *text = fuzz_text(data, size);
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(hist_trigger_clear) HistTrigger trigger = { 0 };
        char *list[] = { text, text, NULL }, definition[] = "wakeup u64 lat; pid_t pid";
        char *definitions[] = { definition, NULL };
        int r = hist_trigger_parse(text, &error, &trigger);

        fuzz_check_error(&error, r, 3);
        (void) hist_triggers_check(list, definitions, NULL);
        if (r < 0)
                return 0;
        for (size_t i = 0; i < trigger.n_words; i++)
                FUZZ_CHECK(strncmp(text + trigger.words[i].at, trigger.words[i].name,
                                   strlen(trigger.words[i].name)) == 0);
        (void) hist_trigger_check_fields(&trigger, fields, 1, NULL);
        for (size_t i = 0; i < trigger.n_actions; i++)
                (void) hist_trigger_check_parameters(&trigger, i, fields, 1, fields, 1, NULL);
        check_format(&trigger);
        return 0;
}
