/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A program to put probes on: `probed CALLS` says "ready", and for each byte that it reads calls probed_function()
 * CALLS times, with 0, 1, 2 ... and a text, and says "done". probed_function() returns three times its first
 * argument.
 */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

long probed_function(long number, const char *text);

__attribute__((noinline, noclone)) long probed_function(long number, const char *text) {
        /* Opaque to the compiler: the arguments are passed and the function is called. */
        __asm__ volatile("" : "+r"(number) : "r"(text) : "memory");
        return 3 * number;
}

int main(int argc, char **argv) {
        long n_calls = argc > 1 ? strtol(argv[1], NULL, 10) : 0, sum = 0;
        char byte;

        (void) printf("ready\n");
        (void) fflush(stdout);
        while (read(STDIN_FILENO, &byte, 1) == 1) {
                for (long i = 0; i < n_calls; i++)
                        sum += probed_function(i, "a text");
                (void) printf("done\n");
                (void) fflush(stdout);
        }
        return sum < 0;
}
