/* SPDX-License-Identifier: MIT */
/* Linux's signal numbers, si_codes and structures (x86-64). */
#ifndef UAPI_SIGNAL_H
#define UAPI_SIGNAL_H

#include "base/types.h"

#define SIGHUP       1
#define SIGINT       2
#define SIGQUIT      3
#define SIGILL       4
#define SIGTRAP      5
#define SIGABRT      6
#define SIGBUS       7
#define SIGFPE       8
#define SIGKILL      9
#define SIGUSR1      10
#define SIGSEGV      11
#define SIGUSR2      12
#define SIGPIPE      13
#define SIGALRM      14
#define SIGTERM      15
#define SIGSTKFLT    16
#define SIGCHLD      17
#define SIGCONT      18
#define SIGSTOP      19
#define SIGTSTP      20
#define SIGTTIN      21
#define SIGTTOU      22
#define SIGURG       23
#define SIGXCPU      24
#define SIGXFSZ      25
#define SIGVTALRM    26
#define SIGPROF      27
#define SIGWINCH     28
#define SIGIO        29
#define SIGPWR       30
#define SIGSYS       31
#define SIGRTMIN     32
#define SIGNAL_COUNT 64

#define SIG_DFL 0
#define SIG_IGN 1

#define SA_NOCLDSTOP 0x00000001
#define SA_NOCLDWAIT 0x00000002
#define SA_SIGINFO   0x00000004
#define SA_IA32      0x02000000ull /* the kernel's own mark: set by 32-bit code, for itself */
#define SA_RESTORER  0x04000000
#define SA_ONSTACK   0x08000000
#define SA_RESTART   0x10000000
#define SA_NODEFER   0x40000000
#define SA_RESETHAND 0x80000000

#define SS_ONSTACK    1
#define SS_DISABLE    2
#define SS_AUTODISARM 0x80000000u
#define MINSIGSTKSZ   2048

#define SIG_BLOCK   0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

#define SEGV_MAPERR   1
#define SEGV_ACCERR   2
#define SEGV_CPERR    10
#define BUS_ADRERR    2
#define ILL_ILLOPN    2
#define FPE_INTDIV    1
#define FPE_FLTDIV    3
#define FPE_FLTOVF    4
#define FPE_FLTUND    5
#define FPE_FLTRES    6
#define FPE_FLTINV    7
#define TRAP_BRKPT    1
#define TRAP_TRACE    2
#define BUS_ADRALN    1
#define CLD_EXITED    1
#define CLD_KILLED    2
#define CLD_TRAPPED   4
#define CLD_STOPPED   5
#define CLD_CONTINUED 6

#define SI_USER   0
#define SI_KERNEL 0x80
#define SI_TIMER  (-2)
#define SI_TKILL  (-6)

/* The part of siginfo_t that is in use; the rest of its 128 bytes is zero. */
struct siginfo {
    int32_t signo, error, code, pad;
    union {
        struct {
            int32_t pid;  /* or a timer's number */
            uint32_t uid; /* or a timer's overruns */
        };
        uint64_t addr;
    };
    uint64_t value; /* or a child's status */
    uint64_t utime, stime;
};
#define SIGINFO_BYTES 128

struct stack_info {
    uint64_t base;
    uint32_t flags, pad;
    uint64_t bytes;
};
static inline bool stack_info_holds(const struct stack_info *stack, uint64_t sp)
{
    return sp > stack->base && sp - stack->base <= stack->bytes;
}

#endif
