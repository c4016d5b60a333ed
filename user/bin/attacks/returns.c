/* SPDX-License-Identifier: MIT */
/* Return-oriented programming: a changed return address leads to the attacker's choice of code. */
#include "attacks.h"

static void near_return(void) { smash(gadget); }

/* A chain as exploits lay it out: each RET takes the next address. */
static void chain(void) { __asm__ volatile("push %0\n push %0\n ret" : : "r"(gadget) : "memory"); }

static void far_return(void)
{
    __asm__ volatile("push $0x33\n push %0\n lretq" : : "r"(gadget) : "memory");
}

const struct attack returns_attacks[] = {
    { "return", "overwrite a return address", CPERR, near_return, NULL },
    { "return-chain", "lay out a chain of return addresses", CPERR, chain, NULL },
    { "return-far", "forge what a far RET pops", CPERR, far_return, NULL },
    { 0 },
};
