/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A program whose stack is known: main() calls outer(), outer() calls inner(), and inner() calls getpgid(0x5e1f0),
 * which fails, as often as the argument says. Built with frame pointers and at a fixed address, so that what the
 * kernel sees of the stack can be held against nm(1).
 */

#include <stdlib.h>
#include <sys/syscall.h>

#define MARK 0x5e1f0

int inner(int n);
int outer(int n);

__attribute__((noinline, noclone)) int inner(int n) {
        long result = SYS_getpgid;

        /* That its address is asked for gives this function, which calls none, a frame. */
        __asm__ volatile("syscall"
                         : "+a"(result)
                         : "D"((long) MARK), "r"(__builtin_frame_address(0))
                         : "rcx", "r11", "memory");
        return n + (result < 0);
}

__attribute__((noinline, noclone)) int outer(int n) {
        /* What comes after the call keeps it from becoming a jump. */
        return inner(n) + 1;
}

int main(int argc, char **argv) {
        int n_calls = argc > 1 ? atoi(argv[1]) : 0, sum = 0;

        for (int i = 0; i < n_calls; i++)
                sum += outer(i);
        return sum < 0;
}
