/* SPDX-License-Identifier: MIT */
/* attack: what the kinds of attacks share. Each kind has a file of its own, with a table of its
 * attacks at its end. */
#ifndef USER_ATTACKS_H
#define USER_ATTACKS_H

#include <stddef.h>
#include <stdint.h>

#include "raw.h"
#include "smash.h"

/* How an attack is blocked. */
enum outcome {
    REFUSED, /* a call fails, and nothing has changed */
    CPERR,   /* SIGSEGV: the two stacks differ, or a token is not genuine */
    ACCERR,  /* SIGSEGV: the page is of the wrong kind */
    MAPERR,  /* SIGSEGV: no page is there */
    GENERAL, /* SIGSEGV: the CPU or sigreturn refuses the operand */
    ILLEGAL, /* SIGILL: the instruction is not permitted */
    HELD,    /* one thing or another ends it, each time */
    WON,     /* the attacker's code runs, or a return address has changed */
    BROKEN,  /* the attack could not be tried */
};

struct attack {
    const char *name, *does;
    enum outcome blocked;
    void (*run)(void);   /* in a process of its own. Returns when a call has refused */
    const char *without; /* what happens where there is no shadow stack; NULL: run it and see */
};

/* The tables end with an attack without a name. */
extern const struct attack returns_attacks[], stores_attacks[], deputies_attacks[],
    pivots_attacks[], frames_attacks[], ends_attacks[], mappings_attacks[], races_attacks[],
    families_attacks[], features_attacks[], code32_attacks[];

/* The attack has worked; it was held off; it could not be tried. The process ends. */
#define HELD_STATUS   68
#define BROKEN_STATUS 67
RAW void won(void) { raw_exit(GADGET_STATUS); }
RAW void win_if(int condition)
{
    if (condition)
        won();
}
RAW void held(void) { raw_exit(HELD_STATUS); }
RAW void broken_if(int condition)
{
    if (condition)
        raw_exit(BROKEN_STATUS);
}

/* A shadow stack of some pages with a restore token in its last word. */
RAW uint64_t shadow_stack_make(long pages)
{
    long start = raw3(SYS_map_shadow_stack, 0, 4096 * pages, SHADOW_STACK_SET_TOKEN);
    broken_if(start <= 0);
    return (uint64_t)start;
}

/* Ordinary memory at va (0: anywhere), over what is there, full of the address of gadget(). */
RAW uint64_t forged_page(uint64_t va)
{
    int fixed = va ? 0x10 : 0; /* MAP_FIXED */
    long page = raw6(SYS_mmap, (long)va, 4096, 3, 0x22 | fixed, -1, 0);
    broken_if(page <= 0);
    for (int i = 0; i < 512; i++)
        ((volatile uint64_t *)page)[i] = (uint64_t)gadget;
    return (uint64_t)page;
}

#endif
