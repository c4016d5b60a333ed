/* SPDX-License-Identifier: MIT */
/* The other CPUs. Private to arch/x86/. */
#ifndef ARCH_X86_SMP_H
#define ARCH_X86_SMP_H

#include "arch/x86/arch.h"

struct boot_info;

void smp_init(const struct boot_info *info);
/* An NMI that another CPU sent: handled (true), or of unknown origin. */
bool smp_nmi(const struct trap_frame *frame);

#endif
