/* SPDX-License-Identifier: MIT */
/* Proves: whatever a program puts into a signal frame, it gets no right that it has not. */
#define _GNU_SOURCE
#include <ucontext.h>

#include "test.h"

#define RIP_NOT_CANONICAL 0x8000000000001000l
#define RIP_OF_KERNEL     ((long)0xffffffff80100000l)

static void (*change)(ucontext_t *context);

static void change_frame(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info;
    change(context);
}

static void go_on_with_changes(void)
{
    struct sigaction action = { .sa_sigaction = change_frame, .sa_flags = SA_SIGINFO };
    sigaction(SIGUSR1, &action, NULL);
    raw2(SYS_kill, raw0(SYS_getpid), SIGUSR1);
}

static int status_with(void (*to)(ucontext_t *))
{
    change = to;
    return in_child(go_on_with_changes, NULL);
}

static void change_nothing(ucontext_t *context) { (void)context; }

static void all_flags(ucontext_t *context)
{
    context->uc_mcontext.gregs[REG_EFL] |= 0x7ffff & ~0x100l; /* but for TF */
}
static void kernel_selectors(ucontext_t *context)
{
    context->uc_mcontext.gregs[REG_CSGSFS] = 0x0018000000000010;
}

static uint64_t flags_now(void)
{
    uint64_t flags;
    __asm__ volatile("pushf; pop %0; cld; push $0x202; popf" : "=r"(flags));
    return flags;
}

static void flags_are_harmless(void)
{
    change = all_flags;
    go_on_with_changes();
    uint64_t flags = flags_now();
    CHECK(flags & 0x200);                               /* IF */
    CHECK_EQ(flags & (3 << 12 | 1 << 14 | 1 << 17), 0); /* IOPL, NT, VM */
}

TEST(a_frame_does_not_set_the_kernels_flags, "sigreturn_keeps_flags")
{
    CHECK_EQ(in_child(flags_are_harmless, NULL), 0);
}

static void selectors_are_the_users(void)
{
    uint16_t cs, ss;
    change = kernel_selectors;
    go_on_with_changes();
    __asm__ volatile("mov %%cs, %0; mov %%ss, %1" : "=r"(cs), "=r"(ss));
    CHECK_EQ(cs, 0x33);
    CHECK_EQ(ss, 0x2b);
}

TEST(a_frame_does_not_change_the_selectors, "")
{
    CHECK_EQ(in_child(selectors_are_the_users, NULL), 0);
    CHECK_EQ(status_with(change_nothing), 0);
}

static void rip_bad(ucontext_t *context)
{
    context->uc_mcontext.gregs[REG_RIP] = RIP_NOT_CANONICAL;
}
static void rip_kernel(ucontext_t *context) { context->uc_mcontext.gregs[REG_RIP] = RIP_OF_KERNEL; }

TEST(a_frame_that_leads_nowhere_kills, "")
{
    CHECK_EQ(WTERMSIG(status_with(rip_bad)), SIGSEGV);
    CHECK_EQ(WTERMSIG(status_with(rip_kernel)), SIGSEGV);
}

/* ---- The FPU's part ----------------------------------------------------- */

static uint8_t *fpu_of(ucontext_t *context) { return (uint8_t *)context->uc_mcontext.fpregs; }
static bool is_xsave(const ucontext_t *context) { return context->uc_flags & 1; }

static void fpu_kernel(ucontext_t *context)
{
    context->uc_mcontext.fpregs = (void *)0xffff888000000000;
}
static void fpu_end(ucontext_t *context) { context->uc_mcontext.fpregs = (void *)0x7fffffffefc0; }
static void fpu_odd(ucontext_t *context)
{
    context->uc_mcontext.fpregs = (void *)(fpu_of(context) + 8);
}
static void fpu_mxcsr(ucontext_t *context) { *(uint32_t *)(fpu_of(context) + 24) = 0xffffffff; }
static void fpu_components(ucontext_t *context) { *(uint64_t *)(fpu_of(context) + 512) = ~0ul; }
static void fpu_compact(ucontext_t *context) { *(uint64_t *)(fpu_of(context) + 520) = 1ul << 63; }
static void fpu_reserved(ucontext_t *context) { *(uint64_t *)(fpu_of(context) + 528) = 1; }
static void fpu_size(ucontext_t *context) { ((uint32_t *)(fpu_of(context) + 464))[4] = 0x7fffffff; }
static void fpu_magic2(ucontext_t *context)
{
    uint32_t *words = (uint32_t *)(fpu_of(context) + 464);
    *(uint32_t *)(fpu_of(context) + words[4]) = 0;
    *(uint64_t *)(fpu_of(context) + 512) = ~0ul; /* not looked at */
}
static void fpu_none(ucontext_t *context) { context->uc_mcontext.fpregs = NULL; }

static int needs_xsave;
static void look_for_xsave(ucontext_t *context) { needs_xsave = is_xsave(context); }

static void load_mxcsr(void)
{
    uint32_t all = 0xffffffff;
    __asm__ volatile("ldmxcsr %0" : : "m"(all));
}

/* QEMU lets MXCSR be anything. */
TEST(a_frame_with_a_bad_mxcsr_does_what_ldmxcsr_does, "")
{
    CHECK_EQ(WTERMSIG(status_with(fpu_mxcsr)), WTERMSIG(in_child(load_mxcsr, NULL)));
}

TEST(a_frame_with_a_bad_fpu_area_kills, "")
{
    void (*const bad[])(ucontext_t *) = { fpu_kernel, fpu_end, fpu_odd };
    void (*const bad_xsave[])(ucontext_t *) = { fpu_components, fpu_compact, fpu_reserved };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK_EQ(WTERMSIG(status_with(bad[i])), SIGSEGV);
    change = look_for_xsave;
    go_on_with_changes();
    for (unsigned i = 0; needs_xsave && i < sizeof(bad_xsave) / sizeof(bad_xsave[0]); i++)
        CHECK_EQ(WTERMSIG(status_with(bad_xsave[i])), SIGSEGV);
}

TEST(a_frame_with_less_than_xsave_is_good, "")
{
    CHECK_EQ(status_with(fpu_none), 0);
    CHECK_EQ(status_with(fpu_size), 0);
    CHECK_EQ(status_with(fpu_magic2), 0);
}

/* ---- No frame at all ---------------------------------------------------- */

static void return_from_nothing(void)
{
    __asm__ volatile("mov $0x1000, %%rsp; mov $15, %%eax; syscall" : : : "memory");
}

TEST(a_return_without_a_frame_kills, "")
{
    CHECK_EQ(WTERMSIG(in_child(return_from_nothing, NULL)), SIGSEGV);
}

static void block_all(ucontext_t *context) { memset(&context->uc_sigmask, 0xff, 8); }

static void kill_when_all_is_blocked(void)
{
    change = block_all;
    go_on_with_changes();
    raw2(SYS_kill, raw0(SYS_getpid), SIGTERM);
    raw2(SYS_kill, raw0(SYS_getpid), SIGKILL);
}

TEST(a_frame_does_not_block_sigkill, "")
{
    CHECK_EQ(WTERMSIG(in_child(kill_when_all_is_blocked, NULL)), SIGKILL);
}
