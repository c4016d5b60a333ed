/* SPDX-License-Identifier: MIT */
/* What signal frames of 64-bit and of 32-bit code have in common. Private to arch/x86/. */
#ifndef ARCH_X86_SIGNAL_FRAME_H
#define ARCH_X86_SIGNAL_FRAME_H

#include "arch/x86/arch.h"

/* Where a frame of that many bytes goes, and the FPU's registers; false: the stack ends before. */
MUST_CHECK bool signal_frame_place(const struct trap_frame *frame, const struct signal_setup *setup,
                                   size_t bytes, uint64_t *sp, uint64_t *fpu);
/* What FSAVE writes: a frame of 32-bit code has it before the FPU's area. */
#define FSAVE_BYTES 112

/* RFLAGS of *frame become what a signal frame or a tracer says, as far as they are a program's. */
void program_flags_set(struct trap_frame *frame, uint64_t flags);

/* As arch_signal_store() and arch_signal_enter(), for setup->compat. */
MUST_CHECK int signal_store32(const struct trap_frame *frame, const struct signal_setup *setup,
                              uint64_t *sp);
void signal_enter32(struct trap_frame *frame, const struct signal_setup *setup, uint64_t sp);

#endif
