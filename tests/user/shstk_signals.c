/* SPDX-License-Identifier: MIT */
/* Proves: signal handlers and shadow stacks: the token, nesting, leaving, and forged tokens. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <ucontext.h>

#include "test.h"

#define MARK (1ul << 63)

static volatile int calls;
static uint64_t before, token;

RAW long raise_raw(int signal) { return raw2(SYS_kill, raw0(SYS_getpid), signal); }

static void handle(int signal, void (*handler)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags };
    CHECK_EQ(sigaction(signal, &action, NULL), 0);
}

static void read_token(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info;
    const uint64_t *ssp = (const uint64_t *)rdssp();
    const uint64_t *frame = (const uint64_t *)context - 1;
    CHECK_EQ(ssp[0], frame[0]); /* the restorer */
    token = ssp[1];
    calls++;
}

TEST_SHSTK(a_handlers_shadow_stack_has_a_token, "")
{
    handle(SIGUSR1, read_token, 0);
    before = rdssp();
    CHECK_EQ(raise_raw(SIGUSR1), 0);
    CHECK_EQ(rdssp(), before);
    CHECK_EQ(token, before | MARK);
    CHECK_EQ(calls, 1);
}

static void raise_more(int signal, siginfo_t *info, void *context)
{
    (void)info, (void)context;
    if (++calls < 50)
        raise(signal);
}

TEST_SHSTK(handlers_nest_on_the_shadow_stack, "")
{
    handle(SIGUSR1, raise_more, SA_NODEFER);
    before = rdssp();
    raise(SIGUSR1);
    CHECK_EQ(calls, 50);
    CHECK_EQ(rdssp(), before);
}

static int fork_result;
static void fork_here(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info, (void)context;
    fork_result = fork();
}

TEST_SHSTK(a_fork_in_a_handler_returns_twice, "")
{
    int status;
    handle(SIGUSR1, fork_here, 0);
    raise(SIGUSR1);
    if (fork_result == 0)
        _exit(21);
    CHECK_EQ(waitpid(fork_result, &status, 0), fork_result);
    CHECK_EQ(WEXITSTATUS(status), 21);
}

/* Leave the handler as longjmp() does that knows shadow stacks: back to the frame, by INCSSP. */
static uint64_t resume;
static void leave(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info;
    const greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    incssp((before - rdssp()) / 8);
    calls++;
    __asm__ volatile("mov %0, %%rsp; mov %1, %%rbp; mov %2, %%rbx; jmp *%3"
                     :
                     : "a"(registers[REG_RSP]), "d"(registers[REG_RBP]), "c"(registers[REG_RBX]),
                       "S"(resume)
                     : "memory");
}

TEST_SHSTK(a_handler_may_be_left_without_return, "")
{
    handle(SIGUSR1, leave, SA_NODEFER);
    for (int i = 0; i < 20; i++) {
        before = rdssp();
        __asm__ volatile("lea 1f(%%rip), %%rax; mov %%rax, %0; mov $62, %%eax; syscall; ud2; 1:"
                         : "=m"(resume)
                         : "D"(getpid()), "S"(SIGUSR1)
                         : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                           "r15", "memory");
        CHECK_EQ(rdssp(), before);
    }
    CHECK_EQ(calls, 20);
}

/* ---- A full shadow stack ------------------------------------------------ */

static uint64_t small_stack(void)
{
    long base = raw3(SYS_map_shadow_stack, 0, 4096, SHADOW_STACK_SET_TOKEN);
    CHECK(base > 0);
    return (uint64_t)base;
}

__attribute__((noinline)) static void fill_then_raise(uint64_t bottom)
{
    if (rdssp() > bottom)
        fill_then_raise(bottom);
    else
        raise_raw(SIGUSR1);
    __asm__ volatile("" : : : "memory");
}

static void never(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info, (void)context;
    raw_exit(2);
}

static void overflow(void)
{
    uint64_t base = small_stack();
    handle(SIGUSR1, never, 0);
    handle(SIGSEGV, never, 0);
    rstorssp(base + 4088);
    fill_then_raise(base + 8);
    raw_exit(1);
}

TEST_SHSTK(a_full_shadow_stack_kills, "") { CHECK_EQ(WTERMSIG(in_child(overflow, NULL)), SIGSEGV); }

/* ---- Forged tokens ------------------------------------------------------ */

static uint64_t forged_and, forged_or;
static void forge(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info, (void)context;
    uint64_t *slot = (uint64_t *)rdssp() + 1;
    wrss((uint64_t)slot, (*slot & forged_and) | forged_or);
}

static void return_by_forged_token(void)
{
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_ENABLE, ARCH_SHSTK_WRSS), 0);
    handle(SIGUSR1, forge, 0);
    raise_raw(SIGUSR1);
}

static int status_with_token(uint64_t and, uint64_t or)
{
    forged_and = and;
    forged_or = or ;
    return in_child(return_by_forged_token, NULL);
}

TEST_SHSTK(a_token_without_its_mark_kills, "sigreturn_unchecked_token")
{
    CHECK_EQ(WTERMSIG(status_with_token(~MARK, 0)), SIGSEGV);
}

TEST_SHSTK(a_token_that_leads_nowhere_kills, "")
{
    CHECK_EQ(status_with_token(~0ul, 0), 0);
    CHECK_EQ(WTERMSIG(status_with_token(~0ul, 4)), SIGSEGV);
    CHECK_EQ(WTERMSIG(status_with_token(0, ~7ul)), SIGSEGV);
    CHECK_EQ(WTERMSIG(status_with_token(0, MARK | 0x7ffffffff000)), SIGSEGV);
}

/* A shadow stack, and right above it memory of the program's own, with a token in it. */
static void return_by_own_memory(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info;
    uint64_t base = small_stack();
    uint64_t *above = mmap((void *)(base + 4096), 4096, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK_EQ((uint64_t)above, base + 4096);
    above[0] = before | MARK;
    rstorssp(base + 4088);
    incssp(1);
    __asm__ volatile("mov %0, %%rsp; mov $15, %%eax; syscall; ud2" : : "r"(context) : "memory");
}

static void leave_by_own_memory(void)
{
    handle(SIGUSR1, return_by_own_memory, 0);
    before = rdssp();
    raise_raw(SIGUSR1);
}

TEST_SHSTK(a_token_outside_shadow_stacks_kills, "sigreturn_any_page")
{
    CHECK_EQ(WTERMSIG(in_child(leave_by_own_memory, NULL)), SIGSEGV);
}
