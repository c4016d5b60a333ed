/* SPDX-License-Identifier: MIT */
/* User shadow stacks: the CPU's side. Private to arch/x86/. */
#ifndef ARCH_X86_CET_H
#define ARCH_X86_CET_H

#include "arch/x86/arch.h"

/* The error code (Intel SDM vol. 3, "Control Protection Exception Error Code"). */
#define CP_ERROR_MASK 0x7fff
enum { CP_NEAR_RET = 1, CP_FAR_RET, CP_ENDBRANCH, CP_RSTORSSP, CP_SETSSBSY };

void cet_init(bool wanted);
void cet_init_this(void); /* what cet_init() decided, on each other CPU */
void cet_switch(struct arch_task *prev, struct arch_task *next);
/* cet_text.c: say in words which return addresses disagreed, as far as they can be read. */
void cet_describe(const struct trap_frame *frame, char *text, size_t size);
void cet_after_control_protection(const struct trap_frame *frame);

#endif
