/* SPDX-License-Identifier: MIT */
#include "smash.h"

#include "raw.h"

__asm__(".text\n.global smash\nsmash: mov %rdi, (%rsp)\n ret\n");

void gadget(void) { raw_exit(GADGET_STATUS); }

void gadget_loud(void)
{
    static const char text[] = "  the attacker's code runs\n";
    raw_write(1, text, sizeof(text) - 1);
    gadget();
}
