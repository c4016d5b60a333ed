/* SPDX-License-Identifier: MIT */
/*
 * Sigreturn-oriented programming: rt_sigreturn(2) loads all registers from a frame on the ordinary
 * stack, which the attacker has forged. On a shadow stack it wants the token that the kernel left
 * when it called a handler: the SSP of before, with bit 63 set.
 */
#define _GNU_SOURCE
#include "attacks.h"

#include <signal.h>
#include <ucontext.h>

#define MARK (1ul << 63)

static ucontext_t copy;
static uint64_t before; /* SSP when the signal came */

static void handle(void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
    broken_if(sigaction(SIGUSR1, &action, NULL) != 0);
    before = rdssp();
    raw2(SYS_kill, raw0(SYS_getpid), SIGUSR1);
}

/* Jump to gadget() by the frame at context, which needs no FPU state. */
RAW void return_by(ucontext_t *context)
{
    context->uc_mcontext.gregs[REG_RIP] = (greg_t)gadget;
    context->uc_mcontext.fpregs = NULL;
    __asm__ volatile("mov %0, %%rsp; mov $15, %%eax; syscall; ud2" : : "r"(context) : "memory");
}

static void take(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info;
    copy = *(ucontext_t *)context;
}

/* No signal has come: the attacker calls rt_sigreturn with a frame of an earlier one. */
static void forged_frame(void)
{
    handle(take);
    return_by(&copy);
}

/* The handler is left by way of a forged frame, after INCSSP has moved SSP on to words that are
 * return addresses. The one that is tried is a multiple of 8, as an SSP is. */
static void shift(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info;
    while (*(volatile uint64_t *)rdssp() % 8 || *(volatile uint64_t *)rdssp() >= MARK)
        incssp(1);
    return_by(context);
}

static void shifted(void)
{
    __asm__ volatile(".balign 8\n .skip 6, 0x90\n call *%0\n" /* RET's address is 8 n */
                     :
                     : "a"(handle), "D"(shift)
                     : "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory");
}

/* Without leave for WRSS no program writes tokens. These two have it. */
static void handle_with_wrss(void (*handler)(int, siginfo_t *, void *))
{
    broken_if(raw_arch_prctl(ARCH_SHSTK_ENABLE, ARCH_SHSTK_WRSS) != 0);
    handle(handler);
}

static void return_with(uint64_t token, void *context)
{
    wrss(rdssp() + 8, token);
    incssp(1);
    return_by(context);
}

/* A token without its mark. */
static void unmark(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info;
    return_with(before, context);
}

/* A token that leads to the kernel's half. */
static void to_kernel(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info;
    return_with(0xffffffff80000000, context);
}

static void unmarked_token(void) { handle_with_wrss(unmark); }
static void kernel_token(void) { handle_with_wrss(to_kernel); }

/* INCSSP leaves SSP just behind a shadow stack, where the attacker has put a page of its own, with
 * a token in it. */
static void past_the_end(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info;
    uint64_t stack = shadow_stack_make(1), above = forged_page(stack + 4096);
    *(volatile uint64_t *)above = before | MARK;
    rstorssp(stack + 4096 - 8);
    incssp(1);
    return_by(context);
}

static void token_past_the_end(void) { handle(past_the_end); }

#define TAKES "rt_sigreturn takes any frame, and the attacker's code runs"
const struct attack frames_attacks[] = {
    { "srop", "call rt_sigreturn with a forged frame", GENERAL, forged_frame, NULL },
    { "srop-shifted", "move SSP to a return address, then rt_sigreturn", GENERAL, shifted, TAKES },
    { "srop-unmarked", "rt_sigreturn with a token without its mark", GENERAL, unmarked_token,
      TAKES },
    { "srop-kernel", "rt_sigreturn with a token that leads to the kernel", GENERAL, kernel_token,
      TAKES },
    { "srop-past-end", "move SSP past the end, to a token in own memory", GENERAL,
      token_past_the_end, TAKES },
    { 0 },
};
