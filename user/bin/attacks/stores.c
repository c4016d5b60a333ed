/* SPDX-License-Identifier: MIT */
/* Writing the shadow stack itself, so that it agrees with a forged return address. */
#include "attacks.h"

#define FORGED ((uint64_t)gadget)

static void store(void)
{
    *(volatile uint64_t *)rdssp() = FORGED;
    won();
}

/* A page that nobody has touched yet is no way in, either. */
static void store_untouched(void)
{
    *(volatile uint64_t *)(shadow_stack_make(2)) = FORGED;
    won();
}

/* Atomic instructions read, then write. */
static void store_locked(void)
{
    __asm__ volatile("lock xchg %0, (%1)" : : "r"(FORGED), "r"(rdssp()) : "memory");
    won();
}

static void wrss_plain(void)
{
    wrss(rdssp(), FORGED);
    won();
}

static void wrss_to_data(void)
{
    static uint64_t data;
    broken_if(raw_arch_prctl(ARCH_SHSTK_ENABLE, ARCH_SHSTK_WRSS) != 0);
    wrss((uint64_t)&data, FORGED);
    won();
}

/* The program has locked the feature: an attacker who can make system calls asks for it. */
static void wrss_after_lock(void)
{
    broken_if(raw_arch_prctl(ARCH_SHSTK_LOCK, ARCH_SHSTK_WRSS) != 0);
    win_if(raw_arch_prctl(ARCH_SHSTK_ENABLE, ARCH_SHSTK_WRSS) == 0);
}

const struct attack stores_attacks[] = {
    { "store", "store to the shadow stack", ACCERR, store, "there is nothing to store to" },
    { "store-untouched", "store to a page of it that is not there yet", ACCERR, store_untouched,
      "there is nothing to store to" },
    { "store-locked", "exchange one of its words atomically", ACCERR, store_locked,
      "there is nothing to store to" },
    { "wrss", "write it by WRSS, without leave", ILLEGAL, wrss_plain, "the same" },
    { "wrss-data", "write ordinary memory by WRSS, with leave", ACCERR, wrss_to_data, "SIGILL" },
    { "wrss-locked", "ask for WRSS when it is locked", REFUSED, wrss_after_lock, "the same" },
    { 0 },
};
