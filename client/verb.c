/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/verb.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ktraced/cleanup.h"

int verb_dispatch(const Verb *verbs, size_t n_verbs, const char *what, Globals *globals, int argc, char *argv[]) {
        ParseResult result;
        const char *name;
        int next;

        result = globals_parse_leading(globals, argc, argv, &next);
        if (result != PARSE_GO_ON)
                return parse_result_to_exit(result);
        if (next >= argc) {
                char *empty[] = { argv[0], NULL };

                return verbs[0].run(globals, 1, empty);
        }

        name = argv[next];
        for (size_t i = 0; i < n_verbs; i++)
                if (strcmp(verbs[i].name, name) == 0) {
                        argv[next] = argv[0];
                        return verbs[i].run(globals, argc - next, argv + next);
                }
        return verb_usage("Unknown %s '%s'. See 'ktracectl --help'.", what, name);
}

/* `what` is NULL when there is no memory left to say it. */
static void __attribute__((format(printf, 1, 0))) print_failure(const char *format, va_list ap, const char *reason) {
        CLEANUP_FREE char *what = NULL;

        if (vasprintf(&what, format, ap) < 0)
                what = NULL;
        (void) fflush(stdout);
        (void) fprintf(stderr, "Failed to %s: %s\n", what ?: "go on", reason);
}

int verb_failed(const Error *error, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        print_failure(format, ap, error_text(error));
        va_end(ap);
        return EXIT_FAILURE;
}

int verb_failed_errno(int r, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        print_failure(format, ap, strerror(abs(r)));
        va_end(ap);
        return EXIT_FAILURE;
}

int verb_usage(const char *format, ...) {
        CLEANUP_FREE char *sentence = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&sentence, format, ap) < 0)
                sentence = NULL;
        va_end(ap);
        (void) fprintf(stderr, "%s\n", sentence ?: "Out of memory.");
        return EXIT_USAGE;
}
