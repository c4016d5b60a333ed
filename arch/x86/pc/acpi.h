/* SPDX-License-Identifier: MIT */
/* The firmware's ACPI tables, as far as they are used. Private to arch/x86/. */
#ifndef ARCH_X86_ACPI_H
#define ARCH_X86_ACPI_H

#include "base/types.h"

void acpi_init(uint64_t rsdp);
/* A checked table; NULL when the firmware has no ACPI or the table is absent or damaged. */
const void *acpi_table(const char signature[4]);
/* From the FADT: PM timer port (0: none), whether it is 32 bits wide. */
uint16_t acpi_pm_timer_port(bool *wide);
/* From FADT and DSDT: PM1a/b control ports and the SLP_TYP values of S5; false when not found. */
bool acpi_s5(uint16_t port[2], uint16_t value[2]);
/* From the MADT: the APIC ids of the CPUs that can be used, the boot CPU's among them; their
 * number, 0 without a MADT. */
unsigned acpi_cpus(uint32_t *ids, unsigned room);

#endif
