/* SPDX-License-Identifier: MIT */
/* victim: a program that is not marked, so that it runs without a shadow stack; its return
 * address gets smashed. */
#include "raw.h"

void victim_smash(void (*to)(void));
__asm__(".text\nvictim_smash: mov %rdi, (%rsp)\n ret\n");

static void gadget(void)
{
    static const char text[] = "  the attacker's code runs\n";
    raw_write(1, text, sizeof(text) - 1);
    raw_exit(66);
}

int main(void)
{
    victim_smash(gadget);
    return 0;
}
