/* SPDX-License-Identifier: MIT */
/* Stack pivots: RSTORSSP to a shadow stack that the attacker has prepared. */
#include "attacks.h"

#define PAGE 4096

static uint64_t data[512] __attribute__((aligned(4096)));

/* A token as the kernel writes it, above a forged return address, in ordinary memory. */
static void to_data(void)
{
    uint64_t *token = &data[100];
    token[1] = (uint64_t)gadget;
    *token = (uint64_t)(token + 1) | 1;
    rstorssp((uint64_t)token);
    won();
}

static void to_read_only(void)
{
    uint64_t page = forged_page(0);
    ((volatile uint64_t *)page)[100] = (page + 101 * 8) | 1;
    broken_if(raw3(SYS_mprotect, (long)page, PAGE, 1) != 0);
    rstorssp(page + 100 * 8);
    won();
}

static void to_no_token(void)
{
    rstorssp(shadow_stack_make(1));
    won();
}

static void to_used_token(void)
{
    uint64_t token = shadow_stack_make(1) + PAGE - 8, ssp = rdssp();
    rstorssp(token);
    saveprevssp();
    rstorssp(ssp - 8); /* back, and no token is left there */
    rstorssp(token);
    won();
}

static void to_unaligned(void)
{
    rstorssp(shadow_stack_make(1) + PAGE - 4);
    won();
}

/* Tokens in a shadow stack, which the attacker could write there: for another address, and for
 * 32-bit mode. */
static void to_written(uint64_t token_to, uint64_t mode)
{
    uint64_t stack = shadow_stack_make(1);
    broken_if(raw_arch_prctl(ARCH_SHSTK_ENABLE, ARCH_SHSTK_WRSS) != 0);
    wrss(stack + 64, (stack + token_to) | mode);
    rstorssp(stack + 64);
    won();
}

static void to_other_address(void) { to_written(128, 1); }
static void to_other_mode(void) { to_written(72, 0); }

/* A return address in the shadow stack is no token. */
static void to_return_address(void)
{
    rstorssp(rdssp());
    won();
}

#define NOTHING "RSTORSSP is SIGILL; a pivot of the ordinary stack needs no leave"
const struct attack pivots_attacks[] = {
    { "pivot-data", "a forged token in ordinary memory", ACCERR, to_data, NOTHING },
    { "pivot-read-only", "a forged token in read-only memory", ACCERR, to_read_only, NOTHING },
    { "pivot-empty", "a shadow stack's word that is no token", CPERR, to_no_token, NOTHING },
    { "pivot-return", "a return address taken for a token", CPERR, to_return_address, NOTHING },
    { "pivot-used", "a token that was used", CPERR, to_used_token, NOTHING },
    { "pivot-unaligned", "a token at an address that is no multiple of 8", GENERAL, to_unaligned,
      NOTHING },
    { "pivot-elsewhere", "a token that is for another address", CPERR, to_other_address, NOTHING },
    { "pivot-mode", "a token that is for 32-bit mode", CPERR, to_other_mode, NOTHING },
    { 0 },
};
