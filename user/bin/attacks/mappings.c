/* SPDX-License-Identifier: MIT */
/* Calls that change mappings, against the live shadow stack. An attacker who can make system calls
 * wants it writable, or ordinary memory in its place. */
#define _GNU_SOURCE
#include "attacks.h"

#include <sys/mman.h>

#define PAGE 4096

RAW uint64_t own_page(void) { return rdssp() & -(uint64_t)PAGE; }

/* The call may succeed, as on Linux: it gives back what PROT_READ took, and no right to store. */
static void protect_to_write(void)
{
    uint64_t ssp = rdssp();
    raw3(SYS_mprotect, (long)own_page(), PAGE, PROT_READ | PROT_WRITE);
    *(volatile uint64_t *)ssp = (uint64_t)gadget;
    won();
}

static void protect_to_execute(void)
{
    long err = raw3(SYS_mprotect, (long)own_page(), PAGE, PROT_READ | PROT_EXEC);
    win_if(err == 0);
}

/* From here on both stacks agree; only the CPU can tell that one is no shadow stack. */
RAW void return_twice(void)
{
    __asm__ volatile("1: add $8, %%rsp\n push %0\n ret" : : "r"(gadget) : "memory");
}

static void map_over(void)
{
    forged_page(own_page());
    return_twice();
}

static void unmap_and_map(void)
{
    uint64_t page = own_page();
    broken_if(raw2(SYS_munmap, (long)page, PAGE) != 0);
    forged_page(page);
    return_twice();
}

/* Move a page of ordinary memory to where the shadow stack is. */
static void move_over(void)
{
    uint64_t page = own_page(), forged = forged_page(0);
    long to = raw6(SYS_mremap, (long)forged, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (long)page,
                   0);
    broken_if(to != (long)page);
    return_twice();
}

/* Wherever it is moved to, it stays a shadow stack. */
static void move_away(void)
{
    uint64_t page = own_page(), data = forged_page(0);
    long to = raw6(SYS_mremap, (long)page, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (long)data,
                   0);
    win_if(to < 0 && raw3(SYS_mprotect, (long)page, PAGE, PROT_READ | PROT_WRITE) == 0);
    *(volatile uint64_t *)(to < 0 ? page : data) = (uint64_t)gadget;
    won();
}

/* A discarded page is zeros, which no return address is. */
__attribute__((noinline)) static void discard(void)
{
    raw3(SYS_madvise, (long)own_page(), PAGE, MADV_DONTNEED);
}

static void map_low(void)
{
    long low = raw3(SYS_map_shadow_stack, 0x100000, PAGE, SHADOW_STACK_SET_TOKEN);
    win_if(low > 0 && low < 1l << 32); /* 32-bit code, which has other tokens, would reach it */
}

#define NOTHING "there is nothing to change, and nothing that checks"
const struct attack mappings_attacks[] = {
    { "protect-write", "mprotect(PROT_WRITE) of the shadow stack, and store", ACCERR,
      protect_to_write, NOTHING },
    { "protect-exec", "mprotect(PROT_EXEC) of it", REFUSED, protect_to_execute, NOTHING },
    { "map-over", "map forged return addresses over it", ACCERR, map_over, NOTHING },
    { "unmap-map", "unmap it, and map them in its place", ACCERR, unmap_and_map, NOTHING },
    { "move-over", "move them there by mremap", ACCERR, move_over, NOTHING },
    { "move-away", "move it over ordinary memory, and store", ACCERR, move_away, NOTHING },
    { "discard", "discard its page, and return", CPERR, discard, NOTHING },
    { "map-low", "have a shadow stack below 4 GiB", REFUSED, map_low, NOTHING },
    { 0 },
};
