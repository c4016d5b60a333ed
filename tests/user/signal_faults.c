/* SPDX-License-Identifier: MIT */
/* Proves: a fault reaches its handler with all that is known of it, on the signal stack when asked,
 * and kills where no handler can run. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <ucontext.h>

#include "signals.h"

/* ---- Faults ------------------------------------------------------------- */

static uint64_t fault_error, fault_vector, fault_cr2, resume;

/* The handler lets the program go on behind the instruction that failed. */
static void step_over(int signal, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    fault_error = (uint64_t)registers[REG_ERR];
    fault_vector = (uint64_t)registers[REG_TRAPNO];
    fault_cr2 = (uint64_t)registers[REG_CR2];
    registers[REG_RIP] = (greg_t)resume;
    note_info(signal, info, context);
}

#define FAULTS(code, input)                                             \
    __asm__ volatile("lea 1f(%%rip), %%rcx; mov %%rcx, %0;" code "; 1:" \
                     : "=m"(resume)                                     \
                     : "S"(input)                                       \
                     : "rax", "rcx", "rdx", "memory")

TEST(a_handler_learns_what_the_fault_was, "")
{
    char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint16_t control = 0x37f & ~4u; /* unmask division by zero */
    handle(SIGSEGV, step_over, 0);
    handle(SIGFPE, step_over, 0);
    handle(SIGILL, step_over, 0);
    FAULTS("movb $1, (%%rsi)", 0x1234l);
    CHECK(last.si_code == SEGV_MAPERR && last.si_addr == (void *)0x1234);
    CHECK(fault_vector == 14 && fault_cr2 == 0x1234 && (fault_error & 7) == 6);
    FAULTS("movb $1, (%%rsi)", page + 5);
    CHECK(last.si_code == SEGV_ACCERR && last.si_addr == page + 5);
    FAULTS("movb $1, (%%rsi)", 1ul << 63 | 1);
    CHECK(last.si_code == SI_KERNEL && last.si_addr == NULL && fault_vector == 13);
    FAULTS("xor %%edx, %%edx; mov $1, %%eax; div %%rsi", 0l);
    CHECK(last.si_signo == SIGFPE && last.si_code == FPE_INTDIV && fault_vector == 0);
    FAULTS("ud2", 0l);
    CHECK(last.si_signo == SIGILL && last.si_code == ILL_ILLOPN);
    FAULTS("fldcw (%%rsi); fld1; fldz; fdivrp; fwait; nop", &control);
    __asm__ volatile("fnclex");
    CHECK(last.si_signo == SIGFPE && last.si_code == FPE_FLTDIV && fault_vector == 16);
    CHECK_EQ(calls, 6);
}

static void fault_blocked(void)
{
    handle(SIGSEGV, note_info, 0);
    block(SIG_BLOCK, SIGSEGV);
    *(volatile char *)0x1234 = 1;
}

static void fault_ignored(void)
{
    signal(SIGSEGV, SIG_IGN);
    *(volatile char *)0x1234 = 1;
}

TEST(a_fault_kills_when_its_signal_is_blocked_or_ignored, "")
{
    CHECK_EQ(WTERMSIG(in_child(fault_blocked, NULL)), SIGSEGV);
    CHECK_EQ(WTERMSIG(in_child(fault_ignored, NULL)), SIGSEGV);
}

/* ---- Signal stacks ------------------------------------------------------ */

static char stack_memory[16384];
static volatile uint64_t handler_sp;
static stack_t seen;

static void note_sp(int signal)
{
    handler_sp = (uint64_t)__builtin_frame_address(0);
    sigaltstack(NULL, &seen);
    note(signal);
}

static int on_signal_stack(void)
{
    return handler_sp > (uint64_t)stack_memory
           && handler_sp < (uint64_t)stack_memory + sizeof(stack_memory);
}

TEST(a_handler_runs_on_the_signal_stack_when_asked, "")
{
    stack_t stack = { stack_memory, 0, sizeof(stack_memory) }, old;
    struct sigaction action = { .sa_handler = note_sp, .sa_flags = SA_ONSTACK };
    CHECK(sigaltstack(NULL, &old) == 0 && old.ss_flags == SS_DISABLE);
    CHECK_EQ(sigaltstack(&stack, NULL), 0);
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    CHECK(on_signal_stack() && seen.ss_flags == SS_ONSTACK);
    signal(SIGUSR2, note_sp);
    raise(SIGUSR2);
    CHECK(!on_signal_stack() && seen.ss_flags == 0);
    stack.ss_flags = (int)(1u << 31); /* SS_AUTODISARM */
    CHECK_EQ(sigaltstack(&stack, NULL), 0);
    raise(SIGUSR1);
    CHECK(on_signal_stack() && seen.ss_flags == SS_DISABLE);
    CHECK(sigaltstack(NULL, &old) == 0 && old.ss_flags == (int)(1u << 31));
    stack.ss_flags = 8;
    FAILS(sigaltstack(&stack, NULL), EINVAL);
    stack.ss_flags = 0;
    stack.ss_size = 2047;
    FAILS(sigaltstack(&stack, NULL), ENOMEM);
}

static void change_stack(int signal)
{
    stack_t stack = { stack_memory, 0, 8192 };
    FAILS(sigaltstack(&stack, NULL), EPERM);
    note(signal);
}

TEST(a_signal_stack_in_use_is_not_changed, "")
{
    stack_t stack = { stack_memory, 0, sizeof(stack_memory) };
    struct sigaction action = { .sa_handler = change_stack, .sa_flags = SA_ONSTACK };
    sigaltstack(&stack, NULL);
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    CHECK_EQ(calls, 1);
}

static void tell_stack(int signal)
{
    note_sp(signal);
    _exit(on_signal_stack() ? 3 : 4);
}

static void fault_without_stack(int on_stack)
{
    stack_t stack = { stack_memory, 0, sizeof(stack_memory) };
    struct sigaction action = { .sa_handler = tell_stack, .sa_flags = on_stack };
    sigaltstack(&stack, NULL);
    sigaction(SIGSEGV, &action, NULL);
    __asm__ volatile("mov $0x1000, %%rsp; push %%rax" : : : "memory");
}

static void fault_on_no_stack(void) { fault_without_stack(0); }
static void fault_on_signal_stack(void) { fault_without_stack(SA_ONSTACK); }

TEST(a_stack_that_cannot_take_the_frame_kills, "")
{
    CHECK_EQ(WTERMSIG(in_child(fault_on_no_stack, NULL)), SIGSEGV);
    CHECK_EQ(WEXITSTATUS(in_child(fault_on_signal_stack, NULL)), 3);
}

static void deeper(int signal)
{
    note(signal);
    raise(signal);
}

static void overflow_signal_stack(void)
{
    stack_t stack = { stack_memory, 0, 4096 };
    struct sigaction action = { .sa_handler = deeper, .sa_flags = SA_ONSTACK | SA_NODEFER };
    sigaltstack(&stack, NULL);
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
}

TEST(a_signal_stack_that_is_full_kills, "")
{
    CHECK_EQ(WTERMSIG(in_child(overflow_signal_stack, NULL)), SIGSEGV);
}

/* ---- init --------------------------------------------------------------- */

TEST(init_gets_only_signals_that_it_handles, "")
{
    CHECK_EQ(kill(1, SIGTERM), 0);
    CHECK_EQ(kill(1, SIGKILL), 0);
    CHECK_EQ(kill(1, SIGUSR1), 0);
}
