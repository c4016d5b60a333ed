/* SPDX-License-Identifier: MIT */
/* Over the ends of a shadow stack, into its neighbour's return addresses. */
#include "attacks.h"

#define PAGE 4096

/* Two shadow stacks as near to each other as they get: the second lies below. */
static uint64_t upper, lower;
static void neighbours_make(void)
{
    upper = shadow_stack_make(1);
    lower = shadow_stack_make(1);
    broken_if(lower >= upper || upper - lower > 8 * PAGE);
}

/* CALL without RET until SSP is in the lower stack, as a recursion without end does. */
static void recursion(void)
{
    neighbours_make();
    rstorssp(upper + PAGE - 8);
    __asm__ volatile("1: add $8, %%rsp\n rdsspq %%rax\n cmp %0, %%rax\n jb 2f\n call 1b\n 2:"
                     :
                     : "r"(lower + PAGE)
                     : "rax", "memory", "cc");
    won();
}

/* INCSSP moves by 255 words at most, and touches where it starts and where it ends. */
static void stride(uint64_t words)
{
    neighbours_make();
    rstorssp(lower + PAGE - 8);
    while (rdssp() < upper)
        incssp(words);
    won();
}

static void short_strides(void) { stride(1); }
static void long_strides(void) { stride(255); }

#define DATA "only the ordinary stack's guard page ends it"
const struct attack ends_attacks[] = {
    { "overflow", "recursion, down into the next shadow stack", MAPERR, recursion, DATA },
    { "underflow", "INCSSP by words, up into the next one", MAPERR, short_strides, DATA },
    { "stride", "INCSSP by as much as it can, over the guard page", MAPERR, long_strides, DATA },
    { 0 },
};
