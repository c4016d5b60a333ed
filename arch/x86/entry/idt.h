/* SPDX-License-Identifier: MIT */
/* Vectors, and the table that leads from each to its entry. Private to arch/x86/. */
#ifndef ARCH_X86_IDT_H
#define ARCH_X86_IDT_H

#define VECTOR_DB       1
#define VECTOR_NMI      2
#define VECTOR_DF       8
#define VECTOR_GP       13
#define VECTOR_PF       14
#define VECTOR_MF       16
#define VECTOR_MC       18
#define VECTOR_XM       19
#define VECTOR_CP       21
#define VECTOR_ISA_BASE 0x30
#define VECTOR_TIMER    0x40
#define VECTOR_INT80    0x80 /* i386's system calls */
#define VECTOR_KICK     0xf0 /* look for work */
#define VECTOR_FLUSH    0xf1 /* tlb.c's requests */
#define VECTOR_SPURIOUS 0xff

void idt_init(void); /* fill the table, which all CPUs share, and load it */
void idt_load(void);

#endif
