/* SPDX-License-Identifier: MIT */
/* The local APIC. Private to arch/x86/. */
#ifndef ARCH_X86_APIC_H
#define ARCH_X86_APIC_H

#include "base/types.h"

void apic_init(bool want_x2);
void apic_init_this(void); /* this CPU's on, in the mode that apic_init() found for all */
void apic_eoi(void);
void apic_command(uint32_t to, uint32_t command); /* the ICR: APIC id and low half */
void apic_send(uint64_t cpus, uint32_t command);  /* to each of a set of CPUs */
void apic_timer_start(unsigned hz, unsigned vector);
bool apic_is_x2(void);
uint32_t apic_id(void);

#endif
