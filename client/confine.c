/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client/confine.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "ktraced/cleanup.h"

#if defined(__x86_64__) && !defined(__ILP32__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#elif defined(__s390x__)
#define ARCHITECTURE AUDIT_ARCH_S390X
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARCHITECTURE AUDIT_ARCH_PPC64LE
#endif

#ifdef ARCHITECTURE

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)
#define ALLOW(call) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1), RETURN(SECCOMP_RET_ALLOW)

int confine_process(void) {
        struct sock_filter filter[] = {
                LOAD(arch),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
                RETURN(SECCOMP_RET_KILL_PROCESS),
                LOAD(nr),
                ALLOW(SYS_read),
                ALLOW(SYS_write),
#ifdef SYS_poll
                ALLOW(SYS_poll),
#endif
                ALLOW(SYS_ppoll),
                ALLOW(SYS_brk),
                ALLOW(SYS_mmap),
                ALLOW(SYS_mremap),
                ALLOW(SYS_munmap),
                ALLOW(SYS_madvise),
                ALLOW(SYS_futex),
                ALLOW(SYS_clock_gettime),
                ALLOW(SYS_setitimer),
                ALLOW(SYS_restart_syscall),
                ALLOW(SYS_rt_sigreturn),
                ALLOW(SYS_exit),
                ALLOW(SYS_exit_group),
                RETURN(SECCOMP_RET_ERRNO | EPERM),
        };
        struct sock_fprog program = { .len = ELEMENTSOF(filter), .filter = filter };

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0)
                return -errno;
        return 0;
}

#else

int confine_process(void) {
        return -ENOTSUP;
}

#endif
