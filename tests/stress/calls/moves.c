/* SPDX-License-Identifier: MIT */
/*
 * What members of a family do beside system calls: they touch memory as instructions do, handle
 * signals on frames that they change, let allocations fail, and choose how their children are made.
 */
#define _GNU_SOURCE
#include "calls.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "raw.h"

/*
 * Each touches memory at its first argument. A fault between touch_first and touch_last is
 * continued at touch_last. touch_pivot() goes to the shadow stack whose token is there, and back.
 */
void touch_load(uint64_t va, uint64_t value);
void touch_store(uint64_t va, uint64_t value);
void touch_add(uint64_t va, uint64_t value);
void touch_wrss(uint64_t va, uint64_t value);
void touch_pivot(uint64_t va, uint64_t value);
extern const char touch_first[], touch_last[];
__asm__(".text\n"
        "touch_first:\n"
        "touch_load: mov (%rdi), %rax\n ret\n"
        "touch_store: mov %rsi, (%rdi)\n ret\n"
        "touch_add: lock xadd %rsi, (%rdi)\n ret\n"
        "touch_wrss: wrssq %rsi, (%rdi)\n ret\n"
        "touch_pivot: xor %eax, %eax\n"
        "  rdsspq %rax\n"
        "  rstorssp (%rdi)\n"
        "  saveprevssp\n"
        "  rstorssp -8(%rax)\n"
        "  saveprevssp\n"
        "touch_last: ret\n"
        ".global signal_restorer\n"
        "signal_restorer: mov $15, %eax\n"
        "  syscall\n");

/* ---- Signals ------------------------------------------------------------ */

static __thread char handler_stack[16384];
static __thread int handlers; /* that have been called, and have not returned */

/* Change a random word of what rt_sigreturn will read. */
static void frame_forge(ucontext_t *context)
{
    uint64_t *words = below(3) ? (uint64_t *)context : (uint64_t *)context->uc_mcontext.fpregs;
    uint64_t *word = words + below(words == (uint64_t *)context ? 40 : 110);
    if ((uint64_t)words < PAGE)
        return;
    *word = below(2) ? *word ^ 1ul << below(64) : below(2) ? address() : edge();
}

void signal_handler(int signal, void *info, void *frame)
{
    ucontext_t *context = frame;
    uint64_t rip = (uint64_t)context->uc_mcontext.gregs[REG_RIP];
    if (rip >= (uint64_t)touch_first && rip < (uint64_t)touch_last) {
        context->uc_mcontext.gregs[REG_RIP] = (greg_t)touch_last;
        return;
    }
    if (signal == SIGSEGV && ((siginfo_t *)info)->si_code > 0)
        raw1(SYS_exit, 1);
    if (handlers < 2) {
        handlers++;
        call_make();
        handlers--;
    }
    if (below(16) == 0)
        frame_forge(context);
}

void signals_handle(void)
{
    stack_t stack = { .ss_sp = handler_stack, .ss_size = sizeof(handler_stack) };
    struct sigaction action = { .sa_sigaction = (void (*)(int, siginfo_t *, void *))signal_handler,
                                .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
    sigaltstack(&stack, NULL);
    for (int signal = 1; signal <= 64; signal++)
        sigaction(signal, &action, NULL);
}

/* ---- Moves -------------------------------------------------------------- */

static void put(const char *path, const char *text)
{
    int fd = (int)raw3(SYS_open, (long)path, O_WRONLY, 0);
    if (fd < 0)
        return;
    raw_write(fd, text, (long)strlen(text));
    raw1(SYS_close, fd);
}

static void touch(void)
{
    static void (*const touches[])(uint64_t, uint64_t) = { touch_load,  touch_store, touch_add,
                                                           touch_store, touch_wrss,  touch_pivot };
    uint64_t va = address(), value = below(2) ? address() : edge();
    unsigned which = below(rdssp() ? COUNT_OF(touches) : 4);
    if (which == 5 && below(2))
        va = (uint64_t)page(SHADOW_STACK + 1) - 8;
    touches[which](va, value);
}

void move_make(void)
{
    static const char *const ways[] = { "auto", "leaves", "tables" };
    char number[8];
    switch (below(16)) {
    case 0: put("/proc/self/fork", ONE_OF(ways)); break;
    case 1:
    case 2:
        snprintf(number, sizeof(number), "%u", 1 + below(12));
        put("/proc/failpoint", number);
        break;
    default: touch();
    }
}
