/* SPDX-License-Identifier: MIT */
/* What the parts of arch/x86/ ask of one another. Private to arch/x86/. */
#ifndef ARCH_X86_X86_H
#define ARCH_X86_X86_H

#include "arch/x86/arch.h"
#include "boot_info.h"

struct trap_frame;

/* gdt.c, idt.c: this CPU's descriptor tables, TSS and GS; the IDT is shared. */
void gdt_init(unsigned cpu);
/* another CPU's stacks for #DF, NMI, #MC and #DB; false: no memory */
bool gdt_prepare(unsigned cpu);
void gdt_set_kernel_stack(uint64_t top);
void idt_init(void);
void idt_load(void);

/* cpu.c: SMEP, SMAP, UMIP, SYSCALL, PAT; patches STAC and CLAC in, so before the text becomes
 * read-only. */
void cpu_init_early(void);
void cpu_init_this(void); /* all but the patching, on each CPU */
void cpu_log_features(void);

/* fpu.c, cet.c */
void fpu_init(void);
void fpu_init_this(void);
void fpu_save(void *area);
void fpu_restore(const void *area);
void cet_init(bool wanted);
void cet_init_this(void);
void cet_switch(struct arch_task *prev, struct arch_task *next);
/* Say in words which return addresses disagreed, as far as they can be read. */
void cet_describe(const struct trap_frame *frame, char *text, size_t size);
void cet_after_control_protection(const struct trap_frame *frame);

/* acpi.c: the tables, checked. NULL when the firmware has no ACPI or the table is absent or
 * damaged. */
void acpi_init(uint64_t rsdp);
const void *acpi_table(const char signature[4]);
/* From the FADT: PM timer port (0: none), whether it is 32 bits wide. */
uint16_t acpi_pm_timer_port(bool *wide);
/* From FADT and DSDT: PM1a/b control ports and the SLP_TYP values of S5; false when not found. */
bool acpi_s5(uint16_t port[2], uint16_t value[2]);
/* From the MADT: the APIC ids of the CPUs that can be used, the boot CPU's among them; their
 * number, 0 without a MADT. */
unsigned acpi_cpus(uint32_t *ids, unsigned room);

/* apic.c, irq.c, timer.c */
void apic_init(bool want_x2);
void apic_init_this(void); /* this CPU's on, in the mode that apic_init() found for all */
void apic_eoi(void);
void apic_command(uint32_t to, uint32_t command); /* the ICR: APIC id and low half */
void apic_send(uint64_t cpus, uint32_t command);  /* to each of a set of CPUs */
void apic_timer_start(unsigned hz, unsigned vector);
bool apic_is_x2(void);
uint32_t apic_id(void);
void irq_init(void);
void irq_dispatch(unsigned vector);
void timer_init(void);
uint64_t timer_tsc_hz(void);
#define VECTOR_ISA_BASE 0x30
#define VECTOR_TIMER    0x40
#define VECTOR_KICK     0xf0 /* look for work */
#define VECTOR_FLUSH    0xf1 /* tlb.c's requests */
#define VECTOR_SPURIOUS 0xff

/* tlb.c: answer what other CPUs ask of this one. */
void tlb_serve(void);

/* smp.c */
void smp_init(const struct boot_info *info);
/* An NMI that another CPU sent: handled (true), or of unknown origin. */
bool smp_nmi(const struct trap_frame *frame);

/* report.c: the return addresses from rbp upwards, one log line each. */
void backtrace_report(uint64_t rbp);

/* PCI configuration space, mechanism 1. */
uint32_t pci_read(unsigned bus, unsigned device, unsigned function, unsigned offset);

/* efi.c: keep the runtime regions of the memory map; call ResetSystem() (returns when it did not
 * work). */
void efi_init(const struct boot_info *info);
void efi_reset(unsigned reset_type);
extern uint64_t efi_saved_rsp;
extern volatile bool efi_in_call;
void efi_escape(void);
void efi_call(uint64_t function, uint64_t a, uint64_t b, uint64_t c, uint64_t d);

/* switch.asm, trap_entry.asm, syscall_entry.asm */
void x86_switch_stack(uint64_t *save_sp, uint64_t new_sp);
void task_begin(void);
void kernel_task_begin(void);
void trap_return(void);
void syscall_entry(void);

#endif
