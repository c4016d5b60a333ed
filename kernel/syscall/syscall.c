/* SPDX-License-Identifier: MIT */
/* Dispatch: the registers become arguments, as list.h has them, and the numbers a table. */
#include "kernel/syscall/syscall.h"

#include "arch/x86/upcalls.h"
#include "base/log.h"
#include "kernel/task/task.h"
#include "uapi/errno.h"

/* One more than the highest number of Linux 6.12. */
#define SYSCALL_COUNT 463

/* Six arguments as the registers held them. */
typedef long (*syscall_fn)(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f);

/* The low bytes of a register as a value of this type, a one-member structure included. */
#define ARGUMENT(type, value) \
    (((union {                \
         uint64_t raw;        \
         type as;             \
     }){ .raw = (value) })    \
         .as)

/* ---- One adapter a call: call_NAME() ------------------------------------ */

#define ADAPTER(name) \
    static long call_##name(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
#define SYSCALL0(number, name) \
    ADAPTER(name) { return sys_##name(); }
#define SYSCALL1(number, name, t1, a1) \
    ADAPTER(name) { return sys_##name(ARGUMENT(t1, a)); }
#define SYSCALL2(number, name, t1, a1, t2, a2) \
    ADAPTER(name) { return sys_##name(ARGUMENT(t1, a), ARGUMENT(t2, b)); }
#define SYSCALL3(number, name, t1, a1, t2, a2, t3, a3) \
    ADAPTER(name) { return sys_##name(ARGUMENT(t1, a), ARGUMENT(t2, b), ARGUMENT(t3, c)); }
#define SYSCALL4(number, name, t1, a1, t2, a2, t3, a3, t4, a4)                                 \
    ADAPTER(name)                                                                              \
    {                                                                                          \
        return sys_##name(ARGUMENT(t1, a), ARGUMENT(t2, b), ARGUMENT(t3, c), ARGUMENT(t4, d)); \
    }
#define SYSCALL5(number, name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5)                        \
    ADAPTER(name)                                                                             \
    {                                                                                         \
        return sys_##name(ARGUMENT(t1, a), ARGUMENT(t2, b), ARGUMENT(t3, c), ARGUMENT(t4, d), \
                          ARGUMENT(t5, e));                                                   \
    }
#define SYSCALL6(number, name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, t6, a6)                \
    ADAPTER(name)                                                                             \
    {                                                                                         \
        return sys_##name(ARGUMENT(t1, a), ARGUMENT(t2, b), ARGUMENT(t3, c), ARGUMENT(t4, d), \
                          ARGUMENT(t5, e), ARGUMENT(t6, f));                                  \
    }
#include "kernel/syscall/list.h"
#undef SYSCALL0
#undef SYSCALL1
#undef SYSCALL2
#undef SYSCALL3
#undef SYSCALL4
#undef SYSCALL5
#undef SYSCALL6

/* ---- The tables --------------------------------------------------------- */

/* From list.h's entry for a call, only its number and name. */
#define SYSCALL0(...) ENTRY(__VA_ARGS__, )
#define SYSCALL1(...) ENTRY(__VA_ARGS__)
#define SYSCALL2(...) ENTRY(__VA_ARGS__)
#define SYSCALL3(...) ENTRY(__VA_ARGS__)
#define SYSCALL4(...) ENTRY(__VA_ARGS__)
#define SYSCALL5(...) ENTRY(__VA_ARGS__)
#define SYSCALL6(...) ENTRY(__VA_ARGS__)

#define ENTRY(number, name, ...) [number] = call_##name,
static const syscall_fn table[SYSCALL_COUNT] = {
#include "kernel/syscall/list.h"
};
#undef ENTRY

#define ENTRY(number, name, ...) [number] = #name,
#define ABSENT(number, name)     [number] = #name,
static const char *const names[SYSCALL_COUNT] = {
#include "kernel/syscall/absent.h"
#include "kernel/syscall/list.h"
};

const char *syscall_name(uint64_t number) { return number < SYSCALL_COUNT ? names[number] : NULL; }

/* ---- Dispatch ----------------------------------------------------------- */

#define MEMBARRIER 324
#define RSEQ       334

/* C libraries try these calls and manage without them. */
static bool quiet(uint64_t number) { return number == MEMBARRIER || number == RSEQ; }

/* Logs each missing number once. */
static COLD long not_implemented(uint64_t number)
{
    static uint8_t logged[SYSCALL_COUNT];
    if (number >= SYSCALL_COUNT || quiet(number)
        || __atomic_exchange_n(&logged[number], 1, __ATOMIC_RELAXED))
        return -ENOSYS;
    const char *name = syscall_name(number);
    log_line("syscall: %s (number %lu) is not implemented (pid %d)", name ? name : "?", number,
             arch_current_pid());
    return -ENOSYS;
}

void entry_syscall(struct trap_frame *frame)
{
    uint64_t number = frame->rax;
    if (__builtin_expect(number >= SYSCALL_COUNT || !table[number], 0))
        frame->rax = (uint64_t)not_implemented(number);
    else
        frame->rax = (uint64_t)table[number](frame->rdi, frame->rsi, frame->rdx, frame->r10,
                                             frame->r8, frame->r9);
}
