/* SPDX-License-Identifier: MIT */
/* The firmware's runtime services. Private to arch/x86/. */
#ifndef ARCH_X86_EFI_H
#define ARCH_X86_EFI_H

#include "arch/x86/arch.h"

struct boot_info;

/* Keep the runtime regions of the memory map. */
void efi_init(const struct boot_info *info);
/* Call ResetSystem(); returns when that did not work. */
void efi_reset(unsigned reset_type);
/* A fault in the kernel: if inside a firmware call, *frame ends that call (true). */
bool efi_fault(struct trap_frame *frame);

/*
 * efi_call.asm: call a firmware function of up to four arguments. Should it fault, going on at
 * efi_escape with RSP = efi_saved_rsp returns from efi_call() as if the function had.
 */
void efi_call(uint64_t function, uint64_t a, uint64_t b, uint64_t c, uint64_t d);
void efi_escape(void);
extern uint64_t efi_saved_rsp;

#endif
