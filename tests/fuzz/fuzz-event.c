/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Patterns, separated by spaces, against a small kernel; what stands behind a line break is taken as that
 * kernel's available_events instead. */

#include "fuzz.h"

#include "core/event.h"

static const char some_events[] = "sched:sched_switch\nsched:sched_wakeup\nirq:softirq_entry\nsignal:signal_deliver\n"
                                  "syscalls:sys_enter_openat\nsyscalls:sys_exit_openat\nsyscalls:sys_enter_signal\n";

/* Sorted, without repetition, and every system that occurs is named once. */
static void check_selection(const EventSelection *selection) {
        for (size_t i = 0; i < selection->n_choices; i++) {
                const EventChoice *choice = selection->choices + i;
                int r;

                FUZZ_CHECK(strv_contains(selection->systems, choice->system));
                if (i == 0)
                        continue;
                r = strcmp(choice[-1].system, choice->system);
                FUZZ_CHECK(r < 0 || (r == 0 && strcmp(choice[-1].name, choice->name) < 0));
        }
        for (size_t i = 0; i < strv_length(selection->whole_systems); i++)
                FUZZ_CHECK(strv_contains(selection->systems, selection->whole_systems[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP_FREE char *text = fuzz_text(data, size);
        CLEANUP(error_clear) Error error = ERROR_INIT;
        CLEANUP(event_list_clear) EventList list = { 0 };
        CLEANUP(event_selection_clear) EventSelection selection = { 0 };
        CLEANUP(spec_freep) Spec *spec = NULL;
        CLEANUP(strv_freep) char **patterns = NULL, **matches = NULL;
        char *events = strchr(text, '\n');
        int r;

        if (events)
                *events++ = '\0';
        if (event_list_parse(events ? events : some_events, &list) < 0)
                return 0;
        FUZZ_CHECK(strv_split(text, " ", &patterns) == 0);
        FUZZ_CHECK(spec_new(&spec) == 0);
        r = spec_set(spec, SPEC_EVENTS, &(SpecValue){ .has = SPEC_TYPE_STRINGS, .strings = patterns }, &error);
        if (r == 0)
                r = event_selection_resolve(spec, &list, &error, &selection);
        /* The kernel's names are taken as they are; a suggestion can hold one. */
        if (!events)
                fuzz_check_error(&error, r, 1);
        if (r == 0)
                check_selection(&selection);
        FUZZ_CHECK(r < 0 || (selection.n_choices > 0) == (strv_length(patterns) > 0));
        FUZZ_CHECK(event_pattern_match(text, &list, &matches) == 0);
        return 0;
}
