/* SPDX-License-Identifier: MIT */
/* ISA interrupt lines. Private to arch/x86/. */
#ifndef ARCH_X86_IRQ_H
#define ARCH_X86_IRQ_H

void irq_init(void);
void irq_dispatch(unsigned vector);

#endif
